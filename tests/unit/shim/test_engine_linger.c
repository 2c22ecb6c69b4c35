/* SPDX-License-Identifier: MIT */
/* Whether the engine looks on after its work, on which CPU it does, and where it sleeps. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include "shim/engine_linger.h"

#define TRIES 1000
#define NOW   UINT64_C(1000000000000)
#define LATER UINT64_C(1000000000) /* so much that it is asked again where a thread is */

/* struct ringer - a thread bound to one CPU, whose name is made to be misread */
struct ringer {
	pthread_t thread;
	int cpu;
	_Atomic int32_t tid;
	atomic_bool end;
};

static void *ring(void *arg)
{
	struct ringer *r = arg;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(r->cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	prctl(PR_SET_NAME, "a) R 1 (2) 3");
	atomic_store(&r->tid, (int32_t)syscall(SYS_gettid));
	while (!atomic_load(&r->end))
		usleep(1000);
	return NULL;
}

static void ringer_start(struct ringer *r, int cpu)
{
	*r = (struct ringer){ .cpu = cpu };
	assert_int_equal(pthread_create(&r->thread, NULL, ring, r), 0);
	while (!atomic_load(&r->tid))
		usleep(1000);
}

static void ringer_stop(struct ringer *r)
{
	atomic_store(&r->end, true);
	pthread_join(r->thread, NULL);
}

static cpu_set_t allowed(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	return cpus;
}

/* Look on, as soon as it is its turn to be tried. */
static void begin(struct engine_linger *l)
{
	for (unsigned int i = 0; !engine_linger_begin(l); i++)
		assert_true(i < TRIES);
}

static unsigned int count_looks(struct engine_linger *l, unsigned int n, bool worth_it)
{
	unsigned int looks = 0;

	while (n--) {
		looks += engine_linger_begin(l);
		engine_linger_end(l, worth_it);
	}
	return looks;
}

static void test_is_tried_now_and_then(void **state)
{
	struct engine_linger l = { 0 };
	unsigned int looks = count_looks(&l, 320, false);

	(void)state;
	assert_in_range(looks, 1, 20);
	engine_linger_go_anywhere(&l);
}

static void test_what_was_worth_it_is_done_again(void **state)
{
	struct engine_linger l = { 0 };

	(void)state;
	begin(&l);
	engine_linger_end(&l, true);
	assert_int_equal(count_looks(&l, 100, true), 100);
	/* A few times in vain do not end it, many do. */
	assert_int_equal(count_looks(&l, 3, false), 3);
	assert_in_range(count_looks(&l, 320, false), 1, 30);
	engine_linger_go_anywhere(&l);
}

static void test_looks_where_the_ringing_thread_is_not(void **state)
{
	cpu_set_t before = allowed(), after;

	(void)state;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct engine_linger l = { 0 };
		struct ringer r;

		if (!CPU_ISSET(cpu, &before))
			continue;
		ringer_start(&r, cpu);
		l.ringer = atomic_load(&r.tid);
		begin(&l);
		if (CPU_COUNT(&before) > 1)
			assert_int_not_equal(sched_getcpu(), cpu);
		engine_linger_end(&l, false);
		engine_linger_go_anywhere(&l);
		after = allowed();
		assert_true(CPU_EQUAL(&before, &after));
		ringer_stop(&r);
	}
}

static void test_sleeps_where_the_ringing_thread_is(void **state)
{
	struct engine_linger l = { 0 };
	cpu_set_t before = allowed(), after;
	uint64_t now = NOW;

	(void)state;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct ringer r;

		if (!CPU_ISSET(cpu, &before))
			continue;
		ringer_start(&r, cpu);
		l.ringer = atomic_load(&r.tid);
		now += LATER;
		engine_linger_go_home(&l, now);
		assert_int_equal(sched_getcpu(), cpu);
		/* The first answer, too, is good for a while. */
		assert_true(l.ask_at_ns > now);
		after = allowed();
		assert_int_equal(CPU_COUNT(&after), 1);
		/* From another CPU back again, without asking. */
		begin(&l);
		engine_linger_end(&l, true);
		engine_linger_go_home(&l, now);
		assert_int_equal(sched_getcpu(), cpu);
		ringer_stop(&r);
	}
	engine_linger_go_anywhere(&l);
	after = allowed();
	assert_true(CPU_EQUAL(&before, &after));
}

static void test_a_thread_that_has_ended_is_nowhere(void **state)
{
	cpu_set_t before = allowed(), after;
	struct engine_linger l = { 0 };
	struct ringer r;

	(void)state;
	ringer_start(&r, sched_getcpu());
	l.ringer = atomic_load(&r.tid);
	ringer_stop(&r);
	begin(&l);
	engine_linger_end(&l, true);
	engine_linger_go_home(&l, NOW);
	after = allowed();
	assert_true(CPU_EQUAL(&before, &after));
}

static void test_one_cpu_is_never_left(void **state)
{
	cpu_set_t before = allowed(), one, after;
	struct engine_linger l = { 0 };

	(void)state;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	begin(&l);
	engine_linger_end(&l, true);
	engine_linger_go_home(&l, NOW);
	after = allowed();
	assert_true(CPU_EQUAL(&one, &after));
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_tried_now_and_then),
		cmocka_unit_test(test_what_was_worth_it_is_done_again),
		cmocka_unit_test(test_looks_where_the_ringing_thread_is_not),
		cmocka_unit_test(test_sleeps_where_the_ringing_thread_is),
		cmocka_unit_test(test_a_thread_that_has_ended_is_nowhere),
		cmocka_unit_test(test_one_cpu_is_never_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
