/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static void only_addresses_a_program_can_have_are_valid(void **state)
{
	assert_true(mm_userptr_is_valid(0x1000, 0x1000));
	assert_true(mm_userptr_is_valid(MM_USER_END - 0x1000, 0x1000));
	assert_false(mm_userptr_is_valid(MM_USER_END - 0x1000, 0x2000));
	assert_false(mm_userptr_is_valid(MM_USER_END, 0x1000));
	assert_false(mm_userptr_is_valid(0, 0x1000));
	assert_false(mm_userptr_is_valid(0x1000, 0));
	assert_false(mm_userptr_is_valid(0x1001, 0x1000));
	assert_false(mm_userptr_is_valid(0x1000, 0x1001));
	assert_false(mm_userptr_is_valid(UINT64_MAX - 0xfff, 0x2000));
}

static void what_a_change_touches_is_found(void **state)
{
	static const uint64_t addr[] = { 0x10000, 0x14000, 0x12000, 0x40000 };
	struct mm_userptr u[4], *at;
	struct vkf_ranges tree;

	vkf_ranges_init(&tree);
	for (unsigned int i = 0; i < 4; i++) {
		mm_userptr_init(&u[i], (vkf_uptr){ addr[i] }, 0x4000);
		assert_int_equal(mm_userptr_addr(&u[i]).v, addr[i]);
		vkf_ranges_insert(&tree, &u[i].range);
	}
	at = mm_userptr_first(&tree, 0x13fff, 0x14000);
	assert_ptr_equal(at, &u[0]);
	at = mm_userptr_next(at, 0x13fff, 0x14000);
	assert_ptr_equal(at, &u[2]);
	at = mm_userptr_next(at, 0x13fff, 0x14000);
	assert_ptr_equal(at, &u[1]);
	assert_null(mm_userptr_next(at, 0x13fff, 0x14000));
	assert_null(mm_userptr_first(&tree, 0x18000, 0x3ffff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_addresses_a_program_can_have_are_valid),
		cmocka_unit_test(what_a_change_touches_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
