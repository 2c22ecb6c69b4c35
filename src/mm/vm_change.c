/* SPDX-License-Identifier: MIT */
#include "mm/vm_change.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/lock_ctx.h"
#include "mm/private.h"

/* struct change - one change on its way; its VM is locked */
struct change {
	struct mm_vm *vm;
	const struct mm_vm_change *req;
	const struct mm_mapping *holder; /* of UNMAP by who holds it, or NULL */
	struct mm_va_plan plan;
	struct mm_lock_ctx ctx;
	struct mm_pt_update *update; /* NULL: nothing to write */
	struct vkf_list done;        /* mappings that are gone, by of_bo */
	struct mm_fence *fence;      /* of @update */
};

/* ------------------------------------------------ may it be? */

static bool comes(const struct change *c)
{
	return c->req->op == MM_VA_MAP || c->req->op == MM_VA_REPLACE;
}

/* Whether entries are to lead somewhere: those of what comes, or of what is left beside a cut. */
static bool leads_somewhere(const struct change *c)
{
	bool cuts = false;

	for (size_t i = 0; i < c->plan.n_steps; i++)
		cuts |= c->plan.steps[i].kind == MM_VA_STEP_REMAP;
	return cuts || comes(c);
}

static int check_bo(const struct mm_vm *vm, const struct mm_bo *bo, const struct mm_pte_attr *attr)
{
	if (!bo)
		return 0;
	if (bo->vm && bo->vm != vm)
		return -EPERM;
	if (bo->client != vm->client)
		return -EINVAL;
	if (bo->kind == MM_BO_VRAM && attr->reach == MM_REACH_LOCAL && bo->home != vm->dev)
		return -EINVAL;
	return 0;
}

int mm_vm_check_map(const struct mm_vm *vm, const struct mm_bo *bo, vkf_gpuva va,
		    const struct mm_pte_attr *attr)
{
	int r = check_bo(vm, bo, attr);

	return r ? r : mm_va_check(&vm->va, va, bo->size);
}

static struct mm_mapping *mapping(struct mm_va_node *node)
{
	return node ? vkf_container_of(node, struct mm_mapping, node) : NULL;
}

/* A mapping that goes, or is cut, by this step; or NULL. */
static struct mm_mapping *leaver(const struct mm_va_step *s)
{
	return s->kind == MM_VA_STEP_KEEP ? NULL : mapping(s->old);
}

/* What somebody holds goes only by his hand. */
static int check_holders(const struct change *c)
{
	for (size_t i = 0; i < c->plan.n_steps; i++) {
		const struct mm_mapping *m = leaver(&c->plan.steps[i]);

		if (m && m->is_held && m != c->holder)
			return -EBUSY;
	}
	return 0;
}

/* The client's lock is held, so nobody else of it makes one meanwhile. */
static uint64_t n_coming(const struct mm_va_plan *plan)
{
	uint64_t n = 0;

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct mm_va_step *s = &plan->steps[i];

		n += (s->node != NULL) + (s->prev != NULL) + (s->next != NULL);
	}
	return n;
}

static int make_plan(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	const struct mm_vm_change *req = c->req;
	const struct mm_va_request want = {
		.op = req->op,
		.addr = req->va,
		.bytes = req->bytes,
		.bo = req->bo,
		.bo_bytes = req->bo ? req->bo->size : 0,
		.offset = req->offset,
		.flags = mm_vm_flags(&req->attr),
		.node_bytes = sizeof(struct mm_mapping),
	};
	int r = comes(c) ? check_bo(c->vm, req->bo, &req->attr) : 0;

	if (!r)
		r = mm_va_plan_make(&c->plan, &c->vm->va, &want);
	if (r)
		return r;
	r = check_holders(c);
	if (!r && !vkf_budget_has(&c->vm->client->mappings, n_coming(&c->plan)))
		r = -ENOMEM;
	if (r)
		mm_va_plan_fini(&c->plan);
	return r;
}

/* ------------------------------------------------ locks */

/* The buffer that comes is the first, then follow those of each step. */
static struct mm_bo *nth_bo(const struct change *c, size_t n)
{
	struct mm_mapping *m = n ? leaver(&c->plan.steps[n - 1]) : NULL;

	if (!n)
		return comes(c) ? c->req->bo : NULL;
	return m ? mm_mapping_bo(m) : NULL;
}

/* The same, but NULL when it was the one before too, or shares the VM's reservation. */
static struct mm_bo *next_bo(const struct change *c, size_t n)
{
	struct mm_bo *bo = nth_bo(c, n);

	return bo && !bo->vm && (!n || bo != nth_bo(c, n - 1)) ? bo : NULL;
}

