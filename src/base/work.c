/* SPDX-License-Identifier: MIT */
#include "base/work.h"

#include <errno.h>
#include "base/env.h"

/* How long a task that is not the last idle one waits for something to do. */
#define IDLE_NS (50 * VKF_NSEC_PER_MSEC)

/*
 * Whoever changes what is pending, or goes off to run a work, calls see_to_it(). So
 * while anything is pending that no task is inside, some task is awake and will look,
 * or the first idle one sleeps no longer than until it is due, or every task that can
 * be had is inside a work and looks when that ends.
 */

/* struct vkf_worker - one task's place; protected by the queue's lock */
struct vkf_worker {
	struct vkf_workq *wq;  /* constant */
	struct vkf_task *task; /* NULL: none has been here since the last was joined */
	bool ended;            /* @task has nothing more to do but to end */
	struct vkf_list node;  /* linked: idle */
	struct vkf_cond wake;
	uint64_t deadline; /* when idle: how long it sleeps */
};

static void worker_main(void *arg);

/* Not one whose task is inside it: that looks again when it comes out. */
static struct vkf_work *next_work(struct vkf_workq *wq) VKF_REQUIRES(wq->lock)
{
	struct vkf_work *work;

	vkf_list_for_each(work, &wq->pending, node) {
		if (!work->running)
			return work;
	}
	return NULL;
}

static uint64_t next_due(struct vkf_workq *wq) VKF_REQUIRES(wq->lock)
{
	const struct vkf_work *work = next_work(wq);

	return work ? work->due : VKF_FOREVER;
}

/* ------------------------------------------------ tasks */

static struct vkf_worker *free_place(struct vkf_workq *wq) VKF_REQUIRES(wq->lock)
{
	struct vkf_worker *w;

	for (w = wq->workers; w < wq->workers + wq->max_active; w++) {
		if (!w->task)
			return w;
	}
	for (w = wq->workers; w < wq->workers + wq->max_active; w++) {
		if (w->ended)
			break;
	}
	/* It needs no lock any more, so it can be waited for with one. */
	vkf_join(w->task);
	w->task = NULL;
	w->ended = false;
	return w;
}

static int start_worker(struct vkf_workq *wq) VKF_REQUIRES(wq->lock)
{
	struct vkf_worker *w = free_place(wq);
	int r;

	wq->n_workers++;
	wq->n_awake++;
	r = vkf_spawn(wq->name, worker_main, w, &w->task);
	if (r) {
		wq->n_workers--;
		wq->n_awake--;
	}
	return r;
}

static void wake_worker(struct vkf_workq *wq, struct vkf_worker *w) VKF_REQUIRES(wq->lock)
{
	vkf_list_del(&w->node);
	wq->n_awake++;
	vkf_cond_broadcast(&w->wake);
}

static void see_to_it(struct vkf_workq *wq) VKF_REQUIRES(wq->lock)
{
	uint64_t due = next_due(wq);

	if (due == VKF_FOREVER || wq->n_awake)
		return;
	if (!vkf_list_empty(&wq->idle)) {
		struct vkf_worker *first = vkf_list_first(&wq->idle, struct vkf_worker, node);

		if (due < first->deadline)
			wake_worker(wq, first);
	} else if (wq->n_workers < wq->max_active) {
		/* If there is none to be had, those that there are look when they are done. */
		(void)start_worker(wq);
	}
}

static bool is_first(const struct vkf_workq *wq, const struct vkf_worker *w)
{
	return wq->idle.next == &w->node;
}

static bool is_last(const struct vkf_workq *wq)
{
	return wq->idle.next->next == &wq->idle;
}

/* The last one stays for users, and to watch the clock. */
static bool must_stay(struct vkf_workq *wq) VKF_REQUIRES(wq->lock)
{
	return is_last(wq) && (wq->n_users || next_due(wq) != VKF_FOREVER);
}

