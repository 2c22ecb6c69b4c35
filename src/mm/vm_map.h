/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VM_MAP_H
#define VKFD_MM_VM_MAP_H

/**
 * DOC: One buffer, all of it, mapped in several places
 *
 * A program that maps a buffer on many GPUs names them in one call, so what is the same
 * for all is done once: the locks of its client, of every VM and of the buffer, and
 * bringing the buffer to where it belongs.
 *
 * All VMs are those of the buffer's client, whose lock is held throughout; that is
 * what makes it right to hold the locks of several.
 */
#include "mm/vm.h"

struct mm_pt_update;

/* struct mm_map_part - one of the places */
struct mm_map_part {
	struct mm_vm *vm;
	vkf_gpuva va;
	struct mm_pte_attr attr;
	struct mm_mapping *mapping;  /* afterwards: as of mm_vm_map(), or NULL: not mapped */
	struct mm_pt_update *update; /* vm_map.c's */
};

/**
 * mm_vm_map_some() - map @bo at each of @n > 0 parts in turn, as far as it gets
 * @parts: those of one VM stand together, with ascending addresses, and do not overlap
 *
 * Return: 0; or what mm_vm_map() returns for the first part that is not mapped, as none behind it
 * is.
 */
int mm_vm_map_some(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n);
/*
 * At each of them, or at none: every table is made and every update planned before the first is
 * committed, which cannot fail, and nothing is ever taken back. The same, with every mapping NULL
 * when it is refused.
 */
int mm_vm_map_all(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n);

#endif
