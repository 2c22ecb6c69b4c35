/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#define RW UINT64_C(0x61) /* valid, readable, writeable */

static struct mm_buddy_block block[12];
static const struct mm_resource res = { .blocks = block, .shift = VKF_PAGE_SHIFT };

/* Twelve pieces at random places; a few are neighbours. */
static uint64_t random_memory(struct mm_pt_source *source)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < 12; i++) {
		unsigned int order = (unsigned int)rnd(12);

		block[i] = (struct mm_buddy_block){ .order = order };
		block[i].offset = rnd(3) << (order + VKF_PAGE_SHIFT);
		block[i].next = i < 11 ? &block[i + 1] : NULL;
		bytes += VKF_PAGE_SIZE << order;
	}
	*source = (struct mm_pt_source){ .flags = RW, .link = 1 };
	mm_walk_resource(&source->walk, &res);
	return bytes;
}

/* The address of every page, as a walk in steps of one gives it. */
static void skipping_is_as_good_as_walking(void **state)
{
	rnd_state = 3;
	for (unsigned int round = 0; round < 100; round++) {
		struct mm_pt_source by_page, at_once;
		uint64_t bytes = random_memory(&by_page), to = rnd(bytes >> 12) << 12;

		at_once = by_page;
		for (uint64_t at = 0; at < to; at += VKF_PAGE_SIZE)
			mm_pt_source_skip(&by_page, VKF_PAGE_SIZE);
		mm_pt_source_skip(&at_once, to);
		assert_int_equal(mm_pt_source_addr(&at_once), mm_pt_source_addr(&by_page));
		assert_int_equal(at_once.link, to | 1);
		assert_int_equal(by_page.link, to | 1);
		assert_int_equal(at_once.walk.left, by_page.walk.left);
	}
}

/* Address after address, those where a fragment begins and where it ends. */
static void a_block_is_the_fragment_around_an_address(void **state)
{
	rnd_state = 7;
	for (unsigned int round = 0; round < 100; round++) {
		struct mm_pt_source source, s;
		uint64_t va = VKF_GIB(1) + (rnd(1024) << 12), end, next;

		end = va + random_memory(&source);
		s = source;
		for (uint64_t from = va; from < end; from = next) {
			uint64_t at, step, start, stop;

			next = from + (VKF_PAGE_SIZE << mm_pt_source_fragment(&s, from, end));
			assert_true(next <= end);
			step = VKF_MAX((next - from) / 4, VKF_PAGE_SIZE);
			for (at = from; at < next; at += step) {
				mm_pt_block_at(&source, va, end, at, &start, &stop);
				assert_int_equal(start, from);
				assert_int_equal(stop, next);
			}
			mm_pt_source_skip(&s, next - from);
		}
	}
}

/*
 * Whatever a shorter range's fragments are, the longer one's contain them: so the block around an
 * address in a mapping that was joined with others is never too short.
 */
static void a_longer_range_has_no_shorter_blocks(void **state)
{
	rnd_state = 9;
	for (unsigned int round = 0; round < 300; round++) {
		struct mm_pt_source all, part;
		uint64_t va = VKF_GIB(1) + (rnd(64) << 12), bytes = random_memory(&all);
		uint64_t skip = rnd(bytes >> 12) << 12, from = va + skip;
		uint64_t end = from + VKF_PAGE_SIZE + (rnd((bytes - skip) >> 12) << 12);
		uint64_t at = from + (rnd((end - from) >> 12) << 12), start[2], stop[2];

		part = all;
		mm_pt_source_skip(&part, skip);
		mm_pt_block_at(&part, from, end, at, &start[0], &stop[0]);
		mm_pt_block_at(&all, va, va + bytes, at, &start[1], &stop[1]);
		assert_true(start[1] <= start[0] && stop[0] <= stop[1]);
	}
}

static void two_mib_fit_where_all_is_aligned(void **state)
{
	struct mm_pt_source s = { .flags = RW, .link = VKF_MIB(6) | 1 };
	uint64_t va = VKF_GIB(1), end = va + VKF_MIB(4);

	mm_walk_range(&s.walk, VKF_MIB(4), VKF_MIB(4));
	assert_true(mm_pt_source_fits_huge(&s, va, end));
	assert_true(mm_pt_source_fits_huge(&s, va, va + VKF_MIB(2)));
	assert_false(mm_pt_source_fits_huge(&s, va, va + VKF_MIB(2) - VKF_PAGE_SIZE));
	assert_false(mm_pt_source_fits_huge(&s, va + VKF_PAGE_SIZE, end));
	s.link += VKF_PAGE_SIZE;
	assert_false(mm_pt_source_fits_huge(&s, va, end));
	s.link -= VKF_PAGE_SIZE;
	s.addr_base = VKF_PAGE_SIZE;
	assert_false(mm_pt_source_fits_huge(&s, va, end));
	s.addr_base = 0;
	s.walk.left = VKF_MIB(2) - VKF_PAGE_SIZE;
	assert_false(mm_pt_source_fits_huge(&s, va, end));
}

static void a_range_without_memory_has_neither_addresses_nor_fragments(void **state)
{
	struct mm_pt_source s = { .flags = pte_gfx9_set_prt(0, 1), .addr_base = 4096 };
	uint64_t va = VKF_GIB(1) + VKF_MIB(1), end = va + VKF_MIB(4), start, stop;

	assert_int_equal(mm_pt_source_addr(&s), 0);
	mm_pt_source_skip(&s, VKF_MIB(1));
	assert_int_equal(s.link, 0);
	assert_int_equal(mm_pt_source_fragment(&s, va, end), 0);
	assert_false(mm_pt_source_fits_huge(&s, va, end));
	assert_true(mm_pt_source_fits_huge(&s, va + VKF_MIB(1), end));
	mm_pt_block_at(&s, va, end, va + VKF_PAGE_SIZE, &start, &stop);
	assert_int_equal(start, va);
	assert_int_equal(stop, va + VKF_MIB(1));
	mm_pt_block_at(&s, va, end, stop, &start, &stop);
	assert_int_equal(start, va + VKF_MIB(1));
	assert_int_equal(stop, va + VKF_MIB(3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(skipping_is_as_good_as_walking),
		cmocka_unit_test(a_block_is_the_fragment_around_an_address),
		cmocka_unit_test(a_longer_range_has_no_shorter_blocks),
		cmocka_unit_test(two_mib_fit_where_all_is_aligned),
		cmocka_unit_test(a_range_without_memory_has_neither_addresses_nor_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
