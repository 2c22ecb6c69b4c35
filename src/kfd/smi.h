/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_SMI_H
#define VKFD_KFD_SMI_H

/**
 * DOC: SMI events
 *
 * SMI_EVENTS gives a descriptor of its own, for one GPU: what is written to it is the
 * mask of events that are wanted (none at first), what is read from it are lines of
 * text, one for each event. A process hears of itself, and of what concerns the whole
 * GPU; of all processes if it had CAP_SYS_ADMIN when it opened, and says so in the mask.
 * At most 1024 bytes are kept for a reader; what does not fit as a whole is lost. Numbers
 * and texts are those of Linux 6.12's uapi/linux/kfd_ioctl.h.
 *
 * The descriptor is whoever serves the call's to make: it gives a sink, through which
 * lines go to the program and masks come from it. So reading never waits, and polling
 * works, as with any descriptor of the kind that the sink is.
 *
 * A GPU's listeners have one lock (rank LEAF), with which sinks are called.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/list.h"
#include "kfd/evict.h"

struct kfd_driver;
struct kfd_process;
struct kfd_smi;
struct vkf_call;

/* A power of two: the kernel's is one. */
#define KFD_SMI_FIFO_BYTES 1024

struct kfd_smi_sink {
	/* The mask that the program has written last, or @mask if it has written none since. */
	uint64_t (*mask)(struct kfd_smi_sink *sink, uint64_t mask);
	/* Give it a line. Must not wait. False: there is no room for all of it; nothing went. */
	bool (*put)(struct kfd_smi_sink *sink, const char *line, size_t len);
};

/* SMI_EVENTS */
int kfd_smi_events(struct kfd_process *p, struct vkf_call *call, void *arg);
/* For who makes the descriptor: lines go to @sink from now on. NULL: to nobody, and @sink is not
 * used any more when this returns. */
void kfd_smi_set_sink(struct kfd_smi *smi, struct kfd_smi_sink *sink);
/* Let the sink look at what the program has written, now rather than at the next event. */
void kfd_smi_look(struct kfd_smi *smi);
/* The descriptor is closed. */
void kfd_smi_close(struct kfd_smi *smi);

/* What happens to a process on a GPU. Any task, with locks up to rank FENCE held. */
void kfd_smi_queue_eviction(struct kfd_process *p, unsigned int gpu,
			    enum kfd_evict_trigger trigger);
/* @again: not yet, it will be tried once more. */
void kfd_smi_queue_restore(struct kfd_process *p, unsigned int gpu, bool again);
void kfd_smi_vm_fault(struct kfd_process *p, unsigned int gpu);
/* What happens to a GPU: a reset begins, for @cause, or has ended. */
void kfd_smi_reset(struct kfd_driver *kd, unsigned int gpu, bool post, const char *cause);

#endif
