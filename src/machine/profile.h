/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_PROFILE_H
#define VKFD_MACHINE_PROFILE_H

/**
 * DOC: What a machine is
 *
 * A profile is the description of one machine: sockets, GPUs, how they are wired,
 * how much memory, and the knobs of the driver. It comes from a machine file
 * (vkfd-machine(5)) plus `--set key=value` overrides, is checked as a whole, and
 * never changes afterwards. It is plain data: nothing here knows what is done
 * with it. What can be computed (links, distances, peer access, memory banks) is
 * not in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_MAX_SOCKETS 8
#define MACHINE_MAX_GPUS 16
#define MACHINE_NAME_MAX 64

struct machine_socket {
	unsigned int cores;
	uint64_t ram;             /* bytes */
	unsigned int max_clk_mhz; /* max_engine_clk_ccompute of the CPU node */
	unsigned int mem_clk_mhz, mem_width_bits;
};

/* A GPU generation: everything that follows from the chip and not from the board. */
struct machine_asic {
	char name[MACHINE_NAME_MAX];  /* "aldebaran": the node's name file */
	unsigned int gfx_target;      /* 90010 = gfx90a: major * 10000 + minor * 100 + step */
	unsigned int va_bits;         /* 48, or 40 on gfx8 */
	unsigned int dma_bits;        /* what the GPU can address on the bus */
	unsigned int family_id;       /* amdgpu's: 141 = AI */
	unsigned int rev_id;          /* of the silicon, not of the board */
	unsigned int external_rev;
	bool xgmi;                    /* has links for a hive */
	bool doorbell64;              /* SOC15: 8-byte doorbells, an 8 KiB slice */
	unsigned int shader_engines, arrays_per_engine, cu_per_array, cu_count;
	unsigned int simd_per_cu, waves_per_simd, wave_size, lds_kib, gds_kib;
	unsigned int scratch_slots_per_cu, num_gws, xcc_count;
	unsigned int sdma_engines, sdma_xgmi_engines, sdma_queues_per_engine;
	unsigned int cp_queues;
	unsigned int vmids;           /* processes at once: what graphics leaves of 16 */
	/* What CREATE_QUEUE must be given; filled on load. @cwsr_bytes has the control stack. */
	unsigned int eop_bytes, cwsr_bytes, ctl_stack_bytes;
	uint32_t capability, debug_prop; /* the chip's; nodes.c adds the driver's bits */
	unsigned int fw_version, sdma_fw_version;
	uint32_t gb_addr_config;
	unsigned int max_clk_mhz, mem_clk_mhz, mem_width_bits;
	/* caches, outermost last: how many CUs share one of @kib */
	struct machine_cache {
		unsigned int level, kib, type, cu_shared, line;
	} caches[8];
	unsigned int n_caches;
};

enum machine_link { MACHINE_LINK_PCIE = 2, MACHINE_LINK_XGMI = 11 }; /* the uapi's types */

struct machine_gpu {
	struct machine_asic asic;
	char product[MACHINE_NAME_MAX];  /* marketing name */
	unsigned int socket;             /* which CPU its root port belongs to */
	uint16_t vendor_id, device_id, subvendor_id, subdevice_id;
	uint8_t revision;
	uint16_t pci_domain;
	uint8_t pci_bus, pci_devfn;
	uint64_t unique_id;
	uint64_t hive_id;                /* 0 = in no hive */
	uint64_t vram, visible_vram;     /* bytes; equal = large BAR */
	unsigned int pcie_gts_x10, pcie_lanes; /* 160 = 16 GT/s; x16 */
	unsigned int xgmi_links;         /* lanes to each other member of the hive */
	bool pcie_atomics;
	bool p2p;                        /* the root complex forwards peer traffic of this GPU */
	bool display;                    /* PCI class VGA, not just display controller */
	uint16_t gpu_id;                 /* filled on load: the kernel's hash, unique */
	unsigned int render_minor, card_minor; /* filled on load: 128 + n, n */
	/* Bus address of its VRAM aperture, and how large that is (a power of two). Placed on load,
	 * above all RAM, unless the machine file says where. */
	uint64_t bar_base, bar_bytes;
};

