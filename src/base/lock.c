/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <errno.h>

#include "base/guard.h"

#define MUTEX_FREE      0
#define MUTEX_HELD      1
#define MUTEX_CONTENDED 2 /* held, and somebody waits or did until just now */

/*
 * A guard is held for a few instructions and never across a scheduling point, so
 * in a simulation it is always free. A task is unparked only under the guard of
 * what it waits in, and takes that guard before it goes on: so it still exists
 * when it is unparked, and its waker is done with the object when it returns.
 */

static bool task_is_waiting(struct vkf_task *task)
{
	return atomic_load_explicit(&task->waiting, memory_order_acquire);
}

/* The list's guard is held, here and below. */
static void task_wait_begin(struct vkf_task *task, struct vkf_list *after)
{
	vkf_list_add(&task->wait, after);
	atomic_store_explicit(&task->waiting, true, memory_order_release);
}

static void task_wait_end(struct vkf_task *task)
{
	vkf_list_del(&task->wait);
	atomic_store_explicit(&task->waiting, false, memory_order_release);
}

static void wake_first(struct vkf_list *waiters)
{
	struct vkf_task *task;

	if (vkf_list_empty(waiters))
		return;
	task = vkf_list_first(waiters, struct vkf_task, wait);
	task_wait_end(task);
	vkf_unpark(task);
}

#ifdef VKFD_DEBUG

static void rank_check(struct vkf_task *task, enum vkf_rank rank)
{
	unsigned int i;

	for (i = 0; i < task->n_held; i++) {
		if (task->held[i]->rank >= rank)
			vkf_panic(__FILE__, __LINE__, "lock rank reversal");
	}
	if (task->n_ww && rank <= VKF_RANK_RESV)
		vkf_panic(__FILE__, __LINE__, "lock rank reversal under a reservation");
}

/* Before @m is waited for. */
static void debug_may_lock(const struct vkf_mutex *m)
{
	rank_check(vkf_current(), m->rank);
}

/* As debug_may_lock(), and beside others of its rank under @outer. */
static void debug_may_lock_nested(const struct vkf_mutex *m, const struct vkf_mutex *outer)
{
	if (outer->owner != vkf_current() || outer->rank >= m->rank)
		vkf_panic(__FILE__, __LINE__, "nested lock without the one around it");
	rank_check(vkf_current(), m->rank + 1);
}

static void debug_locked(struct vkf_mutex *m)
{
	struct vkf_task *task = vkf_current();

	if (task->n_held == VKF_ARRAY_SIZE(task->held))
		vkf_panic(__FILE__, __LINE__, "too many mutexes held");
	task->held[task->n_held++] = m;
	m->owner = task;
}

static void debug_unlock(struct vkf_mutex *m)
{
	struct vkf_task *task = vkf_current();
	unsigned int i;

	if (m->owner != task)
		vkf_panic(__FILE__, __LINE__, "mutex unlocked by a task that does not hold it");
	m->owner = NULL;
	for (i = task->n_held; i-- > 0;) {
		if (task->held[i] != m)
			continue;
		for (; i + 1 < task->n_held; i++)
			task->held[i] = task->held[i + 1];
		task->n_held--;
		return;
	}
}

/* Before a wait that gives @m back and takes it again: it must be the innermost. */
static void debug_may_wait(const struct vkf_mutex *m)
{
	struct vkf_task *task = vkf_current();
	unsigned int i;

	if (m->owner != task)
		vkf_panic(__FILE__, __LINE__, "wait without the mutex held");
	for (i = 0; i < task->n_held; i++) {
		if (task->held[i] != m && task->held[i]->rank >= m->rank)
			vkf_panic(__FILE__, __LINE__, "lock rank reversal in a wait");
	}
	if (task->n_ww && m->rank <= VKF_RANK_RESV)
		vkf_panic(__FILE__, __LINE__, "lock rank reversal in a wait under a reservation");
}

#else

static void debug_may_lock(const struct vkf_mutex *m)
{
}

static void debug_may_lock_nested(const struct vkf_mutex *m, const struct vkf_mutex *outer)
{
}

static void debug_may_wait(const struct vkf_mutex *m)
{
}

static void debug_locked(struct vkf_mutex *m)
{
}

static void debug_unlock(struct vkf_mutex *m)
{
}

#endif

void vkf_mutex_init(struct vkf_mutex *m, enum vkf_rank rank)
{
	atomic_init(&m->state, MUTEX_FREE);
	atomic_flag_clear(&m->guard);
	m->rank = rank;
	vkf_list_init(&m->waiters);
	m->owner = NULL;
}

void vkf_mutex_fini(struct vkf_mutex *m)
{
	/* The one who unlocked it before us may still be waking nobody under the guard. */
	vkf_guard_lock(&m->guard);
	VKF_ASSERT(atomic_load_explicit(&m->state, memory_order_relaxed) == MUTEX_FREE);
	VKF_ASSERT(vkf_list_empty(&m->waiters));
	vkf_guard_unlock(&m->guard);
}

static bool mutex_take_fast(struct vkf_mutex *m)
{
	unsigned int was = MUTEX_FREE;

	return atomic_compare_exchange_strong_explicit(&m->state, &was, MUTEX_HELD,
						       memory_order_acquire, memory_order_relaxed);
}

/*
 * Try to take @m, with its guard held. On failure the owner is left marked as
 * contended, so that its unlock looks for waiters.
 */
