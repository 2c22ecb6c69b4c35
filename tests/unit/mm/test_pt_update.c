/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#define RW        UINT64_C(0x61) /* valid, readable, writeable */
#define HUGE_LEAF (UINT64_C(1) << 54)

static struct mm_fixture f;
static struct mm_pt_tree tree;

static int setup_with(struct mm_fixture_config config)
{
	mm_fixture_init(&f, &config);
	assert_int_equal(mm_pt_init(&tree, f.a.mm, f.dev[0]), 0);
	return 0;
}

static int setup(void **state)
{
	return setup_with((struct mm_fixture_config){ .pt_tables = 64 });
}

static int setup_many(void **state)
{
	return setup_with((struct mm_fixture_config){ .pt_tables = 256 });
}

static int setup_delayed(void **state)
{
	return setup_with((struct mm_fixture_config){ .pt_tables = 64, .delay = true });
}

static int teardown(void **state)
{
	mm_pt_fini(&tree);
	mm_fixture_fini(&f);
	return 0;
}

static struct mm_pt_update *plan(uint64_t va, uint64_t bytes, uint64_t addr, uint64_t link)
{
	struct mm_pt_source source = { .flags = RW, .link = link };
	struct mm_pt_update *u = NULL;

	mm_walk_range(&source.walk, addr, bytes);
	assert_int_equal(mm_pt_plan_map(&tree, va, bytes, &source, &u), 0);
	return u;
}

static void map(uint64_t va, uint64_t bytes, uint64_t addr, uint64_t link)
{
	mm_fence_put(mm_pt_commit(plan(va, bytes, addr, link), &f.dev[0]->moves));
}

static struct mm_fence *clear(uint64_t va, uint64_t bytes)
{
	struct mm_pt_update *u = NULL;

	assert_int_equal(mm_pt_plan_clear(&tree, va, bytes, &u), 0);
	return mm_pt_commit(u, &f.dev[0]->moves);
}

/* Of every address there is. */
static void clear_all(void)
{
	mm_fence_put(clear(0, UINT64_C(1) << 48));
	assert_int_equal(tree.n_tables, 1);
	assert_int_equal(tree.n_empty, 0);
}

/* As the hardware walks it. */
static struct mm_fixture_found walk(uint64_t va)
{
	struct mm_vm vm = { .pt = tree };

	return mm_fixture_walk(&f.a, &vm, va);
}

static void assert_leaf(uint64_t va, unsigned int level, uint64_t entry, uint64_t link)
{
	struct mm_fixture_found found = walk(va);

	assert_int_equal(found.level, level);
	assert_true(found.entry == entry);
	assert_true(found.link == link);
}

static const char *any_leaf(void *arg, uint64_t va, unsigned int level, uint64_t entry,
			    uint64_t link)
{
	return NULL;
}

static void whole(void)
{
	const char *why = mm_pt_check(&tree, any_leaf, NULL);

	if (why)
		fail_msg("%s", why);
}

static void a_page_is_found_by_a_walk_from_the_root(void **state)
{
	uint64_t va = UINT64_C(0x7f1234567000);

	map(va, VKF_PAGE_SIZE, 0x5000, 0x9001);
	assert_leaf(va, MM_PTB, RW | 0x5000, 0x9001);
	assert_int_equal(walk(va + VKF_PAGE_SIZE).entry, 0);
	assert_int_equal(walk(va - VKF_PAGE_SIZE).entry, 0);
	assert_int_equal(tree.n_tables, 4);
	assert_int_equal(f.a.n_invalidated[0], 0);
}

static void every_page_leads_to_its_own(void **state)
{
	uint64_t va = VKF_GIB(1) - 3 * VKF_PAGE_SIZE; /* across a PDB0 */

	map(va, 6 * VKF_PAGE_SIZE, 0x10000, 0x20001);
	for (unsigned int i = 0; i < 6; i++) {
		struct mm_fixture_found found = walk(va + i * VKF_PAGE_SIZE);

		assert_int_equal(found.level, MM_PTB);
		assert_int_equal(pte_gfx9_get_page(found.entry), 0x10 + i);
		assert_int_equal(found.link, 0x20001 + i * VKF_PAGE_SIZE);
	}
	assert_int_equal(walk(va + 6 * VKF_PAGE_SIZE).entry, 0);
	assert_int_equal(tree.n_tables, 6);
}

