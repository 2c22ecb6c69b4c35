/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/buddy_report.h"

#define PAGE VKF_PAGE_SIZE

static struct mm_buddy b;

static void assert_sound(void)
{
	const char *why = mm_buddy_check(&b);

	if (why)
		fail_msg("%s", why);
}

static uint64_t bytes_of(const struct mm_buddy_block *block)
{
	uint64_t sum = 0;

	for (; block; block = block->next)
		sum += mm_buddy_block_size(&b, block);
	return sum;
}

static struct mm_buddy_request want(uint64_t size, uint64_t min_block, bool top_down)
{
	return (struct mm_buddy_request){
		.size = size,
		.min_block = min_block,
		.max_block = VKF_GIB(2),
		.top_down = top_down,
	};
}

static struct mm_buddy_block *alloc(uint64_t size, uint64_t min_block, bool top_down)
{
	struct mm_buddy_request req = want(size, min_block, top_down);
	struct mm_buddy_block *blocks = NULL;

	assert_int_equal(mm_buddy_alloc(&b, &req, &blocks), 0);
	assert_int_equal(bytes_of(blocks), size);
	assert_sound();
	return blocks;
}

static void refuse(uint64_t size, uint64_t min_block, bool top_down)
{
	struct mm_buddy_block *blocks = (void *)&b;
	struct mm_buddy_request req = want(size, min_block, top_down);
	uint64_t was_free = b.n_free;

	assert_int_equal(mm_buddy_alloc(&b, &req, &blocks), -ENOSPC);
	assert_ptr_equal(blocks, &b);
	assert_int_equal(b.n_free, was_free);
	assert_sound();
}

static void fini(void)
{
	assert_sound();
	assert_int_equal(b.n_free, b.size);
	mm_buddy_fini(&b);
}

static void a_space_without_a_chunk_is_refused(void **state)
{
	assert_int_equal(mm_buddy_init(&b, 0, 12), -EINVAL);
	assert_int_equal(mm_buddy_init(&b, 4095, 12), -EINVAL);
}

static void a_size_that_is_no_power_of_two_is_used_whole(void **state)
{
	static const uint64_t sizes[] = { PAGE, 3 * PAGE, 7 * PAGE, VKF_MIB(5) + PAGE,
					  VKF_GIB(3), 1023 * PAGE + 17 };

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(sizes); i++) {
		struct mm_buddy_block *blocks;

		assert_int_equal(mm_buddy_init(&b, sizes[i], 12), 0);
		assert_sound();
		assert_int_equal(b.size, VKF_ALIGN_DOWN(sizes[i], PAGE));
		blocks = alloc(b.size, PAGE, i % 2);
		assert_int_equal(b.n_free, 0);
		refuse(PAGE, PAGE, true);
		for (struct mm_buddy_block *block = blocks; block; block = block->next)
			assert_true(block->offset + mm_buddy_block_size(&b, block) <= b.size);
		mm_buddy_free(&b, blocks);
		fini();
	}
}

static void top_down_takes_the_highest_and_bottom_up_the_lowest(void **state)
{
	struct mm_buddy_block *high, *low, *next;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(6), 12), 0);
	high = alloc(PAGE, PAGE, true);
	assert_int_equal(high->offset, VKF_MIB(6) - PAGE);
	low = alloc(PAGE, PAGE, false);
	assert_int_equal(low->offset, 0);
	next = alloc(VKF_MIB(2), VKF_MIB(2), true);
	assert_int_equal(next->offset, VKF_MIB(2));
	mm_buddy_free(&b, high);
	mm_buddy_free(&b, low);
	mm_buddy_free(&b, next);
	fini();
}

static void each_block_is_aligned_to_its_size_and_larger_ones_come_first(void **state)
{
	struct mm_buddy_block *blocks, *block;
	uint64_t last = UINT64_MAX;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(64), 12), 0);
	blocks = alloc(VKF_MIB(21) + 5 * PAGE, PAGE, true);
	for (block = blocks; block; block = block->next) {
		uint64_t size = mm_buddy_block_size(&b, block);

		assert_true(VKF_IS_ALIGNED(block->offset, size));
		assert_true(size <= last);
		last = size;
	}
	assert_int_equal(mm_buddy_block_size(&b, blocks), VKF_MIB(16));
	mm_buddy_free(&b, blocks);
	fini();
}

