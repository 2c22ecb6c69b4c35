/* SPDX-License-Identifier: MIT */
/**
 * DOC: The invariants of a VM
 *
 * Each page table is walked as the hardware would and compared with the mappings, in
 * both directions: every entry leads where the mapping that covers it says, and the
 * entries cover as much as the mappings do. Of a mapping whose buffer has moved from
 * under it, entries are only where the mapping is; and that may be so only while the
 * client is evicted, or its queues have yet to stop for the move.
 */
#include "mm/check.h"

/* ------------------------------------------------ tables against mappings */

/* struct leaves - the walk over one VM's leaves, in order of address */
struct leaves {
	const struct mm_vm *vm;
	const struct mm_mapping *m; /* where it is */
	struct mm_pt_source source;
	uint64_t next; /* the next leaf's address inside @m */
	uint64_t covered;
};

static bool is_freed(const struct mm_vm *vm, uint64_t va)
{
	struct mm_vm_node *node;

	vkf_list_for_each(node, &vm->lists.list[MM_VM_FREED], link) {
		const struct vkf_range *range = &mm_mapping_of_state(node)->node.range;

		if (range->first <= va && va <= range->last)
			return true;
	}
	return false;
}

static const char *enter_mapping(struct leaves *l, uint64_t va)
{
	struct vkf_range *range = mm_va_find(&l->vm->va, (vkf_gpuva){ va });

	l->m = NULL;
	if (!range)
		return is_freed(l->vm, va) ? NULL : "an entry is valid where nothing is mapped";
	l->m = mm_mapping_of_range(range);
	l->next = va;
	if (l->m->state.is_stale)
		return NULL;
	CHECK(range->first == va, "the first entry of a mapping is missing");
	mm_vm_describe(l->vm, &l->m->node, &l->source);
	return NULL;
}

static const char *check_fragment(const struct leaves *l, uint64_t entry, uint64_t addr)
{
	uint64_t bytes = VKF_PAGE_SIZE << pte_gfx9_get_fragment(entry);
	uint64_t start = VKF_ALIGN_DOWN(l->next, bytes);

	CHECK(start >= l->m->node.range.first && start + bytes - 1 <= l->m->node.range.last,
	      "a fragment is longer than its mapping");
	CHECK(((l->next ^ addr) & (bytes - 1)) == 0, "a fragment is not aligned as its address is");
	CHECK(l->next != start || l->source.walk.left >= bytes, "a fragment is not contiguous");
	return NULL;
}

static const char *check_leaf(void *arg, uint64_t va, unsigned int level, uint64_t entry,
			      uint64_t link)
{
	struct leaves *l = arg;
	uint64_t span = mm_pte_span(level), addr;
	const char *why = NULL;

	if (!l->m || l->m->state.is_stale || l->next > l->m->node.range.last)
		why = enter_mapping(l, va);
	if (why || !l->m || l->m->state.is_stale)
		return why;
	CHECK(va == l->next, "an entry in the middle of a mapping is missing");
	addr = mm_pt_source_addr(&l->source);
	CHECK(mm_mapping_bo(l->m) == NULL ||
		      (VKF_IS_ALIGNED(addr, span) && l->source.walk.left >= span),
	      "an entry covers more than is contiguous");
	CHECK(pte_gfx9_set_fragment(entry, 0) == mm_pte_leaf(l->source.flags, addr, 0, level),
	      "an entry does not say what its mapping says");
	CHECK(link == l->source.link, "a link is not the backing");
	why = mm_mapping_bo(l->m) ? check_fragment(l, entry, addr) : NULL;
	mm_pt_source_skip(&l->source, span);
	l->next += span;
	l->covered += span;
	return why;
}

static uint64_t mapped_bytes(const struct mm_vm *vm)
{
	struct vkf_range *range = vkf_ranges_first(&vm->va.ranges);
	uint64_t sum = 0;

	for (; range; range = vkf_ranges_next(range)) {
		if (!mm_mapping_of_range(range)->state.is_stale)
			sum += range->last - range->first + 1;
	}
	return sum;
}

static const char *check_mapping(const struct mm_vm *vm, const struct mm_mapping *m)
{
	const struct mm_bo *bo = mm_mapping_bo(m);
	uint64_t bytes = m->node.range.last - m->node.range.first + 1;
	bool is_shared = !bo || bo->vm;

	CHECK(m->vm == vm, "a mapping is in another VM's tree");
	CHECK(m->state.state != MM_VM_NOWHERE && m->state.state != MM_VM_FREED,
	      "a mapping is in no list of its VM, or in that of what is gone");
	CHECK(m->state.kind == (is_shared ? MM_VM_SHARED : MM_VM_OWN),
	      "a mapping is in the lists of other buffers");
	if (!bo)
		return NULL;
	CHECK(bytes <= bo->size && m->node.offset <= bo->size - bytes,
	      "a mapping is not as long as its buffer");
	CHECK(!m->is_held || bytes == bo->size, "a mapping that is held was cut");
	CHECK(vkf_ref_read(&bo->ref) > 0, "a mapping has a dead buffer");
	CHECK(!bo->vm || bo->vm == vm, "a buffer is mapped that shares another VM's reservation");
	CHECK((m->state.state != MM_VM_IDLE && m->state.state != MM_VM_MOVED) || mm_bo_is_home(bo),
	      "a VM does not know that a buffer is out of its place");
	return NULL;
}

static const char *check_lists(const struct mm_vm *vm)
{
	uint64_t n = 0;

	for (unsigned int i = MM_VM_EVICTED; i < MM_VM_N_STATES; i++)
		n += vm->lists.n[i];
	CHECK(n - vm->lists.n[MM_VM_FREED] == vm->va.ranges.n + vm->pt.n_tables,
	      "a VM's lists are not its mappings and tables");
	return mm_vm_lists_check(&vm->lists);
}

const char *mm_check_vm(struct mm_vm *vm)
{
	bool idle = mm_timeline_is_idle(&vm->paging);
	struct leaves l = { .vm = vm };
	struct vkf_range *range;
	const char *why;

	CHECK(vkf_ranges_valid(&vm->va.ranges), "a VM's tree of ranges is broken");
	for (range = vkf_ranges_first(&vm->va.ranges); range; range = vkf_ranges_next(range)) {
		why = check_mapping(vm, mm_mapping_of_range(range));
		if (why)
			return why;
	}
	why = check_lists(vm);
	if (!why)
		why = mm_check_resv(&vm->resv);
	if (!why)
		why = mm_check_eviction(vm->client, &vm->resv);
	if (!why)
		why = mm_pt_check(&vm->pt, idle ? check_leaf : NULL, &l);
	if (why)
		return why;
	CHECK(!idle || l.covered == mapped_bytes(vm), "a mapping has no entries, or not all");
	return NULL;
}
