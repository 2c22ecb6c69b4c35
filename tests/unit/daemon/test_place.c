/* SPDX-License-Identifier: MIT */
/* Times are made up: nothing here looks at a clock. */
#include "daemon/place.h"

#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#define US   UINT64_C(1000)
#define MS   UINT64_C(1000000)
#define MANY 100

static cpu_set_t before;

static int cpus(void)
{
	return CPU_COUNT(&before);
}

static int first_cpu(void)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, &before))
		cpu++;
	return cpu;
}

static bool is_on(int cpu)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_ISSET(cpu, &set);
}

static bool is_only_on(int cpu)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set);
}

static int setup(void **state)
{
	(void)state;
	if (sched_getaffinity(0, sizeof(before), &before) < 0)
		return -1;
	place_setup();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return sched_setaffinity(0, sizeof(before), &before);
}

/* @n requests, each answered at once and followed by the next after @gap_ns. Return: the time. */
static uint64_t calls(struct place *p, int n, uint64_t from, uint64_t gap_ns)
{
	for (int i = 0; i < n; i++) {
		place_asked(p, first_cpu(), from);
		place_answered(p, from);
		from += gap_ns;
	}
	return from;
}

static void it_goes_where_the_program_was(void **state)
{
	struct place p;

	(void)state;
	place_init(&p);
	place_rest(&p, first_cpu());
	assert_true(is_only_on(first_cpu()));
	place_fini(&p);
}

static void a_cpu_that_is_none_of_ours_changes_nothing(void **state)
{
	struct place p;

	(void)state;
	place_init(&p);
	place_rest(&p, -1);
	place_rest(&p, CPU_SETSIZE);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &before))
			place_rest(&p, cpu);
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		assert_int_equal(is_on(cpu), !!CPU_ISSET(cpu, &before));
	place_fini(&p);
}

static void calls_in_quick_succession_move_it_away(void **state)
{
	struct place p;

	(void)state;
	if (cpus() < 2)
		skip();
	place_init(&p);
	place_rest(&p, first_cpu());
	calls(&p, MANY, MS, US);
	assert_true(p.away);
	assert_true(place_look_ns(&p) > 0);
	assert_false(is_on(first_cpu()));
	place_rest(&p, first_cpu());
	assert_false(p.away);
	assert_int_equal(place_look_ns(&p), 0);
	assert_true(is_only_on(first_cpu()));
	place_fini(&p);
}

static void slow_calls_do_not(void **state)
{
	struct place p;

	(void)state;
	place_init(&p);
	place_rest(&p, first_cpu());
	calls(&p, MANY, MS, MS);
	assert_false(p.away);
	assert_true(is_only_on(first_cpu()));
	place_fini(&p);
}

static void on_its_only_cpu_it_never_goes_away(void **state)
{
	struct place p;
	cpu_set_t one;

	(void)state;
	CPU_ZERO(&one);
	CPU_SET(first_cpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	place_setup();
	place_init(&p);
	calls(&p, MANY, MS, US);
	assert_false(p.away);
	place_fini(&p);
}

static void who_may_not_go_to_the_program_looks_from_the_first_call_on(void **state)
{
	struct place p;
	cpu_set_t one;

	(void)state;
	if (cpus() < 2)
		skip();
	one = before;
	CPU_CLR(first_cpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	place_setup();
	place_init(&p);
	place_asked(&p, first_cpu(), MS);
	assert_true(p.away);
	place_answered(&p, MS);
	place_rest(&p, first_cpu());
	assert_false(p.away);
	assert_false(is_on(first_cpu()));
	place_asked(&p, first_cpu(), 9 * MS);
	assert_true(p.away);
	place_fini(&p);
}

static void who_lost_the_cpu_stays_home_for_a_while(void **state)
{
	struct place p;
	uint64_t now;

	(void)state;
	if (cpus() < 2)
		skip();
	place_init(&p);
	now = calls(&p, MANY, MS, US);
	assert_true(place_may_look(&p, now, now + US));
	assert_false(place_may_look(&p, now, now + 3 * MS));
	place_rest(&p, first_cpu());
	now = calls(&p, MANY, now + 3 * MS, US);
	assert_false(p.away);
	calls(&p, MANY, now + 1000 * MS, US);
	assert_true(p.away);
	place_fini(&p);
}

/* How long after a loss at @now it is before it goes away again. */
static uint64_t stays_home(struct place *p, uint64_t now)
{
	uint64_t from = now;

	assert_true(p->away);
	assert_false(place_may_look(p, now, now + MS));
	place_rest(p, first_cpu());
	while (!p->away)
		now = calls(p, 1, now, US);
	return now - from;
}

static void who_loses_again_and_again_stays_longer_but_not_for_ever(void **state)
{
	uint64_t first, last = 0, stay, now;
	struct place p;

	(void)state;
	if (cpus() < 2)
		skip();
	place_init(&p);
	now = calls(&p, MANY, MS, US);
	first = stay = stays_home(&p, now);
	for (int i = 0; i < 20; i++) {
		last = stay;
		now += stay + US;
		stay = stays_home(&p, now);
		assert_true(stay >= last);
	}
	assert_true(stay > 4 * first);
	assert_true(stay < 1000 * MS);
	assert_true(stay - last < MS);
	/* A long time away was worth it, whatever ended it. */
	now += stay + 100 * MS;
	assert_true(stays_home(&p, now) <= first + MS);
	place_fini(&p);
}

static void no_more_than_half_of_the_cpus_are_looked_on(void **state)
{
	struct place *p = calloc((size_t)cpus(), sizeof(*p));
	int n_away = 0;

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < cpus(); i++) {
		place_init(&p[i]);
		calls(&p[i], MANY, MS, US);
		n_away += p[i].away;
	}
	assert_int_equal(n_away, cpus() / 2);
	for (int i = 0; i < cpus(); i++)
		place_fini(&p[i]);
	if (cpus() >= 2) {
		/* They have given their places back. */
		calls(&p[0], MANY, MS, US);
		assert_true(p[0].away);
		place_fini(&p[0]);
	}
	free(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_goes_where_the_program_was),
		TEST(a_cpu_that_is_none_of_ours_changes_nothing),
		TEST(calls_in_quick_succession_move_it_away),
		TEST(slow_calls_do_not),
		TEST(on_its_only_cpu_it_never_goes_away),
		TEST(who_may_not_go_to_the_program_looks_from_the_first_call_on),
		TEST(who_lost_the_cpu_stays_home_for_a_while),
		TEST(who_loses_again_and_again_stays_longer_but_not_for_ever),
		TEST(no_more_than_half_of_the_cpus_are_looked_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
