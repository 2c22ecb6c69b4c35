/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_REFUSED_H
#define VKFD_KFD_REFUSED_H

/**
 * DOC: What is not there yet
 *
 * Each answers what a kernel built, or of a version, without that part would.
 */
#include "kfd/process.h"

int kfd_refuse_eperm(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_refuse_enotty(struct kfd_process *p, struct vkf_call *call, void *arg);

#endif
