/* SPDX-License-Identifier: MIT */
#include "drm/info.h"

#include <errno.h>
#include <string.h>
#include "drm/dev_info.h"
#include "drm/uapi.h"
#include "mm/device.h"

#define RESERVED_VRAM      VKF_MIB(8) /* AMDGPU_VM_RESERVED_VRAM: page tables may use it */
#define REG_GB_ADDR_CONFIG 0x263eu
#define MAX_REGISTERS      128u
#define MAX_SE             4u
#define MAX_SH_PER_SE      2u
#define INDEX_BROADCAST    0xffu

/* struct query - one AMDGPU_INFO being answered */
struct query {
	struct drm_call *dc;
	const struct drm_amdgpu_info *info;
	const struct machine_gpu *gpu;
};

static int answer(const struct query *q, const void *data, size_t len)
{
	return vkf_copy_to_user(q->dc->call, q->info->return_pointer, data,
				VKF_MIN((size_t)q->info->return_size, len));
}

static int answer32(const struct query *q, uint32_t v)
{
	return answer(q, &v, sizeof(v));
}

static int answer64(const struct query *q, uint64_t v)
{
	return answer(q, &v, sizeof(v));
}

static struct mm_device_usage usage(const struct query *q)
{
	struct mm_device_usage u;

	mm_device_usage(machine_device(q->dc->machine, q->dc->gpu), &u);
	return u;
}

static int one(const struct query *q)
{
	return answer32(q, 1);
}

static int zero32(const struct query *q)
{
	return answer32(q, 0);
}

static int zero64(const struct query *q)
{
	return answer64(q, 0);
}

/* ------------------------------------------------ memory */

static int vram_usage(const struct query *q)
{
	return answer64(q, usage(q).vram_managed);
}

static int vis_vram_usage(const struct query *q)
{
	return answer64(q, usage(q).visible_managed);
}

static int gtt_usage(const struct query *q)
{
	return answer64(q, usage(q).gtt_used);
}

static uint64_t usable(uint64_t vram)
{
	return vram > RESERVED_VRAM ? vram - RESERVED_VRAM : 0;
}

static int vram_gtt(const struct query *q)
{
	struct mm_device_usage u = usage(q);
	struct drm_amdgpu_info_vram_gtt v = {
		.vram_size = usable(u.vram_total),
		.vram_cpu_accessible_size = VKF_MIN(u.visible_total, usable(u.vram_total)),
		.gtt_size = u.gtt_total,
	};

	return answer(q, &v, sizeof(v));
}

static struct drm_amdgpu_heap_info heap(uint64_t total, uint64_t usable_bytes, uint64_t used)
{
	return (struct drm_amdgpu_heap_info){
		.total_heap_size = total,
		.usable_heap_size = usable_bytes,
		.heap_usage = used,
		.max_allocation = usable_bytes / 4 * 3,
	};
}

static int memory(const struct query *q)
{
	struct mm_device_usage u = usage(q);
	uint64_t vram = usable(u.vram_total);
	struct drm_amdgpu_memory_info m = {
		.vram = heap(u.vram_total, vram, u.vram_managed),
		.cpu_accessible_vram =
			heap(u.visible_total, VKF_MIN(u.visible_total, vram), u.visible_managed),
		.gtt = heap(u.gtt_total, u.gtt_total, u.gtt_used),
	};

	return answer(q, &m, sizeof(m));
}

/* ------------------------------------------------ the chip */

static int dev_info(const struct query *q)
{
	struct drm_dev_info info;

	drm_dev_info_fill(q->gpu, &info);
	return answer(q, &info, sizeof(info));
}

/* What a program may read. The tiling registers of older chips are there, and zero. */
static bool read_register(const struct machine_asic *asic, uint32_t reg, uint32_t *ret_v)
{
	static const struct {
		uint32_t first, count;
	} old[] = {
		{ 0x263d, 1 }, { 0xa0d4, 2 }, { 0x2644, 32 }, { 0x2664, 16 }, { 0x9d8, 1 },
	};

	if (reg == REG_GB_ADDR_CONFIG) {
		*ret_v = asic->gb_addr_config;
		return true;
	}
	for (unsigned int i = 0; asic->gfx_target < 90000 && i < VKF_ARRAY_SIZE(old); i++) {
		if (reg - old[i].first < old[i].count) {
			*ret_v = 0;
			return true;
		}
	}
	return false;
}

