/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_EVICT_H
#define VKFD_MM_EVICT_H

/**
 * DOC: Eviction
 *
 * When a manager is full, a buffer that can be elsewhere goes there: out of the visible
 * part of VRAM into the other if that has room, out of VRAM into GTT, out of GTT into
 * system memory. Its move waits for everything that uses the
 * buffer, its client's eviction fence among it, so asking for a move is what makes
 * that client's queues stop. The space is handed on at once, with the move's fence.
 *
 * Never evicted: what is pinned, what another task has locked or the asker has locked
 * himself, user pages and registers, and the asker's own buffers while its queues
 * may run (a process that is short of memory does not stop itself; that is
 * amdgpu_ttm_bo_eviction_valuable() of Linux 6.12). A request for CPU-visible VRAM
 * evicts nothing from the part that is not.
 *
 * Who leaves first is a policy: an order over candidates. The kernel's is the LRU
 * list; another one ranks clients, and takes the least recently used of the first.
 */
#include "mm/lru.h"
#include "mm/placement.h"

enum mm_evict_policy {
	MM_EVICT_LRU,           /* the kernel's: least recently used first */
	MM_EVICT_LONGEST_RUN,   /* of the client that was restored longest ago */
	MM_EVICT_LARGEST,       /* of the client that has most of this memory */
	MM_EVICT_NONE,          /* nobody: what is full is full */
	MM_EVICT_POLICIES
};

/* Its name for machine files: "lru", "longest-run", "largest", "none"; NULL beyond. */
const char *mm_evict_policy_name(enum mm_evict_policy policy);

/* struct mm_evict_walk - how far one request for memory has come among the candidates */
struct mm_evict_walk {
	struct mm_manager *man;
	struct mm_lru_mark passed; /* what is before it could not leave; protected by @man's lock */
};

/* Nobody is searched for yet. */
void mm_evict_begin(struct mm_evict_walk *walk, struct mm_manager *man);
void mm_evict_end(struct mm_evict_walk *walk);

/**
 * mm_evict_one() - move one buffer out of the manager
 *
 * Or wait, when that may help, for one that is dying or locked. With the LRU policy a search goes
 * on where the one before has ended, and begins anew when nothing is left there: so what cannot
 * leave, such as the asker's own buffers, is passed over once.
 *
 * Return: 0: ask for memory again; -ENOSPC: nothing can leave; -ENOMEM; -ERESTARTSYS (512);
 * -EDEADLK, see struct mm_op.
 */
int mm_evict_one(struct mm_evict_walk *walk, const struct mm_placement *placement,
		 const struct mm_op *op) VKF_MUST_CHECK;

#endif
