/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VA_H
#define VKFD_MM_VA_H

/**
 * DOC: Which GPU addresses of a VM are taken
 *
 * Ranges in one VM never overlap. What is refused, and in which order, is the rule of
 * amdgpu_vm_bo_map() of Linux 6.12; every refusal is the same errno. VMs of 48 and of
 * 40 bits differ in where they end, and in nothing else. Protected by the VM's lock.
 */
#include <stdint.h>
#include "base/addr.h"
#include "base/tree.h"

struct mm_va {
	struct vkf_ranges ranges;
	uint64_t end; /* first address the VM cannot name; constant */
};

void mm_va_init(struct mm_va *va, unsigned int bits);
/* Return: 0, or -EINVAL: 0, no whole pages, or beyond the end. */
int mm_va_check_range(const struct mm_va *va, vkf_gpuva addr, uint64_t bytes) VKF_MUST_CHECK;
/* Return: 0, or -EINVAL: as above, or taken. */
int mm_va_check(const struct mm_va *va, vkf_gpuva addr, uint64_t bytes) VKF_MUST_CHECK;
/* After a check that gave 0. */
void mm_va_insert(struct mm_va *va, struct vkf_range *range, vkf_gpuva addr, uint64_t bytes);
void mm_va_remove(struct mm_va *va, struct vkf_range *range);
/* The range that covers @addr, or NULL. */
struct vkf_range *mm_va_find(const struct mm_va *va, vkf_gpuva addr);

#endif
