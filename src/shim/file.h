/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_FILE_H
#define VKFD_SHIM_FILE_H

/**
 * DOC: Which descriptors are devices
 *
 * A device's descriptor is the socket of its own connection, so the kernel keeps
 * its copies and its end. Nothing is written down at dup() or close(): a descriptor
 * is recognised by its socket's cookie, and whoever is not known (inherited over an
 * exec, received from another process) is asked. A hint per number, never trusted,
 * makes a foreign descriptor cost one load. A dma-buf's socket says itself what it is,
 * and nobody need be asked.
 */
#include <stdbool.h>
#include <stdint.h>
#include "shim/session.h"
#include "wire/nested.h"

#define FILE_DRM_MAJOR 226

/* struct shim_file - an open file of the driver */
struct shim_file {
	uint64_t number;  /* the driver's; 0: not one */
	uint64_t session; /* that opened it */
	uint32_t major, minor; /* of a device */
	uint64_t bytes, inode; /* of a dma-buf; else 0 */
	bool writable;         /* of a dma-buf */
};

static inline bool shim_file_is_dmabuf(const struct shim_file *f)
{
	return f->bytes != 0;
}

static inline enum wire_dev shim_file_dev(const struct shim_file *f)
{
	if (shim_file_is_dmabuf(f))
		return WIRE_DEV_DMABUF;
	return f->major == FILE_DRM_MAJOR ? WIRE_DEV_DRM : WIRE_DEV_KFD;
}

/* A byte per descriptor that was a device when it was last looked at. */
#define FILE_HINTS 65536
extern _Atomic uint8_t shim_file_hint[FILE_HINTS];

static inline bool shim_file_hinted(int fd)
{
	return (unsigned int)fd < FILE_HINTS &&
	       __atomic_load_n((uint8_t *)&shim_file_hint[fd], __ATOMIC_RELAXED);
}

/**
 * shim_file_open() - open a device
 * @flags: open()'s; of them O_CLOEXEC and O_NONBLOCK take effect
 *
 * Return: a descriptor; -ENODEV without a driver, -EMFILE, -ENFILE, -ENOMEM, or the driver's errno.
 */
int shim_file_open(unsigned int major, unsigned int minor, int flags);

/**
 * shim_file_take() - the descriptor of a file that a call has made
 * @slot: the call's, which is still the caller's
 * @flags: open()'s; of them O_CLOEXEC takes effect
 *
 * Return: a descriptor; -EMFILE, -ENFILE (the driver has no room for it, either), -ENOMEM; -EIO when
 * the driver is gone.
 */
int shim_file_take(struct session *s, unsigned int slot, uint64_t number, int flags);

/* The same for a stream: a descriptor of the program's own, which is none of ours. */
int shim_file_take_stream(struct session *s, unsigned int slot, uint64_t number);

/* What @fd is. Return: true with @ret filled, or false. errno stays. */
bool shim_file_identify(int fd, struct shim_file *ret);

#endif
