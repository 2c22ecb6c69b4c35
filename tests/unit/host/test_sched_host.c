/* SPDX-License-Identifier: MIT */
#include "host/sched_host.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "../base/support.h"
#include "base/sched.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);

static bool refuse_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	return refuse_threads ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

static int install(void **state)
{
	host_sched_install();
	return 0;
}

/* What a spawned task finds out about itself. */
struct seen {
	struct vkf_task *self;
	char name[32];
	sigset_t mask;
	size_t stack;
	bool ran;
};

static void look_around(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;

	s->self = vkf_current();
	pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &s->stack);
	pthread_attr_destroy(&attr);
	s->ran = true;
}

static void a_spawned_task_is_current_in_itself(void **state)
{
	struct seen s = { 0 };
	struct vkf_task *t;

	assert_int_equal(vkf_spawn("worker", look_around, &s, &t), 0);
	vkf_join(t);
	assert_true(s.ran);
	assert_ptr_equal(s.self, t);
	assert_ptr_not_equal(s.self, vkf_current());
}

static void a_long_name_is_cut_to_what_fits(void **state)
{
	struct seen s = { 0 };
	struct vkf_task *t;

	assert_int_equal(vkf_spawn("a name that is too long", look_around, &s, &t), 0);
	vkf_join(t);
	assert_string_equal(s.name, "a name that is ");
}

static void spawned_tasks_have_all_signals_blocked_and_the_spawner_none_more(void **state)
{
	struct seen s = { 0 };
	struct vkf_task *t;
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(vkf_spawn("worker", look_around, &s, &t), 0);
	vkf_join(t);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_true(sigismember(&s.mask, SIGTERM) && sigismember(&s.mask, SIGINT) &&
		    sigismember(&s.mask, SIGUSR1));
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
	assert_int_equal(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
}

static void stacks_are_small(void **state)
{
	struct seen s = { 0 };
	struct vkf_task *t;

	assert_int_equal(vkf_spawn("worker", look_around, &s, &t), 0);
	vkf_join(t);
	assert_true(s.stack <= 4 << 20);
}

static void *look_around_thread(void *arg)
{
	look_around(arg);
	return NULL;
}

static void a_foreign_thread_is_a_task_of_its_own(void **state)
{
	struct vkf_task *me = vkf_current();
	struct seen s = { 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, look_around_thread, &s), 0);
	pthread_join(thread, NULL);
	assert_non_null(s.self);
	assert_ptr_not_equal(s.self, me);
	assert_ptr_equal(vkf_current(), me);
}

static void the_clock_is_the_monotonic_one(void **state)
{
	struct timespec a, b;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &a);
	now = vkf_now_ns();
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(now >= (uint64_t)a.tv_sec * 1000000000 + a.tv_nsec);
	assert_true(now <= (uint64_t)b.tv_sec * 1000000000 + b.tv_nsec);
}

static void an_unpark_that_comes_first_is_kept_once(void **state)
{
	unsigned int n = 0;
	uint64_t deadline;

	vkf_unpark(vkf_current());
	vkf_unpark(vkf_current());
	vkf_park(VKF_FOREVER);
	/* From now on it sleeps; a few spurious returns are legal, a busy loop is not. */
	deadline = vkf_now_ns() + 5 * VKF_NSEC_PER_MSEC;
	while (vkf_now_ns() < deadline) {
		vkf_park(deadline);
		n++;
	}
	assert_true(n < 50);
}

#define N_PINGS 5000

struct ping {
	struct vkf_task *peer;
	atomic_uint turn;
};

static void pong(void *arg)
{
	struct ping *p = arg;
	unsigned int i;

	for (i = 1; i < N_PINGS; i += 2) {
		while (atomic_load(&p->turn) != i)
			vkf_park(VKF_FOREVER);
		atomic_store(&p->turn, i + 1);
		vkf_unpark(p->peer);
	}
}

static void parking_loses_no_wakeup(void **state)
{
	struct ping p = { .peer = vkf_current() };
	struct vkf_task *t;
	unsigned int i;

	assert_int_equal(vkf_spawn("pong", pong, &p, &t), 0);
	for (i = 0; i < N_PINGS; i += 2) {
		while (atomic_load(&p.turn) != i)
			vkf_park(VKF_FOREVER);
		atomic_store(&p.turn, i + 1);
		vkf_unpark(t);
	}
	vkf_join(t);
	assert_int_equal(atomic_load(&p.turn), N_PINGS);
}

static void sleep_until_interrupted(void *arg)
{
	*(int *)arg = vkf_sleep_ns(3600 * 1000 * VKF_NSEC_PER_MSEC, true);
}

static void an_interruption_ends_another_tasks_sleep(void **state)
{
	struct vkf_task *t;
	int r = 0;

	assert_int_equal(vkf_spawn("sleeper", sleep_until_interrupted, &r, &t), 0);
	vkf_task_interrupt(t);
	vkf_join(t);
	assert_int_equal(r, -VKF_ERESTARTSYS);
}

static void relaxing_lets_others_run(void **state)
{
	struct seen s = { 0 };
	struct vkf_task *t;
	unsigned int i;

	assert_int_equal(vkf_spawn("worker", look_around, &s, &t), 0);
	for (i = 0; i < 100; i++)
		vkf_relax();
	vkf_join(t);
	assert_true(s.ran);
}

static void a_refused_thread_is_eagain_and_leaves_the_out_parameter(void **state)
{
	struct vkf_task *t = NULL;
	sigset_t mask;

	refuse_threads = true;
	assert_int_equal(vkf_spawn("worker", look_around, NULL, &t), -EAGAIN);
	refuse_threads = false;
	assert_null(t);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_false(sigismember(&mask, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spawned_task_is_current_in_itself),
		cmocka_unit_test(a_long_name_is_cut_to_what_fits),
		cmocka_unit_test(spawned_tasks_have_all_signals_blocked_and_the_spawner_none_more),
		cmocka_unit_test(stacks_are_small),
		cmocka_unit_test(a_foreign_thread_is_a_task_of_its_own),
		cmocka_unit_test(the_clock_is_the_monotonic_one),
		cmocka_unit_test(an_unpark_that_comes_first_is_kept_once),
		cmocka_unit_test(parking_loses_no_wakeup),
		cmocka_unit_test(an_interruption_ends_another_tasks_sleep),
		cmocka_unit_test(relaxing_lets_others_run),
		cmocka_unit_test(a_refused_thread_is_eagain_and_leaves_the_out_parameter),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
