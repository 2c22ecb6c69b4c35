# SPDX-License-Identifier: MIT
# Two layers: this file is what a newcomer types; meson.build is how it is built.
BUILD ?= build
PREFIX ?= /usr/local

.PHONY: all demo test install asan tsan fuzz bench soak clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	tools/setup build
	meson setup $(BUILD) --prefix=$(PREFIX)

# Installs what is missing, builds what a program needs (not the tests), and runs the first session
# of the README.
demo:
	tools/setup build clients
	$(MAKE) $(BUILD)/build.ninja
	ninja -C $(BUILD) programs
	tools/demo $(BUILD)

test:
	tools/setup build clients tests
	$(MAKE) all
	tools/run-tests $(BUILD)

install: all
	meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

asan:
	tools/setup build tests
	tools/sanitize address,undefined build-asan

tsan:
	tools/setup build tests
	tools/sanitize thread build-tsan

fuzz:
	tools/setup build tests fuzz
	tools/fuzz build-fuzz

bench:
	tools/setup build clients
	tools/bench build-bench

# For hours when nobody waits: SECONDS=7200 make soak.
soak:
	tools/setup build clients tests
	$(MAKE) all
	tools/soak $(BUILD) $(or $(SECONDS),1800)

clean:
	rm -rf $(BUILD) build-asan build-tsan build-fuzz build-bench
