/* SPDX-License-Identifier: MIT */
#include "kfd/ioctl_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void numbers_run_from_1_to_0x26_without_holes(void **state)
{
	assert_null(kfd_ioctl_row(0));
	for (unsigned int nr = 1; nr <= 0x26; nr++) {
		assert_non_null(kfd_ioctl_row(nr));
		assert_int_equal(kfd_ioctl_row(nr)->feature.nr, nr);
		assert_non_null(kfd_ioctl_row(nr)->handler);
		assert_ptr_equal(kfd_feature(nr - 1), &kfd_ioctl_row(nr)->feature);
	}
	assert_null(kfd_ioctl_row(0x27));
	assert_null(kfd_ioctl_row(UINT32_MAX));
	assert_null(kfd_feature(0x26));
}

/* The uAPI's own sizes and directions: W copies in, R out. */
static void sizes_and_directions_are_the_kernels(void **state)
{
	static const struct {
		unsigned int nr;
		const char *dir;
		unsigned int size;
	} want[] = {
		{ 0x01, "R", 8 },   { 0x02, "RW", 96 }, { 0x03, "RW", 8 },  { 0x04, "W", 32 },
		{ 0x05, "RW", 40 }, { 0x06, "R", 400 }, { 0x07, "W", 24 },  { 0x08, "RW", 32 },
		{ 0x09, "W", 8 },   { 0x0a, "W", 8 },   { 0x0b, "W", 8 },   { 0x0c, "RW", 24 },
		{ 0x11, "RW", 16 }, { 0x12, "RW", 40 }, { 0x13, "W", 24 },  { 0x14, "RW", 16 },
		{ 0x15, "W", 8 },   { 0x16, "RW", 40 }, { 0x17, "W", 8 },   { 0x18, "RW", 24 },
		{ 0x19, "RW", 24 }, { 0x1a, "W", 16 },  { 0x1b, "RW", 24 }, { 0x1c, "RW", 32 },
		{ 0x1d, "RW", 24 }, { 0x1e, "RW", 16 }, { 0x1f, "RW", 8 },  { 0x20, "RW", 24 },
		{ 0x21, "RW", 4 },  { 0x22, "RW", 56 }, { 0x23, "RW", 16 }, { 0x24, "RW", 16 },
		{ 0x25, "RW", 16 }, { 0x26, "RW", 32 },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(want); i++) {
		const struct kfd_ioctl_row *row = kfd_ioctl_row(want[i].nr);
		unsigned int dir = (strchr(want[i].dir, 'W') ? KFD_DIR_IN : 0) |
				   (strchr(want[i].dir, 'R') ? KFD_DIR_OUT : 0);

		if (row->size != want[i].size || row->dir != dir)
			fail_msg("0x%02x: size %u, direction %u", want[i].nr, row->size, row->dir);
	}
}

static void what_is_not_faithful_says_why(void **state)
{
	const struct kfd_feature *f;

	for (unsigned int i = 0; (f = kfd_feature(i)); i++) {
		assert_non_null(f->note);
		if (f->level == KFD_PARTIAL)
			assert_true(strlen(f->note) > 0);
		if (f->level == KFD_REFUSED)
			assert_int_equal(f->note[0], 'E');
	}
}

/* A runtime that sees the bit calls, and does not expect to be refused. */
static void capabilities_without_a_call_behind_them_are_hidden(void **state)
{
	assert_true(kfd_hidden_capability() & 1u << 27);
	assert_true(kfd_hidden_capability() & 1u << 29);
	assert_false(kfd_hidden_capability() & (3u << 12 | 1u << 26));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_run_from_1_to_0x26_without_holes),
		cmocka_unit_test(sizes_and_directions_are_the_kernels),
		cmocka_unit_test(what_is_not_faithful_says_why),
		cmocka_unit_test(capabilities_without_a_call_behind_them_are_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
