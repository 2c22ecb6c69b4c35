/* SPDX-License-Identifier: MIT */
#include "base/env.h"
#include "mm/private.h"

/* ------------------------------------------------ what entries say */

/* Where it is in a word: nobody but these two looks inside. */
#define FLAG_WRITEABLE    (UINT64_C(1) << 0)
#define FLAG_EXECUTABLE   (UINT64_C(1) << 1)
#define FLAG_SNOOPED      (UINT64_C(1) << 2)
#define SHIFT_MTYPE       4
#define SHIFT_SYSTEM      8
#define SHIFT_REACH       12
#define FIELD(flags, pos) ((unsigned int)((flags) >> (pos)) & 0xf)

uint64_t mm_vm_flags(const struct mm_pte_attr *attr)
{
	return (attr->writeable ? FLAG_WRITEABLE : 0) | (attr->executable ? FLAG_EXECUTABLE : 0) |
	       (attr->snooped ? FLAG_SNOOPED : 0) | (uint64_t)attr->mtype << SHIFT_MTYPE |
	       (uint64_t)attr->mtype_system << SHIFT_SYSTEM | (uint64_t)attr->reach << SHIFT_REACH;
}

void mm_vm_attr(uint64_t flags, struct mm_pte_attr *ret_attr)
{
	*ret_attr = (struct mm_pte_attr){
		.writeable = flags & FLAG_WRITEABLE,
		.executable = flags & FLAG_EXECUTABLE,
		.snooped = flags & FLAG_SNOOPED,
		.mtype = FIELD(flags, SHIFT_MTYPE),
		.mtype_system = FIELD(flags, SHIFT_SYSTEM),
		.reach = (enum mm_reach)FIELD(flags, SHIFT_REACH),
	};
}

bool mm_vm_is_reachable(const struct mm_va_node *node)
{
	const struct mm_bo *bo = node->bo;

	return !bo || bo->kind == MM_BO_BAR || bo->res.man != &bo->client->system->swap.man;
}

static void describe_bo(const struct mm_vm *vm, const struct mm_bo *bo,
			const struct mm_pte_attr *attr, struct mm_pt_source *ret_source)
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
		mm_walk_range(&ret_source->walk, bo->outside->bar_bus.v, bo->size);
		return;
	}
	mm_walk_resource(&ret_source->walk, &bo->res);
	/* A GPU of a hive finds its own VRAM, too, where all of them see it. */
	if (vram)
		ret_source->addr_base =
			attr->reach == MM_REACH_BUS ? home->bar_base : home->hive_base;
}

void mm_vm_describe(const struct mm_vm *vm, const struct mm_va_node *node,
		    struct mm_pt_source *ret_source)
{
	struct mm_pte_attr attr;

	if (!node->bo) {
		*ret_source = (struct mm_pt_source){ .flags = pte_gfx9_set_prt(0, 1) };
		return;
	}
	mm_vm_attr(node->flags, &attr);
	describe_bo(vm, node->bo, &attr, ret_source);
	mm_pt_source_skip(ret_source, node->offset);
}

/* ------------------------------------------------ mappings */

void mm_mapping_init(struct mm_mapping *m, struct mm_vm *vm)
{
	struct mm_bo *bo = mm_mapping_bo(m);

	m->vm = vm;
	vkf_budget_spend(&vm->client->mappings);
	vkf_list_init(&m->of_bo);
	mm_vm_node_init(&m->state, bo && !bo->vm ? MM_VM_OWN : MM_VM_SHARED);
	m->last_update = NULL;
	atomic_init(&m->n_users, 0);
	if (bo)
		mm_bo_get(bo);
}

VKF_NO_TS void mm_mapping_enter_locked(struct mm_mapping *m, struct mm_fence *f)
{
	struct mm_vm_lists *lists = &m->vm->lists;
	struct mm_bo *bo = mm_mapping_bo(m);
	bool is_home = !bo || mm_bo_is_home(bo);

	vkf_assert_held(&m->vm->lock);
	if (bo)
		vkf_list_add_tail(&m->of_bo, &bo->mappings);
	if (f)
		mm_vm_remember(&m->last_update, f);
	if (f && is_home && mm_vm_is_reachable(&m->node)) {
		mm_vm_node_event(lists, &m->state, MM_VM_ADDED_WRITTEN);
		return;
	}
	mm_vm_node_event(lists, &m->state, is_home ? MM_VM_ADDED : MM_VM_ADDED_EVICTED);
	if (f && mm_vm_is_reachable(&m->node))
		mm_vm_node_event(lists, &m->state, MM_VM_UPDATED);
}

void mm_mapping_free(struct mm_mapping *m)
{
	struct mm_client *client = m->vm->client;

	mm_fence_put(m->last_update);
	vkf_budget_give(&client->mappings);
	mm_bo_put(mm_mapping_bo(m));
	vkf_free(m);
}

void mm_vm_free_mappings(struct vkf_list *done)
{
	struct mm_mapping *m, *next;

	vkf_list_for_each_safe(m, next, done, of_bo) {
		vkf_list_del(&m->of_bo);
		mm_mapping_free(m);
	}
}

void mm_vm_bo_moved(struct mm_bo *bo)
{
	enum mm_vm_event event = mm_bo_is_home(bo) ? MM_VM_BO_MOVED : MM_VM_BO_EVICTED;
	struct mm_mapping *m;

	mm_resv_assert_held(bo->resv);
	vkf_list_for_each(m, &bo->mappings, of_bo)
		mm_vm_node_event(&m->vm->lists, &m->state, event);
}
