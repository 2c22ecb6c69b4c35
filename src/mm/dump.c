/* SPDX-License-Identifier: MIT */
#include "mm/dump.h"

#include <errno.h>
#include "mm/print.h"
#include "mm/private.h"

static const struct {
	const char *text, *name;
} kinds[] = {
	[MM_BO_VRAM] = { "VRAM", "vram" },
	[MM_BO_GTT] = { "GTT", "gtt" },
	[MM_BO_USERPTR] = { "user pages", "user" },
	[MM_BO_BAR] = { "BAR", "bar" },
};

void mm_dump_system(struct mm_system *system, struct mm_print *p)
{
	struct mm_system_usage usage;

	mm_system_usage(system, &usage);
	mm_print_row(p, "system_memory");
	mm_print_bytes(p, "used", usage.system_used);
	mm_print_bytes(p, "limit", usage.system_limit);
	mm_print_bytes(p, "ttm_used", usage.ttm_used);
	mm_print_bytes(p, "ttm_limit", usage.ttm_limit);
	mm_print_end(p);
	vkf_mutex_lock(&system->bus.lock);
	mm_print_row(p, "bus_addresses");
	mm_print_addr(p, "base", system->bus.base);
	mm_print_bytes(p, "size", system->bus.buddy.size);
	mm_print_bytes(p, "used", system->bus.buddy.size - system->bus.buddy.n_free);
	mm_print_end(p);
	vkf_mutex_unlock(&system->bus.lock);
	mm_manager_print(&system->user.man, "user_pages", p);
	mm_manager_print(&system->swap.man, "swapped_out", p);
}

void mm_dump_device(struct mm_device *dev, struct mm_print *p)
{
	struct mm_quota_usage quota;

	mm_quota_usage(&dev->system->quota, &dev->quota, &quota);
	mm_print_row(p, "limit");
	mm_print_bytes(p, "charged", quota.used);
	mm_print_bytes(p, "rest", quota.rest);
	mm_print_bytes(p, "kept_for_tables", quota.page_tables);
	mm_print_bytes(p, "pinned", quota.pinned);
	mm_print_bytes(p, "bad", quota.bad);
	mm_print_end(p);
	mm_print_bytes(p, "page_tables",
		       VKF_PAGE_SIZE * atomic_load_explicit(&dev->n_tables, memory_order_relaxed));
	mm_manager_print(&dev->vram.man, "vram", p);
	mm_manager_print(&dev->gtt.man, "gtt", p);
}

/* ------------------------------------------------ a client */

static void dump_buffers(struct mm_client *client, struct mm_print *p)
{
	uint64_t n[VKF_ARRAY_SIZE(kinds)] = { 0 }, bytes[VKF_ARRAY_SIZE(kinds)] = { 0 };
	uint64_t arena_size, arena_used;
	const struct mm_bo *bo;

	vkf_mutex_lock(&client->space_lock);
	vkf_list_for_each(bo, &client->bos, link) {
		n[bo->kind]++;
		bytes[bo->kind] += bo->size;
	}
	arena_size = client->arena.size;
	arena_used = client->arena.size - client->arena.n_free;
	vkf_mutex_unlock(&client->space_lock);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(kinds); i++) {
		mm_print_row(p, kinds[i].name);
		mm_print_u64(p, "buffers", n[i]);
		mm_print_bytes(p, "bytes", bytes[i]);
		mm_print_end(p);
	}
	mm_print_row(p, "arena");
	mm_print_bytes(p, "size", arena_size);
	mm_print_bytes(p, "used", arena_used);
	mm_print_end(p);
}

void mm_dump_client(struct mm_client *client, struct mm_print *p)
{
	struct mm_vm *vm;

	mm_print_bool(p, "evicted", mm_client_is_evicted(client));
	dump_buffers(client, p);
	mm_print_list(p, "vms");
	vkf_mutex_lock(&client->lock);
	vkf_list_for_each(vm, &client->vms, link) {
		vkf_mutex_lock(&vm->lock);
		mm_print_row(p, NULL);
		mm_print_u64(p, "gpu", vm->dev->config.index);
		mm_print_u64(p, "mappings", vm->va.ranges.n);
		mm_print_u64(p, "page_tables", vm->pt.n_tables);
		mm_print_end(p);
		vkf_mutex_unlock(&vm->lock);
	}
	vkf_mutex_unlock(&client->lock);
	mm_print_end(p);
}

/* ------------------------------------------------ a VM */

/* struct tables - what the nodes of a VM's page tables add up to */
struct tables {
	uint64_t n[MM_PTE_LEVELS];    /* tables */
	uint64_t live[MM_PTE_LEVELS]; /* entries in use: leaves, and ways to the next level */
};

static void count_tables(const struct mm_pt *pt, struct tables *t)
{
	t->n[pt->level]++;
	t->live[pt->level] += pt->n_live;
	for (unsigned int i = 0; pt->level != MM_PTB && i < MM_PT_SLOTS; i++) {
		if (pt->child[i])
			count_tables(pt->child[i], t);
	}
}

static void dump_tables(const struct mm_vm *vm, struct mm_print *p)
{
	static const char *const levels[MM_PTE_LEVELS] = { "pdb2", "pdb1", "pdb0", "ptb" };
	struct tables t = { { 0 } };

	count_tables(vm->pt.root, &t);
	mm_print_row(p, "page_tables");
	mm_print_u64(p, "tables", vm->pt.n_tables);
	mm_print_bytes(p, "bytes", vm->pt.n_tables * VKF_PAGE_SIZE);
	for (unsigned int i = 0; i < MM_PTE_LEVELS; i++)
		mm_print_u64(p, levels[i], t.n[i]);
	mm_print_u64(p, "leaves_4kib", t.live[MM_PTB]);
	/* Entries of a PDB0 are leaves of 2 MiB, or lead to a PTB. */
	mm_print_u64(p, "leaves_2mib", t.live[MM_PDB0] - t.n[MM_PTB]);
	mm_print_end(p);
}

