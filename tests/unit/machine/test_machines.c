/* SPDX-License-Identifier: MIT */
/* The machine files that are shipped. */
#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macro.h"
#include "capture.h"

static struct machine_profile m;

static void every_file_loads_and_is_named_as_its_machine(void **state)
{
	DIR *dir = opendir(MACHINES_DIR);
	unsigned int n = 0;
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		char *dot = strstr(e->d_name, ".json");

		if (!dot)
			continue;
		*dot = '\0';
		capture_load(e->d_name, NULL, 0, &m);
		assert_string_equal(m.name, e->d_name);
		assert_true(strlen(m.summary) > 20);
		for (unsigned int i = 0; i < m.n_gpus; i++)
			assert_true(strlen(m.gpus[i].product) > 0);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 7);
}

static void they_are_the_machines_that_they_are_said_to_be(void **state)
{
	static const struct {
		const char *name;
		unsigned int gpus, sockets, gfx_target, va_bits;
		bool hive, large_bar;
	} machines[] = {
		{ "fiji", 2, 1, 80003, 40, false, true },
		{ "mi100x4", 4, 1, 90008, 48, true, true },
		{ "mi210x2", 2, 1, 90010, 48, false, true },
		{ "mi210x8", 8, 2, 90010, 48, true, true },
		{ "mi250x", 2, 1, 90010, 48, true, true },
		{ "vega10-smallbar", 1, 1, 90000, 48, false, false },
		{ "vega20", 1, 1, 90006, 48, false, true },
	};

	for (size_t i = 0; i < VKF_ARRAY_SIZE(machines); i++) {
		capture_load(machines[i].name, NULL, 0, &m);
		assert_int_equal(m.n_gpus, machines[i].gpus);
		assert_int_equal(m.n_sockets, machines[i].sockets);
		assert_int_equal(m.gpus[0].asic.gfx_target, machines[i].gfx_target);
		assert_int_equal(m.gpus[0].asic.va_bits, machines[i].va_bits);
		assert_int_equal(m.gpus[0].hive_id != 0, machines[i].hive);
		assert_int_equal(m.gpus[0].visible_vram == m.gpus[0].vram, machines[i].large_bar);
	}
}

static void small_vram_works_on_each(void **state)
{
	static const char *const names[] = { "fiji",   "mi100x4", "mi210x2", "mi210x8",
					     "mi250x", "vega20",  "vega10-smallbar" };
	static const char *const sets[] = { "gpu.vram=32MiB" };

	for (size_t i = 0; i < VKF_ARRAY_SIZE(names); i++) {
		capture_load(names[i], sets, 1, &m);
		assert_int_equal(m.gpus[0].vram, VKF_MIB(32));
		assert_int_equal(m.gpus[0].visible_vram, VKF_MIB(32));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_loads_and_is_named_as_its_machine),
		cmocka_unit_test(they_are_the_machines_that_they_are_said_to_be),
		cmocka_unit_test(small_vram_works_on_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
