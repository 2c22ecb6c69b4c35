/* SPDX-License-Identifier: MIT */
#include "mm/vm.h"

#include <errno.h>
#include "base/env.h"
#include "mm/private.h"

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

struct mm_fence_owner mm_vm_update_owner(const struct mm_vm *vm)
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
	vkf_ref_init(&vm->ref);
	mm_client_get(client);
	vm->client = client;
	vm->dev = dev;
	mm_resv_init(&vm->resv);
	mm_timeline_init(&vm->paging, mm_system_new_context(dev->system), dev->config.ops,
			 dev->config.cookie);
	vm->paging.owner = mm_vm_update_owner(vm);
	mm_vm_lists_init(&vm->lists);
	vkf_mutex_init(&vm->lock, VKF_RANK_VM);
	mm_va_init(&vm->va, dev->config.va_bits);
	attach_eviction(vm);
	mm_pt_join_vm(&vm->pt);
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

void mm_vm_get(struct mm_vm *vm)
{
	vkf_ref_get(&vm->ref);
}

void mm_vm_put(struct mm_vm *vm)
{
	struct mm_client *client;

	if (!vm || !vkf_ref_put(&vm->ref))
		return;
	client = vm->client;
	mm_vm_lists_fini(&vm->lists);
	mm_resv_fini(&vm->resv);
	vkf_mutex_fini(&vm->lock);
	vkf_free(vm);
	mm_client_put(client);
}

/* Its entries are gone, and so is all work on them. */
VKF_NO_TS static void drop_mapping(struct mm_mapping *m)
{
	struct mm_bo *bo = mm_mapping_bo(m);

	/* Not interrupted, so it cannot fail. */
	if (bo && mm_resv_lock(bo->resv, false))
		return;
	vkf_list_del(&m->of_bo);
	if (bo)
		mm_resv_unlock(bo->resv);
	mm_vm_node_remove(&m->vm->lists, &m->state);
	mm_mapping_free(m);
}

static void drop_mappings(struct mm_vm *vm)
{
	struct vkf_list *freed = &vm->lists.list[MM_VM_FREED];
	struct vkf_range *range;

	while ((range = vkf_ranges_first(&vm->va.ranges))) {
		mm_va_remove(&vm->va, range);
		drop_mapping(mm_mapping_of_range(range));
	}
	while (!vkf_list_empty(freed))
		drop_mapping(mm_mapping_of_state(vkf_list_first(freed, struct mm_vm_node, link)));
}

void mm_vm_destroy(struct mm_vm *vm)
{
	if (!vm)
		return;
	vkf_mutex_lock(&vm->client->lock);
	vkf_list_del(&vm->link);
	vkf_mutex_unlock(&vm->client->lock);
	if (vm->last_update)
		mm_fence_wait(vm->last_update, VKF_FOREVER, false);
	mm_fence_put(vm->last_update);
	vm->last_update = NULL;
	mm_timeline_fini(&vm->paging);
	/* Whoever makes a table leave has the reservation. Not interrupted, so it cannot fail. */
	if (!mm_resv_lock(&vm->resv, false)) {
		mm_pt_fini(&vm->pt);
		mm_resv_unlock(&vm->resv);
	}
	drop_mappings(vm);
	mm_vm_put(vm);
}

/* ------------------------------------------------ locks of a change */

VKF_NO_TS int mm_vm_lock(struct mm_vm *vm)
{
	int r = vkf_mutex_lock_interruptible(&vm->client->lock);

	if (r)
		return r;
	r = vkf_mutex_lock_interruptible(&vm->lock);
	if (r)
		vkf_mutex_unlock(&vm->client->lock);
	return r;
}

VKF_NO_TS void mm_vm_unlock(struct mm_vm *vm)
{
	vkf_mutex_unlock(&vm->lock);
	vkf_mutex_unlock(&vm->client->lock);
}

/* ------------------------------------------------ the rest */

static void forget_update(struct mm_mapping *m) VKF_REQUIRES(m->vm->lock)
{
	if (!m->last_update || !mm_fence_is_signalled(m->last_update))
		return;
	mm_fence_put(m->last_update);
	m->last_update = NULL;
}

VKF_NO_TS void mm_vm_forget_updates(struct mm_vm *vm)
{
	struct vkf_range *range;

	vkf_mutex_lock(&vm->lock);
	for (range = vkf_ranges_first(&vm->va.ranges); range; range = vkf_ranges_next(range))
		forget_update(mm_mapping_of_range(range));
	vkf_mutex_unlock(&vm->lock);
}

int mm_vm_sync(struct mm_mapping *mapping, bool interruptible)
{
	struct mm_fence *f;
	int r;

	vkf_mutex_lock(&mapping->vm->lock);
	f = mapping->last_update;
	if (f)
		mm_fence_get(f);
	vkf_mutex_unlock(&mapping->vm->lock);
	if (!f)
		return 0;
	r = mm_fence_wait(f, VKF_FOREVER, interruptible);
	mm_fence_put(f);
	vkf_mutex_lock(&mapping->vm->lock);
	forget_update(mapping);
	vkf_mutex_unlock(&mapping->vm->lock);
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
		m = mm_mapping_of_range(range);
		if (ret_start)
			ret_start->v = range->first;
		if (ret_size)
			*ret_size = range->last - range->first + 1;
	}
	vkf_mutex_unlock(&vm->lock);
	return m;
}
