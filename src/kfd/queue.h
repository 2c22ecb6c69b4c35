/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_QUEUE_H
#define VKFD_KFD_QUEUE_H

/**
 * DOC: User queues
 *
 * A queue has an id of its process, a doorbell, a hardware slot, and holds the
 * mappings it lives on (ring, pointers, end-of-pipe buffer, save area): they
 * cannot be unmapped before it is destroyed. It runs while it is active (it has a
 * ring and a share of the GPU) and its process is not evicted from the GPU.
 *
 * What decides about that is protected by the process's queue_lock: slot, ring, percent,
 * running. The rest is under the process's lock; what never changes may be read with
 * either.
 */
#include <errno.h>
#include "kfd/process.h"

struct mm_mapping;

enum kfd_queue_buffer {
	KFD_QBUF_WPTR,
	KFD_QBUF_RPTR,
	KFD_QBUF_RING,
	KFD_QBUF_EOP,
	KFD_QBUF_CWSR,
	KFD_N_QBUFS,
};

struct kfd_queue {
	unsigned int id;
	unsigned int gpu;
	enum gpu_queue_type type;
	bool sdma_slot;              /* @sdma is taken */
	struct kfd_sdma_slot sdma;
	unsigned int doorbell;       /* number in the slice */
	int slot;                    /* of the hardware; -1: not loaded yet */
	uint64_t ring_va, ring_bytes;
	uint64_t rptr_va, wptr_va;
	uint64_t eop_va, eop_bytes, cwsr_va;
	uint32_t cwsr_bytes, ctl_stack_bytes;
	uint32_t percent, priority;
	bool running;                /* what the slot was last told */
	uint64_t gone_va, gone_packets; /* where it last met a user page that was gone; queue_lock */
	bool met_gone;
	struct mm_mapping *buffers[KFD_N_QBUFS]; /* used; NULL: has none */
};

static inline bool kfd_queue_active(const struct kfd_queue *q)
{
	return q->ring_va && q->ring_bytes && q->percent;
}

/* Its queues were reset: none of them can be changed any more, as in the kernel's update_queue().
 * Return: @r, or -EACCES. */
static inline int kfd_queue_changed(const struct kfd_pdd *pdd, int r)
{
	return pdd->has_reset_queue ? -EACCES : r;
}

/* Not SDMA: it has an end-of-pipe buffer, a save area and waves. */
static inline bool kfd_queue_computes(const struct kfd_queue *q)
{
	return q->type == GPU_QUEUE_PM4 || q->type == GPU_QUEUE_AQL;
}

/* queue_buffers.c: hold what @q names. Return: 0, or -EINVAL with nothing held. */
int kfd_queue_hold_buffers(struct kfd_queue *q, const struct kfd_pdd *pdd,
			   const struct machine_asic *asic);
void kfd_queue_release_buffers(struct kfd_queue *q);
/* Hold another ring instead. Return: 0 or -EFAULT. */
int kfd_queue_hold_ring(struct kfd_queue *q, const struct kfd_pdd *pdd, uint64_t va,
			uint64_t bytes);
/* Bytes of the save area that the debugger uses, for one partition. */
uint32_t kfd_debug_bytes(const struct machine_asic *asic);

/* queue.c */
/* With either lock. */
struct kfd_queue *kfd_queue_find(struct kfd_process *p, uint32_t id);
void kfd_queues_destroy_all(struct kfd_process *p) VKF_REQUIRES(p->lock);
/* The queue in a hardware slot, or NULL. */
struct kfd_queue *kfd_queue_by_slot(struct kfd_process *p, int slot) VKF_REQUIRES(p->queue_lock);

/* queue_run.c */
/* Stop or run the queues in these slots. Return: 0, or -ETIME: the engine was given up, and with it
 * every queue of the process. */
int kfd_queues_tell(struct kfd_process *p, const int *slots, unsigned int n, bool run)
	VKF_REQUIRES(p->queue_lock);
/*
 * The engine did not answer: HW_EXCEPTION events of each GPU that the process has queues on, which
 * count as reset, and no queue runs ever again.
 */
void kfd_engine_lost(struct kfd_process *p) VKF_REQUIRES(p->queue_lock);
/* What the process has on a GPU, or what of that runs, is another: see share.h on when to say so. */
void kfd_queues_count(struct kfd_process *p, struct kfd_pdd *pdd) VKF_REQUIRES(p->queue_lock);
/* Tell the hardware what should be the case. Return: 0 or -ETIME. */
int kfd_queue_apply(struct kfd_process *p, struct kfd_queue *q) VKF_REQUIRES(p->queue_lock);
/*
 * One more reason to keep queues stopped, of GPU @only or of all (NULL). It counts whatever is
 * returned. Return: 0 when none of them runs any more, or -ETIME when the engine did not say so in
 * time and was given up.
 */
int kfd_queues_evict(struct kfd_process *p, struct kfd_pdd *only);
/* One less. */
void kfd_queues_restore(struct kfd_process *p, struct kfd_pdd *only);

/* watch.c: the fields of @stat that tell of evictions. */
void kfd_process_evictions(struct kfd_process *p, struct kfd_process_stat *stat);

int kfd_create_queue(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_destroy_queue(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_update_queue(struct kfd_process *p, struct vkf_call *call, void *arg);

/* queue_state.c */
int kfd_set_cu_mask(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_get_wave_state(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_alloc_gws(struct kfd_process *p, struct vkf_call *call, void *arg);

#endif
