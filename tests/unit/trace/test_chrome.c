/* SPDX-License-Identifier: MIT */
#include "trace/chrome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include "trace_catch.h"

static char text[1 << 20];
static size_t text_len;
static int write_error;
static struct trace_chrome *c;

static int collect(void *cookie, const char *s, size_t len)
{
	assert_true(text_len + len < sizeof(text));
	memcpy(text + text_len, s, len);
	text_len += len;
	text[text_len] = '\0';
	return write_error;
}

static int setup(void **state)
{
	const struct trace_chrome_config config = { .write = collect, .begin_ns = 1000 };

	text_len = 0;
	text[0] = '\0';
	write_error = 0;
	assert_int_equal(trace_chrome_open(&config, &c), 0);
	catch_begin();
	return 0;
}

#define TELL(ns, task, client, call) trace_chrome_record(c, CAUGHT(ns, task, client, call))

static unsigned int count(const char *what)
{
	unsigned int n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void close_it(void)
{
	assert_int_equal(trace_chrome_close(c), 0);
	assert_int_equal(count("\"ph\":\"B\""), count("\"ph\":\"E\""));
	assert_int_equal(count("\"ph\":\"s\""), count("\"ph\":\"f\""));
	assert_int_equal(text[0], '[');
	assert_int_equal(text[text_len - 1], '}');
}

static void an_empty_trace_is_an_array(void **state)
{
	close_it();
	assert_int_equal(count("process_name"), 1);
}

static void a_call_is_a_slice_of_its_task_in_its_program(void **state)
{
	TELL(2500, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(4501, 9, 3, vkf_trace_ioctl_end(-EINVAL));
	close_it();
	assert_non_null(strstr(text, "{\"ph\":\"B\",\"pid\":10001003,\"tid\":20000001,\"ts\":1.500,"));
	assert_non_null(strstr(text, "{\"ph\":\"E\",\"pid\":10001003,\"tid\":20000001,\"ts\":3.501,"
				     "\"args\":{\"result\":\"-EINVAL\"}}"));
	assert_non_null(strstr(text, "\"name\":\"calls, task 9\""));
}

static void an_end_without_a_beginning_is_left_out(void **state)
{
	TELL(2000, 9, 3, vkf_trace_ioctl_end(0));
	close_it();
	assert_int_equal(count("\"ph\":\"E\""), 0);
}

static void what_is_open_at_the_end_is_closed_there(void **state)
{
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(3000, 9, 3, vkf_trace_fence_wait_begin(1, 2, 3, 0));
	TELL(5000, 8, 0, vkf_trace_fence_signal(7, 7, 0, 0, 0));
	close_it();
	assert_int_equal(count("\"ph\":\"E\",\"pid\":10001003,\"tid\":20000001,\"ts\":4.000"), 2);
}

static void a_program_that_ends_closes_what_is_open_on_it_and_no_more(void **state)
{
	const char comm[16] = "one";

	TELL(1500, 1, 0, vkf_trace_client_start(3, 77, comm));
	TELL(1600, 1, 0, vkf_trace_client_start(4, 78, comm));
	assert_int_equal(trace_chrome_n_clients(c), 2);
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(2000, 8, 4, vkf_trace_ioctl_begin(1));
	TELL(3000, 1, 0, vkf_trace_client_exit(3));
	assert_int_equal(trace_chrome_n_clients(c), 1);
	trace_chrome_flush(c);
	assert_int_equal(count("\"ph\":\"E\",\"pid\":77,\"tid\":20000003,\"ts\":2.000"), 1);
	assert_int_equal(count("\"ph\":\"E\""), 1);
	assert_non_null(strstr(text, "\"pid\":77,\"tid\":77,\"name\":\"process_name\",\"args\":"
				     "{\"name\":\"one (77)\"}"));
	close_it();
}

static void an_arrow_goes_from_the_signal_to_each_who_waited(void **state)
{
	TELL(2000, 9, 3, vkf_trace_fence_wait_begin(5, 6, 4, 0));
	TELL(2100, 8, 4, vkf_trace_fence_wait_begin(5, 6, 4, 0));
	TELL(3000, 7, 0, vkf_trace_fence_signal(5, 6, 4, 0, 0));
	TELL(3000, 7, 0, vkf_trace_fence_signal(5, 7, 4, 0, 0));
	TELL(4000, 9, 3, vkf_trace_fence_wait_end(5, 6, 0));
	TELL(4100, 8, 4, vkf_trace_fence_wait_end(5, 6, 0));
	close_it();
	assert_int_equal(count("\"ph\":\"s\",\"pid\":10000001,\"tid\":20000003,\"ts\":2.000"), 2);
	assert_int_equal(count("\"ph\":\"f\",\"pid\":10001003,\"tid\":20000001,\"ts\":2.999"), 1);
	assert_int_equal(count("\"ph\":\"f\",\"pid\":10001004,\"tid\":20000002,\"ts\":3.099"), 1);
	/* Nothing was open where it signalled: it has a slice of its own. */
	assert_int_equal(
		count("\"ph\":\"X\",\"pid\":10000001,\"tid\":20000003,\"ts\":2.000,\"dur\":0.001"), 1);
	assert_int_equal(
		count("\"ph\":\"X\",\"pid\":10000001,\"tid\":20000003,\"ts\":2.001,\"dur\":0.001"), 1);
}

static void a_wait_for_what_signalled_before_the_trace_has_no_arrow(void **state)
{
	TELL(2000, 9, 3, vkf_trace_fence_wait_begin(5, 6, 4, 0));
	TELL(4000, 9, 3, vkf_trace_fence_wait_end(5, 6, 0));
	close_it();
	assert_int_equal(count("\"ph\":\"f\""), 0);
}

/* The clock of a simulation stands still between two steps. */
static void a_slice_of_no_time_has_room_for_an_arrows_end(void **state)
{
	TELL(2000, 7, 0, vkf_trace_fence_signal(5, 6, 4, 0, 0));
	TELL(2000, 9, 3, vkf_trace_fence_wait_begin(5, 6, 4, 0));
	TELL(2000, 9, 3, vkf_trace_fence_wait_end(5, 6, 0));
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(2000, 9, 3, vkf_trace_ioctl_end(0));
	close_it();
	assert_int_equal(count("\"ph\":\"f\",\"pid\":10001003,\"tid\":20000002,\"ts\":1.000"), 1);
	assert_int_equal(count("\"ph\":\"E\",\"pid\":10001003,\"tid\":20000002,\"ts\":1.001"), 1);
	assert_int_equal(count("\"ph\":\"B\",\"pid\":10001003,\"tid\":20000002,\"ts\":1.001"), 1);
}

static void moves_at_once_have_lanes(void **state)
{
	TELL(2000, 9, 3, vkf_trace_bo_move_begin(3, 0x1000, 4096, 1, 2, 1));
	TELL(2100, 9, 3, vkf_trace_bo_move_begin(3, 0x2000, 4096, 1, 2, 1));
	TELL(2200, 9, 3, vkf_trace_bo_move_end(3, 1, 0x1000, 0, 0));
	TELL(2300, 9, 3, vkf_trace_bo_move_begin(4, 0x2000, 4096, 1, 2, 1));
	TELL(2400, 9, 3, vkf_trace_bo_move_end(3, 1, 0x2000, 0, 0));
	TELL(2500, 9, 3, vkf_trace_bo_move_end(4, 1, 0x2000, 0, 0));
	TELL(2600, 9, 3, vkf_trace_bo_move_end(4, 1, 0x2000, 0, 0));
	close_it();
	assert_int_equal(count("\"ph\":\"B\",\"pid\":10000003,\"tid\":20000001,"), 2);
	assert_int_equal(count("\"ph\":\"B\",\"pid\":10000003,\"tid\":20000002,"), 1);
	assert_int_equal(count("\"ph\":\"E\",\"pid\":10000003,\"tid\":20000001,\"ts\":1.200"), 1);
	assert_int_equal(count("\"ph\":\"E\",\"pid\":10000003,\"tid\":20000002,\"ts\":1.400"), 1);
	assert_int_equal(count("\"ph\":\"E\",\"pid\":10000003,\"tid\":20000001,\"ts\":1.500"), 1);
	assert_non_null(strstr(text, "\"name\":\"VRAM to GTT, program 3\""));
	assert_non_null(strstr(text, "\"name\":\"GPU 1\""));
}

static void a_queues_track_says_what_it_is(void **state)
{
	TELL(2000, 9, 3, vkf_trace_queue_create(3, 5, 1, 1, 4096));
	TELL(0, 0, 0, vkf_trace_queue_packets(2500, 3, 5, 0x010001, 16, 64, 700));
	close_it();
	assert_non_null(strstr(text, "\"name\":\"queue 5, SDMA, GPU 1\""));
	assert_non_null(strstr(text, "{\"ph\":\"X\",\"pid\":10001003,\"tid\":20000002,\"ts\":1.500,"
				     "\"dur\":0.700,\"cat\":\"queue_packets\","
				     "\"name\":\"COPY_LINEAR\""));
}

/* Viewers take a track's number for a thread's, and one that is its group's for the main one's. */
static void no_two_tracks_or_groups_have_one_number(void **state)
{
	const char comm[16] = "one";

	TELL(1500, 1, 0, vkf_trace_client_start(3, 77, comm));
	TELL(1600, 1, 0, vkf_trace_client_start(4, 78, comm));
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(2000, 9, 4, vkf_trace_ioctl_begin(1));
	close_it();
	assert_int_equal(count("\"pid\":77,\"tid\":20000001,\"name\":\"thread_name\""), 1);
	assert_int_equal(count("\"pid\":78,\"tid\":20000002,\"name\":\"thread_name\""), 1);
	assert_int_equal(count("\"pid\":77,\"tid\":20000003,\"name\":\"thread_name\""), 1);
	assert_int_equal(count("\"pid\":78,\"tid\":20000004,\"name\":\"thread_name\""), 1);
	assert_int_equal(count("\"name\":\"thread_name\""), 4);
	assert_int_equal(count("\"name\":\"thread_sort_index\""), 4);
}

static void a_program_that_is_told_of_late_stays_one_group(void **state)
{
	const char comm[16] = "late";

	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(2500, 1, 0, vkf_trace_client_start(3, 77, comm));
	TELL(2600, 8, 3, vkf_trace_ioctl_begin(1));
	close_it();
	assert_int_equal(count("\"pid\":77,\"tid\""), 0);
	assert_int_equal(count("\"pid\":10001003,\"tid\":10001003,\"name\":\"process_name\","
			       "\"args\":{\"name\":\"late (77)\"}"), 1);
	assert_int_equal(count("\"ph\":\"B\",\"pid\":10001003,"), 2);
}

static void a_call_that_was_refused_is_marked(void **state)
{
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(3000, 9, 3, vkf_trace_ioctl_end(-ENOMEM));
	TELL(4000, 9, 3, vkf_trace_ioctl_begin(1));
	TELL(5000, 9, 3, vkf_trace_ioctl_end(0));
	close_it();
	assert_int_equal(count("\"cat\":\"error\""), 1);
	assert_non_null(strstr(text, "\"ts\":1.999,\"s\":\"t\",\"cat\":\"error\","
				     "\"cname\":\"terrible\",\"name\":\"-ENOMEM\""));
}

/* Two tasks: the one that was asked has the earlier time, but its record comes later. */
static void no_arrow_goes_back_in_time(void **state)
{
	TELL(2000, 9, 3, vkf_trace_evict_want(4, 0x1000, 4096, 0));
	TELL(2200, 9, 3, vkf_trace_evict_want(4, 0x2000, 4096, 0));
	TELL(2100, 8, 4, vkf_trace_evict_begin(4));
	TELL(3000, 8, 4, vkf_trace_evict_end(4));
	TELL(3200, 9, 3, vkf_trace_evict_want(5, 0x3000, 4096, 0));
	TELL(3100, 7, 5, vkf_trace_evict_begin(5));
	close_it();
	assert_int_equal(count("\"ph\":\"s\""), 1);
	assert_int_equal(count("\"ph\":\"s\",\"pid\":10001003,\"tid\":20000001,\"ts\":1.000"), 1);
	assert_int_equal(count("\"ts\":1.000,\"id\":1,\"cat\":\"asked for memory\","
			       "\"name\":\"asked for memory\""), 1);
}

static void after_a_loss_nothing_is_open(void **state)
{
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	trace_chrome_lost(c, 3000, 12);
	TELL(4000, 9, 3, vkf_trace_ioctl_end(0));
	close_it();
	assert_int_equal(count("\"ph\":\"E\""), 1);
	assert_int_equal(count("\"ph\":\"E\",\"pid\":10001003,\"tid\":20000001,\"ts\":2.000"), 1);
	assert_non_null(strstr(text, "12 records lost"));
}

static void an_error_of_writing_is_told_at_the_end(void **state)
{
	write_error = -ENOSPC;
	assert_int_equal(trace_chrome_flush(c), -ENOSPC);
	write_error = 0;
	text_len = 0;
	TELL(2000, 9, 3, vkf_trace_ioctl_begin(1));
	assert_int_equal(trace_chrome_close(c), -ENOSPC);
	assert_int_equal(text_len, 0);
}

static void any_number_of_tracks_and_programs_is_survived(void **state)
{
	char comm[16];

	memset(comm, '"', sizeof(comm));
	for (uint32_t i = 1; i < 6000; i++) {
		text_len = 0;
		TELL(2000 + i, i, i, vkf_trace_client_start(i, (int32_t)i, comm));
		TELL(2000 + i, i, i, vkf_trace_ioctl_begin(i));
		TELL(2000 + i, i, i, vkf_trace_queue_create(i, UINT32_MAX, 200, 200, 0));
		TELL(2000 + i, i, i, vkf_trace_bo_move_begin(i, i, 1, 200, 2, 1));
		TELL(2000 + i, i, i, vkf_trace_bo_move_begin(i, i, 1, 0, 2, 1));
	}
	caught.event = UINT32_MAX;
	trace_chrome_record(c, &caught);
	text_len = 0;
	assert_int_equal(trace_chrome_close(c), 0);
}

#define CASE(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_trace_is_an_array),
		CASE(a_call_is_a_slice_of_its_task_in_its_program),
		CASE(an_end_without_a_beginning_is_left_out),
		CASE(what_is_open_at_the_end_is_closed_there),
		CASE(a_program_that_ends_closes_what_is_open_on_it_and_no_more),
		CASE(an_arrow_goes_from_the_signal_to_each_who_waited),
		CASE(a_wait_for_what_signalled_before_the_trace_has_no_arrow),
		CASE(a_slice_of_no_time_has_room_for_an_arrows_end),
		CASE(moves_at_once_have_lanes),
		CASE(a_queues_track_says_what_it_is),
		CASE(no_two_tracks_or_groups_have_one_number),
		CASE(a_program_that_is_told_of_late_stays_one_group),
		CASE(a_call_that_was_refused_is_marked),
		CASE(no_arrow_goes_back_in_time),
		CASE(after_a_loss_nothing_is_open),
		CASE(an_error_of_writing_is_told_at_the_end),
		CASE(any_number_of_tracks_and_programs_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
