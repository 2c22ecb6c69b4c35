/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_DRIVER_H
#define VKFD_KFD_DRIVER_H

/**
 * DOC: What all processes share of KFD
 *
 * PASIDs, and for each GPU what its queue manager counts for all processes
 * together: queues, and the queue slots of each SDMA engine; and who is on it (share.h). A GPU's state has a
 * lock of rank LEAF, held for the time of a count only.
 */
#include "base/bitmap.h"
#include "base/handle.h"
#include "base/lock.h"
#include "kfd/evict.h"
#include "kfd/kfd.h"
#include "kfd/share.h"

#define KFD_MAX_SDMA_QUEUES 128u /* of one kind, of one GPU */

/* struct kfd_gpu - one GPU's queue manager, as far as processes share it */
struct kfd_gpu {
	struct vkf_mutex lock;     /* rank LEAF; protects the next three */
	unsigned int n_queues;
	uint64_t sdma_used[VKF_BITMAP_WORDS(KFD_MAX_SDMA_QUEUES)];
	uint64_t xgmi_used[VKF_BITMAP_WORDS(KFD_MAX_SDMA_QUEUES)];
	struct vkf_mutex smi_lock; /* rank LEAF; protects the next two, and each listener */
	struct vkf_list listeners; /* of struct kfd_smi */
	unsigned int reset_seq;    /* resets so far */
	struct kfd_sharing sharing;
};

struct kfd_driver {
	struct machine *machine;
	unsigned int n_gpus;
	struct vkf_mutex lock;     /* rank LEAF; protects @pasids */
	struct vkf_handles pasids; /* of struct kfd_process */
	struct kfd_gpu gpus[MACHINE_MAX_GPUS];
	struct kfd_evictions evictions;
	struct vkf_workq share_wq; /* never waits for anything */
	const struct kfd_procfs_ops *procfs; /* constant once there is a process; NULL: nobody asks */
	void *procfs_cookie;
};

static inline const struct machine_gpu *kfd_gpu_profile(const struct kfd_driver *kd,
							unsigned int gpu)
{
	return &machine_profile(kd->machine)->gpus[gpu];
}

/* Bytes of one process's doorbells on @gpu: what ALLOC and mmap must ask for. */
static inline uint64_t kfd_doorbell_slice(const struct machine_asic *asic)
{
	return asic->doorbell64 ? 2 * VKF_PAGE_SIZE : VKF_PAGE_SIZE;
}

/* Return: 0, -ENOMEM or -ENOSPC. */
int kfd_driver_add_process(struct kfd_driver *kd, struct kfd_process *p, unsigned int *ret_pasid);
void kfd_driver_remove_process(struct kfd_driver *kd, unsigned int pasid);

/* Which of a GPU's SDMA queues; @engine counts the XGMI engines after the others. */
struct kfd_sdma_slot {
	bool xgmi;
	unsigned int index;  /* in its bitmap */
	unsigned int engine, queue;
};

/* Count one more queue of @gpu. Return: 0, or -EPERM at the limit of the device. */
int kfd_gpu_count_queue(struct kfd_driver *kd, unsigned int gpu);
void kfd_gpu_uncount_queue(struct kfd_driver *kd, unsigned int gpu);
/**
 * kfd_gpu_take_sdma() - find an SDMA queue that no process has
 * @xgmi: of the XGMI engines
 * @engine: on this engine, or -1: spread over all, lowest free first
 *
 * Return: 0 with @ret_slot filled, or -ENOMEM.
 */
int kfd_gpu_take_sdma(struct kfd_driver *kd, unsigned int gpu, bool xgmi, int engine,
		      struct kfd_sdma_slot *ret_slot);
void kfd_gpu_give_sdma(struct kfd_driver *kd, unsigned int gpu, const struct kfd_sdma_slot *slot);

#endif
