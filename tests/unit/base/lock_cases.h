/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_BASE_LOCK_CASES_H
#define VKFD_TESTS_UNIT_BASE_LOCK_CASES_H

/**
 * DOC: Work for locks, over base/sched.h alone
 *
 * Each case spawns tasks that contend and checks what they leave behind, so it
 * runs on threads and in a simulation alike. Only the calling task asserts.
 * What the locks protect is plain memory on purpose: a missing exclusion shows as
 * a wrong sum, and to thread sanitizer as a race.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/lock.h"
#include "support.h"

#define MAX_TASKS 8

static struct vkf_task *case_tasks[MAX_TASKS];

static void start_tasks(unsigned int n, void (*fn)(void *arg), void *args, size_t arg_size)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		assert_int_equal(
			vkf_spawn("worker", fn, (char *)args + i * arg_size, &case_tasks[i]), 0);
}

static void join_tasks(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		vkf_join(case_tasks[i]);
}

/* Each task has dice of its own. */
static uint64_t own_rnd(uint64_t *state, uint64_t bound)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(*state) % bound;
}

/* Sums under one mutex, by all three ways of taking it. */

struct sum {
	struct vkf_mutex m;
	unsigned int n_iters;
	uint64_t total;
	bool inside;
	bool overlapped;
};

static void sum_add(struct sum *s)
{
	if (s->inside)
		s->overlapped = true;
	s->inside = true;
	vkf_relax();
	s->total++;
	s->inside = false;
}

static void sum_task(void *arg)
{
	struct sum *s = *(struct sum **)arg;
	unsigned int i;

	for (i = 0; i < s->n_iters; i++) {
		if (i % 3 == 0) {
			while (!vkf_mutex_trylock(&s->m))
				vkf_relax();
		} else if (i % 3 == 1) {
			if (vkf_mutex_lock_interruptible(&s->m))
				continue;
		} else {
			vkf_mutex_lock(&s->m);
		}
		sum_add(s);
		vkf_mutex_unlock(&s->m);
	}
}

static void case_mutex_excludes(unsigned int n_tasks, unsigned int n_iters)
{
	struct sum s = { .n_iters = n_iters };
	struct sum *args[MAX_TASKS];
	unsigned int i;

	vkf_mutex_init(&s.m, VKF_RANK_LEAF);
	for (i = 0; i < n_tasks; i++)
		args[i] = &s;
	start_tasks(n_tasks, sum_task, args, sizeof(args[0]));
	join_tasks(n_tasks);
	assert_int_equal(s.total, (uint64_t)n_tasks * n_iters);
	assert_false(s.overlapped);
	vkf_mutex_fini(&s.m);
}

/* A bounded queue with conditions: nothing is lost, doubled or out of order. */

#define QUEUE_ROOM 3

struct queue {
	struct vkf_mutex m;
	struct vkf_cond changed;
	unsigned int items[QUEUE_ROOM];
	unsigned int n, head;
	unsigned int n_items;         /* to be sent by each producer */
	unsigned int next[MAX_TASKS]; /* the consumer: what each producer sends next */
	bool out_of_order;
};

struct producer {
	struct queue *q;
	unsigned int number;
};

static void producer_task(void *arg)
{
	struct producer *p = arg;
	struct queue *q = p->q;
	unsigned int i;

	for (i = 0; i < q->n_items; i++) {
		vkf_mutex_lock(&q->m);
		while (q->n == QUEUE_ROOM)
			(void)vkf_cond_wait(&q->changed, &q->m, VKF_FOREVER, false);
		q->items[(q->head + q->n++) % QUEUE_ROOM] = p->number << 24 | i;
		vkf_mutex_unlock(&q->m);
		vkf_cond_broadcast(&q->changed);
	}
}

static void queue_consume(struct queue *q, unsigned int n_items)
{
	unsigned int item;

	while (n_items--) {
		vkf_mutex_lock(&q->m);
		while (q->n == 0)
			(void)vkf_cond_wait(&q->changed, &q->m, VKF_FOREVER, false);
		item = q->items[q->head];
		q->head = (q->head + 1) % QUEUE_ROOM;
		q->n--;
		if (q->next[item >> 24]++ != (item & 0xffffff))
			q->out_of_order = true;
		vkf_cond_broadcast(&q->changed);
		vkf_mutex_unlock(&q->m);
	}
}

static void case_condition_loses_nothing(unsigned int n_tasks, unsigned int n_items)
{
	struct queue q = { .n_items = n_items };
	struct producer args[MAX_TASKS];
	unsigned int i;

	vkf_mutex_init(&q.m, VKF_RANK_EVENT);
	vkf_cond_init(&q.changed);
	for (i = 0; i < n_tasks; i++)
		args[i] = (struct producer){ &q, i };
	start_tasks(n_tasks, producer_task, args, sizeof(args[0]));
	queue_consume(&q, n_tasks * n_items);
	join_tasks(n_tasks);
	assert_false(q.out_of_order);
	assert_int_equal(q.n, 0);
	vkf_mutex_fini(&q.m);
}

/* One broadcast reaches everybody. */

struct crowd {
	struct vkf_mutex m;
	struct vkf_cond gate;
	unsigned int n_waiting, n_through;
	bool open;
};

static void crowd_task(void *arg)
{
	struct crowd *c = *(struct crowd **)arg;

	vkf_mutex_lock(&c->m);
	c->n_waiting++;
	while (!c->open)
		(void)vkf_cond_wait(&c->gate, &c->m, VKF_FOREVER, true);
	c->n_through++;
	vkf_mutex_unlock(&c->m);
}

