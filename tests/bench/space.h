/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_BENCH_SPACE_H
#define VKFD_TESTS_BENCH_SPACE_H

/**
 * DOC: A memory manager with one GPU, and clients that only have memory
 *
 * Nothing runs: whoever is to stop for an eviction says so when the bench calls
 * space_stop(). All memory comes from a counting allocator. Every function ends the
 * program when something is refused.
 */
#include <stdint.h>
#include "mm/bo.h"
#include "mm/client.h"
#include "mm/device.h"
#include "mm/system.h"
#include "mm/vm.h"

#define SPACE_VA VKF_GIB(1) /* of the first buffer's mapping */

struct space {
	struct mm_system *system;
	struct mm_device *dev;
};

/* struct space_client - with buffers of a page in VRAM, mapped one after the other */
struct space_client {
	struct mm_client *mm;
	struct mm_vm *vm;
	struct mm_bo **bo;
	unsigned int n;
	void *tables;
};

/* Clients together may have more than there is. */
void space_open(struct space *s, uint64_t vram_bytes);
void space_close(struct space *s);
/* Bytes that the memory manager has allocated, now. */
uint64_t space_bytes(void);

/* @n_tables: as many page tables as it may need. */
void space_client_open(struct space *s, unsigned int n_tables, struct space_client *ret_client);
/* @n buffers of a page more, not mapped yet. */
void space_client_add(struct space *s, struct space_client *c, unsigned int n);
/* Map all that it has, from SPACE_VA on. */
void space_client_map(struct space_client *c);
/* Its queues have stopped. */
void space_stop(struct space_client *c);
void space_client_close(struct space_client *c);

#endif