static void dump_place(const struct mm_bo *bo, struct mm_print *p)
{
	const struct mm_buddy_block *block = bo->res.man ? bo->res.blocks : NULL;

	mm_print_str(p, "place", bo->res.man ? bo->res.man->name : "bus");
	mm_print_list(p, "blocks");
	for (; block; block = block->next) {
		mm_print_row(p, NULL);
		mm_print_addr(p, "offset", bo->res.base + block->offset);
		mm_print_bytes(p, "size", UINT64_C(1) << (block->order + bo->res.shift));
		mm_print_end(p);
	}
	if (bo->kind == MM_BO_BAR) {
		mm_print_row(p, NULL);
		mm_print_addr(p, "offset", bo->outside->bar_bus.v);
		mm_print_bytes(p, "size", bo->size);
		mm_print_end(p);
	}
	mm_print_end(p);
}

static void dump_attr(const struct mm_pte_attr *attr, struct mm_print *p)
{
	static const char *const mtypes[] = {
		[PTE_GFX9_MTYPE_NC] = "NC",
		[PTE_GFX9_MTYPE_RW] = "RW",
		[PTE_GFX9_MTYPE_CC] = "CC",
		[PTE_GFX9_MTYPE_UC] = "UC",
	};
	static const char *const reaches[] = {
		[MM_REACH_LOCAL] = "local",
		[MM_REACH_HIVE] = "hive",
		[MM_REACH_BUS] = "bus",
	};

	mm_print_bool(p, "write", attr->writeable);
	mm_print_bool(p, "exec", attr->executable);
	mm_print_bool(p, "snoop", attr->snooped);
	mm_print_str(p, "mtype", mtypes[attr->mtype]);
	mm_print_str(p, "reach", reaches[attr->reach]);
}

/* Once its updates are done, entries say where the buffer is; or, until somebody writes them anew,
 * where it was, or nothing. The VM is locked. */
static const char *state_of(const struct mm_mapping *m)
{
	if (m->last_update && !mm_fence_is_signalled(m->last_update))
		return "updating";
	return mm_vm_node_is_stale(&m->vm->lists, &m->state) ? "stale" : "valid";
}

static void dump_target(const struct mm_mapping *m, struct mm_bo *bo, struct mm_print *p)
{
	struct mm_pte_attr attr;

	mm_vm_attr(m->node.flags, &attr);
	mm_print_str(p, "kind", kinds[bo->kind].text);
	mm_print_u64(p, "home", bo->home->config.index);
	if (m->node.offset || m->node.range.last - m->node.range.first + 1 != bo->size)
		mm_print_bytes(p, "offset", m->node.offset);
	dump_attr(&attr, p);
}

static void dump_whereabouts(struct mm_bo *bo, struct mm_print *p)
{
	/* Not interrupted, so it cannot fail. */
	if (mm_resv_lock(bo->resv, false))
		return;
	mm_print_u64(p, "pinned", bo->n_pinned);
	dump_place(bo, p);
	mm_resv_unlock(bo->resv);
}

static void dump_mapping(const struct mm_mapping *m, struct mm_print *p)
{
	const struct vkf_range *range = &m->node.range;
	struct mm_bo *bo = mm_mapping_bo(m);

	mm_print_row(p, NULL);
	mm_print_addr(p, "address", range->first);
	mm_print_bytes(p, "size", range->last - range->first + 1);
	if (bo)
		dump_target(m, bo, p);
	else
		mm_print_str(p, "kind", "none");
	mm_print_u64(p, "users", atomic_load(&m->n_users));
	mm_print_str(p, "state", state_of(m));
	if (bo)
		dump_whereabouts(bo, p);
	mm_print_end(p);
}

static void dump_vm_locked(const struct mm_vm *vm, struct mm_print *p) VKF_REQUIRES(vm->lock)
{
	struct vkf_range *range;

	mm_print_u64(p, "gpu", vm->dev->config.index);
	dump_tables(vm, p);
	mm_print_u64(p, "n_mappings", vm->va.ranges.n);
	mm_print_list(p, "mappings");
	for (range = vkf_ranges_first(&vm->va.ranges); range; range = vkf_ranges_next(range))
		dump_mapping(mm_mapping_of_range(range), p);
	mm_print_end(p);
}

static struct mm_vm *vm_of(const struct mm_client *client, unsigned int gpu)
	VKF_REQUIRES(client->lock)
{
	struct mm_vm *vm;

	vkf_list_for_each(vm, &client->vms, link) {
		if (vm->dev->config.index == gpu)
			return vm;
	}
	return NULL;
}

bool mm_dump_has_vm(struct mm_client *client, unsigned int gpu)
{
	bool has;

	vkf_mutex_lock(&client->lock);
	has = vm_of(client, gpu) != NULL;
	vkf_mutex_unlock(&client->lock);
	return has;
}

int mm_dump_vm(struct mm_client *client, unsigned int gpu, struct mm_print *p)
{
	struct mm_vm *vm;

	vkf_mutex_lock(&client->lock);
	vm = vm_of(client, gpu);
	if (vm) {
		vkf_mutex_lock(&vm->lock);
		dump_vm_locked(vm, p);
		vkf_mutex_unlock(&vm->lock);
	}
	vkf_mutex_unlock(&client->lock);
	return vm ? 0 : -ENOENT;
}
