/* SPDX-License-Identifier: MIT */
/* What libdrm_amdgpu asks of a node, and what the node refuses. */
#include <errno.h>
#include <string.h>
#include <amdgpu_drm.h>
#include "kfd_calls.h"

#define NOBODY 0xddu

static int info(int fd, uint32_t query, void *to, uint32_t len)
{
	struct drm_amdgpu_info args = {
		.return_pointer = (uintptr_t)to, .return_size = len, .query = query
	};

	return uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args);
}

static void the_driver_is_amdgpu(void **state)
{
	char name[16] = "", date[16] = "", desc[16] = "";
	struct drm_version v = { 0 };
	int fd = uapi_open_render(0);

	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_VERSION, &v), 0);
	assert_int_equal(v.version_major, 3);
	assert_true(v.version_minor >= 57);
	assert_int_equal(v.name_len, 6);
	v.name = name;
	v.name_len = 3;
	v.date = date;
	v.desc = desc;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_VERSION, &v), 0);
	assert_string_equal(name, "amd");
	assert_int_equal(v.name_len, 6);
	assert_string_equal(date, "20150101");
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_VERSION, &v), 0);
	assert_string_equal(name, "amdgpu");
}

static void acceleration_works(void **state)
{
	uint32_t v[2] = { 0, 5 };
	int fd = uapi_open_render(0);

	assert_int_equal(info(fd, AMDGPU_INFO_ACCEL_WORKING, v, sizeof(v)), 0);
	assert_int_equal(v[0], 1);
	assert_int_equal(v[1], 5);
}

static void the_device_is_the_machines(void **state)
{
	struct drm_amdgpu_info_device d = { 0 };
	int fd = uapi_open_render(0);

	assert_int_equal(info(fd, AMDGPU_INFO_DEV_INFO, &d, sizeof(d)), 0);
	assert_int_equal(d.device_id, 0x740f);
	assert_int_equal(d.family, AMDGPU_FAMILY_AI);
	assert_int_equal(d.num_shader_engines, 8);
	assert_int_equal(d.cu_active_number, 104);
	assert_int_equal(d.gpu_counter_freq, 100000);
	assert_int_equal(d.virtual_address_offset, 0x10000);
	assert_int_equal(d.virtual_address_max, 0x800000000000);
	assert_int_equal(d.high_va_offset, 0xffff800000000000);
	assert_int_equal(d.virtual_address_alignment, 4096);
	assert_int_equal(d.vram_type, AMDGPU_VRAM_TYPE_HBM);
	assert_int_equal(d.wave_front_size, 64);
}

static void the_units_of_the_bitmap_are_the_active_ones(void **state)
{
	struct drm_amdgpu_info_device d = { 0 };
	unsigned int n = 0;

	assert_int_equal(info(uapi_open_render(1), AMDGPU_INFO_DEV_INFO, &d, sizeof(d)), 0);
	for (unsigned int i = 0; i < 16; i++)
		n += (unsigned int)__builtin_popcount(d.cu_bitmap[i / 4][i % 4]);
	assert_int_equal(n, d.cu_active_number);
}

static void an_older_program_gets_what_it_has_room_for(void **state)
{
	uint32_t v[4] = { NOBODY, NOBODY, NOBODY, NOBODY };

	assert_int_equal(info(uapi_open_render(0), AMDGPU_INFO_DEV_INFO, v, 4), 0);
	assert_int_equal(v[0], 0x740f);
	assert_int_equal(v[1], NOBODY);
}

