/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_DEVICE_H
#define VKFD_KFD_DEVICE_H

/**
 * DOC: Small calls about a GPU as a process sees it
 *
 * Version, clocks, cache policy, scratch, trap handler, tiling, XNACK. What a
 * shader would notice of them is kept for the day one runs.
 */
#include "kfd/process.h"

int kfd_get_version(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_get_clock_counters(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_set_memory_policy(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_set_scratch(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_set_trap_handler(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_get_tile_config(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_set_xnack_mode(struct kfd_process *p, struct vkf_call *call, void *arg);

#endif