static void two_mib_are_one_entry_when_all_is_aligned(void **state)
{
	map(VKF_GIB(1), VKF_MIB(2), VKF_MIB(4), VKF_MIB(6) | 1);
	assert_leaf(VKF_GIB(1), MM_PDB0, RW | HUGE_LEAF | 9 << 7 | VKF_MIB(4), VKF_MIB(6) | 1);
	assert_int_equal(tree.n_tables, 3);
}

static void two_mib_are_pages_when_anything_is_not_aligned(void **state)
{
	map(VKF_GIB(1) + VKF_PAGE_SIZE, VKF_MIB(2), VKF_MIB(4), VKF_MIB(6) | 1);
	assert_int_equal(walk(VKF_GIB(1) + VKF_PAGE_SIZE).level, MM_PTB);
	map(VKF_GIB(2), VKF_MIB(2), VKF_MIB(4) + VKF_PAGE_SIZE, VKF_MIB(6) | 1);
	assert_int_equal(walk(VKF_GIB(2)).level, MM_PTB);
	map(VKF_GIB(3), VKF_MIB(2), VKF_MIB(4), (VKF_MIB(6) + VKF_PAGE_SIZE) | 1);
	assert_int_equal(walk(VKF_GIB(3)).level, MM_PTB);
	map(VKF_GIB(4), VKF_MIB(2) - VKF_PAGE_SIZE, VKF_MIB(4), VKF_MIB(6) | 1);
	assert_int_equal(walk(VKF_GIB(4)).level, MM_PTB);
}

static void a_long_range_mixes_pages_and_large_entries(void **state)
{
	uint64_t va = VKF_GIB(1) - VKF_MIB(1), addr = VKF_GIB(2) - VKF_MIB(1);

	/* 1 MiB of pages, 2 + 2 MiB, one page. */
	map(va, VKF_MIB(5) + VKF_PAGE_SIZE, addr, addr | 1);
	assert_leaf(va, MM_PTB, RW | 8 << 7 | addr, addr | 1);
	assert_leaf(VKF_GIB(1), MM_PDB0, RW | HUGE_LEAF | 10 << 7 | VKF_GIB(2), VKF_GIB(2) | 1);
	assert_leaf(VKF_GIB(1) + VKF_MIB(2), MM_PDB0,
		    RW | HUGE_LEAF | 10 << 7 | (VKF_GIB(2) + VKF_MIB(2)),
		    (VKF_GIB(2) + VKF_MIB(2)) | 1);
	assert_leaf(VKF_GIB(1) + VKF_MIB(4), MM_PTB, RW | (VKF_GIB(2) + VKF_MIB(4)),
		    (VKF_GIB(2) + VKF_MIB(4)) | 1);
	/* The PTB of the first MiB and that of the page, their PDB0s, which one PDB1 leads to. */
	assert_int_equal(tree.n_tables, 6);
	mm_fence_put(clear(va, VKF_MIB(5) + VKF_PAGE_SIZE));
	assert_int_equal(tree.n_tables, 6);
	clear_all();
}

static void fragments_follow_alignment_and_length(void **state)
{
	static const unsigned int expect[] = { 0, 1, 1, 2, 2, 2, 2, 0 };

	/* Pages 1 to 8: aligned pieces of 1, 2, 4 and 1 pages. */
	map(VKF_GIB(1) + VKF_PAGE_SIZE, 8 * VKF_PAGE_SIZE, 0x41000, 0x1001);
	for (unsigned int i = 0; i < 8; i++) {
		struct mm_fixture_found found = walk(VKF_GIB(1) + (1 + i) * VKF_PAGE_SIZE);

		assert_int_equal(pte_gfx9_get_fragment(found.entry), expect[i]);
	}
}

