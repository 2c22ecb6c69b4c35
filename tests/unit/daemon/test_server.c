/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct dx_options with_lifetime = { .lifetime = true };

static void end_lifetime(struct dx_daemon *d)
{
	close(d->lifetime);
	d->lifetime = -1;
}

static bool lives(const struct dx_daemon *d)
{
	dx_nap(50);
	return waitpid(d->pid, NULL, WNOHANG) == 0;
}

static void each_signal_that_ends_programs_ends_it_with_success(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < 3; i++) {
		struct dx_daemon d;

		dx_start(&d, NULL);
		kill(d.pid, signals[i]);
		assert_int_equal(dx_wait(&d), 0);
		assert_int_equal(access(d.runtime, F_OK), -1);
	}
}

static void a_signal_ends_it_whatever_programs_are_doing(void **state)
{
	struct dx_session s[5];
	struct dx_daemon d;
	int fds[5], idle, engine;
	uint64_t begin, kfd;

	dx_start(&d, NULL);
	idle = dx_connect(&d);
	for (int i = 0; i < 5; i++) {
		dx_session_open(&d, &s[i], "prog");
		dx_slot(&s[i], 0);
		fds[i] = dx_open_kfd(&s[i], &kfd);
		dx_wait_begin(&s[i], 0, kfd, dx_create_event(&s[i], 0, kfd), 60000);
	}
	engine = dx_open_engine(&s[0]);
	/* An engine that answers nobody is not waited for. */
	atomic_store(&s[0].ctrl->engine, GPU_ENGINE_RUNNING);
	atomic_store(&s[0].ctrl->worker[0].seq, 1);
	begin = dx_now_ms();
	dx_stop(&d);
	assert_true(dx_now_ms() - begin < 5000);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(dx_answer(&s[i], 0, 1000), -EIO);
		assert_true(dx_closed(s[i].fd));
		assert_true(dx_closed(fds[i]));
		close(fds[i]);
		dx_session_close(&s[i]);
	}
	assert_true(dx_closed(engine));
	assert_true(dx_closed(idle));
	close(engine);
	close(idle);
}

static void many_signals_are_one(void **state)
{
	struct dx_session s;
	struct dx_daemon d;

	dx_start(&d, NULL);
	dx_session_open(&d, &s, "prog");
	for (int i = 0; i < 10; i++)
		kill(d.pid, i & 1 ? SIGTERM : SIGINT);
	assert_int_equal(dx_wait(&d), 0);
	dx_session_close(&s);
}

static void a_pipe_that_nobody_reads_does_not_kill_it(void **state)
{
	kill(dx.pid, SIGPIPE);
	assert_true(lives(&dx));
	assert_int_equal(dx_n_clients(&dx), 0);
}

static void with_nobody_there_it_ends_with_its_lifetime(void **state)
{
	struct dx_daemon d;

	dx_start(&d, &with_lifetime);
	assert_true(lives(&d));
	end_lifetime(&d);
	assert_int_equal(dx_wait(&d), 0);
	assert_int_equal(access(d.runtime, F_OK), -1);
}

static void beyond_its_lifetime_it_stays_for_the_last_client(void **state)
{
	struct dx_session s;
	struct dx_daemon d;
	uint64_t kfd;
	int fd;

	dx_start(&d, &with_lifetime);
	dx_session_open(&d, &s, "prog");
	dx_slot(&s, 0);
	end_lifetime(&d);
	assert_true(lives(&d));
	assert_int_equal(dx_nop(&s, 0), 0);
	/* New ones are served as well, while it lives. */
	fd = dx_open_kfd(&s, &kfd);
	assert_true(fd >= 0);
	dx_session_close(&s);
	/* A descriptor that somebody still holds counts, too. */
	assert_true(lives(&d));
	close(fd);
	assert_int_equal(dx_wait(&d), 0);
}

static void clients_that_go_do_not_end_a_driver_whose_lifetime_goes_on(void **state)
{
	struct dx_session s;
	struct dx_daemon d;

	dx_start(&d, &with_lifetime);
	for (int i = 0; i < 3; i++) {
		dx_session_open(&d, &s, "prog");
		dx_session_close(&s);
		dx_wait_clients(&d, 0);
	}
	assert_true(lives(&d));
	end_lifetime(&d);
	assert_int_equal(dx_wait(&d), 0);
}

