/* SPDX-License-Identifier: MIT */
#include "base/wwlock.h"

#include <errno.h>
#include "base/guard.h"
#include "base/lock.h"

#ifdef VKFD_DEBUG

/* Before it is waited for; @ctx as given to vkf_wwlock_lock(). */
static void debug_may_lock(struct vkf_task *task, const struct vkf_ww_ctx *ctx)
{
	unsigned int i;

	for (i = 0; i < task->n_held; i++) {
		if (task->held[i]->rank >= VKF_RANK_RESV)
			vkf_panic(__FILE__, __LINE__, "reservation taken inside an inner lock");
	}
	if (task->n_ww && !ctx)
		vkf_panic(__FILE__, __LINE__, "second reservation without a lock context");
	if (ctx && ctx->stamp != task->ww_stamp)
		vkf_panic(__FILE__, __LINE__, "lock context of another task");
}

#else

static void debug_may_lock(struct vkf_task *task, const struct vkf_ww_ctx *ctx)
{
}

#endif

/* struct ww_waiter - somebody in vkf_wwlock_lock(); on its stack, protected by the lock's guard */
struct ww_waiter {
	struct vkf_list node;
	struct vkf_task *task;
	uint64_t stamp; /* of its context, or its own age when it has none */
	bool holds;     /* other wwlocks: it may have to die */
};

