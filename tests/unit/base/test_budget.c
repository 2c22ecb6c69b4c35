/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <pthread.h>
#include "base/budget.h"

static struct vkf_budget b;

static void so_many_can_be_taken_and_no_more(void **state)
{
	vkf_budget_init(&b, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(vkf_budget_used(&b), i);
		assert_true(vkf_budget_take(&b));
	}
	assert_false(vkf_budget_take(&b));
	assert_int_equal(vkf_budget_used(&b), 3);
	vkf_budget_give(&b);
	assert_true(vkf_budget_take(&b));
	assert_false(vkf_budget_take(&b));
}

static void what_was_asked_for_can_be_spent(void **state)
{
	vkf_budget_init(&b, 5);
	assert_true(vkf_budget_has(&b, 5));
	assert_false(vkf_budget_has(&b, 6));
	assert_false(vkf_budget_has(&b, UINT64_MAX));
	assert_true(vkf_budget_take(&b));
	assert_false(vkf_budget_has(&b, 5));
	assert_true(vkf_budget_has(&b, 4));
	for (unsigned int i = 0; i < 4; i++)
		vkf_budget_spend(&b);
	assert_int_equal(vkf_budget_used(&b), 5);
	assert_true(vkf_budget_has(&b, 0));
	assert_false(vkf_budget_has(&b, 1));
	assert_false(vkf_budget_take(&b));
}

static void a_limit_of_none_gives_nothing(void **state)
{
	vkf_budget_init(&b, 0);
	assert_false(vkf_budget_take(&b));
}

static void giving_what_was_not_taken_dies(void **state)
{
#ifdef VKFD_DEBUG
	vkf_budget_init(&b, 3);
	EXPECT_PANIC("used > 0", vkf_budget_give(&b));
#else
	skip();
#endif
}

static atomic_uint n_held, n_most;

static void *take_and_give(void *arg)
{
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int held, most;

		if (!vkf_budget_take(&b))
			continue;
		held = atomic_fetch_add(&n_held, 1) + 1;
		most = atomic_load(&n_most);
		while (held > most && !atomic_compare_exchange_weak(&n_most, &most, held))
			;
		atomic_fetch_sub(&n_held, 1);
		vkf_budget_give(&b);
	}
	return NULL;
}

static void many_at_once_never_have_more(void **state)
{
	pthread_t thread[4];

	vkf_budget_init(&b, 2);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_and_give, NULL), 0);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(vkf_budget_used(&b), 0);
	assert_in_range(n_most, 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_can_be_taken_and_no_more),
		cmocka_unit_test(what_was_asked_for_can_be_spent),
		cmocka_unit_test(a_limit_of_none_gives_nothing),
		cmocka_unit_test(giving_what_was_not_taken_dies),
		cmocka_unit_test(many_at_once_never_have_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
