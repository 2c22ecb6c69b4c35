/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_WRITE_H
#define VKFD_HOST_WRITE_H

/**
 * DOC: Writing all of something
 *
 * write() may take less than it is given, or be interrupted before it took anything.
 */
#include <stddef.h>

/* Return: 0, or a negative errno of write(): then some of it may be written. */
int host_write_all(int fd, const char *text, size_t len);

#endif
