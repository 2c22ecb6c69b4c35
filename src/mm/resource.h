/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_RESOURCE_H
#define VKFD_MM_RESOURCE_H

/**
 * DOC: Resources and their managers
 *
 * A manager hands out one kind of memory: VRAM of a GPU, GTT of a GPU, bus addresses
 * of client pages, system memory that no GPU sees. What it hands out for one buffer
 * or page table is a resource: a list of blocks in the manager's space, which is VRAM
 * offsets for VRAM, nothing for system memory, and bus addresses for the others.
 *
 * A resource is changed only by its owner, under the reservation that protects the
 * owner's place; its LRU node is protected by the manager's lock.
 */
#include <stdint.h>
#include "base/lock.h"
#include "mm/buddy.h"
#include "mm/lru.h"
#include "mm/placement.h"

struct mm_bo;
struct mm_fence;
struct mm_manager;
struct mm_print;

struct mm_resource {
	struct mm_manager *man;        /* NULL: placed nowhere */
	struct mm_buddy_block *blocks;
	uint64_t base;                 /* added to the offset of a block */
	unsigned int shift;            /* log2 of what a block's order counts */
	uint64_t bytes;
	uint64_t visible;              /* of them in CPU-visible VRAM */
	struct mm_lru_node lru;
	struct mm_bo *bo;              /* NULL: a page table; constant while placed */
};

struct mm_manager_ops {
	/* Return: 0 with @res filled, -ENOSPC, or -ENOMEM; nothing changed on failure. */
	int (*alloc)(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
		     struct mm_resource *res);
	void (*free)(struct mm_manager *man, struct mm_resource *res);
	/* What does not hold, or NULL. */
	const char *(*check)(struct mm_manager *man);
	/* What only this kind has, as fields of its object; the lock is held. */
	void (*print)(struct mm_manager *man, struct mm_print *p);
};

/* struct mm_manager - embedded in each kind */
struct mm_manager {
	const struct mm_manager_ops *ops;
	const char *name;
	struct vkf_mutex lock; /* rank LRU; protects the rest, and what the kind keeps */
	uint64_t size;         /* bytes; constant */
	uint64_t used;
	uint64_t n_resources;
	struct mm_lru lru;
	unsigned int policy;     /* enum mm_evict_policy: who leaves first; constant */
	struct mm_fence *moving; /* the last move out of what was handed on; a reference, or NULL */
	struct vkf_cond freed;   /* some resource was given back */
};

void mm_manager_init(struct mm_manager *man, const struct mm_manager_ops *ops, const char *name,
		     uint64_t size);
/* Panics in a debug build when something was not freed. */
void mm_manager_fini(struct mm_manager *man);

/* @bytes is whole pages. See mm_place(). */
int mm_manager_alloc(struct mm_manager *man, const struct mm_placement *placement, uint64_t bytes,
		     struct mm_resource *res) VKF_MUST_CHECK;
/* @from, which is in no list, becomes @to, and is placed nowhere. */
void mm_resource_take(struct mm_resource *to, struct mm_resource *from);
/* Whatever list it is in. @res is placed nowhere afterwards; it may be that already. */
void mm_resource_free(struct mm_resource *res);
/**
 * mm_resource_hand_on() - give @res back before its contents have been moved away
 * @moved: signals when they have; all such fences of one manager signal in the order of the calls
 *
 * Whoever gets memory of this manager from now on must not touch it before mm_manager_moving()
 * has signalled.
 */
void mm_resource_hand_on(struct mm_resource *res, struct mm_fence *moved);
/* A reference, or NULL when there is nothing to wait for. */
struct mm_fence *mm_manager_moving(struct mm_manager *man);
void mm_manager_usage(struct mm_manager *man, uint64_t *ret_used);
/* As an object of that name. */
void mm_manager_print(struct mm_manager *man, const char *name, struct mm_print *p);

/* Its addresses follow one another without a gap. */
bool mm_resource_is_one_range(const struct mm_resource *res);
/* Part of it lies within the bounds of @placement. */
bool mm_resource_is_within(const struct mm_resource *res, const struct mm_placement *placement);
/* May be evicted from now on, or not any more. */
void mm_resource_make_evictable(struct mm_resource *res, struct mm_bo *bo,
				enum mm_lru_priority priority);
void mm_resource_make_unevictable(struct mm_resource *res);
void mm_resource_touch(struct mm_resource *res);

/* struct mm_walk - a walk through the addresses of a resource, neighbours joined */
struct mm_walk {
	const struct mm_buddy_block *next;
	uint64_t base;
	unsigned int shift;
	uint64_t addr, left; /* what is here: @left contiguous bytes from @addr; 0 at the end */
};

void mm_walk_resource(struct mm_walk *w, const struct mm_resource *res);
/* One range that belongs to no manager. */
void mm_walk_range(struct mm_walk *w, uint64_t addr, uint64_t bytes);
/* Go on by @bytes <= @left. */
void mm_walk_advance(struct mm_walk *w, uint64_t bytes);

#endif
