/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine/asics.h"
#include "machine/sysfs.h"
#include "machine/tree.h"

#define CLASS_VGA 0x030000u
#define CLASS_DISPLAY 0x038000u

/* One bit for each block of write_ras(), by the driver's numbers: all of 0 to 7 but ATHUB, 4. */
#define RAS_FEATURES 0xefu

/* One GPU's directories. */
struct gpu_tree {
	struct tree *t;
	const struct machine_gpu *gpu;
	unsigned int index;
	char name[TREE_PATH_MAX]; /* 0000:63:00.0 */
	char dir[TREE_PATH_MAX];  /* /sys/devices/pci0000:63/0000:63:00.0 */
};

void machine_pci_name(const struct machine_gpu *gpu, char *name)
{
	snprintf(name, TREE_PATH_MAX, "%04x:%02x:%02x.%x", gpu->pci_domain, gpu->pci_bus,
		 gpu->pci_devfn >> 3, gpu->pci_devfn & 7);
}

void machine_pci_dir(const struct machine_gpu *gpu, char *path)
{
	char name[TREE_PATH_MAX];

	machine_pci_name(gpu, name);
	snprintf(path, TREE_PATH_MAX, "/sys/devices/pci%04x:%02x/%.16s", gpu->pci_domain,
		 gpu->pci_bus, name);
}

uint64_t machine_gtt_bytes(const struct machine_profile *m)
{
	uint64_t ram = 0;

	for (unsigned int i = 0; i < m->n_sockets; i++)
		ram += m->sockets[i].ram;
	return m->knobs.ttm_limit ? m->knobs.ttm_limit : ram / 2;
}

static unsigned int pci_class(const struct machine_gpu *gpu)
{
	return gpu->display ? CLASS_VGA : CLASS_DISPLAY;
}

static void put_le16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, v & 0xffff);
	put_le16(p + 2, v >> 16);
}

/* The standard header; BAR 0 is the VRAM aperture: 64 bits, prefetchable. */
static void write_config(struct gpu_tree *g)
{
	const struct machine_gpu *gpu = g->gpu;
	uint8_t config[256] = { 0 };

	put_le16(config + 0x00, gpu->vendor_id);
	put_le16(config + 0x02, gpu->device_id);
	put_le16(config + 0x04, 0x0406); /* memory, bus master, no INTx */
	config[0x08] = gpu->revision;
	put_le16(config + 0x0a, pci_class(gpu) >> 8);
	put_le32(config + 0x10, (uint32_t)gpu->bar_base | 0xc);
	put_le32(config + 0x14, (uint32_t)(gpu->bar_base >> 32));
	put_le16(config + 0x2c, gpu->subvendor_id);
	put_le16(config + 0x2e, gpu->subdevice_id);
	tree_bytes(g->t, g->dir, "config", config, sizeof(config));
}

static void write_resource(struct gpu_tree *g)
{
	const struct machine_gpu *gpu = g->gpu;
	char text[1024];
	size_t n = 0;

	for (unsigned int bar = 0; bar < 13; bar++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "0x%016" PRIx64 " 0x%016" PRIx64 " 0x%016x\n",
				      bar ? 0 : gpu->bar_base,
				      bar ? 0 : gpu->bar_base + gpu->bar_bytes - 1,
				      bar ? 0 : 0x14220c);
	tree_bytes(g->t, g->dir, "resource", text, n);
}