static void memory_in_pieces_is_mapped_in_pieces(void **state)
{
	struct mm_buddy_block block[3] = {
		{ .offset = 0x100000, .order = 1, .next = &block[1] },
		{ .offset = 0x80000, .order = 2, .next = &block[2] },
		{ .offset = 0x84000, .order = 0 },
	};
	static const uint64_t page[] = { 0x100, 0x101, 0x80, 0x81, 0x82, 0x83, 0x84 };
	struct mm_resource res = { .blocks = block, .base = VKF_GIB(8), .shift = VKF_PAGE_SHIFT };
	struct mm_pt_source source = { .flags = RW, .link = 0x40001, .addr_base = VKF_GIB(16) };
	struct mm_pt_update *u;

	mm_walk_resource(&source.walk, &res);
	assert_int_equal(mm_pt_plan_map(&tree, VKF_GIB(1), 7 * VKF_PAGE_SIZE, &source, &u), 0);
	mm_fence_put(mm_pt_commit(u, &f.dev[0]->moves));
	for (unsigned int i = 0; i < 7; i++) {
		struct mm_fixture_found found = walk(VKF_GIB(1) + i * VKF_PAGE_SIZE);

		assert_true(pte_gfx9_get_page(found.entry) << 12 == VKF_GIB(24) + (page[i] << 12));
		assert_int_equal(found.link, 0x40001 + i * VKF_PAGE_SIZE);
	}
}

static void clearing_frees_the_tables_that_it_covers_and_no_others(void **state)
{
	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	map(VKF_GIB(1) + VKF_PAGE_SIZE, VKF_PAGE_SIZE, 0x9000, 0x2001);
	map(VKF_GIB(1) + VKF_MIB(2), VKF_MIB(2), VKF_MIB(2), VKF_MIB(2) | 1);
	assert_int_equal(tree.n_tables, 4);
	mm_fence_put(clear(VKF_GIB(1), VKF_PAGE_SIZE));
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_int_equal(tree.n_tables, 4);
	assert_leaf(VKF_GIB(1) + VKF_PAGE_SIZE, MM_PTB, RW | 0x9000, 0x2001);
	mm_fence_put(clear(VKF_GIB(1), VKF_MIB(2)));
	assert_int_equal(tree.n_tables, 3);
	assert_int_equal(walk(VKF_GIB(1) + VKF_MIB(2)).level, MM_PDB0);
	mm_fence_put(clear(VKF_GIB(1), VKF_GIB(1) - VKF_PAGE_SIZE));
	assert_int_equal(tree.n_tables, 3);
	assert_int_equal(f.a.n_invalidated[0], 3);
	mm_fence_put(clear(VKF_GIB(1), VKF_GIB(1)));
	assert_int_equal(tree.n_tables, 2);
	assert_int_equal(f.a.n_invalidated[0], 4);
	assert_int_equal(f.a.mm->n_pt_used, 2);
	whole();
}

static void a_table_that_is_left_empty_is_used_again(void **state)
{
	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	mm_fence_put(clear(VKF_GIB(1), VKF_PAGE_SIZE));
	assert_int_equal(tree.n_tables, 4);
	assert_int_equal(tree.n_empty, 1);
	whole();
	fail_alloc(2); /* the update itself is the first */
	map(VKF_GIB(1) + VKF_PAGE_SIZE, VKF_PAGE_SIZE, 0x9000, 0x2001);
	vkf_env_set(NULL);
	assert_leaf(VKF_GIB(1) + VKF_PAGE_SIZE, MM_PTB, RW | 0x9000, 0x2001);
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_int_equal(tree.n_tables, 4);
	assert_int_equal(tree.n_empty, 0);
	whole();
}

/* A page in each of many 2 MiB, which needs a table each. */
static uint64_t nth_place(unsigned int i)
{
	return VKF_GIB(1) + i * VKF_MIB(2);
}

