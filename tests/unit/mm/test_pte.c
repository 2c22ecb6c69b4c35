/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static void flags_are_the_hardwares_bits(void **state)
{
	struct mm_pte_attr attr = { 0 };

	/* valid and readable always */
	assert_int_equal(mm_pte_flags(&attr, false), 0x21);
	assert_int_equal(mm_pte_flags(&attr, true), 0x23);
	attr.writeable = true;
	assert_int_equal(mm_pte_flags(&attr, false), 0x61);
	attr.executable = true;
	assert_int_equal(mm_pte_flags(&attr, false), 0x71);
	attr.snooped = true;
	assert_int_equal(mm_pte_flags(&attr, false), 0x75);
	attr.mtype = PTE_GFX9_MTYPE_UC;
	assert_true(mm_pte_flags(&attr, false) == (UINT64_C(3) << 57 | 0x75));
}

static void a_leaf_holds_address_and_fragment(void **state)
{
	assert_true(mm_pte_leaf(0x61, UINT64_C(0x123456789000), 3, MM_PTB) ==
		    (UINT64_C(0x123456789000) | 3 << 7 | 0x61));
	assert_true(mm_pte_leaf(0x61, UINT64_C(0x40000000), 9, MM_PDB0) ==
		    (UINT64_C(0x40000000) | UINT64_C(1) << 54 | 9 << 7 | 0x61));
}

static void a_huge_leaf_is_aligned(void **state)
{
#ifdef VKFD_DEBUG
	EXPECT_PANIC("ALIGNED", (void)mm_pte_leaf(0x61, 0x1000, 0, MM_PDB0));
#else
	skip();
#endif
}

static void a_directory_entry_is_the_tables_vram_and_valid(void **state)
{
	assert_true(mm_pte_directory((vkf_vram){ 0x7fff000 }) == 0x7fff001);
}

static void the_fragment_is_the_longest_that_is_aligned_and_fits(void **state)
{
	assert_int_equal(mm_pte_fragment(0x1000, 0x1000, 0x100000), 0);
	assert_int_equal(mm_pte_fragment(0x8000, 0x10000, 0x100000), 3);
	assert_int_equal(mm_pte_fragment(0x10000, 0x8000, 0x100000), 3);
	assert_int_equal(mm_pte_fragment(0x200000, 0x200000, 0x200000), 9);
	assert_int_equal(mm_pte_fragment(0x200000, 0x200000, 0x1ff000), 8);
	assert_int_equal(mm_pte_fragment(0x200000, 0, 0x1000), 0);
	/* Five bits are there for it. */
	assert_int_equal(mm_pte_fragment(0, 0, UINT64_C(1) << 47), 31);
}

static void slots_and_spans_are_those_of_four_levels(void **state)
{
	uint64_t va = UINT64_C(1) << 39 | UINT64_C(2) << 30 | UINT64_C(3) << 21 | UINT64_C(4) << 12;

	for (unsigned int level = 0; level < MM_PTE_LEVELS; level++)
		assert_int_equal(mm_pte_slot(va, level), level + 1);
	assert_int_equal(mm_pte_span(MM_PTB), 4096);
	assert_int_equal(mm_pte_span(MM_PDB0), VKF_MIB(2));
	assert_int_equal(mm_pte_span(MM_PDB1), VKF_GIB(1));
	assert_int_equal(mm_pte_span(MM_PDB2), VKF_GIB(512));
	assert_int_equal(mm_pte_slot(UINT64_MAX, MM_PDB2), 511);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_the_hardwares_bits),
		cmocka_unit_test(a_leaf_holds_address_and_fragment),
		cmocka_unit_test(a_huge_leaf_is_aligned),
		cmocka_unit_test(a_directory_entry_is_the_tables_vram_and_valid),
		cmocka_unit_test(the_fragment_is_the_longest_that_is_aligned_and_fits),
		cmocka_unit_test(slots_and_spans_are_those_of_four_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