static void no_block_is_larger_than_asked_for(void **state)
{
	struct mm_buddy_request req = want(VKF_MIB(8), PAGE, true);
	struct mm_buddy_block *blocks, *block;
	unsigned int n = 0;

	req.max_block = VKF_MIB(1);
	assert_int_equal(mm_buddy_init(&b, VKF_MIB(16), 12), 0);
	assert_int_equal(mm_buddy_alloc(&b, &req, &blocks), 0);
	for (block = blocks; block; block = block->next, n++)
		assert_int_equal(mm_buddy_block_size(&b, block), VKF_MIB(1));
	assert_int_equal(n, 8);
	mm_buddy_free(&b, blocks);
	fini();
}

/* Every second page of 4 MiB is taken. */
static struct mm_buddy_block *holes[1024];

static void make_holes(void)
{
	assert_int_equal(mm_buddy_init(&b, VKF_MIB(4), 12), 0);
	for (unsigned int i = 0; i < 1024; i++)
		holes[i] = alloc(PAGE, PAGE, false);
	for (unsigned int i = 0; i < 1024; i += 2)
		mm_buddy_free(&b, holes[i]);
	assert_int_equal(b.n_free, VKF_MIB(2));
}

static void fill_holes_back(void)
{
	for (unsigned int i = 1; i < 1024; i += 2)
		mm_buddy_free(&b, holes[i]);
	fini();
}

static void small_free_pieces_do_not_make_a_large_block(void **state)
{
	struct mm_buddy_block *blocks;

	make_holes();
	refuse(VKF_MIB(2), VKF_MIB(2), true);
	refuse(2 * PAGE, 2 * PAGE, false);
	blocks = alloc(VKF_MIB(2), PAGE, true);
	mm_buddy_free(&b, blocks);
	fill_holes_back();
}

static void a_bound_keeps_blocks_below_it(void **state)
{
	struct mm_buddy_request req = want(VKF_MIB(1), PAGE, false);
	struct mm_buddy_block *blocks[4], *none;

	req.end = VKF_MIB(3);
	assert_int_equal(mm_buddy_init(&b, VKF_MIB(64), 12), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(mm_buddy_alloc(&b, &req, &blocks[i]), 0);
		assert_int_equal(blocks[i]->offset, i * VKF_MIB(1));
	}
	assert_int_equal(mm_buddy_alloc(&b, &req, &none), -ENOSPC);
	mm_buddy_free(&b, blocks[1]);
	req.size = VKF_MIB(1) + PAGE;
	assert_int_equal(mm_buddy_alloc(&b, &req, &none), -ENOSPC);
	assert_sound();
	mm_buddy_free(&b, blocks[0]);
	assert_int_equal(mm_buddy_alloc(&b, &req, &blocks[0]), 0);
	mm_buddy_free(&b, blocks[0]);
	mm_buddy_free(&b, blocks[2]);
	fini();
}

/* Every bound in both directions, beside a search of every offset. */
static bool is_free_run(const bool *used, uint64_t at, uint64_t n)
{
	for (uint64_t i = at; i < at + n; i++)
		if (used[i])
			return false;
	return true;
}

static void bounds_hold_in_both_directions(void **state)
{
	enum { N = 37 };
	struct mm_buddy_block *page[N], *block;
	bool used[N] = { false };

	assert_int_equal(mm_buddy_init(&b, N * PAGE, 12), 0);
	for (unsigned int i = 0; i < N; i++)
		page[i] = alloc(PAGE, PAGE, false);
	rnd_state = 7;
	for (unsigned int i = 0; i < N; i++) {
		used[page[i]->offset / PAGE] = rnd(3) == 0;
		if (!used[page[i]->offset / PAGE]) {
			mm_buddy_free(&b, page[i]);
			page[i] = NULL;
		}
	}
	for (uint64_t start = 0; start < N; start++) {
		for (uint64_t end = start + 1; end <= N + 2; end++) {
			for (unsigned int kind = 0; kind < 6; kind++) {
				uint64_t n = UINT64_C(1) << kind / 2, at, want_at = UINT64_MAX;
				struct mm_buddy_request req = want(n * PAGE, n * PAGE, kind % 2);
				int r;

				for (at = 0; at + n <= VKF_MIN(end, N); at += n) {
					if (at < start || !is_free_run(used, at, n))
						continue;
					if (req.top_down || want_at == UINT64_MAX)
						want_at = at;
				}
				req.start = start * PAGE;
				req.end = end * PAGE;
				r = mm_buddy_alloc(&b, &req, &block);
				assert_int_equal(r, want_at == UINT64_MAX ? -ENOSPC : 0);
				if (r)
					continue;
				assert_int_equal(block->offset, want_at * PAGE);
				mm_buddy_free(&b, block);
			}
		}
	}
	assert_sound();
	for (unsigned int i = 0; i < N; i++)
		mm_buddy_free(&b, page[i]);
	fini();
}

