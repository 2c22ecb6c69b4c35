/* SPDX-License-Identifier: MIT */
#include "drm/dev_info.h"

#include <string.h>
#include "base/macro.h"

/* AMDGPU_VA_RESERVED_*: a low area, and trap handler, SEQ64 and CSA at the top. */
#define VA_RESERVED_BOTTOM VKF_KIB(64)
#define VA_RESERVED_TOP    (VKF_KIB(64) + VKF_MIB(2) + VKF_MIB(2))
#define VA_HOLE_START      UINT64_C(0x0000800000000000)
#define VA_HOLE_END        UINT64_C(0xffff800000000000)

#define CLOCK_KHZ_PER_MHZ   1000u
#define REFERENCE_CLOCK_KHZ 100000u
#define FRAGMENT_BYTES      VKF_HUGE_SIZE /* fragment_size 9 */
#define GFX_CONTEXTS        8u
#define VGPRS               256u

static void fill_va(const struct machine_asic *asic, struct drm_dev_info *info)
{
	uint64_t size = (UINT64_C(1) << asic->va_bits) - VA_RESERVED_TOP;

	info->virtual_address_offset = VA_RESERVED_BOTTOM;
	info->virtual_address_max = VKF_MIN(size, VA_HOLE_START);
	if (size > VA_HOLE_START) {
		info->high_va_offset = VA_HOLE_END;
		info->high_va_max = VA_HOLE_END | size;
	}
	info->virtual_address_alignment = VKF_PAGE_SIZE;
	info->pte_fragment_size = FRAGMENT_BYTES;
	info->gart_page_size = VKF_PAGE_SIZE;
}

/* Disabled units are spread evenly: the first arrays have one more than the last. */
static void fill_cus(const struct machine_asic *asic, struct drm_dev_info *info)
{
	unsigned int arrays = asic->shader_engines * asic->arrays_per_engine;

	info->cu_active_number = asic->cu_count;
	for (unsigned int i = 0; i < arrays; i++) {
		unsigned int se = i / asic->arrays_per_engine, sh = i % asic->arrays_per_engine;
		unsigned int n = asic->cu_count / arrays + (i < asic->cu_count % arrays);
		unsigned int row = se % 4, col = sh + se / 4;

		if (col < 4)
			info->cu_bitmap[row][col] = n >= 32 ? UINT32_MAX : (1u << n) - 1;
	}
	memcpy(info->cu_ao_bitmap, info->cu_bitmap, sizeof(info->cu_ao_bitmap));
	info->num_cu_per_sh = asic->cu_per_array;
}

static uint32_t cache_bytes(const struct machine_asic *asic, unsigned int level)
{
	uint32_t kib = 0;

	for (unsigned int i = 0; i < asic->n_caches; i++) {
		if (asic->caches[i].level == level)
			kib = VKF_MAX(kib, asic->caches[i].kib);
	}
	return kib * 1024;
}

/* 25: 2.5 GT/s is generation 1, and each has twice the rate of the one before, or nearly. */
static uint32_t pcie_generation(unsigned int gts_x10)
{
	static const unsigned int rates[] = { 25, 50, 80, 160, 320, 640 };
	uint32_t gen = 1;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(rates); i++) {
		if (gts_x10 >= rates[i])
			gen = i + 1;
	}
	return gen;
}

static uint32_t vram_type(const struct machine_asic *asic)
{
	return asic->mem_width_bits >= 1024 ? AMDGPU_VRAM_TYPE_HBM : AMDGPU_VRAM_TYPE_GDDR5;
}

void drm_dev_info_fill(const struct machine_gpu *gpu, struct drm_dev_info *ret_info)
{
	const struct machine_asic *asic = &gpu->asic;
	struct drm_dev_info info = {
		.device_id = gpu->device_id,
		.chip_rev = asic->rev_id,
		.external_rev = asic->external_rev,
		.pci_rev = gpu->revision,
		.family = asic->family_id,
		.num_shader_engines = asic->shader_engines,
		.num_shader_arrays_per_engine = asic->arrays_per_engine,
		.gpu_counter_freq = REFERENCE_CLOCK_KHZ,
		.max_engine_clock = (uint64_t)asic->max_clk_mhz * CLOCK_KHZ_PER_MHZ,
		.max_memory_clock = (uint64_t)asic->mem_clk_mhz * CLOCK_KHZ_PER_MHZ,
		.num_hw_gfx_contexts = GFX_CONTEXTS,
		.pcie_gen = pcie_generation(gpu->pcie_gts_x10),
		.pcie_num_lanes = gpu->pcie_lanes,
		.vram_type = vram_type(asic),
		.vram_bit_width = asic->mem_width_bits,
		.wave_front_size = asic->wave_size,
		.num_shader_visible_vgprs = VGPRS,
		.tcp_cache_size = cache_bytes(asic, 1),
		.gl2c_cache_size = cache_bytes(asic, 2),
	};

	info.min_engine_clock = info.max_engine_clock;
	info.min_memory_clock = info.max_memory_clock;
	fill_va(asic, &info);
	fill_cus(asic, &info);
	*ret_info = info;
}