static void case_broadcast_reaches_all(unsigned int n_tasks)
{
	struct crowd c = { .open = false }, *args[MAX_TASKS];
	unsigned int i, n_waiting = 0;

	vkf_mutex_init(&c.m, VKF_RANK_EVENT);
	vkf_cond_init(&c.gate);
	for (i = 0; i < n_tasks; i++)
		args[i] = &c;
	start_tasks(n_tasks, crowd_task, args, sizeof(args[0]));
	while (n_waiting < n_tasks) {
		vkf_relax();
		vkf_mutex_lock(&c.m);
		n_waiting = c.n_waiting;
		c.open = n_waiting == n_tasks;
		vkf_mutex_unlock(&c.m);
	}
	vkf_cond_broadcast(&c.gate);
	join_tasks(n_tasks);
	assert_int_equal(c.n_through, n_tasks);
	vkf_mutex_fini(&c.m);
}

/* Interruptions that rain on waiters of a mutex: no wake-up is lost, none is held twice. */

struct storm {
	struct vkf_mutex m;
	struct vkf_cond c;
	unsigned int n_iters;
	uint64_t total;
	unsigned int n_done; /* protected by @m */
};

struct storm_task {
	struct storm *s;
	uint64_t dice;
	uint64_t n_locked;
	unsigned int n_interrupted;
	bool wrong;
};

static void storm_task(void *arg)
{
	struct storm_task *t = arg;
	unsigned int i;
	int r;

	for (i = 0; i < t->s->n_iters; i++) {
		r = vkf_mutex_lock_interruptible(&t->s->m);
		if (r) {
			t->wrong |= r != -VKF_ERESTARTSYS || !vkf_interrupted();
			t->n_interrupted++;
			vkf_task_clear_interrupt();
			continue;
		}
		t->n_locked++;
		t->s->total++;
		if (own_rnd(&t->dice, 4) == 0) {
			r = vkf_cond_wait(&t->s->c, &t->s->m, vkf_now_ns() + 20000, true);
			t->wrong |= r != 0 && r != -ETIMEDOUT && r != -VKF_ERESTARTSYS;
			vkf_task_clear_interrupt();
		}
		vkf_mutex_unlock(&t->s->m);
		if (own_rnd(&t->dice, 4) == 0)
			vkf_cond_broadcast(&t->s->c);
	}
	vkf_mutex_lock(&t->s->m);
	t->s->n_done++;
	vkf_mutex_unlock(&t->s->m);
}

static void case_interruptions_lose_no_wakeup(unsigned int n_tasks, unsigned int n_iters)
{
	struct storm s = { .n_iters = n_iters };
	struct storm_task args[MAX_TASKS];
	uint64_t dice = 1, locked = 0;
	bool done = false, wrong = false;
	unsigned int i;

	vkf_mutex_init(&s.m, VKF_RANK_EVENT);
	vkf_cond_init(&s.c);
	for (i = 0; i < n_tasks; i++)
		args[i] = (struct storm_task){ .s = &s, .dice = i * 1000 };
	start_tasks(n_tasks, storm_task, args, sizeof(args[0]));
	while (!done) {
		vkf_task_interrupt(case_tasks[own_rnd(&dice, n_tasks)]);
		assert_int_equal(vkf_sleep_ns(1000, false), 0);
		vkf_mutex_lock(&s.m);
		done = s.n_done == n_tasks;
		vkf_mutex_unlock(&s.m);
	}
	join_tasks(n_tasks);
	for (i = 0; i < n_tasks; i++) {
		locked += args[i].n_locked;
		wrong |= args[i].wrong || args[i].n_locked + args[i].n_interrupted != n_iters;
	}
	assert_false(wrong);
	assert_int_equal(s.total, locked);
	vkf_mutex_fini(&s.m);
}

/* Objects that are freed by whoever unlocks them last, at once. */

struct mortal {
	struct vkf_mutex m;
	unsigned int n_users;
};

struct mortal_table {
	struct mortal **objs;
	unsigned int n;
};

static void mortal_task(void *arg)
{
	struct mortal_table *t = *(struct mortal_table **)arg;
	unsigned int i;
	bool last;

	for (i = 0; i < t->n; i++) {
		struct mortal *o = t->objs[i];

		vkf_mutex_lock(&o->m);
		last = --o->n_users == 0;
		vkf_mutex_unlock(&o->m);
		if (last) {
			vkf_mutex_fini(&o->m);
			memset(o, 0xa5, sizeof(*o));
			free(o);
		}
	}
}

static void case_last_unlocker_may_free(unsigned int n_tasks, unsigned int n_objs)
{
	struct mortal_table t = { .n = n_objs }, *args[MAX_TASKS];
	unsigned int i;

	t.objs = calloc(n_objs, sizeof(t.objs[0]));
	assert_non_null(t.objs);
	for (i = 0; i < n_objs; i++) {
		t.objs[i] = calloc(1, sizeof(*t.objs[i]));
		assert_non_null(t.objs[i]);
		vkf_mutex_init(&t.objs[i]->m, VKF_RANK_LEAF);
		t.objs[i]->n_users = n_tasks;
	}
	for (i = 0; i < n_tasks; i++)
		args[i] = &t;
	start_tasks(n_tasks, mortal_task, args, sizeof(args[0]));
	join_tasks(n_tasks);
	free(t.objs);
}

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
