/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRM_VERSION_H
#define VKFD_DRM_VERSION_H

/**
 * DOC: What every DRM device answers
 *
 * The driver's name and version, what the core can do, who a client is.
 */
#include "drm/ioctl_table.h"

int drm_get_version(struct drm_call *dc, void *arg);
int drm_get_unique(struct drm_call *dc, void *arg);
int drm_get_client(struct drm_call *dc, void *arg);
int drm_get_cap(struct drm_call *dc, void *arg);

#endif
