#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tools that say whether vkfd works must not say so when it does not."""

import os
import shutil
import subprocess

import support

TOOLS = os.path.join(support.SOURCE, "tools")

# A project of programs that pass, fail, crash, hang, skip and report nothing.
MESON = """
project('sample', 'c')
cmocka = dependency('cmocka')
test('mixed', executable('mixed', 'mixed.c', dependencies: cmocka), suite: 'unit')
test('crash', executable('crash', 'crash.c', dependencies: cmocka), suite: 'unit')
sh = find_program('sh')
test('quiet', sh, args: ['-c', 'exit 0'], suite: 'static')
test('quiet-bad', sh, args: ['-c', 'exit 1'], suite: 'static')
test('liar', sh, args: ['-c', 'echo 1..1; echo ok 1 - fine; exit 1'], suite: 'static')
test('hang', sh, args: ['-c', 'echo 1..2; echo ok 1 - begun; sleep 60'], suite: 'sim', timeout: 1)
test('slow', sh, args: ['-c', 'exit 1'], suite: 'bench')
"""
HEAD = """
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
static void good(void **state) { (void)state; }
static void bad(void **state) { (void)state; assert_int_equal(1, 2); }
static void skipped(void **state) { (void)state; skip(); }
static void crash(void **state) { (void)state; abort(); }
int main(void)
{
	(void)bad; (void)skipped; (void)crash;
	const struct CMUnitTest tests[] = { %s };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


def cmocka_program(*names):
    return HEAD % ", ".join(f"cmocka_unit_test({n})" for n in names)


class RunTests(support.VkfdTest):
    """Of tools/run-tests."""

    def sample(self, meson=MESON):
        source = os.path.join(self.dir, "sample")
        os.mkdir(source)
        for name, text in (("meson.build", meson),
                           ("mixed.c", cmocka_program("good", "bad", "skipped", "good")),
                           ("crash.c", cmocka_program("good", "crash", "good"))):
            with open(os.path.join(source, name), "w", encoding="utf-8") as f:
                f.write(text)
        build = os.path.join(self.dir, "sample-build")
        subprocess.run(["meson", "setup", build, source], check=True, capture_output=True)
        return build

    def run_tests(self, *args):
        return self.run_program([os.path.join(TOOLS, "run-tests"), *args])

    def test_cases_are_counted_and_failures_fail(self):
        build = self.sample()
        status, out, _ = self.run_tests(build)
        lines = out.splitlines()
        self.assertEqual(status, 1)
        rows = {line.split()[0]: [int(n) for n in line.split()[1:4]] for line in lines
                if line.split() and line.split()[0] in ("unit", "static", "sim", "bench")}
        # mixed: 2 good, 1 bad, 1 skipped; crash: 1 good, then 2 that never passed.
        self.assertEqual(rows["unit"], [3, 3, 1])
        # quiet is one; quiet-bad and liar fail, what the liar printed notwithstanding.
        self.assertEqual(rows["static"], [2, 2, 0])
        self.assertEqual(rows["sim"], [1, 1, 0])
        self.assertNotIn("bench", rows)
        self.assertEqual(lines[-1], "6 passed, 6 failed")
        with open(os.path.join(build, "meson-logs", "summary.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "6 passed, 6 failed\n")
        self.assertIn("---- sample:unit / crash", out)

    def test_success_is_success(self):
        build = self.sample()
        status, out, _ = self.run_tests(build, "nothing-of-this-name")
        self.assertEqual((status, out.splitlines()[-1]), (1, "0 passed, 1 failed"))
        with open(os.path.join(self.dir, "sample", "mixed.c"), "w", encoding="utf-8") as f:
            f.write(cmocka_program("good", "good"))
        with open(os.path.join(self.dir, "sample", "crash.c"), "w", encoding="utf-8") as f:
            f.write(cmocka_program("good"))
        status, out, _ = self.run_tests(build, "unit")
        self.assertEqual((status, out.splitlines()[-1]), (0, "3 passed, 0 failed"))

    def test_a_tree_that_does_not_build_is_a_failure(self):
        build = self.sample()
        with open(os.path.join(self.dir, "sample", "mixed.c"), "w", encoding="utf-8") as f:
            f.write("not C\n")
        status, out, _ = self.run_tests(build)
        self.assertEqual((status, out.splitlines()[-1]), (1, "0 passed, 1 failed"))


class Setup(support.VkfdTest):
    """Of tools/setup."""

    def test_what_is_there_is_not_installed_again(self):
        status, out, err = self.run_program([os.path.join(TOOLS, "setup"), "build", "clients"])
        self.assertEqual((status, out, err), (0, "", ""))

    def test_an_unknown_group_is_a_mistake(self):
        for args in (["bulid"], ["build", "bulid"], []):
            status, out, err = self.run_program([os.path.join(TOOLS, "setup"), *args])
            self.assertEqual((status, out), (2, ""))
            self.assertEqual(err.count("\n"), 1, err)
            for group in ("build", "clients", "tests", "fuzz", "hip"):
                self.assertIn(group, err)

    def test_without_root_or_sudo_it_says_what_to_install(self):
        """With a dpkg-query that knows of nothing, and nobody who may install."""
        tools = os.path.join(self.dir, "bin")
        os.mkdir(tools)
        for name, body in (("dpkg-query", "exit 1"), ("apt-get", "echo ran; exit 0"),
                           ("id", "echo 1000")):
            with open(os.path.join(tools, name), "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\n{body}\n")
            os.chmod(os.path.join(tools, name), 0o755)
        for name in ("awk", "env", "sh"):
            os.symlink(shutil.which(name), os.path.join(tools, name))
        status, out, err = self.run_program(["sh", os.path.join(TOOLS, "setup"), "clients"],
                                            env={**self.env, "PATH": tools})
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "tools/setup: not root and no sudo; please install: "
                              "rocminfo libhsa-runtime-dev\n")


class Demo(support.VkfdTest):
    """Of tools/demo."""

    def test_it_shows_agents_and_copies(self):
        support.need_two_gpus()
        status, out, err = self.run_program([os.path.join(TOOLS, "demo"), support.BUILD],
                                            cwd=support.SOURCE)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"(?m)^agent 1: CPU ")
        for n in (2, 3):
            self.assertRegex(out, rf"(?m)^agent {n}: GPU gfx90a, AMD Instinct MI210 \(GPU-\w+\)$")
        self.assertEqual(out.count("    pool 1: 65536 MiB, coarse grained\n"), 2)
        self.assertEqual(out.count("    pool 2: 64 KiB, group\n"), 2)
        self.assertEqual(out.count("all 268435456 bytes right"), 2)


if __name__ == "__main__":
    support.main()