static uint64_t sleep_until(struct vkf_workq *wq, const struct vkf_worker *w, uint64_t end)
	VKF_REQUIRES(wq->lock)
{
	uint64_t deadline = must_stay(wq) ? VKF_FOREVER : end;

	return is_first(wq, w) ? VKF_MIN(deadline, next_due(wq)) : deadline;
}

/* Nothing is due. Return: whether to look again, or else to end. */
static bool rest(struct vkf_workq *wq, struct vkf_worker *w) VKF_REQUIRES(wq->lock)
{
	uint64_t end = vkf_now_ns() + IDLE_NS, now;
	struct vkf_task *me = vkf_current();
	bool stay = true;

	vkf_list_add(&w->node, &wq->idle);
	wq->n_awake--;
	me->idle = true;
	for (;;) {
		w->deadline = sleep_until(wq, w, end);
		(void)vkf_cond_wait(&w->wake, &wq->lock, w->deadline, false);
		if (vkf_list_empty(&w->node))
			break; /* woken, and counted as awake */
		now = vkf_now_ns();
		stay = now < end || must_stay(wq);
		if (!stay || (is_first(wq, w) && next_due(wq) <= now)) {
			vkf_list_del(&w->node);
			wq->n_awake++;
			break;
		}
	}
	me->idle = false;
	return stay && !wq->stopping;
}

static void run(struct vkf_workq *wq, struct vkf_work *work) VKF_REQUIRES(wq->lock)
{
	vkf_list_del(&work->node);
	work->running = true;
	wq->n_awake--;
	see_to_it(wq);
	vkf_mutex_unlock(&wq->lock);
	work->fn(work);
	vkf_mutex_lock(&wq->lock);
	wq->n_awake++;
	work->running = false;
	work->n_runs++;
	vkf_cond_broadcast(&wq->done);
}

static void worker_main(void *arg)
{
	struct vkf_worker *w = arg;
	struct vkf_workq *wq = w->wq;

	vkf_mutex_lock(&wq->lock);
	do {
		struct vkf_work *work;

		while ((work = next_work(wq)) && work->due <= vkf_now_ns())
			run(wq, work);
	} while (!wq->stopping && rest(wq, w));
	wq->n_awake--;
	wq->n_workers--;
	w->ended = true;
	/* The clock it watched has another watcher. */
	see_to_it(wq);
	vkf_mutex_unlock(&wq->lock);
}

/* ------------------------------------------------ queues */

int vkf_workq_init(struct vkf_workq *wq, const char *name, unsigned int max_active)
{
	*wq = (struct vkf_workq){ .name = name, .max_active = max_active };
	wq->workers = vkf_calloc(max_active, sizeof(*wq->workers));
	if (!wq->workers)
		return -ENOMEM;
	for (unsigned int i = 0; i < max_active; i++) {
		wq->workers[i].wq = wq;
		vkf_list_init(&wq->workers[i].node);
		vkf_cond_init(&wq->workers[i].wake);
	}
	vkf_mutex_init(&wq->lock, VKF_RANK_LEAF);
	vkf_list_init(&wq->pending);
	vkf_list_init(&wq->idle);
	vkf_cond_init(&wq->done);
	return 0;
}

void vkf_workq_fini(struct vkf_workq *wq)
{
	vkf_mutex_lock(&wq->lock);
	VKF_ASSERT(vkf_list_empty(&wq->pending));
	wq->stopping = true;
	while (!vkf_list_empty(&wq->idle))
		wake_worker(wq, vkf_list_first(&wq->idle, struct vkf_worker, node));
	vkf_mutex_unlock(&wq->lock);
	for (unsigned int i = 0; i < wq->max_active; i++) {
		if (wq->workers[i].task)
			vkf_join(wq->workers[i].task);
	}
	vkf_mutex_fini(&wq->lock);
	vkf_free(wq->workers);
}

