/* SPDX-License-Identifier: MIT */
#include "sim/sched_sim.h"

#include <errno.h>
#include <stdio.h>

#include "../unit/base/support.h"
#include "base/lock.h"
#include "base/trace.h"

#define HOUR (UINT64_C(3600) * 1000 * VKF_NSEC_PER_MSEC)

static struct sim *sim;

static void begin(uint64_t seed)
{
	sim = sim_create(seed);
	assert_non_null(sim);
	sim_install(sim);
}

static void end(void)
{
	sim_destroy(sim);
	sim = NULL;
}

static void nothing(void *arg)
{
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* Three tasks that lock, sleep, spin and say so. */
struct dance {
	struct vkf_mutex m;
	unsigned int shared;
};

static void dance_task(void *arg)
{
	struct dance *d = arg;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		vkf_mutex_lock(&d->m);
		sim_trace(sim, "shared %u", d->shared++);
		vkf_mutex_unlock(&d->m);
		if (sim_random(sim, 2))
			(void)vkf_sleep_ns(sim_random(sim, 500), false);
		else
			vkf_relax();
	}
}

/* Return: the trace's hash; its text in @text (caller frees) unless NULL. */
static uint64_t run_dance(uint64_t seed, char **text)
{
	static const char *const names[] = { "a", "b", "c" };
	struct dance d = { .shared = 0 };
	uint64_t hash;
	int i;

	begin(seed);
	vkf_mutex_init(&d.m, VKF_RANK_LEAF);
	for (i = 0; i < 3; i++)
		assert_int_equal(sim_spawn(sim, names[i], dance_task, &d, NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(d.shared, 30);
	hash = sim_trace_hash(sim);
	if (text)
		*text = strdup(sim_trace_text(sim));
	end();
	return hash;
}

static void events_are_in_the_trace_while_that_is_wanted(void **state)
{
	begin(1);
	vkf_trace_event_set(1, 1);
	sim_trace_events(sim, true);
	(void)vkf_trace_work_for(9);
	vkf_trace_event_set(18, UINT64_C(3) << 32);
	(void)vkf_trace_work_for(0);
	sim_trace_events(sim, false);
	vkf_trace_event_set(1, 1);
	assert_non_null(strstr(sim_trace_text(sim), " main: event_set 9 12 0 0 3\n"));
	assert_null(strstr(sim_trace_text(sim), "event_set 0"));
	sim_trace_events(sim, true);
	end();
	assert_false(vkf_trace_is_on());
}

static void same_seed_gives_the_same_trace(void **state)
{
	char *one, *two;
	uint64_t seed;

	for (seed = 0; seed < 20; seed++) {
		assert_true(run_dance(seed, &one) == run_dance(seed, &two));
		assert_string_equal(one, two);
		free(one);
		free(two);
	}
}

static void different_seeds_give_different_interleavings(void **state)
{
	uint64_t hashes[50];
	unsigned int i, k, equal = 0;

	for (i = 0; i < 50; i++) {
		hashes[i] = run_dance(i, NULL);
		for (k = 0; k < i; k++)
			equal += hashes[k] == hashes[i];
	}
	assert_int_equal(equal, 0);
}

static void the_trace_shows_lines_and_choices(void **state)
{
	char *text;

	run_dance(1, &text);
	assert_non_null(strstr(text, " a: shared "));
	assert_non_null(strstr(text, " c: shared "));
	assert_non_null(strstr(text, "1."));
	assert_non_null(strstr(text, "3."));
	free(text);
}

static void long_lines_are_cut_and_bytes_kept_in_order(void **state)
{
	char big[2000];

	begin(1);
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	sim_trace(sim, "%s", big);
	sim_trace(sim, "after");
	assert_true(strlen(sim_trace_text(sim)) < 1100);
	assert_non_null(strstr(sim_trace_text(sim), "xx\n\n0 main: after\n"));
	end();
}

static uint64_t hash_of(const char *a, const char *b)
{
	uint64_t hash;

	begin(1);
	sim_trace(sim, "%s", a);
	sim_trace(sim, "%s", b);
	hash = sim_trace_hash(sim);
	end();
	return hash;
}

/* Each byte of each line counts, wherever it stands, and so does the order of lines. */
static void whatever_differs_in_the_trace_differs_in_the_hash(void **state)
{
	static const char line[] = "a line of some length, 0123456789";
	uint64_t seen[sizeof(line) + 3];
	unsigned int n = 0;

	seen[n++] = hash_of(line, "b");
	assert_true(seen[0] == hash_of(line, "b"));
	seen[n++] = hash_of("b", line);
	seen[n++] = hash_of(line, "");
	for (unsigned int i = 0; i + 1 < sizeof(line); i++) {
		char other[sizeof(line)];

		memcpy(other, line, sizeof(line));
		other[i] ^= 1;
		seen[n++] = hash_of(other, "b");
	}
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
}

/* Two tasks that add without a lock, with a scheduling point in between. */
struct race {
	unsigned int value;
};

static void racy_add(void *arg)
{
	struct race *r = arg;
	unsigned int i, v;

	for (i = 0; i < 2; i++) {
		v = r->value;
		vkf_point("between");
		r->value = v + 1;
	}
}

static unsigned int run_race(uint64_t seed)
{
	struct race r = { 0 };

	begin(seed);
	assert_int_equal(sim_spawn(sim, "a", racy_add, &r, NULL), 0);
	assert_int_equal(sim_spawn(sim, "b", racy_add, &r, NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	end();
	return r.value;
}

static void a_race_is_found_by_some_seed_and_replayed_by_it(void **state)
{
	unsigned int lost = 0, right = 0, value;
	uint64_t seed;

	for (seed = 0; seed < 100; seed++) {
		value = run_race(seed);
		assert_int_equal(run_race(seed), value);
		lost += value < 4;
		right += value == 4;
	}
	assert_true(lost > 5);
	assert_true(right > 5);
}

struct sleeper {
	uint64_t ns;
	uint64_t woke;
};

static void sleeper_task(void *arg)
{
	struct sleeper *s = arg;

	(void)vkf_sleep_ns(s->ns, false);
	s->woke = vkf_now_ns();
	sim_trace(sim, "woke");
}

static void time_jumps_to_the_earliest_deadline(void **state)
{
	struct sleeper s[3] = { { 30 * HOUR, 0 }, { 10 * HOUR, 0 }, { 20 * HOUR, 0 } };
	int i;

	begin(1);
	for (i = 0; i < 3; i++)
		assert_int_equal(sim_spawn(sim, "sleeper", sleeper_task, &s[i], NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	for (i = 0; i < 3; i++) {
		assert_true(s[i].woke >= s[i].ns);
		assert_true(s[i].woke < s[i].ns + VKF_NSEC_PER_MSEC);
	}
	assert_true(sim_steps(sim) < 100);
	end();
}

static void a_loop_that_polls_the_clock_ends(void **state)
{
	uint64_t deadline, steps;

	begin(1);
	deadline = vkf_now_ns() + VKF_NSEC_PER_MSEC;
	steps = sim_steps(sim);
	while (vkf_now_ns() < deadline)
		vkf_relax();
	assert_true(sim_steps(sim) - steps <= 1001);
	end();
}

static void relaxing_lets_another_run(void **state)
{
	bool flag = false;

	begin(1);
	assert_int_equal(sim_spawn(sim, "t", set_flag, &flag, NULL), 0);
	vkf_relax();
	assert_true(flag);
	end();
}

static void an_unpark_that_comes_first_is_kept_once(void **state)
{
	uint64_t t0;

	begin(1);
	vkf_unpark(vkf_current());
	vkf_unpark(vkf_current());
	vkf_park(VKF_FOREVER);
	t0 = vkf_now_ns();
	vkf_park(t0 + 5000);
	assert_true(vkf_now_ns() >= t0 + 5000);
	end();
}

static void main_is_a_task_that_sleeps_and_joins(void **state)
{
	struct sleeper s = { HOUR, 0 };
	struct vkf_task *t, *me;

	begin(1);
	me = vkf_current();
	assert_string_equal(me->name, "main");
	assert_int_equal(vkf_spawn("sleeper", sleeper_task, &s, &t), 0);
	assert_string_equal(t->name, "sleeper");
	assert_int_equal(vkf_sleep_ns(2 * HOUR, false), 0);
	assert_true(s.woke >= HOUR && s.woke < 2 * HOUR);
	/* It ended long ago: that is no wait. */
	vkf_join(t);
	s.ns = 5 * HOUR;
	assert_int_equal(vkf_spawn("sleeper", sleeper_task, &s, &t), 0);
	vkf_join(t);
	assert_true(s.woke >= 7 * HOUR);
	assert_ptr_equal(vkf_current(), me);
	assert_int_equal(sim_run(sim), 0);
	end();
}

static void spawn_and_join(void *arg)
{
	unsigned int *depth = arg;
	struct vkf_task *t;

	if (++*depth == 20)
		return;
	if (vkf_spawn("child", spawn_and_join, depth, &t) == 0)
		vkf_join(t);
}

static void tasks_spawn_and_join_tasks(void **state)
{
	unsigned int depth = 0;

	begin(3);
	assert_int_equal(sim_spawn(sim, "root", spawn_and_join, &depth, NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(depth, 20);
	end();
}

static void many_detached_tasks_leave_nothing(void **state)
{
	unsigned int i;

	begin(5);
	for (i = 0; i < 1000; i++)
		assert_int_equal(sim_spawn(sim, "t", nothing, NULL, NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	assert_int_equal(sim_run(sim), 0);
	end();
}

struct stuck {
	struct vkf_mutex m;
	struct vkf_cond c;
	bool go;
};

static void wait_for_go(void *arg)
{
	struct stuck *s = arg;

	vkf_mutex_lock(&s->m);
	while (!s->go)
		(void)vkf_cond_wait(&s->c, &s->m, VKF_FOREVER, false);
	vkf_mutex_unlock(&s->m);
}

static void a_deadlock_is_reported_with_seed_and_tasks_and_may_be_resolved(void **state)
{
	struct stuck s = { .go = false };
	struct vkf_task *t;

	begin(4711);
	vkf_mutex_init(&s.m, VKF_RANK_EVENT);
	vkf_cond_init(&s.c);
	assert_int_equal(sim_spawn(sim, "fine", nothing, NULL, NULL), 0);
	assert_int_equal(sim_spawn(sim, "patient", wait_for_go, &s, &t), 0);
	assert_string_equal(sim_report(sim), "");
	assert_int_equal(sim_run(sim), -EDEADLK);
	assert_non_null(strstr(sim_report(sim), "deadlock: seed 4711"));
	assert_non_null(strstr(sim_report(sim), "patient: parked in cond"));
	assert_null(strstr(sim_report(sim), "fine"));

	s.go = true;
	vkf_cond_broadcast(&s.c);
	assert_int_equal(sim_run(sim), 0);
	assert_string_equal(sim_report(sim), "");
	vkf_join(t);
	end();
}

VKF_NO_TS static void lock_and_leave(void *arg)
{
	vkf_mutex_lock(arg);
}

static void lock_and_unlock(void *arg)
{
	vkf_mutex_lock(arg);
	vkf_mutex_unlock(arg);
}

static void a_mutex_that_its_owner_took_along_is_a_deadlock(void **state)
{
	struct vkf_mutex m;
	struct vkf_task *t;

	begin(1);
	vkf_mutex_init(&m, VKF_RANK_LEAF);
	assert_int_equal(vkf_spawn("thief", lock_and_leave, &m, &t), 0);
	vkf_join(t);
	assert_int_equal(sim_spawn(sim, "victim", lock_and_unlock, &m, NULL), 0);
	assert_int_equal(sim_run(sim), -EDEADLK);
	assert_non_null(strstr(sim_report(sim), "victim: parked in mutex"));
	/* With the task still waiting. */
	end();
}

static void spin(void *arg)
{
	while (!*(volatile bool *)arg)
		vkf_relax();
}

static void endless_spinning_reaches_the_step_limit(void **state)
{
	bool stop = false;

	begin(1);
	assert_int_equal(sim_spawn(sim, "spinner", spin, &stop, NULL), 0);
	sim_limit_steps(sim, 5000);
	assert_int_equal(sim_run(sim), -ETIME);
	assert_non_null(strstr(sim_report(sim), "spinner: runnable"));
	assert_true(sim_steps(sim) >= 5000 && sim_steps(sim) < 5010);
	stop = true;
	sim_limit_steps(sim, 0);
	assert_int_equal(sim_run(sim), 0);
	end();
}

static void mains_own_endless_wait_panics_with_the_seed(void **state)
{
	begin(99);
	EXPECT_PANIC("seed 99", vkf_park(VKF_FOREVER));
	end();
}

static void an_interruption_ends_a_sleep(void **state)
{
	struct vkf_task *t;
	struct sleeper s = { 0 };

	begin(1);
	assert_int_equal(vkf_spawn("t", nothing, &s, &t), 0);
	vkf_join(t);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(vkf_sleep_ns(HOUR, true), -VKF_ERESTARTSYS);
	assert_true(vkf_now_ns() < HOUR);
	vkf_task_clear_interrupt();
	end();
}

/* Touches @arg pages of stack. */
static void use_stack(void *arg)
{
	volatile char page[4096];
	unsigned int *left = arg;

	page[0] = 1;
	vkf_relax();
	if (--*left)
		use_stack(arg);
	page[4095] = page[0];
}

static void stacks_are_deep_enough_and_do_not_mix(void **state)
{
	unsigned int left[3] = { 40, 40, 40 };
	int i;

	begin(1);
	for (i = 0; i < 3; i++)
		assert_int_equal(sim_spawn(sim, "deep", use_stack, &left[i], NULL), 0);
	assert_int_equal(sim_run(sim), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(left[i], 0);
	end();
}

static void leave_in_the_middle(void *arg)
{
	(void)vkf_sleep_ns(HOUR, false);
	vkf_park(VKF_FOREVER);
}

static void destroying_forgets_tasks_that_have_not_ended(void **state)
{
	struct vkf_task *t;

	begin(1);
	assert_int_equal(sim_spawn(sim, "never started", nothing, NULL, &t), 0);
	end();
	begin(1);
	assert_int_equal(sim_spawn(sim, "half way", leave_in_the_middle, NULL, NULL), 0);
	vkf_relax();
	end();
	/* The simulator is not the back end any more. */
	assert_string_equal(vkf_current()->name, "lone");
}

static void two_simulations_in_turn_do_not_touch_each_other(void **state)
{
	struct sim *one, *two;
	bool flag = false;

	begin(1);
	one = sim;
	assert_int_equal(vkf_sleep_ns(HOUR, false), 0);
	begin(2);
	two = sim;
	assert_true(vkf_now_ns() == 0);
	assert_int_equal(sim_seed(two), 2);
	sim_install(one);
	assert_int_equal(sim_spawn(one, "t", set_flag, &flag, NULL), 0);
	assert_int_equal(sim_run(one), 0);
	assert_true(flag);
	assert_true(vkf_now_ns() >= HOUR);
	sim_destroy(two);
	assert_true(vkf_now_ns() >= HOUR);
	sim_destroy(one);
}

static void dice_stay_below_their_bound_and_meet_each_number(void **state)
{
	unsigned int seen = 0, i;
	uint64_t n;

	begin(1);
	for (i = 0; i < 1000; i++) {
		n = sim_random(sim, 7);
		assert_true(n < 7);
		seen |= 1u << n;
	}
	assert_int_equal(seen, 0x7f);
	end();
}

/* Each allocation of the simulator's own, refused in turn. */

static unsigned int refuse_in;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse_in && --refuse_in == 0 ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return refuse_in && --refuse_in == 0 ? NULL : __real_realloc(p, size);
}

static void without_memory_nothing_is_created_and_nothing_leaks(void **state)
{
	struct vkf_task *t = NULL;
	unsigned int n, failed = 0;
	bool flag;

	for (n = 1; n <= 8; n++) {
		flag = false;
		refuse_in = n;
		sim = sim_create(1);
		if (!sim) {
			failed++;
			continue;
		}
		sim_install(sim);
		if (sim_spawn(sim, "t", set_flag, &flag, &t) == -ENOMEM) {
			failed++;
			assert_null(t);
			assert_int_equal(sim_spawn(sim, "t", set_flag, &flag, &t), 0);
		}
		refuse_in = 0;
		assert_int_equal(sim_run(sim), 0);
		assert_true(flag);
		vkf_join(t);
		t = NULL;
		end();
	}
	refuse_in = 0;
	assert_true(failed >= 5 && failed < 8);
}

static void a_trace_without_memory_keeps_its_hash(void **state)
{
	uint64_t hash;

	begin(1);
	sim_trace(sim, "one");
	hash = sim_trace_hash(sim);
	end();
	begin(1);
	refuse_in = 1;
	sim_trace(sim, "one");
	refuse_in = 0;
	assert_string_equal(sim_trace_text(sim), "");
	assert_true(sim_trace_hash(sim) == hash);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_in_the_trace_while_that_is_wanted),
		cmocka_unit_test(same_seed_gives_the_same_trace),
		cmocka_unit_test(different_seeds_give_different_interleavings),
		cmocka_unit_test(the_trace_shows_lines_and_choices),
		cmocka_unit_test(long_lines_are_cut_and_bytes_kept_in_order),
		cmocka_unit_test(whatever_differs_in_the_trace_differs_in_the_hash),
		cmocka_unit_test(a_race_is_found_by_some_seed_and_replayed_by_it),
		cmocka_unit_test(time_jumps_to_the_earliest_deadline),
		cmocka_unit_test(a_loop_that_polls_the_clock_ends),
		cmocka_unit_test(relaxing_lets_another_run),
		cmocka_unit_test(an_unpark_that_comes_first_is_kept_once),
		cmocka_unit_test(main_is_a_task_that_sleeps_and_joins),
		cmocka_unit_test(tasks_spawn_and_join_tasks),
		cmocka_unit_test(many_detached_tasks_leave_nothing),
		cmocka_unit_test(a_deadlock_is_reported_with_seed_and_tasks_and_may_be_resolved),
		cmocka_unit_test(a_mutex_that_its_owner_took_along_is_a_deadlock),
		cmocka_unit_test(endless_spinning_reaches_the_step_limit),
		cmocka_unit_test(mains_own_endless_wait_panics_with_the_seed),
		cmocka_unit_test(an_interruption_ends_a_sleep),
		cmocka_unit_test(stacks_are_deep_enough_and_do_not_mix),
		cmocka_unit_test(destroying_forgets_tasks_that_have_not_ended),
		cmocka_unit_test(two_simulations_in_turn_do_not_touch_each_other),
		cmocka_unit_test(dice_stay_below_their_bound_and_meet_each_number),
		cmocka_unit_test(without_memory_nothing_is_created_and_nothing_leaks),
		cmocka_unit_test(a_trace_without_memory_keeps_its_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
