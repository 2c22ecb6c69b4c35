/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "trace/ring.h"

#define MAX_RECORDS 4096

struct watcher {
	int fd;
	void *map;
	size_t bytes;
	struct trace_ring ring;
	struct vkf_trace_record rec[MAX_RECORDS];
	unsigned int n;
};

static struct watcher w;

static int try_trace(int fd, struct wire_welcome *welcome, int *ret_ring)
{
	struct wire_hello h = dx_hello(WIRE_TRACE);

	assert_int_equal(write(fd, &h, sizeof(h)), sizeof(h));
	return dx_recv(fd, welcome, ret_ring, 1);
}

static void watch(void)
{
	struct wire_welcome welcome;
	int ring;

	memset(&w, 0, sizeof(w));
	w.fd = dx_connect(&dx);
	assert_int_equal(try_trace(w.fd, &welcome, &ring), 0);
	w.bytes = welcome.region_bytes[0];
	w.map = mmap(NULL, w.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
	assert_ptr_not_equal(w.map, MAP_FAILED);
	close(ring);
	trace_ring_init(&w.ring, w.map, w.bytes);
}

static void take(void)
{
	while (w.n < MAX_RECORDS && trace_ring_get(&w.ring, &w.rec[w.n]))
		w.n++;
}

/* All that is known by now. */
static void take_rest(void)
{
	struct wire_welcome welcome;

	dx_send(w.fd, WIRE_TRACE_END, 0, 0);
	assert_int_equal(dx_recv(w.fd, &welcome, NULL, 0), 0);
	take();
	assert_int_equal(trace_ring_lost(&w.ring), 0);
	close(w.fd);
	munmap(w.map, w.bytes);
}

/* The first record of that event from @from on, or the number of all. */
static unsigned int find(uint32_t event, unsigned int from)
{
	while (from < w.n && w.rec[from].event != event)
		from++;
	return from;
}

static void a_programs_calls_are_told_from_its_first_to_its_last(void **state)
{
	const struct vkf_trace_client_start *start;
	const struct vkf_trace_ioctl_begin *begin;
	unsigned int i, k, n = 0;
	struct dx_session s;
	uint64_t kfd;
	int fd;

	watch();
	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	fd = dx_open_kfd(&s, &kfd);
	for (k = 0; k < 3; k++)
		assert_int_not_equal(dx_create_event(&s, 0, kfd), 0);
	close(fd);
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
	take_rest();
	i = find(VKF_TRACE_CLIENT_START, 0);
	assert_true(i < w.n);
	start = (const void *)w.rec[i].payload;
	assert_string_equal(start->comm, "prog");
	for (k = find(VKF_TRACE_IOCTL_BEGIN, 0); k < w.n; k = find(VKF_TRACE_IOCTL_BEGIN, k + 1)) {
		begin = (const void *)w.rec[k].payload;
		assert_int_equal(begin->call, 8); /* CREATE_EVENT */
		assert_int_equal(w.rec[k].client, start->client);
		i = find(VKF_TRACE_IOCTL_END, k);
		assert_true(i < find(VKF_TRACE_IOCTL_BEGIN, k + 1));
		assert_int_equal(w.rec[i].task, w.rec[k].task);
		assert_true(w.rec[i].ns >= w.rec[k].ns);
		n++;
	}
	assert_int_equal(n, 3);
	assert_true(find(VKF_TRACE_CLIENT_EXIT, i) < w.n);
	assert_true(find(VKF_TRACE_BO_CREATE, 0) < find(VKF_TRACE_BO_FREE, 0));
}

static void who_is_there_already_is_told_of(void **state)
{
	struct dx_session s;
	uint64_t kfd;
	int fd;

	dx_session_open(&dx, &s, "early");
	dx_slot(&s, 0);
	fd = dx_open_kfd(&s, &kfd);
	watch();
	take_rest();
	assert_int_equal(find(VKF_TRACE_CLIENT_START, 0), 0);
	assert_string_equal(((const struct vkf_trace_client_start *)(const void *)w.rec[0].payload)->comm,
			    "early");
	close(fd);
	dx_session_close(&s);
}

static void an_engine_is_told_while_somebody_watches(void **state)
{
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	assert_int_equal(s.ctrl->trace.on, 0);
	watch();
	for (int i = 0; i < 1000 && !atomic_load(&s.ctrl->trace.on); i++)
		dx_nap(10);
	assert_int_equal(s.ctrl->trace.on, 1);
	take_rest();
	assert_int_equal(s.ctrl->trace.on, 0);
	dx_session_close(&s);
}

/* It is the program's memory, too. */
static void what_no_engine_would_tell_is_not_told(void **state)
{
	struct gpu_trace_record *rec;
	struct dx_session s;
	uint64_t now;

	dx_session_open(&dx, &s, "prog");
	watch();
	for (int i = 0; i < 1000 && !atomic_load(&s.ctrl->trace.on); i++)
		dx_nap(10);
	dx_nap(20);
	now = dx_now_ms() * UINT64_C(1000000) - 5000000;
	rec = s.ctrl->trace.record;
	for (unsigned int i = 0; i < 8; i++)
		rec[i] = (struct gpu_trace_record){ .begin_ns = now, .end_ns = now + 10 };
	rec[1].begin_ns = 5;
	rec[2].end_ns = UINT64_MAX;
	rec[3].end_ns = now - 1;
	rec[4].queue_id = 1024;
	rec[5].gpu = 200;
	rec[6].type = 4;
	rec[7].kind = 77;
	atomic_store(&s.ctrl->trace.wptr, 8);
	for (int i = 0; i < 1000 && atomic_load(&s.ctrl->trace.rptr) != 8; i++)
		dx_nap(10);
	/* More than there is room for. */
	atomic_store(&s.ctrl->trace.wptr, 0x80000000);
	dx_nap(20);
	take_rest();
	assert_true(find(VKF_TRACE_QUEUE_PACKETS, 0) < w.n);
	assert_int_equal(find(VKF_TRACE_QUEUE_PACKETS, find(VKF_TRACE_QUEUE_PACKETS, 0) + 1), w.n);
	dx_session_close(&s);
}

static void one_traces_at_a_time_and_then_another(void **state)
{
	struct wire_welcome welcome;
	struct dx_session s;
	int fd, ring, r;

	watch();
	fd = dx_connect(&dx);
	assert_int_equal(try_trace(fd, &welcome, &ring), -EBUSY);
	assert_true(dx_closed(fd));
	close(fd);
	/* The refused one has ended nothing, by coming or by going. */
	dx_nap(50);
	dx_session_open(&dx, &s, "prog");
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
	take();
	assert_true(find(VKF_TRACE_CLIENT_START, 0) < w.n);
	dx_send(w.fd, WIRE_TRACE_END, 0, 0);
	assert_int_equal(dx_recv(w.fd, &welcome, NULL, 0), 0);
	close(w.fd);
	munmap(w.map, w.bytes);
	for (int i = 0; i < 1000; i++) {
		fd = dx_connect(&dx);
		r = try_trace(fd, &welcome, &ring);
		if (!r)
			break;
		close(fd);
		dx_nap(10);
	}
	assert_int_equal(r, 0);
	close(ring);
	close(fd);
}

static void a_watcher_that_is_gone_leaves_nothing(void **state)
{
	unsigned int fds = dx_n_fds(&dx);

	for (int i = 0; i < 5; i++) {
		watch();
		close(w.fd);
		munmap(w.map, w.bytes);
		dx_wait_small(&dx, fds);
	}
}

static void a_driver_that_ends_does_not_wait_for_its_watcher(void **state)
{
	watch();
	dx_stop(&dx);
	assert_true(dx_closed(w.fd));
	close(w.fd);
	munmap(w.map, w.bytes);
	dx_start(&dx, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		DX_TEST(a_programs_calls_are_told_from_its_first_to_its_last),
		DX_TEST(who_is_there_already_is_told_of),
		DX_TEST(an_engine_is_told_while_somebody_watches),
		DX_TEST(what_no_engine_would_tell_is_not_told),
		DX_TEST(one_traces_at_a_time_and_then_another),
		DX_TEST(a_watcher_that_is_gone_leaves_nothing),
		DX_TEST(a_driver_that_ends_does_not_wait_for_its_watcher),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
