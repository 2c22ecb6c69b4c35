/* SPDX-License-Identifier: MIT */
/**
 * DOC: Whole machines, seed by seed
 *
 * A seed decides everything: the machine, how scarce its memory is, how many
 * processes with how many threads, what they do, who runs when, what fails. Seeds
 * run in a child, so that a seed that ends in a crash is named all the same.
 *
 * VKFD_SIM_SEED=n runs one seed and nothing else; VKFD_SIM_SEEDS=n runs n instead of
 * the usual number, from VKFD_SIM_FIRST on; VKFD_SIM_BENCH=1 prints how fast it goes;
 * VKFD_SIM_PLANT=1 plants a bug, to see that it is found; VKFD_SIM_TRACE=file writes
 * the trace of a run that fails, with VKFD_SIM_EVENTS=1 the driver's events in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "sim_calls.h"

#define N_SEEDS    400
#define MAX_SEEDS  1000000
#define MAX_STEPS  UINT64_C(20000000)
#define HOUR_MS    (3600u * 1000)
#define HOUR_NS    (HOUR_MS * VKF_NSEC_PER_MSEC)
#define OUTPUT_MAX 65536

/* ------------------------------------------------ what a seed means */

struct plan {
	struct msim_config config;
	struct prog_config program;
	const char *sets[5];
	unsigned int n_processes;
	bool pingpong; /* one more, that only waits for events */
};

static const char *const machines[] = { "mi210x2", "mi210x2", "mi210x2", "mi250x",
					"mi250x",  "mi100x4", "vega20",  "vega10-smallbar" };

static const char *const at_once[] = { "kfd.hws_max_conc_proc=16", "kfd.hws_max_conc_proc=16",
				       "kfd.hws_max_conc_proc=2", "kfd.hws_max_conc_proc=1" };

static uint64_t draw(uint64_t *state, uint64_t bound)
{
	*state = vkf_hash_u64(*state + 1);
	return *state % bound;
}

static void make_plan(uint64_t seed, struct plan *p)
{
	uint64_t d = vkf_hash_u64(seed);
	bool failures = draw(&d, 2), deaths = draw(&d, 3) == 0;
	bool evictions = draw(&d, 5), resets = draw(&d, 6) == 0;

	*p = (struct plan){ .n_processes = (evictions ? 3 : 2) +
					   (unsigned int)draw(&d, evictions ? 4 : 2) };
	p->pingpong = draw(&d, 3) == 0;
	p->sets[0] = evictions ? "gpu.vram=32MiB" : "gpu.vram=64MiB";
	p->sets[1] = "socket.ram=1GiB";
	p->sets[2] = draw(&d, 4) ? "kfd.map=kernel" : "kfd.map=transactional";
	/* Where all can have more than there is, they take it from each other. */
	p->sets[3] = evictions ? "policy.vram_limit=overcommit" : "policy.vram_limit=kernel";
	p->config = (struct msim_config){
		.seed = seed,
		.machine = machines[draw(&d, VKF_ARRAY_SIZE(machines))],
		.sets = p->sets,
		.n_sets = 5,
		.alloc_odds = failures ? 100 : 0,
		.fault_odds = failures ? 50 : 0,
		.restore_odds = failures ? 60 : 0,
		.resets = resets,
		.signal_odds = 3,
		.check_odds = 96,
		.max_steps = MAX_STEPS,
	};
	p->program = (struct prog_config){
		.n_steps = 50 + (unsigned int)draw(&d, 100),
		.n_threads = 1 + (unsigned int)draw(&d, 2),
		.fault_odds = draw(&d, 2) ? 12 : 0,
		.reset_odds = resets ? 3 : 0,
		.death_odds = deaths ? 100 : 0,
		.pressure = evictions,
		/* They change places ten times a second, which is steps. */
		.longest_ms = evictions ? 1000 : 0,
		.plant_step = getenv("VKFD_SIM_PLANT") ? 20 : 0,
	};
	/* GPUs that all of them are on, or that they take turns on. */
	p->sets[4] = at_once[draw(&d, VKF_ARRAY_SIZE(at_once))];
}

struct outcome {
	uint64_t hash, steps, now_ns;
	struct msim_counts n;
};

static const char *const process_names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };

