/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_SDMA_H
#define VKFD_GPU_SDMA_H

/**
 * DOC: SDMA user queues, versions 3 and 4
 *
 * Positions are bytes and, since version 4, only grow. Where the write pointer is more
 * than a ring ahead (or behind), the distance counts modulo the ring, as in the
 * hardware, whose pointers wrap: the queue goes on at the same place and ends at the
 * write pointer. Version 3 has pointers of 32 bits below the ring's size, so that equal
 * means empty. What else differs: dialect.h.
 *
 * As in the hardware: a poll that fails for retry times its interval lets the queue
 * go on; SRBM_WRITE writes nothing; an indirect buffer has no indirect buffers.
 *
 * Differences from the hardware, on purpose: a register poll that could fail is a bad
 * packet, and so are misaligned fences, polls, fills and atomics, whose addresses the
 * public headers want aligned. Between two polls lies what the engine takes to come
 * round, at least.
 */
#include "gpu/engine_priv.h"

/* One packet of @q, or a piece of one. See engine_priv.h for the results. */
int gpu_sdma_step(struct gpu_worker *w, struct gpu_queue *q);

#endif
