/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_MEMFD_H
#define VKFD_HOST_MEMFD_H

/**
 * DOC: Memory that processes share
 *
 * A region is a sparse memfd: pages come into being when they are first touched
 * and read as zero before. It is sealed against shrinking and growing, so nobody
 * who gets the fd can take pages away under another's mapping, and against more
 * seals. Regions are not locked: create, seal and destroy have one caller; any
 * number may use the bytes, and punch what they own.
 */
#include <stdbool.h>
#include <stdint.h>

struct host_region {
	int fd;        /* close-on-exec */
	void *base;    /* shared, writable, 2 MiB aligned; NULL when not mapped here */
	uint64_t size; /* bytes, a multiple of the page */
};

/* Leave the set of seals open, for host_region_seal_future_write(), before the fd is passed on. */
#define HOST_REGION_OPEN_SEALS 1u

/**
 * host_region_create() - make a region of @size bytes
 * @name: shown in /proc/PID/maps as /memfd:NAME
 * @size: > 0, rounded up to a whole page
 * @flags: HOST_REGION_*
 * @map_it: map it here as well (MAP_NORESERVE)
 *
 * Return: 0; -EINVAL for a size of 0 or beyond INT64_MAX, or an unknown flag; -ENOMEM, -EMFILE,
 * -ENFILE, -EFBIG from the kernel; @ret untouched on failure.
 */
int host_region_create(const char *name, uint64_t size, unsigned int flags, bool map_it,
		       struct host_region *ret);
/* Unmap and close; other processes keep what they have. */
void host_region_destroy(struct host_region *r);

/**
 * host_region_punch() - give [off, off + len) back to the host; it reads as zero
 *
 * Both in whole pages. After host_region_seal_future_write() the kernel refuses holes, to the
 * owner too: then the bytes are zeroed through the mapping and the memory stays.
 *
 * Return: 0; -EINVAL when it is not whole pages inside the region; -EPERM when there is memory and
 * the region is sealed and not mapped here.
 */
int host_region_punch(struct host_region *r, uint64_t off, uint64_t len);

/**
 * host_region_seal_future_write() - from now on it can only be mapped read-only
 *
 * Writable mappings that exist, this process's own above all, stay writable. Nothing can be
 * sealed afterwards.
 *
 * Return: 0; -EPERM when it was not created with HOST_REGION_OPEN_SEALS, or was sealed already.
 */
int host_region_seal_future_write(struct host_region *r);

#endif
