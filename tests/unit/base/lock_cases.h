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
#include "lock_tasks.h"

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

#endif
