/* SPDX-License-Identifier: MIT */
#include "drm/ioctl_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FAITHFUL, PARTIAL, REFUSED };

static void no_number_stands_twice(void **state)
{
	const struct drm_feature *f;

	for (unsigned int i = 0; (f = drm_feature(i)); i++) {
		if (!strncmp(f->name, "AMDGPU_INFO:", 12))
			break;
		assert_ptr_equal(&drm_ioctl_row(f->nr)->feature, f);
	}
	assert_null(drm_ioctl_row(0x9f));
}

static void refused_rows_have_an_errno_and_no_handler(void **state)
{
	const struct drm_feature *f;

	for (unsigned int i = 0; (f = drm_feature(i)); i++) {
		const struct drm_ioctl_row *row = drm_ioctl_row(f->nr);

		if (!strncmp(f->name, "AMDGPU_INFO:", 12))
			break;
		assert_int_equal(f->level == REFUSED, row->handler == NULL);
		assert_int_equal(f->level == REFUSED, row->refusal < 0);
		if (f->level == REFUSED)
			assert_int_equal(f->note[0], 'E');
		if (f->level == PARTIAL)
			assert_true(strlen(f->note) > 0);
	}
}

static void every_query_stands_in_the_report(void **state)
{
	const struct drm_feature *f;
	unsigned int queries = 0;
	bool seen[256] = { false };

	for (unsigned int i = 0; (f = drm_feature(i)); i++) {
		if (strncmp(f->name, "AMDGPU_INFO:", 12))
			continue;
		assert_true(f->nr < 256);
		assert_false(seen[f->nr]);
		seen[f->nr] = true;
		queries++;
	}
	assert_true(queries >= 24);
	assert_true(seen[0x00] && seen[0x15] && seen[0x16] && seen[0x19]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_number_stands_twice),
		cmocka_unit_test(refused_rows_have_an_errno_and_no_handler),
		cmocka_unit_test(every_query_stands_in_the_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
