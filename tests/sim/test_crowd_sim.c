/* SPDX-License-Identifier: MIT */
/**
 * DOC: Who wants more than there is gets a share, for hours
 *
 * Programs that fill a GPU each, together several times what it has, copy for as long
 * as the simulation lasts. Each of them must get on, about as much as the others, with
 * no long pause, whatever happens to one of them, and every byte must be right.
 *
 * VKFD_SIM_SEED=n runs one seed; VKFD_SIM_SECONDS=n is how long, in virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_random.h"

#define N_PROGRAMS 4
#define N_BUFFERS  5
#define N_SEEDS    4
#define SECONDS    60
#define SEC        (1000 * MSEC)

/* struct worker - what one program came to */
struct worker {
	struct show *show;
	uint64_t n_copies, last, longest_pause;
	uint64_t stop_at, stop_for; /* SIGSTOP */
};

struct show {
	uint64_t ends; /* then all of them end */
	struct worker workers[N_PROGRAMS];
};

/* What was refused because others take and give is asked for again. */
static void must_map(struct prog *pr, struct prog_buf *b)
{
	while (prog_alloc(pr, b, PROG_VRAM, 0, VKF_MIB(4), F_WRITABLE | F_PUBLIC))
		vkf_sleep_ns(MSEC, false);
	while (prog_map(pr, b, 1))
		vkf_sleep_ns(MSEC, false);
}

static void get_on(struct worker *w)
{
	uint64_t now = vkf_now_ns(), pause = now - w->last;

	w->longest_pause = VKF_MAX(w->longest_pause, pause);
	w->last = now;
	w->n_copies++;
}

static void work(struct prog *pr, struct worker *w)
{
	unsigned int i = (unsigned int)prog_dice(pr, N_BUFFERS);
	struct prog_buf *src = &pr->bufs[i], *dst = &pr->bufs[(i + 1) % N_BUFFERS];
	struct prog_flight *f;

	prog_fill(pr, src);
	f = prog_copy_some(pr, &pr->queues[0], dst, src);
	if (f && prog_land(pr, f))
		get_on(w);
	vkf_sleep_ns(prog_dice(pr, 10 * MSEC), false);
	msim_step(pr->t);
}

/* SIGSTOP, when the engine is inside an instruction, and cannot be waited for. */
static void stop_in_a_copy(struct prog *pr, struct worker *w)
{
	struct prog_flight *f =
		prog_copy(pr, &pr->queues[0], &pr->bufs[1], &pr->bufs[0], VKF_MIB(4));

	vkf_sleep_ns(prog_dice(pr, 2000), false);
	msim_stop(pr->p, w->stop_for);
	w->stop_at = 0;
	if (f)
		prog_land(pr, f);
}

static void worker_main(struct msim_thread *t)
{
	struct prog *pr = calloc(1, sizeof(*pr));
	struct worker *w = t->arg;

	assert_non_null(pr);
	prog_share(t->process);
	prog_begin(pr, t);
	for (unsigned int i = 0; i < N_BUFFERS; i++)
		must_map(pr, &pr->bufs[i]);
	while (prog_queue_create(pr, &pr->queues[0], PROG_SDMA, 0))
		vkf_sleep_ns(MSEC, false);
	w->last = vkf_now_ns();
	while (vkf_now_ns() < w->show->ends && !prog_is_lost(pr)) {
		if (w->stop_at && vkf_now_ns() > w->stop_at)
			stop_in_a_copy(pr, w);
		work(pr, w);
	}
	if (!prog_is_lost(pr))
		prog_end(pr);
	free(pr);
}

static uint64_t seconds(void)
{
	const char *s = getenv("VKFD_SIM_SECONDS");

	return s ? strtoull(s, NULL, 0) : SECONDS;
}