static void write_pci_ids(struct gpu_tree *g)
{
	const struct machine_gpu *gpu = g->gpu;

	tree_file(g->t, g->dir, "vendor", "0x%04x\n", gpu->vendor_id);
	tree_file(g->t, g->dir, "device", "0x%04x\n", gpu->device_id);
	tree_file(g->t, g->dir, "subsystem_vendor", "0x%04x\n", gpu->subvendor_id);
	tree_file(g->t, g->dir, "subsystem_device", "0x%04x\n", gpu->subdevice_id);
	tree_file(g->t, g->dir, "revision", "0x%02x\n", gpu->revision);
	tree_file(g->t, g->dir, "class", "0x%06x\n", pci_class(gpu));
	tree_file(g->t, g->dir, "modalias", "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi00\n",
		  gpu->vendor_id, gpu->device_id, gpu->subvendor_id, gpu->subdevice_id,
		  pci_class(gpu) >> 16, pci_class(gpu) >> 8 & 0xff);
	tree_file(g->t, g->dir, "uevent",
		  "DRIVER=amdgpu\nPCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\n"
		  "PCI_SLOT_NAME=%.16s\n"
		  "MODALIAS=pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi00\n",
		  pci_class(gpu), gpu->vendor_id, gpu->device_id, gpu->subvendor_id,
		  gpu->subdevice_id, g->name, gpu->vendor_id, gpu->device_id, gpu->subvendor_id,
		  gpu->subdevice_id, pci_class(gpu) >> 16, pci_class(gpu) >> 8 & 0xff);
}

static void write_pci(struct gpu_tree *g)
{
	static const char *const speed_files[] = { "current_link_speed", "max_link_speed" };
	static const char *const width_files[] = { "current_link_width", "max_link_width" };
	const struct machine_gpu *gpu = g->gpu;

	write_pci_ids(g);
	write_config(g);
	write_resource(g);
	tree_file(g->t, g->dir, "enable", "1\n");
	tree_file(g->t, g->dir, "irq", "%u\n", 64 + g->index);
	tree_file(g->t, g->dir, "numa_node", "%u\n", gpu->socket);
	for (unsigned int i = 0; i < 2; i++) {
		tree_file(g->t, g->dir, speed_files[i], "%u.%u GT/s PCIe\n", gpu->pcie_gts_x10 / 10,
			  gpu->pcie_gts_x10 % 10);
		tree_file(g->t, g->dir, width_files[i], "%u\n", gpu->pcie_lanes);
	}
	tree_link(g->t, g->dir, "subsystem", "../../../bus/pci");
	tree_link(g->t, g->dir, "driver", "../../../bus/pci/drivers/amdgpu");
	tree_link(g->t, "/sys/bus/pci/devices", g->name, "../../..%s", g->dir + strlen("/sys"));
	tree_link(g->t, "/sys/bus/pci/drivers/amdgpu", g->name, "../../../..%s",
		  g->dir + strlen("/sys"));
}

static void write_memory(struct gpu_tree *g)
{
	const struct machine_gpu *gpu = g->gpu;

	tree_file(g->t, g->dir, "mem_info_vram_total", "%" PRIu64 "\n", gpu->vram);
	tree_file(g->t, g->dir, "mem_info_vis_vram_total", "%" PRIu64 "\n", gpu->visible_vram);
	tree_file(g->t, g->dir, "mem_info_gtt_total", "%" PRIu64 "\n",
		  machine_gtt_bytes(g->t->m));
	tree_live(g->t, g->dir, "mem_info_vram_used");
	tree_live(g->t, g->dir, "mem_info_vis_vram_used");
	tree_live(g->t, g->dir, "mem_info_gtt_used");
	tree_file(g->t, g->dir, "mem_info_vram_vendor", "unknown\n");
}

/* Two levels of a clock, the upper one in use. */
static void write_clock(struct gpu_tree *g, const char *name, unsigned int mhz)
{
	tree_file(g->t, g->dir, name, "0: %uMhz \n1: %uMhz *\n", mhz / 2, mhz);
}

