/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_quota q;
static struct mm_quota_gpu gpu[2];

static void init(uint64_t ram, uint64_t vram)
{
	const struct mm_quota_config config = { .ram = ram };

	host_sched_install();
	mm_quota_init(&q, &config);
	mm_quota_add_gpu(&q, &gpu[0], vram);
}

static void fini(void)
{
	mm_quota_remove_gpu(&q, &gpu[0]);
	mm_quota_fini(&q);
}

static int charge(enum mm_charge kind, uint64_t bytes)
{
	return mm_quota_charge(&q, &gpu[0], kind, bytes);
}

static void uncharge(enum mm_charge kind, uint64_t bytes)
{
	mm_quota_uncharge(&q, &gpu[0], kind, bytes);
}

/* The limit is @limit: that much fits, and no page more. */
static void assert_limit(enum mm_charge kind, uint64_t limit)
{
	assert_int_equal(charge(kind, limit), 0);
	assert_int_equal(charge(kind, VKF_PAGE_SIZE), -ENOMEM);
	uncharge(kind, limit);
	assert_int_equal(charge(kind, limit + VKF_PAGE_SIZE), -ENOMEM);
}

static void system_memory_is_limited_by_the_kernels_rule(void **state)
{
	init(VKF_GIB(64), VKF_GIB(16));
	assert_int_equal(q.system_limit, VKF_GIB(63) - VKF_MIB(1536));
	assert_limit(MM_CHARGE_SYSTEM, VKF_GIB(63) - VKF_MIB(1536));
	fini();
	/* 2 GiB less 1/64 is below 3 GiB, so half of it. */
	init(VKF_GIB(2), VKF_GIB(16));
	assert_limit(MM_CHARGE_SYSTEM, (VKF_GIB(2) - VKF_MIB(32)) / 2);
	fini();
}

static void ttm_memory_is_half_of_ram(void **state)
{
	init(VKF_GIB(64), VKF_GIB(16));
	assert_limit(MM_CHARGE_TTM, VKF_GIB(32));
	fini();
}

static void given_limits_stand_instead(void **state)
{
	const struct mm_quota_config config = {
		.ram = VKF_GIB(64),
		.system_limit = VKF_MIB(100),
		.ttm_limit = VKF_MIB(10),
	};

	host_sched_install();
	mm_quota_init(&q, &config);
	mm_quota_add_gpu(&q, &gpu[0], VKF_GIB(1));
	assert_limit(MM_CHARGE_SYSTEM, VKF_MIB(100));
	assert_limit(MM_CHARGE_TTM, VKF_MIB(10));
	fini();
}

static void ttm_memory_is_system_memory_too(void **state)
{
	init(VKF_GIB(64), VKF_GIB(16));
	assert_int_equal(charge(MM_CHARGE_TTM, VKF_GIB(1)), 0);
	assert_int_equal(q.system_used, VKF_GIB(1));
	assert_int_equal(q.ttm_used, VKF_GIB(1));
	assert_int_equal(charge(MM_CHARGE_SYSTEM, q.system_limit), -ENOMEM);
	/* Refused by the one, it is not counted by the other either. */
	assert_int_equal(charge(MM_CHARGE_SYSTEM, q.system_limit - VKF_GIB(2)), 0);
	assert_int_equal(charge(MM_CHARGE_TTM, VKF_GIB(2)), -ENOMEM);
	assert_int_equal(q.ttm_used, VKF_GIB(1));
	uncharge(MM_CHARGE_SYSTEM, q.system_limit - VKF_GIB(2));
	uncharge(MM_CHARGE_TTM, VKF_GIB(1));
	assert_int_equal(q.system_used + q.ttm_used, 0);
	fini();
}

static void vram_is_limited_to_what_page_tables_leave(void **state)
{
	/* 64 GiB and 16 GiB / 16384 is 5 MiB: the minimum of 8 MiB holds. */
	init(VKF_GIB(64), VKF_GIB(16));
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(16) - VKF_MIB(8));
	fini();
	init(VKF_GIB(1024), VKF_GIB(64));
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(64) - (VKF_GIB(1088) >> 14));
	fini();
}

