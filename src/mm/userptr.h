/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_USERPTR_H
#define VKFD_MM_USERPTR_H

/**
 * DOC: Buffers over a client's own pages
 *
 * The client made the pages and may take them away at any time; the buffer only
 * says where they are. All such ranges of a client are in a tree, so that what a
 * change of its address space touches is found at once. Ranges may overlap.
 *
 * A range is set up before it is in the tree, and constant while it is.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/tree.h"

struct mm_userptr {
	struct vkf_range range; /* client addresses; protected by the tree's owner */
};

/* Addresses a program can have: nothing above, and not the page at 0. */
#define MM_USER_END UINT64_C(0x7ffffffff000)

/* True when [addr, addr + bytes), whole pages, can be memory of a program. */
bool mm_userptr_is_valid(uint64_t addr, uint64_t bytes);
void mm_userptr_init(struct mm_userptr *u, vkf_uptr addr, uint64_t bytes);
vkf_uptr mm_userptr_addr(const struct mm_userptr *u);
/* The first one that overlaps [first, last], and the next; NULL at the end. */
struct mm_userptr *mm_userptr_first(const struct vkf_ranges *tree, uint64_t first, uint64_t last);
struct mm_userptr *mm_userptr_next(struct mm_userptr *u, uint64_t first, uint64_t last);

#endif
