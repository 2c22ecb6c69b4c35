/* SPDX-License-Identifier: MIT */
/**
 * DOC: Bringing an evicted client back
 *
 * Everything of the client is locked at once: its VMs, and the reservations of every
 * buffer that can move. Each buffer goes where it belongs, or to GTT; entries that do
 * not say so are written anew; the new eviction fence goes on all of it; and only then
 * anybody else can touch it. The waiting is done afterwards, without a lock
 * (amdgpu_amdkfd_gpuvm_restore_process_bos() of Linux 6.12 waits with all of them).
 */
#include <errno.h>
#include "base/env.h"
#include "mm/lock_ctx.h"
#include "mm/private.h"

struct restore {
	struct mm_client *client;
	struct mm_lock_ctx ctx;
	struct mm_fence *fence; /* the client's next */
	struct mm_deps updates; /* to be waited for */
	struct mm_bo **bos;     /* references */
	size_t n;
	struct vkf_list done; /* mappings that were freed, and are cleared */
};

/* ------------------------------------------------ who takes part */

static size_t count_bos(struct mm_client *client) VKF_REQUIRES(client->space_lock)
{
	struct mm_bo *bo;
	size_t n = 0;

	vkf_list_for_each(bo, &client->bos, link)
		n += mm_bo_has_window(bo);
	return n;
}

/* None is added meanwhile: that takes the client's lock. Some may die. */
static int collect(struct restore *rs) VKF_REQUIRES(rs->client->lock)
{
	struct mm_client *client = rs->client;
	struct mm_bo *bo;
	size_t n;

	vkf_mutex_lock(&client->space_lock);
	n = count_bos(client);
	vkf_mutex_unlock(&client->space_lock);
	rs->bos = n ? vkf_calloc(n, sizeof(struct mm_bo *)) : NULL;
	if (n && !rs->bos)
		return -ENOMEM;
	vkf_mutex_lock(&client->space_lock);
	vkf_list_for_each(bo, &client->bos, link) {
		if (mm_bo_has_window(bo) && vkf_ref_get_unless_zero(&bo->ref))
			rs->bos[rs->n++] = bo;
	}
	vkf_mutex_unlock(&client->space_lock);
	return 0;
}

static void release(struct restore *rs)
{
	mm_vm_free_mappings(&rs->done);
	for (size_t i = 0; i < rs->n; i++)
		mm_bo_put(rs->bos[i]);
	vkf_free(rs->bos);
	mm_fence_put(rs->fence);
}

/* ------------------------------------------------ locks */

VKF_NO_TS static void lock_vms(struct mm_client *client)
{
	struct mm_vm *vm;

	vkf_list_for_each(vm, &client->vms, link)
		vkf_mutex_lock_nested(&vm->lock, &client->lock);
}

VKF_NO_TS static void unlock_vms(struct mm_client *client)
{
	struct mm_vm *vm;

	vkf_list_for_each(vm, &client->vms, link)
		vkf_mutex_unlock(&vm->lock);
}

/* With a slot for the new fence on each. */
VKF_NO_TS static int lock_all(struct restore *rs)
{
	struct mm_vm *vm;
	int r = 0;

	vkf_list_for_each(vm, &rs->client->vms, link) {
		if (!r)
			r = mm_lock_ctx_lock(&rs->ctx, &vm->resv, 1);
		if (!r)
			r = mm_vm_reserve_freed_locked(vm, &rs->ctx);
	}
	for (size_t i = 0; !r && i < rs->n; i++)
		r = mm_lock_ctx_lock(&rs->ctx, rs->bos[i]->resv, rs->bos[i]->vm ? 0 : 1);
	return r;
}

/* ------------------------------------------------ what is done with them */

static int validate(struct restore *rs, struct mm_bo *bo)
{
	const struct mm_op op = { .locks = &rs->ctx };
	int r;

	mm_resv_assert_held(bo->resv);
	if (bo->n_pinned)
		return 0;
	r = mm_bo_validate_locked(bo, &op);
	return r == -ENOMEM ? mm_bo_validate_fallback_locked(bo, &op) : r;
}

/* Buffers first, then tables, which nothing runs without. */
VKF_NO_TS static int validate_tables(struct restore *rs)
{
	struct mm_vm *vm;
	int r = 0;

	vkf_list_for_each(vm, &rs->client->vms, link) {
		if (!r)
			r = mm_vm_validate_tables_locked(vm, &rs->ctx, false);
	}
	return r;
}

static int validate_all(struct restore *rs)
{
	int r = 0;

	for (size_t i = 0; !r && i < rs->n; i++)
		r = validate(rs, rs->bos[i]);
	return r ? r : validate_tables(rs);
}

