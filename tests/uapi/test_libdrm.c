/* SPDX-License-Identifier: MIT */
/* libdrm_amdgpu itself, unmodified: through the shim only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <amdgpu.h>
#include <amdgpu_drm.h>
#include <unistd.h>
#include "kfd_calls.h"

static amdgpu_device_handle start(int fd)
{
	amdgpu_device_handle dev;
	uint32_t major, minor;

	assert_true(fd >= 0);
	assert_int_equal(amdgpu_device_initialize(fd, &major, &minor, &dev), 0);
	assert_int_equal(major, 3);
	assert_true(minor >= 57);
	return dev;
}

static void a_render_node_initializes(void **state)
{
	amdgpu_device_handle dev = start(uapi_open_render(0));
	struct amdgpu_gpu_info info;
	const char *name;

	assert_int_equal(amdgpu_query_gpu_info(dev, &info), 0);
	assert_int_equal(info.asic_id, 0x740f);
	assert_int_equal(info.family_id, AMDGPU_FAMILY_AI);
	assert_int_equal(info.gb_addr_cfg, 0x22014042);
	assert_int_equal(info.cu_active_number, 104);
	name = amdgpu_get_marketing_name(dev);
	if (name)
		assert_string_equal(name, "AMD Instinct MI210");
	assert_int_equal(amdgpu_device_deinitialize(dev), 0);
}

static void a_card_node_initializes(void **state)
{
	assert_int_equal(amdgpu_device_deinitialize(start(uapi_open_card(1))), 0);
}

static void heaps_are_told(void **state)
{
	amdgpu_device_handle dev = start(uapi_open_render(1));
	struct amdgpu_heap_info heap;

	assert_int_equal(amdgpu_query_heap_info(dev, AMDGPU_GEM_DOMAIN_VRAM, 0, &heap), 0);
	assert_int_equal(heap.heap_size, 64 * GIB - 8 * MIB);
	assert_int_equal(amdgpu_query_heap_info(dev, AMDGPU_GEM_DOMAIN_GTT, 0, &heap), 0);
	assert_true(heap.heap_size >= 3 * GIB);
	assert_int_equal(amdgpu_device_deinitialize(dev), 0);
}

static void buffers_are_refused_in_order(void **state)
{
	amdgpu_device_handle dev = start(uapi_open_render(0));
	struct amdgpu_bo_alloc_request rq = {
		.alloc_size = PAGE, .phys_alignment = PAGE, .preferred_heap = AMDGPU_GEM_DOMAIN_GTT
	};
	amdgpu_bo_handle bo;

	assert_int_equal(amdgpu_bo_alloc(dev, &rq, &bo), -EINVAL);
	assert_int_equal(amdgpu_device_deinitialize(dev), 0);
}

/* As the thunk of ROCm 7 does: libdrm's own copy of the descriptor is what KFD gets. */
static void kfd_takes_libdrms_copy_of_the_descriptor(void **state)
{
	struct prog p;
	int fd = uapi_open_render(0), copy;
	amdgpu_device_handle dev = start(fd);

	prog_open(&p);
	copy = amdgpu_device_get_fd(dev);
	assert_int_not_equal(copy, fd);
	assert_int_equal(uapi_close(fd), 0);
	assert_int_equal(acquire_vm(&p, 0, copy), 0);
	assert_int_equal(acquire_vm(&p, 0, copy), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_render_node_initializes),
	cmocka_unit_test(a_card_node_initializes),
	cmocka_unit_test(heaps_are_told),
	cmocka_unit_test(buffers_are_refused_in_order),
	cmocka_unit_test(kfd_takes_libdrms_copy_of_the_descriptor),
};

UAPI_MAIN(tests)