/* With a slot for the update's fence on each. */
static int lock_all(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	int r = mm_lock_ctx_lock(&c->ctx, &c->vm->resv, 1);

	for (size_t n = 0; !r && n <= c->plan.n_steps; n++) {
		struct mm_bo *bo = next_bo(c, n);

		if (bo)
			r = mm_lock_ctx_lock(&c->ctx, bo->resv, 1);
	}
	return r || c->req->later ? r : mm_vm_reserve_freed_locked(c->vm, &c->ctx);
}

static int reserve(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	int r;

	do {
		r = lock_all(c);
		if (!r && leads_somewhere(c) && !c->req->later)
			r = mm_vm_validate_tables_locked(c->vm, &c->ctx, true);
	} while (mm_lock_ctx_retry(&c->ctx, r));
	return r;
}

/* ------------------------------------------------ entries */

/* What is between @first and @last of @node, which is a mapping or will be one. */
static int plan_set(struct change *c, const struct mm_va_node *node, uint64_t first, uint64_t last)
	VKF_REQUIRES(c->vm->lock)
{
	struct mm_pt_source source;

	if (!mm_vm_is_reachable(node))
		return 0;
	mm_vm_describe(c->vm, node, &source);
	mm_pt_source_skip(&source, first - node->range.first);
	return mm_pt_update_set(c->update, first, last - first + 1, &source);
}

static int sync_set(struct change *c, const struct mm_va_node *node)
{
	return node && node->bo ? mm_vm_sync_set_locked(c->vm, node->bo, c->update) : 0;
}

/* Whether the entries of a mapping say where its buffer is, and how. */
static bool is_written(const struct change *c, const struct mm_mapping *m)
{
	return !mm_vm_node_is_stale(&c->vm->lists, &m->state);
}

/*
 * What is left of a mapping before and behind a cut. Its entries are right but near the cut, where
 * one may speak for others; and if they are not right at all, all of them are written.
 */
static int plan_rest(struct change *c, const struct mm_va_step *s) VKF_REQUIRES(c->vm->lock)
{
	const struct mm_mapping *m = leaver(s);
	const struct vkf_range *range = &m->node.range;
	uint64_t start = range->first, end = range->last + 1, ignored;
	struct mm_pt_source source;
	int r = 0;

	if (is_written(c, m)) {
		mm_vm_describe(c->vm, &m->node, &source);
		mm_pt_block_at(&source, range->first, range->last + 1, s->first, &start, &ignored);
		mm_pt_block_at(&source, range->first, range->last + 1, s->last, &ignored, &end);
	}
	if (s->prev && start < s->first)
		r = plan_set(c, s->prev, start, s->first - 1);
	if (!r && s->next && end > s->last + 1)
		r = plan_set(c, s->next, s->last + 1, end - 1);
	return r ? r : sync_set(c, &m->node);
}

/* Entries that may stay, if they are right. */
static int plan_kept(struct change *c, const struct mm_va_step *s, const struct mm_va_node *node)
	VKF_REQUIRES(c->vm->lock)
{
	if (!s->keep || is_written(c, leaver(s)))
		return 0;
	return plan_set(c, node, s->first, s->last);
}

static int plan_sets(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	const struct mm_va_plan *plan = &c->plan;
	const struct mm_va_node *node = plan->n_steps ? plan->steps[plan->n_steps - 1].node : NULL;
	struct mm_va_change change;
	size_t pos = 0;
	int r = 0;

	for (size_t i = 0; !r && i < plan->n_steps; i++) {
		if (plan->steps[i].kind == MM_VA_STEP_REMAP)
			r = plan_rest(c, &plan->steps[i]);
		else if (plan->steps[i].kind == MM_VA_STEP_UNMAP)
			r = plan_kept(c, &plan->steps[i], node);
	}
	while (!r && node && mm_va_plan_next_change(plan, &pos, &change))
		r = plan_set(c, node, change.first, change.last);
	return r ? r : sync_set(c, node);
}

static int plan_clear(struct change *c, uint64_t first, uint64_t last) VKF_REQUIRES(c->vm->lock)
{
	return mm_pt_update_clear(c->update, first, last - first + 1);
}

/* What leads nowhere afterwards: what goes, and what comes but cannot be reached where it is. */
static int plan_clears(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	const struct mm_va_plan *plan = &c->plan;
	int r = 0;

	for (size_t i = 0; !r && i < plan->n_steps; i++) {
		const struct mm_va_step *s = &plan->steps[i];

		if (s->node && !mm_vm_is_reachable(s->node))
			r = plan_clear(c, s->first, s->last);
		else if (!s->node && !comes(c))
			r = plan_clear(c, s->first, s->last);
	}
	return r;
}

