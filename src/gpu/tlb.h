/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_TLB_H
#define VKFD_GPU_TLB_H

/**
 * DOC: Translations that one worker remembers
 *
 * Direct mapped, one array for 4 KiB and one for 2 MiB leaves. An entry counts only
 * for the GPU and the generation it was filled under, so a new generation drops
 * all older ones at once. Absence is never remembered: a page that appears is seen
 * at once, without a new generation.
 *
 * A TLB belongs to one worker and needs no lock.
 */
#include <stdint.h>
#include "base/macro.h"

#define GPU_TLB_SMALL 1024
#define GPU_TLB_HUGE  256

#define GPU_SHIFT_SMALL 12
#define GPU_SHIFT_HUGE  21

/* What a translation is for, and what an entry allows. */
enum gpu_access { GPU_READ = 1, GPU_WRITE = 2, GPU_EXECUTE = 4 };

struct gpu_tlb_entry {
	uint64_t page; /* va >> shift */
	uint64_t host; /* where the page begins */
	uint32_t generation;
	uint16_t gpu;
	uint16_t access; /* enum gpu_access bits; 0 = empty */
};

struct gpu_tlb {
	struct gpu_tlb_entry small[GPU_TLB_SMALL];
	struct gpu_tlb_entry huge[GPU_TLB_HUGE];
};

/**
 * gpu_tlb_find() - the host address of @va, if it is remembered
 * @access: every bit of it must be allowed
 * @ret_len: bytes from @va to the end of its leaf
 *
 * Return: true, or false with nothing written: walk the tables.
 */
bool gpu_tlb_find(const struct gpu_tlb *tlb, unsigned int gpu, uint32_t generation, uint64_t va,
		  unsigned int access, uint64_t *ret_host, uint64_t *ret_len);
/* @host: address of the leaf's first byte; @shift: GPU_SHIFT_*. */
void gpu_tlb_insert(struct gpu_tlb *tlb, unsigned int gpu, uint32_t generation, uint64_t va,
		    unsigned int shift, unsigned int access, uint64_t host);
/* Forget one GPU's entries of every generation: needed only when the counter wraps. */
void gpu_tlb_drop(struct gpu_tlb *tlb, unsigned int gpu);

#endif
