/* SPDX-License-Identifier: MIT */
#include "host/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macro.h"

/* Linux 5.1; older C libraries do not name it. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Map @fd at a multiple of VKF_HUGE_SIZE. Return: the address or MAP_FAILED. */
static void *map_aligned(int fd, uint64_t size)
{
	uint64_t room = size + VKF_HUGE_SIZE;
	uintptr_t start, base;
	void *p;

	p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return p;
	start = (uintptr_t)p;
	base = VKF_ALIGN_UP(start, VKF_HUGE_SIZE);
	p = mmap((void *)base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		 fd, 0);
	if (p == MAP_FAILED) {
		munmap((void *)start, room);
		return p;
	}
	/* What is left of the room on both sides. */
	if (base > start)
		munmap((void *)start, base - start);
	munmap((void *)(base + size), start + room - (base + size));
	return p;
}

static int region_fill(struct host_region *r, unsigned int flags, bool map_it)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW;

	if (ftruncate(r->fd, r->size) < 0)
		return -errno;
	if (!(flags & HOST_REGION_OPEN_SEALS))
		seals |= F_SEAL_SEAL;
	if (fcntl(r->fd, F_ADD_SEALS, seals) < 0)
		return -errno;
	if (!map_it)
		return 0;
	r->base = map_aligned(r->fd, r->size);
	return r->base == MAP_FAILED ? -errno : 0;
}

int host_region_create(const char *name, uint64_t size, unsigned int flags, bool map_it,
		       struct host_region *ret)
{
	struct host_region r = { .fd = -1 };
	int e;

	if (size == 0 || size > INT64_MAX - VKF_PAGE_SIZE || (flags & ~HOST_REGION_OPEN_SEALS))
		return -EINVAL;
	r.size = VKF_ALIGN_UP(size, VKF_PAGE_SIZE);
	r.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r.fd < 0)
		return -errno;
	e = region_fill(&r, flags, map_it);
	if (e) {
		close(r.fd);
		return e;
	}
	*ret = r;
	return 0;
}

void host_region_destroy(struct host_region *r)
{
	if (r->base)
		munmap(r->base, r->size);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct host_region){ .fd = -1 };
}

/* Cheap where memory was never touched, or is gone already; a punch costs four times as much. */
static bool has_memory(const struct host_region *r, uint64_t off, uint64_t len)
{
	off_t data = lseek(r->fd, (off_t)off, SEEK_DATA);

	if (data < 0)
		return errno != ENXIO;
	return (uint64_t)data - off < len;
}

int host_region_punch(struct host_region *r, uint64_t off, uint64_t len)
{
	if (!VKF_IS_ALIGNED(off | len, VKF_PAGE_SIZE) || off > r->size || len > r->size - off)
		return -EINVAL;
	if (len == 0 || !has_memory(r, off, len))
		return 0;
	if (fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len) == 0)
		return 0;
	if (errno != EPERM || !r->base)
		return -errno;
	memset((char *)r->base + off, 0, len);
	return 0;
}

int host_region_seal_future_write(struct host_region *r)
{
	return fcntl(r->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 ? -errno : 0;
}
