/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* @msg as a connection's first message is answered with @status, and the connection closed. */
static void expect_refused(const void *msg, size_t len, int status)
{
	struct wire_welcome w;
	int fd = dx_connect(&dx);

	assert_int_equal(dx_say(fd, msg, len, &w), status);
	assert_int_equal(w.session, 0);
	assert_int_equal(w.token, 0);
	assert_true(dx_closed(fd));
	close(fd);
}

/* ------------------------------------------------ the hello */

static void a_session_gets_its_regions(void **state)
{
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	assert_true(s.w.session != 0);
	assert_true(s.w.token != 0);
	for (int i = 0; i < WIRE_N_REGIONS; i++) {
		assert_true(s.fds[i] >= 0);
		assert_true(s.w.region_bytes[i] > 0);
		assert_int_equal(lseek(s.fds[i], 0, SEEK_END), s.w.region_bytes[i]);
		/* Nobody can take pages away under the driver. */
		assert_int_equal(ftruncate(s.fds[i], 0), -1);
		assert_true(fcntl(s.fds[i], F_GET_SEALS) & F_SEAL_SHRINK);
	}
	assert_true(s.w.region_bytes[WIRE_REGION_SLOTS] >= sizeof(struct wire_slots));
	assert_int_equal(s.ctrl->magic, GPU_CTRL_MAGIC);
	assert_int_equal(s.ctrl->n_gpus, 2);
	dx_session_close(&s);
}

static void page_tables_are_read_only_to_a_program(void **state)
{
	struct dx_session s;
	char path[64];
	void *p;
	int fd;

	dx_session_open(&dx, &s, "prog");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s.fds[WIRE_REGION_PT], 0);
	assert_ptr_equal(p, MAP_FAILED);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, s.fds[WIRE_REGION_PT], 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p, 4096, PROT_READ | PROT_WRITE), -1);
	munmap(p, 4096);
	assert_int_equal(pwrite(s.fds[WIRE_REGION_PT], "x", 1, 0), -1);
	/* Nor by opening it again. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s.fds[WIRE_REGION_PT]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		close(fd);
	}
	dx_session_close(&s);
}

static void sessions_differ_in_number_and_secret(void **state)
{
	struct dx_session a, b;

	dx_session_open(&dx, &a, "a");
	dx_session_open(&dx, &b, "b");
	assert_true(a.w.session != b.w.session);
	assert_true(a.w.token != b.w.token);
	dx_session_close(&a);
	dx_session_close(&b);
}

static void hellos_of_another_size_magic_or_version_are_eproto(void **state)
{
	struct wire_hello h = dx_hello(WIRE_SESSION);
	char large[600] = { 0 };

	expect_refused(&h, sizeof(h) - 1, -EPROTO);
	expect_refused(&h, 4, -EPROTO);
	expect_refused(&h, 1, -EPROTO);
	memcpy(large, &h, sizeof(h));
	expect_refused(large, sizeof(h) + 1, -EPROTO);
	expect_refused(large, 512, -EPROTO);
	expect_refused(large, sizeof(large), -EPROTO);
	h.magic++;
	expect_refused(&h, sizeof(h), -EPROTO);
	h.magic--;
	h.version++;
	expect_refused(&h, sizeof(h), -EPROTO);
	h.version = 0;
	expect_refused(&h, sizeof(h), -EPROTO);
	assert_int_equal(dx_n_clients(&dx), 0);
}

static void an_empty_message_is_the_end(void **state)
{
	int fd = dx_connect(&dx);

	assert_int_equal(send(fd, "", 0, MSG_NOSIGNAL), 0);
	assert_true(dx_closed(fd));
	close(fd);
}

static void kinds_that_are_not_are_einval(void **state)
{
	static const uint32_t kinds[] = { 0, WIRE_STREAM + 1, 77, UINT32_MAX, 0x80000001 };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct wire_hello h = dx_hello(WIRE_SESSION);

		h.kind = kinds[i];
		expect_refused(&h, sizeof(h), -EINVAL);
	}
}

static void a_name_without_end_is_einval(void **state)
{
	static const enum wire_kind kinds[] = { WIRE_SESSION, WIRE_FILE, WIRE_ENGINE, WIRE_QUERY,
					       WIRE_TRACE, WIRE_STREAM };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct wire_hello h = dx_hello(kinds[i]);

		memset(h.name, 'x', sizeof(h.name));
		expect_refused(&h, sizeof(h), -EINVAL);
	}
}

static void files_and_engines_need_the_sessions_secret(void **state)
{
	static const enum wire_kind kinds[] = { WIRE_FILE, WIRE_ENGINE, WIRE_STREAM };
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	for (size_t i = 0; i < 3; i++) {
		struct wire_hello h = dx_hello(kinds[i]);

		h.major = DX_KFD_MAJOR;
		expect_refused(&h, sizeof(h), -EACCES);
		h.session = s.w.session;
		expect_refused(&h, sizeof(h), -EACCES);
		h.token = s.w.token ^ 1;
		expect_refused(&h, sizeof(h), -EACCES);
		h.token = s.w.token;
		h.session++;
		expect_refused(&h, sizeof(h), -EACCES);
	}
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
	/* And a session that lives. */
	for (size_t i = 0; i < 3; i++) {
		struct wire_hello h = dx_hello(kinds[i]);

		h.session = s.w.session;
		h.token = s.w.token;
		expect_refused(&h, sizeof(h), -EACCES);
	}
}

