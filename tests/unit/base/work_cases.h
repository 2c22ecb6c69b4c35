/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_BASE_WORK_CASES_H
#define VKFD_TESTS_UNIT_BASE_WORK_CASES_H

/**
 * DOC: Work for work queues, on threads and in a simulation alike
 *
 * vkf_spawn() is wrapped by the linker, so that a case can have it refused. Only
 * the calling task asserts. What works write is plain memory on purpose: two that
 * run at once, or a cancel that does not wait, show as a wrong sum, and to thread
 * sanitizer as a race.
 */
#include <errno.h>

#include "base/work.h"
#include "support.h"

#define N_WORKS   6
#define MAX_TASKS 8

static atomic_uint spawns_refused; /* all from now on while not 0 */
static atomic_uint n_spawned;

int __real_vkf_spawn(const char *name, void (*fn)(void *arg), void *arg,
		     struct vkf_task **ret_task);
int __wrap_vkf_spawn(const char *name, void (*fn)(void *arg), void *arg,
		     struct vkf_task **ret_task);

int __wrap_vkf_spawn(const char *name, void (*fn)(void *arg), void *arg, struct vkf_task **ret_task)
{
	if (atomic_load(&spawns_refused))
		return -EAGAIN;
	atomic_fetch_add(&n_spawned, 1);
	return __real_vkf_spawn(name, fn, arg, ret_task);
}

/* struct counted - a work that says when it ran */
struct counted {
	struct vkf_work work;
	unsigned int number;
	uint64_t n_runs; /* plain */
	bool inside, overlapped, early;
	atomic_ullong not_before;
	atomic_bool started, hold; /* it stays inside while @hold */
	atomic_uint *n_inside, *max_inside, *log, *n_logged;
};

static void counted_fn(struct vkf_work *work)
{
	struct counted *c = vkf_container_of(work, struct counted, work);

	if (c->inside)
		c->overlapped = true;
	c->inside = true;
	if (vkf_now_ns() < atomic_load(&c->not_before))
		c->early = true;
	if (c->n_inside) {
		unsigned int n = atomic_fetch_add(c->n_inside, 1) + 1;

		if (n > atomic_load(c->max_inside))
			atomic_store(c->max_inside, n);
	}
	if (c->log)
		atomic_store(&c->log[atomic_fetch_add(c->n_logged, 1)], c->number);
	c->n_runs++;
	atomic_store(&c->started, true);
	do
		vkf_relax();
	while (atomic_load(&c->hold));
	if (c->n_inside)
		atomic_fetch_sub(c->n_inside, 1);
	c->inside = false;
}

static void counted_init(struct counted *c, struct vkf_workq *wq)
{
	*c = (struct counted){ 0 };
	vkf_work_init(&c->work, wq, counted_fn);
}

static void wait_until_started(struct counted *c)
{
	while (!atomic_load(&c->started))
		vkf_sleep_ns(1000, false);
}

/* Tasks queue, change and cancel; each run that was asked for, and no other, takes place. */

struct asker {
	struct counted *works;
	uint64_t dice;
	unsigned int n_steps;
	uint64_t asked[N_WORKS];
};

static uint64_t asker_rnd(struct asker *a, uint64_t bound)
{
	a->dice += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(a->dice) % bound;
}

static void asker_task(void *arg)
{
	struct asker *a = arg;

	for (unsigned int i = 0; i < a->n_steps; i++) {
		unsigned int n = (unsigned int)asker_rnd(a, N_WORKS);
		struct vkf_work *work = &a->works[n].work;
		uint64_t delay = asker_rnd(a, 3) ? 0 : asker_rnd(a, 20000);

		switch (asker_rnd(a, 6)) {
		case 0:
			a->asked[n] += !vkf_work_mod(work, delay);
			break;
		case 1:
			a->asked[n] -= vkf_work_cancel_sync(work);
			break;
		case 2:
			vkf_work_flush(work);
			break;
		default:
			a->asked[n] += vkf_work_queue(work, delay);
			break;
		}
		if (asker_rnd(a, 4) == 0)
			vkf_relax();
	}
}

