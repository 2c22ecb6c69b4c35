/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_mm [--cpu N] [--ops N]: the memory manager's structures by themselves
 *
 * A million allocations and frees in random order of 64 GiB of VRAM, by the buddy and
 * by what a textbook has first: a list of free ranges in order of address, the first
 * that is long enough, joined again when freed. Both get the same sequence, the list
 * only the first tenth of it, since it becomes slower all the time. Then the LRU
 * list's bulk moves, large against small, and memory for each buffer.
 */
#include <stdlib.h>
#include <time.h>
#include "base/hash.h"
#include "bench.h"
#include "host/sched_host.h"
#include "mm/buddy.h"
#include "mm/lru.h"
#include "space.h"

#define OPS     1000000
#define SLOWER  10
#define SLOTS   65536
#define SPACE   VKF_GIB(64)

/* ------------------------------------------------ first fit */

/* struct range - free, in order of address; or used, then alone */
struct range {
	uint64_t start, end;
	struct range *next, *prev;
};

static struct range list_head;

static void *first_fit_init(void)
{
	struct range *all = malloc(sizeof(*all));

	*all = (struct range){ 0, SPACE, &list_head, &list_head };
	list_head.next = list_head.prev = all;
	return all;
}

static void *first_fit_alloc(uint64_t size)
{
	struct range *r = list_head.next, *used;

	while (r != &list_head && r->end - r->start < size)
		r = r->next;
	if (r == &list_head)
		return NULL;
	used = malloc(sizeof(*used));
	*used = (struct range){ r->start, r->start + size, NULL, NULL };
	r->start += size;
	if (r->start == r->end) {
		r->prev->next = r->next;
		r->next->prev = r->prev;
		free(r);
	}
	return used;
}

static void join_next(struct range *r)
{
	struct range *next = r->next;

	if (next == &list_head || next->start != r->end)
		return;
	r->end = next->end;
	r->next = next->next;
	next->next->prev = r;
	free(next);
}

static void first_fit_free(void *used)
{
	struct range *r = used, *next = list_head.next;

	while (next != &list_head && next->start < r->start)
		next = next->next;
	r->next = next;
	r->prev = next->prev;
	next->prev->next = r;
	next->prev = r;
	join_next(r);
	if (r->prev != &list_head)
		join_next(r->prev);
}

static void first_fit_fini(void)
{
	while (list_head.next != &list_head) {
		struct range *r = list_head.next;

		list_head.next = r->next;
		free(r);
	}
}

/* ------------------------------------------------ buddy */

static struct mm_buddy buddy;

static void *buddy_init(void)
{
	if (mm_buddy_init(&buddy, SPACE, VKF_PAGE_SHIFT))
		bench_fail("no buddy");
	return &buddy;
}

/* As the VRAM manager asks. */
static void *buddy_alloc(uint64_t size)
{
	struct mm_buddy_request req = {
		.size = size,
		.min_block = VKF_IS_ALIGNED(size, VKF_HUGE_SIZE) ? VKF_HUGE_SIZE : VKF_PAGE_SIZE,
		.max_block = UINT64_C(1) << 62,
		.top_down = true,
	};
	struct mm_buddy_block *blocks;

	return mm_buddy_alloc(&buddy, &req, &blocks) ? NULL : blocks;
}

static void buddy_free(void *blocks)
{
	mm_buddy_free(&buddy, blocks);
}

static void buddy_fini(void)
{
	mm_buddy_fini(&buddy);
}

/* ------------------------------------------------ a million of them */

static const struct allocator {
	const char *name;
	void *(*init)(void);
	void *(*alloc)(uint64_t size);
	void (*free)(void *what);
	void (*fini)(void);
} allocators[] = {
	{ "mm.buddy", buddy_init, buddy_alloc, buddy_free, buddy_fini },
	{ "mm.firstfit", first_fit_init, first_fit_alloc, first_fit_free, first_fit_fini },
};

static uint64_t rnd_state;

static uint64_t rnd(uint64_t bound)
{
	rnd_state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(rnd_state) % bound;
}

