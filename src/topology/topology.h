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

/* One memory bank. */
struct topology_bank {
	unsigned int heap_type;   /* 0 system, 1 VRAM all visible, 2 VRAM otherwise */
	uint64_t size;            /* bytes */
	unsigned int flags, width, mem_clk_max;
};

#define TOPOLOGY_SIBLING_BYTES 64

/* One cache of a compute unit or of several. */
struct topology_cache {
	unsigned int processor_id_low, level, size, line, type;
	unsigned int n_sibling_bytes;
	uint8_t sibling_map[TOPOLOGY_SIBLING_BYTES];
};

/* One direction of a link; kept under the node it starts from. */
struct topology_link {
	unsigned int type, node_from, node_to, weight;
	unsigned int min_bandwidth, max_bandwidth; /* MB/s */
	unsigned int sdma_mask, flags;
};

enum topology_link_flags {
	TOPOLOGY_LINK_ENABLED = 1 << 0,
	TOPOLOGY_LINK_NON_COHERENT = 1 << 1,
	TOPOLOGY_LINK_NO_ATOMICS = 1 << 2 | 1 << 3, /* neither 32 nor 64 bits */
};

#define TOPOLOGY_MAX_NODES 24
#define TOPOLOGY_MAX_CACHES 512

/* One node; the fields are the keys of its properties file, in that order. */
struct topology_node {
	char name[64];
	unsigned int gpu_id; /* 0: a CPU node, without a GPU's keys */
	unsigned int cpu_cores_count, simd_count;
	unsigned int cpu_core_id_base, simd_id_base, max_waves_per_simd, lds_size_in_kb;
	unsigned int gds_size_in_kb, num_gws, wave_front_size, array_count;
	unsigned int simd_arrays_per_engine, cu_per_simd_array, simd_per_cu, max_slots_scratch_cu;
	unsigned int gfx_target_version, vendor_id, device_id, location_id, domain;
	unsigned int drm_render_minor;
	uint64_t hive_id;
	unsigned int num_sdma_engines, num_sdma_xgmi_engines, num_sdma_queues_per_engine;
	unsigned int num_cp_queues;
	unsigned int max_engine_clk_fcompute, fw_version, capability;
	uint64_t debug_prop;
	unsigned int sdma_fw_version;
	uint64_t unique_id;
	unsigned int num_xcc;
	unsigned int max_engine_clk_ccompute;

	unsigned int n_banks, n_caches, n_io_links, n_p2p_links;
	struct topology_bank banks[1];
	struct topology_cache *caches; /* owned; @n_caches */
	struct topology_link io_links[TOPOLOGY_MAX_NODES], p2p_links[TOPOLOGY_MAX_NODES];
};

struct topology {
	unsigned int generation_id;
	uint64_t platform_oem, platform_id, platform_rev;
	unsigned int n_nodes;
	struct topology_node nodes[TOPOLOGY_MAX_NODES];
};

/* NULL is fine. */
void topology_free(struct topology *t);

/**
 * topology_write() - the files of @t, below the directory @root of @sink
 *
 * Text as Linux 6.12 writes it, to the letter.
 *
 * Return: 0; what the sink returned; -EFBIG when a file would not fit the page that sysfs gives it.
 */
int topology_write(const struct topology *t, const char *root, const struct topology_sink *sink);

#endif