static void case_each_run_takes_place_once(unsigned int max_active, unsigned int n_tasks,
					   unsigned int n_steps)
{
	struct vkf_workq wq;
	struct counted works[N_WORKS];
	struct asker askers[MAX_TASKS] = { 0 };
	struct vkf_task *tasks[MAX_TASKS];
	atomic_uint n_inside = 0, max_inside = 0;

	assert_int_equal(vkf_workq_init(&wq, "works", max_active), 0);
	for (unsigned int i = 0; i < N_WORKS; i++) {
		counted_init(&works[i], &wq);
		works[i].n_inside = &n_inside;
		works[i].max_inside = &max_inside;
	}
	for (unsigned int i = 0; i < n_tasks; i++) {
		askers[i] =
			(struct asker){ .works = works, .dice = rnd(1u << 30), .n_steps = n_steps };
		assert_int_equal(vkf_spawn("asker", asker_task, &askers[i], &tasks[i]), 0);
	}
	for (unsigned int i = 0; i < n_tasks; i++)
		vkf_join(tasks[i]);
	for (unsigned int i = 0; i < N_WORKS; i++) {
		uint64_t asked = 0;

		vkf_work_flush(&works[i].work);
		for (unsigned int k = 0; k < n_tasks; k++)
			asked += askers[k].asked[i];
		assert_int_equal(works[i].n_runs, asked);
		assert_false(works[i].overlapped);
	}
	assert_in_range(atomic_load(&max_inside), 1, max_active);
	vkf_workq_fini(&wq);
}

/* Those that are due run in order, one at a time; a later one does not overtake. */
static void case_an_ordered_queue_keeps_order(void)
{
	struct vkf_workq wq;
	struct counted works[N_WORKS];
	atomic_uint log[N_WORKS], n_logged = 0;

	assert_int_equal(vkf_workq_init(&wq, "ordered", 1), 0);
	for (unsigned int i = 0; i < N_WORKS; i++) {
		counted_init(&works[i], &wq);
		works[i].number = i;
		works[i].log = log;
		works[i].n_logged = &n_logged;
	}
	atomic_store(&works[0].hold, true);
	assert_true(vkf_work_queue(&works[0].work, 0));
	wait_until_started(&works[0]);
	for (unsigned int i = 1; i < N_WORKS; i++)
		assert_true(vkf_work_queue(&works[i].work, 0));
	assert_int_equal(atomic_load(&n_logged), 1);
	atomic_store(&works[0].hold, false);
	for (unsigned int i = 0; i < N_WORKS; i++)
		vkf_work_flush(&works[i].work);
	for (unsigned int i = 0; i < N_WORKS; i++)
		assert_int_equal(atomic_load(&log[i]), i);
	vkf_workq_fini(&wq);
}

/* Works that do not end keep no other from running, up to the number that may. */
static void case_works_run_side_by_side(void)
{
	struct vkf_workq wq;
	struct counted works[N_WORKS];

	assert_int_equal(vkf_workq_init(&wq, "wide", N_WORKS), 0);
	for (unsigned int i = 0; i < N_WORKS; i++) {
		counted_init(&works[i], &wq);
		atomic_store(&works[i].hold, true);
		/* The delayed ones too: whoever watched the clock may be inside another. */
		assert_true(vkf_work_queue(&works[i].work, i % 2 ? 50000 : 0));
	}
	for (unsigned int i = 0; i < N_WORKS; i++)
		wait_until_started(&works[i]);
	for (unsigned int i = 0; i < N_WORKS; i++)
		atomic_store(&works[i].hold, false);
	for (unsigned int i = 0; i < N_WORKS; i++)
		vkf_work_flush(&works[i].work);
	vkf_workq_fini(&wq);
}

