/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_TRACE_H
#define VKFD_GPU_TRACE_H

/**
 * DOC: The engine tells what it does
 *
 * While gpu_ctrl.trace.on is set, packets are timed and told in spans: packets of one
 * kind that follow one another at once make one span, unless it grows too long; a
 * packet that waits for memory makes one of its own. What a queue's turns had is told
 * as well. Nothing is told of the packets that were under way when tracing began.
 *
 * Records that find no room in the ring are counted and left out. While tracing is
 * off, a queue's turn costs one load more.
 */
#include "gpu/engine_priv.h"

/* Look whether somebody traces; once a step. */
void gpu_trace_look(struct gpu_worker *w);
/* Tell what is kept back. */
void gpu_trace_flush(struct gpu_worker *w);
/* A section of @q begins. Return: the time. */
uint64_t gpu_trace_begin(struct gpu_worker *w, struct gpu_queue *q);
/* It has ended with @result, see engine_priv.h. */
void gpu_trace_section(struct gpu_worker *w, struct gpu_queue *q, uint64_t begin_ns, int result);

#endif