static void write_power(struct gpu_tree *g)
{
	const struct machine_asic *a = &g->gpu->asic;

	tree_file(g->t, g->dir, "power_dpm_state", "performance\n");
	tree_file(g->t, g->dir, "power_dpm_force_performance_level", "auto\n");
	write_clock(g, "pp_dpm_sclk", a->max_clk_mhz);
	write_clock(g, "pp_dpm_mclk", a->mem_clk_mhz);
	write_clock(g, "pp_dpm_socclk", 1000);
	write_clock(g, "pp_dpm_fclk", 1600);
	tree_file(g->t, g->dir, "pp_dpm_pcie", "0: 2.5GT/s, x1 \n1: %u.%uGT/s, x%u *\n",
		  g->gpu->pcie_gts_x10 / 10, g->gpu->pcie_gts_x10 % 10, g->gpu->pcie_lanes);
	tree_file(g->t, g->dir, "gpu_busy_percent", "0\n");
	tree_file(g->t, g->dir, "mem_busy_percent", "0\n");
	tree_file(g->t, g->dir, "pcie_replay_count", "0\n");
}

static void write_firmware(struct gpu_tree *g)
{
	const struct machine_asic *a = &g->gpu->asic;
	char dir[TREE_PATH_MAX];

	snprintf(dir, sizeof(dir), "%.200s/fw_version", g->dir);
	tree_file(g->t, dir, "mec_fw_version", "0x%08x\n", a->fw_version);
	tree_file(g->t, dir, "mec2_fw_version", "0x%08x\n", a->fw_version);
	tree_file(g->t, dir, "sdma_fw_version", "0x%08x\n", a->sdma_fw_version);
	tree_file(g->t, dir, "sdma2_fw_version", "0x%08x\n", a->sdma_fw_version);
}

static void write_identity(struct gpu_tree *g)
{
	const struct machine_gpu *gpu = g->gpu;

	tree_file(g->t, g->dir, "vbios_version", "113-VKFD-%04X\n", gpu->device_id);
	tree_file(g->t, g->dir, "product_name", "%s\n", gpu->product);
	if (gpu->unique_id) {
		tree_file(g->t, g->dir, "unique_id", "%016" PRIx64 "\n", gpu->unique_id);
		tree_file(g->t, g->dir, "serial_number", "%016" PRIx64 "\n", gpu->unique_id);
	}
	if (gpu->hive_id)
		tree_file(g->t, g->dir, "xgmi_error", "0\n");
}

/* Error counters of a chip with ECC, which never has any. */
static void write_ras(struct gpu_tree *g)
{
	static const char *const blocks[] = { "gfx", "hdp", "mmhub", "pcie_bif", "sdma", "umc",
					      "xgmi_wafl" };
	char dir[TREE_PATH_MAX];

	if (!machine_asic_has_ecc(&g->gpu->asic))
		return;
	snprintf(dir, sizeof(dir), "%.200s/ras", g->dir);
	tree_file(g->t, dir, "features", "feature mask: 0x%x\n", RAS_FEATURES);
	tree_file(g->t, dir, "gpu_vram_bad_pages", "%s", "");
	for (size_t i = 0; i < VKF_ARRAY_SIZE(blocks); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s_err_count", blocks[i]);
		tree_file(g->t, dir, name, "ue: 0\nce: 0\n");
	}
}

static void write_temperatures(struct gpu_tree *g, const char *dir)
{
	static const char *const labels[] = { "edge", "junction", "mem" };

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(labels); i++) {
		char name[32];

		snprintf(name, sizeof(name), "temp%u_label", i + 1);
		tree_file(g->t, dir, name, "%s\n", labels[i]);
		snprintf(name, sizeof(name), "temp%u_input", i + 1);
		tree_file(g->t, dir, name, "%u\n", 35000 + 1000 * i);
		snprintf(name, sizeof(name), "temp%u_crit", i + 1);
		tree_file(g->t, dir, name, "100000\n");
		snprintf(name, sizeof(name), "temp%u_crit_hyst", i + 1);
		tree_file(g->t, dir, name, "-273150\n");
		snprintf(name, sizeof(name), "temp%u_emergency", i + 1);
		tree_file(g->t, dir, name, "105000\n");
	}
}

