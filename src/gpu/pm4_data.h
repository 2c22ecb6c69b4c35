/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_PM4_DATA_H
#define VKFD_GPU_PM4_DATA_H

/**
 * DOC: PM4 packets that move data
 *
 * WRITE_DATA, COPY_DATA, DMA_DATA and ATOMIC_MEM, between memory, registers (regs.h) and
 * the packet itself. Called by pm4.c, which has fetched the packet and knows it to be
 * whole; results as in engine_priv.h.
 */
#include "gpu/ring.h"
#include "spec/aql.h"
#include "spec/pm4.h"

/* struct gpu_pm4_packet - a packet at hand */
struct gpu_pm4_packet {
	struct gpu_stream s;
	uint32_t words;                /* of all of it */
	uint32_t p[PM4_COND_IB_WORDS]; /* what it begins with; zero behind its end */
};

/* Low bits that the hardware ignores. */
#define GPU_PM4_ADDR32(va) VKF_ALIGN_DOWN(va, (uint64_t)4)
#define GPU_PM4_ADDR64(va) VKF_ALIGN_DOWN(va, (uint64_t)8)

static inline int gpu_pm4_bad(struct gpu_worker *w, const uint32_t *p)
{
	return gpu_bad(w, p[0], pm4_header_get_op(p), AQL_ERROR_VENDOR);
}

int gpu_pm4_write_data(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_copy_data(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_dma_data(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_atomic_mem(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);

#endif