static void of_many_empty_tables_the_oldest_go(void **state)
{
	struct mm_pt_update *u;

	for (unsigned int i = 0; i < MM_PT_MAX_EMPTY + 8; i++)
		map(nth_place(i), VKF_PAGE_SIZE, 0x5000, 0x1001);
	for (unsigned int i = 0; i < MM_PT_MAX_EMPTY + 8; i++) {
		mm_fence_put(clear(nth_place(i), VKF_PAGE_SIZE));
		assert_true(tree.n_empty <= MM_PT_MAX_EMPTY + 1);
		whole();
	}
	/* The one left over goes with the next change that waits for the engine, and not before. */
	assert_int_equal(tree.n_empty, MM_PT_MAX_EMPTY + 1);
	map(nth_place(0), VKF_PAGE_SIZE, 0x5000, 0x1001);
	assert_int_equal(tree.n_tables, 3 + MM_PT_MAX_EMPTY + 2);
	assert_int_equal(mm_pt_plan_clear(&tree, nth_place(0), VKF_PAGE_SIZE, &u), 0);
	mm_pt_abandon(u);
	assert_int_equal(tree.n_empty, MM_PT_MAX_EMPTY + 1);
	whole();
	mm_fence_put(clear(nth_place(0), VKF_PAGE_SIZE));
	assert_int_equal(tree.n_tables, 3 + MM_PT_MAX_EMPTY + 1);
	assert_int_equal(walk(nth_place(7)).level, MM_PDB0);
	assert_int_equal(walk(nth_place(8)).level, MM_PTB);
	assert_int_equal(walk(nth_place(MM_PT_MAX_EMPTY + 7)).level, MM_PTB);
	assert_int_equal(f.a.mm->n_pt_used, tree.n_tables);
	clear_all();
}

/* A directory of its own leads to each of these tables. */
static void with_an_old_empty_table_goes_what_leads_only_there(void **state)
{
	for (unsigned int i = 0; i < MM_PT_MAX_EMPTY + 2; i++) {
		map(VKF_GIB(1) * i, VKF_PAGE_SIZE, 0x5000, 0x1001);
		mm_fence_put(clear(VKF_GIB(1) * i, VKF_PAGE_SIZE));
		whole();
	}
	assert_int_equal(tree.n_empty, MM_PT_MAX_EMPTY + 1);
	assert_int_equal(walk(0).level, MM_PDB1);
	assert_int_equal(walk(VKF_GIB(1)).level, MM_PTB);
	assert_int_equal(tree.n_tables, 2 + 2 * (MM_PT_MAX_EMPTY + 1));
}

static void a_large_entry_can_follow_pages_at_the_same_place(void **state)
{
	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	mm_fence_put(clear(VKF_GIB(1), VKF_PAGE_SIZE));
	map(VKF_GIB(1), VKF_MIB(2), VKF_MIB(2), VKF_MIB(2) | 1);
	assert_int_equal(walk(VKF_GIB(1)).level, MM_PDB0);
	mm_fence_put(clear(VKF_GIB(1), VKF_MIB(2)));
	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	assert_int_equal(walk(VKF_GIB(1)).level, MM_PTB);
}

static void an_abandoned_plan_leaves_no_table(void **state)
{
	struct mm_pt_update *u;

	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	mm_pt_abandon(plan(VKF_GIB(1) + VKF_MIB(16), VKF_MIB(32) + VKF_PAGE_SIZE, 0x1000, 0x2001));
	assert_int_equal(tree.n_tables, 4);
	assert_int_equal(walk(VKF_GIB(1) + VKF_MIB(16)).entry, 0);
	assert_int_equal(mm_pt_plan_clear(&tree, VKF_GIB(1), VKF_PAGE_SIZE, &u), 0);
	mm_pt_abandon(u);
	assert_int_equal(tree.n_tables, 4);
	assert_leaf(VKF_GIB(1), MM_PTB, RW | 0x5000, 0x1001);
	assert_null(mm_pt_check(&tree, NULL, NULL));
}

static void a_plan_without_memory_leaves_no_table(void **state)
{
	struct mm_pt_source source = { .flags = RW, .link = 1 };
	struct mm_pt_update *u;
	unsigned int n;
	int r = -1;

	mm_walk_range(&source.walk, 0x1000, VKF_MIB(20));
	for (n = 1; r; n++) {
		fail_alloc(n);
		r = mm_pt_plan_map(&tree, VKF_GIB(1) - VKF_MIB(10), VKF_MIB(20), &source, &u);
		vkf_env_set(NULL);
		assert_null(r ? mm_pt_check(&tree, NULL, NULL) : NULL);
		assert_true(!r || tree.n_tables == 1);
	}
	assert_true(n > 12);
	mm_fence_put(mm_pt_commit(u, &f.dev[0]->moves));
	r = -1;
	for (n = 1; r; n++) {
		fail_alloc(n);
		r = mm_pt_plan_clear(&tree, VKF_GIB(1) - VKF_MIB(10), VKF_MIB(20), &u);
		vkf_env_set(NULL);
		assert_null(r ? mm_pt_check(&tree, NULL, NULL) : NULL);
	}
	assert_true(n > 3);
	mm_fence_put(mm_pt_commit(u, &f.dev[0]->moves));
	clear_all();
}

