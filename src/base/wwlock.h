/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_WWLOCK_H
#define VKFD_BASE_WWLOCK_H

/**
 * DOC: Locks taken in any order (wait-die)
 *
 * A vkf_wwlock is for many locks of one rank in an order nobody can know: all
 * are taken under one vkf_ww_ctx, which has an age; an older context waits for
 * a younger one, a younger one gets -EDEADLK, releases all it holds, and starts
 * again with the contended lock (wait-die). A context that holds nothing yet
 * waits for anybody. Waiters get a lock in order of age, so each gets it.
 *
 * All of them are of rank VKF_RANK_RESV, which may nest in itself, but only inside
 * a context. One may be finished and freed by whoever unlocked it last, as a mutex.
 */
#include "base/sched.h"

/* struct vkf_ww_ctx - one attempt to hold many vkf_wwlocks; on the stack of one task */
struct vkf_ww_ctx {
	uint64_t stamp;     /* age: smaller is older and wins */
	unsigned int n_held;
};

struct VKF_CAPABILITY("wwlock") vkf_wwlock {
	atomic_flag guard;                /* protects the rest, held only briefly */
	struct vkf_list waiters;          /* of wwlock.c's struct ww_waiter, oldest first */
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
