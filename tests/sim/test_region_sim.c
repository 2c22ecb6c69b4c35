/* SPDX-License-Identifier: MIT */
#include "sim/region_sim.h"

#include <errno.h>

#include "../unit/base/support.h"

static void a_huge_region_is_zero_aligned_and_writable(void **state)
{
	struct sim_region r;
	char *p;

	assert_int_equal(sim_region_create(VKF_GIB(64), &r), 0);
	p = r.base;
	assert_true(VKF_IS_ALIGNED((uintptr_t)p, VKF_HUGE_SIZE));
	assert_int_equal(p[VKF_GIB(63)], 0);
	p[VKF_GIB(64) - 1] = 3;
	assert_int_equal(p[VKF_GIB(64) - 1], 3);
	assert_int_equal(r.fd, -1);
	sim_region_destroy(&r);
	assert_null(r.base);
	sim_region_destroy(&r);
}

static void a_punched_hole_reads_zero(void **state)
{
	struct sim_region r;
	char *p;

	assert_int_equal(sim_region_create(16384, &r), 0);
	p = r.base;
	memset(p, 1, 16384);
	assert_int_equal(sim_region_punch(&r, 4096, 4096), 0);
	assert_int_equal(p[4095], 1);
	assert_int_equal(p[4096], 0);
	assert_int_equal(p[8191], 0);
	assert_int_equal(p[8192], 1);
	assert_int_equal(sim_region_punch(&r, 0, 0), 0);
	assert_int_equal(p[0], 1);
	sim_region_destroy(&r);
}

static void senseless_requests_are_refused(void **state)
{
	struct sim_region r = { .fd = 4711 };

	assert_int_equal(sim_region_create(0, &r), -EINVAL);
	assert_int_equal(sim_region_create(UINT64_MAX, &r), -EINVAL);
	assert_int_equal(sim_region_create(INT64_MAX - VKF_MIB(4), &r), -ENOMEM);
	assert_int_equal(r.fd, 4711);
	assert_int_equal(sim_region_create(5000, &r), 0);
	assert_int_equal(r.size, 8192);
	assert_int_equal(sim_region_punch(&r, 1, 4096), -EINVAL);
	assert_int_equal(sim_region_punch(&r, 4096, 8192), -EINVAL);
	assert_int_equal(sim_region_punch(&r, 4096, UINT64_MAX - 4095), -EINVAL);
	sim_region_destroy(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_huge_region_is_zero_aligned_and_writable),
		cmocka_unit_test(a_punched_hole_reads_zero),
		cmocka_unit_test(senseless_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