int vkf_workq_prepare(struct vkf_workq *wq)
{
	int r;

	vkf_mutex_lock(&wq->lock);
	r = wq->n_workers ? 0 : start_worker(wq);
	if (!r)
		wq->n_users++;
	vkf_mutex_unlock(&wq->lock);
	return r;
}

void vkf_workq_release(struct vkf_workq *wq)
{
	vkf_mutex_lock(&wq->lock);
	VKF_ASSERT(wq->n_users);
	/* The one that stayed begins to count. */
	if (!--wq->n_users && !vkf_list_empty(&wq->idle))
		wake_worker(wq, vkf_list_first(&wq->idle, struct vkf_worker, node));
	vkf_mutex_unlock(&wq->lock);
}

/* ------------------------------------------------ works */

void vkf_work_init(struct vkf_work *work, struct vkf_workq *wq, void (*fn)(struct vkf_work *work))
{
	*work = (struct vkf_work){ .wq = wq, .fn = fn };
	vkf_list_init(&work->node);
}

/* Behind those of the same time. */
static void insert(struct vkf_workq *wq, struct vkf_work *work, uint64_t delay_ns)
	VKF_REQUIRES(wq->lock)
{
	uint64_t now = vkf_now_ns();
	struct vkf_list *after = &wq->pending;

	work->due = delay_ns < VKF_FOREVER - now ? now + delay_ns : VKF_FOREVER - 1;
	while (after->prev != &wq->pending &&
	       vkf_list_entry(after->prev, struct vkf_work, node)->due > work->due)
		after = after->prev;
	vkf_list_add_tail(&work->node, after);
}

bool vkf_work_queue(struct vkf_work *work, uint64_t delay_ns)
{
	struct vkf_workq *wq = work->wq;
	bool fresh;

	vkf_mutex_lock(&wq->lock);
	fresh = vkf_list_empty(&work->node) && !work->n_cancels;
	if (fresh)
		insert(wq, work, delay_ns);
	see_to_it(wq);
	vkf_mutex_unlock(&wq->lock);
	return fresh;
}

bool vkf_work_mod(struct vkf_work *work, uint64_t delay_ns)
{
	struct vkf_workq *wq = work->wq;
	bool was;

	vkf_mutex_lock(&wq->lock);
	was = !vkf_list_empty(&work->node) || work->n_cancels;
	vkf_list_del(&work->node);
	if (!work->n_cancels)
		insert(wq, work, delay_ns);
	see_to_it(wq);
	vkf_mutex_unlock(&wq->lock);
	return was;
}

bool vkf_work_cancel_sync(struct vkf_work *work)
{
	struct vkf_workq *wq = work->wq;
	bool was;

	vkf_mutex_lock(&wq->lock);
	was = !vkf_list_empty(&work->node);
	vkf_list_del(&work->node);
	vkf_cond_broadcast(&wq->done);
	work->n_cancels++;
	while (work->running)
		(void)vkf_cond_wait(&wq->done, &wq->lock, VKF_FOREVER, false);
	work->n_cancels--;
	vkf_mutex_unlock(&wq->lock);
	return was;
}

void vkf_work_flush(struct vkf_work *work)
{
	struct vkf_workq *wq = work->wq;
	uint64_t target;

	vkf_mutex_lock(&wq->lock);
	target = work->n_runs + work->running;
	if (!vkf_list_empty(&work->node)) {
		vkf_list_del(&work->node);
		insert(wq, work, 0);
		see_to_it(wq);
		target++;
	}
	while (work->n_runs < target && (work->running || !vkf_list_empty(&work->node)))
		(void)vkf_cond_wait(&wq->done, &wq->lock, VKF_FOREVER, false);
	vkf_mutex_unlock(&wq->lock);
}

bool vkf_work_is_pending(struct vkf_work *work)
{
	bool pending;

	vkf_mutex_lock(&work->wq->lock);
	pending = !vkf_list_empty(&work->node);
	vkf_mutex_unlock(&work->wq->lock);
	return pending;
}