static void memory_counts_what_is_used(void **state)
{
	struct drm_amdgpu_memory_info before = { 0 }, after = { 0 };
	struct prog p;
	uint64_t used = 0;

	prog_start(&p);
	assert_int_equal(info(p.render[0], AMDGPU_INFO_MEMORY, &before, sizeof(before)), 0);
	assert_int_equal(before.vram.total_heap_size, 64 * GIB);
	assert_int_equal(before.vram.usable_heap_size, 64 * GIB - 8 * MIB);
	assert_int_equal(before.cpu_accessible_vram.total_heap_size, 64 * GIB);
	assert_true(before.gtt.total_heap_size >= 3 * GIB);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 16 * MIB, F_VRAM, NULL, NULL), 0);
	assert_int_equal(info(p.render[0], AMDGPU_INFO_MEMORY, &after, sizeof(after)), 0);
	assert_int_equal(after.vram.heap_usage - before.vram.heap_usage, 16 * MIB);
	assert_int_equal(info(p.render[0], AMDGPU_INFO_VRAM_USAGE, &used, sizeof(used)), 0);
	assert_int_equal(used, after.vram.heap_usage);
	assert_int_equal(info(p.render[1], AMDGPU_INFO_VRAM_USAGE, &used, sizeof(used)), 0);
	assert_true(used < 16 * MIB);
}

static void gb_addr_config_can_be_read_and_nothing_else(void **state)
{
	struct drm_amdgpu_info args = { 0 };
	uint32_t v = 0;
	int fd = uapi_open_render(0);

	args.return_pointer = (uintptr_t)&v;
	args.return_size = 4;
	args.query = AMDGPU_INFO_READ_MMR_REG;
	args.read_mmr_reg.dword_offset = 0x263e;
	args.read_mmr_reg.count = 1;
	args.read_mmr_reg.instance = 0xffffffff;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), 0);
	assert_int_equal(v, 0x22014042);
	args.read_mmr_reg.dword_offset = 0x263d;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EFAULT);
	args.read_mmr_reg.dword_offset = 0x263e;
	args.read_mmr_reg.count = 2;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EFAULT);
	args.read_mmr_reg.count = 129;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
	args.read_mmr_reg.count = 1;
	args.read_mmr_reg.instance = 4;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
	args.read_mmr_reg.instance = 2 << 8;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
}

static void queries_are_refused_by_their_own_rules(void **state)
{
	char to[64];
	int fd = uapi_open_render(0);

	assert_int_equal(info(fd, 0x7f, to, sizeof(to)), -EINVAL);
	assert_int_equal(info(fd, AMDGPU_INFO_ACCEL_WORKING, to, 0), -EINVAL);
	assert_int_equal(info(fd, AMDGPU_INFO_ACCEL_WORKING, NULL, 4), -EINVAL);
	assert_int_equal(info(fd, AMDGPU_INFO_ACCEL_WORKING, (void *)8, 4), -EFAULT);
	assert_int_equal(info(fd, AMDGPU_INFO_SENSOR, to, 4), -ENOENT);
	assert_int_equal(info(fd, AMDGPU_INFO_RAS_ENABLED_FEATURES, to, 8), -EINVAL);
	assert_int_equal(info(fd, AMDGPU_INFO_VIDEO_CAPS, to, 8), -EINVAL);
	assert_int_equal(info(fd, AMDGPU_INFO_CRTC_FROM_ID, to, 4), -EINVAL);
}

static void firmware_has_versions(void **state)
{
	struct drm_amdgpu_info args = { 0 };
	struct drm_amdgpu_info_firmware fw = { 0 };
	int fd = uapi_open_render(0);

	args.return_pointer = (uintptr_t)&fw;
	args.return_size = sizeof(fw);
	args.query = AMDGPU_INFO_FW_VERSION;
	args.query_fw.fw_type = AMDGPU_INFO_FW_GFX_MEC;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), 0);
	assert_int_not_equal(fw.ver, 0);
	args.query_fw.index = 2;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
	args.query_fw.fw_type = AMDGPU_INFO_FW_SDMA;
	args.query_fw.index = 4;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), 0);
	args.query_fw.index = 5;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
	args.query_fw.index = 0;
	args.query_fw.ip_instance = 1;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
	args.query_fw.ip_instance = 0;
	args.query_fw.fw_type = 0x77;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_INFO, &args), -EINVAL);
}

