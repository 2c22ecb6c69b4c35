/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_PROCESS_H
#define VKFD_KFD_PROCESS_H

/**
 * DOC: One address space, and what it has on each GPU
 *
 * kfd_process is what every open of /dev/kfd in one address space shares; a pdd is
 * its part on one GPU. Almost everything is under the process's lock, which may be
 * held while memory moves, and so while another process is being evicted. Which
 * queues there are, and which of them run, has a lock of its own: a process must be
 * evicted while it waits for another's eviction. That lock is held until an engine
 * has answered, and never while anything of another process is waited for. Events
 * have their own, too (event.h), so that waiting for one blocks nothing.
 */
#include "base/bitmap.h"
#include "base/handle.h"
#include "base/lock.h"
#include "kfd/driver.h"
#include "kfd/event.h"
#include "kfd/kfd.h"

struct kfd_mem;
struct kfd_queue;

#define KFD_MAX_QUEUES 1024 /* ids of one process, and doorbells of one process on one GPU */

/* struct kfd_pdd - all protected by the process's lock, but where it says otherwise */
struct kfd_pdd {
	unsigned int gpu;              /* constant, as the next */
	uint32_t gpu_id;
	struct machine_render *render; /* the file whose VM it is; NULL: not acquired */
	struct mm_vm *vm;
	struct kfd_mem *ib, *cwsr;     /* what the driver itself keeps mapped; no handle */
	struct vkf_handles mems;       /* of struct kfd_mem: the low half of a buffer's handle */
	_Atomic uint64_t vram_usage;   /* bytes; may be read without the lock */

	uint64_t scratch_va, tba, tma; /* as the program set them */
	uint32_t default_policy, alternate_policy;
	uint64_t ape1_base, ape1_limit;

	unsigned int n_queues;
	unsigned int evicted;          /* reasons to keep its queues stopped; queue_lock, as the next */
	uint64_t evicted_since;        /* when the first of them came */
	uint64_t evicted_ns;           /* how long queues were kept stopped before that */
	uint64_t n_evictions;          /* how often they were; queue_lock, as the next */
	uint64_t sdma_past_ns;         /* how long SDMA queues that are gone were at work */
	uint64_t doorbells[VKF_BITMAP_WORDS(KFD_MAX_QUEUES)]; /* ids in use or reserved */
	struct kfd_queue *gws_queue;   /* changed with both locks held */
	struct kfd_share share;        /* see share.h */
	bool has_reset_queue;          /* queues of it were reset; protected by queue_lock */
	bool lost;                     /* no queue of it runs ever again; protected by queue_lock */
};

struct kfd_process {
	struct kfd_driver *driver;     /* constant, as the next six */
	struct machine_client *mc;
	int32_t pid;
	char comm[16];
	unsigned int pasid;
	unsigned int n_pdds;
	struct vkf_mutex lock;         /* rank PROCESS */
	struct kfd_pdd pdds[MACHINE_MAX_GPUS]; /* index = GPU */
	bool xnack;                    /* protected by @lock */
	struct vkf_mutex queue_lock;   /* rank QUEUE */
	struct vkf_handles queues;     /* of struct kfd_queue; changed with both locks held */
	bool lost;                     /* its engine was given up; protected by @queue_lock */
	atomic_bool poisoned;          /* it has used bad memory, and been told */
	struct kfd_evict evict;
	struct kfd_events events;
};

/* The pdd of @gpu_id, or NULL. Needs no lock: the set never changes. */
struct kfd_pdd *kfd_pdd_by_id(struct kfd_process *p, uint32_t gpu_id);
/* Return: 0, or -ENODEV while the program has not acquired a VM on it. */
int kfd_pdd_bind(const struct kfd_pdd *pdd);

static inline uint64_t kfd_make_handle(uint32_t gpu_id, unsigned int n)
{
	return (uint64_t)gpu_id << 32 | n;
}

static inline uint32_t kfd_handle_gpu(uint64_t handle)
{
	return (uint32_t)(handle >> 32);
}

static inline unsigned int kfd_handle_number(uint64_t handle)
{
	return (uint32_t)handle;
}

/* ACQUIRE_VM */
int kfd_acquire_vm(struct kfd_process *p, struct vkf_call *call, void *arg);

#endif
