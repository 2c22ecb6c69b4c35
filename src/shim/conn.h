/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_CONN_H
#define VKFD_SHIM_CONN_H

/**
 * DOC: Connections to the driver
 *
 * One sequence for all: connect, send a hello, take the welcome with its file
 * descriptors. All descriptors are close-on-exec. Interrupted calls are begun again.
 */
#include <stdbool.h>
#include <stdint.h>
#include "wire/proto.h"

/**
 * conn_open() - a connection that the driver has welcomed
 * @hello: magic and version are filled in here
 * @ret_fds, n_fds: how many descriptors the welcome must carry, 0 for none
 *
 * Return: the socket; -ENODEV when no driver answers; -EMFILE, -ENFILE; what the driver
 * says. On failure no descriptor is left open.
 */
int conn_open(struct wire_hello *hello, struct wire_welcome *ret_welcome, int *ret_fds,
	      unsigned int n_fds);
/* Say @msg on an open connection. Return: 0, or -EIO when the driver is gone. */
int conn_send(int fd, const struct wire_msg *msg);
/* What stays in the socket of a dma-buf. Return: 0, or -EIO when there is no such thing. */
int conn_peek(int fd, struct wire_welcome *ret_welcome);
/* Ask the FILE @fd who it is. Return: 0, or -EIO. */
int conn_ident(int fd, struct wire_welcome *ret_welcome);
/* A socket's identity in the kernel: the same for all its copies, in all processes. 0: none. */
uint64_t conn_cookie(int fd);
/* Whether @fd is a socket that is connected to this driver. */
bool conn_is_ours(int fd);
/* The other end is closed. */
bool conn_is_dead(int fd);
/* The memfd that answers the QUERY @name, or -errno. */
int conn_query(const char *name);

#endif