/* @ret_trace: a copy of the text, from malloc(), or NULL. */
static void run_plan(struct plan *p, struct outcome *ret_outcome, char **ret_trace)
{
	struct msim m;

	msim_create(&m, &p->config);
	for (unsigned int i = 0; i < p->n_processes; i++)
		msim_start(&m, process_names[i], prog_main, &p->program);
	if (p->pingpong)
		msim_start(&m, "ball", prog_pingpong_main, &p->program);
	msim_run(&m);
	*ret_outcome = (struct outcome){
		.hash = sim_trace_hash(m.sim),
		.steps = sim_steps(m.sim),
		.now_ns = vkf_now_ns(),
		.n = m.n,
	};
	if (ret_trace)
		*ret_trace = strdup(sim_trace_text(m.sim));
	msim_destroy(&m);
}

static void run_seed(uint64_t seed, struct outcome *ret_outcome, char **ret_trace)
{
	struct plan p;

	make_plan(seed, &p);
	run_plan(&p, ret_outcome, ret_trace);
}

/* ------------------------------------------------ children */

/* struct board - what a child tells before it dies */
struct board {
	uint64_t seed, n_done;
	struct msim_counts sum;
	uint64_t steps;
	uint64_t hash[];
};

static struct board *make_board(uint64_t n_seeds)
{
	size_t bytes = sizeof(struct board) + n_seeds * sizeof(uint64_t);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

static void add_counts(struct msim_counts *sum, const struct msim_counts *n)
{
	sum->calls += n->calls;
	sum->restarts += n->restarts;
	sum->refused += n->refused;
	sum->checks += n->checks;
	sum->deaths += n->deaths;
	sum->faults += n->faults;
	sum->stops += n->stops;
	sum->with_evictions += n->evicted > 0;
	sum->lost += n->lost;
	sum->resets += n->resets;
	sum->batches += n->batches;
	sum->flights += n->flights;
	sum->smi_lines += n->smi_lines;
	sum->accesses += n->accesses;
	sum->evicted += n->evicted;
	sum->restored += n->restored;
	sum->not_restored += n->not_restored;
}

static void run_seeds(struct board *b, uint64_t n)
{
	uint64_t first = env_number("VKFD_SIM_FIRST", 0);

	for (uint64_t i = 0; i < n; i++) {
		struct outcome o;

		b->seed = first + i;
		run_seed(b->seed, &o, NULL);
		b->hash[i] = o.hash;
		b->steps += o.steps;
		add_counts(&b->sum, &o.n);
		b->n_done++;
	}
}

/* Run @fn in a child, and all that it prints into @out. Return: its wait status. */
static int in_child(void (*fn)(void *arg), void *arg, char *out, size_t len)
{
	int fds[2], status;
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	fflush(NULL);
	assert_return_code(pipe(fds), errno);
	pid = fork();
	assert_return_code(pid, errno);
	if (pid == 0) {
		/* cmocka would take a crash for its own, and go on with the next test. */
		for (int sig = 1; sig < NSIG; sig++)
			signal(sig, SIG_DFL);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		fn(arg);
		fflush(NULL);
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + at, len - 1 - at)) > 0)
		at += (size_t)n;
	out[at] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* ------------------------------------------------ many seeds */

struct batch {
	struct board *board;
	uint64_t n;
};

