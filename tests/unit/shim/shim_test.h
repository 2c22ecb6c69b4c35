/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_SHIM_TEST_H
#define VKFD_TESTS_SHIM_TEST_H

/**
 * DOC: Tests inside a program that has the shim
 *
 * The test program starts a fake driver and then itself again, with the shim
 * preloaded; the tests run there. A part that must be a program of its own (one that
 * execs, dies, or has another driver) is a child: a function with a name, run by
 * shim_child(); its return value is the exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/types.h>
#include "fake_driver.h"

struct shim_child {
	const char *name;
	int (*run)(int argc, char **argv);
};

struct shim_suite {
	const char *name;
	const struct CMUnitTest *tests;
	size_t n_tests;
	const struct shim_child *children;
	size_t n_children;
};

int shim_test_main(int argc, char **argv, const struct shim_suite *suite);

/* Start child @name with the NULL-terminated arguments; with @driver instead of the common one
 * when not NULL. Return: its pid. */
pid_t shim_child_start(const struct fake_driver *driver, const char *name, ...);
/* Wait for it. Return: its exit status, or 1000 + the signal that killed it. */
int shim_child_wait(pid_t pid);
/* Both. */
int shim_child(const char *name);

/* What the driver has counted. */
struct fake_counts shim_counts(void);
/* Wait until the driver has so many files open; false after five seconds. */
int shim_files_become(uint32_t n);
int shim_engines_become(uint32_t n);

void shim_sleep_ms(unsigned int ms);

#endif