static void vram_of_every_gpu_makes_the_reserve_of_each_larger(void **state)
{
	init(VKF_GIB(512), VKF_GIB(64));
	mm_quota_add_gpu(&q, &gpu[1], VKF_GIB(128));
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(64) - (VKF_GIB(704) >> 14));
	mm_quota_remove_gpu(&q, &gpu[1]);
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(64) - (VKF_GIB(576) >> 14));
	fini();
}

static void vram_is_counted_to_the_page_and_told_rounded_up(void **state)
{
	init(VKF_GIB(64), VKF_GIB(1));
	assert_int_equal(mm_quota_available(&q, &gpu[0]), VKF_GIB(1) - VKF_MIB(8));
	assert_int_equal(charge(MM_CHARGE_VRAM, VKF_PAGE_SIZE), 0);
	assert_int_equal(charge(MM_CHARGE_VRAM, VKF_MIB(2) + VKF_PAGE_SIZE), 0);
	assert_int_equal(gpu[0].used, VKF_MIB(2) + 2 * VKF_PAGE_SIZE);
	assert_int_equal(gpu[0].used_aligned, VKF_MIB(6));
	assert_int_equal(mm_quota_available(&q, &gpu[0]), VKF_GIB(1) - VKF_MIB(14));
	uncharge(MM_CHARGE_VRAM, VKF_MIB(2) + VKF_PAGE_SIZE);
	uncharge(MM_CHARGE_VRAM, VKF_PAGE_SIZE);
	assert_int_equal(gpu[0].used_aligned, 0);
	fini();
}

static void what_is_available_is_whole_2_mib_and_never_below_nothing(void **state)
{
	uint64_t page = VKF_PAGE_SIZE, n = 0;

	init(VKF_GIB(64), VKF_MIB(64) + VKF_MIB(1));
	assert_int_equal(mm_quota_available(&q, &gpu[0]), VKF_MIB(56));
	/* Each page is told as 2 MiB, so the rest is gone long before the limit. */
	while (n < 100) {
		assert_int_equal(charge(MM_CHARGE_VRAM, page), 0);
		n++;
	}
	assert_int_equal(mm_quota_available(&q, &gpu[0]), 0);
	while (n--)
		uncharge(MM_CHARGE_VRAM, page);
	fini();
}

static void pinned_vram_counts_against_the_limit(void **state)
{
	init(VKF_GIB(64), VKF_GIB(1));
	mm_quota_pin(&q, &gpu[0], VKF_MIB(16));
	assert_int_equal(mm_quota_available(&q, &gpu[0]), VKF_GIB(1) - VKF_MIB(24));
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(1) - VKF_MIB(24));
	mm_quota_unpin(&q, &gpu[0], VKF_MIB(16));
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(1) - VKF_MIB(8));
	fini();
}

static void bad_vram_counts_against_the_limit_for_good(void **state)
{
	struct mm_quota_usage usage;

	init(VKF_GIB(64), VKF_GIB(1));
	mm_quota_add_bad(&q, &gpu[0], VKF_PAGE_SIZE);
	assert_limit(MM_CHARGE_VRAM, VKF_GIB(1) - VKF_MIB(8) - VKF_PAGE_SIZE);
	assert_int_equal(mm_quota_available(&q, &gpu[0]), VKF_GIB(1) - VKF_MIB(10));
	mm_quota_usage(&q, &gpu[0], &usage);
	assert_int_equal(usage.bad, VKF_PAGE_SIZE);
	assert_int_equal(usage.page_tables, VKF_MIB(8));
	assert_int_equal(usage.rest, VKF_GIB(1) - VKF_MIB(8) - VKF_PAGE_SIZE);
	fini();
}

/* All that is taken from VRAM at once, each of its own amount, so that a term left out shows. */
static void the_limit_is_size_less_tables_bad_pinned_and_used(void **state)
{
	const uint64_t rest = VKF_GIB(1) - VKF_MIB(8) - VKF_MIB(1) - VKF_MIB(16) - VKF_MIB(64);

	init(VKF_GIB(64), VKF_GIB(1));
	mm_quota_add_bad(&q, &gpu[0], VKF_MIB(1));
	mm_quota_pin(&q, &gpu[0], VKF_MIB(16));
	assert_int_equal(charge(MM_CHARGE_VRAM, VKF_MIB(64)), 0);
	assert_limit(MM_CHARGE_VRAM, rest);
	assert_int_equal(mm_quota_available(&q, &gpu[0]), VKF_ALIGN_DOWN(rest, VKF_MIB(2)));
	uncharge(MM_CHARGE_VRAM, VKF_MIB(64));
	mm_quota_unpin(&q, &gpu[0], VKF_MIB(16));
	fini();
}

