/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VM_H
#define VKFD_MM_VM_H

/**
 * DOC: A client's address space on one GPU
 *
 * A VM is a set of mappings that never overlap and the page tables that say so to
 * the hardware. Every change is planned and reserved first (tables, fence slots,
 * memory) and then committed as one job on the VM's timeline; the job's
 * fence is BOOKKEEP on the buffer, so it never causes implicit sync, and an
 * unmapped buffer stays put until its unmap is done.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/macro.h"

struct mm_bo;
struct mm_client;
struct mm_device;
struct mm_fence;
struct mm_mapping;
struct mm_vm;

/* How the GPU of the VM gets at a buffer whose home is another GPU. */
enum mm_reach { MM_REACH_LOCAL, MM_REACH_HIVE, MM_REACH_BUS };

/* What the entries say besides the address; see spec/pte_gfx9.bits. */
struct mm_pte_attr {
	bool writeable, executable, snooped;
	unsigned int mtype;        /* PTE_GFX9_MTYPE_* */
	unsigned int mtype_system; /* the same, while VRAM is in system memory; snooped then */
	enum mm_reach reach;
};

/* Return: 0, -ENOMEM (also: no VRAM left for the root), -EEXIST: @client has one on @dev. */
int mm_vm_create(struct mm_client *client, struct mm_device *dev, struct mm_vm **ret_vm);
/* Drops every mapping. */
void mm_vm_destroy(struct mm_vm *vm);
/* Number of the root table in the client's page-table region. */
uint32_t mm_vm_root(const struct mm_vm *vm);

/**
 * mm_vm_map() - make all of @bo visible at @va..@va+size of @bo
 *
 * Takes the client's lock, reserves @bo and the VM, brings @bo to where it belongs (which may evict
 * others), and commits. Entries are valid when the mapping's fence has signalled, which waits for
 * @bo to be there; mm_vm_sync() waits for it. Holds a reference to @bo. The mapping stays until it
 * is unmapped: no change by range (vm_change.h) touches it.
 *
 * Return: 0; -EINVAL: @va is 0, not page-aligned, beyond the VM, or overlaps another mapping of it;
 * @bo is another client's, or VRAM of another GPU to be reached as LOCAL; -EPERM: it shares the
 * reservation of another VM; -ENOMEM; -ERESTARTSYS (512): interrupted before anything changed.
 */
int mm_vm_map(struct mm_vm *vm, struct mm_bo *bo, vkf_gpuva va, const struct mm_pte_attr *attr,
	      struct mm_mapping **ret_mapping);

/**
 * mm_vm_unmap() - take a mapping away
 *
 * Reserves what it needs first; then the mapping is gone from the VM at once and @mapping is no
 * longer valid. Entries are cleared, and engines invalidated, when *@ret_fence (a reference for
 * the caller; may be NULL when not wanted) has signalled.
 *
 * Return: 0, -ENOMEM or -ERESTARTSYS (512) with nothing changed.
 */
int mm_vm_unmap(struct mm_mapping *mapping, struct mm_fence **ret_fence);

/* Wait for every update of this mapping so far. Return: 0 or -ERESTARTSYS (512). */
int mm_vm_sync(struct mm_mapping *mapping, bool interruptible);

/* How queues keep what they need mapped: kfd refuses to unmap while the count is not 0. */
void mm_mapping_use(struct mm_mapping *mapping);
void mm_mapping_unuse(struct mm_mapping *mapping);
bool mm_mapping_in_use(const struct mm_mapping *mapping);

/* The mapping that covers @va, or NULL; with its range. Borrowed until the next unmap. */
struct mm_mapping *mm_vm_find(struct mm_vm *vm, vkf_gpuva va, vkf_gpuva *ret_start,
			      uint64_t *ret_size);

#endif
