/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UAPI_USER_BUFFER_H
#define VKFD_TESTS_UAPI_USER_BUFFER_H

/**
 * DOC: A program's own memory, and a queue that reads and writes it
 *
 * The memory is a user buffer of GPU 0 at its own address; a word at UB_DONE counts what the
 * queue has done; whatever is put into the ring takes 16 dwords together, so that no packet
 * goes over its end. A MEMORY event and a descriptor of SMI events tell of faults.
 */
#include "kfd_calls.h"

#define UB_DONE VA(5)
#define UB_PATIENCE 5000 /* ms */

struct user_buffer {
	struct prog p;
	struct user_queue q;
	uint32_t dw;
	volatile uint32_t *done; /* of a buffer that stays */
	uint32_t n_done, memory_event;
	unsigned char *mem;
	size_t bytes;
	uint64_t handle;
	int smi;
};

/* @mem is page-aligned memory that can be written. Skips where it cannot be tested. */
void ub_begin(struct user_buffer *u, unsigned char *mem, size_t bytes);
/* Anonymous memory, every byte of it 0x11. */
unsigned char *ub_memory(size_t bytes);

/* By the GPU: store @v to a word, fill, copy. The doorbell is rung. */
void ub_store(struct user_buffer *u, uint64_t va, uint32_t v);
void ub_fill(struct user_buffer *u, uint64_t va, uint32_t v, uint32_t bytes);
void ub_copy(struct user_buffer *u, uint64_t to, uint64_t from, uint32_t bytes);
/* Until it has done all of that. */
void ub_wait(struct user_buffer *u);
/* The program has not been told of a fault. */
void ub_expect_no_fault(struct user_buffer *u);
/* The queue stopped for the page at @va, was let at it again, and then it was a fault. */
void ub_expect_fault(struct user_buffer *u, uint64_t va);

#endif
