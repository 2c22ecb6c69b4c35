/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_BASE_WWLOCK_CASES_H
#define VKFD_TESTS_UNIT_BASE_WWLOCK_CASES_H

/**
 * DOC: Work for locks taken in any order
 *
 * As lock_cases.h: on threads and in a simulation, and only the calling task asserts.
 */
#include <errno.h>
#include "base/wwlock.h"
#include "lock_tasks.h"

/* Many wwlocks in random order, with some taken by trylock on the side, as eviction does. */

#define N_WW 6

struct ww_table {
	struct vkf_wwlock locks[N_WW];
	uint64_t values[N_WW]; /* each protected by its lock */
	unsigned int n_iters;
	unsigned int n_locks; /* of them in use */
	bool ordered;         /* even tasks upwards, odd ones downwards, no trylock */
};

struct ww_task {
	struct ww_table *t;
	unsigned int number;
	uint64_t dice;
	uint64_t n_added;
	unsigned int n_deadlocks, n_interrupted;
	bool wrong;
};

static void ww_pick(struct ww_task *w, unsigned int *order, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!w->t->ordered)
			order[i] = own_rnd(&w->dice, w->t->n_locks);
		else
			order[i] = w->number % 2 ? n - 1 - i : i;
	}
}

static void ww_drop(struct ww_task *w, bool *held)
{
	unsigned int i;

	for (i = 0; i < w->t->n_locks; i++) {
		if (held[i])
			vkf_wwlock_unlock(&w->t->locks[i]);
		held[i] = false;
	}
}

/* Take all of @order. Return: 0 or -ERESTARTSYS with nothing held. */
static int ww_take_all(struct ww_task *w, struct vkf_ww_ctx *ctx, const unsigned int *order,
		       unsigned int n, bool *held)
{
	struct ww_table *t = w->t;
	unsigned int i = 0, lock, extra;
	int r;

	while (i < n) {
		lock = order[i];
		r = vkf_wwlock_lock(&t->locks[lock], ctx, true);
		w->wrong |= (r == -EALREADY) != held[lock];
		if (r == -VKF_ERESTARTSYS) {
			ww_drop(w, held);
			return r;
		}
		if (r == -EDEADLK) {
			w->n_deadlocks++;
			ww_drop(w, held);
			vkf_wwlock_lock_slow(&t->locks[lock], ctx);
			held[lock] = true;
			i = 0;
			continue;
		}
		held[lock] = true;
		i++;
		extra = own_rnd(&w->dice, t->n_locks);
		if (!t->ordered && !held[extra] && vkf_wwlock_trylock(&t->locks[extra]))
			held[extra] = true;
	}
	return 0;
}

static void ww_use(struct ww_task *w, const bool *held)
{
	unsigned int i;

	for (i = 0; i < w->t->n_locks; i++) {
		w->wrong |= vkf_wwlock_is_mine(&w->t->locks[i]) != held[i];
		if (!held[i])
			continue;
		w->t->values[i]++;
		w->n_added++;
	}
	vkf_relax();
}

static void ww_task(void *arg)
{
	struct ww_task *w = arg;
	struct ww_table *t = w->t;
	unsigned int order[N_WW], n, i;
	bool held[N_WW] = { false };
	struct vkf_ww_ctx ctx;

	for (i = 0; i < t->n_iters; i++) {
		n = t->ordered ? t->n_locks : 1 + own_rnd(&w->dice, t->n_locks);
		ww_pick(w, order, n);
		vkf_ww_begin(&ctx);
		if (ww_take_all(w, &ctx, order, n, held) == 0) {
			ww_use(w, held);
			ww_drop(w, held);
		} else {
			w->n_interrupted++;
			vkf_task_clear_interrupt();
		}
		w->wrong |= ctx.n_held != 0;
		vkf_ww_end(&ctx);
	}
}

static void ww_table_init(struct ww_table *t)
{
	unsigned int i;

	for (i = 0; i < t->n_locks; i++)
		vkf_wwlock_init(&t->locks[i]);
}

/* Return: how often a context died. */
static unsigned int case_wwlocks(unsigned int n_tasks, unsigned int n_iters, unsigned int n_locks,
				 bool ordered, unsigned int n_interrupts)
{
	struct ww_table t = { .n_iters = n_iters, .n_locks = n_locks, .ordered = ordered };
	struct ww_task args[MAX_TASKS];
	uint64_t added = 0, sum = 0, dice = 3;
	unsigned int i, deadlocks = 0;
	bool wrong = false;

	ww_table_init(&t);
	for (i = 0; i < n_tasks; i++)
		args[i] = (struct ww_task){ .t = &t, .number = i, .dice = i * 77 };
	start_tasks(n_tasks, ww_task, args, sizeof(args[0]));
	for (i = 0; i < n_interrupts; i++) {
		vkf_task_interrupt(case_tasks[own_rnd(&dice, n_tasks)]);
		assert_int_equal(vkf_sleep_ns(2000, false), 0);
	}
	join_tasks(n_tasks);
	for (i = 0; i < n_tasks; i++) {
		added += args[i].n_added;
		deadlocks += args[i].n_deadlocks;
		wrong |= args[i].wrong;
	}
	for (i = 0; i < n_locks; i++) {
		sum += t.values[i];
		vkf_wwlock_fini(&t.locks[i]);
	}
	assert_false(wrong);
	assert_int_equal(sum, added);
	return deadlocks;
}

#endif
