/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_MM_FIXTURE_H
#define VKFD_TESTS_UNIT_MM_FIXTURE_H

/**
 * DOC: A small machine's memory for tests
 *
 * GPUs with little VRAM and one client (more can be made), page tables in plain
 * memory. What mm asks of the outside is counted. With delay, paging jobs wait until
 * mm_fixture_run() lets them go, so that fences stay pending.
 */
#include "../base/support.h"

#include <errno.h>
#include "host/sched_host.h"
#include "mm/private.h"

#define FIXTURE_MAX_GPUS 4
#define FIXTURE_MAX_JOBS 512

struct mm_fixture_config {
	unsigned int n_gpus;          /* 0: 1 */
	uint64_t vram, visible;       /* 0: 256 MiB; all of it */
	uint64_t ram;                 /* 0: 64 GiB */
	uint64_t system_limit, ttm_limit, gtt;
	uint64_t arena;               /* 0: 1 TiB */
	uint32_t pt_tables;           /* 0: 256 */
	unsigned int va_bits;         /* 0: 48 */
	bool delay;
	unsigned int policy;          /* enum mm_evict_policy */
	bool overcommit;
	uint64_t max_buffers, max_mappings; /* of each client */
};

struct mm_fixture_client {
	struct mm_client *mm;
	void *pt;
	unsigned int n_punched;
	uint64_t punched_off, punched_len; /* the last one */
	unsigned int n_invalidated[FIXTURE_MAX_GPUS];
	bool runs;            /* has queues: somebody must stop them with mm_client_evicted() */
	atomic_uint n_asked;  /* how often that was asked for */
};

struct mm_fixture {
	struct mm_fixture_config config;
	struct mm_system *system;
	struct mm_device *dev[FIXTURE_MAX_GPUS];
	struct mm_fixture_client a; /* the first client */
	atomic_bool delay;
	struct mm_paging_job *jobs[FIXTURE_MAX_JOBS];
	atomic_uint n_jobs, n_run;
};

int mm_fixture_client_init(struct mm_fixture *f, struct mm_fixture_client *c);
void mm_fixture_client_fini(struct mm_fixture_client *c);
/* Return: 0, or what creating gave; nothing is left then. */
int mm_fixture_try_init(struct mm_fixture *f, const struct mm_fixture_config *config);
/* Must work. @config may be NULL. */
void mm_fixture_init(struct mm_fixture *f, const struct mm_fixture_config *config);
/* Fails the test when anything is left. */
void mm_fixture_fini(struct mm_fixture *f);

/* Let the oldest @n jobs that wait go. */
void mm_fixture_run(struct mm_fixture *f, unsigned int n);
void mm_fixture_run_all(struct mm_fixture *f);
/* Fail the test with the reason when an invariant does not hold. */
void mm_fixture_check(struct mm_fixture *f);

struct mm_bo *mm_fixture_bo(struct mm_fixture *f, enum mm_bo_kind kind, uint64_t size);
struct mm_vm *mm_fixture_vm(struct mm_fixture *f, unsigned int gpu);
struct mm_mapping *mm_fixture_map(struct mm_vm *vm, struct mm_bo *bo, uint64_t va);

/* What the hardware finds at @va by walking the words from the root. */
struct mm_fixture_found {
	unsigned int level; /* of the last entry looked at */
	uint64_t entry, link;
};
struct mm_fixture_found mm_fixture_walk(struct mm_fixture_client *c, struct mm_vm *vm, uint64_t va);

#endif