static void descriptors_that_come_along_are_dropped(void **state)
{
	struct wire_hello h = dx_hello(WIRE_SESSION);
	union {
		char buf[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);
	int four[4] = { 0, 1, 2, 0 };
	unsigned int fds;

	free(dx_query(&dx, "runtime", &four[3]));
	four[3] = 0;
	fds = dx_n_fds(&dx);
	h.kind = 99;
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(four));
	memcpy(CMSG_DATA(cm), four, sizeof(four));
	for (int i = 0; i < 20; i++) {
		int fd = dx_connect(&dx);

		assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), sizeof(h));
		assert_true(dx_closed(fd));
		close(fd);
	}
	dx_wait_small(&dx, fds);
}

/* ------------------------------------------------ files */

static void a_file_says_what_it_is(void **state)
{
	struct wire_welcome w;
	struct dx_session s;
	uint64_t kfd = 0, render = 0;
	int a, b;

	dx_session_open(&dx, &s, "prog");
	a = dx_open(&s, DX_KFD_MAJOR, 0, &kfd);
	b = dx_open(&s, DX_DRM_MAJOR, 129, &render);
	assert_true(a >= 0 && b >= 0);
	assert_true(kfd != 0 && render != 0 && kfd != render);
	dx_send(b, WIRE_IDENT, 0, 0);
	assert_int_equal(dx_recv(b, &w, NULL, 0), 0);
	assert_int_equal(w.file, render);
	assert_int_equal(w.session, s.w.session);
	assert_int_equal(w.token, 0);
	assert_int_equal(w.major, DX_DRM_MAJOR);
	assert_int_equal(w.minor, 129);
	/* It outlives its session, and still says so. */
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
	dx_send(a, WIRE_IDENT, 0, 0);
	assert_int_equal(dx_recv(a, &w, NULL, 0), 0);
	assert_int_equal(w.file, kfd);
	assert_int_equal(w.session, s.w.session);
	close(a);
	close(b);
}

static void devices_that_are_not_have_their_errno(void **state)
{
	struct dx_session s;
	uint64_t file = 5;

	dx_session_open(&dx, &s, "prog");
	assert_int_equal(dx_open(&s, DX_KFD_MAJOR, 1, &file), -ENODEV);
	assert_int_equal(dx_open(&s, DX_DRM_MAJOR, 130, &file), -ENODEV);
	assert_int_equal(dx_open(&s, 1, 3, &file), -ENXIO);
	assert_int_equal(file, 5);
	dx_session_close(&s);
}

/* ------------------------------------------------ engines */

