/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRM_IOCTL_TABLE_H
#define VKFD_DRM_IOCTL_TABLE_H

/**
 * DOC: One row per ioctl number of a DRM node
 *
 * As in kfd/ioctl_table.h: drm_ioctl() and drm_feature() read the same rows. Unlike
 * KFD, DRM copies in and out only what both the row and the program's command word
 * say.
 */
#include "drm/node.h"

/* struct drm_call - who asks, of which GPU */
struct drm_call {
	struct machine *machine;
	unsigned int gpu;
	struct vkf_call *call;
};

enum drm_permission {
	DRM_ANY = 0,
	DRM_RENDER = 1, /* also on a render node */
	DRM_MASTER = 2, /* only for the card's master, which nobody is */
};

struct drm_ioctl_row {
	struct drm_feature feature;
	uint16_t size;
	uint8_t dir;         /* 1: in, 2: out */
	uint8_t permission;  /* enum drm_permission */
	int (*handler)(struct drm_call *dc, void *arg); /* NULL: answers @refusal */
	int refusal;
};

/* The row of number @nr, or NULL: -EINVAL. */
const struct drm_ioctl_row *drm_ioctl_row(unsigned int nr);

#endif
