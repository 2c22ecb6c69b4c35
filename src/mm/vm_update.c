/* SPDX-License-Identifier: MIT */
#include "mm/vm_update.h"

#include <errno.h>
#include "base/env.h"
#include "mm/lock_ctx.h"
#include "mm/private.h"
#include "mm/pt_evict.h"
#include "mm/sync.h"

/* ------------------------------------------------ jobs */

void mm_vm_remember(struct mm_fence **last, struct mm_fence *f)
{
	mm_fence_put(*last);
	*last = mm_fence_is_signalled(f) ? NULL : mm_fence_get(f);
}

struct mm_fence *mm_vm_commit_locked(struct mm_vm *vm, struct mm_pt_update *update)
{
	struct mm_fence *f = mm_pt_commit(update, &vm->paging);

	mm_resv_assert_held(&vm->resv);
	mm_resv_add_locked(&vm->resv, f, MM_RESV_BOOKKEEP);
	mm_vm_remember(&vm->last_update, f);
	return f;
}

VKF_NO_TS int mm_vm_sync_set_locked(struct mm_vm *vm, struct mm_bo *bo, struct mm_pt_update *update)
{
	const struct mm_sync_waiter waiter = { MM_SYNC_EXPLICIT, mm_vm_update_owner(vm) };

	return mm_sync_collect_locked(bo->resv, &waiter, mm_pt_update_deps(update));
}

VKF_NO_TS int mm_vm_sync_clear_locked(struct mm_vm *vm, struct mm_pt_update *update)
{
	const struct mm_sync_waiter waiter = { MM_SYNC_EQ_OWNER, mm_vm_update_owner(vm) };

	return mm_sync_collect_locked(&vm->resv, &waiter, mm_pt_update_deps(update));
}

/* A slot in the VM, and in the buffer if there is one that is reserved. */
static int reserve(struct mm_vm *vm, struct mm_bo *bo)
{
	int r;

	mm_resv_assert_held(&vm->resv);
	r = mm_resv_reserve_locked(&vm->resv, 1);
	if (r || !bo || bo->vm)
		return r;
	mm_resv_assert_held(bo->resv);
	return mm_resv_reserve_locked(bo->resv, 1);
}

static void commit(struct mm_mapping *m, struct mm_pt_update *update, bool bo_is_reserved)
	VKF_REQUIRES(m->vm->lock)
{
	struct mm_fence *f = mm_vm_commit_locked(m->vm, update);
	struct mm_bo *bo = mm_mapping_bo(m);

	if (bo && !bo->vm && bo_is_reserved) {
		mm_resv_assert_held(bo->resv);
		mm_resv_add_locked(bo->resv, f, MM_RESV_BOOKKEEP);
	}
	mm_vm_remember(&m->last_update, f);
	mm_fence_put(f);
}

static int abandon_if(int r, struct mm_pt_update *update, struct mm_pt_update **ret_update)
{
	if (r)
		mm_pt_abandon(update);
	else
		*ret_update = update;
	return r;
}

static int plan_clear(struct mm_mapping *m, struct mm_pt_update **ret_update)
	VKF_REQUIRES(m->vm->lock)
{
	const struct vkf_range *range = &m->node.range;
	struct mm_pt_update *update;
	int r = mm_pt_plan_clear(&m->vm->pt, range->first, range->last - range->first + 1, &update);

	if (r)
		return r;
	return abandon_if(mm_vm_sync_clear_locked(m->vm, update), update, ret_update);
}

/* Entries lead to the new place only once the buffer is there. */
static int plan_write(struct mm_mapping *m, struct mm_pt_update **ret_update)
	VKF_REQUIRES(m->vm->lock)
{
	const struct vkf_range *range = &m->node.range;
	struct mm_bo *bo = mm_mapping_bo(m);
	struct mm_pt_update *update;
	struct mm_pt_source source;
	int r;

	mm_vm_describe(m->vm, &m->node, &source);
	r = mm_pt_plan_map(&m->vm->pt, range->first, range->last - range->first + 1, &source,
			   &update);
	if (r)
		return r;
	if (bo)
		r = mm_vm_sync_set_locked(m->vm, bo, update);
	return abandon_if(r, update, ret_update);
}

/* What no GPU reaches has no entries, and is still to be written. */
VKF_NO_TS int mm_vm_rewrite_locked(struct mm_mapping *m)
{
	bool is_reachable = mm_vm_is_reachable(&m->node);
	struct mm_pt_update *update;
	int r;

	vkf_assert_held(&m->vm->lock);
	r = reserve(m->vm, mm_mapping_bo(m));
	if (!r)
		r = is_reachable ? plan_write(m, &update) : plan_clear(m, &update);
	if (r)
		return r;
	commit(m, update, true);
	if (is_reachable)
		mm_vm_node_event(&m->vm->lists, &m->state, MM_VM_UPDATED);
	return 0;
}

