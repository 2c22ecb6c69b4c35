/* SPDX-License-Identifier: MIT */
#include "machine/nodes.h"

#include <errno.h>
#include <string.h>

#include "base/env.h"
#include "base/macro.h"
#include "machine/asics.h"
#include "machine/links.h"

#define LINK_HT 1 /* between sockets */

/* Where the kernel starts to number compute units: bit 31 says that it is a GPU's. */
#define CU_ID_BASE 0x80001000u

#define HEAP_SYSTEM 0
#define HEAP_VRAM_PUBLIC 1
#define HEAP_VRAM_PRIVATE 2

/* The driver's own bits of the capability word. */
#define CAP_WATCH_POINTS (1u << 7 | 2u << 8) /* four of them, as log2 */
#define CAP_DOORBELL_1_0 (1u << 12)
#define CAP_DOORBELL_2_0 (2u << 12)
#define CAP_TRAP_DEBUG (1u << 15 | 1u << 16 | 1u << 17)
#define CAP_PRECISE_MEMORY (1u << 18)
#define CAP_SVM (1u << 27)
#define CAP_DEBUG_FIRMWARE (1u << 29)

/* Bits of a watched address that hardware compares, and a debugger's promise. */
#define DBG_WATCH_MASK_GFX9 (6u | 29u << 4)
#define DBG_DISPATCH_INFO (1u << 10)

/* From which firmware on a debugger can trust exceptions. */
static unsigned int debug_firmware(unsigned int gfx_target)
{
	switch (gfx_target) {
	case 90000:
		return 459 + 32768;
	case 90006:
		return 459;
	case 90008:
		return 60;
	case 90010:
		return 51;
	default:
		return 0;
	}
}

static struct topology_node *gpu_node(const struct machine_build *b, unsigned int gpu)
{
	return &b->t->nodes[b->m->n_sockets + gpu];
}

/* ------------------------------------------------ nodes */

static void add_cpu(struct machine_build *b, unsigned int index, unsigned int first_core)
{
	const struct machine_socket *s = &b->m->sockets[index];
	struct topology_node *n = &b->t->nodes[index];

	n->cpu_cores_count = s->cores;
	n->cpu_core_id_base = first_core;
	n->max_engine_clk_ccompute = b->m->sockets[0].max_clk_mhz;
	n->banks[0] = (struct topology_bank){ .heap_type = HEAP_SYSTEM, .size = s->ram };
	/* The kernel looks the memory devices up for its first node only. */
	if (index == 0) {
		n->banks[0].width = s->mem_width_bits;
		n->banks[0].mem_clk_max = s->mem_clk_mhz;
	}
	n->n_banks = 1;
	for (unsigned int to = 0; to < b->m->n_sockets; to++) {
		if (to == index)
			continue;
		n->io_links[n->n_io_links++] = (struct topology_link){
			.type = LINK_HT,
			.node_from = index,
			.node_to = to,
			.weight = b->m->socket_distance,
		};
	}
}

static unsigned int gpu_capability(const struct machine_build *b, const struct machine_gpu *gpu)
{
	const struct machine_asic *a = &gpu->asic;
	unsigned int cap = a->capability | CAP_WATCH_POINTS;

	if (a->gfx_target < 90000)
		return (cap | CAP_DOORBELL_1_0) & ~b->m->knobs.hidden_capability;
	cap |= CAP_DOORBELL_2_0 | CAP_TRAP_DEBUG | CAP_SVM;
	if (a->gfx_target >= 90010)
		cap |= CAP_PRECISE_MEMORY;
	if (a->fw_version >= debug_firmware(a->gfx_target))
		cap |= CAP_DEBUG_FIRMWARE;
	return cap & ~b->m->knobs.hidden_capability;
}

static uint64_t gpu_debug_prop(const struct machine_asic *a)
{
	if (a->gfx_target < 90000)
		return a->debug_prop;
	return a->debug_prop | DBG_WATCH_MASK_GFX9 |
	       (a->gfx_target == 90010 ? 0 : DBG_DISPATCH_INFO);
}

