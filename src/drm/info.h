/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRM_INFO_H
#define VKFD_DRM_INFO_H

/**
 * DOC: AMDGPU_INFO
 *
 * One row per query. An answer is copied as far as the program has room for it.
 */
#include "drm/ioctl_table.h"

int drm_amdgpu_info_ioctl(struct drm_call *dc, void *arg);
/* The @index-th query as a row of the fidelity report, or NULL. */
const struct drm_feature *drm_info_feature(unsigned int index);

#endif
