/* SPDX-License-Identifier: MIT */
#include "base/handle.h"

#include <errno.h>

#include "support.h"

static int objs[2000];

static int restore(void **state)
{
	vkf_env_set(NULL);
	return 0;
}

static void lowest_free_number_is_given_and_given_again(void **state)
{
	struct vkf_handles h;
	unsigned int id = 0, i;

	vkf_handles_init(&h, 1, 100);
	for (i = 1; i <= 10; i++) {
		assert_int_equal(vkf_handles_add(&h, &objs[i], &id), 0);
		assert_int_equal(id, i);
	}
	assert_ptr_equal(vkf_handles_remove(&h, 7), &objs[7]);
	assert_ptr_equal(vkf_handles_remove(&h, 3), &objs[3]);
	assert_int_equal(vkf_handles_add(&h, &objs[50], &id), 0);
	assert_int_equal(id, 3);
	assert_int_equal(vkf_handles_add(&h, &objs[51], &id), 0);
	assert_int_equal(id, 7);
	assert_int_equal(vkf_handles_add(&h, &objs[52], &id), 0);
	assert_int_equal(id, 11);
	assert_int_equal(h.n_used, 11);
	vkf_handles_fini(&h);
}

static void full_table_gives_enospc_and_leaves_the_out_parameter(void **state)
{
	struct vkf_handles h;
	unsigned int id = 0, i;

	vkf_handles_init(&h, 5, 70);
	for (i = 5; i < 70; i++)
		assert_int_equal(vkf_handles_add(&h, &objs[i], &id), 0);
	assert_int_equal(id, 69);
	id = 4711;
	assert_int_equal(vkf_handles_add(&h, &objs[0], &id), -ENOSPC);
	assert_int_equal(id, 4711);
	assert_non_null(vkf_handles_remove(&h, 33));
	assert_int_equal(vkf_handles_add(&h, &objs[0], &id), 0);
	assert_int_equal(id, 33);
	vkf_handles_fini(&h);
}

static void an_empty_range_is_full(void **state)
{
	struct vkf_handles h;
	unsigned int id;

	vkf_handles_init(&h, 3, 3);
	assert_int_equal(vkf_handles_add(&h, &objs[0], &id), -ENOSPC);
	assert_int_equal(vkf_handles_add_at(&h, &objs[0], 3), -EINVAL);
	vkf_handles_fini(&h);
}

static void add_at_refuses_taken_and_out_of_range(void **state)
{
	struct vkf_handles h;
	unsigned int id;

	vkf_handles_init(&h, 1, 1000);
	assert_int_equal(vkf_handles_add_at(&h, &objs[0], 0), -EINVAL);
	assert_int_equal(vkf_handles_add_at(&h, &objs[0], 1000), -EINVAL);
	assert_int_equal(vkf_handles_add_at(&h, &objs[0], 999), 0);
	assert_int_equal(vkf_handles_add_at(&h, &objs[1], 999), -EBUSY);
	assert_ptr_equal(vkf_handles_find(&h, 999), &objs[0]);
	assert_int_equal(vkf_handles_add_at(&h, &objs[1], 1), 0);
	assert_int_equal(vkf_handles_add(&h, &objs[2], &id), 0);
	assert_int_equal(id, 2);
	vkf_handles_fini(&h);
}

static void find_and_remove_of_unknown_numbers_give_null(void **state)
{
	struct vkf_handles h;
	unsigned int id;

	vkf_handles_init(&h, 10, UINT32_MAX);
	assert_null(vkf_handles_find(&h, 10));
	assert_int_equal(vkf_handles_add(&h, &objs[0], &id), 0);
	assert_null(vkf_handles_find(&h, 0));
	assert_null(vkf_handles_find(&h, 9));
	assert_null(vkf_handles_find(&h, 11));
	assert_null(vkf_handles_find(&h, UINT32_MAX));
	assert_null(vkf_handles_remove(&h, 11));
	assert_ptr_equal(vkf_handles_remove(&h, 10), &objs[0]);
	assert_null(vkf_handles_remove(&h, 10));
	assert_int_equal(h.n_used, 0);
	vkf_handles_fini(&h);
}