enum machine_quota {
	MACHINE_QUOTA_BUFFERS,
	MACHINE_QUOTA_MAPPINGS,
	MACHINE_QUOTA_FILES,   /* open devices */
	MACHINE_QUOTA_EXPORTS, /* open dma-bufs that it made */
	MACHINE_N_QUOTAS
};

/* Knobs of the driver that a user may want to turn. Zero means the kernel's own value. */
struct machine_knobs {
	bool map_transactional;          /* kfd.map = transactional */
	char engine[16];                 /* process (default), thread, none */
	uint64_t system_limit, ttm_limit; /* bytes; 0 = computed from RAM as Linux 6.12 does */
	/* Of one client; 0 = more than any program has. */
	uint64_t quota[MACHINE_N_QUOTAS];
	unsigned int max_queues;         /* of one device: 4096 */
	unsigned int hws_max_conc_proc;  /* processes on a GPU at once; 0 = as many as it has VMIDs */
	/* policy.vram_limit: what VRAM buffers are counted against, all together or each. */
	enum { MACHINE_VRAM_KERNEL, MACHINE_VRAM_OVERCOMMIT } vram_limit;
	unsigned int evict; /* policy.evict: who leaves first; enum mm_evict_policy */
	/*
	 * Specs for the fault table, "point:key=value,key=value" with the keys arg, errno, after
	 * and count: "mm.map:arg=1,after=3". What they mean, and which points there are, is the
	 * table's.
	 */
	char faults[16][96];
	unsigned int n_faults;
	uint64_t seed;
	/*
	 * Capability bits that programs must not see: this driver refuses what they promise.
	 * Zero after loading: the driver sets it before it shows the machine.
	 */
	uint32_t hidden_capability;
};

struct machine_profile {
	char name[MACHINE_NAME_MAX];
	char summary[160];
	struct machine_socket sockets[MACHINE_MAX_SOCKETS];
	unsigned int n_sockets;
	unsigned int socket_distance;    /* weight of the CPU-CPU link: 32 */
	struct machine_gpu gpus[MACHINE_MAX_GPUS];
	unsigned int n_gpus;
	struct machine_knobs knobs;
};

/**
 * machine_profile_load() - read a machine from JSON text
 * @text, @len: the machine file
 * @sets, @n_sets: "key=value" overrides, applied in order before the check
 * @err: on failure one line for the user: where, what was expected, the nearest valid name
 *
 * Return: 0 with @ret_profile filled; -EINVAL with @err filled, @ret_profile untouched; -ENOMEM.
 */
int machine_profile_load(const char *text, size_t len, const char *const *sets, size_t n_sets,
			 struct machine_profile *ret_profile, char *err, size_t err_len);

/* The keys that --set takes, for messages and vkfd-machine(5): NULL-terminated. */
extern const char *const machine_set_keys[];

/**
 * machine_peer_accessible() - may @accessor reach @owner's VRAM over PCIe?
 *
 * amdgpu_device_is_peer_accessible() of Linux 6.12: not symmetric. True when the root complex
 * forwards between them, all of the owner's VRAM is behind its BAR, and that BAR lies within what
 * the accessor can address.
 */
bool machine_peer_accessible(const struct machine_profile *m, unsigned int owner,
			     unsigned int accessor);
/* Both in one non-zero hive, and not the same GPU. */
bool machine_same_hive(const struct machine_profile *m, unsigned int a, unsigned int b);

/* "64GiB", "256MiB", "1000000": bytes. Return: 0 or -EINVAL. */
int machine_parse_size(const char *text, uint64_t *ret_bytes);

#endif
