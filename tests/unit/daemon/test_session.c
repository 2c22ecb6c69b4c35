/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A session with a slot, /dev/kfd and an event. */
struct world {
	struct dx_session s;
	uint64_t kfd;
	uint32_t event;
	int fd;
};

static void world_open(struct world *w, const char *comm)
{
	dx_session_open(&dx, &w->s, comm);
	dx_slot(&w->s, 0);
	w->fd = dx_open_kfd(&w->s, &w->kfd);
	assert_true(w->fd >= 0);
	w->event = dx_create_event(&w->s, 0, w->kfd);
}

static void world_close(struct world *w)
{
	close(w->fd);
	dx_session_close(&w->s);
}

/* The driver end of everything is gone. */
static void expect_all_gone(unsigned int fds)
{
	dx_wait_clients(&dx, 0);
	dx_wait_small(&dx, fds);
}

/* ------------------------------------------------ slots */

static void a_slot_answers_again_and_again(void **state)
{
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 63);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(dx_nop(&s, 63), 0);
	dx_session_close(&s);
}

static void every_slot_serves_at_the_same_time(void **state)
{
	struct world w;

	world_open(&w, "prog");
	for (unsigned int i = 1; i < WIRE_SLOTS; i++)
		dx_slot(&w.s, i);
	/* All are busy with a call that sleeps. */
	for (unsigned int i = 0; i < WIRE_SLOTS; i++)
		dx_wait_begin(&w.s, i, w.kfd, w.event, 60000);
	dx_nap(50);
	for (unsigned int i = 0; i < WIRE_SLOTS; i++)
		assert_int_equal(atomic_load(&dx_head(&w.s, i)->state), WIRE_SUBMITTED);
	/* Other sessions do not care. */
	{
		struct world other;

		world_open(&other, "other");
		assert_int_equal(dx_nop(&other.s, 0), 0);
		world_close(&other);
	}
	for (unsigned int i = 0; i < WIRE_SLOTS; i++)
		dx_send(w.s.fd, WIRE_CANCEL, i, dx_head(&w.s, i)->seq);
	for (unsigned int i = 0; i < WIRE_SLOTS; i++)
		assert_int_equal(dx_answer(&w.s, i, 20000), -EINTR);
	world_close(&w);
}

static void a_request_that_was_there_before_its_slot_is_served(void **state)
{
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	dx_head(&s, 9)->call = WIRE_CALL_NOP;
	dx_submit(&s, 9);
	dx_nap(20);
	assert_int_equal(atomic_load(&dx_head(&s, 9)->state), WIRE_SUBMITTED);
	dx_slot(&s, 9);
	assert_int_equal(dx_answer(&s, 9, 20000), 0);
	dx_session_close(&s);
}

static void states_that_make_no_sense_wait_for_one_that_does(void **state)
{
	static const uint32_t states[] = { WIRE_CLAIMED, WIRE_DONE, 77, UINT32_MAX, WIRE_FREE };
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	dx_slot(&s, 0);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		atomic_store(&dx_head(&s, 0)->state, states[i]);
		dx_nap(5);
		assert_int_equal(atomic_load(&dx_head(&s, 0)->state), states[i]);
		assert_int_equal(dx_nop(&s, 0), 0);
	}
	dx_session_close(&s);
}

/* ------------------------------------------------ cancel */

static void a_cancel_ends_its_call(void **state)
{
	struct world w;

	world_open(&w, "prog");
	dx_wait_begin(&w.s, 0, w.kfd, w.event, 60000);
	dx_nap(20);
	dx_send(w.s.fd, WIRE_CANCEL, 0, dx_head(&w.s, 0)->seq);
	assert_int_equal(dx_answer(&w.s, 0, 20000), -EINTR);
	assert_int_equal(dx_nop(&w.s, 0), 0);
	world_close(&w);
}

static void a_cancel_of_another_call_does_nothing(void **state)
{
	struct world w;
	uint32_t seq;

	world_open(&w, "prog");
	seq = dx_head(&w.s, 0)->seq + 1;
	dx_wait_begin(&w.s, 0, w.kfd, w.event, 200);
	dx_nap(20);
	dx_send(w.s.fd, WIRE_CANCEL, 0, seq - 1);
	dx_send(w.s.fd, WIRE_CANCEL, 0, seq + 1);
	dx_send(w.s.fd, WIRE_CANCEL, 0, 0);
	dx_send(w.s.fd, WIRE_CANCEL, 0, UINT32_MAX);
	/* It ends by its own timeout, with success. */
	assert_int_equal(dx_answer(&w.s, 0, 20000), 0);
	world_close(&w);
}

