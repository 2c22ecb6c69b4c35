/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_system *system_with(uint64_t ram)
{
	struct mm_system_config config = { .ram_bytes = ram, .bus_base = VKF_GIB(4) };
	struct mm_system *system;

	host_sched_install();
	assert_int_equal(mm_system_create(&config, &system), 0);
	return system;
}

static void a_gpu_that_cannot_be_is_refused(void **state)
{
	struct mm_system *system = system_with(VKF_GIB(64));
	struct mm_device_config config = { .vram_bytes = VKF_GIB(1), .va_bits = 47 };
	struct mm_device *dev = NULL;

	assert_int_equal(mm_device_create(system, &config, &dev), -EINVAL);
	config.va_bits = 48;
	config.vram_bytes = 0;
	assert_int_equal(mm_device_create(system, &config, &dev), -EINVAL);
	assert_null(dev);
	mm_system_destroy(system);
	mm_device_destroy(NULL);
}

static void gtt_is_half_of_ram_but_at_least_3_gib(void **state)
{
	static const uint64_t ram[] = { VKF_GIB(64), VKF_GIB(4) },
			      gtt[] = { VKF_GIB(32), VKF_GIB(3) };

	for (unsigned int i = 0; i < 2; i++) {
		struct mm_system *system = system_with(ram[i]);
		struct mm_device_config config = { .vram_bytes = VKF_GIB(1), .va_bits = 48 };
		struct mm_device_usage usage;
		struct mm_device *dev;

		assert_int_equal(mm_device_create(system, &config, &dev), 0);
		mm_device_usage(dev, &usage);
		assert_int_equal(usage.gtt_total, gtt[i]);
		mm_device_destroy(dev);
		config.gtt_bytes = VKF_MIB(100);
		assert_int_equal(mm_device_create(system, &config, &dev), 0);
		mm_device_usage(dev, &usage);
		assert_int_equal(usage.gtt_total, VKF_MIB(100));
		mm_device_destroy(dev);
		mm_system_destroy(system);
	}
}

static void tells_its_number_and_sizes(void **state)
{
	struct mm_system *system = system_with(VKF_GIB(64));
	struct mm_device_config config = {
		.index = 3,
		.vram_bytes = VKF_GIB(3) + 100,
		.visible_bytes = VKF_MIB(256),
		.va_bits = 40,
	};
	struct mm_device_usage usage;
	struct mm_device *dev;

	assert_int_equal(mm_device_create(system, &config, &dev), 0);
	assert_int_equal(mm_device_index(dev), 3);
	mm_device_usage(dev, &usage);
	assert_int_equal(usage.vram_total, VKF_GIB(3));
	assert_int_equal(usage.visible_total, VKF_MIB(256));
	assert_int_equal(usage.vram_used + usage.vram_managed + usage.page_tables, 0);
	mm_device_destroy(dev);
	mm_system_destroy(system);
}

static void available_falls_by_2_mib_for_a_page_and_ignores_page_tables(void **state)
{
	struct mm_fixture f;
	struct mm_bo *bo;
	uint64_t before;

	mm_fixture_init(&f, NULL);
	before = mm_device_available(f.dev[0]);
	assert_int_equal(before, VKF_MIB(248));
	mm_fixture_vm(&f, 0);
	assert_int_equal(mm_device_available(f.dev[0]), before);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, 1);
	assert_int_equal(mm_device_available(f.dev[0]), before - VKF_MIB(2));
	mm_bo_put(bo);
	assert_int_equal(mm_device_available(f.dev[0]), before);
	mm_fixture_fini(&f);
}

static void a_leak_dies_at_destroy(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_fixture f;
	struct mm_bo *bo;

	mm_fixture_init(&f, NULL);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, 4096);
	EXPECT_PANIC("used", mm_device_destroy(f.dev[0]));
	vkf_mutex_unlock(&f.system->quota.lock);
	vkf_list_add(&f.dev[0]->link, &f.system->devices);
	vkf_mutex_init(&f.dev[0]->moves.lock, VKF_RANK_FENCE);
	mm_bo_put(bo);
	mm_fixture_fini(&f);
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gpu_that_cannot_be_is_refused),
		cmocka_unit_test(gtt_is_half_of_ram_but_at_least_3_gib),
		cmocka_unit_test(tells_its_number_and_sizes),
		cmocka_unit_test(available_falls_by_2_mib_for_a_page_and_ignores_page_tables),
		cmocka_unit_test(a_leak_dies_at_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