static void run_batch(void *arg)
{
	struct batch *b = arg;

	run_seeds(b->board, b->n);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void seeds_pass_and_differ(void **state)
{
	uint64_t n = VKF_MIN(env_number("VKFD_SIM_SEEDS", N_SEEDS), MAX_SEEDS);
	struct batch batch = { make_board(n), n };
	struct msim_counts *sum = &batch.board->sum;
	static char out[OUTPUT_MAX];
	char replay[600];
	int status = in_child(run_batch, &batch, out, sizeof(out));

	fputs(out, stderr);
	if (status) {
		msim_replay_command(replay, sizeof(replay), batch.board->seed);
		fail_msg("seed %" PRIu64 " fails, replay: %s", batch.board->seed, replay);
	}
	assert_int_equal(batch.board->n_done, n);
	qsort(batch.board->hash, n, sizeof(uint64_t), compare_u64);
	for (uint64_t i = 1; i < n; i++)
		assert_true(batch.board->hash[i] != batch.board->hash[i - 1]);
	/* None of what makes it worth while has become rare. */
	if (n >= N_SEEDS) {
		assert_in_range(sum->calls, 100 * n, UINT64_MAX);
		assert_in_range(sum->accesses, 100 * n, UINT64_MAX);
		assert_in_range(sum->checks, 10 * n, UINT64_MAX);
		assert_in_range(sum->restarts, n / 4, UINT64_MAX);
		assert_in_range(sum->refused, n / 2, UINT64_MAX);
		assert_in_range(sum->deaths, n / 20, UINT64_MAX);
		assert_in_range(sum->faults, n / 4, UINT64_MAX);
		assert_in_range(sum->stops, n / 2, UINT64_MAX);
		assert_in_range(sum->lost, n / 200, UINT64_MAX);
		assert_in_range(sum->resets, n / 50, UINT64_MAX);
		assert_in_range(sum->batches, 4 * n, UINT64_MAX);
		assert_in_range(sum->flights, 10 * n, UINT64_MAX);
		assert_in_range(sum->smi_lines, n, UINT64_MAX);
		assert_in_range(sum->not_restored, n, UINT64_MAX);
		assert_in_range(sum->evicted, 10 * n, UINT64_MAX);
		assert_in_range(sum->restored, 10 * n, UINT64_MAX);
		assert_in_range(sum->with_evictions, n / 2, n);
	}
	print_message("%" PRIu64 " stops, %" PRIu64 " engines given up, %" PRIu64
		      " resets, %" PRIu64 " batches, %" PRIu64 " flights landed, %" PRIu64
		      " SMI lines, %" PRIu64 " with evictions\n",
		      sum->stops, sum->lost, sum->resets, sum->batches, sum->flights,
		      sum->smi_lines, sum->with_evictions);
	print_message("%" PRIu64 " seeds: %" PRIu64 " calls, %" PRIu64 " restarts, %" PRIu64
		      " refusals, %" PRIu64 " faults, %" PRIu64 " deaths, %" PRIu64
		      " accesses of engines, %" PRIu64 " checks; %" PRIu64 " evictions, %" PRIu64
		      " restores, %" PRIu64 " not yet\n",
		      n, sum->calls, sum->restarts, sum->refused, sum->faults, sum->deaths,
		      sum->accesses, sum->checks, sum->evicted, sum->restored, sum->not_restored);
	munmap(batch.board, sizeof(struct board) + n * sizeof(uint64_t));
}

/* ------------------------------------------------ the same seed again */

static void the_same_seed_gives_the_same_trace(void **state)
{
	for (uint64_t seed = 1000; seed < 1006; seed++) {
		struct outcome a, b;
		char *ta, *tb;

		run_seed(seed, &a, &ta);
		run_seed(seed, &b, &tb);
		assert_int_equal(a.hash, b.hash);
		assert_int_equal(a.steps, b.steps);
		assert_int_equal(a.now_ns, b.now_ns);
		assert_string_equal(ta, tb);
		free(ta);
		free(tb);
	}
}

/* The output of a command, and its exit status. */
static int output_of(const char *command, char *out, size_t len)
{
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, len - 1, f);
	out[n] = '\0';
	return pclose(f);
}

static void print_outcome(uint64_t seed, const struct outcome *o)
{
	printf("seed %" PRIu64 ": trace %016" PRIx64 ", %" PRIu64 " steps, %" PRIu64 " ns, %" PRIu64
	       " calls, %" PRIu64 " evictions\n",
	       seed, o->hash, o->steps, o->now_ns, o->n.calls, o->n.evicted);
}

/* Where addresses are laid out anew. */
static void the_same_seed_gives_the_same_trace_in_another_process(void **state)
{
	char command[600], out[1000], expected[64];
	struct outcome o;

	for (uint64_t seed = 2000; seed < 2003; seed++) {
		run_seed(seed, &o, NULL);
		snprintf(expected, sizeof(expected), "trace %016" PRIx64 ",", o.hash);
		msim_replay_command(command, sizeof(command), seed);
		assert_int_equal(output_of(command, out, sizeof(out)), 0);
		assert_non_null(strstr(out, expected));
	}
}

/* ------------------------------------------------ time */

static const char *const plenty[] = { "gpu.vram=64MiB", "socket.ram=1GiB" };

static const struct msim_config calm = {
	.seed = 1,
	.machine = "mi210x2",
	.sets = plenty,
	.n_sets = 2,
	.check_odds = 4,
	.max_steps = MAX_STEPS,
};

