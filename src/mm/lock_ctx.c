/* SPDX-License-Identifier: MIT */
/* Locks are taken and released in loops here, which the compiler's analysis cannot follow. */
#include "mm/lock_ctx.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"

void mm_lock_ctx_init(struct mm_lock_ctx *ctx, bool interruptible)
{
	vkf_ww_begin(&ctx->ww);
	ctx->interruptible = interruptible;
	ctx->contended = NULL;
	ctx->held = ctx->few;
	ctx->n_held = 0;
	ctx->n_room = MM_LOCK_CTX_INLINE;
}

VKF_NO_TS static void unlock_all(struct mm_lock_ctx *ctx)
{
	while (ctx->n_held)
		mm_resv_unlock(ctx->held[--ctx->n_held]);
}

void mm_lock_ctx_fini(struct mm_lock_ctx *ctx)
{
	unlock_all(ctx);
	vkf_ww_end(&ctx->ww);
	if (ctx->held != ctx->few)
		vkf_free(ctx->held);
}

/* Before locking, so that what is locked can be remembered. */
static int make_room(struct mm_lock_ctx *ctx)
{
	struct mm_resv **held;

	if (ctx->n_held < ctx->n_room)
		return 0;
	held = vkf_calloc(2 * ctx->n_room, sizeof(struct mm_resv *));
	if (!held)
		return -ENOMEM;
	memcpy(held, ctx->held, ctx->n_held * sizeof(struct mm_resv *));
	if (ctx->held != ctx->few)
		vkf_free(ctx->held);
	ctx->held = held;
	ctx->n_room *= 2;
	return 0;
}

/* @r is locked, for the first time; it becomes one of @ctx if it has room for its fences. */
VKF_NO_TS static int keep(struct mm_lock_ctx *ctx, struct mm_resv *r, unsigned int n_slots)
{
	int e = n_slots ? mm_resv_reserve_locked(r, n_slots) : 0;

	if (e)
		mm_resv_unlock(r);
	else
		ctx->held[ctx->n_held++] = r;
	return e;
}

VKF_NO_TS int mm_lock_ctx_lock(struct mm_lock_ctx *ctx, struct mm_resv *r, unsigned int n_slots)
{
	int e = make_room(ctx);

	if (e)
		return e;
	e = vkf_wwlock_lock(&r->lock, &ctx->ww, ctx->interruptible);
	if (e == -EDEADLK) {
		unlock_all(ctx);
		ctx->contended = r;
	}
	if (e == -EALREADY)
		return n_slots ? mm_resv_reserve_locked(r, n_slots) : 0;
	return e ? e : keep(ctx, r, n_slots);
}

VKF_NO_TS bool mm_lock_ctx_retry(struct mm_lock_ctx *ctx, int e)
{
	struct mm_resv *r = ctx->contended;

	if (e != -EDEADLK)
		return false;
	if (!r)
		return true;
	ctx->contended = NULL;
	vkf_wwlock_lock_slow(&r->lock, &ctx->ww);
	ctx->held[ctx->n_held++] = r;
	return true;
}

/* What was locked last is unlocked first, as a rule. */
VKF_NO_TS void mm_lock_ctx_unlock(struct mm_lock_ctx *ctx, struct mm_resv *r)
{
	size_t i = ctx->n_held;

	while (i > 0 && ctx->held[i - 1] != r)
		i--;
	VKF_ASSERT(i > 0);
	for (; i < ctx->n_held; i++)
		ctx->held[i - 1] = ctx->held[i];
	ctx->n_held--;
	mm_resv_unlock(r);
}
