/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRM_DEV_INFO_H
#define VKFD_DRM_DEV_INFO_H

/**
 * DOC: AMDGPU_INFO_DEV_INFO: the chip, from the machine's profile
 */
#include "drm/uapi.h"
#include "machine/profile.h"

void drm_dev_info_fill(const struct machine_gpu *gpu, struct drm_dev_info *ret_info);

#endif
