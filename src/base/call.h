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
 *
 * A call that sleeps may be answered by who ends its sleep, with vkf_call_answer():
 * the program then goes on without waiting for the sleeper's turn, which has nothing
 * left to do but to clean up.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct kfd_smi;
struct machine_dmabuf;
struct machine_render;
struct vkf_call;

struct vkf_call_ops {
	/* Return: 0, or -EFAULT with nothing promised about what was copied. */
	int (*copy_from_user)(struct vkf_call *call, void *dst, uint64_t uptr, size_t len);
	int (*copy_to_user)(struct vkf_call *call, uint64_t uptr, const void *src, size_t len);
	/* Whether [@uptr, @uptr + @len), whole pages, is memory that the program may write: what
	 * pinning user pages asks. Return: 0, or what is wrong with the first page that is not:
	 * -EFAULT, it is not there, cannot be read, or is a device's; -EPERM, it can only be read.
	 * NULL: any user address is memory. */
	int (*user_pages)(struct vkf_call *call, uint64_t uptr, uint64_t len);
	/* The open render node behind the program's descriptor @fd, borrowed for the call; NULL:
	 * not open, or not a render node of this machine. */
	struct machine_render *(*render_of_fd)(struct vkf_call *call, int fd);
	/* Whether the program has a file at all under @fd. NULL: it has none but ours. */
	bool (*fd_is_open)(struct vkf_call *call, int fd);
	/* The dma-buf behind the program's descriptor @fd, borrowed for the call. Return: 0;
	 * -EBADF: not open; -EINVAL: no dma-buf of this machine. */
	int (*dmabuf_of_fd)(struct vkf_call *call, int fd, struct machine_dmabuf **ret_dmabuf);
	/* Make a descriptor of the program for @dmabuf, which takes a reference of its own. The
	 * last thing a call does, with no lock held: it may be that the program's side gives the
	 * number, and *@ret_fd stays as it is. Return: 0, -EMFILE, -ENOMEM. */
	int (*give_dmabuf)(struct vkf_call *call, struct machine_dmabuf *dmabuf, int *ret_fd);
	/* Make a descriptor of the program through which SMI events are read: it owns @smi from now
	 * on, and closes it when the last copy of the descriptor is closed. The last thing a call
	 * does, with no lock held: it may be that the program's side gives the number, and *@ret_fd
	 * stays as it is. Return: 0, -EMFILE, -ENOMEM. NULL: it can have none. */
	int (*give_smi)(struct vkf_call *call, struct kfd_smi *smi, int *ret_fd);
	/* Whether the program has CAP_SYS_ADMIN. NULL: it has not. */
	bool (*is_admin)(struct vkf_call *call);
	/* All that the program is to see has been copied: let it go on with @result. Any task,
	 * while the serving one cannot go on. NULL: only the return of the handler answers. */
	void (*answer)(struct vkf_call *call, int result);
};

struct vkf_call {
	const struct vkf_call_ops *ops;
	/* The argument block that goes back to the program, if one does; whoever may answer fills
	 * it. */
	uint64_t block_uptr;
	const void *block;
	size_t block_len;
	bool answered; /* the handler's result counts no more */
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

static inline bool vkf_call_may_answer(const struct vkf_call *call)
{
	return call->ops->answer;
}

/* Only where it may be; copies the argument block back. */
static inline void vkf_call_answer(struct vkf_call *call, int result)
{
	if (vkf_copy_to_user(call, call->block_uptr, call->block, call->block_len))
		result = -EFAULT;
	call->answered = true;
	call->ops->answer(call, result);
}

static inline bool vkf_fd_is_open(struct vkf_call *call, int fd)
{
	return call->ops->fd_is_open && call->ops->fd_is_open(call, fd);
}

static inline bool vkf_access_ok(uint64_t uptr, uint64_t len)
{
	return len <= VKF_TASK_SIZE && uptr <= VKF_TASK_SIZE - len;
}

static inline int vkf_user_pages(struct vkf_call *call, uint64_t uptr, uint64_t len)
{
	if (!vkf_access_ok(uptr, len))
		return -EFAULT;
	return call->ops->user_pages ? call->ops->user_pages(call, uptr, len) : 0;
}

#endif
