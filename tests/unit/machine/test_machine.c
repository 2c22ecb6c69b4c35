/* SPDX-License-Identifier: MIT */
#include "machine_fixture.h"

#include "base/sched.h"
#include "capture.h"

static struct machine_profile p;

static void a_machine_has_its_own_copy_of_the_profile(void **state)
{
	struct machine *m;

	capture_load("mi210x2", NULL, 0, &p);
	assert_int_equal(machine_create(&p, &m), 0);
	assert_ptr_not_equal(machine_profile(m), &p);
	assert_memory_equal(machine_profile(m), &p, sizeof(p));
	p.n_gpus = 1;
	assert_int_equal(machine_profile(m)->n_gpus, 2);
	machine_destroy(m);
}

static void gpus_are_found_by_id_and_0_is_nobodys(void **state)
{
	const struct machine_profile *profile = machine_profile(fx.m);

	assert_int_equal(machine_gpu_by_id(fx.m, profile->gpus[0].gpu_id), 0);
	assert_int_equal(machine_gpu_by_id(fx.m, profile->gpus[1].gpu_id), 1);
	assert_int_equal(machine_gpu_by_id(fx.m, 0), -ENODEV);
	/* The ids of the GPUs there are not are 0 in the profile. */
	assert_int_equal(profile->gpus[2].gpu_id, 0);
	assert_int_equal(machine_gpu_by_id(fx.m, profile->gpus[0].gpu_id | 1u << 20), -ENODEV);
}

static void each_gpu_has_a_device_of_its_size(void **state)
{
	static const char *const sets[] = { "gpu.0.vram=1GiB", "gpu.1.vram=512MiB",
					    "gpu.1.visible_vram=256MiB", NULL };
	struct mm_device_usage u;

	fx_open("mi210x2", sets);
	mm_device_usage(machine_device(fx.m, 0), &u);
	assert_int_equal(u.vram_total, VKF_GIB(1));
	assert_int_equal(u.visible_total, VKF_GIB(1));
	mm_device_usage(machine_device(fx.m, 1), &u);
	assert_int_equal(u.vram_total, VKF_MIB(512));
	assert_int_equal(u.visible_total, VKF_MIB(256));
	assert_int_equal(mm_device_index(machine_device(fx.m, 1)), 1);
	assert_null(machine_device(fx.m, 2));
	assert_null(machine_device(fx.m, UINT32_MAX));
	fx_close();
}

static void system_limits_follow_all_sockets_ram_unless_set(void **state)
{
	static const char *const ram[] = { "socket.ram=8GiB", NULL };
	static const char *const set[] = { "socket.ram=8GiB", "limit.system=1GiB",
					   "limit.ttm=512MiB", NULL };
	struct mm_system_usage u;

	fx_open("mi210x8", ram); /* two sockets */
	mm_system_usage(machine_system(fx.m), &u);
	assert_int_equal(u.ttm_limit, VKF_GIB(8));
	assert_int_equal(u.system_limit, VKF_GIB(16) - VKF_MIB(256) - VKF_MIB(1536));
	fx_close();
	fx_open("mi210x8", set);
	mm_system_usage(machine_system(fx.m), &u);
	assert_int_equal(u.system_limit, VKF_GIB(1));
	assert_int_equal(u.ttm_limit, VKF_MIB(512));
	fx_close();
}

static void vram_is_limited_for_all_together_unless_overcommitted(void **state)
{
	static const char *const sets[][3] = {
		{ "gpu.vram=256MiB", NULL },
		{ "gpu.vram=256MiB", "policy.vram_limit=overcommit", NULL },
	};

	for (unsigned int over = 0; over < 2; over++) {
		uint64_t before, after;
		struct mm_bo *bo;

		fx_open("mi210x2", sets[over]);
		before = mm_device_available(machine_device(fx.m, 0));
		bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(32));
		after = mm_device_available(machine_device(fx.m, 0));
		assert_int_equal(before - after, over ? 0 : VKF_MIB(32));
		mm_bo_put(bo);
		fx_close();
	}
}

static void the_gpu_clock_counts_tens_of_nanoseconds(void **state)
{
	uint64_t before = machine_gpu_clock(fx.m), ns = fx_now();

	vkf_sleep_ns(VKF_NSEC_PER_MSEC, false);
	assert_true(fx_now() >= ns + VKF_NSEC_PER_MSEC);
	assert_int_equal(machine_gpu_clock(fx.m) - before, fx_now() / 10 - ns / 10);
	assert_int_equal(MACHINE_GPU_CLOCK_KHZ, 100000);
}

static void registers_of_all_gpus_lie_apart(void **state)
{
	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++) {
		assert_int_equal(machine_doorbell_offset(i), i * GPU_BAR_STRIDE);
		assert_int_equal(machine_mmio_offset(i), i * GPU_BAR_STRIDE + 8192);
		assert_true(machine_mmio_offset(i) + VKF_PAGE_SIZE <= (i + 1) * GPU_BAR_STRIDE);
		/* In the hole below 4 GiB, where no RAM is. */
		assert_true(machine_doorbell_bus(fx.m, i) >= VKF_GIB(3));
		assert_true(machine_mmio_bus(fx.m, i) + VKF_PAGE_SIZE <= VKF_GIB(4));
		assert_int_equal(machine_mmio_bus(fx.m, i) - machine_doorbell_bus(fx.m, 0),
				 machine_mmio_offset(i));
	}
}

static void without_memory_nothing_is_made_and_nothing_is_left(void **state)
{
	struct machine *m = NULL;
	unsigned int n;

	capture_load("mi210x8", NULL, 0, &p);
	for (n = 1;; n++) {
		int r;

		n_live_allocs = 0;
		fail_alloc(n);
		r = machine_create(&p, &m);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(m);
		assert_int_equal(n_live_allocs, 0);
	}
	assert_true(n > 8);
	machine_destroy(m);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
}

static void nothing_is_destroyed_as_nothing(void **state)
{
	machine_destroy(NULL);
	machine_client_destroy(NULL);
	machine_render_put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_has_its_own_copy_of_the_profile),
		FX_TEST(gpus_are_found_by_id_and_0_is_nobodys),
		cmocka_unit_test(each_gpu_has_a_device_of_its_size),
		cmocka_unit_test(system_limits_follow_all_sockets_ram_unless_set),
		cmocka_unit_test(vram_is_limited_for_all_together_unless_overcommitted),
		FX_TEST(the_gpu_clock_counts_tens_of_nanoseconds),
		FX_TEST(registers_of_all_gpus_lie_apart),
		cmocka_unit_test(without_memory_nothing_is_made_and_nothing_is_left),
		cmocka_unit_test(nothing_is_destroyed_as_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
