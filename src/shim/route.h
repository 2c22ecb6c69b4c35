/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ROUTE_H
#define VKFD_SHIM_ROUTE_H

/**
 * DOC: Which paths are the driver's
 *
 * A path that names a file of the machine is looked up below the driver's tree
 * instead; all others pass. Names are compared as text, after "//" and "/./" are
 * taken out; ".." is left to the kernel inside the tree, and a name that leaves the
 * tree by it passes as it is. Relative names pass, too, but the kernel may resolve
 * them to the tree (a directory of it is the current one, or openat()'s):
 * route_relative() looks at the answer.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include "shim/env.h"
#include "shim/shim.h"

enum route_kind {
	ROUTE_PASS,
	ROUTE_FILE, /* of the tree: file, directory, link, or nothing there */
	ROUTE_CHAR, /* a character device */
	ROUTE_LIVE, /* a file whose content is asked for at each open */
};

struct route {
	enum route_kind kind;
	unsigned int major, minor; /* CHAR */
	char full[PATH_MAX];       /* below the tree; of a device the link that stands for it */
};

/* The quick half of the question, for inlining: false for nearly every path of a program. */
static inline bool route_maybe(const char *path)
{
	/* A pointer into the first page is the caller's mistake: the kernel says so. */
	if ((uintptr_t)path < 4096 || path[0] != '/')
		return false;
	if (path[1] != 'd' && path[1] != 's' && path[1] != 'p' && path[1] != '/' && path[1] != '.')
		return false;
	return shim_env()->active;
}

/**
 * route_lookup() - where @path leads
 * @follow: of a symbolic link at the end, what it names; else the link itself
 *
 * Return: the kind, also in @r. errno stays.
 */
enum route_kind route_lookup(const char *path, bool follow, struct route *r);

/* Some directory of the tree was opened: relative names may lead there. */
extern atomic_bool route_dirs_open;

/* Is @name, relative to @dirfd, one of the tree's devices or live files? PASS: no. @r->full is
 * the link or file by its absolute name. Only worth a call when route_dirs_open. */
enum route_kind route_relative(int dirfd, const char *name, bool follow, struct route *r);

/* The tree's name of what a program would call @buf[0, len), if it is the tree's, without it.
 * Return: the new length. Not NUL-terminated. */
size_t route_strip(char *buf, size_t len);

#define ROUTE_FD_LINK 32
/* "/proc/self/fd/N" into ROUTE_FD_LINK bytes. */
void route_fd_link(int fd, char *buf);
/* A path as the kernel names an open @fd. Return: the length, 0 when there is none. */
size_t route_fd_name(int fd, char *buf, size_t size);

#endif
