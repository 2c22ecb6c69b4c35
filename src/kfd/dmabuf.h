/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_DMABUF_H
#define VKFD_KFD_DMABUF_H

/**
 * DOC: EXPORT_DMABUF, IMPORT_DMABUF, GET_DMABUF_INFO
 *
 * Order of checks and errnos are kfd_chardev.c's and amdgpu_amdkfd_gpuvm.c's of Linux
 * 6.12. An import is one more handle on the exporter's buffer, with an address of its
 * own: uncharged, writable and executable, cached as the exporter asked for.
 *
 * A buffer's bytes are in its exporter's arena, so another address space cannot import
 * it, nor can another GPU of the exporter: -EINVAL, what amdgpu answers for a buffer
 * that it cannot import.
 */
#include "kfd/process.h"

int kfd_export_dmabuf(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_import_dmabuf(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_get_dmabuf_info(struct kfd_process *p, struct vkf_call *call, void *arg);

#endif
