/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/macro.h"
#include "capture.h"

static struct machine_profile m;

#define LOAD(name, ...)                                                                            \
	do {                                                                                       \
		static const char *const sets_[] = { __VA_ARGS__ };                                \
		capture_load(name, sets_, VKF_ARRAY_SIZE(sets_), &m);                              \
	} while (0)

static void large_bars_below_the_dma_mask_are_accessible_both_ways(void **state)
{
	capture_load("mi210x2", NULL, 0, &m);
	assert_true(machine_peer_accessible(&m, 0, 1));
	assert_true(machine_peer_accessible(&m, 1, 0));
	assert_false(machine_peer_accessible(&m, 1, 1));
}

static void a_small_bar_hides_its_owner_only(void **state)
{
	LOAD("mi210x2", "gpu.1.visible_vram=256MiB");
	assert_false(machine_peer_accessible(&m, 1, 0));
	assert_true(machine_peer_accessible(&m, 0, 1));
}

static void a_root_port_that_does_not_forward_stops_both_ways(void **state)
{
	LOAD("mi210x2", "gpu.0.p2p=false");
	assert_false(machine_peer_accessible(&m, 0, 1));
	assert_false(machine_peer_accessible(&m, 1, 0));
}

static void an_aperture_above_the_accessors_mask_cannot_be_reached(void **state)
{
	/* Fiji masters 40 bits of address: the first GPU's aperture ends beyond, or just at it. */
	LOAD("fiji", "gpu.0.bar=0x10000000000");
	assert_false(machine_peer_accessible(&m, 0, 1));
	assert_true(machine_peer_accessible(&m, 1, 0));
	LOAD("fiji", "gpu.0.bar=0xff00000000");
	assert_true(machine_peer_accessible(&m, 0, 1));
}

static void the_mask_is_the_accessors_not_the_owners(void **state)
{
	/* 44 bits is nothing to an MI210, which masters 48. */
	LOAD("mi210x2", "gpu.0.bar=0x200000000000");
	assert_true(machine_peer_accessible(&m, 0, 1));
	LOAD("mi100x4", "gpu.0.bar=0x200000000000");
	assert_false(machine_peer_accessible(&m, 0, 1));
	assert_true(machine_peer_accessible(&m, 1, 0));
}

static void a_hive_is_its_members_and_no_others(void **state)
{
	capture_load("mi210x8", NULL, 0, &m);
	assert_true(machine_same_hive(&m, 0, 3));
	assert_true(machine_same_hive(&m, 3, 0));
	assert_true(machine_same_hive(&m, 4, 7));
	assert_false(machine_same_hive(&m, 3, 4));
	assert_false(machine_same_hive(&m, 2, 2));
	capture_load("mi210x2", NULL, 0, &m);
	assert_false(machine_same_hive(&m, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_bars_below_the_dma_mask_are_accessible_both_ways),
		cmocka_unit_test(a_small_bar_hides_its_owner_only),
		cmocka_unit_test(a_root_port_that_does_not_forward_stops_both_ways),
		cmocka_unit_test(an_aperture_above_the_accessors_mask_cannot_be_reached),
		cmocka_unit_test(the_mask_is_the_accessors_not_the_owners),
		cmocka_unit_test(a_hive_is_its_members_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
