/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TOPOLOGY_TOPOLOGY_H
#define VKFD_TOPOLOGY_TOPOLOGY_H

/**
 * DOC: The topology, and how it becomes files
 *
 * topology.c holds the node, bank, cache and link records (what kfd_topology.h is
 * to the kernel) and writes them as the kernel's sysfs text; who computes the
 * records from a machine is machine/nodes.c. A tree is written to a sink, so the
 * same code makes files on disk, a list for a test, and one file for a query.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* struct topology_sink - where a tree goes; each returns 0 or -errno, which ends the writing */
struct topology_sink {
	void *cookie;
	/* @path: absolute, as the program would name it; parents are made as needed. */
	int (*file)(void *cookie, const char *path, const char *text, size_t len);
	/* Content is asked for at each open: daemon/query.c knows the path. */
	int (*live)(void *cookie, const char *path);
	int (*symlink)(void *cookie, const char *path, const char *target);
	int (*dir)(void *cookie, const char *path);
	/* A character device. */
	int (*chardev)(void *cookie, const char *path, unsigned int major, unsigned int minor);
};

#endif
