/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_DUMP_H
#define VKFD_MM_DUMP_H

/**
 * DOC: What the memory manager tells of itself
 *
 * Each function prints its object as fields of the object, or list, that is open in
 * @p (print.h). The locks of what is looked at are taken one after another, so that
 * figures of different managers need not be of one moment. The caller holds no lock
 * of mm, and waits for who changes what is looked at.
 */
#include "base/macro.h"

struct mm_client;
struct mm_device;
struct mm_print;
struct mm_system;

/* Limits of system memory and what is used of them; bus addresses. */
void mm_dump_system(struct mm_system *system, struct mm_print *p);
/* A GPU: its limit, its managers, page tables. */
void mm_dump_device(struct mm_device *dev, struct mm_print *p);
/* A client: its VMs, its buffers by kind, its arena. */
void mm_dump_client(struct mm_client *client, struct mm_print *p);
bool mm_dump_has_vm(struct mm_client *client, unsigned int gpu);
/* Its VM on GPU @gpu, each mapping with its place, and the page tables. Return: 0, or -ENOENT when it
 * has none there. */
int mm_dump_vm(struct mm_client *client, unsigned int gpu, struct mm_print *p);

#endif
