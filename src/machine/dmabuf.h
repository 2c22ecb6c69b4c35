/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_DMABUF_H
#define VKFD_MACHINE_DMABUF_H

/**
 * DOC: dma-bufs: buffers that a descriptor stands for
 *
 * A machine_dmabuf is a buffer with what its exporter said about it. Whoever has one
 * keeps the buffer, its place and its charge: open files of it, and the handles that
 * were exported or imported, hold a reference each. All of it is constant. How often
 * a buffer is exported makes no difference: its handle keeps the one dma-buf that was
 * made first, as drm_gem_prime does, and so the inode number is the same.
 *
 * The bytes are in the exporter's arena, so only the exporter's address space maps
 * them; the rest may be asked by anybody, also when the exporter is gone.
 */
#include <stdbool.h>
#include <stdint.h>
#include "machine/machine.h"

struct machine_dmabuf;

/* struct machine_dmabuf_config - what the exporter's handle says */
struct machine_dmabuf_config {
	struct mm_bo *bo;             /* a reference is taken */
	unsigned int gpu;             /* whose driver exports it */
	struct machine_access access; /* caching, for entries of importers */
	bool writable;                /* else its file is read-only */
};

/* Return: 0 or -ENOMEM. */
int machine_dmabuf_create(struct machine *m, const struct machine_dmabuf_config *config,
			  struct machine_dmabuf **ret_dmabuf);
struct machine_dmabuf *machine_dmabuf_get(struct machine_dmabuf *d);
/* The last one gives the buffer up, see mm_bo_put(). NULL is fine. */
void machine_dmabuf_put(struct machine_dmabuf *d);

const struct machine_dmabuf_config *machine_dmabuf_config(const struct machine_dmabuf *d);
uint64_t machine_dmabuf_size(const struct machine_dmabuf *d);
/* From 1 on, never used twice. */
uint64_t machine_dmabuf_inode(const struct machine_dmabuf *d);

/**
 * machine_dmabuf_mmap() - what mmap() of a dma-buf shows
 * @prot, @flags: mmap's
 *
 * Checks as the kernel's core, then dma-buf, then amdgpu does.
 *
 * Return: 0 with @ret_map filled; -EACCES: to be written, and the dma-buf is read-only; -EINVAL:
 * beyond its end, or a private mapping that could be written; -EPERM: it has no CPU mapping.
 */
int machine_dmabuf_mmap(struct machine_dmabuf *d, uint64_t offset, uint64_t len, int prot,
			int flags, struct machine_map *ret_map);

#endif
