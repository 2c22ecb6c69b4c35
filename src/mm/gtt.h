/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_GTT_H
#define VKFD_MM_GTT_H

/**
 * DOC: System pages and their bus addresses
 *
 * mm_bus is the space of bus addresses of all system pages of the machine: as much
 * as there is RAM. A GTT manager counts how many of them one GPU has bound, up to a
 * limit (-ENOSPC beyond it, as amdgpu_gtt_mgr says), and takes addresses from that
 * space. Pages of clients (USERPTR) have addresses from it as well, through a manager
 * that counts without a limit of its own (amdgpu_preempt_mgr): it says -ENOSPC only
 * when there is no address left.
 *
 * Any pages will do for a system buffer, so a fragmented space never refuses one; a
 * multiple of 2 MiB gets blocks of 2 MiB while there are some.
 */
#include "mm/resource.h"

/* struct mm_bus - one for the machine */
struct mm_bus {
	struct vkf_mutex lock;  /* rank LEAF */
	struct mm_buddy buddy;  /* protected by @lock */
	uint64_t base;          /* bus address of offset 0; constant */
};

/* Return: 0, -EINVAL when there is not a single page, -ENOMEM. */
int mm_bus_init(struct mm_bus *bus, uint64_t base, uint64_t bytes);
void mm_bus_fini(struct mm_bus *bus);

struct mm_gtt {
	struct mm_manager man;
	struct mm_bus *bus;
};

/* @name: "GTT" or "user pages"; @size: the limit, UINT64_MAX for none: the preemptible kind. */
void mm_gtt_init(struct mm_gtt *gtt, struct mm_bus *bus, const char *name, uint64_t size);
void mm_gtt_fini(struct mm_gtt *gtt);

#endif
