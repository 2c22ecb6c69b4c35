/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

/* Blocks as a buddy would give them: offset and order. */
static struct mm_buddy_block block[4];

static struct mm_resource of_blocks(unsigned int n)
{
	for (unsigned int i = 0; i + 1 < n; i++)
		block[i].next = &block[i + 1];
	block[n - 1].next = NULL;
	return (struct mm_resource){ .blocks = block, .shift = VKF_PAGE_SHIFT };
}

static void a_walk_joins_neighbours(void **state)
{
	struct mm_resource res;
	struct mm_walk w;

	block[0] = (struct mm_buddy_block){ .offset = 0x10000, .order = 1 };
	block[1] = (struct mm_buddy_block){ .offset = 0x12000, .order = 0 };
	block[2] = (struct mm_buddy_block){ .offset = 0x40000, .order = 2 };
	res = of_blocks(3);
	mm_walk_resource(&w, &res);
	assert_int_equal(w.addr, 0x10000);
	assert_int_equal(w.left, 0x3000);
	mm_walk_advance(&w, 0x1000);
	assert_int_equal(w.addr, 0x11000);
	assert_int_equal(w.left, 0x2000);
	mm_walk_advance(&w, 0x2000);
	assert_int_equal(w.addr, 0x40000);
	assert_int_equal(w.left, 0x4000);
	mm_walk_advance(&w, 0x4000);
	assert_int_equal(w.left, 0);
}

static void a_walk_adds_the_managers_base(void **state)
{
	struct mm_resource res;
	struct mm_walk w;

	block[0] = (struct mm_buddy_block){ .offset = 0x2000, .order = 0 };
	block[1] = (struct mm_buddy_block){ .offset = 0x1000, .order = 0 };
	res = of_blocks(2);
	res.base = VKF_GIB(4);
	mm_walk_resource(&w, &res);
	assert_int_equal(w.addr, VKF_GIB(4) + 0x2000);
	assert_int_equal(w.left, 0x1000);
	mm_walk_advance(&w, 0x1000);
	assert_int_equal(w.addr, VKF_GIB(4) + 0x1000);
}

static void a_walk_over_a_range_ends_with_it(void **state)
{
	struct mm_walk w;

	mm_walk_range(&w, 0xd0000000, 0x2000);
	mm_walk_advance(&w, 0x1000);
	assert_int_equal(w.addr, 0xd0001000);
	assert_int_equal(w.left, 0x1000);
	mm_walk_advance(&w, 0x1000);
	assert_int_equal(w.left, 0);
}

static void going_further_than_there_is_dies(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_walk w;

	mm_walk_range(&w, 0, 0x1000);
	EXPECT_PANIC("left", mm_walk_advance(&w, 0x2000));
#else
	skip();
#endif
}

static void freeing_takes_a_resource_out_of_its_lru_list(void **state)
{
	const struct mm_placement anywhere = { 0 };
	struct mm_resource res = { 0 };
	struct mm_vram vram;

	host_sched_install();
	assert_int_equal(mm_vram_init(&vram, VKF_MIB(64), VKF_MIB(64)), 0);
	assert_int_equal(mm_manager_alloc(&vram.man, &anywhere, VKF_PAGE_SIZE, &res), 0);
	assert_false(mm_lru_has(&res.lru));
	mm_resource_make_evictable(&res, NULL, MM_LRU_USER);
	assert_int_equal(vram.man.lru.n, 1);
	mm_resource_make_unevictable(&res);
	assert_int_equal(vram.man.lru.n, 0);
	mm_resource_make_evictable(&res, NULL, MM_LRU_USER);
	mm_resource_free(&res);
	assert_int_equal(vram.man.lru.n, 0);
	mm_vram_fini(&vram);
}

static void bounds_and_gaps_are_seen(void **state)
{
	struct mm_resource res = { .blocks = &block[0], .shift = VKF_PAGE_SHIFT, .bytes = 0x3000 };
	struct mm_placement where = { 0 };

	/* 0x10000 to 0x12000, and a page behind it. */
	block[0] = (struct mm_buddy_block){ .offset = 0x10000, .order = 1, .next = &block[1] };
	block[1] = (struct mm_buddy_block){ .offset = 0x12000, .order = 0 };
	assert_true(mm_resource_is_one_range(&res));
	assert_true(mm_resource_is_within(&res, &where));
	where.end = 0x10000;
	assert_false(mm_resource_is_within(&res, &where));
	where.end = 0x10001;
	assert_true(mm_resource_is_within(&res, &where));
	where = (struct mm_placement){ .start = 0x12fff };
	assert_true(mm_resource_is_within(&res, &where));
	where.start = 0x13000;
	assert_false(mm_resource_is_within(&res, &where));
	block[1].offset = 0x20000;
	assert_false(mm_resource_is_one_range(&res));
	where = (struct mm_placement){ .start = 0x12000, .end = 0x20000 };
	assert_false(mm_resource_is_within(&res, &where));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_and_gaps_are_seen),
		cmocka_unit_test(a_walk_joins_neighbours),
		cmocka_unit_test(a_walk_adds_the_managers_base),
		cmocka_unit_test(a_walk_over_a_range_ends_with_it),
		cmocka_unit_test(going_further_than_there_is_dies),
		cmocka_unit_test(freeing_takes_a_resource_out_of_its_lru_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