static void nothing_is_written_before_the_job_is_let_go(void **state)
{
	struct mm_fence *f1, *f2;

	f1 = mm_pt_commit(plan(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001), &f.dev[0]->moves);
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_false(mm_fence_is_signalled(f1));
	f2 = clear(VKF_GIB(1), VKF_MIB(2));
	assert_int_equal(tree.n_tables, 3);
	assert_int_equal(f.a.mm->n_pt_used, 4);
	mm_fixture_run(&f, 1);
	assert_true(mm_fence_is_signalled(f1));
	assert_leaf(VKF_GIB(1), MM_PTB, RW | 0x5000, 0x1001);
	assert_int_equal(f.a.n_invalidated[0], 0);
	mm_fixture_run(&f, 1);
	assert_true(mm_fence_is_signalled(f2));
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_int_equal(f.a.n_invalidated[0], 1);
	assert_int_equal(f.a.mm->n_pt_used, 3);
	mm_fence_put(f1);
	mm_fence_put(f2);
}

static void a_place_can_be_mapped_again_while_its_clearing_waits(void **state)
{
	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	mm_fence_put(clear(VKF_GIB(1), VKF_PAGE_SIZE));
	map(VKF_GIB(1), VKF_MIB(2), VKF_MIB(2), VKF_MIB(2) | 1);
	mm_fixture_run_all(&f);
	assert_leaf(VKF_GIB(1), MM_PDB0, RW | HUGE_LEAF | 9 << 7 | VKF_MIB(2), VKF_MIB(2) | 1);
	assert_int_equal(tree.n_tables, 3);
	assert_int_equal(f.a.mm->n_pt_used, 3);
}

/* ------------------------------------------------ over what is there */

static struct mm_pt_update *begin(void)
{
	struct mm_pt_update *u = mm_pt_update_create(&tree);

	assert_non_null(u);
	return u;
}

/* Linear: the page at @va is at @va + @delta, and so is its backing. */
static void set(struct mm_pt_update *u, uint64_t va, uint64_t end, uint64_t delta)
{
	struct mm_pt_source source = { .flags = RW, .link = (va + delta) | 1 };

	mm_walk_range(&source.walk, va + delta, end - va);
	assert_int_equal(mm_pt_update_set(u, va, end - va, &source), 0);
}

static void finish(struct mm_pt_update *u)
{
	assert_int_equal(mm_pt_update_finish(u), 0);
	mm_fence_put(mm_pt_commit(u, &f.dev[0]->moves));
}

static void what_is_mapped_can_be_mapped_elsewhere_by_one_job(void **state)
{
	struct mm_pt_update *u;

	map(VKF_GIB(1), VKF_MIB(5), VKF_MIB(4), VKF_MIB(4) | 1);
	u = begin();
	set(u, VKF_GIB(1), VKF_GIB(1) + VKF_MIB(5), VKF_MIB(64));
	finish(u);
	assert_leaf(VKF_GIB(1), MM_PDB0, RW | HUGE_LEAF | 10 << 7 | (VKF_GIB(1) + VKF_MIB(64)),
		    (VKF_GIB(1) + VKF_MIB(64)) | 1);
	assert_true(pte_gfx9_get_page(walk(VKF_GIB(1) + VKF_MIB(5) - 1).entry) << 12 ==
		    VKF_GIB(1) + VKF_MIB(69) - VKF_PAGE_SIZE);
	assert_int_equal(f.a.n_invalidated[0], 1);
	whole();
}

