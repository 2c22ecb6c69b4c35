/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_QUOTA_H
#define VKFD_MM_QUOTA_H

/**
 * DOC: Limits on what clients may have
 *
 * Rules of amdgpu_amdkfd_reserve_mem_limit() and _init_mem_limits() of Linux 6.12.
 * System memory: RAM - RAM/64, then halved if that is below 3 GiB, else less 1.5
 * GiB. TTM memory: half of RAM. VRAM of a GPU: its size less what page tables may
 * need (RAM and all VRAM of the machine / 16384, at least 8 MiB), less bad pages,
 * less what is pinned; counted for all clients together, to the page.
 *
 * With overcommit, VRAM has a limit for one request only: the same, without what is
 * charged already. Clients together may then have more than there is, and evict one
 * another; who cannot evict is told by the VRAM manager.
 *
 * A charge is taken in one step against all the limits that apply or not at all.
 */
#include "base/lock.h"

#define MM_QUOTA_ALIGN VKF_HUGE_SIZE /* what AVAILABLE_MEMORY rounds each buffer to */

enum mm_charge {
	MM_CHARGE_NONE,    /* doorbells and MMIO, imports */
	MM_CHARGE_SYSTEM,  /* client's own pages */
	MM_CHARGE_TTM,     /* GTT: counts as system memory, too */
	MM_CHARGE_VRAM,
};

struct mm_quota {
	struct vkf_mutex lock; /* rank LEAF; protects all below, and every mm_quota_gpu */
	uint64_t system_limit, system_used;
	uint64_t ttm_limit, ttm_used;
	uint64_t total;        /* RAM, and VRAM of each GPU: what page tables are reckoned from */
	bool overcommit;       /* constant */
};

struct mm_quota_gpu {
	uint64_t size;             /* VRAM bytes */
	uint64_t used, used_aligned, pinned;
	uint64_t bad;              /* in pages that are, or will be, out of use */
};

struct mm_quota_config {
	uint64_t ram;
	uint64_t system_limit, ttm_limit; /* 0: the rule above */
	bool overcommit;
};

void mm_quota_init(struct mm_quota *q, const struct mm_quota_config *config);
void mm_quota_fini(struct mm_quota *q);
void mm_quota_add_gpu(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t vram_bytes);
void mm_quota_remove_gpu(struct mm_quota *q, struct mm_quota_gpu *gpu);

/* @bytes is whole pages; @gpu is looked at for VRAM only. Return: 0 or -ENOMEM. */
int mm_quota_charge(struct mm_quota *q, struct mm_quota_gpu *gpu, enum mm_charge charge,
		    uint64_t bytes) VKF_MUST_CHECK;
void mm_quota_uncharge(struct mm_quota *q, struct mm_quota_gpu *gpu, enum mm_charge charge,
		       uint64_t bytes);
/* VRAM that cannot be moved away any more, or can again. */
void mm_quota_pin(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t bytes);
void mm_quota_unpin(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t bytes);
/* VRAM that has gone bad, for good. */
void mm_quota_add_bad(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t bytes);

struct mm_quota_usage {
	uint64_t size, used, used_aligned, pinned, bad;
	uint64_t page_tables; /* kept for them */
	uint64_t rest;        /* the largest charge that is not refused now */
};

void mm_quota_usage(struct mm_quota *q, const struct mm_quota_gpu *gpu,
		    struct mm_quota_usage *ret_usage);
/* What AVAILABLE_MEMORY tells. */
uint64_t mm_quota_available(struct mm_quota *q, const struct mm_quota_gpu *gpu);

#endif