static void fill_chip(struct topology_node *n, const struct machine_asic *a)
{
	strcpy(n->name, a->name);
	n->simd_count = a->simd_per_cu * a->cu_count;
	n->max_waves_per_simd = a->waves_per_simd;
	n->lds_size_in_kb = a->lds_kib;
	n->gds_size_in_kb = a->gds_kib;
	n->num_gws = a->num_gws;
	n->wave_front_size = a->wave_size;
	n->array_count = a->shader_engines * a->arrays_per_engine * a->xcc_count;
	n->simd_arrays_per_engine = a->arrays_per_engine;
	n->cu_per_simd_array = a->cu_per_array;
	n->simd_per_cu = a->simd_per_cu;
	n->max_slots_scratch_cu = a->scratch_slots_per_cu;
	n->gfx_target_version = a->gfx_target;
	n->num_sdma_engines = a->sdma_engines;
	n->num_sdma_xgmi_engines = a->sdma_xgmi_engines;
	n->num_sdma_queues_per_engine = a->sdma_queues_per_engine;
	n->num_cp_queues = a->cp_queues;
	n->max_engine_clk_fcompute = a->max_clk_mhz;
	n->fw_version = a->fw_version;
	n->debug_prop = gpu_debug_prop(a);
	n->sdma_fw_version = a->sdma_fw_version;
	n->num_xcc = a->xcc_count;
}

static void fill_board(const struct machine_build *b, struct topology_node *n,
		       const struct machine_gpu *gpu)
{
	n->gpu_id = gpu->gpu_id;
	n->vendor_id = gpu->vendor_id;
	n->device_id = gpu->device_id;
	n->location_id = (unsigned int)gpu->pci_bus << 8 | gpu->pci_devfn;
	n->domain = gpu->pci_domain;
	n->drm_render_minor = gpu->render_minor;
	n->hive_id = gpu->hive_id;
	n->capability = gpu_capability(b, gpu);
	n->unique_id = gpu->unique_id;
	n->max_engine_clk_ccompute = b->m->sockets[0].max_clk_mhz;
	n->n_banks = 1;
	n->banks[0] = (struct topology_bank){
		.heap_type = machine_has_large_bar(gpu) ? HEAP_VRAM_PUBLIC : HEAP_VRAM_PRIVATE,
		.size = gpu->vram,
		.width = gpu->asic.mem_width_bits,
		.mem_clk_max = gpu->asic.mem_clk_mhz,
	};
}

/* ------------------------------------------------ caches */

static void put_mask(uint8_t *bytes, uint32_t mask)
{
	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(mask >> 8 * i);
}

/* A cache of @c->cu_shared CUs, the first of which has the number @id; @mask: those that work. */
static void add_l1(struct topology_node *n, const struct machine_cache *c, unsigned int id,
		   uint32_t mask)
{
	struct topology_cache *out = &n->caches[n->n_caches];
	unsigned int first;

	mask &= (uint32_t)((UINT64_C(1) << c->cu_shared) - 1);
	if (!mask)
		return;
	first = (unsigned int)__builtin_ctz(mask);
	*out = (struct topology_cache){
		.processor_id_low = id + first,
		.level = c->level,
		.size = c->kib,
		.line = c->line,
		.type = c->type,
		.n_sibling_bytes = 4,
	};
	put_mask(out->sibling_map, mask >> first);
	n->n_caches++;
}

static void add_l1_all(struct topology_node *n, const struct machine_asic *a,
		       const struct machine_cache *c)
{
	unsigned int id = n->simd_id_base;

	for (unsigned int se = 0; se < a->shader_engines; se++) {
		for (unsigned int sh = 0; sh < a->arrays_per_engine; sh++) {
			uint32_t mask = machine_asic_cu_mask(a, se, sh);

			for (unsigned int cu = 0; cu < a->cu_per_array; cu += c->cu_shared) {
				add_l1(n, c, id, mask >> cu);
				id += VKF_MIN(c->cu_shared, a->cu_per_array - cu);
			}
		}
	}
}

