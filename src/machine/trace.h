/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_TRACE_H
#define VKFD_MACHINE_TRACE_H

/**
 * DOC: What an engine told, on its way to whoever traces
 *
 * The engine's records lie in the control block, where the program can write: a
 * record is copied once and told on only when its time lies between the beginning of
 * the trace and now, and its numbers are such as there are.
 */
#include "base/lock.h"
#include "gpu/ctrl.h"

struct machine_trace {
	struct vkf_mutex lock; /* rank LEAF; protects the rest */
	uint32_t rptr;         /* the control block has a copy for the engine */
	uint32_t lost;         /* of gpu_ctrl_trace.lost: told already */
	uint64_t since_ns;     /* 0: the engine was told that nobody listens */
};

void machine_trace_init(struct machine_trace *t);
void machine_trace_fini(struct machine_trace *t);
/* Have the engine know whether somebody traces; if so, tell at most @max of its records, as
 * @client's. */
void machine_trace_drain(struct machine_trace *t, struct gpu_ctrl *ctrl, uint32_t client,
			 unsigned int max);

#endif
