/* SPDX-License-Identifier: MIT */
/* Memory policy, clocks, scratch, trap handler, tiling, XNACK */
#include <errno.h>
#include <time.h>
#include "kfd_calls.h"

static int set_policy(struct prog *p, uint32_t gpu_id, uint32_t def, uint32_t alt, uint64_t base,
		      uint64_t size)
{
	struct kfd_ioctl_set_memory_policy_args args = {
		.alternate_aperture_base = base,
		.alternate_aperture_size = size,
		.gpu_id = gpu_id,
		.default_policy = def,
		.alternate_policy = alt,
	};

	return uapi_ioctl(p->kfd, K_SET_MEMORY_POLICY, &args);
}

static void policies_are_coherent_or_not(void **state)
{
	struct prog p;

	prog_start(&p);
	assert_int_equal(set_policy(&p, p.gpu[0], 1, 0, 0x200000, 0x7fffffe00000), 0);
	assert_int_equal(set_policy(&p, p.gpu[0], 2, 0, 0, 0), -EINVAL);
	assert_int_equal(set_policy(&p, p.gpu[0], 0, 2, 0, 0), -EINVAL);
	assert_int_equal(set_policy(&p, 1, 0, 0, 0, 0), -EINVAL);
	/* From gfx9 on the aperture means nothing. */
	assert_int_equal(set_policy(&p, p.gpu[0], 0, 0, 12345, 1), 0);
}

static void on_gfx8_the_aperture_is_checked(void **state)
{
	struct prog p;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	assert_int_equal(set_policy(&p, p.gpu[0], 1, 0, 0, 0), 0);
	assert_int_equal(set_policy(&p, p.gpu[0], 1, 0, 0x10000, 0x10000), 0);
	assert_int_equal(set_policy(&p, p.gpu[0], 1, 0, 0x18000, 0x10000), -EINVAL);
	assert_int_equal(set_policy(&p, p.gpu[0], 1, 0, 0x10000, 0x18000), -EINVAL);
	assert_int_equal(set_policy(&p, p.gpu[0], 1, 0, 0x10000, 0ull - 0x10000), -EINVAL);
}

static uint64_t boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void clocks_advance(void **state)
{
	struct kfd_ioctl_get_clock_counters_args a = { 0 }, b = { 0 };
	uint64_t before = boot_ns();
	struct prog p;

	prog_open(&p);
	a.gpu_id = b.gpu_id = p.gpu[0];
	assert_int_equal(uapi_ioctl(p.kfd, K_GET_CLOCK_COUNTERS, &a), 0);
	do
		assert_int_equal(uapi_ioctl(p.kfd, K_GET_CLOCK_COUNTERS, &b), 0);
	while (b.gpu_clock_counter == a.gpu_clock_counter);
	assert_true(b.gpu_clock_counter > a.gpu_clock_counter);
	assert_true(b.cpu_clock_counter > a.cpu_clock_counter);
	assert_true(b.system_clock_counter > a.system_clock_counter);
	assert_int_equal(b.system_clock_freq, 1000000000);
	assert_in_range(b.system_clock_counter, before, boot_ns());
}

static void an_unknown_gpu_has_no_clock_and_that_is_fine(void **state)
{
	struct kfd_ioctl_get_clock_counters_args a = { .gpu_clock_counter = 5 };

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_GET_CLOCK_COUNTERS, &a), 0);
	assert_int_equal(a.gpu_clock_counter, 0);
	assert_int_not_equal(a.cpu_clock_counter, 0);
}

static void scratch_and_trap_handler_are_taken(void **state)
{
	struct kfd_ioctl_set_scratch_backing_va_args scratch = { .va_addr = VA(1) >> 16 };
	struct kfd_ioctl_set_trap_handler_args trap = { .tba_addr = VA(1), .tma_addr = VA(2) };
	struct prog p;

	prog_start(&p);
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_SCRATCH, &scratch), -EINVAL);
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_TRAP_HANDLER, &trap), -EINVAL);
	scratch.gpu_id = trap.gpu_id = p.gpu[1];
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_SCRATCH, &scratch), 0);
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_TRAP_HANDLER, &trap), 0);
}

