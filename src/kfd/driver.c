/* SPDX-License-Identifier: MIT */
#include "kfd/driver.h"

#include <errno.h>
#include "base/env.h"

/* The kernel hands out the upper half of 16-bit PASIDs first. */
#define PASID_FIRST          0x8000
#define PASID_LIMIT          0x10000
#define MAX_QUEUES_OF_DEVICE 4096 /* the kernel's max_num_of_queues_per_device */

/* The arbitration of kgd2kfd_device_init(). */
static void init_sharing(struct kfd_driver *kd, unsigned int gpu)
{
	const struct machine_asic *asic = &kfd_gpu_profile(kd, gpu)->asic;
	unsigned int most = machine_profile(kd->machine)->knobs.hws_max_conc_proc;
	unsigned int vmids = most ? VKF_MIN(most, asic->vmids) : asic->vmids;

	kfd_sharing_init(&kd->gpus[gpu].sharing, &kd->share_wq, VKF_MAX(vmids, 1u),
			 VKF_MAX(asic->cp_queues, 1u));
}

int kfd_driver_create(struct machine *m, struct kfd_driver **ret_driver)
{
	struct kfd_driver *kd = vkf_zalloc(sizeof(*kd));

	int r;

	if (!kd)
		return -ENOMEM;
	r = kfd_evictions_init(&kd->evictions);
	if (r) {
		vkf_free(kd);
		return r;
	}
	r = vkf_workq_init(&kd->share_wq, "vkfd-share", 1);
	if (r) {
		kfd_evictions_fini(&kd->evictions);
		vkf_free(kd);
		return r;
	}
	kd->machine = m;
	kd->n_gpus = machine_profile(m)->n_gpus;
	vkf_mutex_init(&kd->lock, VKF_RANK_LEAF);
	vkf_handles_init(&kd->pasids, PASID_FIRST, PASID_LIMIT);
	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++) {
		vkf_mutex_init(&kd->gpus[i].lock, VKF_RANK_LEAF);
		vkf_mutex_init(&kd->gpus[i].smi_lock, VKF_RANK_LEAF);
		vkf_list_init(&kd->gpus[i].listeners);
		init_sharing(kd, i);
	}
	*ret_driver = kd;
	return 0;
}

void kfd_driver_destroy(struct kfd_driver *kd)
{
	if (!kd)
		return;
	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++) {
		VKF_ASSERT(kd->gpus[i].n_queues == 0);
		VKF_ASSERT(vkf_list_empty(&kd->gpus[i].listeners));
		vkf_mutex_fini(&kd->gpus[i].lock);
		vkf_mutex_fini(&kd->gpus[i].smi_lock);
		kfd_sharing_fini(&kd->gpus[i].sharing);
	}
	vkf_workq_fini(&kd->share_wq);
	kfd_evictions_fini(&kd->evictions);
	VKF_ASSERT(kd->pasids.n_used == 0);
	vkf_handles_fini(&kd->pasids);
	vkf_mutex_fini(&kd->lock);
	vkf_free(kd);
}

void kfd_driver_evictions(struct kfd_driver *kd, struct kfd_eviction_stat *ret_stat)
{
	ret_stat->n_evicted = atomic_load(&kd->evictions.n_evicted);
	ret_stat->n_restored = atomic_load(&kd->evictions.n_restored);
	ret_stat->n_failed = atomic_load(&kd->evictions.n_failed);
}

int kfd_driver_add_process(struct kfd_driver *kd, struct kfd_process *p, unsigned int *ret_pasid)
{
	int r;

	vkf_mutex_lock(&kd->lock);
	r = vkf_handles_add(&kd->pasids, p, ret_pasid);
	vkf_mutex_unlock(&kd->lock);
	return r;
}

void kfd_driver_remove_process(struct kfd_driver *kd, unsigned int pasid)
{
	vkf_mutex_lock(&kd->lock);
	vkf_handles_remove(&kd->pasids, pasid);
	vkf_mutex_unlock(&kd->lock);
}

int kfd_gpu_count_queue(struct kfd_driver *kd, unsigned int gpu)
{
	unsigned int limit = machine_profile(kd->machine)->knobs.max_queues;
	struct kfd_gpu *g = &kd->gpus[gpu];
	int r = -EPERM;

	if (!limit)
		limit = MAX_QUEUES_OF_DEVICE;
	vkf_mutex_lock(&g->lock);
	if (g->n_queues < limit) {
		g->n_queues++;
		r = 0;
	}
	vkf_mutex_unlock(&g->lock);
	return r;
}

void kfd_gpu_uncount_queue(struct kfd_driver *kd, unsigned int gpu)
{
	struct kfd_gpu *g = &kd->gpus[gpu];

	vkf_mutex_lock(&g->lock);
	VKF_ASSERT(g->n_queues > 0);
	g->n_queues--;
	vkf_mutex_unlock(&g->lock);
}

/* Queue @i of a kind belongs to engine @i % engines, so that neighbours land on different ones. */
static unsigned int find_sdma(const uint64_t *used, unsigned int engines, unsigned int per_engine,
			      int engine)
{
	unsigned int n = VKF_MIN(engines * per_engine, KFD_MAX_SDMA_QUEUES);
	unsigned int step = engine < 0 ? 1 : engines;

	for (unsigned int i = engine < 0 ? 0 : (unsigned int)engine; i < n; i += step) {
		if (!vkf_bit_test(used, i))
			return i;
	}
	return KFD_MAX_SDMA_QUEUES;
}

int kfd_gpu_take_sdma(struct kfd_driver *kd, unsigned int gpu, bool xgmi, int engine,
		      struct kfd_sdma_slot *ret_slot)
{
	const struct machine_asic *asic = &kfd_gpu_profile(kd, gpu)->asic;
	unsigned int engines = xgmi ? asic->sdma_xgmi_engines : asic->sdma_engines;
	struct kfd_gpu *g = &kd->gpus[gpu];
	uint64_t *used = xgmi ? g->xgmi_used : g->sdma_used;
	unsigned int i;

	if (engines == 0)
		return -ENOMEM;
	vkf_mutex_lock(&g->lock);
	i = find_sdma(used, engines, asic->sdma_queues_per_engine, engine);
	if (i < KFD_MAX_SDMA_QUEUES)
		vkf_bit_set(used, i);
	vkf_mutex_unlock(&g->lock);
	if (i == KFD_MAX_SDMA_QUEUES)
		return -ENOMEM;
	*ret_slot = (struct kfd_sdma_slot){
		.xgmi = xgmi,
		.index = i,
		.engine = i % engines + (xgmi ? asic->sdma_engines : 0),
		.queue = i / engines,
	};
	return 0;
}

void kfd_gpu_give_sdma(struct kfd_driver *kd, unsigned int gpu, const struct kfd_sdma_slot *slot)
{
	struct kfd_gpu *g = &kd->gpus[gpu];

	vkf_mutex_lock(&g->lock);
	vkf_bit_clear(slot->xgmi ? g->xgmi_used : g->sdma_used, slot->index);
	vkf_mutex_unlock(&g->lock);
}
