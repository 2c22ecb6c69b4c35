/* SPDX-License-Identifier: MIT */
#include "storm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

volatile sig_atomic_t storm_n_signals;
static void (*in_handler)(void);

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	storm_n_signals++;
	if (in_handler)
		in_handler();
	errno = saved;
}

void storm_start(struct storm *s, bool restart, void (*also)(void))
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0 };
	struct itimerspec every = { { 0, STORM_PERIOD_US * 1000 }, { 0, STORM_PERIOD_US * 1000 } };
	struct sigevent to_me = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR1,
		.sigev_notify_thread_id = (int)syscall(SYS_gettid),
	};

	in_handler = also;
	storm_n_signals = 0;
	s->restart = restart;
	s->end_ns = now_ns() + STORM_SECONDS * 1000000000ull;
	assert_int_equal(sigaction(SIGUSR1, &sa, &s->old), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &to_me, &s->timer), 0);
	assert_int_equal(timer_settime(s->timer, 0, &every, NULL), 0);
}

bool storm_is_over(const struct storm *s)
{
	return now_ns() >= s->end_ns;
}

void storm_stop(struct storm *s)
{
	assert_int_equal(timer_delete(s->timer), 0);
	assert_int_equal(sigaction(SIGUSR1, &s->old, NULL), 0);
}