static int read_mmr_reg(const struct query *q)
{
	uint32_t instance = q->info->read_mmr_reg.instance, n = q->info->read_mmr_reg.count;
	uint32_t se = instance >> AMDGPU_INFO_MMR_SE_INDEX_SHIFT & AMDGPU_INFO_MMR_SE_INDEX_MASK;
	uint32_t sh = instance >> AMDGPU_INFO_MMR_SH_INDEX_SHIFT & AMDGPU_INFO_MMR_SH_INDEX_MASK;
	uint32_t regs[MAX_REGISTERS];

	if ((se != INDEX_BROADCAST && se >= MAX_SE) ||
	    (sh != INDEX_BROADCAST && sh >= MAX_SH_PER_SE) || n > MAX_REGISTERS)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		if (!read_register(&q->gpu->asic, q->info->read_mmr_reg.dword_offset + i, &regs[i]))
			return -EFAULT;
	}
	return answer(q, regs, n * sizeof(regs[0]));
}

static int timestamp(const struct query *q)
{
	return answer64(q, machine_gpu_clock(q->dc->machine));
}

static int gds_config(const struct query *q)
{
	const struct machine_asic *asic = &q->gpu->asic;
	struct drm_amdgpu_info_gds gds = {
		.compute_partition_size = asic->gds_kib * 1024,
		.gds_total_size = asic->gds_kib * 1024,
		.gws_per_compute_partition = asic->num_gws,
		.oa_per_compute_partition = 16,
	};

	return answer(q, &gds, sizeof(gds));
}

/* No submission is possible yet: the blocks are there, their rings are not. */
static int hw_ip_info(const struct query *q)
{
	const struct machine_asic *asic = &q->gpu->asic;
	struct drm_hw_ip_info ip = { 0 };
	uint32_t type = q->info->query_hw_ip.type;

	if (type >= DRM_HW_IP_NUM || q->info->query_hw_ip.ip_instance != 0)
		return -EINVAL;
	if (type == AMDGPU_HW_IP_GFX || type == AMDGPU_HW_IP_COMPUTE) {
		ip.version_major = asic->gfx_target / 10000;
		ip.version_minor = asic->gfx_target / 100 % 100;
		ip.ib_start_alignment = ip.ib_size_alignment = 32;
	} else if (type == AMDGPU_HW_IP_DMA) {
		ip.version_major = asic->gfx_target >= 90000 ? 4 : 3;
		ip.ib_start_alignment = 256;
		ip.ib_size_alignment = 4;
	}
	return answer(q, &ip, sizeof(ip));
}

static int hw_ip_count(const struct query *q)
{
	uint32_t type = q->info->query_hw_ip.type;

	if (type >= DRM_HW_IP_NUM)
		return -EINVAL;
	return answer32(q, type == AMDGPU_HW_IP_GFX || type == AMDGPU_HW_IP_COMPUTE ||
				   type == AMDGPU_HW_IP_DMA);
}

/* ------------------------------------------------ firmware, BIOS */

#define FW_TYPE_FIRST AMDGPU_INFO_FW_VCE
#define FW_TYPE_LAST  0x19u /* MES: the last that 6.12 knows */
#define FW_TYPE_HOLE  0x09u

static int fw_version(const struct query *q)
{
	const struct machine_asic *asic = &q->gpu->asic;
	const struct drm_amdgpu_query_fw *fw = &q->info->query_fw;
	struct drm_amdgpu_info_firmware v = { 0 };

	if (fw->ip_instance != 0)
		return -EINVAL;
	if (fw->fw_type < FW_TYPE_FIRST || fw->fw_type > FW_TYPE_LAST ||
	    fw->fw_type == FW_TYPE_HOLE)
		return -EINVAL;
	if (fw->fw_type == AMDGPU_INFO_FW_GFX_MEC) {
		if (fw->index > 1)
			return -EINVAL;
		v.ver = asic->fw_version;
	} else if (fw->fw_type == AMDGPU_INFO_FW_SDMA) {
		if (fw->index >= asic->sdma_engines + asic->sdma_xgmi_engines)
			return -EINVAL;
		v.ver = asic->sdma_fw_version;
	}
	return answer(q, &v, sizeof(v));
}

/* The board has a name; there is no image behind it. */
static int vbios(const struct query *q)
{
	struct drm_amdgpu_info_vbios v = { 0 };

	switch (q->info->vbios_info.type) {
	case AMDGPU_INFO_VBIOS_SIZE:
		return answer32(q, 0);
	case 0x3: /* AMDGPU_INFO_VBIOS_INFO */
		memcpy(v.name, q->gpu->product, VKF_MIN(sizeof(v.name), sizeof(q->gpu->product)));
		return answer(q, &v, sizeof(v));
	default:
		return -EINVAL;
	}
}

static int vce_clock_table(const struct query *q)
{
	struct drm_amdgpu_info_vce_clock_table none = { 0 };

	return answer(q, &none, sizeof(none));
}