/* On a simulated thread: cmocka's own would leave its stack behind. */
#define CHECK(t, cond)                                                                             \
	do {                                                                                       \
		if (!(cond))                                                                       \
			msim_fail((t)->process->m, "%s:%d: %s", __func__, __LINE__, #cond);        \
	} while (0)

static void wait_for_days(struct msim_thread *t)
{
	uint32_t id, result = ~0u;
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	CHECK(t, prog_event_create(&pr, KFD_IOC_EVENT_SIGNAL, false, &id) == 0);
	for (unsigned int i = 0; i < 10; i++) {
		CHECK(t, prog_wait(&pr, &id, 1, false, 24 * HOUR_MS, &result) == 0);
		CHECK(t, result == KFD_IOC_WAIT_RESULT_TIMEOUT);
	}
	prog_event_call(&pr, K_DESTROY_EVENT, id);
	prog_end(&pr);
}

static void days_of_timeouts_cost_a_few_steps(void **state)
{
	struct msim m;

	msim_create(&m, &calm);
	msim_start(&m, "patient", wait_for_days, NULL);
	msim_start(&m, "patient", wait_for_days, NULL);
	msim_run(&m);
	assert_in_range(vkf_now_ns(), 240 * HOUR_NS, 241 * HOUR_NS);
	assert_in_range(sim_steps(m.sim), 100, 10000);
	msim_destroy(&m);
}

/* ------------------------------------------------ death */

struct drama {
	struct msim *m;
	bool dead_is_gone;
};

static void count_clients(void *cookie, const struct driver_client_stat *stat)
{
	(*(unsigned int *)cookie)++;
}

static unsigned int n_clients(struct msim *m)
{
	unsigned int n = 0;

	driver_for_each_client(m->driver, count_clients, &n);
	return n;
}

/* A buffer on each GPU, filled and mapped; and a queue on GPU 0. */
static void make_pair(struct prog *pr)
{
	for (unsigned int i = 0; i < 2; i++) {
		prog_alloc(pr, &pr->bufs[i], PROG_VRAM, i, VKF_MIB(4), F_WRITABLE | F_PUBLIC);
		prog_map(pr, &pr->bufs[i], 3);
	}
	prog_fill_range(pr, &pr->bufs[0], 0, VKF_MIB(4));
	prog_queue_create(pr, &pr->queues[0], KFD_IOC_QUEUE_TYPE_SDMA, 0);
}

static bool copy_once(struct prog *pr)
{
	struct prog_flight *f =
		prog_copy(pr, &pr->queues[0], &pr->bufs[1], &pr->bufs[0], VKF_MIB(4));

	return f && prog_land(pr, f);
}

static void die_in_a_copy(struct msim_thread *t)
{
	struct msim *m = t->process->m;
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	make_pair(&pr);
	CHECK(t, prog_copy(&pr, &pr.queues[0], &pr.bufs[1], &pr.bufs[0], VKF_MIB(4)));
	vkf_sleep_ns(msim_random(m, 3000), false);
	msim_kill(t->process);
}

static void survive(struct msim_thread *t)
{
	struct drama *d = t->arg;
	struct machine_usage before, after;
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	make_pair(&pr);
	CHECK(t, copy_once(&pr));
	driver_usage(d->m->driver, &before);
	msim_start(d->m, "victim", die_in_a_copy, d);
	while (n_clients(d->m) < 2)
		vkf_relax();
	do
		CHECK(t, copy_once(&pr));
	while (n_clients(d->m) > 1);
	/* The last of it goes after its name has gone from the list. */
	vkf_sleep_ns(VKF_NSEC_PER_MSEC, false);
	driver_usage(d->m->driver, &after);
	CHECK(t, !memcmp(&before, &after, sizeof(before)));
	CHECK(t, copy_once(&pr));
	d->dead_is_gone = true;
	prog_end(&pr);
}

static void a_process_killed_in_a_copy_leaves_nothing_and_others_go_on(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct msim_config config = calm;
		struct drama d = { 0 };
		struct msim m;

		config.seed = seed;
		d.m = &m;
		msim_create(&m, &config);
		msim_start(&m, "survivor", survive, &d);
		msim_run(&m);
		assert_true(d.dead_is_gone);
		assert_int_equal(m.n.deaths, 1);
		msim_destroy(&m);
	}
}

/* ------------------------------------------------ what was taken away stays away */

/* However far the copy is, after the call that takes its destination away nothing is stored there.
 */
