/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/print.h"

static struct mm_vram vram;

static const struct mm_placement anywhere = { 0 };
static const struct mm_placement contiguous = { .contiguous = true, .kernel_user = true };
static const struct mm_placement cpu = { .cpu_access = true };
static const struct mm_placement kernel = { .kernel_user = true };

static void init(uint64_t size, uint64_t visible)
{
	host_sched_install();
	assert_int_equal(mm_vram_init(&vram, size, visible), 0);
}

static void assert_sound(void)
{
	const char *why = vram.man.ops->check(&vram.man);

	if (why)
		fail_msg("%s", why);
}

static void fini(void)
{
	assert_sound();
	assert_int_equal(vram.man.used, 0);
	assert_int_equal(vram.visible_used, 0);
	mm_vram_fini(&vram);
}

static struct mm_resource alloc(const struct mm_placement *placement, uint64_t bytes)
{
	struct mm_resource res = { 0 };
	int r = mm_manager_alloc(&vram.man, placement, bytes, &res);

	if (r)
		fail_msg("%d instead of %llu bytes", r, (unsigned long long)bytes);
	/* The node must not move once it is in a list; here it is in none. */
	mm_lru_node_init(&res.lru);
	assert_sound();
	return res;
}

static void refuse(const struct mm_placement *placement, uint64_t bytes)
{
	struct mm_resource res = { 0 };
	uint64_t was_used = vram.man.used;

	assert_int_equal(mm_manager_alloc(&vram.man, placement, bytes, &res), -ENOSPC);
	assert_null(res.man);
	assert_int_equal(vram.man.used, was_used);
	assert_sound();
}

static void release(struct mm_resource *res)
{
	mm_lru_node_init(&res->lru);
	mm_resource_free(res);
	assert_null(res->man);
	mm_resource_free(res);
}

static unsigned int n_blocks(const struct mm_resource *res)
{
	const struct mm_buddy_block *block = res->blocks;
	unsigned int n = 0;

	for (; block; block = block->next)
		n++;
	return n;
}

static void no_page_of_vram_is_refused(void **state)
{
	assert_int_equal(mm_vram_init(&vram, 4095, 0), -EINVAL);
}

static void is_taken_from_the_top(void **state)
{
	struct mm_resource a, b2;

	init(VKF_MIB(64), VKF_MIB(64));
	a = alloc(&anywhere, VKF_MIB(4));
	b2 = alloc(&anywhere, VKF_PAGE_SIZE);
	assert_int_equal(a.blocks->offset, VKF_MIB(60));
	assert_int_equal(b2.blocks->offset, VKF_MIB(60) - VKF_PAGE_SIZE);
	release(&a);
	release(&b2);
	fini();
}

static void is_taken_from_the_bottom_of_what_is_visible_when_the_cpu_must_reach_it(void **state)
{
	struct mm_resource a, b2;

	init(VKF_MIB(64), VKF_MIB(16));
	a = alloc(&cpu, VKF_MIB(4));
	assert_int_equal(a.blocks->offset, 0);
	assert_int_equal(a.visible, VKF_MIB(4));
	b2 = alloc(&cpu, VKF_MIB(12));
	refuse(&cpu, VKF_PAGE_SIZE);
	assert_int_equal(vram.visible_used, VKF_MIB(16));
	release(&a);
	release(&b2);
	fini();
}

static void counts_what_lies_in_the_visible_part(void **state)
{
	uint64_t used, visible_used;
	struct mm_resource a;

	init(VKF_MIB(64), VKF_MIB(24));
	a = alloc(&kernel, VKF_MIB(48));
	mm_vram_usage(&vram, &used, &visible_used);
	assert_int_equal(used, VKF_MIB(48));
	assert_int_equal(visible_used, VKF_MIB(8));
	release(&a);
	fini();
}

static void the_last_8_mib_are_for_page_tables(void **state)
{
	struct mm_resource a, table;

	init(VKF_MIB(64), VKF_MIB(64));
	a = alloc(&anywhere, VKF_MIB(56));
	refuse(&anywhere, VKF_PAGE_SIZE);
	table = alloc(&kernel, VKF_MIB(8));
	refuse(&kernel, VKF_PAGE_SIZE);
	release(&a);
	/* What tables use counts for others. */
	a = alloc(&anywhere, VKF_MIB(48));
	refuse(&anywhere, VKF_PAGE_SIZE);
	release(&a);
	release(&table);
	fini();
}

