/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_DOORBELL_H
#define VKFD_GPU_DOORBELL_H

/**
 * DOC: Whether anything was rung
 *
 * A doorbell's value is never trusted: what counts are the write pointer in memory
 * and, of an AQL queue, the type in the slot. The doorbell protocol asks here after
 * it has write-protected the page and before it sleeps: a store that came before is
 * seen here, one that comes later faults.
 */
#include "gpu/engine_priv.h"

/* Whether @q has a change of want, or a packet that no step has looked at. A blocked queue has
 * none: its step said GPU_STEP_WAITING. */
bool gpu_doorbell_pending(struct gpu_worker *w, const struct gpu_queue *q);

#endif
