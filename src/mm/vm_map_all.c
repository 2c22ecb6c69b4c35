/* SPDX-License-Identifier: MIT */
#include "mm/vm_map_all.h"

#include <errno.h>
#include "base/env.h"
#include "mm/lock_ctx.h"
#include "mm/private.h"

/* ------------------------------------------------ parts by VM */

static bool is_first(const struct mm_map_part *parts, unsigned int i)
{
	return i == 0 || parts[i].vm != parts[i - 1].vm;
}

/* Behind the last part of the VM of part @i. */
static unsigned int end_of_vm(const struct mm_map_part *parts, unsigned int n, unsigned int i)
{
	unsigned int end = i + 1;

	while (end < n && !is_first(parts, end))
		end++;
	return end;
}

/* ------------------------------------------------ locks */

VKF_NO_TS static int lock_vms(struct mm_map_part *parts, unsigned int n)
{
	struct mm_client *client = parts[0].vm->client;
	int r = vkf_mutex_lock_interruptible(&client->lock);

	if (r)
		return r;
	for (unsigned int i = 0; i < n; i++) {
		if (is_first(parts, i))
			vkf_mutex_lock_nested(&parts[i].vm->lock, &client->lock);
	}
	return 0;
}

VKF_NO_TS static void unlock_vms(struct mm_map_part *parts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (is_first(parts, i))
			vkf_mutex_unlock(&parts[i].vm->lock);
	}
	vkf_mutex_unlock(&parts[0].vm->client->lock);
}

/* Each VM's update has a fence of its own. */
VKF_NO_TS static int lock_resvs(struct mm_lock_ctx *ctx, struct mm_bo *bo,
				const struct mm_map_part *parts, unsigned int n)
{
	unsigned int n_vms = 0;
	int r = 0;

	for (unsigned int i = 0; !r && i < n; i++) {
		if (!is_first(parts, i))
			continue;
		n_vms++;
		r = mm_lock_ctx_lock(ctx, &parts[i].vm->resv, 1);
		if (!r)
			r = mm_vm_reserve_freed_locked(parts[i].vm, ctx);
	}
	return r ? r : mm_lock_ctx_lock(ctx, bo->resv, n_vms);
}

VKF_NO_TS static int validate_tables(struct mm_lock_ctx *ctx, const struct mm_map_part *parts,
				     unsigned int n)
{
	int r = 0;

	for (unsigned int i = 0; !r && i < n; i++) {
		if (is_first(parts, i))
			r = mm_vm_validate_tables_locked(parts[i].vm, ctx, true);
	}
	return r;
}

/* ------------------------------------------------ what may fail */

VKF_NO_TS static int make_mappings(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	if (n && !vkf_budget_has(&parts[0].vm->client->mappings, n))
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct mm_map_part *part = &parts[i];
		int r = mm_vm_check_map(part->vm, bo, part->va, &part->attr);

		if (r)
			return r;
		part->mapping = vkf_zalloc(sizeof(*part->mapping));
		if (!part->mapping)
			return -ENOMEM;
		part->mapping->node.bo = bo;
		part->mapping->node.flags = mm_vm_flags(&part->attr);
	}
	return 0;
}

static int take_buffer(struct mm_lock_ctx *ctx, struct mm_bo *bo, const struct mm_map_part *parts,
		       unsigned int n)
{
	const struct mm_op op = { .locks = ctx, .asker = bo->client, .interruptible = true };
	int r;

	do {
		r = lock_resvs(ctx, bo, parts, n);
		if (!r)
			r = validate_tables(ctx, parts, n);
		if (!r)
			r = mm_bo_validate_locked(bo, &op);
	} while (mm_lock_ctx_retry(ctx, r));
	return r;
}

/* All the parts of one VM, in its first. */
VKF_NO_TS static int plan_vm(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	struct mm_pt_update *update = mm_pt_update_create(&parts[0].vm->pt);
	int r = 0;

	if (!update)
		return -ENOMEM;
	for (unsigned int i = 0; !r && i < n; i++) {
		struct mm_pt_source source;

		mm_vm_describe(parts[i].vm, &parts[i].mapping->node, &source);
		r = mm_pt_update_set(update, parts[i].va.v, bo->size, &source);
	}
	if (!r)
		r = mm_pt_update_finish(update);
	if (!r)
		r = mm_vm_sync_set_locked(parts[0].vm, bo, update);
	if (r)
		mm_pt_abandon(update);
	else
		parts[0].update = update;
	return r;
}

/* What was left to clear comes first: it may be where this one writes. */
VKF_NO_TS static int plan_all(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n,
			      struct vkf_list *done)
{
	int r = 0;

	for (unsigned int i = 0, end; !r && i < n; i = end) {
		end = end_of_vm(parts, n, i);
		r = mm_vm_clear_freed_locked(parts[i].vm, done);
		if (!r)
			r = plan_vm(bo, &parts[i], end - i);
	}
	return r;
}

/* ------------------------------------------------ and what cannot */

VKF_NO_TS static void commit_vm(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	struct mm_vm *vm = parts[0].vm;
	struct mm_fence *f;

	f = mm_vm_commit_locked(vm, parts[0].update);
	if (!bo->vm)
		mm_resv_add_locked(bo->resv, f, MM_RESV_BOOKKEEP);
	for (unsigned int i = 0; i < n; i++) {
		struct mm_mapping *m = parts[i].mapping;

		mm_mapping_init(m, vm);
		m->is_held = true;
		mm_va_insert(&vm->va, &m->node.range, parts[i].va, bo->size);
		mm_mapping_enter_locked(m, f);
	}
	mm_fence_put(f);
}

static void commit_all(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	for (unsigned int i = 0, end; i < n; i = end) {
		end = end_of_vm(parts, n, i);
		commit_vm(bo, &parts[i], end - i);
	}
}

static void abandon_all(struct mm_map_part *parts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (parts[i].update)
			mm_pt_abandon(parts[i].update);
		vkf_free(parts[i].mapping);
		parts[i].mapping = NULL;
	}
}

/* The locks of the VMs are held. */
static int map_all_locked(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n,
			  struct vkf_list *done)
{
	struct mm_lock_ctx ctx;
	int r;

	r = make_mappings(bo, parts, n);
	mm_lock_ctx_init(&ctx, true);
	if (!r)
		r = take_buffer(&ctx, bo, parts, n);
	if (!r)
		r = plan_all(bo, parts, n, done);
	if (r)
		abandon_all(parts, n);
	else
		commit_all(bo, parts, n);
	mm_lock_ctx_fini(&ctx);
	return r;
}

int mm_vm_map_all(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n)
{
	struct vkf_list done;
	int r;

	for (unsigned int i = 0; i < n; i++) {
		VKF_ASSERT(parts[i].vm->client == parts[0].vm->client);
		parts[i].mapping = NULL;
		parts[i].update = NULL;
		r = vkf_fault("mm.map", parts[i].vm->dev->config.index);
		if (r)
			return r;
	}
	r = lock_vms(parts, n);
	if (r)
		return r;
	vkf_list_init(&done);
	r = map_all_locked(bo, parts, n, &done);
	unlock_vms(parts, n);
	mm_vm_free_mappings(&done);
	return r;
}
