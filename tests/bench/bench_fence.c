/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_fence [--cpu N]: fences, reservations, and locking many of them
 *
 * A job's fence comes onto a reservation that N busy contexts share, and takes the
 * place of its context's last, which signals. The floor is the same without a
 * reservation. Locking is per reservation, of few and of many at once.
 */
#include <stdlib.h>
#include "base/env.h"
#include "bench.h"
#include "host/sched_host.h"
#include "mm/lock_ctx.h"

#define RUNS 200
#define MAX_CONTEXTS 1000
#define MANY_LOCKS 10000
#define FEW_LOCKS 10

struct jobs {
	struct mm_resv resv;
	unsigned int n_contexts; /* 0: no reservation */
	uint64_t seqno;
	struct mm_fence *last[MAX_CONTEXTS];
};

static struct mm_fence *new_fence(uint64_t context, uint64_t seqno)
{
	struct mm_fence *f = vkf_zalloc(sizeof(*f));

	if (!f)
		bench_fail("no memory");
	mm_fence_init(f, NULL, context, seqno);
	return f;
}

static void finish(struct mm_fence *f)
{
	if (f)
		mm_fence_signal(f, 0);
	mm_fence_put(f);
}

VKF_NO_TS static void publish(struct mm_resv *r, struct mm_fence *f)
{
	if (mm_resv_lock(r, false) || mm_resv_reserve_locked(r, 1))
		bench_fail("no slot");
	mm_resv_add_locked(r, f, MM_RESV_BOOKKEEP);
	mm_resv_unlock(r);
}

static void one_job(void *arg)
{
	struct jobs *j = arg;
	uint64_t slot = j->n_contexts ? ++j->seqno % j->n_contexts : 0;
	struct mm_fence *f = new_fence(slot + 1, j->seqno);

	if (j->n_contexts)
		publish(&j->resv, f);
	finish(j->last[slot]);
	j->last[slot] = f;
}

static void time_jobs(const char *name, unsigned int n_contexts)
{
	struct jobs *j = calloc(1, sizeof(*j));

	if (!j)
		bench_fail("no memory");
	mm_resv_init(&j->resv);
	j->n_contexts = n_contexts;
	for (unsigned int i = 0; i < n_contexts; i++)
		one_job(j);
	bench_print(name, bench_time(one_job, j, RUNS));
	for (unsigned int i = 0; i < MAX_CONTEXTS; i++)
		finish(j->last[i]);
	mm_resv_fini(&j->resv);
	free(j);
}

struct locks {
	struct mm_resv *resv;
	unsigned int n;
};

static void lock_all(void *arg)
{
	struct locks *l = arg;
	struct mm_lock_ctx ctx;
	int e = 0;

	mm_lock_ctx_init(&ctx, false);
	do {
		for (unsigned int i = 0; i < l->n && !e; i++)
			e = mm_lock_ctx_lock(&ctx, &l->resv[i], 1);
	} while (mm_lock_ctx_retry(&ctx, e));
	if (e)
		bench_fail("locking failed: %d", e);
	mm_lock_ctx_fini(&ctx);
}

static void time_locks(const char *name, unsigned int n)
{
	struct locks l = { calloc(n, sizeof(struct mm_resv)), n };

	if (!l.resv)
		bench_fail("no memory");
	for (unsigned int i = 0; i < n; i++)
		mm_resv_init(&l.resv[i]);
	bench_print(name, bench_time(lock_all, &l, 1 + FEW_LOCKS * RUNS / n) / n);
	for (unsigned int i = 0; i < n; i++)
		mm_resv_fini(&l.resv[i]);
	free(l.resv);
}

int main(int argc, char **argv)
{
	bench_pin(bench_option(argc, argv, "--cpu", -1));
	host_sched_install();
	time_jobs("fence.alone", 0);
	time_jobs("fence.add.10", 10);
	time_jobs("fence.add.1000", MAX_CONTEXTS);
	time_locks("lock.few", FEW_LOCKS);
	time_locks("lock.many", MANY_LOCKS);
	return 0;
}