static void take_away_under_a_copy(struct msim_thread *t)
{
	const bool *by_queue = t->arg;
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	make_pair(&pr);
	CHECK(t, prog_copy(&pr, &pr.queues[0], &pr.bufs[1], &pr.bufs[0], VKF_MIB(4)));
	vkf_sleep_ns(msim_random(t->process->m, 2000), false);
	if (*by_queue)
		CHECK(t, !prog_queue_destroy(&pr, &pr.queues[0]));
	else
		CHECK(t, !prog_unmap(&pr, &pr.bufs[1], 3));
	prog_fill_range(&pr, &pr.bufs[1], 0, VKF_MIB(4));
	vkf_sleep_ns(VKF_NSEC_PER_MSEC, false);
	prog_verify(&pr, &pr.bufs[1]);
	prog_end(&pr);
}

static void take_away_many_times(bool by_queue)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct msim_config config = calm;
		struct msim m;

		config.seed = seed;
		msim_create(&m, &config);
		msim_start(&m, "reckless", take_away_under_a_copy, &by_queue);
		msim_run(&m);
		msim_destroy(&m);
	}
}

static void what_is_unmapped_under_a_copy_is_not_written_any_more(void **state)
{
	take_away_many_times(false);
}

static void what_a_destroyed_queue_was_copying_to_is_not_written_any_more(void **state)
{
	take_away_many_times(true);
}

/* ------------------------------------------------ failures say how to see them again */

static void run_planted(void *arg)
{
	static char err[OUTPUT_MAX];
	struct outcome o;

	setvbuf(stderr, err, _IOFBF, sizeof(err));
	setenv("VKFD_SIM_PLANT", "1", 1);
	run_seed(*(uint64_t *)arg, &o, NULL);
}

/* What stands after @label up to the end of its line. */
static void line_after(const char *text, const char *label, char *out, size_t len)
{
	const char *at = strstr(text, label);

	assert_non_null(at);
	at += strlen(label);
	assert_true(strcspn(at, "\n") < len);
	snprintf(out, len, "%.*s", (int)strcspn(at, "\n"), at);
}

static void a_failing_seed_is_replayed_by_the_command_it_prints(void **state)
{
	static char first[OUTPUT_MAX], again[OUTPUT_MAX];
	char command[600], planted[700], cause[200], cause_again[200];
	uint64_t seed = 3000;

	while (!in_child(run_planted, &seed, first, sizeof(first)))
		assert_in_range(++seed, 3000, 3020);
	line_after(first, "replay: ", command, sizeof(command));
	line_after(first, ": ", cause, sizeof(cause));
	snprintf(planted, sizeof(planted), "VKFD_SIM_PLANT=1 %s 2>&1", command);
	assert_int_not_equal(output_of(planted, again, sizeof(again)), 0);
	line_after(again, ": ", cause_again, sizeof(cause_again));
	assert_string_equal(cause, cause_again);
	assert_non_null(strstr(cause, "of a buffer"));
	/* Time, step, who was where, and the end of the trace are the same, too. */
	assert_string_equal(strstr(first, "\nat "), strstr(again, "\nat "));
	/* And it is the planted bug that fails, not the seed. */
	assert_int_equal(output_of(command, again, sizeof(again)), 0);
}

static void wait_for_ever(struct msim_thread *t)
{
	uint32_t result;
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	prog_wait(&pr, &pr.done_event, 1, false, UINT32_MAX, &result);
}

static void run_deadlock(void *arg)
{
	struct msim m;

	msim_create(&m, &calm);
	msim_start(&m, "stuck", wait_for_ever, NULL);
	msim_run(&m);
}

static void a_deadlock_says_who_waits_where(void **state)
{
	static char out[OUTPUT_MAX];

	assert_int_not_equal(in_child(run_deadlock, NULL, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "deadlock: seed 1,"));
	assert_non_null(strstr(out, "stuck.0: parked in cond"));
	assert_non_null(strstr(out, "pid 1000 stuck.0: in WAIT_EVENTS for "));
	assert_non_null(strstr(out, "replay: VKFD_SIM_SEED=1 "));
}

static void break_an_invariant(struct msim_thread *t)
{
	vkf_panic("somewhere.c", 7, "an invariant");
}

static void run_panic(void *arg)
{
	struct msim m;

	msim_create(&m, &calm);
	msim_start(&m, "wrong", break_an_invariant, NULL);
	msim_run(&m);
}

