/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DAEMON_DAEMON_H
#define VKFD_DAEMON_DAEMON_H

/**
 * DOC: The driver as a process
 *
 * daemon_run() serves one machine on one socket until it is told to end. It owns a
 * runtime directory, which programs are pointed at by $VKFD_RUNTIME:
 *
 *	sock    the socket (wire/proto.h)
 *	root/   the files by which programs find the machine (machine/sysfs.h)
 *	lock    held while the driver lives, so that leftovers can be told and removed
 *
 * The directory is private to its user and is removed at the end.
 */
#include <stdbool.h>
#include <stddef.h>
#include "machine/profile.h"

struct daemon_config {
	const struct machine_profile *profile;
	const char *runtime;      /* an existing empty directory, from daemon_runtime_make() */
	int extra_listen_fd;      /* one more listening socket (serve --socket, activation), or -1 */
	/* The driver ends when this reads EOF and no client is left, and says nothing on stderr from
	 * then on; -1: it ends on SIGTERM only. */
	int lifetime_fd;
	int ready_fd;             /* one byte is written when programs may connect, then closed; or -1 */
	bool notify;              /* tell the service manager as well (sd_notify) */
};

/**
 * daemon_listen() - a listening socket at @path, replacing one that has no listener any more
 *
 * Return: the descriptor; -EADDRINUSE: a driver listens there, or it is no socket; -ENAMETOOLONG;
 * -errno.
 */
int daemon_listen(const char *path);

/* From now on the signals that end a driver wait for it: for who makes a socket or a directory before
 * daemon_run(), which takes both down. */
void daemon_block_signals(void);

/* Make descriptor @fd /dev/null. Return: 0 or -errno. */
int daemon_null_fd(int fd);

/* Become the driver; returns when it has ended and left nothing. Return: 0 or -errno. */
int daemon_run(const struct daemon_config *config);

/**
 * daemon_runtime_make() - make a fresh runtime directory, and remove what dead drivers left
 *
 * In $XDG_RUNTIME_DIR if that is usable, else in /dev/shm, $TMPDIR or /tmp.
 *
 * Return: 0 with @path filled; -ENAMETOOLONG when a socket path below it would not fit; -errno.
 */
int daemon_runtime_make(char *path, size_t path_len);
/* Remove it and all in it. */
void daemon_runtime_remove(const char *path);
/* Call @fn with the path of every runtime directory of this user whose driver lives; the others are
 * removed. */
void daemon_runtime_list(void (*fn)(void *cookie, const char *path), void *cookie);

#endif