static void a_large_entry_is_split_when_a_part_of_it_goes(void **state)
{
	uint64_t va = VKF_GIB(1), cut = va + VKF_MIB(1);
	struct mm_pt_update *u;

	map(va, VKF_MIB(2), va, va | 1);
	u = begin();
	set(u, va, cut, 0);
	set(u, cut + VKF_PAGE_SIZE, va + VKF_MIB(2), 0);
	assert_int_equal(mm_pt_update_clear(u, cut, VKF_PAGE_SIZE), 0);
	finish(u);
	assert_int_equal(walk(cut).entry, 0);
	assert_leaf(va, MM_PTB, RW | 8 << 7 | va, va | 1);
	assert_leaf(cut + VKF_PAGE_SIZE, MM_PTB, RW | (cut + VKF_PAGE_SIZE),
		    (cut + VKF_PAGE_SIZE) | 1);
	assert_int_equal(tree.n_tables, 4);
	assert_int_equal(f.a.n_invalidated[0], 1);
	whole();
}

static void a_large_entry_whose_rest_is_not_said_goes_as_a_whole(void **state)
{
	map(VKF_GIB(1), VKF_MIB(4), VKF_MIB(2), VKF_MIB(2) | 1);
	mm_fence_put(clear(VKF_GIB(1) + VKF_PAGE_SIZE, VKF_PAGE_SIZE));
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_int_equal(walk(VKF_GIB(1) + VKF_MIB(2)).level, MM_PDB0);
	whole();
}

static void pages_give_way_to_a_large_entry_in_one_job(void **state)
{
	struct mm_pt_update *u;

	map(VKF_GIB(1), VKF_MIB(2) - VKF_PAGE_SIZE, VKF_MIB(2), VKF_MIB(2) | 1);
	assert_int_equal(tree.n_tables, 4);
	u = begin();
	set(u, VKF_GIB(1), VKF_GIB(1) + VKF_MIB(2), 0);
	finish(u);
	assert_int_equal(walk(VKF_GIB(1)).level, MM_PDB0);
	assert_int_equal(tree.n_tables, 3);
	assert_int_equal(f.a.mm->n_pt_used, 3);
	assert_int_equal(f.a.n_invalidated[0], 1);
	whole();
	/* Whoever has that table next finds it empty. */
	map(VKF_GIB(1) + VKF_MIB(2), VKF_PAGE_SIZE, 0x5000, 0x1001);
	assert_int_equal(walk(VKF_GIB(1) + VKF_MIB(2) + VKF_PAGE_SIZE).entry, 0);
	whole();
}

static void clearing_what_is_not_mapped_does_nothing(void **state)
{
	mm_fence_put(clear(VKF_GIB(1), VKF_MIB(64)));
	assert_int_equal(f.a.n_invalidated[0], 0);
	map(VKF_GIB(1), VKF_PAGE_SIZE, 0x5000, 0x1001);
	mm_fence_put(clear(0, VKF_GIB(4)));
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_int_equal(tree.n_tables, 2);
	assert_int_equal(f.a.n_invalidated[0], 1);
	whole();
}

static void a_range_without_memory_has_entries_without_address(void **state)
{
	struct mm_pt_source none = { .flags = pte_gfx9_set_prt(0, 1) };
	struct mm_pt_update *u = begin();

	assert_int_equal(mm_pt_update_set(u, VKF_GIB(1), VKF_MIB(2) + VKF_MIB(1), &none), 0);
	finish(u);
	assert_leaf(VKF_GIB(1), MM_PDB0, HUGE_LEAF | pte_gfx9_set_prt(0, 1), 0);
	assert_leaf(VKF_GIB(1) + VKF_MIB(2) + 8 * VKF_PAGE_SIZE, MM_PTB, pte_gfx9_set_prt(0, 1), 0);
	whole();
	mm_fence_put(clear(VKF_GIB(1), VKF_MIB(3)));
	assert_int_equal(walk(VKF_GIB(1)).entry, 0);
	assert_int_equal(walk(VKF_GIB(1) + VKF_MIB(2)).entry, 0);
	clear_all();
}

/* The rest of a large entry can be used while a part of it is taken out and put back. Who looks
 * does what an engine does: invalidating waits until he has begun anew. */
static atomic_bool stop_looking;
static atomic_uint n_looks;
static struct mm_vm looked_at; /* its root alone */

