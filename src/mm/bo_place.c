/* SPDX-License-Identifier: MIT */
#include "mm/bo_place.h"

#include <errno.h>
#include "mm/lock_ctx.h"
#include "mm/move.h"
#include "mm/private.h"

/* ------------------------------------------------ where it is */

bool mm_bo_has_window(const struct mm_bo *bo)
{
	return bo->kind == MM_BO_VRAM || bo->kind == MM_BO_GTT;
}

bool mm_bo_in_vram(const struct mm_bo *bo)
{
	return bo->kind == MM_BO_VRAM && bo->res.man == &bo->home->vram.man;
}

bool mm_bo_is_home(const struct mm_bo *bo)
{
	return !mm_bo_has_window(bo) || mm_places_hold(&bo->places, bo, false) ||
	       mm_places_hold(&bo->places, bo, true);
}

bool mm_bo_is_evictable(const struct mm_bo *bo)
{
	return mm_bo_has_window(bo) && !bo->n_pinned;
}

/* ------------------------------------------------ where it belongs */

/* One of the two times that a list of places is gone through. Return: -ENOSPC: nowhere. */
static int validate_once(struct mm_bo *bo, const struct mm_places *places, const struct mm_op *op,
			 bool force)
{
	struct mm_resource res = { 0 };
	int r;

	if (mm_places_hold(places, bo, force)) {
		mm_resource_touch(&bo->res);
		return 0;
	}
	r = mm_places_alloc(places, bo, op, force, &res);
	return r ? r : mm_bo_move_into_locked(bo, &res, op, MM_MOVE_KEEP_OLD);
}

static int validate_in(struct mm_bo *bo, const struct mm_places *places, const struct mm_op *op)
{
	int r;

	mm_resv_assert_held(bo->resv);
	if (!mm_bo_is_evictable(bo))
		return 0;
	r = validate_once(bo, places, op, false);
	if (r == -ENOSPC)
		r = validate_once(bo, places, op, true);
	return r == -ENOSPC ? -ENOMEM : r;
}

int mm_bo_validate_locked(struct mm_bo *bo, const struct mm_op *op)
{
	return validate_in(bo, &bo->places, op);
}

int mm_bo_validate_fallback_locked(struct mm_bo *bo, const struct mm_op *op)
{
	const struct mm_places gtt = mm_places_of(MM_DOMAIN_GTT);

	return validate_in(bo, &gtt, op);
}

/* What is to be pinned and wished for one range must have it now; see amdgpu_bo_pin(). */
static int join_pieces(struct mm_bo *bo, const struct mm_op *op)
{
	struct mm_placement one = bo->placement;

	mm_resv_assert_held(bo->resv);
	if (!mm_bo_is_evictable(bo) || !one.contiguous || !mm_bo_in_vram(bo) ||
	    mm_resource_is_one_range(&bo->res))
		return 0;
	one.one_range = true;
	return mm_bo_move_locked(bo, bo->res.man, &one, op, MM_MOVE_KEEP_OLD);
}

/* Where it belongs, and there: locked alone, for whatever comes next, which may be a pin. */
static int validate_and_wait(struct mm_bo *bo, struct mm_lock_ctx *ctx, bool interruptible,
			     bool to_pin)
{
	const struct mm_op op = {
		.locks = ctx, .asker = bo->client, .interruptible = interruptible
	};
	int r;

	do {
		r = mm_lock_ctx_lock(ctx, bo->resv, 0);
		if (!r)
			r = mm_bo_validate_locked(bo, &op);
		if (!r && to_pin)
			r = join_pieces(bo, &op);
	} while (mm_lock_ctx_retry(ctx, r));
	if (r)
		return r;
	mm_resv_assert_held(bo->resv);
	return mm_resv_wait_locked(bo->resv, MM_RESV_KERNEL, interruptible);
}

int mm_bo_validate(struct mm_bo *bo, bool interruptible)
{
	struct mm_lock_ctx ctx;
	int r;

	mm_lock_ctx_init(&ctx, interruptible);
	r = validate_and_wait(bo, &ctx, interruptible, false);
	mm_lock_ctx_fini(&ctx);
	return r;
}

static void pin_locked(struct mm_bo *bo)
{
	if (mm_bo_is_evictable(bo)) {
		mm_resource_make_unevictable(&bo->res);
		if (bo->kind == MM_BO_VRAM)
			mm_quota_pin(&bo->client->system->quota, &bo->home->quota, bo->size);
	}
	bo->n_pinned++;
}

int mm_bo_pin(struct mm_bo *bo)
{
	struct mm_lock_ctx ctx;
	int r;

	if (bo->kind == MM_BO_USERPTR)
		return -EPERM;
	mm_lock_ctx_init(&ctx, false);
	r = validate_and_wait(bo, &ctx, false, true);
	if (!r)
		pin_locked(bo);
	mm_lock_ctx_fini(&ctx);
	return r;
}

void mm_bo_unpin(struct mm_bo *bo)
{
	/* Not interrupted, so it cannot fail. */
	if (mm_resv_lock(bo->resv, false))
		return;
	VKF_ASSERT(bo->n_pinned > 0);
	bo->n_pinned--;
	if (mm_bo_is_evictable(bo)) {
		if (bo->kind == MM_BO_VRAM)
			mm_quota_unpin(&bo->client->system->quota, &bo->home->quota, bo->size);
		mm_resource_make_evictable(&bo->res, bo, MM_LRU_USER);
	}
	mm_resv_unlock(bo->resv);
}
