/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_DISPATCH_H
#define VKFD_GPU_DISPATCH_H

/**
 * DOC: Launching a kernel
 *
 * Every way to launch one ends here: AQL's kernel dispatch packet, PM4's DISPATCH_DIRECT
 * and DISPATCH_INDIRECT. The packet has been checked as far as it can be without the
 * code; of a PM4 queue everything else is in q->sh.
 */
#include "gpu/engine_priv.h"

/* struct gpu_dispatch - what to launch */
struct gpu_dispatch {
	uint32_t word, opcode; /* of the packet, to name it in an error */
	uint32_t grid[3];      /* groups, or threads when @in_threads */
	bool in_threads;
	uint64_t aql;           /* address of the AQL packet; 0: PM4 */
	uint64_t kernel_object; /* AQL's */
};

/**
 * gpu_dispatch() - run all of it
 *
 * There is no shader processor, so the first instruction of any kernel is an illegal one:
 * the queue is given up as for a bad packet, and the owner of an AQL queue finds
 * AQL_ERROR_ILLEGAL in its inactive signal. A launch of no work is complete.
 *
 * Inside a section only. Return: 0, or -EINVAL with w->bad filled.
 */
int gpu_dispatch(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_dispatch *d);

#endif
