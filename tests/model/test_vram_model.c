/* SPDX-License-Identifier: MIT */
/**
 * DOC: The VRAM manager beside an array of pages
 *
 * The twin knows of each page whether it is free, used or bad, and decides by looking
 * at all of them whether a request has to be granted: pages enough within the bounds
 * for what may lie in pages, whole free 2 MiB for what may not, a run for what has to
 * be one range. Where it is granted, every page must have been free, within bounds and
 * not bad. Pages go bad at any time.
 */
#include "mm_fixture.h"

#define PAGES ((uint64_t)4096 + 3 * 512 + 77) /* no power of two, and no multiple of 2 MiB */
#define VISIBLE ((uint64_t)2048 + 5)
#define KEPT (MM_VRAM_KEPT_BACK / VKF_PAGE_SIZE)
#define HUGE_PAGES ((uint64_t)512)
#define LIVE 96
#define STEPS 30000

static struct mm_vram vram;
static uint8_t page_used[PAGES], page_bad[PAGES];
static struct mm_resource live[LIVE];

struct bounds {
	uint64_t first, end; /* pages */
};

static struct bounds bounds_of(const struct mm_placement *placement)
{
	struct bounds b = { placement->start / VKF_PAGE_SIZE, PAGES };

	if (placement->end)
		b.end = VKF_MIN(b.end, placement->end / VKF_PAGE_SIZE);
	if (placement->cpu_access)
		b.end = VKF_MIN(b.end, VISIBLE);
	return b;
}

static bool is_free(uint64_t page)
{
	return !page_used[page] && !page_bad[page];
}

static uint64_t n_free_in(struct bounds b)
{
	uint64_t n = 0;

	for (uint64_t i = b.first; i < b.end; i++)
		n += is_free(i);
	return n;
}

static uint64_t longest_run_in(struct bounds b)
{
	uint64_t run = 0, longest = 0;

	for (uint64_t i = b.first; i < b.end; i++) {
		run = is_free(i) ? run + 1 : 0;
		longest = VKF_MAX(longest, run);
	}
	return longest;
}

static uint64_t n_free_huge_in(struct bounds b)
{
	uint64_t n = 0;

	for (uint64_t i = VKF_ALIGN_UP(b.first, HUGE_PAGES); i + HUGE_PAGES <= b.end;
	     i += HUGE_PAGES)
		n += longest_run_in((struct bounds){ i, i + HUGE_PAGES }) == HUGE_PAGES;
	return n;
}

static uint64_t n_taken(void)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < PAGES; i++)
		n += !is_free(i);
	return n;
}

static bool has_to_fit(const struct mm_placement *placement, uint64_t pages)
{
	struct bounds b = bounds_of(placement);
	uint64_t limit = placement->kernel_user ? PAGES : PAGES - KEPT;

	if (n_taken() + pages > limit)
		return false;
	if (placement->one_range)
		return longest_run_in(b) >= pages;
	/* A wish for one range falls back to the same rule. */
	if (placement->contiguous && longest_run_in(b) >= pages)
		return true;
	if (pages % HUGE_PAGES == 0)
		return n_free_huge_in(b) * HUGE_PAGES >= pages;
	return n_free_in(b) >= pages;
}

static struct mm_placement random_placement(void)
{
	struct mm_placement p = {
		.kernel_user = rnd(3) == 0,
		.cpu_access = rnd(4) == 0,
		.contiguous = rnd(4) == 0,
		.one_range = rnd(5) == 0,
	};

	if (rnd(3) == 0)
		p.start = rnd(PAGES) * VKF_PAGE_SIZE;
	if (rnd(3) == 0)
		p.end = (1 + rnd(PAGES + 10)) * VKF_PAGE_SIZE;
	return p;
}

static uint64_t random_pages(void)
{
	switch (rnd(4)) {
	case 0:
		return HUGE_PAGES * (1 + rnd(4));
	case 1:
		return 1 + rnd(1500);
	default:
		return 1 + rnd(40);
	}
}

/* In order: what the highest or lowest page of one page must be. */
static void check_end(const struct mm_placement *placement, uint64_t page)
{
	struct bounds b = bounds_of(placement);

	if (placement->cpu_access)
		b.end = page;
	else
		b.first = page + 1;
	assert_int_equal(n_free_in(b), 0);
}

