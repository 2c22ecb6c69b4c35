/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_BENCH_SDMA_H
#define VKFD_TESTS_BENCH_SDMA_H

/**
 * DOC: An SDMA queue of one's own
 *
 * Ring, pointers and doorbell, as a runtime makes them; packets are put into the
 * ring by sdma_copy() and the like, and handed over by sdma_ring(). One thread uses
 * one queue.
 */
#include "gpus.h"

/* struct shared - memory of the host that a GPU reaches at the address @va */
struct shared {
	void *cpu;
	uint64_t va;
};

void shared_create(struct gpus *g, unsigned int gpu, uint64_t va, uint64_t bytes,
		   struct shared *ret);

struct sdma {
	struct gpus *g;
	unsigned int gpu;
	uint32_t id;
	struct shared ring, pointers;
	volatile uint64_t *doorbell;
	uint64_t wptr; /* bytes */
	uint64_t base; /* of the addresses it uses */
};

/* A queue on @gpu, of an engine for other GPUs when the rest is taken; VA(@slot) and the GiB after it
 * are its. */
void sdma_create(struct gpus *g, unsigned int gpu, unsigned int slot, struct sdma *ret);
void sdma_destroy(struct sdma *q);
/* Run it (100) or stop it (0). */
void sdma_update(struct sdma *q, unsigned int percentage);
void sdma_nop(struct sdma *q);
void sdma_copy(struct sdma *q, uint64_t dst, uint64_t src, uint64_t bytes);
/* Write @value to the dword at @va when all before is done. */
void sdma_fence(struct sdma *q, uint64_t va, uint32_t value);
/* Write the GPU's clock to the quadword at @va. */
void sdma_timestamp(struct sdma *q, uint64_t va);
void sdma_trap(struct sdma *q, uint32_t ctx);
/* Wait until the dword at @va is @value. */
void sdma_poll(struct sdma *q, uint64_t va, uint32_t value);
/* Nothing of the above runs before this. */
void sdma_ring(struct sdma *q);

#endif
