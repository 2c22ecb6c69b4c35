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
 * Nodes that are used together, such as all private buffers of one VM, join a bulk.
 * Those of one bulk and one priority lie next to each other in their list, so that
 * the whole bulk becomes the most recently used in one step for each priority. Order
 * inside a bulk is that of joining and touching. Public rule: ttm_lru_bulk_move.
 *
 * A walk that is broken off, because the lock is, can leave a mark where it was and go on
 * from there. A mark is passed over by every walk and counted nowhere; none lies
 * inside a bulk.
 *
 * Pinned buffers and page tables are in no list. All of it is protected by the
 * manager's lock; a bulk belongs to one manager.
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
	uint64_t n_of[MM_LRU_PRIORITIES];
	uint64_t n; /* all of them */
};

/* struct mm_lru_node - embedded in a resource; self-linked when in no list */
struct mm_lru_node {
	struct vkf_list link;
	enum mm_lru_priority priority;
	bool is_mark;             /* constant */
	struct mm_lru_bulk *bulk; /* that it moves with, or NULL; kept while it is in no list */
};

/* struct mm_lru_bulk - nodes that move together; zeroed is empty */
struct mm_lru_bulk {
	struct mm_lru_run {
		struct mm_lru_node *first, *last; /* NULL: none of this priority is in a list */
	} run[MM_LRU_PRIORITIES];
	uint64_t n; /* nodes in lists */
};

/* struct mm_lru_mark - a place in the walk that stays while the lists change */
struct mm_lru_mark {
	struct mm_lru_node node; /* to go on from: mm_lru_next() */
};

void mm_lru_init(struct mm_lru *lru);
void mm_lru_node_init(struct mm_lru_node *node);
void mm_lru_bulk_init(struct mm_lru_bulk *bulk);
/* No node of it is in a list. */
void mm_lru_bulk_fini(struct mm_lru_bulk *bulk);

/* At the most recently used end, or of its bulk if that has others there; @node is in no list. */
void mm_lru_add(struct mm_lru *lru, struct mm_lru_node *node, enum mm_lru_priority priority);
/* It was used just now: it is the last one of its list, or of its bulk. Nothing happens to one that
 * is in no list. */
void mm_lru_touch(struct mm_lru *lru, struct mm_lru_node *node);
/* In no list is fine. It stays of its bulk. */
void mm_lru_remove(struct mm_lru *lru, struct mm_lru_node *node);
/* It moves with @bulk from now on, or alone (NULL). In no list is fine. One that leaves a bulk stays
 * beside it. */
void mm_lru_set_bulk(struct mm_lru *lru, struct mm_lru_node *node, struct mm_lru_bulk *bulk);
/* All of it was used just now. */
void mm_lru_touch_bulk(struct mm_lru *lru, struct mm_lru_bulk *bulk);

static inline bool mm_lru_has(const struct mm_lru_node *node)
{
	return !vkf_list_empty(&node->link);
}

/* The next to leave after @prev, or the very first for NULL; NULL at the end. */
struct mm_lru_node *mm_lru_next(const struct mm_lru *lru, const struct mm_lru_node *prev);
void mm_lru_mark_init(struct mm_lru_mark *mark);
/* Before @node, or all of its bulk; wherever @mark was. */
void mm_lru_mark_before(struct mm_lru_mark *mark, struct mm_lru_node *node);
/* In no list is fine. */
void mm_lru_mark_remove(struct mm_lru_mark *mark);

/* What does not hold, or NULL. */
const char *mm_lru_check(const struct mm_lru *lru);

#endif