VKF_NO_TS int mm_vm_validate_tables_locked(struct mm_vm *vm, struct mm_lock_ctx *ctx,
					   bool interruptible)
{
	const struct mm_op op = {
		.locks = ctx,
		.asker = interruptible ? vm->client : NULL,
		.interruptible = interruptible,
	};
	int r = mm_pt_is_home(&vm->pt) ? 0 : mm_pt_validate_locked(vm, &op);

	vkf_assert_held(&vm->lock);
	return r ? r : mm_pt_update_directories_locked(vm);
}

/* ------------------------------------------------ freed */

VKF_NO_TS int mm_vm_reserve_freed_locked(struct mm_vm *vm, struct mm_lock_ctx *ctx)
{
	struct mm_vm_node *node;
	int r = 0;

	/* Nothing comes and goes here without the VM's lock. */
	vkf_assert_held(&vm->lock);
	vkf_list_for_each(node, &vm->lists.list[MM_VM_FREED], link) {
		struct mm_bo *bo = mm_mapping_bo(mm_mapping_of_state(node));

		if (!r && bo && !bo->vm)
			r = mm_lock_ctx_lock(ctx, bo->resv, 0);
	}
	return r;
}

static int clear_freed(struct mm_mapping *m) VKF_REQUIRES(m->vm->lock)
{
	struct mm_pt_update *update;
	int r = reserve(m->vm, mm_mapping_bo(m));

	if (!r)
		r = plan_clear(m, &update);
	if (r)
		return r;
	commit(m, update, true);
	mm_vm_node_event(&m->vm->lists, &m->state, MM_VM_UPDATED);
	return 0;
}

VKF_NO_TS int mm_vm_clear_freed_locked(struct mm_vm *vm, struct vkf_list *done)
{
	struct mm_vm_walk walk;
	struct mm_vm_node *node;

	vkf_assert_held(&vm->lock);
	mm_vm_walk_begin(&walk, &vm->lists, MM_VM_FREED);
	while ((node = mm_vm_walk_next(&walk, &vm->lists))) {
		struct mm_mapping *m = mm_mapping_of_state(node);
		int r = clear_freed(m);

		if (r)
			return r;
		vkf_list_move_tail(&m->of_bo, done);
	}
	return 0;
}

/* ------------------------------------------------ entries that are stale */

static int write_moved(struct mm_vm *vm, struct mm_vm_work *work) VKF_REQUIRES(vm->lock)
{
	struct mm_vm_walk walk;
	struct mm_vm_node *node;
	int r = 0;

	mm_vm_walk_begin(&walk, &vm->lists, MM_VM_MOVED);
	while (!r && (node = mm_vm_walk_next(&walk, &vm->lists))) {
		r = mm_vm_rewrite_locked(mm_mapping_of_state(node));
		if (!r) {
			mm_vm_walk_skip(&walk, &vm->lists, node);
			work->n_written++;
		}
	}
	return r;
}

/* Somebody has it locked, and may be moving it: no entry is better than a wrong one. */
static int clear_invalid(struct mm_mapping *m) VKF_REQUIRES(m->vm->lock)
{
	struct mm_pt_update *update;
	int r = reserve(m->vm, NULL);

	if (!r)
		r = plan_clear(m, &update);
	if (r)
		return r;
	mm_vm_node_event(&m->vm->lists, &m->state, MM_VM_CLEARED);
	commit(m, update, false);
	return 0;
}

VKF_NO_TS static int write_or_clear(struct mm_mapping *m, struct mm_vm_work *work)
{
	struct mm_bo *bo = mm_mapping_bo(m);
	bool is_mine = vkf_wwlock_is_mine(&bo->resv->lock);
	int r;

	if (!is_mine && !mm_resv_trylock(bo->resv)) {
		work->n_cleared++;
		return clear_invalid(m);
	}
	work->n_written++;
	r = mm_vm_rewrite_locked(m);
	if (!is_mine)
		mm_resv_unlock(bo->resv);
	return r;
}

static int write_invalidated(struct mm_vm *vm, struct mm_vm_work *work) VKF_REQUIRES(vm->lock)
{
	struct mm_vm_walk walk;
	struct mm_vm_node *node;
	int r = 0;

	mm_vm_walk_begin(&walk, &vm->lists, MM_VM_INVALIDATED);
	while (!r && (node = mm_vm_walk_next(&walk, &vm->lists))) {
		r = write_or_clear(mm_mapping_of_state(node), work);
		if (!r)
			mm_vm_walk_skip(&walk, &vm->lists, node);
	}
	return r;
}

VKF_NO_TS int mm_vm_write_stale_locked(struct mm_vm *vm, struct mm_vm_work *work)
{
	struct mm_vm_work ignored = { 0 };
	int r;

	vkf_assert_held(&vm->lock);
	r = write_moved(vm, work ? work : &ignored);
	return r ? r : write_invalidated(vm, work ? work : &ignored);
}

/* ------------------------------------------------ preparing */

/* struct prepare - one preparation of a VM */
struct prepare {
	struct mm_vm *vm;
	struct mm_lock_ctx ctx;
	struct mm_vm_work work;
	struct vkf_list done;
};

