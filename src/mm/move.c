/* SPDX-License-Identifier: MIT */
#include "mm/move.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/private.h"

/* struct move - one buffer on its way */
struct move {
	struct mm_paging_job job;
	struct mm_resource old; /* placed nowhere when it was handed on */
	/* For those who watch. */
	uint32_t client;
	uint8_t gpu;
	uint64_t bo;
};

_Static_assert(offsetof(struct move, job.fence) == 0, "freed as what its fence is");

/* What it waited for last, or NULL. */
static const struct mm_fence *last_dep(const struct mm_paging_job *job)
{
	const struct mm_fence *last = NULL;

	for (size_t i = 0; i < job->deps.n; i++) {
		const struct mm_fence *f = job->deps.fences[i];

		if (!last || mm_fence_timestamp(f) > mm_fence_timestamp(last))
			last = f;
	}
	return last;
}

static void trace_end(const struct move *move)
{
	const struct mm_fence *dep = vkf_trace_is_on() ? last_dep(&move->job) : NULL;

	vkf_trace_bo_move_end(move->client, move->gpu, move->bo, dep ? dep->context : 0,
			      dep ? dep->seqno : 0);
}

static uint8_t place_of(const struct mm_bo *bo, const struct mm_manager *man)
{
	if (man == &bo->home->vram.man)
		return VKF_TRACE_PLACE_VRAM;
	return man == &bo->home->gtt.man ? VKF_TRACE_PLACE_GTT : VKF_TRACE_PLACE_SYSTEM;
}

static void trace_begin(struct move *move, const struct mm_bo *bo, const struct mm_manager *to)
{
	move->client = bo->client->config.number;
	move->gpu = (uint8_t)bo->home->config.index;
	move->bo = mm_bo_arena(bo).v;
	mm_fence_show(&move->job.fence, VKF_TRACE_FENCE_MOVE, move->client);
	vkf_trace_bo_move_begin(move->client, move->bo, bo->size, move->gpu,
				place_of(bo, bo->res.man), place_of(bo, to));
}

static void execute(struct mm_paging_job *job)
{
	struct move *move = vkf_container_of(job, struct move, job);

	trace_end(move);
	mm_resource_free(&move->old);
}

static struct move *move_create(void)
{
	struct move *move = vkf_zalloc(sizeof(*move));

	if (!move)
		return NULL;
	mm_paging_job_init(&move->job, NULL, execute);
	return move;
}

/*
 * What uses the old place: every fence there is. The asker's own eviction fence does not count
 * while no queue of his can reach the buffer, or bringing one in, in order to map it, would stop
 * the queues of who asks.
 */
static int add_users(struct mm_deps *deps, struct mm_bo *bo, const struct mm_op *op)
{
	bool idle = op->asker == bo->client && vkf_list_empty(&bo->mappings);
	uint64_t spare = idle ? bo->client->evict_context : 0;
	struct mm_fence *f;
	unsigned int pos = 0;
	int r = 0;

	mm_resv_assert_held(bo->resv);
	while (!r && (f = mm_resv_next_locked(bo->resv, MM_RESV_BOOKKEEP, &pos))) {
		if (f->context != spare)
			r = mm_deps_add(deps, f);
	}
	return r;
}

/* The new place may be somebody's who is still on the way out of it. */
static int add_predecessor(struct mm_deps *deps, struct mm_manager *to)
{
	struct mm_fence *f = mm_manager_moving(to);
	int r = f ? mm_deps_add(deps, f) : 0;

	mm_fence_put(f);
	return r;
}

static int prepare(struct move *move, struct mm_bo *bo, struct mm_manager *to,
		   const struct mm_op *op)
{
	int r;

	mm_resv_assert_held(bo->resv);
	r = mm_resv_reserve_locked(bo->resv, 1);
	if (!r)
		r = add_users(&move->job.deps, bo, op);
	if (!r)
		r = add_predecessor(&move->job.deps, to);
	return r;
}

static void commit(struct move *move, struct mm_bo *bo, struct mm_resource *to,
		   enum mm_move_old old)
{
	struct mm_fence *f = &move->job.fence;

	mm_resv_assert_held(bo->resv);
	trace_begin(move, bo, to->man);
	mm_resource_make_unevictable(&bo->res);
	mm_resource_take(&move->old, &bo->res);
	mm_resource_take(&bo->res, to);
	mm_resource_make_evictable(&bo->res, bo, MM_LRU_USER);
	/* As with amdgpu's CPU_ACCESS_REQUIRED: what comes back has not been looked at there. */
	if (mm_bo_in_vram(bo))
		atomic_store_explicit(&bo->cpu_access, false, memory_order_relaxed);
	mm_vm_bo_moved(bo);
	if (old == MM_MOVE_HAND_ON) {
		struct mm_resource gone;

		/* The job may be over, and with it the move, before submission returns. */
		mm_resource_take(&gone, &move->old);
		mm_timeline_submit(&bo->home->moves, &move->job);
		mm_resource_hand_on(&gone, f);
	} else {
		mm_timeline_submit(&bo->home->moves, &move->job);
	}
	mm_resv_add_locked(bo->resv, f, MM_RESV_KERNEL);
	mm_fence_put(f);
}

int mm_bo_move_into_locked(struct mm_bo *bo, struct mm_resource *res, const struct mm_op *op,
			   enum mm_move_old old)
{
	int r = vkf_fault("mm.move", bo->home->config.index);
	struct move *move = r ? NULL : move_create();

	VKF_ASSERT(bo->res.man && !bo->n_pinned);
	if (!r)
		r = move ? prepare(move, bo, res->man, op) : -ENOMEM;
	if (!r) {
		commit(move, bo, res, old);
		return 0;
	}
	if (move)
		mm_paging_job_abandon(&move->job);
	mm_resource_free(res);
	return r;
}

int mm_bo_move_locked(struct mm_bo *bo, struct mm_manager *to, const struct mm_placement *placement,
		      const struct mm_op *op, enum mm_move_old old)
{
	struct mm_resource res = { 0 };
	int r = mm_place(to, placement, bo->size, op, &res);

	return r ? r : mm_bo_move_into_locked(bo, &res, op, old);
}