static void walk_meets_each_object_in_order_and_bears_removal(void **state)
{
	struct vkf_handles h;
	unsigned int id, seen = 0;
	unsigned int want[] = { 4, 63, 64, 200 };
	unsigned int i;
	void *obj;

	vkf_handles_init(&h, 4, 1000);
	for (i = 0; i < 4; i++)
		assert_int_equal(vkf_handles_add_at(&h, &objs[want[i]], want[i]), 0);
	vkf_handle_for_each(&h, id, obj) {
		assert_int_equal(id, want[seen]);
		assert_ptr_equal(obj, &objs[want[seen]]);
		assert_ptr_equal(vkf_handles_remove(&h, id), obj);
		seen++;
	}
	assert_int_equal(seen, 4);
	assert_int_equal(h.n_used, 0);
	vkf_handles_fini(&h);
}

static void without_memory_nothing_changes(void **state)
{
	struct vkf_handles h;
	unsigned int id = 77, i;

	vkf_handles_init(&h, 0, 1000);
	fail_alloc(1);
	assert_int_equal(vkf_handles_add(&h, &objs[0], &id), -ENOMEM);
	fail_alloc(1);
	assert_int_equal(vkf_handles_add_at(&h, &objs[0], 500), -ENOMEM);
	assert_int_equal(id, 77);
	assert_int_equal(h.n_used, 0);
	for (i = 0; i < 64; i++)
		assert_int_equal(vkf_handles_add(&h, &objs[i], &id), 0);
	fail_alloc(1);
	assert_int_equal(vkf_handles_add(&h, &objs[64], &id), -ENOMEM);
	assert_int_equal(id, 63);
	assert_ptr_equal(vkf_handles_find(&h, 63), &objs[63]);
	assert_int_equal(vkf_handles_add(&h, &objs[64], &id), 0);
	assert_int_equal(id, 64);
	vkf_handles_fini(&h);
}

static void a_table_larger_than_memory_is_refused(void **state)
{
	struct vkf_handles h;

	vkf_handles_init(&h, 0, UINT32_MAX);
	assert_int_equal(vkf_handles_add_at(&h, &objs[0], UINT32_MAX - 1), -ENOMEM);
	vkf_handles_fini(&h);
}

#define TWIN_LIMIT 300

static unsigned int twin_lowest(void *const *twin, unsigned int first)
{
	unsigned int id = first;

	while (id < TWIN_LIMIT && twin[id])
		id++;
	return id;
}

static void random_operations_agree_with_a_slow_twin(void **state)
{
	void *twin[TWIN_LIMIT] = { NULL };
	struct vkf_handles h;
	unsigned int i, id, got, lowest, bias = 2;
	void *obj;

	vkf_handles_init(&h, 7, TWIN_LIMIT);
	for (i = 0; i < 60000; i++) {
		/* Long stretches of mostly adding, then of mostly removing. */
		if (i % 3000 == 0)
			bias = 1 + rnd(3);
		id = 7 + rnd(TWIN_LIMIT - 7);
		obj = &objs[rnd(VKF_ARRAY_SIZE(objs))];
		if (rnd(4) >= bias) {
			assert_ptr_equal(vkf_handles_remove(&h, id), twin[id]);
			twin[id] = NULL;
		} else if (rnd(8) == 0) {
			assert_int_equal(vkf_handles_add_at(&h, obj, id), twin[id] ? -EBUSY : 0);
			if (!twin[id])
				twin[id] = obj;
		} else {
			lowest = twin_lowest(twin, 7);
			if (lowest == TWIN_LIMIT) {
				assert_int_equal(vkf_handles_add(&h, obj, &got), -ENOSPC);
				continue;
			}
			assert_int_equal(vkf_handles_add(&h, obj, &got), 0);
			assert_int_equal(got, lowest);
			twin[got] = obj;
		}
		assert_ptr_equal(vkf_handles_find(&h, id), twin[id]);
	}
	vkf_handles_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowest_free_number_is_given_and_given_again),
		cmocka_unit_test(full_table_gives_enospc_and_leaves_the_out_parameter),
		cmocka_unit_test(an_empty_range_is_full),
		cmocka_unit_test(add_at_refuses_taken_and_out_of_range),
		cmocka_unit_test(find_and_remove_of_unknown_numbers_give_null),
		cmocka_unit_test(walk_meets_each_object_in_order_and_bears_removal),
		cmocka_unit_test_teardown(without_memory_nothing_changes, restore),
		cmocka_unit_test(a_table_larger_than_memory_is_refused),
		cmocka_unit_test(random_operations_agree_with_a_slow_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
