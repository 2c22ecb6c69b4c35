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
/* All of the range is mapped, and its first and last page can be written; no other is touched. */
bool host_is_memory(void *addr, size_t len);

#endif
