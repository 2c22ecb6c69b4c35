/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "driver/call.h"
#include "host/admin.h"
#include "host/probe.h"
#include "lib/private.h"
#include "lib/smi.h"

/* struct lib_call - a call from this very process */
struct lib_call {
	struct vkf_call call;
	struct vkfd_client *client;
	uintptr_t stack_end;       /* of the page where the call's stack begins */
	struct driver_file *named; /* by a descriptor among the arguments; a reference */
};

/* From here up to where the call came in is stack in use, and there arguments often are: it need
 * not be asked about. */
static bool is_stack(struct vkf_call *call, uint64_t uptr, size_t len)
{
	const struct lib_call *lc = vkf_container_of(call, struct lib_call, call);

	return uptr >= (uintptr_t)__builtin_frame_address(0) && uptr < lc->stack_end &&
	       len <= lc->stack_end - uptr;
}

static int lib_copy_from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	if (!is_stack(call, uptr, len) &&
	    (!vkf_access_ok(uptr, len) || !host_readable((const void *)(uintptr_t)uptr, len)))
		return -EFAULT;
	memcpy(dst, (const void *)(uintptr_t)uptr, len);
	return 0;
}

static int lib_copy_to_user(struct vkf_call *call, uint64_t uptr, const void *src, size_t len)
{
	if (!is_stack(call, uptr, len) &&
	    (!vkf_access_ok(uptr, len) || !host_writable((void *)(uintptr_t)uptr, len)))
		return -EFAULT;
	memcpy((void *)(uintptr_t)uptr, src, len);
	return 0;
}

static int lib_user_pages(struct vkf_call *call, uint64_t uptr, uint64_t len)
{
	return host_user_pages((void *)(uintptr_t)uptr, len);
}

/* Held until the call ends: another thread may close the descriptor meanwhile. */
static struct machine_render *lib_render_of_fd(struct vkf_call *call, int fd)
{
	struct lib_call *lc = vkf_container_of(call, struct lib_call, call);

	driver_file_put(lc->named);
	lc->named = lib_fd_lookup(lc->client, fd);
	return lc->named ? driver_file_render(lc->named) : NULL;
}

static bool lib_fd_is_open(struct vkf_call *call, int fd)
{
	struct driver_file *f = lib_fd_lookup(vkf_container_of(call, struct lib_call, call)->client, fd);

	driver_file_put(f);
	return f;
}

static int lib_dmabuf_of_fd(struct vkf_call *call, int fd, struct machine_dmabuf **ret_dmabuf)
{
	struct lib_call *lc = vkf_container_of(call, struct lib_call, call);

	driver_file_put(lc->named);
	lc->named = lib_fd_lookup(lc->client, fd);
	if (!lc->named)
		return -EBADF;
	if (!driver_file_dmabuf(lc->named))
		return -EINVAL;
	*ret_dmabuf = driver_file_dmabuf(lc->named);
	return 0;
}

static int lib_give_dmabuf(struct vkf_call *call, struct machine_dmabuf *dmabuf, int *ret_fd)
{
	struct lib_call *lc = vkf_container_of(call, struct lib_call, call);
	struct driver_file *f;
	int r = driver_open_dmabuf(lc->client->client, dmabuf, &f);

	if (r)
		return r;
	r = lib_fd_install(lc->client, f);
	if (r < 0) {
		driver_file_drop(f);
		return r;
	}
	*ret_fd = r;
	return 0;
}

