/* SPDX-License-Identifier: MIT */
#include "mm/bo.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/private.h"
#include "mm/resv_iter.h"

#define MAX_SIZE (UINT64_C(1) << 47)

/* ------------------------------------------------ creation, step by step */

static int check_params(const struct mm_client *client, const struct mm_bo_params *params,
			uint64_t *ret_size)
{
	uint64_t size;

	if (!params->size || params->size > MAX_SIZE)
		return -EINVAL;
	size = VKF_ALIGN_UP(params->size, VKF_PAGE_SIZE);
	if (params->kind == MM_BO_USERPTR && !VKF_IS_ALIGNED(params->user_addr, VKF_PAGE_SIZE))
		return -EINVAL;
	if (params->vm && params->vm->client != client)
		return -EPERM;
	if (params->kind == MM_BO_BAR &&
	    !VKF_IS_ALIGNED(params->bar_offset | params->bar_bus, VKF_PAGE_SIZE))
		return -EINVAL;
	if (params->places.n && !mm_places_valid(&params->places))
		return -EINVAL;
	*ret_size = size;
	return 0;
}

static enum mm_charge charge_of(const struct mm_bo_params *params)
{
	switch (params->kind) {
	case MM_BO_VRAM:
		return params->charge_as_gtt ? MM_CHARGE_TTM : MM_CHARGE_VRAM;
	case MM_BO_GTT:
		return MM_CHARGE_TTM;
	case MM_BO_USERPTR:
		return MM_CHARGE_SYSTEM;
	case MM_BO_BAR:
		break;
	}
	return MM_CHARGE_NONE;
}

static struct mm_places places_of(const struct mm_bo_params *params)
{
	if (params->places.n)
		return params->places;
	return mm_places_of(params->kind == MM_BO_VRAM ? MM_DOMAIN_VRAM : MM_DOMAIN_GTT);
}

static struct mm_bo *bo_new(struct mm_client *client, struct mm_device *home,
			    const struct mm_bo_params *params, uint64_t size)
{
	bool outside = params->kind == MM_BO_USERPTR || params->kind == MM_BO_BAR;
	struct mm_bo *bo;

	if (!vkf_budget_take(&client->buffers))
		return NULL;
	bo = vkf_zalloc(sizeof(*bo) + outside * sizeof(bo->outside[0]));
	if (!bo) {
		vkf_budget_give(&client->buffers);
		return NULL;
	}
	vkf_ref_init(&bo->ref);
	bo->kind = params->kind;
	bo->client = client;
	bo->home = home;
	bo->size = size;
	bo->charge = charge_of(params);
	bo->placement = mm_placement_of_bo(params);
	bo->places = places_of(params);
	if (outside) {
		bo->outside->bar_bus = (vkf_bus){ params->bar_bus };
		bo->outside->bar_offset = params->bar_offset;
	}
	bo->n_pinned = params->kind == MM_BO_BAR;
	bo->vm = params->vm;
	if (bo->vm)
		mm_vm_get(bo->vm);
	bo->resv = bo->vm ? &bo->vm->resv : &bo->own_resv;
	mm_resv_init(&bo->own_resv);
	vkf_list_init(&bo->mappings);
	return bo;
}

/* The addresses are those of memory a program could have. */
static int check_user(const struct mm_bo_params *params, uint64_t size)
{
	if (params->kind != MM_BO_USERPTR || mm_userptr_is_valid(params->user_addr, size))
		return 0;
	return -EFAULT;
}

/* Its first place. What the space was before may still have to be moved out of it. */
static int place(struct mm_bo *bo)
{
	const struct mm_op op = { .asker = bo->client, .interruptible = true };
	struct mm_manager *user = &bo->client->system->user.man;
	int r;

	if (bo->kind == MM_BO_BAR)
		return 0;
	if (bo->kind == MM_BO_USERPTR)
		return mm_place(user, &bo->placement, bo->size, &op, &bo->res);
	r = mm_places_alloc(&bo->places, bo, &op, false, &bo->res);
	if (r == -ENOSPC)
		r = mm_places_alloc(&bo->places, bo, &op, true, &bo->res);
	return r == -ENOSPC ? -ENOMEM : r;
}

/* Windows of 2 MiB and more begin at a multiple of it, so that one entry can stand for 2 MiB. */
static int take_window(struct mm_bo *bo)
{
	struct mm_buddy_request req = { .size = bo->size, .min_block = VKF_PAGE_SIZE };
	int r;

	if (bo->size >= VKF_HUGE_SIZE)
		req.min_block = VKF_HUGE_SIZE;
	r = mm_buddy_alloc_contiguous(&bo->client->arena, &req, &bo->window);
	return r == -ENOSPC ? -ENOMEM : r;
}

/* Who must be waited for before the first use, and who must stop before it is moved: a VM that it
 * shares the reservation of knows that already. */
