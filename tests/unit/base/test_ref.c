/* SPDX-License-Identifier: MIT */
#include "base/ref.h"

#include "support.h"

static void only_the_last_put_says_so(void **state)
{
	struct vkf_ref r;

	vkf_ref_init(&r);
	vkf_ref_get(&r);
	assert_int_equal(vkf_ref_read(&r), 2);
	assert_false(vkf_ref_put(&r));
	assert_true(vkf_ref_put(&r));
}

#ifdef VKFD_DEBUG
static void a_dead_reference_cannot_be_taken_or_dropped(void **state)
{
	struct vkf_ref r;

	vkf_ref_init(&r);
	assert_true(vkf_ref_put(&r));
	EXPECT_PANIC("old != 0", vkf_ref_get(&r));
	vkf_ref_init(&r);
	assert_true(vkf_ref_put(&r));
	EXPECT_PANIC("old != 0", (void)vkf_ref_put(&r));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_last_put_says_so),
#ifdef VKFD_DEBUG
		cmocka_unit_test(a_dead_reference_cannot_be_taken_or_dropped),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
