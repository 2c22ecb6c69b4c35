/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_VMEM_H
#define VKFD_GPU_VMEM_H

/**
 * DOC: Memory as a packet names it
 *
 * Reads, writes and copies at GPU virtual addresses: translation, permission and
 * vanished host pages in one place. Any length and alignment; the sized ones want
 * their natural alignment, and fault without it. Inside a section only, and the caller
 * bounds a section's length (GPU_CHUNK_BYTES).
 *
 * Return: 0, or -EFAULT with w->fault filled; bytes before the fault may have been
 * written.
 */
#include "gpu/engine_priv.h"

int gpu_vmem_read(struct gpu_worker *w, unsigned int gpu, uint64_t va, void *dst, size_t len);
int gpu_vmem_write(struct gpu_worker *w, unsigned int gpu, uint64_t va, const void *src,
		   size_t len);

/**
 * gpu_vmem_copy() - copy @len bytes
 *
 * Overlapping ranges are copied as if the source had been read first, when the
 * addresses show the overlap: a caller who splits a copy into pieces goes from the
 * end if @dst lies inside the source (gpu_vmem_copies_down()).
 */
int gpu_vmem_copy(struct gpu_worker *w, unsigned int gpu, uint64_t dst, uint64_t src, uint64_t len);
/* Repeat @word; @len and @dst are multiples of 4, or all bytes of @word are alike. */
int gpu_vmem_fill(struct gpu_worker *w, unsigned int gpu, uint64_t dst, uint32_t word,
		  uint64_t len);

int gpu_vmem_load32(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t *ret);
int gpu_vmem_load64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t *ret);
int gpu_vmem_store32(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t v);
int gpu_vmem_store64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t v);
int gpu_vmem_add64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t v);
/* If the word is *expected it becomes @v; @expected becomes what was found. */
int gpu_vmem_cas32(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint32_t *expected,
		   uint32_t v);
int gpu_vmem_cas64(struct gpu_worker *w, unsigned int gpu, uint64_t va, uint64_t *expected,
		   uint64_t v);

/* Whether @dst lies in the middle of the source, so that a copy must run downwards. */
static inline bool gpu_vmem_copies_down(uint64_t dst, uint64_t src, uint64_t len)
{
	return dst > src && dst - src < len && src + len >= src && dst + len >= dst;
}

#endif
