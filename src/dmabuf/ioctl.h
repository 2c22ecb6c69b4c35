/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DMABUF_IOCTL_H
#define VKFD_DMABUF_IOCTL_H

/**
 * DOC: ioctls of a dma-buf's descriptor
 *
 * As in drivers/dma-buf/dma-buf.c of Linux 6.12, whole command words select. Size, seek
 * and mapping are answered where the descriptor is.
 */
#include <stdint.h>
#include "base/call.h"
#include "machine/dmabuf.h"

/**
 * dmabuf_ioctl() - serve one ioctl
 *
 * Return: 0 or the kernel's negative errno; -VKF_ERESTARTSYS when a signal ended the wait for
 * fences; -ENOTTY for every command that is not there.
 */
int dmabuf_ioctl(struct machine_dmabuf *d, struct vkf_call *call, uint32_t cmd, uint64_t arg);

struct dmabuf_feature {
	unsigned int nr;
	const char *name;
	int level; /* enum kfd_fidelity's numbers */
	const char *note;
};

/* The @index-th command, or NULL at the end. */
const struct dmabuf_feature *dmabuf_feature(unsigned int index);

#endif
