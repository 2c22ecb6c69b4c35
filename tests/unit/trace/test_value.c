/* SPDX-License-Identifier: MIT */
#include "trace/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include "spec/pm4.h"
#include "spec/sdma_v4.h"
#include "trace_catch.h"

static char buf[512];

static const char *ioctl_name(uint32_t call)
{
	return call == 0x18 ? "MAP_MEMORY_TO_GPU" : NULL;
}

static const char *client_name(void *cookie, uint32_t client)
{
	return client == 4 ? "bench (123)" : NULL;
}

static const struct trace_names names = { ioctl_name, client_name, NULL };
static const struct trace_names no_names;

static const char *label(const struct vkf_trace_record *rec, const struct trace_names *n)
{
	struct trace_text t;

	trace_text_init(&t, buf, sizeof(buf));
	trace_label_text(&t, trace_desc(rec->event), rec, n);
	assert_false(t.full);
	return buf;
}

static const char *args(const struct vkf_trace_record *rec)
{
	struct trace_text t;

	trace_text_init(&t, buf, sizeof(buf));
	trace_args_json(&t, trace_desc(rec->event), rec, &names);
	assert_false(t.full);
	return buf;
}

#define REC(call) CAUGHT(1, 1, 1, call)

static void labels_have_names_for_numbers(void **state)
{
	char comm[16] = "sixteen letters!";

	assert_string_equal(label(REC(vkf_trace_ioctl_begin(0x18)), &names), "MAP_MEMORY_TO_GPU");
	assert_string_equal(label(REC(vkf_trace_ioctl_begin(0x19)), &names), "kfd ioctl 0x19");
	assert_string_equal(label(REC(vkf_trace_ioctl_begin(0x119)), &no_names), "drm ioctl 0x19");
	assert_string_equal(label(REC(vkf_trace_client_start(1, 77, comm)), &names),
			    "sixteen letters! (77)");
	assert_string_equal(label(REC(vkf_trace_queue_waits(
					  1, 1, 1, trace_packet(1, SDMA_V4_OP_POLL_REGMEM, 0), 1)),
				  &names),
			    "waits: POLL_REGMEM");
	assert_string_equal(
		label(REC(vkf_trace_fence_wait_begin(1, 2, 4, VKF_TRACE_FENCE_EVICTION)), &names),
		"waits for eviction of bench (123)");
	assert_string_equal(
		label(REC(vkf_trace_fence_wait_begin(1, 2, 5, VKF_TRACE_FENCE_PAGE_TABLES)), &names),
		"waits for page_tables of program 5");
	assert_string_equal(label(REC(vkf_trace_fence_wait_begin(1, 2, 0, 200)), &names),
			    "waits for 200 of the driver");
}

static void arguments_are_json(void **state)
{
	char comm[16] = "a\"b\\c\td\xff";

	assert_string_equal(args(REC(vkf_trace_client_start(1, -1, comm))),
			    "{\"client\":\"program 1\",\"pid\":-1,\"comm\":\"a\\\"b\\\\c?d?\"}");
	assert_string_equal(args(REC(vkf_trace_ioctl_end(-EINVAL))), "{\"result\":\"-EINVAL\"}");
	assert_string_equal(
		args(REC(vkf_trace_bo_create(1, UINT64_MAX, UINT64_C(1) << 40, 255, 9))),
		"{\"client\":\"program 1\",\"bo\":\"0xffffffffffffffff\",\"bytes\":1099511627776,\"gpu\":255,"
		"\"kind\":\"9\"}");
}

static void errors_have_names(void **state)
{
	assert_string_equal(args(REC(vkf_trace_ioctl_end(0))), "{\"result\":0}");
	assert_string_equal(args(REC(vkf_trace_ioctl_end(3))), "{\"result\":\"3\"}");
	assert_string_equal(args(REC(vkf_trace_ioctl_end(-512))), "{\"result\":\"-512\"}");
	assert_string_equal(args(REC(vkf_trace_ioctl_end(-EOPNOTSUPP))),
			    "{\"result\":\"-EOPNOTSUPP\"}");
}

/* A viewer puts what the end says over what the beginning said; a span's length it shows itself. */
static void nothing_is_told_twice(void **state)
{
	assert_string_equal(args(REC(vkf_trace_bo_move_end(4, 1, 0x1000, 5, 6))),
			    "{\"context\":5,\"seqno\":6}");
	assert_string_equal(args(REC(vkf_trace_queue_runs(4, 2))), "{}");
	assert_string_equal(args(REC(vkf_trace_fence_wait_end(5, 6, 0))), "{\"result\":0}");
	assert_string_equal(args(REC(vkf_trace_queue_waits(1, 4, 2, trace_packet(2, 3, 0), 9))),
			    "{\"client\":\"bench (123)\",\"queue\":2,\"op\":\"barrier-and\"}");
}

static void packets_are_known_by_the_type_of_their_queue(void **state)
{
	assert_string_equal(trace_packet_name(trace_packet(1, SDMA_V4_OP_COPY, 0)), "COPY_LINEAR");
	assert_string_equal(trace_packet_name(trace_packet(3, SDMA_V4_OP_COPY, 4)), "COPY_RECT");
	assert_string_equal(trace_packet_name(trace_packet(0, PM4_OP_RELEASE_MEM, 0)),
			    "RELEASE_MEM");
	assert_string_equal(trace_packet_name(trace_packet(2, 3, 0)), "barrier-and");
	assert_null(trace_packet_name(trace_packet(1, SDMA_V4_OP_COPY, 9)));
	assert_null(trace_packet_name(trace_packet(200, 1, 0)));
}

static void what_does_not_fit_is_left_out(void **state)
{
	struct trace_text t;
	char small[8];

	trace_text_init(&t, small, sizeof(small));
	trace_text_add(&t, "%s", "1234");
	trace_text_add(&t, "%s", "56789");
	assert_true(t.full);
	assert_string_equal(small, "1234");
	trace_text_add(&t, "%s", "567");
	assert_string_equal(small, "1234567");
}

static void what_is_no_event_has_no_row(void **state)
{
	assert_null(trace_desc(VKF_TRACE_N_EVENTS));
	for (uint32_t i = 0; i < VKF_TRACE_N_EVENTS; i++)
		assert_string_equal(trace_desc(i)->name, vkf_trace_event_name(i));
}

static int begin(void **state)
{
	catch_begin();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_have_names_for_numbers),
		cmocka_unit_test(arguments_are_json),
		cmocka_unit_test(errors_have_names),
		cmocka_unit_test(nothing_is_told_twice),
		cmocka_unit_test(packets_are_known_by_the_type_of_their_queue),
		cmocka_unit_test(what_does_not_fit_is_left_out),
		cmocka_unit_test(what_is_no_event_has_no_row),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
