/* SPDX-License-Identifier: MIT */
#include "base/env.h"

#include <errno.h>

#include "support.h"

static void *last_freed;
static const char *asked_point;
static uint64_t asked_arg;

static void recording_free(void *p)
{
	last_freed = p;
	free(p);
}

static int fail_five(const char *point, uint64_t arg)
{
	asked_point = point;
	asked_arg = arg;
	return arg == 5 ? EIO : 0;
}

static const struct vkf_env_ops recording = { counting_zalloc, recording_free, fail_five };

static int restore(void **state)
{
	vkf_env_set(NULL);
	fail_countdown = 0;
	last_freed = NULL;
	return 0;
}

static void memory_is_zeroed(void **state)
{
	unsigned char *p;
	int i;

	/* Dirty what the allocator gives out again. */
	p = vkf_zalloc(256);
	assert_non_null(p);
	memset(p, 0xff, 256);
	vkf_free(p);
	p = vkf_calloc(16, 16);
	assert_non_null(p);
	for (i = 0; i < 256; i++)
		assert_int_equal(p[i], 0);
	vkf_free(p);
}

static void calloc_refuses_an_overflowing_product(void **state)
{
	assert_null(vkf_calloc(SIZE_MAX / 2, 3));
	assert_null(vkf_calloc(SIZE_MAX, SIZE_MAX));
}

static void replaced_functions_are_used_and_refuse(void **state)
{
	void *p;

	vkf_env_set(&recording);
	fail_countdown = 2;
	p = vkf_zalloc(8);
	assert_non_null(p);
	assert_null(vkf_zalloc(8));
	vkf_free(p);
	assert_ptr_equal(last_freed, p);
}

static void freeing_null_reaches_nobody(void **state)
{
	vkf_env_set(&recording);
	last_freed = &asked_arg;
	vkf_free(NULL);
	assert_ptr_equal(last_freed, &asked_arg);
}

static void fault_is_a_negative_errno_for_the_asked_object(void **state)
{
	vkf_env_set(&recording);
	assert_int_equal(vkf_fault("mm.map", 5), -EIO);
	assert_string_equal(asked_point, "mm.map");
	assert_int_equal(asked_arg, 5);
	assert_int_equal(vkf_fault("mm.map", 4), 0);
}

static void null_restores_the_default_without_faults(void **state)
{
	vkf_env_set(&recording);
	vkf_env_set(NULL);
	assert_int_equal(vkf_fault("mm.map", 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(memory_is_zeroed, restore),
		cmocka_unit_test_teardown(calloc_refuses_an_overflowing_product, restore),
		cmocka_unit_test_teardown(replaced_functions_are_used_and_refuse, restore),
		cmocka_unit_test_teardown(freeing_null_reaches_nobody, restore),
		cmocka_unit_test_teardown(fault_is_a_negative_errno_for_the_asked_object, restore),
		cmocka_unit_test_teardown(null_restores_the_default_without_faults, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
