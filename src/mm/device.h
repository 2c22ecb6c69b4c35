/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_DEVICE_H
#define VKFD_MM_DEVICE_H

/**
 * DOC: One GPU's memory
 *
 * An mm_device has a VRAM manager (buddy), a GTT manager, limits, and a timeline on
 * which buffers are moved. Changes of page tables run on the timeline of their VM, so
 * that nobody's wait for a buffer holds up another VM. What the hardware has to do is asked for through struct mm_device_ops; machine/
 * fills it. mm knows nothing of engines.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_system;
struct mm_device;
struct mm_paging_job; /* timeline.h */

struct mm_device_ops {
	/**
	 * run_job - execute @job now or later, in the order given
	 *
	 * Whoever executes it calls mm_paging_job_run() for it once, from a task that holds no lock
	 * of rank RESV or inner: that writes entries, invalidates, and signals the job's fence, or
	 * leaves it to whoever signals what the job still depends on.
	 * Called with locks up to rank RESV held; must not wait for the job. NULL: jobs run at
	 * once, in the caller.
	 */
	void (*run_job)(void *cookie, struct mm_paging_job *job);
};

struct mm_device_config {
	unsigned int index;            /* the GPU's number in the machine */
	uint64_t vram_bytes, visible_bytes;
	unsigned int va_bits;          /* 48 or 40 */
	uint64_t bar_base;             /* bus address of VRAM offset 0 */
	uint64_t hive_base;            /* address of VRAM offset 0 in its hive's common space */
	uint64_t gtt_bytes;            /* 0: max(3 GiB, RAM / 2) */
	unsigned int policy;           /* enum mm_evict_policy of its VRAM and GTT */
	const struct mm_device_ops *ops;
	void *cookie;
};

/* Return: 0; -EINVAL: no page of VRAM, or VAs of other than 48 or 40 bits; -ENOMEM. */
int mm_device_create(struct mm_system *system, const struct mm_device_config *config,
		     struct mm_device **ret_dev);
/* Every VM and buffer of it is gone; a debug build panics on a leak. NULL is fine. */
void mm_device_destroy(struct mm_device *dev);
unsigned int mm_device_index(const struct mm_device *dev);

struct mm_device_usage {
	uint64_t vram_used;         /* charged to clients: exact page-aligned bytes */
	uint64_t vram_used_aligned; /* the same, each buffer rounded up to 2 MiB */
	uint64_t vram_managed;      /* out of the buddy: buffers and page tables */
	uint64_t visible_managed;
	uint64_t page_tables;       /* bytes of it in page tables */
	uint64_t vram_total, visible_total, gtt_used, gtt_total;
	uint64_t n_evicted, evicted_bytes; /* buffers that had to leave VRAM, ever */
};

void mm_device_usage(struct mm_device *dev, struct mm_device_usage *ret_usage);
/* Call @fn, with the manager's lock (rank LRU) held, for each buffer in VRAM that could leave it: the
 * client whose it is, as mm_client_config.number, and its size. */
void mm_device_residents(struct mm_device *dev,
			 void (*fn)(void *cookie, uint32_t client, uint64_t bytes), void *cookie);
/* AMDKFD_IOC_AVAILABLE_MEMORY: total less aligned use, pinned and page-table reserve, rounded down
 * to 2 MiB, never below 0. */
uint64_t mm_device_available(struct mm_device *dev);
/**
 * mm_device_retire_page() - the page of VRAM at @offset is bad
 *
 * Nobody gets it again, and the limit of VRAM is a page less from now on; its owner, if it has one,
 * keeps it until he gives it back. Return: 0, -EINVAL, -EEXIST, -ENOMEM: see mm_vram_retire().
 */
int mm_device_retire_page(struct mm_device *dev, uint64_t offset);

#endif
