/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_LOCK_CTX_H
#define VKFD_MM_LOCK_CTX_H

/**
 * DOC: Many reservations at once
 *
 * Reservations have no order among themselves, so a task that needs several may
 * meet another that took them the other way round. The one that began later gives
 * way: it releases all it has and begins again with the one it could not get. The
 * context hides that behind a loop, whose body may run more than once and so has
 * no lasting effect but locks:
 *
 *	mm_lock_ctx_init(&ctx, interruptible);
 *	do {
 *		e = mm_lock_ctx_lock(&ctx, a, 1);
 *		if (!e)
 *			e = mm_lock_ctx_lock(&ctx, b, 1);
 *	} while (mm_lock_ctx_retry(&ctx, e));
 *	if (!e)
 *		...all locked, with slots...
 *	mm_lock_ctx_fini(&ctx);
 *
 * A context belongs to one task and lives on its stack; a task has one at a time.
 * Locking one more costs the same however many it holds.
 */
#include "mm/resv.h"

#define MM_LOCK_CTX_INLINE 4

/* struct mm_lock_ctx - only lock_ctx.c looks inside */
struct mm_lock_ctx {
	struct vkf_ww_ctx ww;
	bool interruptible;
	struct mm_resv *contended; /* what made us give way */
	struct mm_resv **held;     /* @few, or allocated */
	size_t n_held, n_room;
	struct mm_resv *few[MM_LOCK_CTX_INLINE];
};

void mm_lock_ctx_init(struct mm_lock_ctx *ctx, bool interruptible);
/* Unlocks all it holds. */
void mm_lock_ctx_fini(struct mm_lock_ctx *ctx);

/**
 * mm_lock_ctx_lock() - lock one more, and reserve @n_slots fence slots on it
 *
 * One that the context holds already is fine.
 *
 * Return: 0; -ENOMEM; -ERESTARTSYS (512); or what mm_lock_ctx_retry() understands. On failure the
 * context holds what it held before, or nothing.
 */
int mm_lock_ctx_lock(struct mm_lock_ctx *ctx, struct mm_resv *r, unsigned int n_slots)
	VKF_MUST_CHECK;
/* One that it holds, before the others. */
void mm_lock_ctx_unlock(struct mm_lock_ctx *ctx, struct mm_resv *r);
/* True when the loop must run again; @e is what the last lock gave, or whoever had to lock more. */
bool mm_lock_ctx_retry(struct mm_lock_ctx *ctx, int e);

#endif
