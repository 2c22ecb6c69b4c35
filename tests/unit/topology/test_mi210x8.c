/* SPDX-License-Identifier: MIT */
/* The computed tree of machines/mi210x8.json against that of the real machine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <cmocka.h>

#include "capture.h"

#define REAL_DIR DATA_DIR "/mi210x8-xgmi-pcie"
#define TOPOLOGY "/sys/devices/virtual/kfd/kfd/topology"

static struct capture ours;
static size_t n_real;

static int compare_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char mine[512], *real;
	size_t len = 0;

	if (type != FTW_F)
		return 0;
	snprintf(mine, sizeof(mine), "%s%s", TOPOLOGY, path + strlen(REAL_DIR));
	real = capture_read_file(path, &len);
	assert_non_null(real);
	if (strcmp(capture_text(&ours, mine), real))
		fail_msg("%s differs:\n--- real\n%s--- computed\n%s", mine, real,
			 capture_text(&ours, mine));
	free(real);
	n_real++;
	return 0;
}

static void every_file_of_the_real_machine_is_reproduced(void **state)
{
	assert_int_equal(nftw(REAL_DIR, compare_file, 16, FTW_PHYS), 0);
	assert_int_equal(n_real, 100);
}

/* The dump has properties and links of every node, so none of ours may be surplus. */
static void no_link_is_computed_that_the_real_machine_lacks(void **state)
{
	size_t n = 0;

	for (size_t i = 0; i < ours.n; i++) {
		const char *path = ours.entries[i].path;

		if (strncmp(path, TOPOLOGY "/nodes/", strlen(TOPOLOGY "/nodes/")) ||
		    ours.entries[i].kind != CAPTURE_FILE || strstr(path, "/caches/") ||
		    strstr(path, "/mem_banks/") || strstr(path, "/gpu_id") ||
		    strstr(path, "/name"))
			continue;
		n++;
	}
	assert_int_equal(n, n_real);
}

static int setup(void **state)
{
	capture_machine("mi210x8", NULL, 0, &ours);
	return 0;
}

static int teardown(void **state)
{
	capture_fini(&ours);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_of_the_real_machine_is_reproduced),
		cmocka_unit_test(no_link_is_computed_that_the_real_machine_lacks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
