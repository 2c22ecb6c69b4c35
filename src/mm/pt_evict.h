/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PT_EVICT_H
#define VKFD_MM_PT_EVICT_H

/**
 * DOC: Page tables that leave VRAM, and come back
 *
 * Tables of a VM are in VRAM's list of what may leave, behind all buffers. One may leave
 * only while nothing of its VM is under way: no update, no submission, and no queue,
 * whose client's eviction fence is on the VM as well (amdgpu_vm_evictable() of Linux
 * 6.12). So nobody walks it, and its page in VRAM goes at once, without a job.
 *
 * A table that left is evicted in the VM's lists. Before anything is mapped in the VM, or
 * its client runs again, every table is brought back, to another page; then it is
 * relocated, and its entry in the table above is written anew. Where there is no room for
 * them, that is refused. Clearing entries needs no table in its place.
 *
 * The words of a table stay where they are: the engine never reads VRAM for them.
 */
#include "mm/pt.h"

struct mm_manager;
struct mm_op;
struct mm_vm;

/* From here on, or not any more, tables of @tree can leave; it is embedded in a mm_vm. */
void mm_pt_make_evictable(struct mm_pt *pt);
void mm_pt_make_unevictable(struct mm_pt *pt);
/* Of a page that can leave: its VM. The manager is locked. */
struct mm_vm *mm_pt_vm(struct mm_resource *page);

/*
 * Let one table of @vm leave @man. No reservation of the VM's is held by this task. Return: 0; or
 * -ENOSPC, -ENOMEM: none can leave just now.
 */
int mm_pt_evict_one(struct mm_vm *vm, struct mm_manager *man);

static inline bool mm_pt_is_home(const struct mm_pt_tree *tree)
{
	return !tree->n_evicted;
}

/* Bring every table back. VM and its reservation are held. Return: as mm_place(); what came back
 * stays. */
int mm_pt_validate_locked(struct mm_vm *vm, const struct mm_op *op);
/* Write the entries that lead to tables that came back. The same. Return: 0 or -ENOMEM. */
int mm_pt_update_directories_locked(struct mm_vm *vm);

#endif
