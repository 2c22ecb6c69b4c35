/* SPDX-License-Identifier: MIT */
#include "machine/asics.h"

#include <string.h>

#include "base/macro.h"

/* Cache kinds as the topology's `type` names them: data or instruction, of a compute unit. */
#define CACHE_DATA 9
#define CACHE_INST 10

/* What the chip says about ECC, and its revision, where the capability word has them. */
#define CAP_ECC_VRAM (1u << 20)
#define CAP_ECC_EVENTS (1u << 21)
#define CAP_ECC_SRAM (1u << 26)
#define CAP_ECC (CAP_ECC_VRAM | CAP_ECC_EVENTS | CAP_ECC_SRAM)
#define CAP_REV(rev) ((uint32_t)(rev) << 22)

#define FAMILY_VI 130
#define FAMILY_AI 141

static const struct machine_asic presets[] = {
	{
		.name = "aldebaran",
		.gfx_target = 90010,
		.va_bits = 48,
		.dma_bits = 48,
		.family_id = FAMILY_AI,
		.rev_id = 1,
		.external_rev = 0x3d,
		.xgmi = true,
		.doorbell64 = true,
		.shader_engines = 8,
		.arrays_per_engine = 1,
		.cu_per_array = 14,
		.cu_count = 104,
		.simd_per_cu = 4,
		.waves_per_simd = 8,
		.wave_size = 64,
		.lds_kib = 64,
		.scratch_slots_per_cu = 32,
		.num_gws = 64,
		.xcc_count = 1,
		.sdma_engines = 2,
		.sdma_xgmi_engines = 3,
		.sdma_queues_per_engine = 8,
		.cp_queues = 24,
		.vmids = 13,
		.capability = CAP_ECC | CAP_REV(1),
		.fw_version = 92,
		.sdma_fw_version = 9,
		.gb_addr_config = 0x22014042,
		.max_clk_mhz = 1700,
		.mem_clk_mhz = 1600,
		.mem_width_bits = 4096,
		.caches = {
			{ 1, 16, CACHE_DATA, 1, 64 },
			{ 1, 32, CACHE_INST, 2, 64 },
			{ 1, 16, CACHE_DATA, 2, 64 },
			{ 2, 8192, CACHE_DATA, 14, 128 },
		},
		.n_caches = 4,
	},
	{
		.name = "arcturus",
		.gfx_target = 90008,
		.va_bits = 48,
		.dma_bits = 44,
		.family_id = FAMILY_AI,
		.rev_id = 2,
		.external_rev = 0x34,
		.xgmi = true,
		.doorbell64 = true,
		.shader_engines = 8,
		.arrays_per_engine = 1,
		.cu_per_array = 16,
		.cu_count = 120,
		.simd_per_cu = 4,
		.waves_per_simd = 10,
		.wave_size = 64,
		.lds_kib = 64,
		.scratch_slots_per_cu = 32,
		.num_gws = 64,
		.xcc_count = 1,
		.sdma_engines = 2,
		.sdma_xgmi_engines = 6,
		.sdma_queues_per_engine = 8,
		.cp_queues = 24,
		.vmids = 13,
		.capability = CAP_ECC | CAP_REV(2),
		.fw_version = 65,
		.sdma_fw_version = 18,
		.gb_addr_config = 0x22014042,
		.max_clk_mhz = 1502,
		.mem_clk_mhz = 1200,
		.mem_width_bits = 4096,
		.caches = {
			{ 1, 16, CACHE_DATA, 1, 64 },
			{ 1, 32, CACHE_INST, 3, 64 },
			{ 1, 16, CACHE_DATA, 3, 64 },
			{ 2, 8192, CACHE_DATA, 16, 64 },
		},
		.n_caches = 4,
	},
	{
		.name = "vega20",
		.gfx_target = 90006,
		.va_bits = 48,
		.dma_bits = 44,
		.family_id = FAMILY_AI,
		.rev_id = 1,
		.external_rev = 0x29,
		.xgmi = true,
		.doorbell64 = true,
		.shader_engines = 4,
		.arrays_per_engine = 1,
		.cu_per_array = 16,
		.cu_count = 64,
		.simd_per_cu = 4,
		.waves_per_simd = 10,
		.wave_size = 64,
		.lds_kib = 64,
		.scratch_slots_per_cu = 32,
		.num_gws = 64,
		.xcc_count = 1,
		.sdma_engines = 2,
		.sdma_queues_per_engine = 8,
		.cp_queues = 24,
		.vmids = 8,
		.capability = CAP_ECC | CAP_REV(1),
		.fw_version = 472,
		.sdma_fw_version = 145,
		.gb_addr_config = 0x22014042,
		.max_clk_mhz = 1725,
		.mem_clk_mhz = 1000,
		.mem_width_bits = 4096,
		.caches = {
			{ 1, 16, CACHE_DATA, 1, 64 },
			{ 1, 32, CACHE_INST, 3, 64 },
			{ 1, 16, CACHE_DATA, 3, 64 },
			{ 2, 8192, CACHE_DATA, 16, 64 },
		},
		.n_caches = 4,
	},
	{
		.name = "vega10",
		.gfx_target = 90000,
		.va_bits = 48,
		.dma_bits = 44,
		.family_id = FAMILY_AI,
		.external_rev = 0x01,
		.doorbell64 = true,
		.shader_engines = 4,
		.arrays_per_engine = 1,
		.cu_per_array = 16,
		.cu_count = 64,
		.simd_per_cu = 4,
		.waves_per_simd = 10,
		.wave_size = 64,
		.lds_kib = 64,
		.scratch_slots_per_cu = 32,
		.num_gws = 64,
		.xcc_count = 1,
		.sdma_engines = 2,
		.sdma_queues_per_engine = 2,
		.cp_queues = 24,
		.vmids = 8,
		.fw_version = 33240,
		.sdma_fw_version = 430,
		.gb_addr_config = 0x2a114042,
		.max_clk_mhz = 1630,
		.mem_clk_mhz = 945,
		.mem_width_bits = 2048,
		.caches = {
			{ 1, 16, CACHE_DATA, 1, 64 },
			{ 1, 32, CACHE_INST, 3, 64 },
			{ 1, 16, CACHE_DATA, 3, 64 },
			{ 2, 4096, CACHE_DATA, 16, 64 },
		},
		.n_caches = 4,
	},
	{
		.name = "fiji",
		.gfx_target = 80003,
		.va_bits = 40,
		.dma_bits = 40,
		.family_id = FAMILY_VI,
		.external_rev = 0x3c,
		.shader_engines = 4,
		.arrays_per_engine = 1,
		.cu_per_array = 16,
		.cu_count = 64,
		.simd_per_cu = 4,
		.waves_per_simd = 10,
		.wave_size = 64,
		.lds_kib = 64,
		.scratch_slots_per_cu = 32,
		.xcc_count = 1,
		.sdma_engines = 2,
		.sdma_queues_per_engine = 2,
		.cp_queues = 24,
		.vmids = 8,
		.fw_version = 730,
		.sdma_fw_version = 58,
		.gb_addr_config = 0x22011003,
		.max_clk_mhz = 1000,
		.mem_clk_mhz = 500,
		.mem_width_bits = 4096,
		.caches = {
			{ 1, 16, CACHE_DATA, 1, 64 },
			{ 1, 32, CACHE_INST, 4, 64 },
			{ 1, 16, CACHE_DATA, 4, 64 },
		},
		.n_caches = 3,
	},
};

