/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_BUSY_H
#define VKFD_GPU_BUSY_H

/**
 * DOC: How long SDMA engines work
 *
 * SDMA firmware counts the time it spends on each queue, and the kernel shows the sum
 * of a process. Here the turns in which a queue's packets make progress are timed, and
 * the sum is in gpu_ctrl_queue.busy_ns. Time in which a packet waits is not in it.
 *
 * Asking for the time may be a system call, so an engine may have a counter that costs
 * less (gpu_engine_ops.ticks); how fast it runs is found in the first millisecond. What
 * comes out is for people to look at, so a counter that jumps does no harm.
 *
 * The task that steps the engine; no lock.
 */
#include "gpu/engine_priv.h"

void gpu_busy_init(struct gpu_engine *engine);
/* @q has a turn. Return: what to give to gpu_busy_end(); 0: it is not one that is timed. */
uint64_t gpu_busy_begin(struct gpu_engine *engine, const struct gpu_queue *q);
/* The turn that began at @begin has ended, and some packet made progress in it. */
void gpu_busy_end(struct gpu_engine *engine, struct gpu_queue *q, uint64_t begin);

#endif
