/* SPDX-License-Identifier: MIT */
/* The locks of several VMs are taken in loops here, which the compiler's analysis cannot follow. */
#include "mm/vm_map.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/lock_ctx.h"
#include "mm/private.h"

/* struct request - one call on its way */
struct request {
	struct mm_bo *bo;
	struct mm_map_part *parts;
	unsigned int n; /* how many there are, of which nothing is known that refuses one */
	int error;      /* why those behind @n are refused */
	bool all;       /* or none */
	struct mm_lock_ctx ctx;
	struct vkf_list done; /* mappings that were freed, and are cleared */
};

/* Part @i is refused, if @r says so. Return: 0 when there is still something to be done. */
static int refuse(struct request *rq, unsigned int i, int r)
{
	if (!r || r == -EDEADLK || rq->all)
		return r;
	rq->n = i;
	rq->error = r;
	return i ? 0 : r;
}

/* ------------------------------------------------ parts by VM */

static bool is_first(const struct request *rq, unsigned int i)
{
	return i == 0 || rq->parts[i].vm != rq->parts[i - 1].vm;
}

/* Behind the last part of the VM of part @i. */
static unsigned int end_of_vm(const struct request *rq, unsigned int i)
{
	unsigned int end = i + 1;

	while (end < rq->n && !is_first(rq, end))
		end++;
	return end;
}

/* ------------------------------------------------ locks */

static struct mm_client *client_of(const struct request *rq)
{
	return rq->parts[0].vm->client;
}

VKF_NO_TS static int lock_vms(struct request *rq)
{
	struct mm_client *client = client_of(rq);
	int r = vkf_mutex_lock_interruptible(&client->lock);

	if (r)
		return r;
	for (unsigned int i = 0; i < rq->n; i++) {
		if (is_first(rq, i))
			vkf_mutex_lock_nested(&rq->parts[i].vm->lock, &client->lock);
	}
	return 0;
}

/* Of the first @n parts. */
VKF_NO_TS static void unlock_vms(struct request *rq, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (is_first(rq, i))
			vkf_mutex_unlock(&rq->parts[i].vm->lock);
	}
	vkf_mutex_unlock(&client_of(rq)->lock);
}

/* For all or none with a slot for the fence of each VM's update; else each part takes its own. */
VKF_NO_TS static int lock_vm_resv(struct request *rq, struct mm_vm *vm)
{
	int r = mm_lock_ctx_lock(&rq->ctx, &vm->resv, rq->all ? 1 : 0);

	return r ? r : mm_vm_reserve_freed_locked(vm, &rq->ctx);
}

VKF_NO_TS static int lock_resvs(struct request *rq)
{
	unsigned int n_vms = 0;
	int r = 0;

	for (unsigned int i = 0; !r && i < rq->n; i++) {
		if (!is_first(rq, i))
			continue;
		n_vms++;
		r = refuse(rq, i, lock_vm_resv(rq, rq->parts[i].vm));
	}
	return r ? r : mm_lock_ctx_lock(&rq->ctx, rq->bo->resv, rq->all ? n_vms : 0);
}

VKF_NO_TS static int validate_tables(struct request *rq)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < rq->n; i++) {
		if (is_first(rq, i))
			r = refuse(rq, i,
				   mm_vm_validate_tables_locked(rq->parts[i].vm, &rq->ctx, true));
	}
	return r;
}

static int take_buffer(struct request *rq)
{
	const struct mm_op op = {
		.locks = &rq->ctx,
		.asker = rq->bo->client,
		.interruptible = true,
	};
	int r;

	do {
		r = lock_resvs(rq);
		if (!r)
			r = validate_tables(rq);
		if (!r)
			r = mm_bo_validate_locked(rq->bo, &op);
	} while (mm_lock_ctx_retry(&rq->ctx, r));
	return r;
}

/* ------------------------------------------------ what may fail */

VKF_NO_TS static int make_mapping(struct request *rq, unsigned int i)
{
	struct mm_map_part *part = &rq->parts[i];
	int r = vkf_fault("mm.map", part->vm->dev->config.index);

	if (!r)
		r = mm_vm_check_map(part->vm, rq->bo, part->va, &part->attr);
	if (r)
		return r;
	if (!vkf_budget_has(&part->vm->client->mappings, i + 1))
		return -ENOMEM;
	part->mapping = vkf_zalloc(sizeof(*part->mapping));
	if (!part->mapping)
		return -ENOMEM;
	part->mapping->node.bo = rq->bo;
	part->mapping->node.flags = mm_vm_flags(&part->attr);
	return 0;
}

static int make_mappings(struct request *rq)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < rq->n; i++)
		r = refuse(rq, i, make_mapping(rq, i));
	return r;
}

