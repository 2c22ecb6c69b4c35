/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_FUTEX_H
#define VKFD_HOST_FUTEX_H

/**
 * DOC: Futexes
 *
 * Waiting on a 32-bit word: between processes that map the same memory, or, as
 * _private, between threads of this one (cheaper; the two kinds do not meet).
 * Deadlines are absolute CLOCK_MONOTONIC nanoseconds, VKF_FOREVER for none.
 * Every return of a wait may be spurious: look at the word again.
 */
#include <stdatomic.h>
#include "base/sched.h"

/*
 * Sleep while *@word is @expect.
 * Return: 0 when woken, -EAGAIN when the word differs, -ETIMEDOUT, -EINTR, or -EFAULT when the
 * word's page is gone.
 */
int host_futex_wait(atomic_uint *word, unsigned int expect, uint64_t deadline_ns);
int host_futex_wait_private(atomic_uint *word, unsigned int expect, uint64_t deadline_ns);

/* Wake up to @n (at most INT_MAX) waiters. Return: how many, or -EFAULT. */
int host_futex_wake(atomic_uint *word, unsigned int n);
int host_futex_wake_private(atomic_uint *word, unsigned int n);

#endif
