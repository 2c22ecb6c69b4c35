/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine/sysfs.h"
#include "machine/tree.h"

/* The file name when @path is @dir, a slash and it; else NULL. */
static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && path[len] == '/' ? path + len + 1 : NULL;
}

/* A file of GPU @gpu's PCI directory, by any of the names that lead there without a detour. */
static const char *file_of_gpu(const struct machine_gpu *gpu, const char *path)
{
	char dirs[4][TREE_PATH_MAX], name[TREE_PATH_MAX];

	machine_pci_name(gpu, name);
	machine_pci_dir(gpu, dirs[0]);
	snprintf(dirs[1], sizeof(dirs[1]), "/sys/bus/pci/devices/%.16s", name);
	snprintf(dirs[2], sizeof(dirs[2]), "/sys/class/drm/card%u/device", gpu->card_minor);
	snprintf(dirs[3], sizeof(dirs[3]), "/sys/class/drm/renderD%u/device", gpu->render_minor);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(dirs); i++) {
		const char *file = below(path, dirs[i]);

		if (file)
			return file;
	}
	return NULL;
}

static const uint64_t *find_value(const struct machine_usage *u, unsigned int gpu,
				  const char *file)
{
	if (!strcmp(file, "mem_info_vram_used"))
		return &u->vram_used[gpu];
	if (!strcmp(file, "mem_info_vis_vram_used"))
		return &u->visible_used[gpu];
	if (!strcmp(file, "mem_info_gtt_used"))
		return &u->gtt_used[gpu];
	return NULL;
}

int machine_live_file(const struct machine_profile *m, const struct machine_usage *usage,
		      const char *path, char *buf, size_t len)
{
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		const char *file = file_of_gpu(&m->gpus[i], path);
		const uint64_t *value = file ? find_value(usage, i, file) : NULL;
		char text[32];
		int n;

		if (!value)
			continue;
		n = snprintf(text, sizeof(text), "%" PRIu64 "\n", *value);
		if ((size_t)n > len)
			return -ENOSPC;
		memcpy(buf, text, (size_t)n);
		return n;
	}
	return -ENOENT;
}