static void a_session_has_one_engine_at_a_time(void **state)
{
	struct dx_session s;
	int one, two;

	dx_session_open(&dx, &s, "prog");
	one = dx_open_engine(&s);
	assert_true(one >= 0);
	assert_int_equal(dx_open_engine(&s), -EBUSY);
	atomic_store(&s.ctrl->engine, GPU_ENGINE_RUNNING);
	close(one);
	/* Its end is seen, and another one may come. */
	for (int i = 0; atomic_load(&s.ctrl->engine) != GPU_ENGINE_DEAD && i < 5000; i++)
		dx_nap(1);
	assert_int_equal(s.ctrl->engine, GPU_ENGINE_DEAD);
	two = dx_open_engine(&s);
	assert_true(two >= 0);
	/* With the session goes its engine. */
	dx_session_close(&s);
	assert_true(dx_closed(two));
	close(two);
}

/* ------------------------------------------------ later messages */

static void expect_msg_refused(int fd, const void *msg, size_t len, int status)
{
	struct wire_welcome w;

	assert_int_equal(dx_say(fd, msg, len, &w), status);
	assert_true(dx_closed(fd));
}

static void messages_of_another_size_cost_the_connection(void **state)
{
	struct wire_msg m[2] = { { .op = WIRE_CANCEL } };
	struct dx_session s;
	uint64_t file;
	int fd;

	dx_session_open(&dx, &s, "prog");
	fd = dx_open_kfd(&s, &file);
	expect_msg_refused(fd, m, sizeof(m[0]) - 1, -EPROTO);
	close(fd);
	expect_msg_refused(s.fd, m, sizeof(m), -EPROTO);
	dx_session_close(&s);
	dx_wait_clients(&dx, 0);
}

static void messages_at_the_wrong_kind_cost_the_connection(void **state)
{
	struct wire_msg m = { 0 };
	struct dx_session s;
	uint64_t file;

	for (uint32_t op = 0; op < 6; op++) {
		int fd;

		m.op = op == 5 ? UINT32_MAX : op;
		dx_session_open(&dx, &s, "prog");
		if (m.op != WIRE_IDENT) {
			fd = dx_open_kfd(&s, &file);
			expect_msg_refused(fd, &m, sizeof(m), -EINVAL);
			close(fd);
		}
		fd = dx_open_engine(&s);
		expect_msg_refused(fd, &m, sizeof(m), -EINVAL);
		close(fd);
		if (m.op != WIRE_SLOT_OPEN && m.op != WIRE_CANCEL)
			expect_msg_refused(s.fd, &m, sizeof(m), -EINVAL);
		dx_session_close(&s);
	}
}

static void slots_that_are_not_or_are_open_cost_the_session(void **state)
{
	static const uint32_t bad[] = { WIRE_SLOTS, UINT32_MAX, 3 };

	for (int i = 0; i < 3; i++) {
		struct wire_msg m = { .op = WIRE_SLOT_OPEN, .slot = bad[i] };
		struct dx_session s;

		dx_session_open(&dx, &s, "prog");
		dx_slot(&s, 3);
		assert_int_equal(dx_nop(&s, 3), 0);
		expect_msg_refused(s.fd, &m, sizeof(m), -EINVAL);
		dx_session_close(&s);
	}
	dx_wait_clients(&dx, 0);
}

static void cancels_of_anything_are_harmless(void **state)
{
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	dx_send(s.fd, WIRE_CANCEL, WIRE_SLOTS, 0);
	dx_send(s.fd, WIRE_CANCEL, UINT32_MAX, 0);
	dx_send(s.fd, WIRE_CANCEL, 5, 1);
	dx_send(s.fd, WIRE_CANCEL, 0, 1234);
	assert_int_equal(dx_nop(&s, 0), 0);
	dx_session_close(&s);
}