VKF_NO_TS static int attach_fences(struct mm_bo *bo)
{
	struct mm_fence *moving = bo->res.man ? mm_manager_moving(bo->res.man) : NULL;
	int r = mm_resv_lock(bo->resv, true);

	if (!r) {
		r = mm_resv_reserve_locked(bo->resv, 2);
		if (!r && moving)
			mm_resv_add_locked(bo->resv, moving, MM_RESV_KERNEL);
		if (!r && mm_bo_has_window(bo) && !bo->vm)
			mm_eviction_attach_locked(bo->client, bo->resv);
		mm_resv_unlock(bo->resv);
	}
	mm_fence_put(moving);
	return r;
}

/* The buffer is known to its client from here on. */
static int enter_list(struct mm_bo *bo, const struct mm_bo_params *params)
{
	struct mm_client *client = bo->client;
	int r = 0;

	vkf_mutex_lock(&client->space_lock);
	if (mm_bo_has_window(bo))
		r = take_window(bo);
	if (!r) {
		vkf_list_add_tail(&bo->link, &client->bos);
		mm_client_get(client);
	}
	if (!r && bo->kind == MM_BO_USERPTR) {
		mm_userptr_init(&bo->outside->user, (vkf_uptr){ params->user_addr }, bo->size);
		vkf_ranges_insert(&client->userptrs, &bo->outside->user.range);
	}
	vkf_mutex_unlock(&client->space_lock);
	return r;
}

/* Not while the client is being restored: it gets the fence that is the client's afterwards. */
static int join_client(struct mm_bo *bo, const struct mm_bo_params *params)
{
	int r = vkf_mutex_lock_interruptible(&bo->client->lock);

	if (r)
		return r;
	r = attach_fences(bo);
	if (!r)
		r = enter_list(bo, params);
	if (!r && mm_bo_is_evictable(bo))
		mm_resource_make_evictable(&bo->res, bo, MM_LRU_USER);
	vkf_mutex_unlock(&bo->client->lock);
	return r;
}

int mm_bo_create(struct mm_client *client, struct mm_device *home,
		 const struct mm_bo_params *params, struct mm_bo **ret_bo)
{
	struct mm_quota *quota = &client->system->quota;
	struct mm_bo *bo;
	uint64_t size;
	int r = check_params(client, params, &size);

	if (!r)
		r = vkf_fault("mm.alloc", home->config.index);
	if (r)
		return r;
	bo = bo_new(client, home, params, size);
	if (!bo)
		return -ENOMEM;
	r = mm_quota_charge(quota, &home->quota, bo->charge, size);
	if (r)
		goto err_free;
	r = check_user(params, size);
	if (!r)
		r = place(bo);
	if (r)
		goto err_uncharge;
	r = join_client(bo, params);
	if (r)
		goto err_unplace;
	vkf_trace_bo_create(client->config.number, mm_bo_arena(bo).v, size,
			    (uint8_t)home->config.index, (uint8_t)bo->kind);
	*ret_bo = bo;
	return 0;

err_unplace:
	mm_resource_free(&bo->res);
err_uncharge:
	mm_quota_uncharge(quota, &home->quota, bo->charge, size);
err_free:
	mm_resv_fini(&bo->own_resv);
	mm_vm_put(bo->vm);
	vkf_free(bo);
	vkf_budget_give(&client->buffers);
	return r;
}

/* ------------------------------------------------ death */

/* Once, and before anybody else can have the window: it must read as zeros for the next one. */
static void give_window_back(struct mm_bo *bo)
{
	struct mm_client *client = bo->client;
	const struct mm_client_config *config = &client->config;
	bool closed;

	vkf_mutex_lock(&client->space_lock);
	closed = client->closed;
	vkf_mutex_unlock(&client->space_lock);
	if (bo->window && !closed)
		config->ops->punch(config->cookie, bo->window->offset, bo->size);
}

static void leave_client(struct mm_bo *bo)
{
	struct mm_client *client = bo->client;

	give_window_back(bo);
	vkf_mutex_lock(&client->space_lock);
	mm_buddy_free(&client->arena, bo->window);
	if (bo->kind == MM_BO_USERPTR)
		vkf_ranges_remove(&client->userptrs, &bo->outside->user.range);
	vkf_list_del(&bo->link);
	vkf_mutex_unlock(&client->space_lock);
}

/*
 * Whoever destroys the client waits for this, and the system may be gone right after. So our
 * reference goes first, under the lock: until @closed the creator's is there as well.
 */
static void died(struct mm_client *client)
{
	bool closed;

	vkf_mutex_lock(&client->space_lock);
	closed = client->closed;
	if (!closed)
		mm_client_put(client);
	if (--client->n_dying == 0)
		vkf_cond_broadcast(&client->died);
	vkf_mutex_unlock(&client->space_lock);
	if (closed)
		mm_client_put(client);
}

