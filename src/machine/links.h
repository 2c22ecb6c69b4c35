/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_LINKS_H
#define VKFD_MACHINE_LINKS_H

/**
 * DOC: The links that a GPU brings along
 *
 * One step of nodes.c: the node of a GPU is filled in, and so are those before it.
 */
#include "machine/profile.h"
#include "topology/topology.h"

/* A topology in the making; nodes are the sockets, then the GPUs. */
struct machine_build {
	const struct machine_profile *m;
	struct topology *t;
	unsigned int next_cu_id; /* nodes.c's */
};

static inline bool machine_has_large_bar(const struct machine_gpu *gpu)
{
	return gpu->visible_vram == gpu->vram;
}

/* Add the links of the GPU @node, the newest one, to all nodes before it, and from them to it. */
void machine_links_add(struct machine_build *b, unsigned int node);

#endif