/* Sensors at rest: this driver models no heat and no power. Boards for servers have no fan. */
static void write_hwmon(struct gpu_tree *g)
{
	char dir[TREE_PATH_MAX];

	snprintf(dir, sizeof(dir), "%.200s/hwmon/hwmon%u", g->dir, g->index);
	tree_file(g->t, dir, "name", "amdgpu\n");
	write_temperatures(g, dir);
	if (g->gpu->display) {
		tree_file(g->t, dir, "fan1_input", "600\n");
		tree_file(g->t, dir, "pwm1", "51\n");
		tree_file(g->t, dir, "pwm1_enable", "2\n");
		tree_file(g->t, dir, "pwm1_max", "255\n");
		tree_file(g->t, dir, "pwm1_min", "0\n");
	}
	tree_file(g->t, dir, "power1_label", "PPT\n");
	tree_file(g->t, dir, "power1_average", "40000000\n");
	tree_file(g->t, dir, "power1_cap", "300000000\n");
	tree_file(g->t, dir, "power1_cap_default", "300000000\n");
	tree_file(g->t, dir, "power1_cap_max", "300000000\n");
	tree_file(g->t, dir, "power1_cap_min", "0\n");
	tree_file(g->t, dir, "in0_label", "vddgfx\n");
	tree_file(g->t, dir, "in0_input", "800\n");
	tree_file(g->t, dir, "freq1_label", "sclk\n");
	tree_file(g->t, dir, "freq1_input", "%u000000\n", g->gpu->asic.max_clk_mhz);
	tree_file(g->t, dir, "freq2_label", "mclk\n");
	tree_file(g->t, dir, "freq2_input", "%u000000\n", g->gpu->asic.mem_clk_mhz);
	tree_link(g->t, dir, "device", "../../../%.16s", g->name);
}

/* One DRM node: device file, its directory below the PCI device, and the ways that lead there. */
static void write_minor(struct gpu_tree *g, const char *node, unsigned int minor,
			const char *by_path)
{
	char dir[TREE_PATH_MAX], name[64];

	snprintf(dir, sizeof(dir), "%.200s/drm/%s", g->dir, node);
	tree_dev(g->t, "/dev/dri", node, MACHINE_DRM_MAJOR, minor);
	tree_file(g->t, dir, "dev", "%u:%u\n", MACHINE_DRM_MAJOR, minor);
	tree_file(g->t, dir, "uevent", "MAJOR=%u\nMINOR=%u\nDEVNAME=dri/%s\nDEVTYPE=drm_minor\n",
		  MACHINE_DRM_MAJOR, minor, node);
	tree_link(g->t, dir, "device", "../../../%.16s", g->name);
	tree_link(g->t, dir, "subsystem", "../../../../../class/drm");
	tree_link(g->t, "/sys/class/drm", node, "../..%s", dir + strlen("/sys"));
	snprintf(name, sizeof(name), "%u:%u", MACHINE_DRM_MAJOR, minor);
	tree_link(g->t, "/sys/dev/char", name, "../..%s", dir + strlen("/sys"));
	snprintf(name, sizeof(name), "pci-%.16s-%s", g->name, by_path);
	tree_link(g->t, "/dev/dri/by-path", name, "../%s", node);
}

void machine_sysfs_gpu(struct tree *t, unsigned int index)
{
	struct gpu_tree g = { .t = t, .gpu = &t->m->gpus[index], .index = index };
	char node[32];

	machine_pci_name(g.gpu, g.name);
	machine_pci_dir(g.gpu, g.dir);
	write_pci(&g);
	write_identity(&g);
	write_memory(&g);
	write_power(&g);
	write_firmware(&g);
	write_ras(&g);
	write_hwmon(&g);
	snprintf(node, sizeof(node), "card%u", g.gpu->card_minor);
	write_minor(&g, node, g.gpu->card_minor, "card");
	snprintf(node, sizeof(node), "renderD%u", g.gpu->render_minor);
	write_minor(&g, node, g.gpu->render_minor, "render");
}