static void mark(const struct mm_resource *res, const struct mm_placement *placement, bool used)
{
	uint64_t next = UINT64_MAX, sum = 0, visible = 0;
	const struct mm_buddy_block *block;
	struct bounds b = bounds_of(placement);

	for (block = res->blocks; block; block = block->next) {
		uint64_t first = block->offset / VKF_PAGE_SIZE, n = UINT64_C(1) << block->order;

		if (used && res->bytes % VKF_HUGE_SIZE == 0 && !placement->contiguous &&
		    !placement->one_range)
			assert_true(n >= HUGE_PAGES);
		if (used && placement->one_range && next != UINT64_MAX)
			assert_int_equal(first, next);
		for (uint64_t i = first; i < first + n; i++) {
			assert_int_equal(page_used[i], !used);
			if (used)
				assert_true(i >= b.first && i < b.end && !page_bad[i]);
			page_used[i] = used;
			visible += i < VISIBLE;
		}
		next = first + n;
		sum += n;
	}
	assert_int_equal(sum * VKF_PAGE_SIZE, res->bytes);
	assert_int_equal(visible * VKF_PAGE_SIZE, res->visible);
}

static unsigned int n_granted, n_refused, n_retired;

static void try_alloc(struct mm_resource *res)
{
	struct mm_placement placement = random_placement();
	uint64_t pages = random_pages();
	bool fits = has_to_fit(&placement, pages);
	int r = mm_manager_alloc(&vram.man, &placement, pages * VKF_PAGE_SIZE, res);

	if (r != (fits ? 0 : -ENOSPC))
		fail_msg("%d for %u pages, contiguous %d, one range %d, cpu %d, kernel %d, %x to %x",
			 r, (unsigned int)pages, placement.contiguous, placement.one_range,
			 placement.cpu_access, placement.kernel_user,
			 (unsigned int)(placement.start / VKF_PAGE_SIZE),
			 (unsigned int)(placement.end / VKF_PAGE_SIZE));
	n_granted += !r;
	n_refused += r != 0;
	if (r)
		return;
	if (pages == 1)
		check_end(&placement, res->blocks->offset / VKF_PAGE_SIZE);
	mark(res, &placement, true);
}

static void give_back(struct mm_resource *res)
{
	const struct mm_placement any = { 0 };

	mark(res, &any, false);
	mm_resource_free(res);
}

static void retire_random(void)
{
	uint64_t page = rnd(PAGES);
	int r = mm_vram_retire(&vram, page * VKF_PAGE_SIZE);

	assert_int_equal(r, page_bad[page] ? -EEXIST : 0);
	if (!r)
		n_retired++;
	page_bad[page] = 1;
}

static void compare(unsigned int step)
{
	uint64_t taken = 0, visible = 0, retired = 0;
	const char *why = vram.man.ops->check(&vram.man);

	if (why)
		fail_msg("step %u: %s", step, why);
	for (uint64_t i = 0; i < PAGES; i++) {
		taken += !is_free(i);
		visible += !is_free(i) && i < VISIBLE;
		retired += page_bad[i] && !page_used[i];
		if (page_bad[i])
			assert_int_equal(mm_vram_page_status(&vram, i * VKF_PAGE_SIZE),
					 page_used[i] ? -EBUSY : 0);
	}
	assert_int_equal(vram.man.used, taken * VKF_PAGE_SIZE);
	assert_int_equal(vram.visible_used, visible * VKF_PAGE_SIZE);
	assert_int_equal(mm_vram_retired(&vram), retired * VKF_PAGE_SIZE);
}

static void vram_is_as_an_array_of_pages_would_be(void **state)
{
	rnd_state = 99;
	host_sched_install();
	assert_int_equal(mm_vram_init(&vram, PAGES * VKF_PAGE_SIZE, VISIBLE * VKF_PAGE_SIZE), 0);
	for (unsigned int step = 0; step < STEPS; step++) {
		struct mm_resource *res = &live[rnd(LIVE)];

		if (rnd(300) == 0)
			retire_random();
		else if (res->man)
			give_back(res);
		else
			try_alloc(res);
		if (step % 8 == 0)
			compare(step);
	}
	for (unsigned int i = 0; i < LIVE; i++)
		if (live[i].man)
			give_back(&live[i]);
	compare(STEPS);
	assert_true(n_granted > STEPS / 5 && n_refused > STEPS / 20 && n_retired > 50);
	mm_vram_fini(&vram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vram_is_as_an_array_of_pages_would_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
