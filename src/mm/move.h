/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_MOVE_H
#define VKFD_MM_MOVE_H

/**
 * DOC: Moving a buffer
 *
 * A move gives a buffer another place at once, and makes a job on its home's timeline
 * of moves that depends on everything that still uses the old one. The job's fence is
 * KERNEL on the buffer, so whoever uses the new place waits for it. Bytes stay where
 * they are (bo.h): the job is what the copy would be.
 *
 * The old place belongs to the job until it has run, unless it is handed on (evict.h).
 *
 * Entries that lead to the old place are stale from here on. Nobody follows them once
 * the job may run: the client's queues have stopped for its eviction fence, and start
 * again after mm_client_restore() has rewritten the entries.
 */
#include "mm/placement.h"

struct mm_bo;
struct mm_resource;

enum mm_move_old { MM_MOVE_KEEP_OLD, MM_MOVE_HAND_ON };

/**
 * mm_bo_move_into_locked() - place @bo in @res, which is taken over
 * @op: who asks
 *
 * Its reservation is held, and it is not pinned. Its place may be another one of the same manager.
 *
 * Return: 0, or -ENOMEM with @res freed and nothing else changed.
 */
int mm_bo_move_into_locked(struct mm_bo *bo, struct mm_resource *res, const struct mm_op *op,
			   enum mm_move_old old) VKF_MUST_CHECK;
/* The same, with room in @to that is made. Return: as mm_place(), with nothing changed. */
int mm_bo_move_locked(struct mm_bo *bo, struct mm_manager *to, const struct mm_placement *placement,
		      const struct mm_op *op, enum mm_move_old old) VKF_MUST_CHECK;

#endif
