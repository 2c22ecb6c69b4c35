/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

/* A manager that answers from a list. */
static int answers[4];
static unsigned int n_asked;

static int scripted_alloc(struct mm_manager *man, const struct mm_placement *placement,
			  uint64_t bytes, struct mm_resource *res)
{
	return answers[n_asked++];
}

static const struct mm_manager_ops scripted_ops = { .alloc = scripted_alloc };

static int ask(void)
{
	const struct mm_placement placement = { 0 };
	const struct mm_op op = { 0 };
	struct mm_resource res = { 0 };
	struct mm_manager man;
	int r;

	mm_manager_init(&man, &scripted_ops, "scripted", VKF_MIB(1));
	n_asked = 0;
	r = mm_place(&man, &placement, VKF_PAGE_SIZE, &op, &res);
	mm_manager_fini(&man);
	return r;
}

static void what_can_never_fit_is_not_even_asked_for(void **state)
{
	const struct mm_placement placement = { 0 };
	const struct mm_op op = { 0 };
	struct mm_resource res = { 0 };
	struct mm_manager man = { .ops = &scripted_ops, .size = VKF_PAGE_SIZE };

	n_asked = 0;
	assert_int_equal(mm_place(&man, &placement, 2 * VKF_PAGE_SIZE, &op, &res), -ENOMEM);
	assert_int_equal(n_asked, 0);
}

static void no_room_is_out_of_memory(void **state)
{
	answers[0] = -ENOSPC;
	assert_int_equal(ask(), -ENOMEM);
}

static void another_refusal_is_passed_on_and_not_tried_again(void **state)
{
	answers[0] = -ENOMEM;
	assert_int_equal(ask(), -ENOMEM);
	assert_int_equal(n_asked, 1);
	answers[0] = -EIO;
	assert_int_equal(ask(), -EIO);
}

static void what_is_there_is_taken(void **state)
{
	answers[0] = 0;
	assert_int_equal(ask(), 0);
	assert_int_equal(n_asked, 1);
}

static void a_buffers_wishes_are_its_parameters(void **state)
{
	struct mm_bo_params params = { .contiguous = true };
	struct mm_placement placement = mm_placement_of_bo(&params);

	assert_true(placement.contiguous && !placement.cpu_access && !placement.kernel_user);
	params = (struct mm_bo_params){ .cpu_access = true };
	placement = mm_placement_of_bo(&params);
	assert_true(!placement.contiguous && placement.cpu_access && !placement.kernel_user);
}

static void a_table_may_use_what_is_kept_back(void **state)
{
	struct mm_placement placement = mm_placement_of_table();

	assert_true(placement.kernel_user && !placement.cpu_access);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_never_fit_is_not_even_asked_for),
		cmocka_unit_test(no_room_is_out_of_memory),
		cmocka_unit_test(another_refusal_is_passed_on_and_not_tried_again),
		cmocka_unit_test(what_is_there_is_taken),
		cmocka_unit_test(a_buffers_wishes_are_its_parameters),
		cmocka_unit_test(a_table_may_use_what_is_kept_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
