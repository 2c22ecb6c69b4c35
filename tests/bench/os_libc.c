/* SPDX-License-Identifier: MIT */
/* The system's own calls, as under `vkfd run --`. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "gpus.h"

static int libc_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int libc_ioctl(int fd, unsigned long cmd, void *arg)
{
	int r = ioctl(fd, cmd, arg);

	return r < 0 ? -errno : r;
}

static int libc_mmap(size_t len, int prot, int fd, uint64_t offset, void **ret)
{
	void *p = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

const struct bench_os bench_libc = {
	.open = libc_open,
	.ioctl = libc_ioctl,
	.mmap = libc_mmap,
};
