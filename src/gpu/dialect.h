/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_DIALECT_H
#define VKFD_GPU_DIALECT_H

/**
 * DOC: How the packets of one kind of chip differ from another's
 *
 * SDMA and PM4 packets are those of gfx9 (spec/sdma_v4.bits, spec/pm4.bits); what other
 * chips have at other places, or count in another way, is here. A queue takes the
 * dialect of its GPU when it starts.
 */
#include <stdbool.h>
#include <stdint.h>

struct gpu_dialect_info {
	/* SDMA: the bits of a count, which begins its word. */
	uint32_t bytes_mask;   /* of COPY and CONST_FILL */
	uint32_t words_mask;   /* of WRITE */
	uint32_t entries_mask; /* of PTEPDE */
	uint32_t count_less;   /* 1: a count says one less than there is */
	bool narrow_pitch;     /* a rectangle's pitches are those of sdma_v3.bits */
	/* PM4 */
	uint32_t dma_mask;      /* of DMA_DATA's count */
	uint32_t release_words; /* of RELEASE_MEM; 7: its data name the interrupt's event, too */
	bool gfx9_packets;      /* those that came with gfx9 are known */
	/* Both: the pointers of a ring are words of 32 bits, and stay below its size. */
	bool narrow_pointers;
};

/* @dialect: enum gpu_dialect. Return: NULL when it is none that is understood. */
const struct gpu_dialect_info *gpu_dialect_find(uint32_t dialect);

#endif