/* What was left to clear comes first: it may be where these @n parts of one VM are written. */
VKF_NO_TS static int plan(struct request *rq, struct mm_map_part *parts, unsigned int n)
{
	struct mm_vm *vm = parts[0].vm;
	struct mm_pt_update *update;
	int r = mm_vm_clear_freed_locked(vm, &rq->done);

	if (r)
		return r;
	update = mm_pt_update_create(&vm->pt);
	if (!update)
		return -ENOMEM;
	for (unsigned int i = 0; !r && i < n; i++) {
		struct mm_pt_source source;

		mm_vm_describe(vm, &parts[i].mapping->node, &source);
		r = mm_pt_update_set(update, parts[i].va.v, rq->bo->size, &source);
	}
	if (!r)
		r = mm_pt_update_finish(update);
	if (!r)
		r = mm_vm_sync_set_locked(vm, rq->bo, update);
	if (r)
		mm_pt_abandon(update);
	else
		parts[0].update = update;
	return r;
}

/* ------------------------------------------------ and what cannot */

VKF_NO_TS static void enter(struct request *rq, struct mm_map_part *part, struct mm_fence *f)
{
	struct mm_mapping *m = part->mapping;
	struct mm_vm *vm = part->vm;

	mm_mapping_init(m, vm);
	m->is_held = true;
	mm_va_insert(&vm->va, &m->node.range, part->va, rq->bo->size);
	mm_mapping_enter_locked(m, f);
	vkf_trace_vm_map(vm->client->config.number, (uint8_t)vm->dev->config.index, part->va.v,
			 rq->bo->size);
}

/* The @n parts of one VM that were planned together. */
VKF_NO_TS static void commit(struct request *rq, struct mm_map_part *parts, unsigned int n)
{
	struct mm_fence *f = mm_vm_commit_locked(parts[0].vm, parts[0].update);

	if (!rq->bo->vm)
		mm_resv_add_locked(rq->bo->resv, f, MM_RESV_BOOKKEEP);
	for (unsigned int i = 0; i < n; i++)
		enter(rq, &parts[i], f);
	mm_fence_put(f);
}

/* ------------------------------------------------ requests */

static int map_all_locked(struct request *rq)
{
	int r = 0;

	for (unsigned int i = 0, end; !r && i < rq->n; i = end) {
		end = end_of_vm(rq, i);
		r = plan(rq, &rq->parts[i], end - i);
	}
	for (unsigned int i = 0, end; i < rq->n; i = end) {
		end = end_of_vm(rq, i);
		if (!r)
			commit(rq, &rq->parts[i], end - i);
		else if (rq->parts[i].update)
			mm_pt_abandon(rq->parts[i].update);
	}
	rq->n = r ? 0 : rq->n;
	return r;
}

VKF_NO_TS static int reserve_slots(struct request *rq, struct mm_vm *vm)
{
	int r = mm_resv_reserve_locked(&vm->resv, 1);

	return r || rq->bo->vm ? r : mm_resv_reserve_locked(rq->bo->resv, 1);
}

static int map_some_locked(struct request *rq)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < rq->n; i++) {
		r = reserve_slots(rq, rq->parts[i].vm);
		if (!r)
			r = plan(rq, &rq->parts[i], 1);
		if (!r)
			commit(rq, &rq->parts[i], 1);
		else
			rq->n = i;
	}
	return r ? r : rq->error;
}

/* The locks of the VMs are held. Leaves in @rq how many parts are mapped. */
static int map_locked(struct request *rq)
{
	int r = make_mappings(rq);

	mm_lock_ctx_init(&rq->ctx, true);
	if (!r)
		r = take_buffer(rq);
	if (r)
		rq->n = 0;
	else
		r = rq->all ? map_all_locked(rq) : map_some_locked(rq);
	mm_lock_ctx_fini(&rq->ctx);
	return r;
}

static int map(struct request *rq)
{
	unsigned int n = rq->n;
	int r;

	for (unsigned int i = 0; i < n; i++) {
		VKF_ASSERT(rq->parts[i].vm->client == client_of(rq));
		rq->parts[i].mapping = NULL;
		rq->parts[i].update = NULL;
	}
	vkf_list_init(&rq->done);
	r = lock_vms(rq);
	if (r)
		return r;
	r = map_locked(rq);
	unlock_vms(rq, n);
	mm_vm_free_mappings(&rq->done);
	for (unsigned int i = rq->n; i < n; i++) {
		vkf_free(rq->parts[i].mapping);
		rq->parts[i].mapping = NULL;
	}
	return r;
}

int mm_vm_map_some(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	struct request rq = { .bo = bo, .parts = parts, .n = n };

	return map(&rq);
}

int mm_vm_map_all(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	struct request rq = { .bo = bo, .parts = parts, .n = n, .all = true };

	return map(&rq);
}

int mm_vm_map(struct mm_vm *vm, struct mm_bo *bo, vkf_gpuva va, const struct mm_pte_attr *attr,
	      struct mm_mapping **ret_mapping)
{
	struct mm_map_part part = { .vm = vm, .va = va, .attr = *attr };
	int r = mm_vm_map_some(bo, &part, 1);

	if (!r)
		*ret_mapping = part.mapping;
	return r;
}
