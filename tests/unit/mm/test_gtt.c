/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"
#include "mm/buddy_report.h"

static struct mm_bus bus;
static struct mm_gtt gtt[2];
static const struct mm_placement anywhere = { 0 };

static int setup(void **state)
{
	host_sched_install();
	assert_int_equal(mm_bus_init(&bus, VKF_GIB(4), VKF_MIB(64)), 0);
	mm_gtt_init(&gtt[0], &bus, "GTT", VKF_MIB(48));
	mm_gtt_init(&gtt[1], &bus, "user pages", UINT64_MAX);
	return 0;
}

static int teardown(void **state)
{
	mm_gtt_fini(&gtt[0]);
	mm_gtt_fini(&gtt[1]);
	mm_bus_fini(&bus);
	return 0;
}

static void has_bus_addresses_from_the_space_of_the_machine(void **state)
{
	struct mm_resource a = { 0 }, b = { 0 };
	struct mm_walk w;

	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_MIB(2), &a), 0);
	assert_int_equal(mm_manager_alloc(&gtt[1].man, &anywhere, VKF_MIB(2), &b), 0);
	mm_walk_resource(&w, &a);
	assert_int_equal(w.addr, VKF_GIB(4));
	assert_int_equal(w.left, VKF_MIB(2));
	mm_walk_resource(&w, &b);
	assert_int_equal(w.addr, VKF_GIB(4) + VKF_MIB(2));
	mm_resource_free(&a);
	mm_resource_free(&b);
}

static void is_refused_beyond_its_limit(void **state)
{
	struct mm_resource a = { 0 }, b = { 0 };

	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_MIB(49), &a), -ENOSPC);
	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_MIB(48), &a), 0);
	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_PAGE_SIZE, &b), -ENOSPC);
	assert_null(b.man);
	mm_resource_free(&a);
	assert_int_equal(gtt[0].man.used, 0);
}

static void is_refused_when_there_is_no_page_left(void **state)
{
	struct mm_resource a = { 0 }, b = { 0 };

	assert_int_equal(mm_manager_alloc(&gtt[1].man, &anywhere, VKF_MIB(60), &a), 0);
	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_MIB(8), &b), -ENOSPC);
	assert_int_equal(gtt[0].man.used, 0);
	assert_int_equal(gtt[0].man.n_resources, 0);
	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_MIB(4), &b), 0);
	mm_resource_free(&a);
	mm_resource_free(&b);
}

static void scattered_pages_will_do(void **state)
{
	static struct mm_resource page[VKF_MIB(64) / VKF_PAGE_SIZE];
	struct mm_resource a = { 0 };
	const unsigned int n = VKF_ARRAY_SIZE(page);

	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(mm_manager_alloc(&gtt[1].man, &anywhere, VKF_PAGE_SIZE, &page[i]),
				 0);
	for (unsigned int i = 0; i < n; i += 2)
		mm_resource_free(&page[i]);
	assert_int_equal(mm_manager_alloc(&gtt[0].man, &anywhere, VKF_MIB(32), &a), 0);
	mm_resource_free(&a);
	for (unsigned int i = 1; i < n; i += 2)
		mm_resource_free(&page[i]);
}

static void out_of_memory_changes_nothing(void **state)
{
	struct mm_resource a = { 0 };
	int r = -1;

	for (unsigned int n = 1; r; n++) {
		fail_alloc(n);
		r = mm_manager_alloc(&gtt[0].man, &anywhere, VKF_PAGE_SIZE, &a);
		vkf_env_set(NULL);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(gtt[0].man.used, 0);
			assert_null(mm_buddy_check(&bus.buddy));
		}
	}
	mm_resource_free(&a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(has_bus_addresses_from_the_space_of_the_machine),
		TEST(is_refused_beyond_its_limit),
		TEST(is_refused_when_there_is_no_page_left),
		TEST(scattered_pages_will_do),
		TEST(out_of_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
