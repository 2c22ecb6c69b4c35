/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_IOCTL_H
#define VKFD_SHIM_IOCTL_H

/**
 * DOC: Taking an ioctl to the driver
 *
 * Sent along are the argument block and what its pointers name, by the table of
 * wire/nested.h; brought back is what the driver wrote. What cannot be read is left
 * out and the driver refuses where the kernel would; what cannot be written makes
 * the result -EFAULT. The shim judges nothing else.
 */
#include "shim/file.h"

/* Return: what the kernel's ioctl would: 0 or -errno. */
int shim_ioctl(const struct shim_file *f, unsigned long cmd, uint64_t arg);

#endif
