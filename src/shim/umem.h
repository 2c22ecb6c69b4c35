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
/* Whether all of a range is mapped, and its first and last page (touched alone) can be written. */
bool umem_is_memory(uint64_t uptr, uint64_t len);
/* Copy @src out, up to the first page that cannot be written. Return: 0 or -EFAULT. */
int umem_write(uint64_t uptr, const void *src, size_t len);

#endif
