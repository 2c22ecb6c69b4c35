/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_SYNC_H
#define VKFD_MM_SYNC_H

/**
 * DOC: Which fences a job waits for
 *
 * Not all work on a buffer is in a job's way. What is, follows from whose job it is,
 * from how it wants to be synchronised, and from whose work the fence stands for,
 * and from nothing else. The rules are amdgpu's (amdgpu_sync.c), in this order:
 *
 * 1. moves, clears and other drivers' work: always;
 * 2. an eviction fence: only a move waits, for its first waiter stops queues;
 * 3. a change of page tables: only moves and evictions wait; changes are in order
 *    among themselves anyway, and commands wait for them by other means;
 * 4. what is left is commands of a program: the mode decides.
 *
 * Which usages are looked at also depends on whose job it is: memory that is moved,
 * or whose process is evicted, must be done with by all, so BOOKKEEP counts; all
 * others go by what takes part in implicit sync.
 */
#include "mm/deps.h"

/* What to wait for of the commands of programs. */
enum mm_sync_mode {
	MM_SYNC_ALWAYS,
	MM_SYNC_NE_OWNER, /* all but those of the same VM on the same device */
	MM_SYNC_EQ_OWNER, /* of the same device those of the same VM; of others all */
	MM_SYNC_EXPLICIT, /* none: the program says itself what it waits for */
};

/* struct mm_sync_waiter - whose job it is: @owner as of the fence it will have */
struct mm_sync_waiter {
	enum mm_sync_mode mode;
	struct mm_fence_owner owner;
};

/* A pure function of what it is given. */
bool mm_sync_must_wait(const struct mm_sync_waiter *waiter, const struct mm_fence_owner *fence);
/* The usage to ask a reservation for. */
enum mm_resv_usage mm_sync_usage(const struct mm_sync_waiter *waiter);

/**
 * mm_sync_add() - put @f into @deps if @waiter must wait for it
 *
 * From a chain, the newest link whose work must be waited for is taken, and with it all before. An
 * array is nobody's own work, so it counts as another driver's.
 *
 * Return: 0, or -ENOMEM with nothing changed.
 */
int mm_sync_add(struct mm_deps *deps, const struct mm_sync_waiter *waiter,
		struct mm_fence *f) VKF_MUST_CHECK;
/* Each fence of @r. Return: 0, or -ENOMEM: @deps may lack some. */
int mm_sync_collect_locked(struct mm_resv *r, const struct mm_sync_waiter *waiter,
			   struct mm_deps *deps) VKF_REQUIRES(r->lock) VKF_MUST_CHECK;

#endif
