/* SPDX-License-Identifier: MIT */
#include "gpu/mmu.h"
#include "spec/pte_gfx9.h"

#define VA_BITS       48
#define INDEX_BITS    9
#define TABLE_ENTRIES (1u << INDEX_BITS)

/* struct leaf - where a walk ended */
struct leaf {
	uint64_t host;
	uint64_t link;
	unsigned int shift;
	unsigned int access;
	uint32_t table; /* the table that holds it, and its place there */
	uint32_t index;
};

static int fault(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t status)
{
	w->fault = (struct gpu_fault_record){ .va = va, .gpu = gpu, .status = status };
	return -EFAULT;
}

static int fault_absent(struct gpu_worker *w, unsigned int gpu, uint64_t va, unsigned int access)
{
	return fault(w, gpu, va,
		     GPU_FAULT_NOT_PRESENT | (access & GPU_WRITE ? GPU_FAULT_WRITE : 0));
}

static int fault_denied(struct gpu_worker *w, unsigned int gpu, uint64_t va, unsigned int access,
			unsigned int allowed)
{
	uint32_t status = access & GPU_WRITE ? GPU_FAULT_WRITE : 0;

	if (access & ~allowed & GPU_WRITE)
		status |= GPU_FAULT_READ_ONLY;
	if (access & ~allowed & GPU_EXECUTE)
		status |= GPU_FAULT_NO_EXECUTE;
	if (access & ~allowed & GPU_READ)
		status |= GPU_FAULT_NOT_PRESENT;
	return fault(w, gpu, va, status);
}

/* The region that a link leads into: its first byte on the host, and its size. */
static bool link_region(const struct gpu_engine *e, uint64_t link, uint64_t *ret_base,
			uint64_t *ret_size)
{
	switch (link & GPU_BACKING_KIND) {
	case GPU_BACKING_ARENA:
		*ret_base = e->arena;
		*ret_size = e->arena_bytes;
		return true;
	case GPU_BACKING_BAR:
		*ret_base = e->bar;
		*ret_size = e->bar_bytes;
		return true;
	case GPU_BACKING_USER:
		/* The address itself; page 0 is nobody's, and so is the last. */
		*ret_base = 0;
		*ret_size = link & ~GPU_BACKING_KIND ? UINT64_MAX & ~GPU_BACKING_KIND : 0;
		return true;
	default:
		return false;
	}
}

static bool link_host(const struct gpu_engine *e, uint64_t link, uint64_t bytes, uint64_t *ret_host)
{
	uint64_t offset = link & ~GPU_BACKING_KIND, base, size;

	if (!link_region(e, link, &base, &size) || offset > size || size - offset < bytes)
		return false;
	*ret_host = base + offset;
	return true;
}

static unsigned int level_shift(unsigned int level)
{
	return GPU_SHIFT_SMALL + INDEX_BITS * (GPU_PT_PTB - level);
}

/* The leaf in entry @index of a table of level PDB0 or PTB. */
static bool read_leaf(const struct gpu_engine *e, uint32_t table, uint32_t index,
		      unsigned int level, uint64_t pte, struct leaf *ret)
{
	struct leaf leaf = { .shift = level_shift(level), .table = table, .index = index };

	leaf.link = atomic_load_explicit(&e->pt[table].link[index], memory_order_acquire);
	if (!link_host(e, leaf.link, UINT64_C(1) << leaf.shift, &leaf.host))
		return false;
	leaf.access = (pte & PTE_GFX9_READABLE_MASK ? GPU_READ : 0u) |
		      (pte & PTE_GFX9_WRITEABLE_MASK ? GPU_WRITE : 0u) |
		      (pte & PTE_GFX9_EXECUTABLE_MASK ? GPU_EXECUTE : 0u);
	*ret = leaf;
	return true;
}

static bool walk(const struct gpu_engine *e, unsigned int gpu, uint64_t va, struct leaf *ret)
{
	const struct gpu_ctrl_vm *vm = &e->ctrl->vm[gpu];
	uint64_t table = atomic_load_explicit(&vm->root, memory_order_acquire);
	unsigned int level;

	if (va >> VA_BITS || va > vm->va_limit)
		return false;
	for (level = GPU_PT_PDB2; level < GPU_PT_LEVELS; level++) {
		uint32_t index = (va >> level_shift(level)) & (TABLE_ENTRIES - 1);
		uint64_t pte;

		if (!table || table >= e->pt_tables)
			return false;
		pte = atomic_load_explicit(&e->pt[table].pte[index], memory_order_acquire);
		if (!(pte & PTE_GFX9_VALID_MASK))
			return false;
		if (level == GPU_PT_PTB || (level == GPU_PT_PDB0 && pte & PTE_GFX9_PDE_PTE_MASK))
			return read_leaf(e, (uint32_t)table, index, level, pte, ret);
		if (pte & PTE_GFX9_PDE_PTE_MASK)
			return false;
		table = atomic_load_explicit(&e->pt[table].link[index], memory_order_acquire);
	}
	return false;
}