/* Where it belongs, or else in GTT. What it takes from others, it takes for good. */
static int validate_bo(struct prepare *p, struct mm_bo *bo)
{
	const struct mm_op op = { .locks = &p->ctx, .interruptible = true };
	int r = mm_bo_validate_locked(bo, &op);

	return r == -ENOMEM ? mm_bo_validate_fallback_locked(bo, &op) : r;
}

/* What stays out of its place stays in the list, with entries that lead to where it is. */
static int validate(struct prepare *p, struct mm_mapping *m) VKF_REQUIRES(m->vm->lock)
{
	struct mm_bo *bo = mm_mapping_bo(m);
	int r = validate_bo(p, bo);

	if (r)
		return r;
	if (mm_bo_is_home(bo))
		mm_vm_node_event(&m->vm->lists, &m->state, MM_VM_VALIDATED);
	else if (mm_vm_node_is_stale(&m->vm->lists, &m->state))
		r = mm_vm_rewrite_locked(m);
	return r;
}

VKF_NO_TS static int validate_evicted(struct prepare *p)
{
	struct mm_vm_lists *lists = &p->vm->lists;
	struct mm_vm_walk walk;
	struct mm_vm_node *node;
	int r = 0;

	mm_vm_walk_begin(&walk, lists, MM_VM_EVICTED);
	while (!r && (node = mm_vm_walk_next(&walk, lists))) {
		r = validate(p, mm_mapping_of_state(node));
		if (!r) {
			mm_vm_walk_skip(&walk, lists, node);
			p->work.n_validated++;
		}
	}
	return r;
}

static int lock_and_validate(struct prepare *p) VKF_REQUIRES(p->vm->lock)
{
	int r;

	do {
		r = mm_lock_ctx_lock(&p->ctx, &p->vm->resv, 0);
		if (!r)
			r = mm_vm_reserve_freed_locked(p->vm, &p->ctx);
		if (!r) {
			p->work.n_freed += mm_vm_lists_count(&p->vm->lists, MM_VM_FREED);
			r = mm_vm_clear_freed_locked(p->vm, &p->done);
		}
		if (!r)
			r = mm_vm_validate_tables_locked(p->vm, &p->ctx, true);
		if (!r)
			r = validate_evicted(p);
	} while (mm_lock_ctx_retry(&p->ctx, r));
	return r;
}

static int prepare_locked(struct prepare *p) VKF_REQUIRES(p->vm->lock)
{
	int r;

	mm_lock_ctx_init(&p->ctx, true);
	r = lock_and_validate(p);
	if (!r)
		r = mm_vm_write_stale_locked(p->vm, &p->work);
	mm_lock_ctx_fini(&p->ctx);
	return r;
}

VKF_NO_TS int mm_vm_prepare(struct mm_vm *vm, struct mm_vm_work *ret_work)
{
	struct prepare p = { .vm = vm };
	int r = mm_vm_lock(vm);

	if (r)
		return r;
	vkf_list_init(&p.done);
	r = prepare_locked(&p);
	mm_vm_unlock(vm);
	mm_vm_free_mappings(&p.done);
	if (!r && ret_work)
		*ret_work = p.work;
	return r;
}

static int prepare_bo_locked(struct prepare *p, struct mm_bo *bo) VKF_REQUIRES(p->vm->lock)
{
	struct mm_mapping *m;
	int r;

	do {
		r = mm_lock_ctx_lock(&p->ctx, &p->vm->resv, 0);
		if (!r)
			r = mm_lock_ctx_lock(&p->ctx, bo->resv, 0);
		if (!r)
			r = mm_vm_reserve_freed_locked(p->vm, &p->ctx);
		if (!r)
			r = mm_vm_validate_tables_locked(p->vm, &p->ctx, true);
	} while (mm_lock_ctx_retry(&p->ctx, r));
	if (!r)
		r = mm_vm_clear_freed_locked(p->vm, &p->done);
	if (r)
		return r;
	mm_resv_assert_held(bo->resv);
	vkf_list_for_each(m, &bo->mappings, of_bo) {
		if (!r && m->vm == p->vm && mm_vm_node_is_stale(&p->vm->lists, &m->state))
			r = mm_vm_rewrite_locked(m);
	}
	return r;
}

VKF_NO_TS int mm_vm_prepare_bo(struct mm_vm *vm, struct mm_bo *bo)
{
	struct prepare p = { .vm = vm };
	int r = mm_vm_lock(vm);

	if (r)
		return r;
	vkf_list_init(&p.done);
	mm_lock_ctx_init(&p.ctx, true);
	r = prepare_bo_locked(&p, bo);
	mm_lock_ctx_fini(&p.ctx);
	mm_vm_unlock(vm);
	mm_vm_free_mappings(&p.done);
	return r;
}

int mm_vm_sync_all(struct mm_vm *vm, bool interruptible)
{
	struct mm_fence *f;
	int r;

	vkf_mutex_lock(&vm->lock);
	f = vm->last_update ? mm_fence_get(vm->last_update) : NULL;
	vkf_mutex_unlock(&vm->lock);
	r = f ? mm_fence_wait(f, VKF_FOREVER, interruptible) : 0;
	mm_fence_put(f);
	return r;
}
