/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_CALL_H
#define VKFD_BASE_CALL_H

/**
 * DOC: A call from a program
 *
 * While an ioctl is served, its pointers and file descriptors mean something only
 * in the program that made it. A vkf_call is the one way to them: the daemon
 * answers from what the shim sent along, the library from its own address space.
 * It lives for the duration of the call, on the task that serves it.
 */
#include <stdint.h>
#include "base/macro.h"

struct vkf_call;

struct vkf_call_ops {
	/* Return: 0, or -EFAULT with nothing promised about what was copied. */
	int (*copy_from_user)(struct vkf_call *call, void *dst, uint64_t uptr, size_t len);
	int (*copy_to_user)(struct vkf_call *call, uint64_t uptr, const void *src, size_t len);
	/* Whether there is memory at all of [@uptr, @uptr + @len) that the program may write: what
	 * pinning user pages asks. Looks at the range as a whole and writes its ends only. NULL: any
	 * user address is memory. */
	bool (*user_writable)(struct vkf_call *call, uint64_t uptr, uint64_t len);
	/* The open render node behind the program's descriptor @fd, borrowed for the call; NULL: not
	 * open, or not a render node of this machine. */
	struct machine_render *(*render_of_fd)(struct vkf_call *call, int fd);
};

struct vkf_call {
	const struct vkf_call_ops *ops;
};

/* The highest address of user space plus one: what access_ok() compares with. */
#define VKF_TASK_SIZE UINT64_C(0x7ffffffff000)

static inline int vkf_copy_from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	return len ? call->ops->copy_from_user(call, dst, uptr, len) : 0;
}

static inline int vkf_copy_to_user(struct vkf_call *call, uint64_t uptr, const void *src,
				   size_t len)
{
	return len ? call->ops->copy_to_user(call, uptr, src, len) : 0;
}

static inline bool vkf_access_ok(uint64_t uptr, uint64_t len)
{
	return len <= VKF_TASK_SIZE && uptr <= VKF_TASK_SIZE - len;
}

static inline bool vkf_user_writable(struct vkf_call *call, uint64_t uptr, uint64_t len)
{
	return vkf_access_ok(uptr, len) &&
	       (!call->ops->user_writable || call->ops->user_writable(call, uptr, len));
}

#endif