static void a_peer_that_does_not_read_loses_its_connection(void **state)
{
	struct wire_msg m = { .op = WIRE_IDENT };
	struct pollfd p = { .events = POLLOUT };
	struct dx_session s;
	uint64_t file;
	int sent = 0;

	dx_session_open(&dx, &s, "prog");
	p.fd = dx_open_kfd(&s, &file);
	/* Its answers fill its queue. The driver does not wait, and drops it. */
	while (sent < 100000 && poll(&p, 1, 10000) > 0 && !(p.revents & POLLHUP) &&
	       send(p.fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		sent++;
	assert_true(sent > 10 && sent < 100000);
	assert_int_equal(dx_n_clients(&dx), 1);
	assert_true(dx_closed(p.fd));
	close(p.fd);
	dx_session_close(&s);
}

/* ------------------------------------------------ floods */

static void connections_beyond_the_drivers_descriptors_end_at_once(void **state)
{
	static const struct dx_options few = { .max_files = 64 };
	struct dx_session before, after;
	struct dx_daemon d;
	int fds[100], alive = 0;
	struct pollfd p;

	dx_start(&d, &few);
	dx_session_open(&d, &before, "before");
	dx_slot(&before, 0);
	for (int i = 0; i < 100; i++)
		fds[i] = dx_connect(&d);
	/* Each is told, or waits for its hello; none is left in the queue. */
	dx_nap(100);
	for (int i = 0; i < 100; i++) {
		p = (struct pollfd){ fds[i], POLLIN, 0 };
		alive += poll(&p, 1, 0) == 0;
	}
	assert_in_range(alive, 20, 64);
	/* Who was there goes on. */
	assert_int_equal(dx_nop(&before, 0), 0);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	dx_wait_clients(&d, 1);
	dx_session_open(&d, &after, "after");
	dx_session_close(&after);
	dx_session_close(&before);
	dx_stop(&d);
}

static void a_session_without_descriptors_for_it_is_refused_and_leaves_nothing(void **state)
{
	/* Room for some sessions, and not for the last one's regions. */
	static const struct dx_options few = { .max_files = 48 };
	struct wire_hello h = dx_hello(WIRE_SESSION);
	struct dx_session s[12], again;
	struct dx_daemon d;
	struct wire_welcome w;
	unsigned int fds;
	int n = 0, r = 0;

	dx_start(&d, &few);
	fds = dx_n_fds(&d);
	while (n < 12 && dx_n_fds(&d) + 8 < 48)
		dx_session_open(&d, &s[n++], "s");
	assert_in_range(n, 3, 11);
	for (int i = 0; i < 3; i++) {
		int fd = dx_connect(&d);

		r = dx_say(fd, &h, sizeof(h), &w);
		assert_true(r == -EMFILE || r == -ECONNRESET || r == 0);
		close(fd);
	}
	while (n)
		dx_session_close(&s[--n]);
	dx_wait_small(&d, fds);
	dx_session_open(&d, &again, "again");
	dx_session_close(&again);
	dx_stop(&d);
}

static void connections_that_say_nothing_take_nothing_but_room(void **state)
{
	unsigned int fds = dx_n_fds(&dx);
	int idle[300];

	for (int i = 0; i < 300; i++)
		idle[i] = dx_connect(&dx);
	assert_int_equal(dx_n_clients(&dx), 0);
	for (int i = 0; i < 300; i++) {
		struct pollfd p = { idle[i], POLLIN, 0 };

		assert_int_equal(poll(&p, 1, 0), 0);
		close(idle[i]);
	}
	dx_wait_small(&dx, fds);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		DX_TEST(a_session_gets_its_regions),
		DX_TEST(page_tables_are_read_only_to_a_program),
		DX_TEST(sessions_differ_in_number_and_secret),
		DX_TEST(hellos_of_another_size_magic_or_version_are_eproto),
		DX_TEST(an_empty_message_is_the_end),
		DX_TEST(kinds_that_are_not_are_einval),
		DX_TEST(a_name_without_end_is_einval),
		DX_TEST(files_and_engines_need_the_sessions_secret),
		DX_TEST(descriptors_that_come_along_are_dropped),
		DX_TEST(a_file_says_what_it_is),
		DX_TEST(devices_that_are_not_have_their_errno),
		DX_TEST(a_session_has_one_engine_at_a_time),
		DX_TEST(messages_of_another_size_cost_the_connection),
		DX_TEST(messages_at_the_wrong_kind_cost_the_connection),
		DX_TEST(slots_that_are_not_or_are_open_cost_the_session),
		DX_TEST(cancels_of_anything_are_harmless),
		DX_TEST(a_peer_that_does_not_read_loses_its_connection),
		cmocka_unit_test(connections_beyond_the_drivers_descriptors_end_at_once),
		cmocka_unit_test(
			a_session_without_descriptors_for_it_is_refused_and_leaves_nothing),
		DX_TEST(connections_that_say_nothing_take_nothing_but_room),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