const char *const machine_asic_names[] = { "aldebaran", "arcturus", "vega20", "vega10", "fiji",
					   NULL };

const struct machine_asic *machine_asic_find(const char *name)
{
	for (size_t i = 0; i < VKF_ARRAY_SIZE(presets); i++)
		if (!strcmp(presets[i].name, name))
			return &presets[i];
	return NULL;
}

bool machine_asic_has_ecc(const struct machine_asic *asic)
{
	return (asic->capability & CAP_ECC) == CAP_ECC;
}

/* Bytes that a wave save must hold for each CU: registers, LDS, hardware state. */
static uint64_t wave_data_per_cu(const struct machine_asic *asic)
{
	bool big = asic->gfx_target == 90010 || asic->gfx_target == 90008;
	uint64_t vgpr = big ? 0x80000 : 0x40000;
	uint64_t sgpr = 0x4000, lds = 0x10000, hwreg = 0x1000;

	return vgpr + sgpr + lds + hwreg;
}

void machine_asic_fill_cwsr(struct machine_asic *asic)
{
	const uint64_t header = 40, bytes_per_wave = 8;
	uint64_t cus = asic->cu_count / asic->xcc_count;
	uint64_t waves = VKF_MIN(cus * 40, (uint64_t)asic->shader_engines * 512);
	uint64_t stack = VKF_ALIGN_UP(header + waves * bytes_per_wave + 8, VKF_PAGE_SIZE);
	uint64_t data = VKF_ALIGN_UP(cus * wave_data_per_cu(asic), VKF_PAGE_SIZE);

	asic->eop_bytes = 4096;
	asic->ctl_stack_bytes = (unsigned int)stack;
	asic->cwsr_bytes = (unsigned int)(stack + data);
}

/*
 * Boards differ in which CUs are fused off; here it is those just below the last one of an array,
 * which leaves every group of CUs that shares a cache with a working one, as on the real boards.
 */
uint32_t machine_asic_cu_mask(const struct machine_asic *asic, unsigned int engine,
			      unsigned int array)
{
	unsigned int n_arrays = asic->shader_engines * asic->arrays_per_engine;
	unsigned int index = engine * asic->arrays_per_engine + array;
	unsigned int off = asic->cu_per_array * n_arrays - asic->cu_count;
	unsigned int n = asic->cu_per_array;
	uint32_t all = (uint32_t)((UINT64_C(1) << n) - 1), dead;

	off = off / n_arrays + (n_arrays - index <= off % n_arrays);
	dead = (uint32_t)((UINT64_C(1) << off) - 1) << (n - 1 - off);
	return all & ~dead;
}