static void one_piece_keeps_bounds_too(void **state)
{
	struct mm_buddy_request req = want(VKF_MIB(3), PAGE, false);
	struct mm_buddy_block *blocks;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(16), 12), 0);
	req.start = VKF_MIB(5) + PAGE;
	req.end = VKF_MIB(8) + PAGE;
	for (unsigned int top_down = 0; top_down < 2; top_down++) {
		req.top_down = top_down;
		assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), 0);
		assert_int_equal(blocks->offset, VKF_MIB(5) + PAGE);
		assert_int_equal(bytes_of(blocks), VKF_MIB(3));
		assert_sound();
		mm_buddy_free(&b, blocks);
	}
	req.end -= PAGE;
	assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), -ENOSPC);
	fini();
}

static void a_withdrawn_chunk_needs_only_what_was_kept(void **state)
{
	struct mm_buddy_block *bad[3], *blocks;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(64), 12), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(mm_buddy_keep(&b), 0);
	assert_sound();
	/* What is kept is not for others. */
	fail_alloc(1);
	blocks = (void *)&b;
	assert_int_equal(mm_buddy_alloc(&b, &(struct mm_buddy_request){ .size = PAGE,
			 .min_block = PAGE, .max_block = PAGE }, &blocks), -ENOMEM);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(mm_buddy_is_free(&b, i * VKF_MIB(17)));
		bad[i] = mm_buddy_withdraw(&b, i * VKF_MIB(17));
		assert_non_null(bad[i]);
		assert_int_equal(bad[i]->offset, i * VKF_MIB(17));
		assert_int_equal(bytes_of(bad[i]), PAGE);
		assert_false(mm_buddy_is_free(&b, i * VKF_MIB(17)));
		assert_null(mm_buddy_withdraw(&b, i * VKF_MIB(17)));
		assert_sound();
	}
	vkf_env_set(NULL);
	assert_int_equal(b.n_free, VKF_MIB(64) - 3 * PAGE);
	for (unsigned int i = 0; i < 3; i++)
		mm_buddy_free(&b, bad[i]);
	assert_int_equal(mm_buddy_keep(&b), 0);
	mm_buddy_unkeep(&b);
	assert_int_equal(b.n_kept, 0);
	fini();
}

static void assert_one_piece(const struct mm_buddy_block *blocks, uint64_t size)
{
	uint64_t next = blocks->offset;

	assert_int_equal(bytes_of(blocks), size);
	for (; blocks; blocks = blocks->next) {
		assert_int_equal(blocks->offset, next);
		next += mm_buddy_block_size(&b, blocks);
	}
}

static void one_piece_is_exactly_as_long_as_asked_for(void **state)
{
	struct mm_buddy_block *blocks;
	struct mm_buddy_request req = want(VKF_MIB(3) + 3 * PAGE, VKF_HUGE_SIZE, false);

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(64), 12), 0);
	assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), 0);
	assert_one_piece(blocks, req.size);
	assert_int_equal(b.n_free, b.size - req.size);
	assert_sound();
	mm_buddy_free(&b, blocks);
	fini();
}

static void one_piece_may_be_made_of_neighbours(void **state)
{
	struct mm_buddy_request req = want(VKF_MIB(6), VKF_HUGE_SIZE, false);
	struct mm_buddy_block *in_the_way, *blocks;

	/* Free: 2 to 8 MiB, which no block of 8 MiB covers. */
	assert_int_equal(mm_buddy_init(&b, VKF_MIB(8), 12), 0);
	in_the_way = alloc(PAGE, PAGE, false);
	for (unsigned int top_down = 0; top_down < 2; top_down++) {
		req.top_down = top_down;
		assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), 0);
		assert_one_piece(blocks, VKF_MIB(6));
		assert_int_equal(blocks->offset, VKF_MIB(2));
		assert_sound();
		mm_buddy_free(&b, blocks);
	}
	req.size = VKF_MIB(6) + PAGE;
	assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), -ENOSPC);
	req.min_block = PAGE;
	assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), 0);
	mm_buddy_free(&b, blocks);
	mm_buddy_free(&b, in_the_way);
	fini();
}

static void pieces_of_one_page_are_not_one_piece(void **state)
{
	struct mm_buddy_request req = want(2 * PAGE, PAGE, true);
	struct mm_buddy_block *blocks;

	make_holes();
	assert_int_equal(mm_buddy_alloc_contiguous(&b, &req, &blocks), -ENOSPC);
	assert_sound();
	fill_holes_back();
}

