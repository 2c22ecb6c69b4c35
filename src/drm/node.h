/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRM_NODE_H
#define VKFD_DRM_NODE_H

/**
 * DOC: The amdgpu nodes: what libdrm_amdgpu asks before it does anything
 *
 * Version and device information; the rest of the node's ioctls is refused with
 * the errno of a driver that lacks it, and stands in the fidelity report.
 */
#include <stdint.h>
#include "base/call.h"
#include "machine/machine.h"

/**
 * drm_ioctl() - serve one ioctl of a render node (@primary false) or card node
 *
 * Return: 0 or the kernel's negative errno: -EACCES on a render node for what only the primary may
 * do, -EINVAL for an unknown number or query, -EFAULT, -ENOTTY for a command of another type.
 */
int drm_ioctl(struct machine_render *r, bool primary, struct vkf_call *call, uint32_t cmd,
	      uint64_t arg);

struct drm_feature {
	unsigned int nr;
	const char *name;
	int level;         /* enum kfd_fidelity's numbers */
	const char *note;
};

const struct drm_feature *drm_feature(unsigned int index);

#endif