static bool mutex_take_guarded(struct vkf_mutex *m, struct vkf_task *task)
{
	if (atomic_exchange_explicit(&m->state, MUTEX_CONTENDED, memory_order_acquire) !=
	    MUTEX_FREE)
		return false;
	if (task_is_waiting(task))
		task_wait_end(task);
	if (vkf_list_empty(&m->waiters))
		atomic_store_explicit(&m->state, MUTEX_HELD, memory_order_relaxed);
	return true;
}

/*
 * An unlocker takes one waiter off the list and frees the mutex; somebody else may
 * take it before that waiter runs, who then goes back to the front. Whoever is off
 * the list tries once more before it gives up on an interruption, and by that marks
 * the mutex as contended: a wake-up is never lost.
 */
static int mutex_lock_wait(struct vkf_mutex *m, bool interruptible)
{
	struct vkf_task *task = vkf_current();
	bool queued = false;
	int r = 0;

	vkf_guard_lock(&m->guard);
	while (!mutex_take_guarded(m, task)) {
		if (interruptible && vkf_interrupted()) {
			if (task_is_waiting(task))
				task_wait_end(task);
			r = -VKF_ERESTARTSYS;
			break;
		}
		if (!task_is_waiting(task))
			task_wait_begin(task, queued ? &m->waiters : m->waiters.prev);
		queued = true;
		vkf_guard_unlock(&m->guard);
		vkf_park_in("mutex", m, VKF_FOREVER);
		vkf_guard_lock(&m->guard);
	}
	vkf_guard_unlock(&m->guard);
	return r;
}

static int mutex_lock(struct vkf_mutex *m, bool interruptible)
{
	int r;

	vkf_point("lock");
	debug_may_lock(m);
	if (!mutex_take_fast(m)) {
		r = mutex_lock_wait(m, interruptible);
		if (r)
			return r;
	}
	debug_locked(m);
	return 0;
}

VKF_NO_TS void vkf_mutex_lock_nested(struct vkf_mutex *m, const struct vkf_mutex *outer)
{
	vkf_point("lock");
	debug_may_lock_nested(m, outer);
	if (!mutex_take_fast(m))
		(void)mutex_lock_wait(m, false);
	debug_locked(m);
}

VKF_NO_TS void vkf_mutex_lock(struct vkf_mutex *m)
{
	(void)mutex_lock(m, false);
}

VKF_NO_TS int vkf_mutex_lock_interruptible(struct vkf_mutex *m)
{
	return mutex_lock(m, true);
}

VKF_NO_TS bool vkf_mutex_trylock(struct vkf_mutex *m)
{
	vkf_point("trylock");
	if (!mutex_take_fast(m))
		return false;
	debug_locked(m);
	return true;
}

/*
 * Without waiters the compare-exchange is the last access to @m; with them, giving
 * back the guard is, and vkf_mutex_fini() takes that.
 */
static void mutex_release(struct vkf_mutex *m)
{
	unsigned int was = MUTEX_HELD;

	if (atomic_compare_exchange_strong_explicit(&m->state, &was, MUTEX_FREE,
						    memory_order_release, memory_order_relaxed))
		return;
	vkf_guard_lock(&m->guard);
	atomic_store_explicit(&m->state, MUTEX_FREE, memory_order_release);
	wake_first(&m->waiters);
	vkf_guard_unlock(&m->guard);
}

VKF_NO_TS void vkf_mutex_unlock(struct vkf_mutex *m)
{
	debug_unlock(m);
	mutex_release(m);
	vkf_point("unlock");
}

void vkf_assert_held(const struct vkf_mutex *m)
{
	VKF_ASSERT(m->owner == vkf_current());
}

void vkf_cond_init(struct vkf_cond *c)
{
	atomic_flag_clear(&c->guard);
	vkf_list_init(&c->waiters);
}

/* Sleep until a broadcast took @task off the list, or it must give up. */
static int cond_sleep(struct vkf_cond *c, struct vkf_task *task, uint64_t deadline_ns,
		      bool interruptible)
{
	while (task_is_waiting(task)) {
		if (interruptible && vkf_interrupted())
			return -VKF_ERESTARTSYS;
		if (deadline_ns != VKF_FOREVER && vkf_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		vkf_park_in("cond", c, deadline_ns);
	}
	return 0;
}

VKF_NO_TS int vkf_cond_wait(struct vkf_cond *c, struct vkf_mutex *m, uint64_t deadline_ns,
			    bool interruptible)
{
	struct vkf_task *task = vkf_current();
	int r;

	debug_may_wait(m);
	vkf_guard_lock(&c->guard);
	task_wait_begin(task, c->waiters.prev);
	vkf_guard_unlock(&c->guard);
	vkf_mutex_unlock(m);
	r = cond_sleep(c, task, deadline_ns, interruptible);
	vkf_guard_lock(&c->guard);
	if (task_is_waiting(task))
		task_wait_end(task);
	vkf_guard_unlock(&c->guard);
	vkf_mutex_lock(m);
	return r;
}

void vkf_cond_broadcast(struct vkf_cond *c)
{
	vkf_guard_lock(&c->guard);
	while (!vkf_list_empty(&c->waiters))
		wake_first(&c->waiters);
	vkf_guard_unlock(&c->guard);
	vkf_point("broadcast");
}