static void tile_config_is_cut_to_what_there_is(void **state)
{
	uint32_t tiles[41], macro[41];
	struct kfd_ioctl_get_tile_config_args args = {
		.tile_config_ptr = (uintptr_t)tiles,
		.macro_tile_config_ptr = (uintptr_t)macro,
		.num_tile_configs = 40,
		.num_macro_tile_configs = 40,
	};
	struct prog p;

	tiles[32] = macro[16] = 0xabcdabcd;
	prog_open(&p);
	assert_int_equal(uapi_ioctl(p.kfd, K_GET_TILE_CONFIG, &args), -EINVAL);
	args.gpu_id = p.gpu[0];
	assert_int_equal(uapi_ioctl(p.kfd, K_GET_TILE_CONFIG, &args), 0);
	assert_int_equal(args.num_tile_configs, 32);
	assert_int_equal(args.num_macro_tile_configs, 16);
	assert_int_equal(args.gb_addr_config, 0x22014042);
	assert_int_equal(tiles[0], 0);
	assert_int_equal(tiles[31], 0);
	assert_int_equal(tiles[32], 0xabcdabcd);
	assert_int_equal(macro[16], 0xabcdabcd);
	args.num_tile_configs = 3;
	assert_int_equal(uapi_ioctl(p.kfd, K_GET_TILE_CONFIG, &args), 0);
	assert_int_equal(args.num_tile_configs, 3);
}

static void tile_tables_nobody_can_write_are_a_fault(void **state)
{
	struct kfd_ioctl_get_tile_config_args args = { .num_tile_configs = 4 };
	struct prog p;

	prog_open(&p);
	args.gpu_id = p.gpu[0];
	assert_int_equal(uapi_ioctl(p.kfd, K_GET_TILE_CONFIG, &args), -EFAULT);
	assert_int_equal(args.num_tile_configs, 0);
}

static void what_was_written_before_the_fault_is_told(void **state)
{
	uint32_t tiles[32];
	struct kfd_ioctl_get_tile_config_args args = { .num_tile_configs = 4 };
	struct prog p;

	UAPI_SHIM_DIFFERS();
	prog_open(&p);
	args.gpu_id = p.gpu[0];
	args.tile_config_ptr = (uintptr_t)tiles;
	args.num_macro_tile_configs = 5;
	args.macro_tile_config_ptr = 8;
	assert_int_equal(uapi_ioctl(p.kfd, K_GET_TILE_CONFIG, &args), -EFAULT);
	assert_int_equal(args.num_tile_configs, 4);
	assert_int_equal(args.num_macro_tile_configs, 0);
}

static int xnack(struct prog *p, int32_t mode, int32_t *ret_mode)
{
	struct kfd_ioctl_set_xnack_mode_args args = { .xnack_enabled = mode };
	int r = uapi_ioctl(p->kfd, K_SET_XNACK, &args);

	if (ret_mode)
		*ret_mode = args.xnack_enabled;
	return r;
}

static void xnack_is_off_and_can_be_turned_on_on_gfx90a(void **state)
{
	struct prog p;
	int32_t mode = 5;

	prog_start(&p);
	assert_int_equal(xnack(&p, -1, &mode), 0);
	assert_int_equal(mode, 0);
	assert_int_equal(xnack(&p, 1, NULL), 0);
	assert_int_equal(xnack(&p, -7, &mode), 0);
	assert_int_equal(mode, 1);
	assert_int_equal(xnack(&p, 0, NULL), 0);
	assert_int_equal(xnack(&p, -1, &mode), 0);
	assert_int_equal(mode, 0);
}

static void xnack_cannot_change_under_a_queue(void **state)
{
	struct prog p;
	struct user_queue q;
	int32_t mode;

	prog_start(&p);
	queue_prepare(&p, 1, KFD_IOC_QUEUE_TYPE_SDMA, 1, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(xnack(&p, 1, NULL), -EBUSY);
	assert_int_equal(xnack(&p, 0, NULL), -EBUSY);
	assert_int_equal(xnack(&p, -1, &mode), 0);
	assert_int_equal(queue_destroy(&p, q.args.queue_id), 0);
	assert_int_equal(xnack(&p, 1, NULL), 0);
}

static void older_gpus_cannot_have_xnack(void **state)
{
	struct prog p;
	int32_t mode;

	UAPI_NEED_MACHINE("mi100x4");
	prog_start(&p);
	assert_int_equal(xnack(&p, 0, NULL), 0);
	assert_int_equal(xnack(&p, 1, NULL), -EPERM);
	assert_int_equal(xnack(&p, -1, &mode), 0);
	assert_int_equal(mode, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(policies_are_coherent_or_not),
	cmocka_unit_test(on_gfx8_the_aperture_is_checked),
	cmocka_unit_test(clocks_advance),
	cmocka_unit_test(an_unknown_gpu_has_no_clock_and_that_is_fine),
	cmocka_unit_test(scratch_and_trap_handler_are_taken),
	cmocka_unit_test(tile_config_is_cut_to_what_there_is),
	cmocka_unit_test(tile_tables_nobody_can_write_are_a_fault),
	cmocka_unit_test(what_was_written_before_the_fault_is_told),
	cmocka_unit_test(xnack_is_off_and_can_be_turned_on_on_gfx90a),
	cmocka_unit_test(xnack_cannot_change_under_a_queue),
	cmocka_unit_test(older_gpus_cannot_have_xnack),
};

UAPI_MAIN(tests)
