/* SPDX-License-Identifier: MIT */
#include "mm/system.h"

#include <errno.h>
#include "base/env.h"
#include "mm/private.h"

int mm_system_create(const struct mm_system_config *config, struct mm_system **ret_system)
{
	const struct mm_quota_config quota = {
		.ram = config->ram_bytes,
		.system_limit = config->system_limit,
		.ttm_limit = config->ttm_limit,
		.overcommit = config->overcommit,
	};
	struct mm_system *system = vkf_zalloc(sizeof(*system));
	int r;

	if (!system)
		return -ENOMEM;
	r = mm_bus_init(&system->bus, config->bus_base, config->ram_bytes);
	if (r) {
		vkf_free(system);
		return r;
	}
	mm_quota_init(&system->quota, &quota);
	mm_gtt_init(&system->user, &system->bus, "user pages", UINT64_MAX);
	mm_swap_init(&system->swap);
	system->ram_bytes = config->ram_bytes;
	atomic_init(&system->n_contexts, 0);
	vkf_mutex_init(&system->lock, VKF_RANK_LEAF);
	vkf_list_init(&system->devices);
	vkf_list_init(&system->clients);
	*ret_system = system;
	return 0;
}

void mm_system_destroy(struct mm_system *system)
{
	if (!system)
		return;
	VKF_ASSERT(vkf_list_empty(&system->devices) && vkf_list_empty(&system->clients));
	mm_swap_fini(&system->swap);
	mm_gtt_fini(&system->user);
	mm_bus_fini(&system->bus);
	mm_quota_fini(&system->quota);
	vkf_mutex_fini(&system->lock);
	vkf_free(system);
}

uint64_t mm_system_new_context(struct mm_system *system)
{
	return atomic_fetch_add_explicit(&system->n_contexts, 1, memory_order_relaxed) + 1;
}

void mm_system_usage(struct mm_system *system, struct mm_system_usage *ret_usage)
{
	vkf_mutex_lock(&system->quota.lock);
	*ret_usage = (struct mm_system_usage){
		.system_used = system->quota.system_used,
		.system_limit = system->quota.system_limit,
		.ttm_used = system->quota.ttm_used,
		.ttm_limit = system->quota.ttm_limit,
	};
	vkf_mutex_unlock(&system->quota.lock);
}
