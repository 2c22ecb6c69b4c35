/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_LOCK_H
#define VKFD_BASE_LOCK_H

/**
 * DOC: Locks and conditions
 *
 * One mutex and one condition over vkf_park()/vkf_unpark(). Ranks go from the
 * outermost inwards; a debug build panics when a task takes a lock of a rank not
 * greater than its innermost held one (but see base/wwlock.h for VKF_RANK_RESV).
 *
 * A mutex may be finished and freed by whoever unlocked it last, even while an
 * earlier owner is still inside vkf_mutex_unlock(). Scheduling points (vkf_point())
 * are before each taking and after each release.
 */
#include "base/sched.h"

/* Outermost first. docs/LOCKING.md names each lock. */
enum vkf_rank {
	VKF_RANK_DRIVER = 1, /* lists of clients and files */
	VKF_RANK_CLIENT,     /* one client: its files, its kfd process */
	VKF_RANK_PROCESS,    /* kfd process: handles, what is mapped */
	VKF_RANK_QUEUE,      /* kfd process: which queues run */
	VKF_RANK_EVENT,      /* kfd events and their waiters */
	VKF_RANK_MM_CLIENT,  /* mm: a client's buffers, map and unmap against restore */
	VKF_RANK_VM,         /* one VM's ranges and tables */
	VKF_RANK_RESV,       /* reservation objects (wait-die) */
	VKF_RANK_LRU,        /* resource managers, LRU lists */
	VKF_RANK_DEVICE,     /* one GPU's queue slots and control block */
	VKF_RANK_FENCE,      /* fences and timelines */
	VKF_RANK_LEAF,       /* anything that calls nothing else */
};

struct VKF_CAPABILITY("mutex") vkf_mutex {
	atomic_uint state;       /* 0 free, 1 held, 2 held with waiters */
	atomic_flag guard;       /* protects @waiters */
	enum vkf_rank rank;
	struct vkf_list waiters; /* of vkf_task.wait */
	struct vkf_task *owner;  /* debug builds; written by the holder only */
};

void vkf_mutex_init(struct vkf_mutex *m, enum vkf_rank rank);
/* Free, and with no waiter. */
void vkf_mutex_fini(struct vkf_mutex *m);
void vkf_mutex_lock(struct vkf_mutex *m) VKF_ACQUIRE(*m);
/*
 * One more of the rank of the innermost: right only where whoever holds two of them holds @outer, too.
 */
void vkf_mutex_lock_nested(struct vkf_mutex *m, const struct vkf_mutex *outer) VKF_ACQUIRE(*m);
/* Return: 0 with @m held, or -ERESTARTSYS (512). */
int vkf_mutex_lock_interruptible(struct vkf_mutex *m) VKF_TRY_ACQUIRE(0, *m) VKF_MUST_CHECK;
bool vkf_mutex_trylock(struct vkf_mutex *m) VKF_TRY_ACQUIRE(true, *m) VKF_MUST_CHECK;
void vkf_mutex_unlock(struct vkf_mutex *m) VKF_RELEASE(*m);
void vkf_assert_held(const struct vkf_mutex *m);

struct vkf_cond {
	atomic_flag guard;
	struct vkf_list waiters;
};

void vkf_cond_init(struct vkf_cond *c);

/**
 * vkf_cond_wait() - release @m, sleep, take @m again
 * @deadline_ns: absolute, or VKF_FOREVER
 * @interruptible: whether vkf_task_interrupt() ends the wait
 *
 * Return: 0 (perhaps spuriously), -ETIMEDOUT, or -ERESTARTSYS (512). @m is held again in each case.
 */
int vkf_cond_wait(struct vkf_cond *c, struct vkf_mutex *m, uint64_t deadline_ns,
		  bool interruptible) VKF_REQUIRES(*m);
/* Any task, with or without the mutex. */
void vkf_cond_broadcast(struct vkf_cond *c);

#endif
