/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_BASE_SUPPORT_H
#define VKFD_TESTS_UNIT_BASE_SUPPORT_H

/**
 * DOC: What the tests of base, host and sim share
 *
 * Catching a panic: the hook jumps out of whatever panicked, so EXPECT_PANIC()
 * can see the code die and go on. Refusing allocations: fail_alloc(n) refuses
 * the n-th from now (0: none). Random numbers come from a fixed seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/env.h"
#include "base/hash.h"
#include "base/macro.h"

static jmp_buf panic_jump;
static volatile const char *panic_what;

__attribute__((unused)) static void panic_catch(const char *file, int line, const char *what)
{
	panic_what = what;
	longjmp(panic_jump, 1);
}

/* Run @stmt, which must panic with a text that contains @words. */
#define EXPECT_PANIC(words, stmt)                                                                  \
	do {                                                                                       \
		vkf_panic_fn was_hook = vkf_panic_hook;                                            \
		panic_what = NULL;                                                                 \
		vkf_panic_hook = panic_catch;                                                      \
		if (setjmp(panic_jump) == 0) {                                                     \
			stmt;                                                                      \
		}                                                                                  \
		vkf_panic_hook = was_hook;                                                         \
		if (!panic_what)                                                                   \
			fail_msg("no panic in: %s", #stmt);                                        \
		if (!strstr((const char *)panic_what, words))                                      \
			fail_msg("panic says '%s', not '%s'", (const char *)panic_what, words);    \
	} while (0)

static unsigned int fail_countdown;
static int n_live_allocs;

__attribute__((unused)) static void *counting_zalloc(size_t size)
{
	if (fail_countdown && --fail_countdown == 0)
		return NULL;
	n_live_allocs++;
	return calloc(1, size);
}

__attribute__((unused)) static void counting_free(void *p)
{
	n_live_allocs--;
	free(p);
}

__attribute__((unused)) static int no_fault(const char *point, uint64_t arg)
{
	return 0;
}

static const struct vkf_env_ops counting_env
	__attribute__((unused)) = { counting_zalloc, counting_free, no_fault };

/* Refuse the @n-th allocation from now; count the live ones from zero. */
__attribute__((unused)) static void fail_alloc(unsigned int n)
{
	vkf_env_set(&counting_env);
	fail_countdown = n;
}

static uint64_t rnd_state;

/* Below @bound. */
__attribute__((unused)) static uint64_t rnd(uint64_t bound)
{
	rnd_state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(rnd_state) % bound;
}

#endif
