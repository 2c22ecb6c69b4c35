/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_WRAP_H
#define VKFD_SHIM_WRAP_H

/**
 * DOC: What the wrappers share
 *
 * A wrapper asks route_maybe() first, which is a few compares; the rest is out of
 * line. Results are in libc's words, and errno is changed by failures only.
 */
#include <stdio.h>
#include <sys/stat.h>
#include "shim/real.h"
#include "shim/route.h"
#include "shim/shim.h"

/* Open @path as the tree has it. Return: a descriptor or -errno; *ret_routed false: not the
 * tree's, nothing was done. */
long wrap_open_routed(int dirfd, const char *path, int flags, bool *ret_routed);
/* A fresh copy of the live file at @full, read-only. Return: a descriptor or -errno. */
int wrap_open_live(const char *full, int flags);

/* Whether @path may concern the tree at all, absolute or by a directory of the tree. */
static inline bool wrap_maybe(const char *path)
{
	if (route_maybe(path))
		return true;
	return SHIM_UNLIKELY(atomic_load_explicit(&route_dirs_open, memory_order_relaxed)) &&
	       (uintptr_t)path >= 4096 && path[0] != '/';
}

/* Where @path leads, absolute or relative. */
enum route_kind wrap_route(int dirfd, const char *path, bool follow, struct route *r);

#endif
