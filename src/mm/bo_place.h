/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_BO_PLACE_H
#define VKFD_MM_BO_PLACE_H

/**
 * DOC: Where a buffer is
 *
 * A buffer may be away from where it belongs, because somebody else needed the room. Who
 * uses it brings it home first; who cannot live with a move pins it there.
 */
#include <stdbool.h>
#include "base/macro.h"

struct mm_bo;
struct mm_op;

/* Bring it to its own domain if it is elsewhere, and wait for the move. Return: 0, -ENOMEM,
 * -ERESTARTSYS (512) when @interruptible. */
int mm_bo_validate(struct mm_bo *bo, bool interruptible);
/*
 * Keep it where it is until the matching unpin, or the last put. Return: 0; -EPERM: a USERPTR,
 * whose pages are the client's; -ENOMEM: no room to bring it to its domain.
 */
int mm_bo_pin(struct mm_bo *bo);
void mm_bo_unpin(struct mm_bo *bo);

/* Whether its bytes are said to be in VRAM now; its reservation is held. */
bool mm_bo_in_vram(const struct mm_bo *bo);
/* Whether its bytes are said to be where it belongs; the same. */
bool mm_bo_is_home(const struct mm_bo *bo);
/* Whether moves are for it: not for user pages and registers. */
bool mm_bo_has_window(const struct mm_bo *bo);
/* Whether it may be moved away: it is not pinned either. */
bool mm_bo_is_evictable(const struct mm_bo *bo);
/*
 * Bring it to its own domain, with the reservation held; who uses it must wait for its KERNEL
 * fences. Return: as mm_place().
 */
int mm_bo_validate_locked(struct mm_bo *bo, const struct mm_op *op);
/* To GTT, when there is no room where it belongs. The same. */
int mm_bo_validate_fallback_locked(struct mm_bo *bo, const struct mm_op *op);

#endif
