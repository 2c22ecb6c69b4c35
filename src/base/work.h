/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_WORK_H
#define VKFD_BASE_WORK_H

/**
 * DOC: Work that is done by somebody else, now or later
 *
 * A work is a function that a task of its queue runs, at once or after a delay.
 * Queueing is for places where nothing may fail or wait: it allocates nothing, and
 * may be done with any lock held but one of rank LEAF. A work runs in one task at a
 * time: queued while it runs, it runs once more afterwards. Works that are due run
 * in the order in which they became so, up to @max_active of them side by side; a
 * queue with 1 is ordered.
 *
 * Tasks are started on demand and end when they have had nothing to do for a while.
 * Who must be sure that there will be one calls vkf_workq_prepare() where failing is
 * still possible: from then on one stays, asleep and without a timer, so that work is
 * done even when no other task can be started.
 */
#include "base/lock.h"

struct vkf_work;
struct vkf_worker;

struct vkf_workq {
	const char *name;           /* constant, as the next; of its tasks */
	unsigned int max_active;
	struct vkf_mutex lock;      /* rank LEAF; protects the rest, and all works of the queue */
	struct vkf_list pending;    /* of vkf_work.node, in order of time */
	struct vkf_worker *workers; /* @max_active of them */
	struct vkf_list idle;       /* of vkf_worker.node; the first one watches the clock */
	unsigned int n_workers;     /* tasks that have not ended */
	unsigned int n_awake;       /* of those: neither idle nor inside a work */
	unsigned int n_users;       /* for whom one stays */
	struct vkf_cond done;       /* a work has ended, or is not pending any more */
	bool stopping;
};

/* struct vkf_work - embedded in what it works on; protected by its queue's lock */
struct vkf_work {
	struct vkf_workq *wq;       /* constant, as the next */
	void (*fn)(struct vkf_work *work);
	struct vkf_list node;       /* linked: pending */
	uint64_t due;               /* when pending */
	uint64_t n_runs;            /* how often it has ended */
	bool running;
	unsigned int n_cancels;     /* under way: it cannot be queued */
};

/* Return: 0 or -ENOMEM. */
int vkf_workq_init(struct vkf_workq *wq, const char *name, unsigned int max_active);
/* No work of it is pending or running; waits for its tasks to end. */
void vkf_workq_fini(struct vkf_workq *wq);
/* See that there is a task, until as many calls of release. Return: 0, -ENOMEM or -EAGAIN. */
int vkf_workq_prepare(struct vkf_workq *wq) VKF_MUST_CHECK;
void vkf_workq_release(struct vkf_workq *wq);

/* @fn is called with no lock held. A work may be freed when vkf_work_cancel_sync() has returned. */
void vkf_work_init(struct vkf_work *work, struct vkf_workq *wq, void (*fn)(struct vkf_work *work));
/* Run it in @delay_ns; if it is pending already, that stays as it is, and one that is being
 * cancelled is not queued. Return: whether it will run once more. */
bool vkf_work_queue(struct vkf_work *work, uint64_t delay_ns);
/* Run it in @delay_ns from now, whatever was said before. Return: whether this is no further run:
 * it was pending, or is being cancelled. */
bool vkf_work_mod(struct vkf_work *work, uint64_t delay_ns);
/* Neither pending nor running when this returns, unless it is queued later than that. Not from the
 * work itself, nor with a lock held that it takes. Return: whether it was pending. */
bool vkf_work_cancel_sync(struct vkf_work *work);
/* If it is pending, its time has come; wait until what was pending or running has ended. */
void vkf_work_flush(struct vkf_work *work);
bool vkf_work_is_pending(struct vkf_work *work);

#endif
