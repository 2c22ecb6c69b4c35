/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_GUARD_H
#define VKFD_BASE_GUARD_H

/**
 * DOC: Guards
 *
 * A guard keeps others out for a short run of instructions: who finds it taken looks
 * again until it is free. Under one, nothing is called that could wait, allocate, or
 * be a scheduling point; so in a simulation it is always free. Locks are made of them,
 * and what is far too small for a lock of its own is guarded by one. It is an
 * atomic_flag in what it protects, clear at first, and has no end.
 */
#include <stdatomic.h>
#include "base/sched.h"

static inline void vkf_guard_lock(atomic_flag *guard)
{
	while (atomic_flag_test_and_set_explicit(guard, memory_order_acquire))
		vkf_relax();
}

static inline void vkf_guard_unlock(atomic_flag *guard)
{
	atomic_flag_clear_explicit(guard, memory_order_release);
}

#endif
