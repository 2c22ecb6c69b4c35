/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VM_UPDATE_H
#define VKFD_MM_VM_UPDATE_H

/**
 * DOC: Making a VM right again
 *
 * Buffers move, and are unmapped for later; what that leaves to do is in the VM's lists
 * (vm_state.h). Before work is submitted that may touch whatever is mapped, the VM is
 * prepared:
 *
 *   freed        entries are cleared, before any other is written
 *   evicted      shared buffers are brought back, or to GTT when there is no room
 *   moved        entries of shared buffers are written
 *   invalidated  so are those of other buffers, if nobody else has the buffer locked; else
 *                they are cleared, and written when somebody asks for the buffer
 *
 * So the cost follows from what changed, not from what is mapped (amdgpu_vm_validate(),
 * amdgpu_vm_clear_freed() and amdgpu_vm_handle_moved() of Linux 6.12). A KFD process has
 * no submissions: mm_client_restore() does the same for all of it.
 */
#include <stdint.h>
#include "base/macro.h"

struct mm_bo;
struct mm_vm;

/* What was done: nodes looked at, not pages. */
struct mm_vm_work {
	uint64_t n_freed, n_validated, n_written, n_cleared;
};

/**
 * mm_vm_prepare() - do all there is to do
 * @ret_work: what it was; may be NULL
 *
 * Takes the client's lock, the VM's, and its reservation. Wait for mm_vm_sync_all() before what is
 * mapped is touched.
 *
 * Return: 0; -ENOMEM or -ERESTARTSYS (512): what is left is still in the lists.
 */
int mm_vm_prepare(struct mm_vm *vm, struct mm_vm_work *ret_work);
/* Write what of @bo is stale in @vm, moved there or cleared: for a buffer that work names. The
 * same. */
int mm_vm_prepare_bo(struct mm_vm *vm, struct mm_bo *bo);
/* Wait for every update of @vm so far. Return: 0 or -ERESTARTSYS (512). */
int mm_vm_sync_all(struct mm_vm *vm, bool interruptible);

#endif
