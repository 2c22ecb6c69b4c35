/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_PROCFS_H
#define VKFD_KFD_PROCFS_H

/**
 * DOC: A process's files in sysfs
 *
 * Below kfd/proc/<pid>: pasid, vram_<gpuid> (bytes), sdma_<gpuid> (microseconds),
 * stats_<gpuid>/{evicted_ms,cu_occupancy} (the latter of gfx9 only), and for each queue
 * queues/<id>/{size,type,gpuid}, which ends without a newline, all as Linux 6.12 writes them. Which
 * files there are is told to whoever keeps the tree; what is in one is asked for when it is read.
 */
#include <stdbool.h>
#include <stddef.h>

struct kfd_process;
struct kfd_queue;

/* The files of a process, and of a queue, appear or go. */
void kfd_procfs_process(struct kfd_process *p, bool there);
void kfd_procfs_queue(struct kfd_process *p, const struct kfd_queue *q, bool there);

#endif
