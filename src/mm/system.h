/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_SYSTEM_H
#define VKFD_MM_SYSTEM_H

/**
 * DOC: The machine's memory as a whole
 *
 * One mm_system per machine: the two limits on system memory that all GPUs and
 * all clients share, the space of bus addresses of system pages, and the list of
 * devices. Rules: kernel-side amdgpu_amdkfd_gpuvm.c of Linux 6.12.
 */
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_system;
struct mm_device;

struct mm_system_config {
	uint64_t ram_bytes;     /* all sockets */
	uint64_t system_limit;  /* 0: RAM - RAM/64, then half if below 3 GiB else minus 1.5 GiB */
	uint64_t ttm_limit;     /* 0: RAM / 2 */
	bool overcommit;        /* VRAM: one request is limited, all together are not; see quota.h */
	uint64_t bus_base;      /* lowest bus address of system pages */
};

/* Return: 0; -EINVAL: no page of RAM; -ENOMEM. */
int mm_system_create(const struct mm_system_config *config, struct mm_system **ret_system);
/* Every device and client is gone by then; a debug build panics on a leak. NULL is fine. */
void mm_system_destroy(struct mm_system *system);

struct mm_system_usage {
	uint64_t system_used, system_limit, ttm_used, ttm_limit;
};

void mm_system_usage(struct mm_system *system, struct mm_system_usage *ret_usage);

/**
 * mm_check() - verify every invariant of every object of @system
 * @why: on failure what does not hold, one line
 *
 * No other task may be inside mm. Return: 0 or -EUCLEAN.
 */
int mm_check(struct mm_system *system, char *why, size_t why_len);

#endif
