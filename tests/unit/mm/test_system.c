/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static void a_machine_without_ram_is_refused(void **state)
{
	struct mm_system_config config = { .ram_bytes = 100 };
	struct mm_system *system = NULL;

	host_sched_install();
	assert_int_equal(mm_system_create(&config, &system), -EINVAL);
	assert_null(system);
	mm_system_destroy(NULL);
}

static void limits_are_the_kernels_unless_given(void **state)
{
	struct mm_system_config config = { .ram_bytes = VKF_GIB(128) };
	struct mm_system_usage usage;
	struct mm_system *system;

	assert_int_equal(mm_system_create(&config, &system), 0);
	mm_system_usage(system, &usage);
	assert_int_equal(usage.system_limit, VKF_GIB(126) - VKF_MIB(1536));
	assert_int_equal(usage.ttm_limit, VKF_GIB(64));
	assert_int_equal(usage.system_used + usage.ttm_used, 0);
	mm_system_destroy(system);
	config.system_limit = VKF_MIB(7);
	config.ttm_limit = VKF_MIB(3);
	assert_int_equal(mm_system_create(&config, &system), 0);
	mm_system_usage(system, &usage);
	assert_int_equal(usage.system_limit, VKF_MIB(7));
	assert_int_equal(usage.ttm_limit, VKF_MIB(3));
	mm_system_destroy(system);
}

static void fence_contexts_are_never_the_same(void **state)
{
	struct mm_system_config config = { .ram_bytes = VKF_GIB(128) };
	struct mm_system *system;

	assert_int_equal(mm_system_create(&config, &system), 0);
	assert_int_equal(mm_system_new_context(system), 1);
	assert_int_equal(mm_system_new_context(system), 2);
	mm_system_destroy(system);
}

static void system_memory_is_one_for_all_clients_and_gpus(void **state)
{
	struct mm_fixture_config config = { .n_gpus = 2, .ttm_limit = VKF_MIB(8) };
	struct mm_bo_params params = { .kind = MM_BO_GTT, .size = VKF_MIB(8) };
	struct mm_fixture_client b;
	struct mm_fixture f;
	struct mm_bo *bo, *other;

	mm_fixture_init(&f, &config);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	assert_int_equal(mm_bo_create(b.mm, f.dev[1], &params, &bo), 0);
	params.size = 1;
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &other), -ENOMEM);
	mm_bo_put(bo);
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &other), 0);
	mm_bo_put(other);
	mm_fixture_client_fini(&b);
	mm_fixture_fini(&f);
}

static void a_leak_dies_at_destroy(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_fixture f;

	mm_fixture_init(&f, NULL);
	EXPECT_PANIC("devices", mm_system_destroy(f.system));
	mm_fixture_fini(&f);
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_without_ram_is_refused),
		cmocka_unit_test(limits_are_the_kernels_unless_given),
		cmocka_unit_test(fence_contexts_are_never_the_same),
		cmocka_unit_test(system_memory_is_one_for_all_clients_and_gpus),
		cmocka_unit_test(a_leak_dies_at_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
