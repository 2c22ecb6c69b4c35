/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_TREE_H
#define VKFD_MACHINE_TREE_H

/**
 * DOC: Writing many small files
 *
 * A sink may refuse any of them. Here the first refusal is kept and everything
 * after it is skipped, so that the long lists in sysfs.c and sysfs_gpu.c are lists
 * and nothing else. Names are put together from a directory and a name below it.
 */
#include "base/macro.h"
#include "machine/profile.h"
#include "topology/topology.h"

#define TREE_PATH_MAX 256

struct tree {
	const struct machine_profile *m;
	const struct topology_sink *sink;
	int e; /* the first error, or 0 */
};

void tree_file(struct tree *t, const char *dir, const char *name, const char *fmt, ...)
	VKF_PRINTF(4, 5);
void tree_bytes(struct tree *t, const char *dir, const char *name, const void *bytes, size_t len);
void tree_live(struct tree *t, const char *dir, const char *name);
void tree_dir(struct tree *t, const char *dir, const char *name);
void tree_link(struct tree *t, const char *dir, const char *name, const char *fmt, ...)
	VKF_PRINTF(4, 5);
void tree_dev(struct tree *t, const char *dir, const char *name, unsigned int major,
	      unsigned int minor);

/* "0000:63:00.0", and its directory below /sys/devices; the buffers hold TREE_PATH_MAX. */
void machine_pci_name(const struct machine_gpu *gpu, char *name);
void machine_pci_dir(const struct machine_gpu *gpu, char *path);

/* sysfs_gpu.c: the PCI directory of one GPU, its DRM nodes, and the links to them. */
void machine_sysfs_gpu(struct tree *t, unsigned int index);

/* What amdgpu lets the GART hold: half of RAM unless limited. */
uint64_t machine_gtt_bytes(const struct machine_profile *m);

#endif
