/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_SHARE_H
#define VKFD_KFD_SHARE_H

/**
 * DOC: Which processes are on a GPU
 *
 * A GPU runs the queues of so many processes at once (it has a VMID for each), one of
 * them with global wave sync, and so many compute queues. While that is enough for all
 * who have queues there, nothing is granted and nobody asks. Else the GPU is shared, as
 * Linux 6.12 decides it (pm_calc_rlib_size()): more processes with queues than VMIDs,
 * or more than one active queue with GWS. Then a process is on the GPU, with all its
 * queues and what GWS they need, or off it, and has its turn when it has work:
 *
 * - An engine that has work and is off asks by an interrupt, and waits in order of
 *   asking. Nobody polls, and who has no work costs nothing.
 * - If what it needs is in use, it is taken from whom it is worth least: one whose engine
 *   sleeps or has nothing to do there at once, another when it has had KFD_SHARE_QUANTUM_NS
 *   since it came on. Until then it is told that the GPU is wanted, and gives it back when
 *   it becomes idle.
 * - Who does not say within KFD_SHARE_GRACE_NS that it is off, is counted as off, and is
 *   not waited for again before it answers. (Its engine looks before every packet, so no
 *   more than the one it is stuck in can still be done.)
 * - One whose queues are all stopped, or that ends, is off at once.
 *
 * Compute queues are dealt with otherwise: if all that are active are more than the
 * hardware's slots, each process that is on the GPU may have its fair part of the slots at
 * once, and its engine rotates its own queues through them (gpu/runlist.h).
 *
 * Nothing here waits. All of one GPU is protected by one lock of rank DEVICE.
 */
#include "base/list.h"
#include "base/lock.h"
#include "base/work.h"

struct kfd_driver;
struct kfd_process;
struct machine_client;

/* The quantum of MAP_PROCESS, 10 ms. */
#define KFD_SHARE_QUANTUM_NS (10 * VKF_NSEC_PER_MSEC)
#define KFD_SHARE_GRACE_NS   (50 * VKF_NSEC_PER_MSEC)

enum kfd_share_state {
	KFD_SHARE_OFF,
	KFD_SHARE_WAITS, /* off, and has asked */
	KFD_SHARE_ON,
	KFD_SHARE_LEAVES, /* told to be off, and has not said so */
};

/* struct kfd_share - a process on one GPU; protected by the GPU's lock, but for the first two */
struct kfd_share {
	struct machine_client *mc; /* constant, as the next */
	unsigned int gpu;
	struct vkf_list link;      /* in kfd_sharing.all, while it has queues */
	struct vkf_list wait;      /* in kfd_sharing.waiting, in state WAITS */
	unsigned int n_queues, n_active, n_compute; /* there are, may run, of those compute */
	bool gws;                  /* one of those that may run has it */
	enum kfd_share_state state;
	bool wanted;               /* it was told so */
	bool slow;                 /* it did not answer in time, and has not since */
	uint32_t number;           /* of what it was told last; 0: nothing yet */
	uint32_t slots;            /* as it was told; 0: nothing yet */
	uint64_t since;            /* when it came on, or was told to leave */
};

/* struct kfd_sharing - one GPU */
struct kfd_sharing {
	struct vkf_mutex lock;     /* rank DEVICE; protects the rest */
	unsigned int vmids, slots; /* constant; what the hardware has */
	bool shared;
	unsigned int n_shares, n_gws; /* processes that have queues, and with an active one with GWS */
	unsigned int n_on;         /* that have a VMID: ON or LEAVES */
	struct kfd_share *gws;     /* who has the GWS, in state ON or LEAVES; or NULL */
	struct vkf_list all, waiting;
	struct vkf_work tick;      /* somebody's time is up */
};

/* struct kfd_share_need - what a process has on a GPU */
struct kfd_share_need {
	unsigned int n_queues, n_active, n_compute;
	bool gws;
};

/* @vmids, @slots: at least 1. */
void kfd_sharing_init(struct kfd_sharing *s, struct vkf_workq *wq, unsigned int vmids,
		      unsigned int slots);
/* No process is left. */
void kfd_sharing_fini(struct kfd_sharing *s);
void kfd_share_init(struct kfd_share *share, struct machine_client *mc, unsigned int gpu);
/*
 * What the process has there is this from now on; nothing at all before it ends. What may not run
 * has been told so when this returns; so what runs for the first time is counted before it is told
 * to run, and what is stopped when it has stopped.
 */
void kfd_share_update(struct kfd_sharing *s, struct kfd_share *share,
		      const struct kfd_share_need *need);
/* GPU_IRQ_SHARE. */
void kfd_share_answered(struct kfd_sharing *s, struct kfd_share *share);

#endif