/* The one descriptor that is this process's own. */
static int lib_give_smi(struct vkf_call *call, struct kfd_smi *smi, int *ret_fd)
{
	struct vkfd_client *c = vkf_container_of(call, struct lib_call, call)->client;
	int fd;

	vkf_mutex_lock(&c->smi_lock);
	lib_smi_sweep(&c->smis);
	fd = lib_smi_add(&c->smis, smi);
	vkf_mutex_unlock(&c->smi_lock);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static bool lib_is_admin(struct vkf_call *call)
{
	(void)call;
	return host_is_admin(0);
}

static const struct vkf_call_ops lib_call_ops = {
	.copy_from_user = lib_copy_from_user,
	.copy_to_user = lib_copy_to_user,
	.user_pages = lib_user_pages,
	.render_of_fd = lib_render_of_fd,
	.fd_is_open = lib_fd_is_open,
	.dmabuf_of_fd = lib_dmabuf_of_fd,
	.give_dmabuf = lib_give_dmabuf,
	.give_smi = lib_give_smi,
	.is_admin = lib_is_admin,
};

/* Remember the task while it is inside, for vkfd_interrupt(). Return: where, or -1: no room. */
static int enter_call(struct vkfd_client *c)
{
	int at = -1;

	vkf_mutex_lock(&c->lock);
	for (int i = 0; i < MAX_CALLS && at < 0; i++)
		if (!c->calls[i])
			at = i;
	if (at >= 0)
		c->calls[at] = vkf_current();
	vkf_task_clear_interrupt();
	vkf_mutex_unlock(&c->lock);
	return at;
}

static void leave_call(struct vkfd_client *c, int at)
{
	vkf_mutex_lock(&c->lock);
	if (at >= 0)
		c->calls[at] = NULL;
	vkf_task_clear_interrupt();
	vkf_mutex_unlock(&c->lock);
}

int vkfd_ioctl(struct vkfd_client *c, int fd, unsigned long request, void *arg)
{
	struct lib_call lc = { .call = { &lib_call_ops }, .client = c };
	struct driver_file *f = lib_fd_lookup(c, fd);
	int at, r;

	if (!f)
		return -EBADF;
	lc.stack_end = ((uintptr_t)__builtin_frame_address(0) | (VKF_PAGE_SIZE - 1)) + 1;
	at = enter_call(c);
	r = driver_ioctl(c->client, f, &lc.call, (uint32_t)request, (uintptr_t)arg);
	leave_call(c, at);
	driver_file_put(lc.named);
	driver_file_put(f);
	return r == -VKF_ERESTARTSYS ? -EINTR : r;
}

void vkfd_interrupt(struct vkfd_client *c)
{
	vkf_mutex_lock(&c->lock);
	for (int i = 0; i < MAX_CALLS; i++)
		if (c->calls[i])
			vkf_task_interrupt(c->calls[i]);
	vkf_mutex_unlock(&c->lock);
}

/* A shared mapping that is "moved" from length 0 is a second mapping of the same pages. */
static int map_again(void *old, void *addr, size_t len, int prot, int flags, void **ret_addr)
{
	int how = MREMAP_MAYMOVE | (flags & MAP_FIXED ? MREMAP_FIXED : 0);
	void *p = flags & MAP_FIXED ? mremap(old, 0, len, how, addr) : mremap(old, 0, len, how);

	if (p == MAP_FAILED)
		return -errno;
	if (mprotect(p, len, prot) < 0) {
		int r = -errno;

		munmap(p, len);
		return r;
	}
	*ret_addr = p;
	return 0;
}

static int map_nothing(void *addr, size_t len, int flags, void **ret_addr)
{
	void *p = mmap(addr, len, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (flags & MAP_FIXED), -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	*ret_addr = p;
	return 0;
}

int vkfd_mmap(struct vkfd_client *c, void *addr, size_t len, int prot, int flags, int fd,
	      off_t offset, void **ret_addr)
{
	static const int region[] = { [MACHINE_MAP_ARENA] = ARENA, [MACHINE_MAP_BAR] = BAR };
	struct driver_file *f = lib_fd_lookup(c, fd);
	struct machine_map map;
	int r;

	if (!f)
		return -EBADF;
	r = driver_mmap(c->client, f, (uint64_t)offset, len, prot, flags, &map);
	driver_file_put(f);
	if (r)
		return r;
	if (!(flags & MAP_SHARED))
		return map_nothing(addr, len, flags, ret_addr);
	return map_again((char *)c->regions[region[map.kind]].base + map.offset, addr, len, prot,
			 flags, ret_addr);
}

int64_t vkfd_lseek(struct vkfd_client *c, int fd, int64_t offset, int whence)
{
	struct driver_file *f = lib_fd_lookup(c, fd);
	const struct machine_dmabuf *d;
	int64_t r = -ESPIPE;

	if (!f)
		return -EBADF;
	d = driver_file_dmabuf(f);
	if (d)
		r = offset || (whence != SEEK_SET && whence != SEEK_END) ? -EINVAL
		    : whence == SEEK_END ? (int64_t)machine_dmabuf_size(d)
					 : 0;
	driver_file_put(f);
	return r;
}
