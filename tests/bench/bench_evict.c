/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_evict [--cpu N] [--buffers N]: what it costs to take memory away and to bring it back
 *
 * One client has 1 000, 10 000 or 100 000 mapped buffers of a page, and another asks for one
 * buffer as large as all of them: each of them leaves VRAM for GTT (the search, a place, a
 * job that waits for the queues), the queues stop, and all jobs are executed. Then the
 * large one is freed, and the first client is restored. Per buffer each, in time of this
 * thread's CPU, which is all that works here; the least of several rounds. What grows
 * faster than the number of buffers is seen from the larger ones.
 *
 * Then the buffers of the client that asks, which all stay, lie before those of another in
 * the LRU list.
 */
#include <stdio.h>
#include <time.h>
#include "bench.h"
#include "host/sched_host.h"
#include "mm/bo_place.h"
#include "mm/vram.h"
#include "space.h"

#define ROUNDS 5
/* VRAM that nobody can have, so that the limits of one request are not met. */
#define FILLED    VKF_MIB(64)
#define ROOM      VKF_MIB(96)
#define TABLES(n) ((n) / MM_PT_ENTRIES + 16)

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static struct mm_bo *create(struct space *s, struct space_client *c, uint64_t bytes)
{
	const struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = bytes };
	struct mm_bo *bo;

	if (mm_bo_create(c->mm, s->dev, &params, &bo))
		bench_fail("no buffer of %llu bytes", (unsigned long long)bytes);
	return bo;
}

static uint64_t in_vram(struct space *s)
{
	struct mm_device_usage u;

	mm_device_usage(s->dev, &u);
	return u.vram_managed;
}

/* Pinned, so that of @s there is room for @n pages and a little more. */
static struct mm_bo *fill(struct space *s, struct space_client *c)
{
	struct mm_bo *bo = create(s, c, FILLED);

	if (mm_bo_pin(bo))
		bench_fail("cannot be pinned");
	return bo;
}

/* Take what is free and @n pages more; all in pages, so that any of them will do. */
static struct mm_bo *crowd_out(struct space *s, struct space_client *c, unsigned int n)
{
	uint64_t free_bytes;
	struct mm_device_usage u;

	mm_device_usage(s->dev, &u);
	free_bytes = u.vram_total - u.vram_managed - MM_VRAM_KEPT_BACK;
	free_bytes += n * VKF_PAGE_SIZE;
	if (VKF_IS_ALIGNED(free_bytes, VKF_HUGE_SIZE))
		free_bytes -= VKF_PAGE_SIZE;
	return create(s, c, free_bytes);
}

/* ------------------------------------------------ out, and back */

struct times {
	double out[ROUNDS], stopped[ROUNDS], back[ROUNDS];
};

static void one_round(struct space *s, struct space_client *a, struct space_client *b,
		      struct times *t, unsigned int round)
{
	uint64_t before = in_vram(s), from = cpu_ns(), asked, stopped;
	struct mm_bo *large = crowd_out(s, b, a->n);

	asked = cpu_ns();
	space_stop(a);
	stopped = cpu_ns();
	t->out[round] = (double)(asked - from) / a->n;
	t->stopped[round] = (double)(stopped - asked) / a->n;
	mm_bo_put(large);
	from = cpu_ns();
	if (mm_client_restore(a->mm))
		bench_fail("not restored");
	t->back[round] = (double)(cpu_ns() - from) / a->n;
	if (in_vram(s) != before)
		bench_fail("not all of it is back");
}

static void print_least(const char *what, unsigned int n, double *values)
{
	double least = values[0];
	char name[64];

	for (unsigned int i = 1; i < ROUNDS; i++)
		least = VKF_MIN(least, values[i]);
	snprintf(name, sizeof(name), "evict.%s.%u", what, n);
	bench_print(name, least);
}

static void out_and_back(unsigned int n)
{
	struct space_client a, b;
	struct mm_bo *filler;
	struct times t;
	struct space s;

	space_open(&s, ROOM + n * VKF_PAGE_SIZE);
	space_client_open(&s, TABLES(n), &a);
	space_client_open(&s, TABLES(0), &b);
	filler = fill(&s, &b);
	space_client_add(&s, &a, n);
	space_client_map(&a);
	for (unsigned int i = 0; i < ROUNDS; i++)
		one_round(&s, &a, &b, &t, i);
	print_least("out", n, t.out);
	print_least("stopped", n, t.stopped);
	print_least("back", n, t.back);
	mm_bo_put(filler);
	space_client_close(&a);
	space_client_close(&b);
	space_close(&s);
}

/* ------------------------------------------------ one's own are passed over */

/* @n of another's leave for the asker, who has @own older ones. */
static void behind_own(unsigned int own, unsigned int n)
{
	struct space_client a, b;
	struct mm_bo *filler, *large;
	double took[ROUNDS];
	struct space s;

	space_open(&s, ROOM + (own + n) * VKF_PAGE_SIZE);
	space_client_open(&s, TABLES(0), &a);
	space_client_open(&s, TABLES(0), &b);
	filler = fill(&s, &b);
	space_client_add(&s, &b, own);
	space_client_add(&s, &a, n);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t from = cpu_ns();

		large = crowd_out(&s, &b, n);
		took[i] = (double)(cpu_ns() - from) / n;
		space_stop(&a);
		mm_bo_put(large);
		if (mm_client_restore(a.mm))
			bench_fail("not restored");
	}
	print_least("behind", own, took);
	mm_bo_put(filler);
	space_client_close(&a);
	space_client_close(&b);
	space_close(&s);
}

int main(int argc, char **argv)
{
	int only = bench_option(argc, argv, "--buffers", 0);

	bench_pin(bench_option(argc, argv, "--cpu", -1));
	host_sched_install();
	if (only) {
		out_and_back((unsigned int)only);
		return 0;
	}
	out_and_back(1000);
	out_and_back(10000);
	out_and_back(100000);
	behind_own(0, 200);
	behind_own(100000, 200);
	return 0;
}