static void a_gpu_with_less_than_8_mib_has_nothing_for_clients(void **state)
{
	struct mm_resource table;

	init(VKF_MIB(4), VKF_MIB(4));
	refuse(&anywhere, VKF_PAGE_SIZE);
	table = alloc(&kernel, VKF_MIB(4));
	release(&table);
	fini();
}

/* Takes all of it in pages and gives every second one back. */
static struct mm_resource page[VKF_MIB(16) / VKF_PAGE_SIZE];

static void fragment(void)
{
	init(VKF_MIB(16), VKF_MIB(16));
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(page); i++)
		assert_int_equal(mm_manager_alloc(&vram.man, &kernel, VKF_PAGE_SIZE, &page[i]), 0);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(page); i += 2)
		mm_resource_free(&page[i]);
}

static void a_multiple_of_2_mib_needs_blocks_of_2_mib(void **state)
{
	struct mm_resource a;

	fragment();
	refuse(&kernel, VKF_MIB(2));
	refuse(&kernel, VKF_MIB(4));
	/* One page more, and pages will do. */
	a = alloc(&kernel, VKF_MIB(2) + VKF_PAGE_SIZE);
	assert_int_equal(n_blocks(&a), 513);
	release(&a);
	a = alloc(&kernel, VKF_MIB(1));
	release(&a);
	for (unsigned int i = 1; i < VKF_ARRAY_SIZE(page); i += 2)
		mm_resource_free(&page[i]);
	fini();
}

/* A page at the top, where the first table of a VM lies. */
static void one_large_range_begins_where_one_entry_can_lead_to_2_mib_of_it(void **state)
{
	struct mm_resource top, a;

	init(VKF_MIB(64), VKF_MIB(64));
	top = alloc(&kernel, VKF_PAGE_SIZE);
	a = alloc(&contiguous, VKF_MIB(40));
	assert_true(VKF_IS_ALIGNED(a.blocks->offset, VKF_HUGE_SIZE));
	release(&a);
	/* All but that page, in one range: only whole pages can be had. */
	a = alloc(&contiguous, VKF_MIB(64) - VKF_PAGE_SIZE);
	release(&a);
	release(&top);
	fini();
}

static void contiguous_is_a_wish(void **state)
{
	struct mm_resource a;

	fragment();
	a = alloc(&contiguous, 2 * VKF_PAGE_SIZE);
	assert_int_equal(n_blocks(&a), 2);
	assert_true(a.blocks->offset != a.blocks->next->offset + VKF_PAGE_SIZE);
	release(&a);
	for (unsigned int i = 1; i < VKF_ARRAY_SIZE(page); i += 2)
		mm_resource_free(&page[i]);
	a = alloc(&contiguous, VKF_MIB(7) + VKF_PAGE_SIZE);
	for (struct mm_buddy_block *block = a.blocks; block->next; block = block->next)
		assert_int_equal(block->next->offset,
				 block->offset + mm_buddy_block_size(&vram.buddy, block));
	release(&a);
	fini();
}

static void a_block_is_as_large_as_it_can_be(void **state)
{
	struct mm_resource a;

	init(VKF_GIB(8), VKF_GIB(8));
	a = alloc(&anywhere, VKF_GIB(5));
	assert_int_equal(n_blocks(&a), 2);
	assert_int_equal(mm_buddy_block_size(&vram.buddy, a.blocks), VKF_GIB(4));
	assert_int_equal(mm_buddy_block_size(&vram.buddy, a.blocks->next), VKF_GIB(1));
	release(&a);
	fini();
}

