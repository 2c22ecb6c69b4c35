/* SPDX-License-Identifier: MIT */
#include "gpu/tlb.h"

/* GPUs of one process map a buffer at the same address: the GPU must move the index. */
static unsigned int tlb_index(uint64_t page, unsigned int gpu, unsigned int n)
{
	return (unsigned int)(page + gpu * 97u) & (n - 1);
}

static bool entry_matches(const struct gpu_tlb_entry *entry, uint64_t page, unsigned int gpu,
			  uint32_t generation, unsigned int access)
{
	return entry->page == page && entry->gpu == gpu && entry->generation == generation &&
	       entry->access && (entry->access & access) == access;
}

bool gpu_tlb_find(const struct gpu_tlb *tlb, unsigned int gpu, uint32_t generation, uint64_t va,
		  unsigned int access, uint64_t *ret_host, uint64_t *ret_len)
{
	const struct gpu_tlb_entry *entry;
	unsigned int shift = GPU_SHIFT_SMALL;
	uint64_t offset;

	entry = &tlb->small[tlb_index(va >> shift, gpu, GPU_TLB_SMALL)];
	if (!entry_matches(entry, va >> shift, gpu, generation, access)) {
		shift = GPU_SHIFT_HUGE;
		entry = &tlb->huge[tlb_index(va >> shift, gpu, GPU_TLB_HUGE)];
		if (!entry_matches(entry, va >> shift, gpu, generation, access))
			return false;
	}
	offset = va & ((UINT64_C(1) << shift) - 1);
	*ret_host = entry->host + offset;
	*ret_len = (UINT64_C(1) << shift) - offset;
	return true;
}

void gpu_tlb_insert(struct gpu_tlb *tlb, unsigned int gpu, uint32_t generation, uint64_t va,
		    unsigned int shift, unsigned int access, uint64_t host)
{
	uint64_t page = va >> shift;
	struct gpu_tlb_entry *entry;

	if (shift == GPU_SHIFT_HUGE)
		entry = &tlb->huge[tlb_index(page, gpu, GPU_TLB_HUGE)];
	else
		entry = &tlb->small[tlb_index(page, gpu, GPU_TLB_SMALL)];
	entry->page = page;
	entry->host = host;
	entry->generation = generation;
	entry->gpu = (uint16_t)gpu;
	entry->access = (uint16_t)access;
}

static void drop_array(struct gpu_tlb_entry *entry, unsigned int n, unsigned int gpu)
{
	for (; n--; entry++) {
		if (entry->gpu == gpu)
			entry->access = 0;
	}
}

void gpu_tlb_drop(struct gpu_tlb *tlb, unsigned int gpu)
{
	drop_array(tlb->small, GPU_TLB_SMALL, gpu);
	drop_array(tlb->huge, GPU_TLB_HUGE, gpu);
}
