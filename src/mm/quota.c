/* SPDX-License-Identifier: MIT */
#include "mm/quota.h"

#include <errno.h>

#define SYSTEM_RESERVE (VKF_GIB(3) / 2)
#define PT_RESERVE_SHIFT 14
#define PT_RESERVE_MIN VKF_MIB(8)

static uint64_t default_system_limit(uint64_t ram)
{
	uint64_t limit = ram - (ram >> 6);

	return limit < 2 * SYSTEM_RESERVE ? limit / 2 : limit - SYSTEM_RESERVE;
}

void mm_quota_init(struct mm_quota *q, const struct mm_quota_config *config)
{
	uint64_t ram = config->ram;

	vkf_mutex_init(&q->lock, VKF_RANK_LEAF);
	q->system_limit = config->system_limit ? config->system_limit : default_system_limit(ram);
	q->ttm_limit = config->ttm_limit ? config->ttm_limit : ram / 2;
	q->system_used = 0;
	q->ttm_used = 0;
	q->total = ram;
	q->overcommit = config->overcommit;
}

void mm_quota_fini(struct mm_quota *q)
{
	VKF_ASSERT(q->system_used == 0 && q->ttm_used == 0);
	vkf_mutex_fini(&q->lock);
}

void mm_quota_add_gpu(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t vram_bytes)
{
	vkf_mutex_lock(&q->lock);
	*gpu = (struct mm_quota_gpu){ .size = vram_bytes };
	q->total += vram_bytes;
	vkf_mutex_unlock(&q->lock);
}

void mm_quota_remove_gpu(struct mm_quota *q, struct mm_quota_gpu *gpu)
{
	vkf_mutex_lock(&q->lock);
	VKF_ASSERT(gpu->used == 0 && gpu->used_aligned == 0 && gpu->pinned == 0);
	q->total -= gpu->size;
	vkf_mutex_unlock(&q->lock);
}

static uint64_t table_reserve(const struct mm_quota *q)
{
	return VKF_MAX(q->total >> PT_RESERVE_SHIFT, PT_RESERVE_MIN);
}

/* What is left of VRAM when @used, page tables, bad and pinned memory are taken away; never
 * below 0. */
static uint64_t vram_rest(const struct mm_quota *q, const struct mm_quota_gpu *gpu, uint64_t used)
	VKF_REQUIRES(q->lock)
{
	uint64_t taken = gpu->pinned + gpu->bad + table_reserve(q);

	if (!q->overcommit)
		taken += used;
	return taken < gpu->size ? gpu->size - taken : 0;
}

static bool fits(uint64_t used, uint64_t limit, uint64_t bytes)
{
	return bytes <= limit && used <= limit - bytes;
}

/* How @bytes of this kind count. */
static uint64_t system_part(enum mm_charge charge, uint64_t bytes)
{
	return charge == MM_CHARGE_SYSTEM || charge == MM_CHARGE_TTM ? bytes : 0;
}

static uint64_t ttm_part(enum mm_charge charge, uint64_t bytes)
{
	return charge == MM_CHARGE_TTM ? bytes : 0;
}

static int charge_locked(struct mm_quota *q, struct mm_quota_gpu *gpu, enum mm_charge charge,
			 uint64_t bytes) VKF_REQUIRES(q->lock)
{
	uint64_t system = system_part(charge, bytes), ttm = ttm_part(charge, bytes);

	if (system && !fits(q->system_used, q->system_limit, system))
		return -ENOMEM;
	if (ttm && !fits(q->ttm_used, q->ttm_limit, ttm))
		return -ENOMEM;
	if (charge == MM_CHARGE_VRAM) {
		if (bytes > vram_rest(q, gpu, gpu->used))
			return -ENOMEM;
		gpu->used += bytes;
		gpu->used_aligned += VKF_ALIGN_UP(bytes, MM_QUOTA_ALIGN);
	}
	q->system_used += system;
	q->ttm_used += ttm;
	return 0;
}

int mm_quota_charge(struct mm_quota *q, struct mm_quota_gpu *gpu, enum mm_charge charge,
		    uint64_t bytes)
{
	int r;

	if (charge == MM_CHARGE_NONE)
		return 0;
	vkf_mutex_lock(&q->lock);
	r = charge_locked(q, gpu, charge, bytes);
	vkf_mutex_unlock(&q->lock);
	return r;
}

void mm_quota_uncharge(struct mm_quota *q, struct mm_quota_gpu *gpu, enum mm_charge charge,
		       uint64_t bytes)
{
	if (charge == MM_CHARGE_NONE)
		return;
	vkf_mutex_lock(&q->lock);
	if (charge == MM_CHARGE_VRAM) {
		VKF_ASSERT(gpu->used >= bytes);
		gpu->used -= bytes;
		gpu->used_aligned -= VKF_ALIGN_UP(bytes, MM_QUOTA_ALIGN);
	}
	VKF_ASSERT(q->system_used >= system_part(charge, bytes));
	q->system_used -= system_part(charge, bytes);
	q->ttm_used -= ttm_part(charge, bytes);
	vkf_mutex_unlock(&q->lock);
}

void mm_quota_pin(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t bytes)
{
	vkf_mutex_lock(&q->lock);
	gpu->pinned += bytes;
	vkf_mutex_unlock(&q->lock);
}

void mm_quota_unpin(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t bytes)
{
	vkf_mutex_lock(&q->lock);
	VKF_ASSERT(gpu->pinned >= bytes);
	gpu->pinned -= bytes;
	vkf_mutex_unlock(&q->lock);
}

void mm_quota_add_bad(struct mm_quota *q, struct mm_quota_gpu *gpu, uint64_t bytes)
{
	vkf_mutex_lock(&q->lock);
	gpu->bad += bytes;
	vkf_mutex_unlock(&q->lock);
}

void mm_quota_usage(struct mm_quota *q, const struct mm_quota_gpu *gpu,
		    struct mm_quota_usage *ret_usage)
{
	vkf_mutex_lock(&q->lock);
	*ret_usage = (struct mm_quota_usage){
		.size = gpu->size,
		.used = gpu->used,
		.used_aligned = gpu->used_aligned,
		.pinned = gpu->pinned,
		.bad = gpu->bad,
		.page_tables = table_reserve(q),
		.rest = vram_rest(q, gpu, gpu->used),
	};
	vkf_mutex_unlock(&q->lock);
}

uint64_t mm_quota_available(struct mm_quota *q, const struct mm_quota_gpu *gpu)
{
	uint64_t rest;

	vkf_mutex_lock(&q->lock);
	rest = vram_rest(q, gpu, gpu->used_aligned);
	vkf_mutex_unlock(&q->lock);
	return VKF_ALIGN_DOWN(rest, MM_QUOTA_ALIGN);
}