static int num_handles(const struct query *q)
{
	return q->info->query_hw_ip.type == AMDGPU_HW_IP_UVD ? -ENODATA : -EINVAL;
}

static int no_entry(const struct query *q)
{
	(void)q;
	return -ENOENT;
}

static int invalid(const struct query *q)
{
	(void)q;
	return -EINVAL;
}

/* ------------------------------------------------ the table */

/* enum kfd_fidelity's numbers: this layer does not know that one. */
enum { FAITHFUL, PARTIAL, REFUSED };

struct info_row {
	struct drm_feature feature; /* number = the query's */
	int (*handler)(const struct query *q);
};

static const struct info_row rows[] = {
	{ { 0x00, "AMDGPU_INFO: ACCEL_WORKING", FAITHFUL, "" }, one },
	{ { 0x01, "AMDGPU_INFO: CRTC_FROM_ID", FAITHFUL, "EINVAL: there is no display" }, invalid },
	{ { 0x02, "AMDGPU_INFO: HW_IP_INFO", PARTIAL, "no rings: nothing can be submitted" },
	  hw_ip_info },
	{ { 0x03, "AMDGPU_INFO: HW_IP_COUNT", FAITHFUL, "" }, hw_ip_count },
	{ { 0x05, "AMDGPU_INFO: TIMESTAMP", FAITHFUL, "" }, timestamp },
	{ { 0x0e, "AMDGPU_INFO: FW_VERSION", PARTIAL, "MEC and SDMA; all others are version 0" },
	  fw_version },
	{ { 0x0f, "AMDGPU_INFO: NUM_BYTES_MOVED", PARTIAL, "always 0" }, zero64 },
	{ { 0x10, "AMDGPU_INFO: VRAM_USAGE", FAITHFUL, "" }, vram_usage },
	{ { 0x11, "AMDGPU_INFO: GTT_USAGE", FAITHFUL, "" }, gtt_usage },
	{ { 0x13, "AMDGPU_INFO: GDS_CONFIG", FAITHFUL, "" }, gds_config },
	{ { 0x14, "AMDGPU_INFO: VRAM_GTT", FAITHFUL, "" }, vram_gtt },
	{ { 0x15, "AMDGPU_INFO: READ_MMR_REG", PARTIAL,
	    "GB_ADDR_CONFIG; the tiling registers of gfx8 read as 0; all others EFAULT" },
	  read_mmr_reg },
	{ { 0x16, "AMDGPU_INFO: DEV_INFO", PARTIAL, "no render backends" }, dev_info },
	{ { 0x17, "AMDGPU_INFO: VIS_VRAM_USAGE", FAITHFUL, "" }, vis_vram_usage },
	{ { 0x18, "AMDGPU_INFO: NUM_EVICTIONS", PARTIAL, "always 0" }, zero64 },
	{ { 0x19, "AMDGPU_INFO: MEMORY", FAITHFUL, "" }, memory },
	{ { 0x1a, "AMDGPU_INFO: VCE_CLOCK_TABLE", FAITHFUL, "empty: there is no VCE" },
	  vce_clock_table },
	{ { 0x1b, "AMDGPU_INFO: VBIOS", PARTIAL, "the board's name; an image of 0 bytes" }, vbios },
	{ { 0x1c, "AMDGPU_INFO: NUM_HANDLES", FAITHFUL, "ENODATA: there is no UVD" }, num_handles },
	{ { 0x1d, "AMDGPU_INFO: SENSOR", REFUSED, "ENOENT, as without power management" },
	  no_entry },
	{ { 0x1e, "AMDGPU_INFO: NUM_VRAM_CPU_PAGE_FAULTS", PARTIAL, "always 0" }, zero64 },
	{ { 0x1f, "AMDGPU_INFO: VRAM_LOST_COUNTER", FAITHFUL, "" }, zero32 },
	{ { 0x20, "AMDGPU_INFO: RAS_ENABLED_FEATURES", REFUSED, "EINVAL, as without RAS" },
	  invalid },
	{ { 0x21, "AMDGPU_INFO: VIDEO_CAPS", FAITHFUL, "EINVAL: there is no video engine" },
	  invalid },
};

const struct drm_feature *drm_info_feature(unsigned int index)
{
	return index < VKF_ARRAY_SIZE(rows) ? &rows[index].feature : NULL;
}

int drm_amdgpu_info_ioctl(struct drm_call *dc, void *arg)
{
	struct query q = {
		.dc = dc,
		.info = arg,
		.gpu = &machine_profile(dc->machine)->gpus[dc->gpu],
	};

	if (!q.info->return_size || !q.info->return_pointer)
		return -EINVAL;
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(rows); i++) {
		if (rows[i].feature.nr == q.info->query)
			return rows[i].handler(&q);
	}
	return -EINVAL;
}
