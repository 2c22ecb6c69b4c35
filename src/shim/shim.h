/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_SHIM_H
#define VKFD_SHIM_SHIM_H

/**
 * DOC: What the files of the shim share
 *
 * The shim lives in a program that knows nothing of it, so:
 *
 * - Only the functions of wrap_*.c are visible, and only they speak libc's language
 *   (-1 and errno). Everything else is hidden and returns a negative errno.
 * - Nothing here calls a function that wrap_*.c stands in for: the kernel is called
 *   by sys_raw.h, libc by real.h. tests/static checks the symbols.
 * - No constructor, no destructor, no output. State comes into being when a device
 *   is first opened, and is never taken down: the driver sees the end of the process.
 * - State that must not outlive a fork is in one mapping that the kernel wipes in the
 *   child (state.h), so a child of fork, vfork or a bare clone finds what is true.
 * - A lock is held with all signals blocked, and no lock is held across a wait for
 *   the driver but the one that makes sessions.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "shim/sys_raw.h"

#define SHIM_EXPORT      __attribute__((visibility("default")))
#define SHIM_LIKELY(x)   __builtin_expect(!!(x), 1)
#define SHIM_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The kernel's result in libc's words: -1 and errno, or the value. */
static inline long shim_ret(long r)
{
	if (SHIM_UNLIKELY(sys_is_error(r))) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

#endif
