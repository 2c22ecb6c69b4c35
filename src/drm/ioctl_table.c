/* SPDX-License-Identifier: MIT */
#include "drm/ioctl_table.h"

#include <errno.h>
#include "base/env.h"
#include "drm/info.h"
#include "drm/uapi.h"
#include "drm/version.h"

#define CMD_NR(cmd)   ((cmd)&0xffu)
#define CMD_TYPE(cmd) ((cmd) >> 8 & 0xffu)
#define CMD_SIZE(cmd) ((cmd) >> 16 & 0x3fffu)
#define CMD_IN(cmd)   ((cmd) >> 30 & 1u)
#define CMD_OUT(cmd)  ((cmd) >> 31)
#define STACK_BLOCK   256u

enum { FAITHFUL, PARTIAL, REFUSED }; /* enum kfd_fidelity's numbers */
enum { NONE, IN, OUT, INOUT };

#define SERVED(nr, name, type, dir, perm, handler, level, note)                                    \
	{                                                                                          \
		{ nr, name, level, note }, sizeof(struct type), dir, perm, handler, 0              \
	}
#define REFUSE(nr, name, size, dir, perm, err, note)                                               \
	{                                                                                          \
		{ nr, name, REFUSED, note }, size, dir, perm, NULL, -(err)                         \
	}
#define NO_GEM     "EOPNOTSUPP, as a driver without GEM"
#define NO_SYNCOBJ "EOPNOTSUPP, as a driver without sync objects"
#define NO_COMMAND "EINVAL, as a driver without this command"
#define NO_MASTER  "EACCES: nobody is master"
#define NO_MODES   "EOPNOTSUPP: there is no display"

/* clang-format off */
static const struct drm_ioctl_row rows[] = {
	SERVED(0x00, "VERSION", drm_version, INOUT, DRM_RENDER, drm_get_version, FAITHFUL, ""),
	SERVED(0x01, "GET_UNIQUE", drm_unique, INOUT, DRM_ANY, drm_get_unique, PARTIAL,
	       "never has a name: nobody is master"),
	REFUSE(0x02, "GET_MAGIC", 4, OUT, DRM_ANY, EINVAL, "EINVAL"),
	SERVED(0x05, "GET_CLIENT", drm_client, INOUT, DRM_ANY, drm_get_client, PARTIAL,
	       "everybody is authenticated"),
	REFUSE(0x07, "SET_VERSION", 16, INOUT, DRM_MASTER, EACCES, NO_MASTER),
	REFUSE(0x09, "GEM_CLOSE", 8, IN, DRM_RENDER, EOPNOTSUPP, NO_GEM),
	REFUSE(0x0a, "GEM_FLINK", 8, INOUT, DRM_ANY, EOPNOTSUPP, NO_GEM),
	REFUSE(0x0b, "GEM_OPEN", 16, INOUT, DRM_ANY, EOPNOTSUPP, NO_GEM),
	SERVED(0x0c, "GET_CAP", drm_get_cap, INOUT, DRM_RENDER, drm_get_cap, PARTIAL,
	       "PRIME and SYNCOBJ are 0"),
	REFUSE(0x0d, "SET_CLIENT_CAP", 16, IN, DRM_ANY, EOPNOTSUPP, NO_MODES),
	REFUSE(0x11, "AUTH_MAGIC", 4, IN, DRM_MASTER, EACCES, NO_MASTER),
	REFUSE(0x1e, "SET_MASTER", 0, NONE, DRM_ANY, EACCES, NO_MASTER),
	REFUSE(0x1f, "DROP_MASTER", 0, NONE, DRM_ANY, EACCES, NO_MASTER),
	REFUSE(0x2d, "PRIME_HANDLE_TO_FD", 12, INOUT, DRM_RENDER, EOPNOTSUPP, NO_GEM),
	REFUSE(0x2e, "PRIME_FD_TO_HANDLE", 12, INOUT, DRM_RENDER, EOPNOTSUPP, NO_GEM),
	REFUSE(0x3a, "WAIT_VBLANK", 24, INOUT, DRM_ANY, EOPNOTSUPP, NO_MODES),
	REFUSE(0x40, "AMDGPU_GEM_CREATE", 32, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x41, "AMDGPU_GEM_MMAP", 8, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x42, "AMDGPU_CTX", 16, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x43, "AMDGPU_BO_LIST", 24, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x44, "AMDGPU_CS", 24, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	SERVED(0x45, "AMDGPU_INFO", drm_amdgpu_info, IN, DRM_RENDER, drm_amdgpu_info_ioctl,
	       PARTIAL, "by query, below"),
	REFUSE(0x46, "AMDGPU_GEM_METADATA", 288, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x47, "AMDGPU_GEM_WAIT_IDLE", 16, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x48, "AMDGPU_GEM_VA", 40, IN, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x49, "AMDGPU_WAIT_CS", 32, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x50, "AMDGPU_GEM_OP", 16, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x51, "AMDGPU_GEM_USERPTR", 24, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x52, "AMDGPU_WAIT_FENCES", 24, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x53, "AMDGPU_VM", 8, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x54, "AMDGPU_FENCE_TO_HANDLE", 32, INOUT, DRM_RENDER, EINVAL, NO_COMMAND),
	REFUSE(0x55, "AMDGPU_SCHED", 16, IN, DRM_MASTER, EACCES, NO_MASTER),
	REFUSE(0xa0, "MODE_GETRESOURCES", 64, INOUT, DRM_ANY, EOPNOTSUPP, NO_MODES),
	REFUSE(0xb5, "MODE_GETPLANERESOURCES", 16, INOUT, DRM_ANY, EOPNOTSUPP, NO_MODES),
	REFUSE(0xbf, "SYNCOBJ_CREATE", 8, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xc0, "SYNCOBJ_DESTROY", 8, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xc1, "SYNCOBJ_HANDLE_TO_FD", 16, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xc2, "SYNCOBJ_FD_TO_HANDLE", 16, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xc3, "SYNCOBJ_WAIT", 40, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xc4, "SYNCOBJ_RESET", 16, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xc5, "SYNCOBJ_SIGNAL", 16, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xca, "SYNCOBJ_TIMELINE_WAIT", 48, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xcb, "SYNCOBJ_QUERY", 24, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xcc, "SYNCOBJ_TRANSFER", 32, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xcd, "SYNCOBJ_TIMELINE_SIGNAL", 24, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
	REFUSE(0xcf, "SYNCOBJ_EVENTFD", 24, INOUT, DRM_RENDER, EOPNOTSUPP, NO_SYNCOBJ),
};
/* clang-format on */

const struct drm_ioctl_row *drm_ioctl_row(unsigned int nr)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(rows); i++) {
		if (rows[i].feature.nr == nr)
			return &rows[i];
	}
	return NULL;
}

