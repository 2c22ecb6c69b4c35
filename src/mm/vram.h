/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VRAM_H
#define VKFD_MM_VRAM_H

/**
 * DOC: The VRAM manager
 *
 * Rules of amdgpu_vram_mgr_new() of Linux 6.12: chunks of 4 KiB; blocks of what is a
 * multiple of 2 MiB are not smaller than that, so a buffer can be refused although
 * enough small pieces are free; from the top, unless the CPU must reach it, then from the bottom of
 * the visible part; within the bounds of the placement, if it has any; one range is
 * tried first where it is wished, and blocks are taken when there is none and one
 * range is not a must. The last 8 MiB are for page tables alone.
 *
 * A page that has gone bad is retired (amdgpu_vram_mgr_reserve_range()): now when it
 * is free, else when its owner gives it back; nobody gets it again. It counts as used.
 */
#include "base/list.h"
#include "mm/resource.h"

#define MM_VRAM_KEPT_BACK VKF_MIB(8)

struct mm_vram {
	struct mm_manager man;
	struct mm_buddy buddy;   /* protected by man.lock, as all that follows but @visible */
	uint64_t visible;        /* bytes from 0 the CPU can reach; constant */
	uint64_t visible_used;
	struct vkf_list retired; /* of struct retired */
	uint64_t n_retired, n_retiring; /* pages that are out of use, and that still have an owner */
};

/* Return: 0, -EINVAL when there is not a single page, -ENOMEM. */
int mm_vram_init(struct mm_vram *vram, uint64_t size, uint64_t visible);
void mm_vram_fini(struct mm_vram *vram);
void mm_vram_usage(struct mm_vram *vram, uint64_t *ret_used, uint64_t *ret_visible_used);

/**
 * mm_vram_retire() - never give the page at @offset out again
 *
 * Return: 0; -EINVAL: no page of this VRAM; -EEXIST: it is, or will be; -ENOMEM.
 */
int mm_vram_retire(struct mm_vram *vram, uint64_t offset);
/* amdgpu_vram_mgr_query_page_status(): 0: out of use; -EBUSY: its owner still has it; -ENOENT: a page
 * like any other. */
int mm_vram_page_status(struct mm_vram *vram, uint64_t offset);
/* Bytes of pages that are out of use. */
uint64_t mm_vram_retired(struct mm_vram *vram);

#endif
