/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_ADDR_H
#define VKFD_BASE_ADDR_H

/**
 * DOC: The five kinds of address
 *
 * Each is a struct of its own, so none turns into another by accident:
 *
 * - GPU VA: what a packet or a shader names; means something only with a VM;
 * - VRAM offset: byte offset in one GPU's own memory, what its buddy hands out;
 * - bus address: what stands in a PTE for memory that is not the GPU's own
 *   (system RAM, or another GPU's BAR); one space for the whole machine;
 * - arena offset: byte offset in one client's arena, where the bytes really are;
 * - client pointer: an address in the client's own address space.
 */
#include <stdint.h>

typedef struct {
	uint64_t v;
} vkf_gpuva;

typedef struct {
	uint64_t v;
} vkf_vram;

typedef struct {
	uint64_t v;
} vkf_bus;

typedef struct {
	uint64_t v;
} vkf_arena;

typedef struct {
	uint64_t v;
} vkf_uptr;

#endif