/* @stops: the first program is stopped in the middle, for longer than anybody waits for it. */
static void run(uint64_t seed, bool stops, struct show *show)
{
	static const char *const sets[] = { "gpu.vram=32MiB", "socket.ram=1GiB",
					    "policy.vram_limit=overcommit" };
	struct msim_config config = {
		.seed = seed,
		.machine = "mi210x2",
		.sets = sets,
		.n_sets = VKF_ARRAY_SIZE(sets),
		.signal_odds = 10,
		.check_odds = 4000,
	};
	struct msim m;

	*show = (struct show){ .ends = seconds() * SEC };
	msim_create(&m, &config);
	for (unsigned int i = 0; i < N_PROGRAMS; i++) {
		show->workers[i].show = show;
		msim_start(&m, "worker", worker_main, &show->workers[i]);
	}
	if (stops) {
		show->workers[0].stop_at = seconds() * SEC / 4;
		show->workers[0].stop_for = 30 * SEC;
	}
	msim_run(&m);
	print_message("seed %" PRIu64 ", %" PRIu64 " s: %" PRIu64 " evictions; copies and longest "
		      "pause:",
		      seed, seconds(), m.n.evicted);
	for (unsigned int i = 0; i < N_PROGRAMS; i++)
		print_message(" %" PRIu64 ", %" PRIu64 " ms;", show->workers[i].n_copies,
			      show->workers[i].longest_pause / MSEC);
	print_message(" %" PRIu64 " k steps\n", sim_steps(m.sim) / 1000);
	msim_destroy(&m);
}

/* Programs from @first on: none has less than a third of what another has, nor waits long. */
static void check_shares(const struct show *show, unsigned int first, uint64_t longest)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (unsigned int i = first; i < N_PROGRAMS; i++) {
		const struct worker *w = &show->workers[i];

		least = VKF_MIN(least, w->n_copies);
		most = VKF_MAX(most, w->n_copies);
		assert_in_range(w->longest_pause, 0, longest);
	}
	assert_in_range(most, 100, 3 * least);
}

/* More than there is, by one alone: what does not fit is refused. */
static void greedy_main(struct msim_thread *t)
{
	struct prog *pr = calloc(1, sizeof(*pr));
	unsigned int *n_refused = t->arg;

	assert_non_null(pr);
	prog_share(t->process);
	prog_begin(pr, t);
	while (prog_queue_create(pr, &pr->queues[0], PROG_SDMA, 0))
		vkf_sleep_ns(MSEC, false);
	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		struct prog_buf *b = &pr->bufs[i];

		if (prog_alloc(pr, b, PROG_VRAM, 0, VKF_MIB(4), F_WRITABLE | F_PUBLIC) ||
		    prog_map(pr, b, 1))
			++*n_refused;
		vkf_sleep_ns(100 * MSEC, false);
	}
	prog_end(pr);
	free(pr);
}

static void who_is_alone_evicts_nobody_not_even_himself(void **state)
{
	static const char *const sets[] = { "gpu.vram=32MiB", "socket.ram=1GiB",
					    "policy.vram_limit=overcommit" };
	struct msim_config config = {
		.machine = "mi210x2",
		.sets = sets,
		.n_sets = VKF_ARRAY_SIZE(sets),
		.check_odds = 4,
	};
	unsigned int n_refused = 0;
	struct msim m;

	msim_create(&m, &config);
	msim_start(&m, "greedy", greedy_main, &n_refused);
	msim_run(&m);
	assert_in_range(n_refused, 1, PROG_BUFS - 4);
	assert_int_equal(m.n.evicted, 0);
	msim_destroy(&m);
}

static uint64_t first_seed(void)
{
	const char *s = getenv("VKFD_SIM_SEED");

	return s ? strtoull(s, NULL, 0) : 0;
}

static uint64_t n_seeds(void)
{
	return getenv("VKFD_SIM_SEED") ? 1 : N_SEEDS;
}

static void all_get_on_about_as_much(void **state)
{
	for (uint64_t i = 0; i < n_seeds(); i++) {
		struct show show;

		run(first_seed() + i, false, &show);
		check_shares(&show, 0, 5 * SEC);
	}
}

static void one_that_is_stopped_costs_others_no_more_than_the_time_to_give_it_up(void **state)
{
	for (uint64_t i = 0; i < n_seeds(); i++) {
		struct show show;

		run(first_seed() + i, true, &show);
		check_shares(&show, 1, 15 * SEC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_alone_evicts_nobody_not_even_himself),
		cmocka_unit_test(all_get_on_about_as_much),
		cmocka_unit_test(
			one_that_is_stopped_costs_others_no_more_than_the_time_to_give_it_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
