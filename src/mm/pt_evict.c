/* SPDX-License-Identifier: MIT */
#include "mm/pt_evict.h"

#include <errno.h>
#include "mm/placement.h"
#include "mm/private.h"
#include "mm/resv_iter.h"

static struct mm_vm *vm_of(const struct mm_pt_tree *tree)
{
	return vkf_container_of(tree, struct mm_vm, pt);
}

static struct mm_pt *table_of_page(struct mm_resource *page)
{
	return vkf_container_of(page, struct mm_pt, body.page);
}

static struct mm_pt *table_of_state(struct mm_vm_node *node)
{
	return vkf_container_of(node, struct mm_pt, state);
}

struct mm_vm *mm_pt_vm(struct mm_resource *page)
{
	return vm_of(table_of_page(page)->tree);
}

void mm_pt_make_evictable(struct mm_pt *pt)
{
	if (pt->tree->can_leave)
		mm_resource_make_evictable(&pt->body.page, NULL, MM_LRU_KERNEL);
}

void mm_pt_make_unevictable(struct mm_pt *pt)
{
	if (pt->tree->can_leave)
		mm_resource_make_unevictable(&pt->body.page);
}

/* ------------------------------------------------ out */

/* The least recently made one of @vm in @man, or NULL. */
static struct mm_pt *find(const struct mm_vm *vm, struct mm_manager *man)
{
	struct mm_lru_node *node;
	struct mm_pt *found = NULL;

	vkf_mutex_lock(&man->lock);
	for (node = mm_lru_next(&man->lru, NULL); node && !found;
	     node = mm_lru_next(&man->lru, node)) {
		struct mm_resource *page = vkf_container_of(node, struct mm_resource, lru);

		if (!page->bo && mm_pt_vm(page) == vm)
			found = table_of_page(page);
	}
	vkf_mutex_unlock(&man->lock);
	return found;
}

/* A page elsewhere; whoever is asked for it must not wait for us. */
static int place(struct mm_manager *man, const struct mm_op *op, struct mm_resource *res)
{
	struct mm_placement placement = mm_placement_of_table();

	return mm_place(man, &placement, VKF_PAGE_SIZE, op, res);
}

static void move(struct mm_pt *pt, struct mm_resource *to)
{
	struct mm_resource old;

	mm_resource_take(&old, &pt->body.page);
	mm_resource_take(&pt->body.page, to);
	mm_resource_free(&old);
}

/* Nobody can plan an update while the reservation is held, so tables stay what they are. */
static int evict_locked(struct mm_vm *vm, struct mm_manager *man)
{
	const struct mm_op op = { .asker = vm->client, .no_wait = true };
	struct mm_resource res = { 0 };
	struct mm_pt *pt = find(vm, man);
	int r;

	if (!pt || !mm_resv_test_signalled(&vm->resv, MM_RESV_BOOKKEEP))
		return -ENOSPC;
	r = place(&vm->dev->gtt.man, &op, &res);
	if (r)
		return r;
	mm_pt_make_unevictable(pt);
	move(pt, &res);
	atomic_fetch_sub_explicit(&vm->dev->n_tables, 1, memory_order_relaxed);
	vm->pt.n_evicted++;
	mm_vm_node_event(&vm->lists, &pt->state, MM_VM_BO_EVICTED);
	return 0;
}

VKF_NO_TS int mm_pt_evict_one(struct mm_vm *vm, struct mm_manager *man)
{
	int r;

	if (!mm_resv_trylock(&vm->resv))
		return -ENOSPC;
	r = evict_locked(vm, man);
	mm_resv_unlock(&vm->resv);
	return r;
}

/* ------------------------------------------------ and back */

static int validate(struct mm_pt *pt, const struct mm_op *op)
{
	struct mm_vm *vm = vm_of(pt->tree);
	struct mm_resource res = { 0 };
	int r = place(&vm->dev->vram.man, op, &res);

	if (r)
		return r;
	move(pt, &res);
	atomic_fetch_add_explicit(&vm->dev->n_tables, 1, memory_order_relaxed);
	vm->pt.n_evicted--;
	mm_pt_make_evictable(pt);
	mm_vm_node_event(&vm->lists, &pt->state, MM_VM_VALIDATED);
	return 0;
}

int mm_pt_validate_locked(struct mm_vm *vm, const struct mm_op *op)
{
	struct mm_vm_walk walk;
	struct mm_vm_node *node;
	int r = 0;

	mm_vm_walk_begin(&walk, &vm->lists, MM_VM_EVICTED);
	while (!r && !mm_pt_is_home(&vm->pt) && (node = mm_vm_walk_next(&walk, &vm->lists))) {
		if (node->kind == MM_VM_TABLE)
			r = validate(table_of_state(node), op);
		else
			mm_vm_walk_skip(&walk, &vm->lists, node);
	}
	return r;
}

/* The list is ours while the reservation is held. */
static int plan_directories(struct mm_vm *vm, struct mm_pt_update *update)
{
	struct mm_vm_node *node;
	int r = 0;

	vkf_list_for_each(node, &vm->lists.list[MM_VM_RELOCATED], link) {
		struct mm_pt *pt = table_of_state(node);

		if (!r && pt->parent)
			r = mm_pt_update_directory(update, pt);
	}
	return r ? r : mm_pt_update_finish(update);
}

static void directories_updated(struct mm_vm *vm)
{
	struct mm_vm_walk walk;
	struct mm_vm_node *node;

	mm_vm_walk_begin(&walk, &vm->lists, MM_VM_RELOCATED);
	while ((node = mm_vm_walk_next(&walk, &vm->lists)))
		mm_vm_node_event(&vm->lists, node, MM_VM_UPDATED);
}

VKF_NO_TS int mm_pt_update_directories_locked(struct mm_vm *vm)
{
	struct mm_pt_update *update;
	int r;

	if (!mm_vm_lists_count(&vm->lists, MM_VM_RELOCATED))
		return 0;
	r = mm_resv_reserve_locked(&vm->resv, 1);
	if (r)
		return r;
	update = mm_pt_update_create(&vm->pt);
	if (!update)
		return -ENOMEM;
	r = plan_directories(vm, update);
	if (r) {
		mm_pt_abandon(update);
		return r;
	}
	mm_fence_put(mm_vm_commit_locked(vm, update));
	directories_updated(vm);
	return 0;
}
