/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_SDMA_COPY_H
#define VKFD_GPU_SDMA_COPY_H

/**
 * DOC: The SDMA packets that move many bytes
 *
 * Each call moves at most GPU_CHUNK_BYTES and remembers in q->done how far it is;
 * -EINPROGRESS asks for another call with the same packet.
 *
 * Overlapping source and destination of a linear copy behave as memmove; of a
 * broadcast or a rectangle they are safe, but what is copied is not defined.
 */
#include "gpu/ring.h"

int gpu_sdma_copy_linear(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			 const uint32_t *p);
int gpu_sdma_copy_rect(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		       const uint32_t *p);
int gpu_sdma_write_linear(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			  const uint32_t *p);
int gpu_sdma_fill(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		  const uint32_t *p);
/* Generate 64-bit words, as a driver's page table entries: they go through the user's own tables.
 */
int gpu_sdma_ptepde(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		    const uint32_t *p);
/* How many words follow the fixed part of the WRITE packet @p. */
uint64_t gpu_sdma_write_words(const struct gpu_queue *q, const uint32_t *p);

#endif