static void look(void *arg)
{
	uint64_t *ret_n_missing = arg, va = VKF_GIB(1) + VKF_MIB(2) - VKF_PAGE_SIZE;

	while (!atomic_load(&stop_looking)) {
		*ret_n_missing += !mm_fixture_walk(&f.a, &looked_at, va).entry;
		atomic_fetch_add(&n_looks, 1);
	}
}

static void wait_for_a_look(void *cookie, unsigned int gpu)
{
	unsigned int before = atomic_load(&n_looks);

	while (atomic_load(&n_looks) - before < 2)
		vkf_sleep_ns(1000, false);
}

static void the_rest_of_a_split_entry_is_never_missing(void **state)
{
	const struct mm_client_ops *was = f.a.mm->config.ops;
	struct mm_client_ops ops = *was;
	uint64_t va = VKF_GIB(1), cut = va + VKF_PAGE_SIZE, n_missing = 0;
	struct vkf_task *task;

	host_sched_install();
	map(va, VKF_MIB(2), va, va | 1);
	ops.invalidate = wait_for_a_look;
	f.a.mm->config.ops = &ops;
	atomic_store(&stop_looking, false);
	looked_at.pt.root = tree.root;
	assert_int_equal(vkf_spawn("look", look, &n_missing, &task), 0);
	for (unsigned int i = 0; i < 40; i++) {
		struct mm_pt_update *u = begin();

		set(u, va, cut, 0);
		set(u, cut + VKF_PAGE_SIZE, va + VKF_MIB(2), 0);
		assert_int_equal(mm_pt_update_clear(u, cut, VKF_PAGE_SIZE), 0);
		finish(u);
		u = begin();
		set(u, va, va + VKF_MIB(2), 0);
		finish(u);
		assert_int_equal(walk(va).level, MM_PDB0);
	}
	atomic_store(&stop_looking, true);
	vkf_join(task);
	vkf_sched_set(NULL);
	f.a.mm->config.ops = was;
	assert_int_equal(n_missing, 0);
}

/* ------------------------------------------------ against a page at a time */

#define WINDOW       (VKF_GIB(1) - VKF_MIB(4)) /* 8 MiB around the end of a PDB0 */
#define WINDOW_PAGES 2048
#define NOTHING      UINT64_MAX

static uint64_t delta_of[WINDOW_PAGES]; /* NOTHING: not mapped */

static uint64_t page_va(uint64_t page)
{
	return WINDOW + page * VKF_PAGE_SIZE;
}

static void compare_window(void)
{
	for (uint64_t p = 0; p < WINDOW_PAGES; p++) {
		struct mm_fixture_found found = walk(page_va(p));
		uint64_t inside = found.level == MM_PDB0 ? page_va(p) & (VKF_HUGE_SIZE - 1) : 0;

		assert_int_equal(!found.entry, delta_of[p] == NOTHING);
		if (!found.entry)
			continue;
		assert_true((pte_gfx9_get_page(found.entry) << 12) + inside ==
			    page_va(p) + delta_of[p]);
		assert_true(found.link + inside == ((page_va(p) + delta_of[p]) | 1));
	}
}

/* The rest, from @from to @to, of a large entry that reaches across a border of a change. */
static void set_rest(struct mm_pt_update *u, uint64_t border, uint64_t from, uint64_t to)
{
	if (from == to || border >= WINDOW_PAGES || walk(page_va(border)).level != MM_PDB0)
		return;
	if (delta_of[border] != NOTHING)
		set(u, page_va(from), page_va(to), delta_of[border]);
}

static void random_change(void)
{
	uint64_t first = rnd(WINDOW_PAGES), n = 1 + rnd(rnd(2) ? 20 : WINDOW_PAGES - first);
	uint64_t end = VKF_MIN(first + n, (uint64_t)WINDOW_PAGES), delta;
	struct mm_pt_update *u = begin();

	if (!rnd(3))
		first &= ~UINT64_C(511), end = VKF_ALIGN_UP(end, UINT64_C(512));
	delta = rnd(5) < 2 ? NOTHING : VKF_MIB(2) * rnd(8) + (rnd(3) ? 0 : VKF_PAGE_SIZE);
	set_rest(u, first, first & ~UINT64_C(511), first);
	if (delta != NOTHING)
		set(u, page_va(first), page_va(end), delta);
	set_rest(u, end, end, VKF_ALIGN_UP(end, UINT64_C(512)));
	if (delta == NOTHING)
		assert_int_equal(
			mm_pt_update_clear(u, page_va(first), page_va(end) - page_va(first)), 0);
	assert_int_equal(mm_pt_update_finish(u), 0);
	if (!rnd(6)) {
		mm_pt_abandon(u);
		return;
	}
	for (uint64_t p = first; p < end; p++)
		delta_of[p] = delta;
	mm_fence_put(mm_pt_commit(u, &f.dev[0]->moves));
}

