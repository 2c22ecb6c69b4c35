/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VM_CHANGE_H
#define VKFD_MM_VM_CHANGE_H

/**
 * DOC: Changing what a VM maps, by ranges
 *
 * mm_vm_map() and mm_vm_unmap() are for those who map a buffer as a whole and keep the
 * mapping: it is theirs until they unmap it. Whoever thinks in ranges, as
 * DRM_IOCTL_AMDGPU_GEM_VA does, asks for a change: a part of a buffer, or a range
 * without memory (PRT), is put somewhere; a mapping is taken away by its address; or
 * whatever is in a range gives way, and is cut where it reaches beyond it
 * (va_plan.h).
 *
 * A change is planned, then reserved, then committed, as one job: what is cut stays
 * usable meanwhile. A change for later leaves the entries as they are until the VM is
 * prepared (vm_update.h).
 */
#include "mm/va_plan.h"
#include "mm/vm.h"

struct mm_vm_change {
	enum mm_va_op op;
	vkf_gpuva va;
	uint64_t bytes;          /* not looked at by UNMAP */
	struct mm_bo *bo;        /* NULL: no memory. Not looked at by CLEAR */
	uint64_t offset;         /* MAP, REPLACE: in @bo */
	struct mm_pte_attr attr; /* MAP, REPLACE */
	bool later;
};

/**
 * mm_vm_change() - do it
 * @ret_fence: a reference to the fence of the update, or NULL when nothing had to be written, or it
 *             is for later; may be NULL
 *
 * Buffers stay where they are. Entries of one that no GPU reaches there are left out until the VM
 * is prepared.
 *
 * Return: 0; -EPERM: @bo shares the reservation of another VM; -EINVAL, -ENOENT: see
 * mm_va_plan_make(), and for @bo see mm_vm_map(); -EBUSY: a mapping of mm_vm_map() is in the way;
 * -ENOMEM; -ERESTARTSYS (512). Nothing is changed then, but for what was left to clear.
 */
int mm_vm_change(struct mm_vm *vm, const struct mm_vm_change *change, struct mm_fence **ret_fence);

#endif
