/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include "support.h"

static void bytes_hash_as_fnv1a(void **state)
{
	assert_true(vkf_hash_bytes(VKF_HASH_SEED, "", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(vkf_hash_bytes(VKF_HASH_SEED, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(vkf_hash_bytes(VKF_HASH_SEED, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void pieces_hash_as_the_whole(void **state)
{
	uint64_t h = vkf_hash_bytes(VKF_HASH_SEED, "foo", 3);

	assert_true(vkf_hash_bytes(h, "bar", 3) == vkf_hash_bytes(VKF_HASH_SEED, "foobar", 6));
}

static void numbers_hash_as_splitmix64(void **state)
{
	assert_true(vkf_hash_u64(UINT64_C(0x9e3779b97f4a7c15)) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(vkf_hash_u64(UINT64_C(0x9e3779b97f4a7c15) * 2) == UINT64_C(0x6e789e6aa1b965f4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_hash_as_fnv1a),
		cmocka_unit_test(pieces_hash_as_the_whole),
		cmocka_unit_test(numbers_hash_as_splitmix64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