/* The generation that holds in this section: read once, after the section began. */
static uint32_t generation(struct gpu_worker *w, unsigned int gpu)
{
	uint32_t now;

	if (w->fresh & (1u << gpu))
		return w->generation[gpu];
	now = atomic_load_explicit(&w->engine->ctrl->vm[gpu].generation, memory_order_seq_cst);
	if (now < w->generation[gpu])
		gpu_tlb_drop(&w->tlb, gpu);
	w->generation[gpu] = now;
	w->fresh |= 1u << gpu;
	return now;
}

static int translate_walk(struct gpu_worker *w, unsigned int gpu, uint64_t va, unsigned int access,
			  struct leaf *ret)
{
	if (!walk(w->engine, gpu, va, ret))
		return fault_absent(w, gpu, va, access);
	if ((ret->access & access) != access)
		return fault_denied(w, gpu, va, access, ret->access);
	gpu_tlb_insert(&w->tlb, gpu, generation(w, gpu), va, ret->shift, ret->access, ret->host);
	return 0;
}

int gpu_mmu_translate(struct gpu_worker *w, unsigned int gpu, uint64_t va, unsigned int access,
		      void **ret_host, uint64_t *ret_len)
{
	struct leaf leaf;
	uint64_t host, len;
	int e;

	if (!gpu_tlb_find(&w->tlb, gpu, generation(w, gpu), va, access, &host, &len)) {
		e = translate_walk(w, gpu, va, access, &leaf);
		if (e)
			return e;
		len = va & ((UINT64_C(1) << leaf.shift) - 1);
		host = leaf.host + len;
		len = (UINT64_C(1) << leaf.shift) - len;
	}
	*ret_host = (void *)(uintptr_t)host;
	*ret_len = len;
	return 0;
}

static uint64_t pte_rights(unsigned int access)
{
	return PTE_GFX9_VALID_MASK | (access & GPU_READ ? PTE_GFX9_READABLE_MASK : 0) |
	       (access & GPU_WRITE ? PTE_GFX9_WRITEABLE_MASK : 0) |
	       (access & GPU_EXECUTE ? PTE_GFX9_EXECUTABLE_MASK : 0);
}

/* How many bytes go on behind the small @leaf in its own table: entries with the rights that are
 * needed and with links in sequence. A long copy spends its time here if anywhere. */
static uint64_t extend_table(const struct gpu_engine *e, const struct leaf *leaf, uint64_t rights,
			     uint64_t max)
{
	const struct gpu_pt_table *table = &e->pt[leaf->table];
	uint64_t link = leaf->link, len = 0, base, size, room;
	uint32_t i;

	if (!link_region(e, link, &base, &size))
		return 0;
	room = size - (link & ~GPU_BACKING_KIND) - VKF_PAGE_SIZE;
	max = VKF_MIN(max, VKF_ALIGN_DOWN(room, VKF_PAGE_SIZE));
	for (i = leaf->index + 1; i < TABLE_ENTRIES && len < max; i++, len += VKF_PAGE_SIZE) {
		uint64_t pte = atomic_load_explicit(&table->pte[i], memory_order_acquire);

		link += VKF_PAGE_SIZE;
		if ((pte & rights) != rights ||
		    atomic_load_explicit(&table->link[i], memory_order_acquire) != link)
			break;
	}
	return len;
}

/* What lies together from @va on, which is in @leaf: at most a page more than @max. */
static uint64_t extend(const struct gpu_engine *e, unsigned int gpu, uint64_t va, uint64_t max,
		       unsigned int access, struct leaf *leaf)
{
	uint64_t limit = e->ctrl->vm[gpu].va_limit - va, rights = pte_rights(access);
	uint64_t len = (UINT64_C(1) << leaf->shift) - (va & ((UINT64_C(1) << leaf->shift) - 1));
	uint64_t end = leaf->host + (UINT64_C(1) << leaf->shift);

	/* Bytes up to the limit, which is the last address; it may be UINT64_MAX. */
	max = VKF_MIN(max, limit < UINT64_MAX ? limit + 1 : limit);
	for (;;) {
		if (len < max && leaf->shift == GPU_SHIFT_SMALL) {
			uint64_t more = extend_table(e, leaf, rights, max - len);

			len += more;
			end += more;
		}
		if (len >= max || !walk(e, gpu, va + len, leaf) || leaf->host != end ||
		    (leaf->access & access) != access)
			return len;
		len += UINT64_C(1) << leaf->shift;
		end += UINT64_C(1) << leaf->shift;
	}
}

int gpu_mmu_run(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t max,
		unsigned int access, void **ret_host, uint64_t *ret_len)
{
	struct leaf leaf;
	uint64_t len;
	void *host;
	int e;

	e = gpu_mmu_translate(w, gpu, va, access, &host, &len);
	if (e)
		return e;
	/* The tables may have changed since the TLB was filled: then the leaf stands alone. */
	if (len < max && walk(w->engine, gpu, va, &leaf) &&
	    leaf.host + (va & ((UINT64_C(1) << leaf.shift) - 1)) == (uintptr_t)host)
		len = extend(w->engine, gpu, va, max, access, &leaf);
	*ret_host = host;
	*ret_len = VKF_MIN(len, max);
	return 0;
}