static void a_late_cancel_does_not_hit_the_next_call(void **state)
{
	struct world w;

	world_open(&w, "prog");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(dx_nop(&w.s, 0), 0);
		dx_send(w.s.fd, WIRE_CANCEL, 0, dx_head(&w.s, 0)->seq);
		dx_wait_begin(&w.s, 0, w.kfd, w.event, 5);
		assert_int_equal(dx_answer(&w.s, 0, 20000), 0);
	}
	world_close(&w);
}

static void a_cancel_that_is_faster_than_its_call_is_kept_for_it(void **state)
{
	struct world w;

	world_open(&w, "prog");
	for (int i = 0; i < 50; i++) {
		/* The call's task has not seen it yet: at times it never sleeps before. */
		dx_send(w.s.fd, WIRE_CANCEL, 0, dx_head(&w.s, 0)->seq + 1);
		if (i & 1)
			dx_nap(1);
		dx_wait_begin(&w.s, 0, w.kfd, w.event, 60000);
		assert_int_equal(dx_answer(&w.s, 0, 20000), -EINTR);
		/* Once: another call of that number is another call. */
		dx_head(&w.s, 0)->seq--;
		dx_wait_begin(&w.s, 0, w.kfd, w.event, 1);
		assert_int_equal(dx_answer(&w.s, 0, 20000), 0);
	}
	world_close(&w);
}

/* ------------------------------------------------ ends */

static void a_session_ends_with_its_connection(void **state)
{
	unsigned int fds = dx_n_fds(&dx);
	struct world w;

	world_open(&w, "prog");
	assert_int_equal(dx_n_clients(&dx), 1);
	world_close(&w);
	expect_all_gone(fds);
}

static void a_session_ends_in_the_middle_of_calls(void **state)
{
	unsigned int fds = dx_n_fds(&dx);
	struct world w;

	for (int round = 0; round < 10; round++) {
		world_open(&w, "prog");
		for (unsigned int i = 1; i < 8; i++)
			dx_slot(&w.s, i);
		for (unsigned int i = 0; i < 8; i++)
			dx_wait_begin(&w.s, i, w.kfd, w.event, 60000);
		if (round & 1)
			dx_nap(20);
		close(w.s.fd);
		w.s.fd = -1;
		/* Who still waits is told. */
		for (unsigned int i = 0; i < 8; i++)
			assert_int_equal(dx_answer(&w.s, i, 20000), -EIO);
		world_close(&w);
	}
	expect_all_gone(fds);
}

static void a_session_ends_though_a_call_of_it_waits_for_its_engine(void **state)
{
	uint32_t id = dx_gpu_id(&dx, 0);
	uint64_t render, begin;
	struct world w;
	int fd;

	world_open(&w, "prog");
	fd = dx_open(&w.s, DX_DRM_MAJOR, 128, &render);
	dx_hang_engine(&w.s);
	dx_acquire_begin(&w.s, 0, w.kfd, render, id);
	dx_nap(50);
	assert_int_equal(atomic_load(&dx_head(&w.s, 0)->state), WIRE_SUBMITTED);
	begin = dx_now_ms();
	close(w.s.fd);
	w.s.fd = -1;
	dx_answer(&w.s, 0, 20000);
	dx_wait_clients(&dx, 0);
	assert_true(dx_now_ms() - begin < 1500);
	close(fd);
	world_close(&w);
}

static void a_request_without_a_slots_task_is_answered_at_the_end(void **state)
{
	struct dx_session s;

	dx_session_open(&dx, &s, "prog");
	dx_head(&s, 5)->call = WIRE_CALL_NOP;
	dx_submit(&s, 5);
	close(s.fd);
	s.fd = -1;
	assert_int_equal(dx_answer(&s, 5, 20000), -EIO);
	dx_session_close(&s);
}

static void a_session_ends_with_its_process_even_if_others_hold_its_connection(void **state)
{
	unsigned int fds = dx_n_fds(&dx);
	struct world w;

	world_open(&w, "prog");
	dx_nap(20);
	assert_int_equal(dx_n_clients(&dx), 1);
	dx_end_process(w.s.pid);
	w.s.pid = 0;
	assert_true(dx_closed(w.s.fd));
	world_close(&w);
	expect_all_gone(fds);
}

static void a_process_that_begins_anew_ends_its_former_session(void **state)
{
	struct wire_hello h = dx_hello(WIRE_SESSION);
	int one = dx_connect(&dx), two = dx_connect(&dx);
	struct wire_welcome w1, w2;

	assert_int_equal(dx_say(one, &h, sizeof(h), &w1), 0);
	assert_int_equal(dx_say(two, &h, sizeof(h), &w2), 0);
	assert_true(w1.session != w2.session);
	assert_true(dx_closed(one));
	dx_wait_clients(&dx, 1);
	close(one);
	close(two);
	dx_wait_clients(&dx, 0);
}