/*
 * A cache of the whole chip: four bytes of siblings for each shader array. The first entry is the
 * first array's, shifted to its first CU; each following one is that of the array before it, as the
 * kernel has it.
 */
static void add_l2(struct topology_node *n, const struct machine_asic *a,
		   const struct machine_cache *c)
{
	struct topology_cache *out = &n->caches[n->n_caches++];
	uint32_t shared = (uint32_t)((UINT64_C(1) << c->cu_shared) - 1);
	uint32_t mask = machine_asic_cu_mask(a, 0, 0) & shared;
	unsigned int first = (unsigned int)__builtin_ctz(mask), k = 0;

	*out = (struct topology_cache){
		.processor_id_low = n->simd_id_base + first,
		.level = c->level,
		.size = c->kib,
		.line = c->line,
		.type = c->type,
	};
	mask >>= first;
	for (unsigned int se = 0; se < a->shader_engines; se++) {
		for (unsigned int sh = 0; sh < a->arrays_per_engine; sh++) {
			put_mask(out->sibling_map + k, mask);
			k += 4;
			mask = machine_asic_cu_mask(a, se, sh) & shared;
		}
	}
	out->n_sibling_bytes = k;
}

static int fill_caches(struct machine_build *b, struct topology_node *n,
		       const struct machine_asic *a)
{
	n->simd_id_base = b->next_cu_id;
	b->next_cu_id += a->shader_engines * a->arrays_per_engine * a->cu_per_array;
	n->caches = vkf_calloc(TOPOLOGY_MAX_CACHES, sizeof(*n->caches));
	if (!n->caches)
		return -ENOMEM;
	for (unsigned int i = 0; i < a->n_caches; i++) {
		if (a->caches[i].level == 1)
			add_l1_all(n, a, &a->caches[i]);
		else
			add_l2(n, a, &a->caches[i]);
	}
	return 0;
}

/* kfd_topology_add_device() */
static int add_gpu(struct machine_build *b, unsigned int index)
{
	const struct machine_gpu *gpu = &b->m->gpus[index];
	struct topology_node *n = gpu_node(b, index);
	unsigned int node = b->m->n_sockets + index;

	fill_chip(n, &gpu->asic);
	fill_board(b, n, gpu);
	if (fill_caches(b, n, &gpu->asic))
		return -ENOMEM;
	machine_links_add(b, node);
	b->t->generation_id++;
	return 0;
}

/* Eight, or six, characters of a firmware table's maker as a number, first one lowest. */
static uint64_t oem(const char *text)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 8 && text[i]; i++)
		v |= (uint64_t)(uint8_t)text[i] << 8 * i;
	return v;
}

int machine_nodes_create(const struct machine_profile *m, struct topology **ret_topology)
{
	struct machine_build b = { .m = m, .next_cu_id = CU_ID_BASE };
	unsigned int first_core = 0;
	int e = 0;

	b.t = vkf_zalloc(sizeof(*b.t));
	if (!b.t)
		return -ENOMEM;
	b.t->n_nodes = m->n_sockets + m->n_gpus;
	b.t->generation_id = 1;
	b.t->platform_oem = oem("MACHINE ");
	b.t->platform_id = oem("VKFD  ");
	b.t->platform_rev = 1;
	for (unsigned int i = 0; i < m->n_sockets; i++) {
		add_cpu(&b, i, first_core);
		first_core += m->sockets[i].cores;
	}
	for (unsigned int i = 0; !e && i < m->n_gpus; i++)
		e = add_gpu(&b, i);
	if (e) {
		topology_free(b.t);
		return e;
	}
	*ret_topology = b.t;
	return 0;
}