/* However large: one page more than a multiple of 2 MiB may lie in pages. */
static void the_2_mib_rule_is_for_the_whole_size(void **state)
{
	static struct mm_resource hole[512];
	const uint64_t size = VKF_GIB(4);
	struct mm_resource a;

	init(size, size);
	/* Every 2 MiB in the upper part has a page taken out of it. */
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(hole); i++) {
		struct mm_placement there = { .kernel_user = true, .cpu_access = true };

		there.start = size - (i + 1) * VKF_HUGE_SIZE;
		there.end = there.start + VKF_PAGE_SIZE;
		assert_int_equal(mm_manager_alloc(&vram.man, &there, VKF_PAGE_SIZE, &hole[i]), 0);
	}
	refuse(&kernel, VKF_GIB(3) + VKF_HUGE_SIZE);
	a = alloc(&kernel, VKF_GIB(3) + VKF_HUGE_SIZE + VKF_PAGE_SIZE);
	release(&a);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(hole); i++)
		mm_resource_free(&hole[i]);
	fini();
}

static void any_size_of_vram_is_managed(void **state)
{
	struct mm_resource a;

	init(VKF_GIB(1) + VKF_MIB(300) + 3 * VKF_PAGE_SIZE + 5, UINT64_MAX);
	assert_int_equal(vram.man.size, VKF_GIB(1) + VKF_MIB(300) + 3 * VKF_PAGE_SIZE);
	assert_int_equal(vram.visible, vram.man.size);
	a = alloc(&kernel, vram.man.size);
	assert_int_equal(a.visible, vram.man.size);
	refuse(&kernel, VKF_PAGE_SIZE);
	release(&a);
	fini();
}

static void bounds_are_kept(void **state)
{
	struct mm_placement where = { .start = VKF_MIB(8), .end = VKF_MIB(16) };
	struct mm_resource a[4];

	init(VKF_MIB(64), VKF_MIB(64));
	for (unsigned int i = 0; i < 4; i++) {
		a[i] = alloc(&where, VKF_MIB(2));
		assert_int_equal(a[i].blocks->offset, VKF_MIB(14) - i * VKF_MIB(2));
	}
	refuse(&where, VKF_PAGE_SIZE);
	release(&a[1]);
	where.cpu_access = true;
	a[1] = alloc(&where, VKF_PAGE_SIZE);
	assert_int_equal(a[1].blocks->offset, VKF_MIB(12));
	for (unsigned int i = 0; i < 4; i++)
		release(&a[i]);
	fini();
}

static void bounds_that_hold_nothing_refuse(void **state)
{
	struct mm_placement where = { .start = VKF_MIB(32), .end = VKF_MIB(32) };

	init(VKF_MIB(64), VKF_MIB(16));
	refuse(&where, VKF_PAGE_SIZE);
	where.start = VKF_MIB(64);
	where.end = 0;
	refuse(&where, VKF_PAGE_SIZE);
	where.start = VKF_MIB(16);
	where.cpu_access = true;
	refuse(&where, VKF_PAGE_SIZE);
	fini();
}

static void only_what_is_invisible_can_be_asked_for(void **state)
{
	struct mm_placement invisible = { .start = VKF_MIB(16) };
	struct mm_resource a;

	init(VKF_MIB(64), VKF_MIB(16));
	a = alloc(&invisible, VKF_MIB(48));
	assert_int_equal(a.visible, 0);
	refuse(&invisible, VKF_PAGE_SIZE);
	release(&a);
	fini();
}

static void one_range_can_be_a_must(void **state)
{
	struct mm_placement one = { .one_range = true, .kernel_user = true };
	struct mm_resource a;

	fragment();
	refuse(&one, 2 * VKF_PAGE_SIZE);
	for (unsigned int i = 1; i < VKF_ARRAY_SIZE(page); i += 2)
		mm_resource_free(&page[i]);
	a = alloc(&one, VKF_MIB(15));
	for (struct mm_buddy_block *block = a.blocks; block->next; block = block->next)
		assert_int_equal(block->next->offset,
				 block->offset + mm_buddy_block_size(&vram.buddy, block));
	release(&a);
	fini();
}

/* ------------------------------------------------ bad pages */

