/* SPDX-License-Identifier: MIT */
#include "base/grow.h"

#include <errno.h>

#include "support.h"

static int restore(void **state)
{
	vkf_env_set(NULL);
	return 0;
}

static void contents_are_kept_and_new_elements_are_zero(void **state)
{
	uint32_t *v = NULL;
	size_t cap = 0, i;

	assert_int_equal(vkf_grow(&v, &cap, 3, sizeof(*v)), 0);
	assert_true(cap >= 3);
	for (i = 0; i < cap; i++)
		v[i] = i + 1;
	i = cap;
	assert_int_equal(vkf_grow(&v, &cap, i + 1, sizeof(*v)), 0);
	assert_true(cap >= 2 * i);
	assert_int_equal(v[0], 1);
	assert_int_equal(v[i - 1], i);
	assert_int_equal(v[i], 0);
	vkf_free(v);
}

static void enough_room_changes_nothing(void **state)
{
	uint32_t *v = NULL, *was;
	size_t cap = 0, was_cap;

	assert_int_equal(vkf_grow(&v, &cap, 8, sizeof(*v)), 0);
	was = v;
	was_cap = cap;
	assert_int_equal(vkf_grow(&v, &cap, was_cap, sizeof(*v)), 0);
	assert_ptr_equal(v, was);
	assert_int_equal(cap, was_cap);
	vkf_free(v);
}

static void without_memory_nothing_changes(void **state)
{
	uint32_t *v = NULL, *was;
	size_t cap = 0, was_cap;

	assert_int_equal(vkf_grow(&v, &cap, 8, sizeof(*v)), 0);
	v[7] = 77;
	was = v;
	was_cap = cap;
	fail_alloc(1);
	assert_int_equal(vkf_grow(&v, &cap, cap + 1, sizeof(*v)), -ENOMEM);
	assert_ptr_equal(v, was);
	assert_int_equal(cap, was_cap);
	assert_int_equal(v[7], 77);
	assert_int_equal(vkf_grow(&v, &cap, SIZE_MAX / 2, sizeof(*v)), -ENOMEM);
	vkf_env_set(NULL);
	vkf_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(contents_are_kept_and_new_elements_are_zero, restore),
		cmocka_unit_test_teardown(enough_room_changes_nothing, restore),
		cmocka_unit_test_teardown(without_memory_nothing_changes, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
