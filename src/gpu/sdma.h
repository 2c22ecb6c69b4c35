/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_SDMA_H
#define VKFD_GPU_SDMA_H

/**
 * DOC: SDMA user queues, version 4
 *
 * Positions are bytes and only grow. Where the write pointer is more than a ring
 * ahead (or behind), the distance counts modulo the ring, as in the hardware, whose
 * pointers wrap: the queue goes on at the same place and ends at the write pointer.
 *
 * Differences from the hardware, on purpose: a register poll other than the HDP
 * flush, misaligned fences, polls, fills and atomics, an indirect buffer in an
 * indirect buffer are bad packets; the interval of a poll is
 * ignored (a poll is repeated whenever the engine steps), and one that runs out of
 * retries lets the queue go on.
 */
#include "gpu/engine_priv.h"

/* One packet of @q, or a piece of one. See engine_priv.h for the results. */
int gpu_sdma_step(struct gpu_worker *w, struct gpu_queue *q);

#endif
