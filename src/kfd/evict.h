/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_EVICT_H
#define VKFD_KFD_EVICT_H

/**
 * DOC: A process leaves its GPUs, and comes back
 *
 * When somebody waits for a process's eviction fence, all its queues on all GPUs are
 * stopped, but not before it has run for 10 ms since its last restore began (or since it
 * was made); then the fence signals and its memory may be moved. 100 ms later its memory is brought
 * back and its queues run again; what fails is tried again every 100 ms. These are Linux 6.12's
 * evict_process_worker() and restore_process_worker().
 *
 * Evictions of different processes go on side by side, for one whose engine does not
 * answer must not keep another's memory; restores come one after the other. Neither
 * takes a kfd_process.lock: its owner may be waiting for somebody's memory.
 *
 * An engine that does not stop within the preemption timeout is given up, which is a
 * reset as far as its process can tell: HW_EXCEPTION events, and its queues stay
 * stopped until it ends. Its fence signals, and others get the memory.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/work.h"

struct kfd_driver;
struct kfd_process;

/* Why queues were stopped, as SMI events say it: KFD_QUEUE_EVICTION_TRIGGER_* */
enum kfd_evict_trigger {
	KFD_EVICT_SVM,
	KFD_EVICT_USERPTR,
	KFD_EVICT_TTM,
	KFD_EVICT_SUSPEND,
	KFD_EVICT_CRIU_CHECKPOINT,
	KFD_EVICT_CRIU_RESTORE,
};

/* Milliseconds, named as the kernel's. */
#define KFD_PROCESS_ACTIVE_TIME_MS   10
#define KFD_PROCESS_RESTORE_TIME_MS  100
#define KFD_PROCESS_BACK_OFF_TIME_MS 100
#define KFD_USERPTR_RESTORE_DELAY_MS 1

/* struct kfd_evictions - of all processes of a driver */
struct kfd_evictions {
	struct vkf_workq evict_wq;   /* many side by side */
	struct vkf_workq restore_wq; /* ordered */
	/* Nanoseconds; constant once there is a process. Only tests change them. */
	uint64_t active_ns, restore_ns, back_off_ns, userptr_ns;
	_Atomic uint64_t n_evicted, n_restored, n_failed; /* processes, ever; restores that failed */
};

/* struct kfd_evict - a process's part */
struct kfd_evict {
	struct vkf_work evict, restore, userptr;
	struct vkf_work lost;          /* its engine has ended, or was given up by who could not tell it so */
	atomic_bool userptr_gone;      /* queues are stopped for it, until @userptr has run */
	atomic_bool wanted;            /* somebody waits for the fence, and it has not signalled */
	_Atomic uint64_t last_restore; /* when the last one began, or the process */
};

/* Return: 0 or -ENOMEM. */
int kfd_evictions_init(struct kfd_evictions *ev);
void kfd_evictions_fini(struct kfd_evictions *ev);

/* From now on @p can be evicted. Return: 0, or -ENOMEM, -EAGAIN when nobody could do it. */
int kfd_evict_start(struct kfd_process *p);
/* A user page was gone when a queue came there: all queues stop, and run again in a moment, when it may
 * be back. */
void kfd_evict_userptr(struct kfd_process *p);
/* Its engine has ended before it: what it has on GPUs is lost, and its events tell, a moment later. Any
 * task. */
void kfd_evict_lost(struct kfd_process *p);
/* It is ending: nothing of an eviction is under way any more, and none begins. With no lock of the
 * process held. */
void kfd_evict_stop(struct kfd_process *p);
/* Its queues are gone: whoever still waits for them may go on. */
void kfd_evict_finish(struct kfd_process *p);

/* All its queues stop, on all GPUs, for one more reason, or one less. SMI events are told. Return:
 * 0, or -ETIME when the engine had to be given up. */
int kfd_process_evict_queues(struct kfd_process *p, enum kfd_evict_trigger trigger);
void kfd_process_restore_queues(struct kfd_process *p);

#endif