static void case_delays_are_kept_and_can_be_changed(void)
{
	struct vkf_workq wq;
	struct counted soon, late;

	assert_int_equal(vkf_workq_init(&wq, "delays", 2), 0);
	counted_init(&soon, &wq);
	counted_init(&late, &wq);
	atomic_store(&soon.not_before, vkf_now_ns() + 200000);
	assert_true(vkf_work_queue(&soon.work, 200000));
	assert_false(vkf_work_queue(&soon.work, 0));
	assert_true(vkf_work_queue(&late.work, UINT64_C(3600000) * VKF_NSEC_PER_MSEC));
	wait_until_started(&soon);
	assert_int_equal(late.n_runs, 0);
	assert_true(vkf_work_is_pending(&late.work));
	/* An hour becomes now, for one who sleeps until then. */
	assert_true(vkf_work_mod(&late.work, 0));
	wait_until_started(&late);
	vkf_work_flush(&late.work);
	assert_true(vkf_work_queue(&late.work, VKF_FOREVER));
	assert_true(vkf_work_cancel_sync(&late.work));
	assert_false(vkf_work_cancel_sync(&late.work));
	vkf_work_flush(&soon.work);
	assert_false(soon.early);
	assert_int_equal(late.n_runs, 1);
	vkf_workq_fini(&wq);
}

/* A work that queues itself again while it is cancelled does not come back. */

struct again {
	struct vkf_work work;
	atomic_uint n;
};

static void again_fn(struct vkf_work *work)
{
	struct again *a = vkf_container_of(work, struct again, work);

	atomic_fetch_add(&a->n, 1);
	vkf_relax();
	(void)vkf_work_queue(work, 0);
}

static void case_a_work_that_repeats_itself_is_cancelled(void)
{
	struct vkf_workq wq;
	struct again a = { .n = 0 };
	unsigned int n;

	assert_int_equal(vkf_workq_init(&wq, "again", 3), 0);
	vkf_work_init(&a.work, &wq, again_fn);
	assert_true(vkf_work_queue(&a.work, 0));
	while (atomic_load(&a.n) < 3)
		vkf_relax();
	(void)vkf_work_cancel_sync(&a.work);
	n = atomic_load(&a.n);
	assert_false(vkf_work_is_pending(&a.work));
	for (unsigned int i = 0; i < 20; i++)
		vkf_relax();
	assert_int_equal(atomic_load(&a.n), n);
	vkf_workq_fini(&wq);
}

/* The one task there is does it all when no other can be had. */
static void case_one_task_is_enough(void)
{
	struct vkf_workq wq;
	struct counted works[N_WORKS];

	assert_int_equal(vkf_workq_init(&wq, "spare", N_WORKS), 0);
	assert_int_equal(vkf_workq_prepare(&wq), 0);
	atomic_store(&spawns_refused, 1);
	assert_int_equal(vkf_workq_prepare(&wq), 0);
	for (unsigned int i = 0; i < N_WORKS; i++) {
		counted_init(&works[i], &wq);
		atomic_store(&works[i].hold, i == 0);
		assert_true(vkf_work_queue(&works[i].work, i * 1000));
	}
	wait_until_started(&works[0]);
	atomic_store(&works[0].hold, false);
	for (unsigned int i = 0; i < N_WORKS; i++)
		wait_until_started(&works[i]);
	for (unsigned int i = 0; i < N_WORKS; i++)
		vkf_work_flush(&works[i].work);
	atomic_store(&spawns_refused, 0);
	vkf_workq_fini(&wq);
}

static void case_what_no_task_could_be_had_for_runs_at_the_next_queueing(void)
{
	struct vkf_workq wq;
	struct counted a, b;

	assert_int_equal(vkf_workq_init(&wq, "later", 1), 0);
	counted_init(&a, &wq);
	counted_init(&b, &wq);
	atomic_store(&spawns_refused, 1);
	assert_int_equal(vkf_workq_prepare(&wq), -EAGAIN);
	assert_true(vkf_work_queue(&a.work, 0));
	atomic_store(&spawns_refused, 0);
	assert_true(vkf_work_is_pending(&a.work));
	assert_true(vkf_work_queue(&b.work, 0));
	wait_until_started(&a);
	wait_until_started(&b);
	vkf_work_flush(&b.work);
	vkf_work_flush(&a.work);
	vkf_workq_fini(&wq);
}

#endif
