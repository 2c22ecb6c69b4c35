/* SPDX-License-Identifier: MIT */
#include "kfd/doorbell.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct machine_asic vega20 = { .gfx_target = 90006, .doorbell64 = true };
static const struct machine_asic vega10 = { .gfx_target = 90000, .doorbell64 = true };
static const struct machine_asic fiji = { .gfx_target = 80003 };

static unsigned int take(struct kfd_pdd *pdd, const struct machine_asic *asic,
			 const struct kfd_sdma_slot *sdma)
{
	unsigned int id = ~0u;

	assert_int_equal(kfd_doorbell_take(pdd, asic, 7, sdma, &id), 0);
	return id;
}

static void compute_queues_get_the_lowest_that_is_not_routed(void **state)
{
	static struct kfd_pdd pdd;

	memset(&pdd, 0, sizeof(pdd));
	kfd_doorbells_init(&pdd, &vega20);
	for (unsigned int i = 0; i < 0x100; i++)
		assert_int_equal(take(&pdd, &vega20, NULL), i);
	assert_int_equal(take(&pdd, &vega20, NULL), 0x190);
	kfd_doorbell_give(&pdd, &vega20, 5, false);
	assert_int_equal(take(&pdd, &vega20, NULL), 5);
}

static void all_taken_is_busy(void **state)
{
	static struct kfd_pdd pdd;
	unsigned int id = 1234, n = 0;

	memset(&pdd, 0, sizeof(pdd));
	kfd_doorbells_init(&pdd, &vega20);
	while (kfd_doorbell_take(&pdd, &vega20, 0, NULL, &id) == 0)
		n++;
	assert_int_equal(n, 1024 - 2 * 0x90);
	id = 1234;
	assert_int_equal(kfd_doorbell_take(&pdd, &vega20, 0, NULL, &id), -EBUSY);
	assert_int_equal(id, 1234);
}

static void sdma_queues_of_an_engine_alternate_with_its_mirror(void **state)
{
	static struct kfd_pdd pdd;

	memset(&pdd, 0, sizeof(pdd));
	for (unsigned int q = 0; q < 8; q++) {
		struct kfd_sdma_slot s = { .engine = 3, .queue = q };

		assert_int_equal(take(&pdd, &vega20, &s), 0x11e + q / 2 + q % 2 * 512);
	}
	assert_int_equal(take(&pdd, &vega10, &(struct kfd_sdma_slot){ .engine = 1, .queue = 1 }),
			 0xf2 + 512);
}

static void before_soc15_the_queue_id_is_the_number(void **state)
{
	static struct kfd_pdd pdd;

	memset(&pdd, 0, sizeof(pdd));
	kfd_doorbells_init(&pdd, &fiji);
	assert_int_equal(take(&pdd, &fiji, NULL), 7);
	assert_int_equal(take(&pdd, &fiji, &(struct kfd_sdma_slot){ .engine = 1 }), 7);
	assert_int_equal(kfd_doorbell_bytes(&fiji), 4);
	assert_int_equal(kfd_doorbell_bytes(&vega10), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compute_queues_get_the_lowest_that_is_not_routed),
		cmocka_unit_test(all_taken_is_busy),
		cmocka_unit_test(sdma_queues_of_an_engine_alternate_with_its_mirror),
		cmocka_unit_test(before_soc15_the_queue_id_is_the_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
