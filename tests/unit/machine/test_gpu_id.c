/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/macro.h"
#include "capture.h"

static struct machine_profile m;

#define LOAD(...)                                                                                  \
	do {                                                                                       \
		static const char *const sets_[] = { __VA_ARGS__ };                                \
		capture_load("mi210x2", sets_, VKF_ARRAY_SIZE(sets_), &m);                         \
	} while (0)

/* Values from a CRC-16/ARC over the eight words, worked out apart from this program. */
static void an_id_is_the_kernels_hash_of_slot_board_and_vram(void **state)
{
	capture_load("mi210x2", NULL, 0, &m);
	assert_int_equal(m.gpus[0].gpu_id, 38881);
	assert_int_equal(m.gpus[1].gpu_id, 26576);
}

static void another_size_of_vram_is_another_id(void **state)
{
	LOAD("gpu.0.vram=32GiB");
	assert_int_not_equal(m.gpus[0].gpu_id, 38881);
	assert_int_equal(m.gpus[1].gpu_id, 26576);
}

static void a_taken_id_is_counted_up(void **state)
{
	/* With this board number the second GPU's hash is the first one's. */
	LOAD("gpu.1.subdevice=0x5ee6");
	assert_int_equal(m.gpus[0].gpu_id, 38881);
	assert_int_equal(m.gpus[1].gpu_id, 38882);
}

static void zero_is_no_id(void **state)
{
	LOAD("gpu.1.subdevice=0x1e38");
	assert_int_equal(m.gpus[1].gpu_id, 1);
}

static void counting_up_past_the_end_goes_on_at_one(void **state)
{
	LOAD("gpu.0.subdevice=0x7cea", "gpu.1.subdevice=0x2e38");
	assert_int_equal(m.gpus[0].gpu_id, 0xffff);
	assert_int_equal(m.gpus[1].gpu_id, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_the_kernels_hash_of_slot_board_and_vram),
		cmocka_unit_test(another_size_of_vram_is_another_id),
		cmocka_unit_test(a_taken_id_is_counted_up),
		cmocka_unit_test(zero_is_no_id),
		cmocka_unit_test(counting_up_past_the_end_goes_on_at_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
