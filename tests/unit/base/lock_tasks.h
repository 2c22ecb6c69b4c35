/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_BASE_LOCK_TASKS_H
#define VKFD_TESTS_UNIT_BASE_LOCK_TASKS_H

/**
 * DOC: Tasks that contend for locks
 */
#include "base/sched.h"
#include "support.h"

#define MAX_TASKS 8

static struct vkf_task *case_tasks[MAX_TASKS];

static void start_tasks(unsigned int n, void (*fn)(void *arg), void *args, size_t arg_size)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		assert_int_equal(
			vkf_spawn("worker", fn, (char *)args + i * arg_size, &case_tasks[i]), 0);
}

static void join_tasks(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		vkf_join(case_tasks[i]);
}

/* Each task has dice of its own. */
static uint64_t own_rnd(uint64_t *state, uint64_t bound)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(*state) % bound;
}

#endif