static void with_overcommit_only_one_request_is_limited(void **state)
{
	const struct mm_quota_config config = { .ram = VKF_GIB(64), .overcommit = true };
	const uint64_t most = VKF_GIB(1) - VKF_MIB(8) - VKF_MIB(16);

	host_sched_install();
	mm_quota_init(&q, &config);
	mm_quota_add_gpu(&q, &gpu[0], VKF_GIB(1));
	mm_quota_pin(&q, &gpu[0], VKF_MIB(16));
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(charge(MM_CHARGE_VRAM, most), 0);
		assert_int_equal(charge(MM_CHARGE_VRAM, most + VKF_PAGE_SIZE), -ENOMEM);
		assert_int_equal(mm_quota_available(&q, &gpu[0]), most);
	}
	assert_int_equal(gpu[0].used, 3 * most);
	/* System memory is limited as ever. */
	assert_limit(MM_CHARGE_TTM, VKF_GIB(32));
	for (unsigned int i = 0; i < 3; i++)
		uncharge(MM_CHARGE_VRAM, most);
	mm_quota_unpin(&q, &gpu[0], VKF_MIB(16));
	fini();
}

static void vram_smaller_than_the_reserve_is_none(void **state)
{
	init(VKF_GIB(64), VKF_MIB(4));
	assert_int_equal(charge(MM_CHARGE_VRAM, VKF_PAGE_SIZE), -ENOMEM);
	assert_int_equal(mm_quota_available(&q, &gpu[0]), 0);
	fini();
}

static void what_costs_nothing_is_not_counted(void **state)
{
	init(VKF_GIB(64), VKF_GIB(1));
	assert_int_equal(charge(MM_CHARGE_NONE, UINT64_MAX), 0);
	assert_int_equal(q.system_used + q.ttm_used + gpu[0].used, 0);
	uncharge(MM_CHARGE_NONE, UINT64_MAX);
	fini();
}

static void a_senseless_size_does_not_wrap(void **state)
{
	init(VKF_GIB(64), VKF_GIB(1));
	assert_int_equal(charge(MM_CHARGE_VRAM, VKF_MIB(1)), 0);
	assert_int_equal(charge(MM_CHARGE_VRAM, UINT64_MAX - VKF_PAGE_SIZE + 1), -ENOMEM);
	assert_int_equal(charge(MM_CHARGE_SYSTEM, VKF_MIB(1)), 0);
	assert_int_equal(charge(MM_CHARGE_SYSTEM, UINT64_MAX - VKF_PAGE_SIZE + 1), -ENOMEM);
	uncharge(MM_CHARGE_SYSTEM, VKF_MIB(1));
	uncharge(MM_CHARGE_VRAM, VKF_MIB(1));
	fini();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_memory_is_limited_by_the_kernels_rule),
		cmocka_unit_test(ttm_memory_is_half_of_ram),
		cmocka_unit_test(given_limits_stand_instead),
		cmocka_unit_test(ttm_memory_is_system_memory_too),
		cmocka_unit_test(vram_is_limited_to_what_page_tables_leave),
		cmocka_unit_test(vram_of_every_gpu_makes_the_reserve_of_each_larger),
		cmocka_unit_test(vram_is_counted_to_the_page_and_told_rounded_up),
		cmocka_unit_test(what_is_available_is_whole_2_mib_and_never_below_nothing),
		cmocka_unit_test(pinned_vram_counts_against_the_limit),
		cmocka_unit_test(bad_vram_counts_against_the_limit_for_good),
		cmocka_unit_test(the_limit_is_size_less_tables_bad_pinned_and_used),
		cmocka_unit_test(with_overcommit_only_one_request_is_limited),
		cmocka_unit_test(vram_smaller_than_the_reserve_is_none),
		cmocka_unit_test(what_costs_nothing_is_not_counted),
		cmocka_unit_test(a_senseless_size_does_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
