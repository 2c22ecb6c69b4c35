/* SPDX-License-Identifier: MIT */
/**
 * DOC: Wrappers that act on descriptors
 */
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "shim/env.h"
#include "shim/file.h"
#include "shim/hidden.h"
#include "shim/ioctl.h"
#include "shim/map.h"
#include "shim/real.h"
#include "shim/shim.h"

#define CLOSE_RANGE_UNSHARE_ (1u << 1)

/* Requests that the kernel serves itself, whatever the file. */
static bool is_generic(unsigned long cmd)
{
	return cmd == FIOCLEX || cmd == FIONCLEX || cmd == FIONBIO || cmd == FIOASYNC;
}

/* A descriptor without a hint is one of ours only if it came from elsewhere, and then the first
 * thing that is said to it is a request of KFD's, DRM's or dma-buf's. */
static bool is_device(int fd, unsigned long cmd, struct shim_file *ret)
{
	unsigned int type = _IOC_TYPE(cmd);

	if (SHIM_LIKELY(!shim_file_hinted(fd)) && type != 'K' && type != 'd' && type != 'b')
		return false;
	return shim_env()->active && !is_generic(cmd) && shim_file_identify(fd, ret);
}

SHIM_EXPORT int ioctl(int fd, unsigned long cmd, ...)
{
	struct shim_file f;
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (SHIM_UNLIKELY(is_device(fd, cmd, &f)))
		return (int)shim_ret(shim_ioctl(&f, cmd, (uintptr_t)arg));
	return (int)shim_ret(SYS3(ioctl, fd, cmd, arg));
}

SHIM_EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	struct shim_file f;
	long r;

	if (!(flags & MAP_ANONYMOUS) && SHIM_UNLIKELY(shim_file_hinted(fd)) &&
	    shim_file_identify(fd, &f))
		return (void *)shim_ret(shim_map(&f, addr, len, prot, flags, (uint64_t)offset));
	r = SYS6(mmap, addr, len, prot, flags, fd, offset);
	/* What a socket answers. */
	if (SHIM_UNLIKELY(r == -ENODEV) && shim_env()->active && shim_file_identify(fd, &f))
		r = shim_map(&f, addr, len, prot, flags, (uint64_t)offset);
	return (void *)shim_ret(r);
}

SHIM_EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset)
	__attribute__((alias("mmap")));

/* The size of a dma-buf is found at its end, and that is all the seeking there is. */
static long seek_dmabuf(const struct shim_file *f, off_t offset, int whence)
{
	if (offset || (whence != SEEK_SET && whence != SEEK_END))
		return -EINVAL;
	return whence == SEEK_END ? (long)f->bytes : 0;
}

SHIM_EXPORT off_t lseek(int fd, off_t offset, int whence)
{
	long r = SYS3(lseek, fd, offset, whence);
	struct shim_file f;

	/* What a socket answers. */
	if (SHIM_UNLIKELY(r == -ESPIPE) && shim_env()->active && shim_file_identify(fd, &f) &&
	    shim_file_is_dmabuf(&f))
		r = seek_dmabuf(&f, offset, whence);
	return shim_ret(r);
}

SHIM_EXPORT off64_t lseek64(int fd, off64_t offset, int whence) __attribute__((alias("lseek")));

SHIM_EXPORT int close(int fd)
{
	if (SHIM_UNLIKELY(hidden_is(fd)))
		return (int)shim_ret(-EBADF);
	return shim_real()->close(fd);
}

/* Run over [first, last] but for what is hidden. */
static long close_around(unsigned int first, unsigned int last, unsigned int flags)
{
	int at;

	while ((at = hidden_next(first, last)) >= 0) {
		if ((unsigned int)at > first) {
			long r = SYS3(close_range, first, at - 1, flags);

			if (r < 0)
				return r;
		}
		if ((unsigned int)at == last)
			return 0;
		first = (unsigned int)at + 1;
	}
	return SYS3(close_range, first, last, flags);
}

SHIM_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	/* To set close-on-exec does ours no harm: they have it. */
	if (((unsigned int)flags & ~CLOSE_RANGE_UNSHARE_) || first > last)
		return (int)shim_ret(SYS3(close_range, first, last, flags));
	return (int)shim_ret(close_around(first, last, (unsigned int)flags));
}

SHIM_EXPORT void closefrom(int first)
{
	unsigned int from = first < 0 ? 0 : (unsigned int)first;
	long max;

	if (close_around(from, ~0u, 0) != -ENOSYS)
		return;
	max = sysconf(_SC_OPEN_MAX);
	for (int fd = (int)from; fd < max; fd++)
		if (!hidden_is(fd))
			sys_close(fd);
}
