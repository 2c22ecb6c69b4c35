/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_UMEM_H
#define VKFD_SHIM_UMEM_H

/**
 * DOC: The program's memory, as a kernel would touch it
 *
 * A pointer that a program hands to an ioctl may be anything. Each page is probed by
 * a system call that reads or writes it and otherwise does nothing, before it is
 * copied: a bad one is -EFAULT and never a signal. A page that another thread unmaps
 * between probe and copy is a signal all the same; that program is racing with itself.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the @len bytes at @uptr can be read, from the first on. */
size_t umem_readable(uint64_t uptr, size_t len);
bool umem_writable(uint64_t uptr, size_t len);
/* Copy what can be read to @dst. Return: how many bytes, from the first on. */
size_t umem_read(void *dst, uint64_t uptr, size_t len);
/* struct umem_device - a file whose mappings are those of a device, not memory */
struct umem_device {
	uint32_t major, minor;
	uint64_t inode;
};

/**
 * umem_pages() - which of [@first, @end), whole pages, pinning user pages would find
 * @ret_good: how many bytes, from @first on
 *
 * Touches none of them but, where /proc is not to be had, the first and the last: then all that is
 * mapped counts as writable in between.
 *
 * Return: 0 when all are good. What is wrong with the first that is not: -EFAULT, it is not there,
 * cannot be read, or is @dev's; -EPERM, it can only be read.
 */
int umem_pages(uint64_t first, uint64_t end, const struct umem_device *dev, uint64_t *ret_good);
/* Copy @src out, up to the first page that cannot be written. Return: 0 or -EFAULT. */
int umem_write(uint64_t uptr, const void *src, size_t len);

#endif