static int plan_update(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	int r;

	c->update = mm_pt_update_create(&c->vm->pt);
	if (!c->update)
		return -ENOMEM;
	r = plan_sets(c);
	if (!r)
		r = plan_clears(c);
	if (!r && leaver(&c->plan.steps[0]))
		r = mm_vm_sync_clear_locked(c->vm, c->update);
	if (!r)
		r = mm_pt_update_finish(c->update);
	if (r)
		mm_pt_abandon(c->update);
	return r;
}

/* ------------------------------------------------ commit */

/* A node of the plan is a mapping from here on. */
static void enter(struct change *c, struct mm_va_node *node)
{
	struct mm_mapping *m = mapping(node);

	if (!m)
		return;
	mm_mapping_init(m, c->vm);
	mm_mapping_enter_locked(m, c->fence);
}

/* Its entries are gone; or they are not, and what it lost is what is still to be cleared. */
VKF_NO_TS static void leave(struct change *c, const struct mm_va_step *s)
{
	struct mm_mapping *m = leaver(s);

	if (!m)
		return;
	if (!c->req->later) {
		mm_vm_node_remove(&c->vm->lists, &m->state);
		vkf_list_move_tail(&m->of_bo, &c->done);
		return;
	}
	m->node.range.first = s->first;
	m->node.range.last = s->last;
	mm_vm_node_event(&c->vm->lists, &m->state, MM_VM_UNMAPPED);
}

/* Whoever moves or frees one of the buffers waits for the update. */
VKF_NO_TS static void publish(struct change *c)
{
	for (size_t n = 0; n <= c->plan.n_steps; n++) {
		struct mm_bo *bo = next_bo(c, n);

		if (bo)
			mm_resv_add_locked(bo->resv, c->fence, MM_RESV_BOOKKEEP);
	}
}

static void commit(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	mm_va_plan_apply(&c->plan);
	if (c->update) {
		c->fence = mm_vm_commit_locked(c->vm, c->update);
		publish(c);
	}
	for (size_t i = 0; i < c->plan.n_steps; i++) {
		const struct mm_va_step *s = &c->plan.steps[i];

		enter(c, s->prev);
		enter(c, s->next);
		enter(c, s->node);
		leave(c, s);
	}
}

static bool is_nothing(const struct change *c)
{
	return !c->plan.n_steps || c->plan.steps[0].kind == MM_VA_STEP_KEEP;
}

/* What was left to clear comes first: it may be where this change writes. */
static int perform(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	int r = reserve(c);

	if (!r && !c->req->later)
		r = mm_vm_clear_freed_locked(c->vm, &c->done);
	if (!r && !c->req->later && !is_nothing(c))
		r = plan_update(c);
	if (!r)
		commit(c);
	return r;
}

static int change_locked(struct change *c) VKF_REQUIRES(c->vm->lock)
{
	int r = make_plan(c);

	if (r)
		return r;
	mm_lock_ctx_init(&c->ctx, true);
	r = perform(c);
	mm_lock_ctx_fini(&c->ctx);
	mm_va_plan_fini(&c->plan);
	return r;
}

/* ------------------------------------------------ requests */

static int change(struct change *c)
{
	int r = mm_vm_lock(c->vm);

	if (r)
		return r;
	vkf_list_init(&c->done);
	r = change_locked(c);
	mm_vm_unlock(c->vm);
	mm_vm_free_mappings(&c->done);
	return r;
}

static void give_fence(struct change *c, struct mm_fence **ret_fence)
{
	if (ret_fence)
		*ret_fence = c->fence;
	else
		mm_fence_put(c->fence);
}

int mm_vm_change(struct mm_vm *vm, const struct mm_vm_change *req, struct mm_fence **ret_fence)
{
	struct change c = { .vm = vm, .req = req };
	int r = vkf_fault("mm.map", vm->dev->config.index);

	if (!r)
		r = change(&c);
	if (!r)
		give_fence(&c, ret_fence);
	return r;
}

int mm_vm_unmap(struct mm_mapping *m, struct mm_fence **ret_fence)
{
	const struct mm_vm_change req = {
		.op = MM_VA_UNMAP,
		.va = { m->node.range.first },
		.bo = mm_mapping_bo(m),
	};
	struct change c = { .vm = m->vm, .req = &req, .holder = m };
	uint64_t bytes = m->node.range.last - m->node.range.first + 1;
	int r = change(&c);

	if (r)
		return r;
	vkf_trace_vm_unmap(c.vm->client->config.number, (uint8_t)c.vm->dev->config.index, req.va.v,
			   bytes);
	give_fence(&c, ret_fence);
	return 0;
}
