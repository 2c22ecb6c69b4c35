/* SPDX-License-Identifier: MIT */
#include "base/waits.h"

#include "base/sched.h"
#include "support.h"

static struct vkf_wait_seen seen[VKF_WAITS + 1];

static void a_wait_is_seen_while_it_lasts(void **state)
{
	struct vkf_wait_note *note;

	vkf_sleep_ns(1000, false);
	assert_int_equal(vkf_waits_look(seen, VKF_WAITS), 0);
	vkf_current()->client = 5;
	note = vkf_wait_begin("an event", 7);
	vkf_current()->client = 0;
	vkf_sleep_ns(1000, false);
	assert_int_equal(vkf_waits_look(seen, VKF_WAITS), 1);
	assert_string_equal(seen[0].what, "an event");
	assert_int_equal(seen[0].client, 5);
	assert_int_equal(seen[0].owner, 7);
	assert_int_equal(vkf_now_ns() - seen[0].since_ns, 1000);
	vkf_wait_end(note);
	assert_int_equal(vkf_waits_look(seen, VKF_WAITS), 0);
}

static void waits_for_which_there_is_no_room_are_not_seen(void **state)
{
	struct vkf_wait_note *note[VKF_WAITS];

	for (unsigned int i = 0; i < VKF_WAITS; i++) {
		note[i] = vkf_wait_begin("x", i);
		assert_non_null(note[i]);
	}
	assert_null(vkf_wait_begin("y", 0));
	vkf_wait_end(NULL);
	assert_int_equal(vkf_waits_look(seen, VKF_WAITS + 1), VKF_WAITS);
	assert_int_equal(vkf_waits_look(seen, 3), 3);
	for (unsigned int i = 0; i < VKF_WAITS; i++)
		vkf_wait_end(note[i]);
	note[0] = vkf_wait_begin("z", 0);
	assert_int_equal(vkf_waits_look(seen, VKF_WAITS), 1);
	vkf_wait_end(note[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_is_seen_while_it_lasts),
		cmocka_unit_test(waits_for_which_there_is_no_room_are_not_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
