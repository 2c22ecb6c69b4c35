/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_LRU_H
#define VKFD_MM_LRU_H

/**
 * DOC: Who leaves first
 *
 * Each manager keeps what could be evicted from it in lists, one for each priority,
 * least recently used first. The walk goes through the priorities from the least
 * to the most valuable, and through each list from its oldest end.
 *
 * Pinned buffers and page tables are in no list. All of it is protected by the
 * manager's lock.
 */
#include <stdint.h>
#include <stdbool.h>
#include "base/list.h"

enum mm_lru_priority {
	MM_LRU_DISCARDABLE, /* contents need not be kept */
	MM_LRU_USER,        /* buffers of clients */
	MM_LRU_KERNEL,      /* what the driver itself needs */
	MM_LRU_HIGHEST,
	MM_LRU_PRIORITIES
};

struct mm_lru {
	struct vkf_list list[MM_LRU_PRIORITIES];
	uint64_t n;
};

/* struct mm_lru_node - embedded in a resource; self-linked when in no list */
struct mm_lru_node {
	struct vkf_list link;
	enum mm_lru_priority priority;
};

void mm_lru_init(struct mm_lru *lru);
void mm_lru_node_init(struct mm_lru_node *node);
/* At the most recently used end; @node is in no list. */
void mm_lru_add(struct mm_lru *lru, struct mm_lru_node *node, enum mm_lru_priority priority);
/* It was used just now. Nothing happens to one that is in no list. */
void mm_lru_touch(struct mm_lru *lru, struct mm_lru_node *node);
/* In no list is fine. */
void mm_lru_remove(struct mm_lru *lru, struct mm_lru_node *node);

static inline bool mm_lru_has(const struct mm_lru_node *node)
{
	return !vkf_list_empty(&node->link);
}

/* The next to leave after @prev, or the very first for NULL; NULL at the end. */
struct mm_lru_node *mm_lru_next(const struct mm_lru *lru, const struct mm_lru_node *prev);
/* What does not hold, or NULL. */
const char *mm_lru_check(const struct mm_lru *lru);

#endif
