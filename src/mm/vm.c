/* SPDX-License-Identifier: MIT */
#include "mm/vm.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/lock_ctx.h"
#include "mm/private.h"
#include "mm/sync.h"

/* ------------------------------------------------ life */

static struct mm_vm *vm_of_device(struct mm_client *client, const struct mm_device *dev)
	VKF_REQUIRES(client->lock)
{
	struct mm_vm *vm;

	vkf_list_for_each(vm, &client->vms, link) {
		if (vm->dev == dev)
			return vm;
	}
	return NULL;
}

static struct mm_fence_owner update_owner(const struct mm_vm *vm)
{
	return (struct mm_fence_owner){ .kind = MM_FENCE_UPDATE, .vm = vm, .dev = vm->dev };
}

/* Nobody else knows the VM yet, and a slot of a new reservation needs no memory. */
VKF_NO_TS static void attach_eviction(struct mm_vm *vm)
{
	bool mine = mm_resv_trylock(&vm->resv);
	int r = mm_resv_reserve_locked(&vm->resv, 1);

	VKF_ASSERT(mine && !r);
	(void)mine;
	(void)r;
	mm_eviction_attach_locked(vm->client, &vm->resv);
	mm_resv_unlock(&vm->resv);
}

static int vm_create_locked(struct mm_client *client, struct mm_device *dev, struct mm_vm **ret_vm)
	VKF_REQUIRES(client->lock)
{
	struct mm_vm *vm;
	int r;

	if (vm_of_device(client, dev))
		return -EEXIST;
	vm = vkf_zalloc(sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	r = mm_pt_init(&vm->pt, client, dev);
	if (r) {
		vkf_free(vm);
		return r;
	}
	mm_client_get(client);
	vm->client = client;
	vm->dev = dev;
	mm_resv_init(&vm->resv);
	mm_timeline_init(&vm->paging, mm_system_new_context(dev->system), dev->config.ops,
			 dev->config.cookie);
	vm->paging.owner = update_owner(vm);
	vkf_mutex_init(&vm->lock, VKF_RANK_VM);
	mm_va_init(&vm->va, dev->config.va_bits);
	attach_eviction(vm);
	vkf_list_add_tail(&vm->link, &client->vms);
	*ret_vm = vm;
	return 0;
}

int mm_vm_create(struct mm_client *client, struct mm_device *dev, struct mm_vm **ret_vm)
{
	int r;

	vkf_mutex_lock(&client->lock);
	r = vm_create_locked(client, dev, ret_vm);
	vkf_mutex_unlock(&client->lock);
	return r;
}

uint32_t mm_vm_root(const struct mm_vm *vm)
{
	return vm->pt.root->body.index;
}

/* Its entries are gone, and so is all work on them. */
static void mapping_free(struct mm_mapping *m)
{
	/* Not interrupted, so it cannot fail. */
	if (mm_resv_lock(m->bo->resv, false))
		return;
	vkf_list_del(&m->of_bo);
	mm_resv_unlock(m->bo->resv);
	mm_fence_put(m->last_update);
	mm_bo_put(m->bo);
	vkf_free(m);
}

static void drop_mappings(struct mm_vm *vm)
{
	struct vkf_range *range;

	while ((range = vkf_ranges_first(&vm->va.ranges))) {
		mm_va_remove(&vm->va, range);
		mapping_free(vkf_container_of(range, struct mm_mapping, range));
	}
}

void mm_vm_destroy(struct mm_vm *vm)
{
	struct mm_client *client;

	if (!vm)
		return;
	client = vm->client;
	vkf_mutex_lock(&client->lock);
	vkf_list_del(&vm->link);
	vkf_mutex_unlock(&client->lock);
	if (vm->last_update)
		mm_fence_wait(vm->last_update, VKF_FOREVER, false);
	mm_fence_put(vm->last_update);
	mm_timeline_fini(&vm->paging);
	mm_pt_fini(&vm->pt);
	drop_mappings(vm);
	mm_resv_fini(&vm->resv);
	vkf_mutex_fini(&vm->lock);
	vkf_free(vm);
	mm_client_put(client);
}

/* ------------------------------------------------ locks of a change */

/* The client's lock and the VM's: no other change of this VM, and no restore. */
static int vm_lock(struct mm_vm *vm) VKF_TRY_ACQUIRE(0, vm->lock) VKF_MUST_CHECK;
static void vm_unlock(struct mm_vm *vm) VKF_RELEASE(vm->lock);

VKF_NO_TS static int vm_lock(struct mm_vm *vm)
{
	int r = vkf_mutex_lock_interruptible(&vm->client->lock);

	if (r)
		return r;
	r = vkf_mutex_lock_interruptible(&vm->lock);
	if (r)
		vkf_mutex_unlock(&vm->client->lock);
	return r;
}

VKF_NO_TS static void vm_unlock(struct mm_vm *vm)
{
	vkf_mutex_unlock(&vm->lock);
	vkf_mutex_unlock(&vm->client->lock);
}

/* Both, with a place for the update's fence on each. */
static int lock_both(struct mm_lock_ctx *ctx, struct mm_vm *vm, struct mm_bo *bo)
{
	int r = mm_lock_ctx_lock(ctx, &vm->resv, 1);

	return r ? r : mm_lock_ctx_lock(ctx, bo->resv, 1);
}

static void remember(struct mm_fence **last, struct mm_fence *f)
{
	mm_fence_put(*last);
	*last = mm_fence_is_signalled(f) ? NULL : mm_fence_get(f);
}

/* Past the point of no return: submit, and let everybody know who must wait for it. */
struct mm_fence *mm_vm_commit(struct mm_vm *vm, struct mm_bo *bo, struct mm_pt_update *update)
{
	struct mm_fence *f = mm_pt_commit(update, &vm->paging);

	mm_resv_assert_held(&vm->resv);
	mm_resv_assert_held(bo->resv);
	mm_resv_add_locked(&vm->resv, f, MM_RESV_BOOKKEEP);
	mm_resv_add_locked(bo->resv, f, MM_RESV_BOOKKEEP);
	remember(&vm->last_update, f);
	return f;
}

/* ------------------------------------------------ map */

void mm_vm_describe(const struct mm_vm *vm, const struct mm_bo *bo, const struct mm_pte_attr *attr,
		    struct mm_pt_source *ret_source)
{
	const struct mm_device_config *home = &bo->home->config;
	bool vram = mm_bo_in_vram(bo);
	struct mm_pte_attr now = *attr;

	if (bo->kind == MM_BO_VRAM && !vram) {
		now.mtype = attr->mtype_system;
		now.snooped = true;
	}
	ret_source->flags = mm_pte_flags(&now, !vram || attr->reach == MM_REACH_BUS);
	ret_source->link = mm_bo_link(bo);
	ret_source->addr_base = 0;
	if (bo->kind == MM_BO_BAR) {
		mm_walk_range(&ret_source->walk, bo->bar_bus.v, bo->size);
		return;
	}
	mm_walk_resource(&ret_source->walk, &bo->res);
	if (vram && attr->reach == MM_REACH_HIVE)
		ret_source->addr_base = home->hive_base;
	if (vram && attr->reach == MM_REACH_BUS)
		ret_source->addr_base = home->bar_base;
}

int mm_vm_check_map(const struct mm_vm *vm, const struct mm_bo *bo, vkf_gpuva va,
		    const struct mm_pte_attr *attr)
{
	if (bo->client != vm->client)
		return -EINVAL;
	if (bo->kind == MM_BO_VRAM && attr->reach == MM_REACH_LOCAL && bo->home != vm->dev)
		return -EINVAL;
	return mm_va_check(&vm->va, va, bo->size);
}

void mm_mapping_init(struct mm_mapping *m, struct mm_vm *vm, struct mm_bo *bo,
		     const struct mm_pte_attr *attr)
{
	m->vm = vm;
	m->bo = mm_bo_get(bo);
	m->attr = *attr;
	m->entries = MM_ENTRIES_CURRENT;
	m->last_update = NULL;
	atomic_init(&m->n_users, 0);
}

/*
 * Entries may lead to the new place only once the buffer is there, and be in tables only once those
 * are nobody else's; nothing else holds a new mapping up.
 */
static int plan_map(struct mm_vm *vm, struct mm_bo *bo, uint64_t va, const struct mm_pte_attr *attr,
		    struct mm_pt_update **ret_update) VKF_REQUIRES(vm->lock)
{
	const struct mm_sync_waiter waiter = { MM_SYNC_EXPLICIT, update_owner(vm) };
	struct mm_pt_source source;
	struct mm_pt_update *update;
	int r;

	mm_resv_assert_held(bo->resv);
	mm_vm_describe(vm, bo, attr, &source);
	r = mm_pt_plan_map(&vm->pt, va, bo->size, &source, &update);
	if (r)
		return r;
	r = mm_sync_collect_locked(bo->resv, &waiter, mm_pt_update_deps(update));
	if (r)
		mm_pt_abandon(update);
	else
		*ret_update = update;
	return r;
}

/* Everything that may fail. Both reservations are held afterwards. */
static int map_prepare(struct mm_vm *vm, struct mm_bo *bo, vkf_gpuva va,
		       const struct mm_pte_attr *attr, struct mm_lock_ctx *ctx,
		       struct mm_pt_update **ret_update) VKF_REQUIRES(vm->lock)
{
	const struct mm_op op = { .locks = ctx, .asker = vm->client, .interruptible = true };
	int r;

	do {
		r = lock_both(ctx, vm, bo);
		if (!r)
			r = mm_bo_validate_locked(bo, &op);
	} while (mm_lock_ctx_retry(ctx, r));
	return r ? r : plan_map(vm, bo, va.v, attr, ret_update);
}

static void map_commit(struct mm_mapping *m, vkf_gpuva va, struct mm_pt_update *update)
	VKF_REQUIRES(m->vm->lock)
{
	struct mm_fence *f;

	vkf_list_add_tail(&m->of_bo, &m->bo->mappings);
	mm_va_insert(&m->vm->va, &m->range, va, m->bo->size);
	f = mm_vm_commit(m->vm, m->bo, update);
	remember(&m->last_update, f);
	mm_fence_put(f);
}

static int map_locked(struct mm_vm *vm, struct mm_bo *bo, vkf_gpuva va,
		      const struct mm_pte_attr *attr, struct mm_mapping **ret_mapping)
	VKF_REQUIRES(vm->lock)
{
	struct mm_pt_update *update;
	struct mm_lock_ctx ctx;
	struct mm_mapping *m;
	int r = mm_vm_check_map(vm, bo, va, attr);

	if (r)
		return r;
	m = vkf_zalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	mm_lock_ctx_init(&ctx, true);
	r = map_prepare(vm, bo, va, attr, &ctx, &update);
	if (!r) {
		mm_mapping_init(m, vm, bo, attr);
		map_commit(m, va, update);
	}
	mm_lock_ctx_fini(&ctx);
	if (r)
		vkf_free(m);
	else
		*ret_mapping = m;
	return r;
}

int mm_vm_map(struct mm_vm *vm, struct mm_bo *bo, vkf_gpuva va, const struct mm_pte_attr *attr,
	      struct mm_mapping **ret_mapping)
{
	int r = vkf_fault("mm.map", vm->dev->config.index);

	if (r)
		return r;
	r = vm_lock(vm);
	if (r)
		return r;
	r = map_locked(vm, bo, va, attr, ret_mapping);
	if (!r)
		vkf_trace_vm_map(vm->client->config.number, (uint8_t)vm->dev->config.index, va.v,
				 bo->size);
	vm_unlock(vm);
	return r;
}

/* ------------------------------------------------ unmap */

/* What a program has submitted in this VM may use the mapping without naming it, and finishes
 * first; every submission leaves its fence on the VM. */
static int plan_clear(const struct mm_mapping *m, struct mm_pt_update **ret_update)
	VKF_REQUIRES(m->vm->lock)
{
	const struct mm_sync_waiter waiter = { MM_SYNC_EQ_OWNER, update_owner(m->vm) };
	uint64_t bytes = m->entries == MM_ENTRIES_NONE ? 0 : m->bo->size;
	struct mm_pt_update *update;
	int r;

	mm_resv_assert_held(&m->vm->resv);
	r = mm_pt_plan_clear(&m->vm->pt, m->range.first, bytes, &update);
	if (r)
		return r;
	r = mm_sync_collect_locked(&m->vm->resv, &waiter, mm_pt_update_deps(update));
	if (r)
		mm_pt_abandon(update);
	else
		*ret_update = update;
	return r;
}

static int unmap_locked(struct mm_vm *vm, struct mm_mapping *m, struct mm_fence **ret_fence)
	VKF_REQUIRES(vm->lock)
{
	struct mm_pt_update *update;
	struct mm_lock_ctx ctx;
	int r;

	mm_lock_ctx_init(&ctx, true);
	do {
		r = lock_both(&ctx, vm, m->bo);
	} while (mm_lock_ctx_retry(&ctx, r));
	if (!r)
		r = plan_clear(m, &update);
	if (!r) {
		mm_va_remove(&vm->va, &m->range);
		vkf_list_del(&m->of_bo);
		*ret_fence = mm_vm_commit(vm, m->bo, update);
	}
	mm_lock_ctx_fini(&ctx);
	return r;
}

int mm_vm_unmap(struct mm_mapping *mapping, struct mm_fence **ret_fence)
{
	struct mm_vm *vm = mapping->vm;
	struct mm_fence *f;
	int r = vm_lock(vm);

	if (r)
		return r;
	r = unmap_locked(vm, mapping, &f);
	vm_unlock(vm);
	if (r)
		return r;
	vkf_trace_vm_unmap(vm->client->config.number, (uint8_t)vm->dev->config.index,
			   mapping->range.first, mapping->bo->size);
	if (ret_fence)
		*ret_fence = f;
	else
		mm_fence_put(f);
	mm_fence_put(mapping->last_update);
	mm_bo_put(mapping->bo);
	vkf_free(mapping);
	return 0;
}

/* ------------------------------------------------ entries written anew */

/* Two more fences of one context. */
static int reserve_rewrite(struct mm_mapping *m)
{
	int r;

	mm_resv_assert_held(&m->vm->resv);
	mm_resv_assert_held(m->bo->resv);
	r = mm_resv_reserve_locked(&m->vm->resv, 2);
	return r ? r : mm_resv_reserve_locked(m->bo->resv, 2);
}

static int clear_stale(struct mm_mapping *m) VKF_REQUIRES(m->vm->lock)
{
	struct mm_pt_update *update;
	int r = plan_clear(m, &update);

	if (r)
		return r;
	mm_fence_put(mm_vm_commit(m->vm, m->bo, update));
	m->entries = MM_ENTRIES_NONE;
	return 0;
}

VKF_NO_TS int mm_vm_rewrite_locked(struct mm_mapping *m)
{
	struct mm_pt_update *update;
	struct mm_fence *f;
	int r = reserve_rewrite(m);

	if (!r && m->entries == MM_ENTRIES_STALE)
		r = clear_stale(m);
	if (!r)
		r = plan_map(m->vm, m->bo, m->range.first, &m->attr, &update);
	if (r)
		return r;
	f = mm_vm_commit(m->vm, m->bo, update);
	m->entries = MM_ENTRIES_CURRENT;
	remember(&m->last_update, f);
	mm_fence_put(f);
	return 0;
}

/* ------------------------------------------------ the rest */

int mm_vm_sync(struct mm_mapping *mapping, bool interruptible)
{
	struct mm_fence *f;
	int r;

	vkf_mutex_lock(&mapping->vm->lock);
	f = mapping->last_update;
	if (f)
		mm_fence_get(f);
	vkf_mutex_unlock(&mapping->vm->lock);
	r = f ? mm_fence_wait(f, VKF_FOREVER, interruptible) : 0;
	mm_fence_put(f);
	return r;
}

void mm_mapping_use(struct mm_mapping *mapping)
{
	atomic_fetch_add(&mapping->n_users, 1);
}

void mm_mapping_unuse(struct mm_mapping *mapping)
{
	unsigned int old = atomic_fetch_sub(&mapping->n_users, 1);

	VKF_ASSERT(old > 0);
	(void)old;
}

bool mm_mapping_in_use(const struct mm_mapping *mapping)
{
	return atomic_load(&mapping->n_users) > 0;
}

struct mm_mapping *mm_vm_find(struct mm_vm *vm, vkf_gpuva va, vkf_gpuva *ret_start,
			      uint64_t *ret_size)
{
	struct mm_mapping *m = NULL;
	struct vkf_range *range;

	vkf_mutex_lock(&vm->lock);
	range = mm_va_find(&vm->va, va);
	if (range) {
		m = vkf_container_of(range, struct mm_mapping, range);
		if (ret_start)
			ret_start->v = range->first;
		if (ret_size)
			*ret_size = m->bo->size;
	}
	vkf_mutex_unlock(&vm->lock);
	return m;
}