static void a_bad_page_that_is_free_is_never_given_out(void **state)
{
	struct mm_resource a;

	init(VKF_MIB(16), VKF_MIB(8));
	assert_int_equal(mm_vram_page_status(&vram, VKF_MIB(4)), -ENOENT);
	assert_int_equal(mm_vram_retire(&vram, VKF_MIB(4)), 0);
	assert_int_equal(mm_vram_page_status(&vram, VKF_MIB(4)), 0);
	assert_int_equal(mm_vram_page_status(&vram, VKF_MIB(4) + VKF_PAGE_SIZE), -ENOENT);
	assert_int_equal(mm_vram_retired(&vram), VKF_PAGE_SIZE);
	assert_int_equal(vram.man.used, VKF_PAGE_SIZE);
	assert_int_equal(vram.visible_used, VKF_PAGE_SIZE);
	refuse(&kernel, VKF_MIB(16));
	a = alloc(&kernel, VKF_MIB(16) - VKF_PAGE_SIZE);
	for (struct mm_buddy_block *block = a.blocks; block; block = block->next)
		assert_true(block->offset > VKF_MIB(4) ||
			    block->offset + mm_buddy_block_size(&vram.buddy, block) <= VKF_MIB(4));
	release(&a);
	assert_sound();
	mm_vram_fini(&vram);
}

static void a_bad_page_that_is_in_use_goes_when_its_owner_does(void **state)
{
	struct mm_resource a, b2;

	init(VKF_MIB(16), VKF_MIB(16));
	a = alloc(&kernel, VKF_MIB(16));
	assert_int_equal(mm_vram_retire(&vram, VKF_MIB(2) + VKF_PAGE_SIZE), 0);
	assert_int_equal(mm_vram_page_status(&vram, VKF_MIB(2) + VKF_PAGE_SIZE), -EBUSY);
	assert_int_equal(mm_vram_retired(&vram), 0);
	assert_int_equal(vram.man.used, VKF_MIB(16));
	assert_sound();
	release(&a);
	assert_int_equal(mm_vram_page_status(&vram, VKF_MIB(2) + VKF_PAGE_SIZE), 0);
	assert_int_equal(vram.man.used, VKF_PAGE_SIZE);
	b2 = alloc(&kernel, VKF_MIB(16) - VKF_PAGE_SIZE);
	refuse(&kernel, VKF_PAGE_SIZE);
	release(&b2);
	assert_sound();
	mm_vram_fini(&vram);
}

static void an_owner_that_leaves_needs_no_memory_for_it(void **state)
{
	struct mm_resource a;

	init(VKF_GIB(1), VKF_GIB(1));
	a = alloc(&kernel, VKF_GIB(1));
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(mm_vram_retire(&vram, i * VKF_MIB(100) + VKF_PAGE_SIZE), 0);
	fail_alloc(1);
	release(&a);
	vkf_env_set(NULL);
	assert_int_equal(mm_vram_retired(&vram), 8 * VKF_PAGE_SIZE);
	assert_sound();
	mm_vram_fini(&vram);
}

static void out_of_memory_retires_nothing(void **state)
{
	struct mm_resource a;
	unsigned int n;
	int r = -1;

	init(VKF_MIB(16), VKF_MIB(16));
	a = alloc(&kernel, VKF_MIB(16));
	for (n = 1; r; n++) {
		fail_alloc(n);
		r = mm_vram_retire(&vram, VKF_MIB(1));
		vkf_env_set(NULL);
		assert_true(!r || r == -ENOMEM);
		assert_int_equal(mm_vram_page_status(&vram, VKF_MIB(1)), r ? -ENOENT : -EBUSY);
		assert_sound();
	}
	assert_true(n > 4);
	release(&a);
	mm_vram_fini(&vram);
}

static void what_cannot_be_retired_is_refused(void **state)
{
	init(VKF_MIB(16), VKF_MIB(16));
	assert_int_equal(mm_vram_retire(&vram, VKF_MIB(16)), -EINVAL);
	assert_int_equal(mm_vram_retire(&vram, 17), -EINVAL);
	assert_int_equal(mm_vram_retire(&vram, 0), 0);
	assert_int_equal(mm_vram_retire(&vram, 0), -EEXIST);
	assert_int_equal(mm_vram_retired(&vram), VKF_PAGE_SIZE);
	assert_sound();
	mm_vram_fini(&vram);
}

