/* SPDX-License-Identifier: MIT */
#include "drm/version.h"

#include <errno.h>
#include <string.h>
#include "drm/uapi.h"

/* amdgpu of Linux 6.12. */
#define VERSION_MAJOR 3
#define VERSION_MINOR 59

/* The whole length goes back, and as much of the text as there is room for; no terminator. */
static int copy_field(struct vkf_call *call, const char *text, char *uptr, __kernel_size_t *len)
{
	size_t room = *len, n = strlen(text);

	*len = n;
	if (!uptr || vkf_copy_to_user(call, (uintptr_t)uptr, text, VKF_MIN(room, n)) == 0)
		return 0;
	return -EFAULT;
}

int drm_get_version(struct drm_call *dc, void *arg)
{
	struct drm_version *v = arg;
	int r;

	v->version_major = VERSION_MAJOR;
	v->version_minor = VERSION_MINOR;
	v->version_patchlevel = 0;
	r = copy_field(dc->call, "amdgpu", v->name, &v->name_len);
	if (!r)
		r = copy_field(dc->call, "20150101", v->date, &v->date_len);
	if (!r)
		r = copy_field(dc->call, "AMD GPU", v->desc, &v->desc_len);
	return r;
}

/* A name is given by SET_VERSION of a master only, and there is none. */
int drm_get_unique(struct drm_call *dc, void *arg)
{
	struct drm_unique *u = arg;

	(void)dc;
	u->unique_len = 0;
	return 0;
}

/* Nobody is master of a card here, so everybody who opened it is authenticated. */
int drm_get_client(struct drm_call *dc, void *arg)
{
	struct drm_client *c = arg;

	(void)dc;
	if (c->idx != 0)
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	c->auth = 1;
	return 0;
}

/* Newer than some headers. */
#define CAP_SYNCOBJ          0x13
#define CAP_SYNCOBJ_TIMELINE 0x14

/* What cannot be asked for is 0; what belongs to displays needs a device with one. */
int drm_get_cap(struct drm_call *dc, void *arg)
{
	struct drm_get_cap *c = arg;

	(void)dc;
	c->value = 0;
	switch (c->capability) {
	case DRM_CAP_TIMESTAMP_MONOTONIC:
		c->value = 1;
		return 0;
	case DRM_CAP_PRIME:
	case CAP_SYNCOBJ:
	case CAP_SYNCOBJ_TIMELINE:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
