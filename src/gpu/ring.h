/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_RING_H
#define VKFD_GPU_RING_H

/**
 * DOC: Where packets come from
 *
 * A stream is a sequence of dwords in GPU memory: a queue's ring, which wraps, or
 * an indirect buffer, which does not. Pointers into a ring never are: a position is
 * reduced modulo the ring's size at each access, so no value of rptr or wptr leads
 * outside of it. The hardware ignores the low bits of the ring's address (8) and of
 * the pointers' addresses (3; 2 of a word of 32 bits, which a PM4 queue's read pointer is,
 * and with narrow pointers, see dialect.h, each one of a PM4 or SDMA queue); so do we.
 *
 * Inside a section only; -EFAULT with w->fault filled.
 */
#include "gpu/engine_priv.h"

struct gpu_stream {
	uint32_t gpu;
	uint64_t va;
	uint64_t wrap;  /* bytes; 0 = it does not */
	uint64_t pos;   /* byte position of the packet at hand */
	uint64_t avail; /* bytes from @pos on that hold packets */
};

void gpu_stream_ring(const struct gpu_queue *q, uint64_t pos, uint64_t avail,
		     struct gpu_stream *ret);
void gpu_stream_ib(const struct gpu_queue *q, const struct gpu_ib *ib, struct gpu_stream *ret);
/* Copy @n words out, beginning @word words after the position. */
int gpu_stream_read(struct gpu_worker *w, const struct gpu_stream *s, uint64_t word, uint32_t *dst,
		    unsigned int n);
/* Copy @len bytes, beginning @off bytes after the position, to @dst in GPU memory. */
int gpu_stream_copy_out(struct gpu_worker *w, const struct gpu_stream *s, uint64_t off,
			uint64_t dst, uint64_t len);

/* The write pointer in memory, in the queue's own unit. */
int gpu_ring_wptr(struct gpu_worker *w, const struct gpu_queue *q, uint64_t *ret);

/**
 * gpu_ring_publish() - a packet is complete and everything it wrote is visible
 * @rptr: the queue's new read pointer; written to memory and to the control block
 */
int gpu_ring_publish(struct gpu_worker *w, struct gpu_queue *q, uint64_t rptr);

#endif