static void the_check_sees_a_bad_page_that_is_free(void **state)
{
	init(VKF_MIB(16), VKF_MIB(16));
	assert_int_equal(mm_vram_retire(&vram, 0), 0);
	vram.n_retired++;
	assert_string_equal(vram.man.ops->check(&vram.man),
			    "bad pages are not as many as were counted");
	vram.n_retired--;
	assert_sound();
	mm_vram_fini(&vram);
}

static void a_leak_dies_at_fini(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_resource a;

	init(VKF_MIB(64), VKF_MIB(64));
	a = alloc(&anywhere, VKF_PAGE_SIZE);
	EXPECT_PANIC("n_resources", mm_vram_fini(&vram));
	release(&a);
	fini();
#else
	skip();
#endif
}

static void prints_itself(void **state)
{
	struct mm_resource a;
	struct mm_print p;
	char text[600];

	init(VKF_MIB(64), VKF_MIB(16));
	assert_int_equal(mm_vram_retire(&vram, 0), 0);
	a = alloc(&anywhere, VKF_MIB(32));
	mm_print_init(&p, text, sizeof(text));
	mm_manager_print(&vram.man, "vram", &p);
	mm_print_finish(&p);
	assert_string_equal(text, "vram:\n"
				  "  usage: size 64 MiB, used 32772 KiB, resources 1\n"
				  "  lru: discardable 0, user 0, kernel 0, evictable 0 B\n"
				  "  visible: size 16 MiB, used 4 KiB\n"
				  "  retired: bytes 4 KiB, still owned 0 B\n"
				  "  fragmentation: free 32764 KiB, largest block 16 MiB, "
				  "largest run 32764 KiB, unusable for 2mib 2044 KiB, "
				  "blocks [(size 4 KiB, n 1), (size 8 KiB, n 1), (size 16 KiB, n 1), "
				  "(size 32 KiB, n 1), (size 64 KiB, n 1), (size 128 KiB, n 1), "
				  "(size 256 KiB, n 1), (size 512 KiB, n 1), (size 1 MiB, n 1), "
				  "(size 2 MiB, n 1), (size 4 MiB, n 1), (size 8 MiB, n 1), "
				  "(size 16 MiB, n 1)]\n");
	release(&a);
	assert_sound();
	mm_vram_fini(&vram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_page_of_vram_is_refused),
		cmocka_unit_test(is_taken_from_the_top),
		cmocka_unit_test(
			is_taken_from_the_bottom_of_what_is_visible_when_the_cpu_must_reach_it),
		cmocka_unit_test(counts_what_lies_in_the_visible_part),
		cmocka_unit_test(the_last_8_mib_are_for_page_tables),
		cmocka_unit_test(a_gpu_with_less_than_8_mib_has_nothing_for_clients),
		cmocka_unit_test(a_multiple_of_2_mib_needs_blocks_of_2_mib),
		cmocka_unit_test(one_large_range_begins_where_one_entry_can_lead_to_2_mib_of_it),
		cmocka_unit_test(contiguous_is_a_wish),
		cmocka_unit_test(a_block_is_as_large_as_it_can_be),
		cmocka_unit_test(the_2_mib_rule_is_for_the_whole_size),
		cmocka_unit_test(any_size_of_vram_is_managed),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(bounds_that_hold_nothing_refuse),
		cmocka_unit_test(only_what_is_invisible_can_be_asked_for),
		cmocka_unit_test(one_range_can_be_a_must),
		cmocka_unit_test(a_bad_page_that_is_free_is_never_given_out),
		cmocka_unit_test(a_bad_page_that_is_in_use_goes_when_its_owner_does),
		cmocka_unit_test(an_owner_that_leaves_needs_no_memory_for_it),
		cmocka_unit_test(out_of_memory_retires_nothing),
		cmocka_unit_test(what_cannot_be_retired_is_refused),
		cmocka_unit_test(the_check_sees_a_bad_page_that_is_free),
		cmocka_unit_test(a_leak_dies_at_fini),
		cmocka_unit_test(prints_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