static void bo_free(struct mm_bo *bo)
{
	struct mm_client *client = bo->client;

	VKF_ASSERT(vkf_list_empty(&bo->mappings));
	vkf_trace_bo_free(client->config.number, mm_bo_arena(bo).v, bo->size);
	if (bo->kind == MM_BO_VRAM && bo->n_pinned)
		mm_quota_unpin(&client->system->quota, &bo->home->quota, bo->size);
	mm_resource_free(&bo->res);
	mm_quota_uncharge(&client->system->quota, &bo->home->quota, bo->charge, bo->size);
	mm_resv_fini(&bo->own_resv);
	leave_client(bo);
	mm_vm_put(bo->vm);
	vkf_free(bo);
	vkf_budget_give(&client->buffers);
	died(client);
}

static void bo_idle(struct mm_fence *fence, struct mm_fence_cb *cb);

/* Nobody can add a fence any more: when the last one there is has signalled, it is over. */
static void free_when_idle(struct mm_bo *bo)
{
	struct mm_fence *f;

	while ((f = mm_resv_busy_unshared(bo->resv))) {
		if (!mm_fence_add_callback(f, &bo->idle, bo_idle))
			return;
	}
	bo_free(bo);
}

static void bo_idle(struct mm_fence *fence, struct mm_fence_cb *cb)
{
	free_when_idle(vkf_container_of(cb, struct mm_bo, idle));
}

struct mm_bo *mm_bo_get(struct mm_bo *bo)
{
	vkf_ref_get(&bo->ref);
	return bo;
}

/* No memory for a list of them: wait for each, but not for who only stops if somebody waits. */
static void wait_for_users(struct mm_bo *bo)
{
	struct mm_resv_iter it;
	struct mm_fence *f;

	mm_resv_iter_begin(&it, bo->resv, MM_RESV_BOOKKEEP);
	while ((f = mm_resv_iter_next(&it))) {
		if (f->context != bo->client->evict_context)
			mm_fence_wait(f, VKF_FOREVER, false);
	}
	mm_resv_iter_end(&it);
}

/*
 * What it waits for is what there is now: later work of its VM has nothing to do with it. Who looks
 * for something to evict reads the pointer with the manager locked.
 */
VKF_NO_TS static void leave_shared_resv(struct mm_bo *bo)
{
	struct mm_manager *man = bo->res.man;
	bool mine = mm_resv_trylock(&bo->own_resv);

	VKF_ASSERT(mine);
	(void)mine;
	if (mm_resv_copy_locked(&bo->own_resv, bo->resv))
		wait_for_users(bo);
	mm_resv_unlock(&bo->own_resv);
	if (man)
		vkf_mutex_lock(&man->lock);
	bo->resv = &bo->own_resv;
	if (man)
		vkf_mutex_unlock(&man->lock);
}

void mm_bo_put(struct mm_bo *bo)
{
	if (!bo || !vkf_ref_put(&bo->ref))
		return;
	vkf_mutex_lock(&bo->client->space_lock);
	bo->client->n_dying++;
	vkf_mutex_unlock(&bo->client->space_lock);
	if (bo->vm)
		leave_shared_resv(bo);
	mm_eviction_detach_unshared(bo);
	free_when_idle(bo);
}

/* ------------------------------------------------ facts */

uint64_t mm_bo_size(const struct mm_bo *bo)
{
	return bo->size;
}

enum mm_bo_kind mm_bo_kind(const struct mm_bo *bo)
{
	return bo->kind;
}

struct mm_device *mm_bo_home(const struct mm_bo *bo)
{
	return bo->home;
}

struct mm_client *mm_bo_client(const struct mm_bo *bo)
{
	return bo->client;
}

bool mm_bo_is_exportable(const struct mm_bo *bo)
{
	return !bo->vm;
}

struct mm_resv *mm_bo_resv(struct mm_bo *bo)
{
	return bo->resv;
}

vkf_arena mm_bo_arena(const struct mm_bo *bo)
{
	return (vkf_arena){ bo->window ? bo->window->offset : UINT64_MAX };
}

void mm_bo_note_cpu_access(struct mm_bo *bo)
{
	atomic_store_explicit(&bo->cpu_access, true, memory_order_relaxed);
}

bool mm_bo_has_cpu_access(const struct mm_bo *bo)
{
	return atomic_load_explicit(&bo->cpu_access, memory_order_relaxed);
}

uint64_t mm_bo_link(const struct mm_bo *bo)
{
	switch (bo->kind) {
	case MM_BO_USERPTR:
		return mm_userptr_addr(&bo->outside->user).v | MM_LINK_USER;
	case MM_BO_BAR:
		return bo->outside->bar_offset | MM_LINK_BAR;
	default:
		return bo->window->offset | MM_LINK_ARENA;
	}
}