/* What had to stay out of its place is written where it is, and stays to be brought back. */
VKF_NO_TS static int rewrite_shared(struct mm_bo *bo)
{
	bool is_home = mm_bo_is_home(bo);
	struct mm_mapping *m;
	int r = 0;

	vkf_list_for_each(m, &bo->mappings, of_bo) {
		struct mm_vm_lists *lists = &m->vm->lists;

		if (is_home)
			mm_vm_node_event(lists, &m->state, MM_VM_VALIDATED);
		else if (!r && mm_vm_node_is_stale(lists, &m->state) &&
			 mm_vm_node_state(lists, &m->state) == MM_VM_EVICTED)
			r = mm_vm_rewrite_locked(m);
	}
	return r;
}

VKF_NO_TS static int clear_freed(struct restore *rs)
{
	struct mm_vm *vm;
	int r = 0;

	vkf_list_for_each(vm, &rs->client->vms, link) {
		if (!r)
			r = mm_vm_clear_freed_locked(vm, &rs->done);
	}
	return r;
}

/* Whatever of its VMs does not say what is. */
VKF_NO_TS static int rewrite_all(struct restore *rs)
{
	struct mm_vm *vm;
	int r = clear_freed(rs);

	for (size_t i = 0; !r && i < rs->n; i++) {
		if (rs->bos[i]->vm)
			r = rewrite_shared(rs->bos[i]);
	}
	vkf_list_for_each(vm, &rs->client->vms, link) {
		if (!r)
			r = mm_vm_write_stale_locked(vm, NULL);
	}
	return r;
}

/* What the queues must not run before: updates of one VM signal in order, so the last stands for
 * them, and for the moves that they waited for. */
VKF_NO_TS static int collect_updates(struct restore *rs)
{
	struct mm_vm *vm;
	int r = 0;

	vkf_list_for_each(vm, &rs->client->vms, link) {
		if (!r && vm->last_update)
			r = mm_deps_add(&rs->updates, vm->last_update);
	}
	return r;
}

VKF_NO_TS static void publish(struct restore *rs)
{
	struct mm_client *client = rs->client;
	struct mm_vm *vm;

	atomic_store_explicit(&client->restored_ns, vkf_now_ns(), memory_order_relaxed);
	mm_eviction_renew(client, rs->fence);
	rs->fence = NULL;
	vkf_list_for_each(vm, &client->vms, link)
		mm_eviction_attach_locked(client, &vm->resv);
	for (size_t i = 0; i < rs->n; i++) {
		if (!rs->bos[i]->vm)
			mm_eviction_attach_locked(client, rs->bos[i]->resv);
	}
}

/* All or nothing is locked; what can be done again is done again when locks had to be given up. */
static int restore_locked(struct restore *rs)
{
	int r;

	mm_lock_ctx_init(&rs->ctx, false);
	do {
		r = lock_all(rs);
		if (!r)
			r = validate_all(rs);
	} while (mm_lock_ctx_retry(&rs->ctx, r));
	if (!r)
		r = rewrite_all(rs);
	if (!r)
		r = collect_updates(rs);
	if (!r)
		publish(rs);
	mm_lock_ctx_fini(&rs->ctx);
	return r;
}

static int restore(struct restore *rs) VKF_REQUIRES(rs->client->lock)
{
	int r = vkf_fault("mm.restore", 0);

	if (r)
		return r;
	rs->fence = mm_eviction_prepare(rs->client);
	if (!rs->fence)
		return -ENOMEM;
	r = collect(rs);
	if (r)
		return r;
	lock_vms(rs->client);
	r = restore_locked(rs);
	unlock_vms(rs->client);
	return r;
}

static void wait_for_updates(struct restore *rs)
{
	struct mm_client *client = rs->client;
	struct mm_vm *vm;

	for (size_t i = 0; i < rs->updates.n; i++)
		mm_fence_wait(rs->updates.fences[i], VKF_FOREVER, false);
	/* Without any, none was pending when its mapping was told of it. */
	if (!rs->updates.n)
		return;
	vkf_mutex_lock(&client->lock);
	vkf_list_for_each(vm, &client->vms, link)
		mm_vm_forget_updates(vm);
	vkf_mutex_unlock(&client->lock);
}

VKF_NO_TS int mm_client_restore(struct mm_client *client)
{
	struct restore rs = { .client = client };
	int r = 0;

	mm_deps_init(&rs.updates);
	vkf_list_init(&rs.done);
	vkf_mutex_lock(&client->lock);
	if (mm_client_is_evicted(client))
		r = restore(&rs);
	vkf_mutex_unlock(&client->lock);
	/* Buffers that died meanwhile end here, without a lock. */
	release(&rs);
	if (!r)
		wait_for_updates(&rs);
	mm_deps_fini(&rs.updates);
	return r;
}
