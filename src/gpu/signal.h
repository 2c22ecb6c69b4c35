/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_SIGNAL_H
#define VKFD_GPU_SIGNAL_H

/**
 * DOC: ROCr's signals, as a packet processor uses them
 *
 * An amd_signal_t (spec/aql.bits) is named by its GPU address, 8-byte aligned. A
 * change of its value is made known in a second step: where the signal has a
 * mailbox, its event id is stored there and an event interrupt is posted.
 *
 * Inside a section only; -EFAULT with w->fault filled.
 */
#include "gpu/engine_priv.h"

/* struct gpu_signal_times - when the packet began and ended, in GPU ticks */
struct gpu_signal_times {
	uint64_t start, end;
};

int gpu_signal_value(struct gpu_worker *w, unsigned int gpu, uint64_t signal, uint64_t *ret);
/* A packet is complete: its times (NULL: not wanted), then value - 1, then the event. */
int gpu_signal_complete(struct gpu_worker *w, struct gpu_queue *q, uint64_t signal,
			const struct gpu_signal_times *times);
/* Store @v as the value, then the event. */
int gpu_signal_set(struct gpu_worker *w, struct gpu_queue *q, uint64_t signal, uint64_t v);

#endif
