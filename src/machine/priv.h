/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_PRIV_H
#define VKFD_MACHINE_PRIV_H

/**
 * DOC: What the files of machine/ share of struct machine
 */
#include "base/lock.h"
#include "base/tree.h"
#include "machine/machine.h"
#include "mm/device.h"
#include "mm/system.h"

/* struct machine_vmas - the fake mmap offsets of one GPU's render nodes */
struct machine_vmas {
	struct vkf_mutex lock;      /* rank LEAF; protects the rest */
	struct vkf_ranges ranges;   /* of struct machine_vma, by byte offset */
	uint64_t next;              /* where the next one goes */
};

void machine_vmas_init(struct machine_vmas *v);
void machine_vmas_fini(struct machine_vmas *v);

struct machine {
	struct machine_profile profile; /* constant */
	struct mm_system *system;
	struct mm_device *devices[MACHINE_MAX_GPUS];
	struct machine_vmas vmas[MACHINE_MAX_GPUS];
	_Atomic uint64_t n_dmabufs; /* ever made */
};

/* Whether a mapping would be copied on write, which no buffer allows. */
bool machine_mapping_is_cow(int prot, int flags);

#endif
