/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_MAP_H
#define VKFD_SHIM_MAP_H

/**
 * DOC: Mappings of a device
 *
 * The driver says which part of which region; the region is mapped already, and the
 * program gets a second mapping of that part, made without a descriptor.
 */
#include <stddef.h>
#include "shim/file.h"

/* Return: the address, or -errno as mmap() would. */
long shim_map(const struct shim_file *f, void *addr, size_t len, int prot, int flags,
	      uint64_t offset);

#endif