static void out_of_memory_for_nodes_changes_nothing(void **state)
{
	struct mm_buddy_request req = want(VKF_MIB(3) + PAGE, PAGE, true);
	struct mm_buddy_block *blocks = (void *)&b;
	unsigned int n;
	int r;

	for (unsigned int one_piece = 0; one_piece < 2; one_piece++) {
		for (n = 1;; n++) {
			/* Anew, so that no spare node helps. */
			assert_int_equal(mm_buddy_init(&b, VKF_MIB(64), 12), 0);
			fail_alloc(n);
			r = one_piece ? mm_buddy_alloc_contiguous(&b, &req, &blocks) :
					mm_buddy_alloc(&b, &req, &blocks);
			vkf_env_set(NULL);
			assert_sound();
			if (!r)
				mm_buddy_free(&b, blocks);
			fini();
			if (!r)
				break;
			assert_int_equal(r, -ENOMEM);
			assert_ptr_equal(blocks, &b);
		}
		assert_true(n > 3);
		blocks = (void *)&b;
	}
	for (n = 1;; n++) {
		fail_alloc(n);
		r = mm_buddy_init(&b, VKF_MIB(7), 12);
		vkf_env_set(NULL);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	fini();
}

/* A twin that knows every page. */
static bool page_used[700];
static struct mm_buddy_block *live[200];

static void mark(const struct mm_buddy_block *block, bool used)
{
	for (; block; block = block->next) {
		uint64_t first = block->offset / PAGE, n = mm_buddy_block_size(&b, block) / PAGE;

		for (uint64_t i = first; i < first + n; i++) {
			assert_true(i < VKF_ARRAY_SIZE(page_used));
			assert_int_equal(page_used[i], !used);
			page_used[i] = used;
		}
	}
}

static void no_page_is_given_out_twice_in_any_order_of_alloc_and_free(void **state)
{
	uint64_t n_refused = 0, n_used = 0;

	rnd_state = 42;
	assert_int_equal(mm_buddy_init(&b, VKF_ARRAY_SIZE(page_used) * PAGE, 12), 0);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i = (unsigned int)rnd(VKF_ARRAY_SIZE(live));
		struct mm_buddy_request req = want((1 + rnd(12)) * PAGE, PAGE, rnd(2));
		int r;

		if (live[i]) {
			n_used -= bytes_of(live[i]) / PAGE;
			mark(live[i], false);
			mm_buddy_free(&b, live[i]);
			live[i] = NULL;
			continue;
		}
		r = rnd(3) ? mm_buddy_alloc(&b, &req, &live[i]) :
			     mm_buddy_alloc_contiguous(&b, &req, &live[i]);
		if (r) {
			assert_int_equal(r, -ENOSPC);
			n_refused++;
			continue;
		}
		mark(live[i], true);
		n_used += req.size / PAGE;
		assert_int_equal(b.n_free, b.size - n_used * PAGE);
		if (step % 16 == 0)
			assert_sound();
	}
	assert_true(n_refused > 100);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(live); i++)
		mm_buddy_free(&b, live[i]);
	fini();
}

static void a_leak_dies_at_fini(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_buddy_block *blocks;

	assert_int_equal(mm_buddy_init(&b, VKF_MIB(1), 12), 0);
	blocks = alloc(PAGE, PAGE, true);
	EXPECT_PANIC("n_free", mm_buddy_fini(&b));
	mm_buddy_free(&b, blocks);
	fini();
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_space_without_a_chunk_is_refused),
		cmocka_unit_test(a_size_that_is_no_power_of_two_is_used_whole),
		cmocka_unit_test(top_down_takes_the_highest_and_bottom_up_the_lowest),
		cmocka_unit_test(each_block_is_aligned_to_its_size_and_larger_ones_come_first),
		cmocka_unit_test(no_block_is_larger_than_asked_for),
		cmocka_unit_test(small_free_pieces_do_not_make_a_large_block),
		cmocka_unit_test(a_bound_keeps_blocks_below_it),
		cmocka_unit_test(bounds_hold_in_both_directions),
		cmocka_unit_test(one_piece_keeps_bounds_too),
		cmocka_unit_test(a_withdrawn_chunk_needs_only_what_was_kept),
		cmocka_unit_test(one_piece_is_exactly_as_long_as_asked_for),
		cmocka_unit_test(one_piece_may_be_made_of_neighbours),
		cmocka_unit_test(pieces_of_one_page_are_not_one_piece),
		cmocka_unit_test(out_of_memory_for_nodes_changes_nothing),
		cmocka_unit_test(no_page_is_given_out_twice_in_any_order_of_alloc_and_free),
		cmocka_unit_test(a_leak_dies_at_fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
