/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_APERTURE_H
#define VKFD_KFD_APERTURE_H

/**
 * DOC: Where a GPU's address ranges lie
 *
 * By generation, with the numbers of Linux 6.12.
 */
#include "kfd/uapi.h"
#include "machine/profile.h"

struct kfd_process;
struct vkf_call;

void kfd_aperture_fill(const struct machine_gpu *gpu, struct kfd_process_device_apertures *ret_a);
/* Where the driver maps its trap handler (two pages) in every VM of such a GPU. */
uint64_t kfd_aperture_cwsr(const struct machine_asic *asic);
#define KFD_APERTURE_IB UINT64_C(0x1000) /* and its page of commands */
#define KFD_APERTURE_CWSR_BYTES UINT64_C(8192)

int kfd_get_apertures(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_get_apertures_new(struct kfd_process *p, struct vkf_call *call, void *arg);

#endif