static void a_broken_invariant_of_the_driver_names_the_seed(void **state)
{
	static char out[OUTPUT_MAX];

	assert_int_not_equal(in_child(run_panic, NULL, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "seed 1: panic at somewhere.c:7: an invariant"));
	assert_non_null(strstr(out, "replay: VKFD_SIM_SEED=1 "));
}

static void leak_a_reference(struct msim_thread *t)
{
	struct driver_file *f;

	CHECK(t, !driver_open(t->process->client, MACHINE_KFD_MAJOR, 0, &f));
}

static void run_leak(void *arg)
{
	struct msim m;

	msim_create(&m, &calm);
	msim_start(&m, "leak", leak_a_reference, NULL);
	msim_run(&m);
}

static void what_is_left_at_the_end_is_a_failure(void **state)
{
	static char out[OUTPUT_MAX];

	assert_int_not_equal(in_child(run_leak, NULL, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "0 clients and 1 files are left"));
}

/* ------------------------------------------------ speed */

/* Of this core, whoever else is using the others. */
static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void print_speed(const char *what, double took, uint64_t calls, uint64_t steps,
			uint64_t now_ns)
{
	printf("%-28s %8.0f k calls/s, %8.0f k steps/s, %12.0f virtual s/s\n", what,
	       (double)calls / took / 1000, (double)steps / took / 1000,
	       (double)now_ns * 1e-9 / took);
}

#define BENCH_CYCLES 20000

/* alloc, map, unmap, free of 2 MiB */
static void cycle(struct msim_thread *t)
{
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	for (unsigned int i = 0; i < BENCH_CYCLES; i++) {
		prog_alloc(&pr, &pr.bufs[0], PROG_VRAM, 0, VKF_HUGE_SIZE, F_WRITABLE);
		prog_map(&pr, &pr.bufs[0], 1);
		prog_unmap(&pr, &pr.bufs[0], 1);
		prog_free(&pr, &pr.bufs[0]);
	}
	prog_end(&pr);
}

static void bench_cycle(void)
{
	struct msim_config config = calm;
	struct msim m;
	double begun;

	config.check_odds = 0;
	config.max_steps = 0;
	begun = seconds();
	msim_create(&m, &config);
	msim_start(&m, "cycle", cycle, NULL);
	msim_run(&m);
	print_speed("alloc, map, unmap, free", seconds() - begun, m.n.calls, sim_steps(m.sim),
		    vkf_now_ns());
	msim_destroy(&m);
}

static void bench_seeds(const char *what, bool checks)
{
	struct outcome o, sum = { 0 };
	double begun = seconds();

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct plan p;

		make_plan(seed, &p);
		if (!checks)
			p.config.check_odds = 0;
		run_plan(&p, &o, NULL);
		sum.n.calls += o.n.calls;
		sum.steps += o.steps;
		sum.now_ns += o.now_ns;
	}
	print_speed(what, seconds() - begun, sum.n.calls, sum.steps, sum.now_ns);
}

static int bench(void)
{
	bench_cycle();
	bench_seeds("random programs", false);
	bench_seeds("random programs, checked", true);
	return 0;
}

static int replay(uint64_t seed)
{
	struct outcome o;

	run_seed(seed, &o, NULL);
	print_outcome(seed, &o);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seeds_pass_and_differ),
		cmocka_unit_test(the_same_seed_gives_the_same_trace),
		cmocka_unit_test(the_same_seed_gives_the_same_trace_in_another_process),
		cmocka_unit_test(days_of_timeouts_cost_a_few_steps),
		cmocka_unit_test(a_process_killed_in_a_copy_leaves_nothing_and_others_go_on),
		cmocka_unit_test(what_is_unmapped_under_a_copy_is_not_written_any_more),
		cmocka_unit_test(what_a_destroyed_queue_was_copying_to_is_not_written_any_more),
		cmocka_unit_test(a_failing_seed_is_replayed_by_the_command_it_prints),
		cmocka_unit_test(a_deadlock_says_who_waits_where),
		cmocka_unit_test(a_broken_invariant_of_the_driver_names_the_seed),
		cmocka_unit_test(what_is_left_at_the_end_is_a_failure),
	};

	if (getenv("VKFD_SIM_BENCH"))
		return bench();
	if (getenv("VKFD_SIM_SEED"))
		return replay(env_number("VKFD_SIM_SEED", 0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
