/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_PROBE_H
#define VKFD_HOST_PROBE_H

/**
 * DOC: Is this memory there?
 *
 * Asked of the kernel by system calls that read, or rewrite unchanged, one word per
 * page and have no other effect; so a bad pointer is an answer and not a signal.
 * The answer may be old when it is used: another thread can unmap meanwhile.
 */
#include <stdbool.h>
#include <stddef.h>

bool host_readable(const void *addr, size_t len);
bool host_writable(void *addr, size_t len);
/* Whether pinning user pages would find every page of the range; none is touched. Return: 0, or what
 * is wrong with the first page that is not good: -EFAULT, it is not there or cannot be read; -EPERM,
 * it can only be read. */
int host_user_pages(const void *addr, size_t len);

#endif