static void a_lifetime_that_ends_with_the_last_client_still_ends_it(void **state)
{
	for (int i = 0; i < 20; i++) {
		struct dx_session s;
		struct dx_daemon d;

		dx_start(&d, &with_lifetime);
		dx_session_open(&d, &s, "prog");
		dx_slot(&s, 0);
		assert_int_equal(dx_nop(&s, 0), 0);
		if (i & 1)
			end_lifetime(&d);
		dx_session_close(&s);
		if (!(i & 1))
			end_lifetime(&d);
		assert_int_equal(dx_wait(&d), 0);
	}
}

static void another_socket_serves_the_same_machine(void **state)
{
	struct dx_options o = { 0 };
	struct dx_session s;
	struct dx_daemon d, other;
	char path[128];

	snprintf(path, sizeof(path), "%s/extra", getenv("XDG_RUNTIME_DIR"));
	o.listen_at = path;
	dx_start(&d, &o);
	dx_session_open(&d, &s, "first");
	other = d;
	snprintf(other.sock, sizeof(other.sock), "%s", path);
	assert_int_equal(dx_n_clients(&other), 1);
	dx_session_close(&s);
	dx_session_open(&other, &s, "second");
	dx_wait_clients(&d, 1);
	dx_session_close(&s);
	dx_stop(&d);
	/* It was not the daemon's to remove. */
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void the_socket_is_its_users_only(void **state)
{
	struct stat st;

	assert_int_equal(stat(dx.runtime, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(dx.sock, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
}

static void one_that_is_killed_leaves_clients_with_closed_connections(void **state)
{
	struct dx_session s;
	struct dx_daemon d;
	char cmd[200];

	dx_start(&d, NULL);
	dx_session_open(&d, &s, "prog");
	kill(d.pid, SIGKILL);
	assert_int_equal(dx_wait(&d), -1);
	assert_true(dx_closed(s.fd));
	dx_session_close(&s);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", d.runtime);
	assert_int_equal(system(cmd), 0);
}

static void an_idle_daemon_is_idle(void **state)
{
	unsigned long before, after;
	char path[64], line[512];
	FILE *f;

	/* Not a tick of CPU time in a quarter of a second, with a client that does nothing. */
	for (int i = 0; i < 2; i++) {
		struct dx_session s;
		unsigned long utime, stime;

		dx_session_open(&dx, &s, "prog");
		dx_slot(&s, 0);
		assert_int_equal(dx_nop(&s, 0), 0);
		dx_nap(50);
		snprintf(path, sizeof(path), "/proc/%d/stat", dx.pid);
		for (int k = 0; k < 2; k++) {
			f = fopen(path, "r");
			assert_non_null(fgets(line, sizeof(line), f));
			fclose(f);
			assert_int_equal(sscanf(strrchr(line, ')') + 2,
						"%*c %*d %*d %*d %*d %*d %*u "
						"%*u %*u %*u %*u %lu %lu",
						&utime, &stime),
					 2);
			after = utime + stime;
			if (!k)
				before = after;
			dx_nap(k ? 0 : 250);
		}
		assert_in_range(after - before, 0, 1);
		dx_session_close(&s);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_signal_that_ends_programs_ends_it_with_success),
		cmocka_unit_test(a_signal_ends_it_whatever_programs_are_doing),
		cmocka_unit_test(many_signals_are_one),
		DX_TEST(a_pipe_that_nobody_reads_does_not_kill_it),
		cmocka_unit_test(with_nobody_there_it_ends_with_its_lifetime),
		cmocka_unit_test(beyond_its_lifetime_it_stays_for_the_last_client),
		cmocka_unit_test(clients_that_go_do_not_end_a_driver_whose_lifetime_goes_on),
		cmocka_unit_test(a_lifetime_that_ends_with_the_last_client_still_ends_it),
		cmocka_unit_test(another_socket_serves_the_same_machine),
		DX_TEST(the_socket_is_its_users_only),
		cmocka_unit_test(one_that_is_killed_leaves_clients_with_closed_connections),
		DX_TEST(an_idle_daemon_is_idle),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
