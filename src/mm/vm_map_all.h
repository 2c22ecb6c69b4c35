/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VM_MAP_ALL_H
#define VKFD_MM_VM_MAP_ALL_H

/**
 * DOC: One buffer mapped in several places, or in none
 *
 * What mm_vm_map() may refuse it refuses before anything changes; so when a buffer
 * is to be mapped on several GPUs, or nowhere, all of it is prepared first: every
 * VM and every reservation is locked, every table made and every update planned.
 * Then all are committed, which cannot fail, and nothing is ever taken back.
 *
 * All VMs are those of the buffer's client, whose lock is held throughout; that is
 * what makes it right to hold the locks of several.
 */
#include "mm/vm.h"

struct mm_pt_update;

struct mm_map_part {
	struct mm_vm *vm;
	vkf_gpuva va;
	struct mm_pte_attr attr;
	struct mm_mapping *mapping;  /* afterwards: as of mm_vm_map() */
	struct mm_pt_update *update; /* vm_map_all.c's: of the first part of a VM, for all of them */
};

/**
 * mm_vm_map_all() - map @bo at each of @n > 0 parts
 * @parts: those of one VM stand together, with ascending addresses, and do not overlap
 *
 * Return: 0, or what mm_vm_map() returns for one that is refused, with nothing changed and every
 * mapping NULL. Addresses are looked at before anything takes memory.
 */
int mm_vm_map_all(struct mm_bo *bo, struct mm_map_part *parts, unsigned int n);

#endif
