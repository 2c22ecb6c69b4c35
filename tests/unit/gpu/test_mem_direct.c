/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/mem_direct.h"

static void test_copies_of_every_length_are_exact(void **state)
{
	static unsigned char src[5000], dst[5002];
	size_t len, i;

	for (i = 0; i < sizeof(src); i++)
		src[i] = (unsigned char)(i * 7 + 1);
	for (len = 0; len < sizeof(src); len += len < 600 ? 1 : 97) {
		memset(dst, 0xee, sizeof(dst));
		assert_int_equal(gpu_mem_direct.copy(NULL, dst + 1, src, len), 0);
		assert_memory_equal(dst + 1, src, len);
		assert_int_equal(dst[0], 0xee);
		assert_int_equal(dst[len + 1], 0xee);
	}
}

static void test_long_copies_are_exact_at_every_alignment(void **state)
{
	static unsigned char src[0x80000 + 1000], dst[sizeof(src) + 256];
	size_t i, extra, at;

	for (i = 0; i < sizeof(src); i++)
		src[i] = (unsigned char)(i * 2654435761u >> 13);
	for (extra = 0; extra < 400; extra += 37) {
		for (at = 0; at < 128; at += 13) {
			size_t len = 0x80000 - 100 + extra, from = (at * 7 + extra) % 500;

			memset(dst, 0xee, sizeof(dst));
			assert_int_equal(gpu_mem_direct.copy(NULL, dst + 1 + at, src + from, len),
					 0);
			assert_memory_equal(dst + 1 + at, src + from, len);
			assert_int_equal(dst[at], 0xee);
			assert_int_equal(dst[at + 1 + len], 0xee);
		}
	}
}

static void test_fills_are_exact(void **state)
{
	unsigned char dst[32];

	memset(dst, 0, sizeof(dst));
	assert_int_equal(gpu_mem_direct.fill(NULL, dst + 1, 0x5a5a5a5a, 7), 0);
	assert_memory_equal(dst, "\0\x5a\x5a\x5a\x5a\x5a\x5a\x5a\0", 9);
	assert_int_equal(gpu_mem_direct.fill(NULL, dst + 8, 0x04030201, 8), 0);
	assert_memory_equal(dst + 8, "\1\2\3\4\1\2\3\4\0", 9);
}

static void test_words_are_loaded_stored_and_added(void **state)
{
	uint64_t v64 = UINT64_C(0x100000000), got64;
	uint32_t v32 = 5, got32;

	assert_int_equal(gpu_mem_direct.add64(NULL, &v64, UINT64_MAX), 0);
	assert_int_equal(gpu_mem_direct.load64(NULL, &v64, &got64), 0);
	assert_int_equal(got64, UINT32_MAX);
	assert_int_equal(gpu_mem_direct.store64(NULL, &v64, 7), 0);
	assert_int_equal(v64, 7);
	assert_int_equal(gpu_mem_direct.load32(NULL, &v32, &got32), 0);
	assert_int_equal(got32, 5);
	assert_int_equal(gpu_mem_direct.store32(NULL, &v32, 6), 0);
	assert_int_equal(v32, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_of_every_length_are_exact),
		cmocka_unit_test(test_long_copies_are_exact_at_every_alignment),
		cmocka_unit_test(test_fills_are_exact),
		cmocka_unit_test(test_words_are_loaded_stored_and_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
