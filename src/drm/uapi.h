/* SPDX-License-Identifier: MIT */
#ifndef VKFD_DRM_UAPI_H
#define VKFD_DRM_UAPI_H

/**
 * DOC: The amdgpu uAPI of Linux 6.12
 *
 * <amdgpu_drm.h> as libdrm ships it may be older: what grew is declared here under
 * names of our own. An older program asks for fewer bytes of it.
 */
#include <stddef.h>
#include <stdint.h>

#include <amdgpu_drm.h>
#include <drm.h>


/* struct drm_dev_info - AMDGPU_INFO_DEV_INFO */
struct drm_dev_info {
	uint32_t device_id, chip_rev, external_rev, pci_rev, family;
	uint32_t num_shader_engines, num_shader_arrays_per_engine;
	uint32_t gpu_counter_freq; /* kHz, as all clocks */
	uint64_t max_engine_clock, max_memory_clock;
	uint32_t cu_active_number, cu_ao_mask;
	uint32_t cu_bitmap[4][4]; /* engine i is in row i % 4, after the arrays of engine i - 4 */
	uint32_t enabled_rb_pipes_mask, num_rb_pipes, num_hw_gfx_contexts;
	uint32_t pcie_gen;
	uint64_t ids_flags;
	uint64_t virtual_address_offset, virtual_address_max;
	uint32_t virtual_address_alignment, pte_fragment_size, gart_page_size;
	uint32_t ce_ram_size, vram_type, vram_bit_width, vce_harvest_config;
	uint32_t gc_double_offchip_lds_buf;
	uint64_t prim_buf_gpu_addr, pos_buf_gpu_addr, cntl_sb_buf_gpu_addr, param_buf_gpu_addr;
	uint32_t prim_buf_size, pos_buf_size, cntl_sb_buf_size, param_buf_size;
	uint32_t wave_front_size, num_shader_visible_vgprs, num_cu_per_sh, num_tcc_blocks;
	uint32_t gs_vgt_table_depth, gs_prim_buffer_depth, max_gs_waves_per_vgt;
	uint32_t pcie_num_lanes;
	uint32_t cu_ao_bitmap[4][4];
	uint64_t high_va_offset, high_va_max;
	uint32_t pa_sc_tile_steering_override;
	uint64_t tcc_disabled_mask;
	/* libdrm 2.4.114 ends here. */
	uint64_t min_engine_clock, min_memory_clock;
	uint32_t tcp_cache_size, num_sqc_per_wgp, sqc_data_cache_size, sqc_inst_cache_size;
	uint32_t gl1c_cache_size, gl2c_cache_size;
	uint64_t mall_size;
	uint32_t enabled_rb_pipes_mask_hi;
	uint32_t shadow_size, shadow_alignment, csa_size, csa_alignment;
	uint32_t pad;
};

/* struct drm_hw_ip_info - AMDGPU_INFO_HW_IP_INFO */
struct drm_hw_ip_info {
	uint32_t version_major, version_minor;
	uint64_t capabilities;
	uint32_t ib_start_alignment, ib_size_alignment;
	uint32_t available_rings;
	uint32_t ip_discovery_version;
};

#define DRM_HW_IP_NUM 10u /* with VPE */

_Static_assert(offsetof(struct drm_dev_info, cu_bitmap) ==
		       offsetof(struct drm_amdgpu_info_device, cu_bitmap), "cu_bitmap");
_Static_assert(offsetof(struct drm_dev_info, virtual_address_offset) ==
		       offsetof(struct drm_amdgpu_info_device, virtual_address_offset), "va");
_Static_assert(offsetof(struct drm_dev_info, wave_front_size) ==
		       offsetof(struct drm_amdgpu_info_device, wave_front_size), "wave");
_Static_assert(offsetof(struct drm_dev_info, tcc_disabled_mask) ==
		       offsetof(struct drm_amdgpu_info_device, tcc_disabled_mask), "tcc");
_Static_assert(sizeof(struct drm_dev_info) >= sizeof(struct drm_amdgpu_info_device) ||
		       sizeof(struct drm_amdgpu_info_device) > 448, "dev_info");
_Static_assert(sizeof(struct drm_hw_ip_info) == sizeof(struct drm_amdgpu_info_hw_ip), "hw_ip");
_Static_assert(sizeof(struct drm_amdgpu_info) == 32, "info");
_Static_assert(sizeof(struct drm_version) == 64, "version");

#endif