const struct drm_feature *drm_feature(unsigned int index)
{
	if (index < VKF_ARRAY_SIZE(rows))
		return &rows[index].feature;
	return drm_info_feature(index - VKF_ARRAY_SIZE(rows));
}

static int serve(const struct drm_ioctl_row *row, struct machine_render *r, bool primary,
		 struct vkf_call *call, void *arg)
{
	struct drm_call dc = {
		.machine = machine_render_machine(r),
		.gpu = machine_render_gpu(r),
		.call = call,
	};

	if (row->permission == DRM_MASTER || (!primary && row->permission != DRM_RENDER))
		return -EACCES;
	return row->handler ? row->handler(&dc, arg) : row->refusal;
}

int drm_ioctl(struct machine_render *r, bool primary, struct vkf_call *call, uint32_t cmd,
	      uint64_t arg)
{
	const struct drm_ioctl_row *row = drm_ioctl_row(CMD_NR(cmd));
	uint64_t small[STACK_BLOCK / sizeof(uint64_t)] = { 0 };
	size_t in, out, size;
	void *block = small;
	int ret;

	if (CMD_TYPE(cmd) != DRM_IOCTL_BASE)
		return -ENOTTY;
	if (!row)
		return -EINVAL;
	in = row->dir & IN && CMD_IN(cmd) ? CMD_SIZE(cmd) : 0;
	out = row->dir & OUT && CMD_OUT(cmd) ? CMD_SIZE(cmd) : 0;
	size = VKF_MAX(VKF_MAX(in, out), (size_t)row->size);
	if (size > sizeof(small))
		block = vkf_zalloc(size);
	if (!block)
		return -ENOMEM;
	ret = vkf_copy_from_user(call, block, arg, in) ? -EFAULT : 0;
	if (!ret) {
		ret = serve(row, r, primary, call, block);
		if (vkf_copy_to_user(call, arg, block, out))
			ret = -EFAULT;
	}
	if (block != small)
		vkf_free(block);
	return ret;
}
