/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_MMU_H
#define VKFD_GPU_MMU_H

/**
 * DOC: The walk of the page tables
 *
 * Four levels of GFX9 entries (spec/pte_gfx9.bits) lead from a 48-bit address to a
 * leaf of 4 KiB, or of 2 MiB where a PDE0 has pde_pte; the leaf's link leads to the
 * host address. Tables and links are checked against the sizes of their regions
 * before they are followed.
 *
 * All functions: inside a section only. On failure they fill w->fault and return
 * -EFAULT, with nothing else written.
 */
#include "gpu/engine_priv.h"

/**
 * gpu_mmu_translate() - where the byte at @va is
 * @gpu: below the engine's n_gpus
 * @access: enum gpu_access bits that the leaf must allow
 * @ret_len: bytes from @va to the end of the leaf
 */
int gpu_mmu_translate(struct gpu_worker *w, unsigned int gpu, uint64_t va, unsigned int access,
		      void **ret_host, uint64_t *ret_len);

/**
 * gpu_mmu_run() - the longest piece from @va on that lies together on the host
 * @max: not longer than this, at least 1
 *
 * Leaves that follow each other on the host as they do in the VM make one run.
 * Fails only when the first byte cannot be reached.
 */
int gpu_mmu_run(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t max,
		unsigned int access, void **ret_host, uint64_t *ret_len);

#endif
