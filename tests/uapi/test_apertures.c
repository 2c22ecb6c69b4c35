/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "kfd_calls.h"

static struct kfd_process_device_apertures first_aperture(int kfd)
{
	struct kfd_process_device_apertures a[UAPI_MAX_GPUS] = { 0 };
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a,
		.num_of_nodes = 1,
	};

	assert_int_equal(uapi_ioctl(kfd, K_GET_APERTURES_NEW, &args), 0);
	assert_int_equal(args.num_of_nodes, 1);
	return a[0];
}

static void no_room_asks_for_the_number_of_gpus(void **state)
{
	struct kfd_ioctl_get_process_apertures_new_args args = { 0 };

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_GET_APERTURES_NEW, &args), 0);
	assert_int_equal(args.num_of_nodes, 2);
}

static void room_for_the_cpus_is_accepted_and_cut(void **state)
{
	struct kfd_process_device_apertures a[3] = { 0 };
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a,
		.num_of_nodes = 3,
	};

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_GET_APERTURES_NEW, &args), 0);
	assert_int_equal(args.num_of_nodes, 2);
	assert_int_not_equal(a[0].gpu_id, 0);
	assert_int_not_equal(a[1].gpu_id, 0);
	assert_int_not_equal(a[0].gpu_id, a[1].gpu_id);
	assert_int_equal(a[2].gpu_id, 0);
}

static void more_than_the_machine_has_is_invalid(void **state)
{
	struct kfd_process_device_apertures a[4];
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a,
		.num_of_nodes = 4,
	};

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_GET_APERTURES_NEW, &args), -EINVAL);
}

static void an_array_nobody_can_write_is_a_fault(void **state)
{
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = 8,
		.num_of_nodes = 2,
	};

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_GET_APERTURES_NEW, &args), -EFAULT);
}

static void gfx9_has_48_bit_apertures(void **state)
{
	struct kfd_process_device_apertures a = first_aperture(uapi_open_kfd());

	assert_int_equal(a.lds_base, 0x0001000000000000);
	assert_int_equal(a.lds_limit, 0x00010000ffffffff);
	assert_int_equal(a.scratch_base, 0x0002000000000000);
	assert_int_equal(a.scratch_limit, 0x00020000ffffffff);
	assert_int_equal(a.gpuvm_base, 0x10000);
	assert_int_equal(a.gpuvm_limit, 0x7fffffffffff);
}

static void gfx8_has_40_bits_and_high_apertures(void **state)
{
	struct kfd_process_device_apertures a;

	UAPI_NEED_MACHINE("fiji");
	a = first_aperture(uapi_open_kfd());
	assert_int_equal(a.lds_base, 0x2000000000000000);
	assert_int_equal(a.lds_limit, 0x20000000ffffffff);
	assert_int_equal(a.scratch_base, 0x2000000100000000);
	assert_int_equal(a.scratch_limit, 0x20000001ffffffff);
	assert_int_equal(a.gpuvm_base, 0x10000);
	assert_int_equal(a.gpuvm_limit, (1ull << 40) - 1);
}

static void the_old_call_has_room_for_seven(void **state)
{
	struct kfd_ioctl_get_process_apertures_args old = { 0 };
	uint32_t ids[UAPI_MAX_GPUS];
	int kfd;

	UAPI_NEED_MACHINE("mi210x8");
	kfd = uapi_open_kfd();
	assert_int_equal(uapi_gpus(kfd, ids), 8);
	assert_int_equal(uapi_ioctl(kfd, K_GET_APERTURES, &old), 0);
	assert_int_equal(old.num_of_nodes, 7);
	for (unsigned int i = 0; i < 7; i++)
		assert_int_equal(old.process_apertures[i].gpu_id, ids[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_room_asks_for_the_number_of_gpus),
	cmocka_unit_test(room_for_the_cpus_is_accepted_and_cut),
	cmocka_unit_test(more_than_the_machine_has_is_invalid),
	cmocka_unit_test(an_array_nobody_can_write_is_a_fault),
	cmocka_unit_test(gfx9_has_48_bit_apertures),
	cmocka_unit_test(gfx8_has_40_bits_and_high_apertures),
	cmocka_unit_test(the_old_call_has_room_for_seven),
};

UAPI_MAIN(tests)