static uint64_t ww_next_stamp(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

void vkf_ww_begin(struct vkf_ww_ctx *ctx)
{
	struct vkf_task *task = vkf_current();

	VKF_ASSERT(task->ww_stamp == 0);
	/* One held alone has no age, so others would wait for it while it waits for them. */
	VKF_ASSERT(task->n_ww == 0);
	ctx->stamp = ww_next_stamp();
	ctx->n_held = 0;
	task->ww_stamp = ctx->stamp;
}

void vkf_ww_end(struct vkf_ww_ctx *ctx)
{
	struct vkf_task *task = vkf_current();

	VKF_ASSERT(ctx->n_held == 0);
	VKF_ASSERT(task->ww_stamp == ctx->stamp);
	task->ww_stamp = 0;
}

void vkf_wwlock_init(struct vkf_wwlock *w)
{
	atomic_flag_clear(&w->guard);
	vkf_list_init(&w->waiters);
	atomic_init(&w->owner, NULL);
	w->ctx = NULL;
	w->stamp = 0;
}

static struct vkf_task *ww_owner(const struct vkf_wwlock *w)
{
	return atomic_load_explicit(&w->owner, memory_order_relaxed);
}

void vkf_wwlock_fini(struct vkf_wwlock *w)
{
	vkf_guard_lock(&w->guard);
	VKF_ASSERT(!ww_owner(w));
	VKF_ASSERT(vkf_list_empty(&w->waiters));
	vkf_guard_unlock(&w->guard);
}

static struct ww_waiter *ww_first(const struct vkf_wwlock *w)
{
	if (vkf_list_empty(&w->waiters))
		return NULL;
	return vkf_list_first(&w->waiters, struct ww_waiter, node);
}

/* From here on to vkf_wwlock_lock() the guard of @w is held. */
static void ww_queue(struct vkf_wwlock *w, struct ww_waiter *me)
{
	struct vkf_list *pos = w->waiters.prev;

	while (pos != &w->waiters && vkf_list_entry(pos, struct ww_waiter, node)->stamp > me->stamp)
		pos = pos->prev;
	vkf_list_add(&me->node, pos);
}

/* Nobody has it, and of those who want it none is older. */
static bool ww_is_my_turn(const struct vkf_wwlock *w, const struct ww_waiter *me)
{
	const struct ww_waiter *first = ww_first(w);

	return !ww_owner(w) && (!first || first == me || me->stamp < first->stamp);
}

static bool ww_must_die(const struct vkf_wwlock *w, const struct ww_waiter *me)
{
	const struct ww_waiter *first = ww_first(w);

	if (!me->holds)
		return false;
	if (ww_owner(w) && w->stamp && w->stamp < me->stamp)
		return true;
	return first && first != me && first->stamp < me->stamp;
}

static void ww_take(struct vkf_wwlock *w, struct vkf_task *task, struct vkf_ww_ctx *ctx)
{
	struct ww_waiter *other;

	atomic_store_explicit(&w->owner, task, memory_order_relaxed);
	w->ctx = ctx;
	w->stamp = task->ww_stamp;
	task->n_ww++;
	if (ctx)
		ctx->n_held++;
	/* They waited for a younger owner; now they may have to die. */
	vkf_list_for_each(other, &w->waiters, node) {
		if (other->holds)
			vkf_unpark(other->task);
	}
}

/*
 * Nobody leaves the queue without the lock when it is its turn: that is looked at
 * first. So there is no turn to pass on.
 */
static int ww_wait_turn(struct vkf_wwlock *w, struct ww_waiter *me, bool interruptible)
{
	int r = 0;

	if (ww_is_my_turn(w, me))
		return 0;
	if (ww_must_die(w, me))
		return -EDEADLK;
	ww_queue(w, me);
	while (!r && !ww_is_my_turn(w, me)) {
		if (ww_must_die(w, me)) {
			r = -EDEADLK;
		} else if (interruptible && vkf_interrupted()) {
			r = -VKF_ERESTARTSYS;
		} else {
			vkf_guard_unlock(&w->guard);
			vkf_park_in("wwlock", w, VKF_FOREVER);
			vkf_guard_lock(&w->guard);
		}
	}
	vkf_list_del(&me->node);
	return r;
}

int vkf_wwlock_lock(struct vkf_wwlock *w, struct vkf_ww_ctx *ctx, bool interruptible)
{
	struct ww_waiter me = { .task = vkf_current() };
	int r;

	vkf_point("wwlock");
	if (ww_owner(w) == me.task)
		return -EALREADY;
	debug_may_lock(me.task, ctx);
	me.stamp = ctx ? ctx->stamp : ww_next_stamp();
	me.holds = me.task->n_ww > 0;
	vkf_list_init(&me.node);

	vkf_guard_lock(&w->guard);
	r = ww_wait_turn(w, &me, interruptible);
	if (!r)
		ww_take(w, me.task, ctx);
	vkf_guard_unlock(&w->guard);
	return r;
}

void vkf_wwlock_lock_slow(struct vkf_wwlock *w, struct vkf_ww_ctx *ctx)
{
	int r;

	/* With nothing held there is nothing to die for, so there is no failure. */
	VKF_ASSERT(vkf_current()->n_ww == 0);
	r = vkf_wwlock_lock(w, ctx, false);
	VKF_ASSERT(r == 0);
	(void)r;
}

bool vkf_wwlock_trylock(struct vkf_wwlock *w)
{
	bool taken = false;

	vkf_point("trylock");
	vkf_guard_lock(&w->guard);
	if (!ww_owner(w) && vkf_list_empty(&w->waiters)) {
		ww_take(w, vkf_current(), NULL);
		taken = true;
	}
	vkf_guard_unlock(&w->guard);
	return taken;
}

void vkf_wwlock_unlock(struct vkf_wwlock *w)
{
	struct vkf_task *task = vkf_current();

	VKF_ASSERT(ww_owner(w) == task);
	vkf_guard_lock(&w->guard);
	if (w->ctx)
		w->ctx->n_held--;
	task->n_ww--;
	w->ctx = NULL;
	w->stamp = 0;
	atomic_store_explicit(&w->owner, NULL, memory_order_relaxed);
	if (ww_first(w))
		vkf_unpark(ww_first(w)->task);
	vkf_guard_unlock(&w->guard);
	vkf_point("wwunlock");
}

bool vkf_wwlock_is_mine(const struct vkf_wwlock *w)
{
	return ww_owner(w) == vkf_current();
}
