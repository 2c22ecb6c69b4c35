/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRIVER_DUMP_H
#define VKFD_DRIVER_DUMP_H

/**
 * DOC: The driver's memory, told whole
 *
 * Fields of the object that is open in @p (mm/print.h). No lock is held by the
 * caller; both wait for whoever changes what is looked at, as long as that takes.
 */
#include <stdint.h>
#include "base/macro.h"

struct driver;
struct mm_print;

/* Limits, each GPU's managers, each client's buffers and VMs. */
void driver_dump_memory(struct driver *d, struct mm_print *p);

/**
 * driver_dump_vm() - the mappings and page tables of one VM
 * @gpu: the GPU's number, or its gpu_id
 *
 * Of several clients of that pid, the youngest that has one. What was printed on failure means
 * nothing. Return: 0; -ENODEV: no such GPU; -ESRCH: no such client; -ENXIO: it has no VM there.
 */
int driver_dump_vm(struct driver *d, int32_t pid, uint32_t gpu, struct mm_print *p);

#endif
