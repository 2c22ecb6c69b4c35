/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VRAM_H
#define VKFD_MM_VRAM_H

/**
 * DOC: The VRAM manager
 *
 * Rules of amdgpu_vram_mgr_new() of Linux 6.12: chunks of 4 KiB; while what is left
 * to allocate is a multiple of 2 MiB, blocks are not smaller than that, so a buffer
 * can be refused although enough small pieces are free; one allocation step gives
 * at most 2 GiB; from the top, unless the CPU must reach it, then from the bottom of
 * the visible part; one range is tried first where it is wished, and blocks are taken
 * when there is none. The last 8 MiB are for page tables alone.
 */
#include "mm/resource.h"

#define MM_VRAM_KEPT_BACK VKF_MIB(8)

struct mm_vram {
	struct mm_manager man;
	struct mm_buddy buddy;  /* protected by man.lock */
	uint64_t visible;       /* bytes from 0 the CPU can reach; constant */
	uint64_t visible_used;  /* protected by man.lock */
};

/* Return: 0, -EINVAL when there is not a single page, -ENOMEM. */
int mm_vram_init(struct mm_vram *vram, uint64_t size, uint64_t visible);
void mm_vram_fini(struct mm_vram *vram);
void mm_vram_usage(struct mm_vram *vram, uint64_t *ret_used, uint64_t *ret_visible_used);

#endif