static void another_kinds_end_does_not_end_the_session(void **state)
{
	struct world w;
	int engine;

	world_open(&w, "prog");
	engine = dx_open_engine(&w.s);
	close(engine);
	close(w.fd);
	dx_nap(20);
	assert_int_equal(dx_nop(&w.s, 0), 0);
	assert_int_equal(dx_n_clients(&dx), 1);
	w.fd = dx_open_kfd(&w.s, &w.kfd);
	world_close(&w);
}

static void a_file_outlives_its_session_and_serves_nobody(void **state)
{
	struct world w, other;
	uint32_t block[2] = { 0 };
	uint64_t kfd;
	int fd;

	world_open(&w, "prog");
	fd = w.fd;
	kfd = w.kfd;
	w.fd = dup(fd);
	world_close(&w);
	dx_wait_clients(&dx, 0);
	world_open(&other, "other");
	assert_int_equal(dx_ioctl(&other.s, 0, kfd, 0x80084b01, block, sizeof(block)), -EBADF);
	close(fd);
	/* Closed, it is not even that. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(dx_ioctl(&other.s, 0, kfd, 0x80084b01, block, sizeof(block)),
				 -EBADF);
	world_close(&other);
}

/* A program that writes where the driver sleeps, and goes on with it after its own end. */
static void a_program_that_scribbles_cannot_keep_its_session(void **state)
{
	unsigned int fds = dx_n_fds(&dx);
	struct world w;
	pid_t pid;

	for (int round = 0; round < 3; round++) {
		world_open(&w, "prog");
		for (unsigned int i = 1; i < 16; i++)
			dx_slot(&w.s, i);
		fflush(NULL);
		pid = fork();
		if (!pid) {
			/* It keeps the memory, not the connections. */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(w.s.fd);
			close(w.fd);
			for (uint32_t n = 0;; n++) {
				for (unsigned int i = 0; i < 16; i++)
					atomic_store(&dx_head(&w.s, i)->state,
						     n % 3 ? WIRE_FREE : WIRE_SUBMITTED);
				atomic_store(&w.s.ctrl->irq_wptr, n);
				atomic_store(&w.s.ctrl->irq_rptr, n * 7);
				atomic_store(&w.s.ctrl->engine, GPU_ENGINE_RUNNING);
				atomic_store(&w.s.ctrl->worker[0].seq, 1);
				atomic_store(&w.s.ctrl->quit, 0);
			}
		}
		dx_nap(30);
		world_close(&w);
		expect_all_gone(fds);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void hundreds_of_sessions_come_and_go(void **state)
{
	unsigned int fds = dx_n_fds(&dx);
	struct dx_session s[40];

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 40; i++) {
			dx_session_open(&dx, &s[i], "many");
			dx_slot(&s[i], (unsigned int)i);
		}
		for (int i = 0; i < 40; i++)
			assert_int_equal(dx_nop(&s[i], (unsigned int)i), 0);
		assert_int_equal(dx_n_clients(&dx), 40);
		for (int i = 0; i < 40; i++)
			dx_session_close(&s[i]);
	}
	expect_all_gone(fds);
}

/* ------------------------------------------------ the engine's bell */

static void an_engine_that_sleeps_gets_a_byte(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct world w;
	char byte;

	world_open(&w, "prog");
	p.fd = dx_open_engine(&w.s);
	atomic_store(&w.s.ctrl->engine, GPU_ENGINE_ASLEEP);
	/* Nothing to tell yet. */
	assert_int_equal(poll(&p, 1, 20), 0);
	/* The end of the session tells it in any case. */
	world_close(&w);
	while (recv(p.fd, &byte, 1, 0) > 0)
		;
	close(p.fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		DX_TEST(a_slot_answers_again_and_again),
		DX_TEST(every_slot_serves_at_the_same_time),
		DX_TEST(a_request_that_was_there_before_its_slot_is_served),
		DX_TEST(states_that_make_no_sense_wait_for_one_that_does),
		DX_TEST(a_cancel_ends_its_call),
		DX_TEST(a_cancel_of_another_call_does_nothing),
		DX_TEST(a_late_cancel_does_not_hit_the_next_call),
		DX_TEST(a_cancel_that_is_faster_than_its_call_is_kept_for_it),
		DX_TEST(a_session_ends_with_its_connection),
		DX_TEST(a_session_ends_in_the_middle_of_calls),
		DX_TEST(a_session_ends_though_a_call_of_it_waits_for_its_engine),
		DX_TEST(a_request_without_a_slots_task_is_answered_at_the_end),
		DX_TEST(a_session_ends_with_its_process_even_if_others_hold_its_connection),
		DX_TEST(a_process_that_begins_anew_ends_its_former_session),
		DX_TEST(another_kinds_end_does_not_end_the_session),
		DX_TEST(a_file_outlives_its_session_and_serves_nobody),
		DX_TEST(a_program_that_scribbles_cannot_keep_its_session),
		DX_TEST(hundreds_of_sessions_come_and_go),
		DX_TEST(an_engine_that_sleeps_gets_a_byte),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