static void random_changes_lead_where_a_page_at_a_time_says(void **state)
{
	for (unsigned int p = 0; p < WINDOW_PAGES; p++)
		delta_of[p] = NOTHING;
	rnd_state = 1;
	for (unsigned int i = 0; i < 1500; i++) {
		random_change();
		whole();
		if (i % 8 == 0)
			compare_window();
	}
	compare_window();
	clear_all();
}

static void a_change_without_memory_leaves_everything(void **state)
{
	uint64_t va = VKF_GIB(1), n_tables;
	unsigned int n = 0;
	int r = -ENOMEM;

	map(va, VKF_MIB(6), va, va | 1);
	n_tables = tree.n_tables;
	while (r) {
		struct mm_pt_source source = { .flags = RW, .link = 1 };
		struct mm_pt_update *u;

		mm_walk_range(&source.walk, 0, VKF_MIB(6));
		fail_alloc(++n);
		u = mm_pt_update_create(&tree);
		r = u ? mm_pt_update_set(u, va + VKF_MIB(1), VKF_MIB(4), &source) : -ENOMEM;
		if (!r)
			r = mm_pt_update_clear(u, va, VKF_MIB(1));
		if (!r)
			r = mm_pt_update_finish(u);
		vkf_env_set(NULL);
		if (u)
			mm_pt_abandon(u);
		whole();
		assert_int_equal(tree.n_tables, n_tables);
		assert_int_equal(walk(va).level, MM_PDB0);
		assert_int_equal(walk(va + VKF_MIB(4)).level, MM_PDB0);
	}
	assert_true(n > 4);
}

#define TEST(name)         cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_MANY(name)    cmocka_unit_test_setup_teardown(name, setup_many, teardown)
#define TEST_DELAYED(name) cmocka_unit_test_setup_teardown(name, setup_delayed, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_is_found_by_a_walk_from_the_root),
		TEST(every_page_leads_to_its_own),
		TEST(two_mib_are_one_entry_when_all_is_aligned),
		TEST(two_mib_are_pages_when_anything_is_not_aligned),
		TEST(a_long_range_mixes_pages_and_large_entries),
		TEST(fragments_follow_alignment_and_length),
		TEST(memory_in_pieces_is_mapped_in_pieces),
		TEST(clearing_frees_the_tables_that_it_covers_and_no_others),
		TEST(a_table_that_is_left_empty_is_used_again),
		TEST_MANY(of_many_empty_tables_the_oldest_go),
		TEST_MANY(with_an_old_empty_table_goes_what_leads_only_there),
		TEST(a_large_entry_can_follow_pages_at_the_same_place),
		TEST(an_abandoned_plan_leaves_no_table),
		TEST(a_plan_without_memory_leaves_no_table),
		TEST(what_is_mapped_can_be_mapped_elsewhere_by_one_job),
		TEST(a_large_entry_is_split_when_a_part_of_it_goes),
		TEST(a_large_entry_whose_rest_is_not_said_goes_as_a_whole),
		TEST(pages_give_way_to_a_large_entry_in_one_job),
		TEST(clearing_what_is_not_mapped_does_nothing),
		TEST(a_range_without_memory_has_entries_without_address),
		TEST(the_rest_of_a_split_entry_is_never_missing),
		TEST(random_changes_lead_where_a_page_at_a_time_says),
		TEST(a_change_without_memory_leaves_everything),
		TEST_DELAYED(nothing_is_written_before_the_job_is_let_go),
		TEST_DELAYED(a_place_can_be_mapped_again_while_its_clearing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