static void a_render_node_is_no_card(void **state)
{
	struct drm_client c = { 0 };
	struct drm_unique u = { 0 };
	char block[64] = { 0 };
	int render = uapi_open_render(0), card = uapi_open_card(0);

	assert_true(card >= 0);
	assert_int_equal(uapi_ioctl(render, DRM_IOCTL_GET_CLIENT, &c), -EACCES);
	assert_int_equal(uapi_ioctl(render, DRM_IOCTL_GET_UNIQUE, &u), -EACCES);
	assert_int_equal(uapi_ioctl(render, DRM_IOCTL_MODE_GETRESOURCES, block), -EACCES);
	assert_int_equal(uapi_ioctl(render, DRM_IOCTL_GEM_FLINK, block), -EACCES);
	assert_int_equal(uapi_ioctl(card, DRM_IOCTL_GET_CLIENT, &c), 0);
	assert_int_equal(c.auth, 1);
	c.idx = 1;
	assert_int_equal(uapi_ioctl(card, DRM_IOCTL_GET_CLIENT, &c), -EINVAL);
	assert_int_equal(uapi_ioctl(card, DRM_IOCTL_GET_UNIQUE, &u), 0);
	assert_int_equal(u.unique_len, 0);
	assert_int_equal(uapi_ioctl(card, DRM_IOCTL_MODE_GETRESOURCES, block), -EOPNOTSUPP);
	assert_int_equal(uapi_ioctl(card, DRM_IOCTL_AUTH_MAGIC, block), -EACCES);
}

static void what_is_not_there_is_refused(void **state)
{
	char block[512] = { 0 };
	int fd = uapi_open_render(0);

	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_GEM_CREATE, block), -EINVAL);
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_AMDGPU_CS, block), -EINVAL);
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_GEM_CLOSE, block), -EOPNOTSUPP);
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, block), -EOPNOTSUPP);
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, block), -EOPNOTSUPP);
	assert_int_equal(uapi_ioctl(fd, _IOWR('d', 0x9f, char[16]), block), -EINVAL);
	assert_int_equal(uapi_ioctl(fd, _IOWR('d', 0xfe, char[16]), block), -EINVAL);
	assert_int_equal(uapi_ioctl(fd, _IOWR('x', 0x00, struct drm_version), block), -ENOTTY);
}

static void capabilities_say_what_is_not_there(void **state)
{
	struct drm_get_cap cap = { .capability = DRM_CAP_TIMESTAMP_MONOTONIC };
	int fd = uapi_open_render(0);

	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_GET_CAP, &cap), 0);
	assert_int_equal(cap.value, 1);
	cap.capability = DRM_CAP_PRIME;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_GET_CAP, &cap), 0);
	assert_int_equal(cap.value, 0);
	cap.capability = DRM_CAP_DUMB_BUFFER;
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_GET_CAP, &cap), -EOPNOTSUPP);
}

static void only_what_both_sides_say_is_copied(void **state)
{
	struct drm_get_cap cap = { .capability = DRM_CAP_TIMESTAMP_MONOTONIC, .value = 77 };
	int fd = uapi_open_render(0);

	/* Without OUT in the word nothing comes back; with a bad pointer nothing is copied in. */
	assert_int_equal(uapi_ioctl(fd, _IOW('d', 0x0c, struct drm_get_cap), &cap), 0);
	assert_int_equal(cap.value, 77);
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_GET_CAP, NULL), -EFAULT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_driver_is_amdgpu),
	cmocka_unit_test(acceleration_works),
	cmocka_unit_test(the_device_is_the_machines),
	cmocka_unit_test(the_units_of_the_bitmap_are_the_active_ones),
	cmocka_unit_test(an_older_program_gets_what_it_has_room_for),
	cmocka_unit_test(memory_counts_what_is_used),
	cmocka_unit_test(gb_addr_config_can_be_read_and_nothing_else),
	cmocka_unit_test(queries_are_refused_by_their_own_rules),
	cmocka_unit_test(firmware_has_versions),
	cmocka_unit_test(a_render_node_is_no_card),
	cmocka_unit_test(what_is_not_there_is_refused),
	cmocka_unit_test(capabilities_say_what_is_not_there),
	cmocka_unit_test(only_what_both_sides_say_is_copied),
};

UAPI_MAIN(tests)
