/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_CLIENT_H
#define VKFD_MM_CLIENT_H

/**
 * DOC: One address space that uses GPUs
 *
 * An mm_client is what amdkfd_process_info is to the kernel: the VMs of one
 * process on all GPUs, all of its buffers, and its one lock. It owns the
 * placement of bytes: the arena (windows of it are handed to VRAM and GTT
 * buffers) and the page-table region, both provided by the caller as plain
 * ranges.
 *
 * Buffers may outlive their client, held by exports and other holders; their windows
 * are not punched then, for the arena goes with the client.
 *
 * A page table in the region is 512 entries followed by 512 links (see
 * MM_LINK_*); the engine reads them while mm writes them, so link is stored
 * before a valid entry is, with release order.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_system;
struct mm_client;

#define MM_PT_ENTRIES 512
#define MM_PT_BYTES (2 * MM_PT_ENTRIES * sizeof(uint64_t))

/* The link of a leaf: a page-aligned address with its kind in the low 12 bits. Of a directory
 * entry: the number of the next table. */
#define MM_LINK_ARENA 1
#define MM_LINK_USER 2
#define MM_LINK_BAR 3

/* The client's eviction fence: see mm/eviction.h for who waits for it. */
struct mm_client_ops {
	/*
	 * Somebody waits for this client to be off its GPUs: have its queues stopped on all of them,
	 * and then call mm_client_evicted(), later. Once for each fence, from any task, with locks
	 * up to rank LRU held; must not wait. False: nothing runs, and nothing needs to be stopped. NULL:
	 * nothing ever runs.
	 */
	bool (*evict)(void *cookie);
	/* Give the memory behind a window back; it reads as zeros afterwards. Cannot fail. */
	void (*punch)(void *cookie, uint64_t arena_off, uint64_t len);
	/* No engine of this client reaches, on GPU @gpu, what cleared entries named, when this
	 * returns. Bounded time; takes no lock of mm's. */
	void (*invalidate)(void *cookie, unsigned int gpu);
};

struct mm_client_config {
	void *pt_base;          /* table 0 is never used */
	uint32_t pt_tables;
	uint64_t arena_bytes;
	/* 0: more than any program has. Dying buffers count; beyond it, making one is -ENOMEM. */
	uint64_t max_buffers, max_mappings;
	const struct mm_client_ops *ops;
	void *cookie;
	uint32_t number;        /* by which traces know it; 0: by none */
};

/* Return: 0; -EINVAL: no page-table region of at least two tables, or no arena; -ENOMEM. */
int mm_client_create(struct mm_system *system, const struct mm_client_config *config,
		     struct mm_client **ret_client);
/*
 * Destroys its VMs and unmaps all that is left, whatever its use count; waits until every buffer
 * that nobody holds a reference to is freed. From then on @ops and the regions are not used any
 * more. References the caller took are still the caller's to put. NULL is fine.
 */
void mm_client_destroy(struct mm_client *client);

/* All of its queues are stopped: what is to be moved may be moved. Harmless when nobody asked. */
void mm_client_evicted(struct mm_client *client);
/**
 * mm_client_restore() - bring all of an evicted client's buffers back
 *
 * To where they belong, making room at the cost of others, or else to GTT; rewrites what entries
 * are stale, and waits for it. A new eviction fence is on all of them before anybody else can
 * touch them; somebody may wait for it already when this returns.
 *
 * Return: 0: its queues may run; -ENOMEM: try again later, what came back stays. The caller holds
 * no lock of rank MM_CLIENT or inner. Harmless for one that is not evicted.
 */
int mm_client_restore(struct mm_client *client);
/* Whether nothing of it runs, for want of a restore. */
bool mm_client_is_evicted(const struct mm_client *client);

#endif
