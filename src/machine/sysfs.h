/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_SYSFS_H
#define VKFD_MACHINE_SYSFS_H

/**
 * DOC: Every file by which a program finds the machine
 *
 * /dev/kfd, /dev/dri, the KFD topology (under /sys/devices/virtual/kfd, with
 * /sys/class/kfd/kfd a link to it), the DRM and PCI directories of each GPU, the
 * module, /sys/dev/char. Values that change while the machine runs are live
 * files: machine_live_file() says what they hold.
 */
#include "machine/profile.h"
#include "topology/topology.h"

#define MACHINE_KFD_MAJOR 240 /* dynamic in the kernel: the first of the dynamic range */
#define MACHINE_DRM_MAJOR 226

/* Write the whole tree. Return: 0, -ENOMEM, or what the sink returned. */
int machine_sysfs_build(const struct machine_profile *m, const struct topology_sink *sink);

/* What a live file needs to know of the running driver. */
struct machine_usage {
	uint64_t vram_used[MACHINE_MAX_GPUS], visible_used[MACHINE_MAX_GPUS];
	uint64_t gtt_used[MACHINE_MAX_GPUS];
};

/**
 * machine_live_file() - the present content of a live file
 *
 * Return: the length written to @buf (without a NUL), -ENOENT when @path is no live file,
 * -ENOSPC when @len is too small.
 */
int machine_live_file(const struct machine_profile *m, const struct machine_usage *usage,
		      const char *path, char *buf, size_t len);

#endif
