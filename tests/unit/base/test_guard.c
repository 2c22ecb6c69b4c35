/* SPDX-License-Identifier: MIT */
#include "base/guard.h"

#include "host/sched_host.h"
#include "support.h"

#define N_TASKS 3
#define N_ROUNDS 2000

static atomic_flag guard = ATOMIC_FLAG_INIT;
static unsigned int shared; /* protected by @guard */

static void count(void *arg)
{
	for (unsigned int i = 0; i < N_ROUNDS; i++) {
		vkf_guard_lock(&guard);
		shared++;
		vkf_guard_unlock(&guard);
	}
}

static void one_at_a_time_is_inside(void **state)
{
	struct vkf_task *task[N_TASKS];

	host_sched_install();
	for (unsigned int i = 0; i < N_TASKS; i++)
		assert_int_equal(vkf_spawn("counter", count, NULL, &task[i]), 0);
	for (unsigned int i = 0; i < N_TASKS; i++)
		vkf_join(task[i]);
	assert_int_equal(shared, N_TASKS * N_ROUNDS);
}

static void it_is_free_again_after_unlock(void **state)
{
	vkf_guard_lock(&guard);
	assert_true(atomic_flag_test_and_set(&guard));
	vkf_guard_unlock(&guard);
	assert_false(atomic_flag_test_and_set(&guard));
	vkf_guard_unlock(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time_is_inside),
		cmocka_unit_test(it_is_free_again_after_unlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