/* Half small, two fifths up to 2 MiB, the rest whole 2 MiB up to 16: about half of VRAM is used. */
static uint64_t random_size(void)
{
	uint64_t kind = rnd(10);

	if (kind < 5)
		return (1 + rnd(16)) * VKF_PAGE_SIZE;
	if (kind < 9)
		return (1 + rnd(512)) * VKF_PAGE_SIZE;
	return (1 + rnd(8)) * VKF_HUGE_SIZE;
}

/* Of this process, which is all that works here. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static double random_ops(const struct allocator *a, unsigned int ops, double *ret_refused)
{
	static void *slot[SLOTS];
	unsigned int refused = 0;
	uint64_t from;
	double took;

	rnd_state = 1;
	a->init();
	from = cpu_ns();
	for (unsigned int i = 0; i < ops; i++) {
		unsigned int n = (unsigned int)rnd(SLOTS);

		if (slot[n]) {
			a->free(slot[n]);
			slot[n] = NULL;
		} else {
			slot[n] = a->alloc(random_size());
			refused += !slot[n];
		}
	}
	took = (double)(cpu_ns() - from) / ops;
	for (unsigned int n = 0; n < SLOTS; n++) {
		if (slot[n])
			a->free(slot[n]);
		slot[n] = NULL;
	}
	a->fini();
	*ret_refused = refused;
	return took;
}

/* The slow one once, and the median of the fast one before and after it. */
static void allocators_figures(unsigned int ops)
{
	double took[3], slow, refused[2];

	took[0] = random_ops(&allocators[0], ops, &refused[0]);
	took[1] = random_ops(&allocators[0], ops, &refused[0]);
	slow = random_ops(&allocators[1], ops / SLOWER, &refused[1]);
	took[2] = random_ops(&allocators[0], ops, &refused[0]);
	if (refused[0] || refused[1])
		bench_fail("%s has refused memory", allocators[!refused[0]].name);
	bench_print(allocators[0].name, bench_median(took, 3));
	bench_print(allocators[1].name, slow);
}

/* ------------------------------------------------ bulk moves */

#define FEW  10
#define MANY 100000

/* struct two - two bulks that take turns at the end of the list */
struct two {
	struct mm_lru lru;
	struct mm_lru_bulk bulk[2];
	unsigned int turn;
};

static void touch_bulk(void *arg)
{
	struct two *t = arg;

	mm_lru_touch_bulk(&t->lru, &t->bulk[t->turn++ % 2]);
}

static void bulk_figure(const char *name, unsigned int n)
{
	struct mm_lru_node *node = calloc(2 * n, sizeof(*node));
	struct two t = { .turn = 0 };

	mm_lru_init(&t.lru);
	for (unsigned int i = 0; i < 2 * n; i++) {
		mm_lru_node_init(&node[i]);
		mm_lru_set_bulk(&t.lru, &node[i], &t.bulk[i % 2]);
		mm_lru_add(&t.lru, &node[i], MM_LRU_USER);
	}
	bench_print(name, bench_time(touch_bulk, &t, 1000));
	free(node);
}

/* ------------------------------------------------ memory of each buffer */

#define BUFFERS 100000

static void memory_figures(void)
{
	struct space_client c;
	struct space s;
	uint64_t before;

	space_open(&s, VKF_GIB(16));
	space_client_open(&s, 1024, &c);
	before = space_bytes();
	space_client_add(&s, &c, BUFFERS);
	bench_print("mm.buffer.bytes", (double)(space_bytes() - before) / BUFFERS);
	before = space_bytes();
	space_client_map(&c);
	bench_print("mm.mapping.bytes", (double)(space_bytes() - before) / BUFFERS);
	space_client_close(&c);
	space_close(&s);
}

int main(int argc, char **argv)
{
	bench_pin(bench_option(argc, argv, "--cpu", -1));
	host_sched_install();
	allocators_figures((unsigned int)bench_option(argc, argv, "--ops", OPS));
	bulk_figure("mm.bulk.few", FEW);
	bulk_figure("mm.bulk.many", MANY);
	memory_figures();
	return 0;
}
