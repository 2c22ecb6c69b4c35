/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_LOCK_H
#define VKFD_BASE_LOCK_H

/**
 * DOC: Locks, conditions, and locks taken in any order
 *
 * One mutex and one condition over vkf_park()/vkf_unpark(). Ranks go from the
 * outermost inwards; a debug build panics when a task takes a lock of a rank not
 * greater than its innermost held one (VKF_RANK_RESV, the wait-die kind, may
 * nest in itself, but only inside a lock context).
 *
 * A vkf_wwlock is for many locks of one rank in an order nobody can know: all
 * are taken under one vkf_ww_ctx, which has an age; an older context waits for
 * a younger one, a younger one gets -EDEADLK, releases all it holds, and starts
 * again with the contended lock (wait-die). A context that holds nothing yet
 * waits for anybody. Waiters get a lock in order of age, so each gets it.
 *
 * A mutex may be finished and freed by whoever unlocked it last, even while an
 * earlier owner is still inside vkf_mutex_unlock(); the same holds for a
 * vkf_wwlock. Scheduling points (vkf_point()) are before each taking and after
 * each release.
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

/* struct vkf_ww_ctx - one attempt to hold many vkf_wwlocks; on the stack of one task */
struct vkf_ww_ctx {
	uint64_t stamp;     /* age: smaller is older and wins */
	unsigned int n_held;
};

struct VKF_CAPABILITY("wwlock") vkf_wwlock {
	atomic_flag guard;                /* protects the rest, held only briefly */
	struct vkf_list waiters;          /* of lock.c's struct ww_waiter, oldest first */
	_Atomic(struct vkf_task *) owner; /* written under @guard */
	struct vkf_ww_ctx *ctx;           /* of the owner, or NULL when taken alone */
	uint64_t stamp;                   /* age of the context its owner has open, 0 = none */
};

void vkf_wwlock_init(struct vkf_wwlock *w);
void vkf_wwlock_fini(struct vkf_wwlock *w);
/* One context at a time in a task, and no vkf_wwlock held. */
void vkf_ww_begin(struct vkf_ww_ctx *ctx);
/* All locks of @ctx are released by now. */
void vkf_ww_end(struct vkf_ww_ctx *ctx);

/**
 * vkf_wwlock_lock() - take @w alone (@ctx NULL) or as one of many
 *
 * Return: 0; -EALREADY: this task holds it already; -EDEADLK: an older context has it or waits for
 * it, so release every vkf_wwlock this task holds and take @w first with vkf_wwlock_lock_slow();
 * -ERESTARTSYS (512) when @interruptible.
 */
int vkf_wwlock_lock(struct vkf_wwlock *w, struct vkf_ww_ctx *ctx, bool interruptible)
	VKF_MUST_CHECK;
/* After -EDEADLK, with no vkf_wwlock held: waits as long as it takes. */
void vkf_wwlock_lock_slow(struct vkf_wwlock *w, struct vkf_ww_ctx *ctx);
/*
 * Take @w alone if it is free and nobody waits for it; whatever else is held. It belongs to no
 * context, but one that is open in this task still gives it its age.
 */
bool vkf_wwlock_trylock(struct vkf_wwlock *w) VKF_MUST_CHECK;
void vkf_wwlock_unlock(struct vkf_wwlock *w);
bool vkf_wwlock_is_mine(const struct vkf_wwlock *w);

#endif
