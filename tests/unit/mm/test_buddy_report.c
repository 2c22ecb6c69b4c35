/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/buddy_report.h"
#include "mm/print.h"

#define PAGE VKF_PAGE_SIZE

static struct mm_buddy b;

static struct mm_buddy_block *alloc(uint64_t size, uint64_t min_block, bool top_down)
{
	const struct mm_buddy_request req = {
		.size = size,
		.min_block = min_block,
		.max_block = VKF_GIB(2),
		.top_down = top_down,
	};
	struct mm_buddy_block *blocks;

	assert_int_equal(mm_buddy_alloc(&b, &req, &blocks), 0);
	return blocks;
}

static void fini(void)
{
	assert_null(mm_buddy_check(&b));
	mm_buddy_fini(&b);
}

static void the_report_says_how_free_space_is_cut_up(void **state)
{
	struct mm_buddy_block *low, *high;
	struct mm_buddy_report report;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(12), 12), 0);
	mm_buddy_report(&b, &report);
	assert_int_equal(report.free, VKF_MIB(12));
	assert_int_equal(report.largest_block, VKF_MIB(8));
	assert_int_equal(report.largest_run, VKF_MIB(12));
	assert_int_equal(mm_buddy_unusable(&b, &report, VKF_MIB(2)), 0);
	low = alloc(PAGE, PAGE, false);
	high = alloc(PAGE, PAGE, true);
	mm_buddy_report(&b, &report);
	assert_int_equal(report.free, VKF_MIB(12) - 2 * PAGE);
	assert_int_equal(report.largest_block, VKF_MIB(4));
	assert_int_equal(report.largest_run, VKF_MIB(12) - 2 * PAGE);
	/* 4 KiB to 1 MiB, twice. */
	assert_int_equal(mm_buddy_unusable(&b, &report, VKF_MIB(2)), 2 * (VKF_MIB(2) - PAGE));
	assert_int_equal(mm_buddy_unusable(&b, &report, VKF_GIB(1)), report.free);
	assert_int_equal(report.n_free[0], 2);
	assert_int_equal(report.n_free[10], 1);
	mm_buddy_free(&b, low);
	mm_buddy_free(&b, high);
	fini();
}

static void a_full_space_has_nothing_to_report(void **state)
{
	struct mm_buddy_report report;
	struct mm_buddy_block *all;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(3), 12), 0);
	all = alloc(VKF_MIB(3), PAGE, true);
	mm_buddy_report(&b, &report);
	assert_int_equal(report.free + report.largest_block + report.largest_run, 0);
	mm_buddy_free(&b, all);
	fini();
}

static void the_check_sees_what_is_broken(void **state)
{
	struct mm_buddy_block *blocks;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(1), 12), 0);
	blocks = alloc(PAGE, PAGE, true);
	b.n_free += PAGE;
	assert_string_equal(mm_buddy_check(&b), "free blocks do not add up to what is free");
	b.n_free -= PAGE;
	b.root.best++;
	assert_string_equal(mm_buddy_check(&b), "a split block's best order is stale");
	b.root.best--;
	blocks->offset += PAGE;
	assert_string_equal(mm_buddy_check(&b), "a half is not where it should be");
	blocks->offset -= PAGE;
	mm_buddy_free(&b, blocks);
	fini();
}

static void prints_what_is_free_by_size(void **state)
{
	struct mm_buddy_block *blocks;
	struct mm_print p;
	char text[400];

	assert_int_equal(mm_buddy_init(&b, 16 * PAGE, 12), 0);
	blocks = alloc(PAGE, PAGE, true);
	mm_print_init_json(&p, text, sizeof(text));
	mm_buddy_print(&b, &p);
	mm_print_finish(&p);
	assert_string_equal(text, "{\n"
		"  \"fragmentation\": {\"free\": 61440, \"largest_block\": 32768, "
		"\"largest_run\": 61440, \"unusable_for_2mib\": 61440, \"blocks\": ["
		"{\"size\": 4096, \"n\": 1}, {\"size\": 8192, \"n\": 1}, "
		"{\"size\": 16384, \"n\": 1}, {\"size\": 32768, \"n\": 1}]}\n}\n");
	mm_buddy_free(&b, blocks);
	fini();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_report_says_how_free_space_is_cut_up),
		cmocka_unit_test(a_full_space_has_nothing_to_report),
		cmocka_unit_test(the_check_sees_what_is_broken),
		cmocka_unit_test(prints_what_is_free_by_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
