/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_TREE_H
#define VKFD_BASE_TREE_H

/**
 * DOC: Ranges by address
 *
 * A balanced tree of intervals [first, last], inclusive, that may overlap one
 * another; each node knows the greatest last below it, so a search for overlaps
 * costs O(log n + found). Nodes are embedded; nothing here allocates or locks.
 */
#include "base/macro.h"

struct vkf_range {
	uint64_t first, last;             /* set before vkf_ranges_insert(), constant while inside */
	uint64_t max_last;                /* tree.c's */
	struct vkf_range *left, *right;   /* tree.c's */
	struct vkf_range *parent;         /* tree.c's */
	int level;                        /* tree.c's */
};

struct vkf_ranges {
	struct vkf_range *root;
	size_t n;
};

void vkf_ranges_init(struct vkf_ranges *t);
void vkf_ranges_insert(struct vkf_ranges *t, struct vkf_range *r);
void vkf_ranges_remove(struct vkf_ranges *t, struct vkf_range *r);
/* The overlapping range with the smallest first (any one of equal ones), or NULL. */
struct vkf_range *vkf_ranges_first_overlap(const struct vkf_ranges *t, uint64_t first,
					   uint64_t last);
/* The next one in order of first that overlaps the same search. */
struct vkf_range *vkf_ranges_next_overlap(struct vkf_range *r, uint64_t first, uint64_t last);
/* In order of first. */
struct vkf_range *vkf_ranges_first(const struct vkf_ranges *t);
struct vkf_range *vkf_ranges_next(struct vkf_range *r);
/* True when order, balance and max_last hold everywhere: for tests and debug builds. */
bool vkf_ranges_valid(const struct vkf_ranges *t);

#endif
