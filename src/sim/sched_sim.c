/* SPDX-License-Identifier: MIT */
#include "sim/sched_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/trace.h"
#include "sim/coro.h"
#include "sim/trace_sim.h"

#define STACK_SIZE        VKF_MIB(1) /* of address space; only touched pages cost */
#define STEP_NS           20         /* a scheduling step */
#define RELAX_NS          1000       /* a turn of somebody's polling loop */
#define POINT_SWITCH_ODDS 4          /* one in so many locks or unlocks switches tasks */
#define GOLDEN            UINT64_C(0x9e3779b97f4a7c15)

enum task_state {
	TASK_RUNNABLE, /* in sim.runnable, or running */
	TASK_PARKED,
	TASK_JOINING, /* waits for another's end; an unpark leaves its token only */
	TASK_IN_RUN,  /* main, in sim_run() */
	TASK_ENDED,
};

static const char *const state_names[] = {
	[TASK_RUNNABLE] = "runnable", [TASK_PARKED] = "parked",    [TASK_JOINING] = "joining",
	[TASK_IN_RUN] = "in sim_run", [TASK_ENDED] = "not joined",
};

/* struct sim_task - everything here belongs to the one thread there is */
struct sim_task {
	struct vkf_task task;
	struct sim *sim;
	struct coro *coro;
	struct vkf_list node; /* in sim.tasks until it is freed */
	unsigned int id;
	unsigned int slot; /* in sim.runnable, when TASK_RUNNABLE */
	enum task_state state;
	bool token;
	bool detached;
	uint64_t deadline; /* when TASK_PARKED */
	struct sim_task *joiner;
	void (*fn)(void *arg);
	void *arg;
	char name[32];
};

struct sim {
	uint64_t seed;
	uint64_t dice;  /* state of the scheduler's generator */
	uint64_t dice2; /* and of the program's */
	uint64_t now;
	uint64_t steps, max_steps;
	uint64_t earliest; /* no parked task's deadline is before it */
	struct sim_task *main, *running;
	struct sim_task *corpse; /* a detached one that ended: freed by whoever runs next */
	struct vkf_list tasks;
	unsigned int n_alive; /* not ended, without main */
	unsigned int next_id;
	struct sim_task **runnable; /* unordered but deterministic */
	unsigned int n_runnable, cap_runnable;
	void (*on_point)(void *cookie);
	void *on_point_cookie;
	bool in_on_point;
	int error; /* for sim_run() */
	char *report;
	struct sim_trace_buf trace;
	bool traces_events;
};

/* The installed one. */
static struct sim *the_sim;

static uint64_t dice_next(uint64_t *state)
{
	*state += GOLDEN;
	return vkf_hash_u64(*state);
}

static uint64_t dice_below(uint64_t *state, uint64_t bound)
{
	return (unsigned __int128)dice_next(state) * bound >> 64;
}

static struct sim_task *to_sim_task(struct vkf_task *task)
{
	return vkf_container_of(task, struct sim_task, task);
}

static void runnable_add(struct sim *sim, struct sim_task *t)
{
	t->state = TASK_RUNNABLE;
	t->slot = sim->n_runnable;
	sim->runnable[sim->n_runnable++] = t;
}

static void runnable_del(struct sim *sim, struct sim_task *t, enum task_state state)
{
	struct sim_task *moved = sim->runnable[--sim->n_runnable];

	moved->slot = t->slot;
	sim->runnable[t->slot] = moved;
	t->state = state;
}

/* Wake each parked task whose deadline has come, and find the next deadline. */
static void wake_due(struct sim *sim)
{
	struct sim_task *t;

	if (sim->now < sim->earliest)
		return;
	sim->earliest = VKF_FOREVER;
	vkf_list_for_each(t, &sim->tasks, node) {
		if (t->state != TASK_PARKED)
			continue;
		if (t->deadline <= sim->now)
			runnable_add(sim, t);
		else
			sim->earliest = VKF_MIN(sim->earliest, t->deadline);
	}
}

static void pass_time(struct sim *sim, uint64_t ns)
{
	sim->now += ns;
	sim->steps++;
	wake_due(sim);
}

/* How a task stands in the report; NULL @out measures. */
static int report_task(char *out, size_t len, const struct sim_task *t)
{
	const char *in = t->task.waits_in;
	bool timed = t->state == TASK_PARKED && t->deadline != VKF_FOREVER;

	return snprintf(out, len, "  task %x %s: %s%s%s%s%s\n", t->id, t->name,
			state_names[t->state], in ? " in " : "", in ? in : "",
			timed ? ", with a deadline" : "",
			t->task.interrupted ? ", interrupted" : "");
}

static void report_write(struct sim *sim, const char *what)
{
	const struct sim_task *t;
	size_t len = 256, at;

	vkf_list_for_each(t, &sim->tasks, node)
		len += report_task(NULL, 0, t) + 1;
	free(sim->report);
	sim->report = malloc(len);
	if (!sim->report)
		return;
	at = snprintf(sim->report, len, "%s: seed %" PRIu64 ", step %" PRIu64 ", %" PRIu64 " ns\n",
		      what, sim->seed, sim->steps, sim->now);
	vkf_list_for_each(t, &sim->tasks, node)
		at += report_task(sim->report + at, len - at, t);
}

/* Nothing can go on. Return: main, to be told; does not return when main cannot be. */
static struct sim_task *stop(struct sim *sim, int error, const char *what)
{
	char line[128];

	report_write(sim, what);
	if (sim->main->state != TASK_IN_RUN) {
		snprintf(line, sizeof(line), "simulation: %s, seed %" PRIu64, what, sim->seed);
		vkf_panic(__FILE__, __LINE__, line);
	}
	sim->error = error;
	runnable_add(sim, sim->main);
	return sim->main;
}

/* All that have not ended, but main, are idle: they wait for nothing that must come. */
static bool only_idle_left(const struct sim *sim)
{
	const struct sim_task *t;

	vkf_list_for_each(t, &sim->tasks, node) {
		if (t != sim->main && t->state != TASK_ENDED && !t->task.idle)
			return false;
	}
	return true;
}

/* Who goes on; time may jump. @but: not this one if there is another, or NULL. */
static struct sim_task *choose(struct sim *sim, struct sim_task *but)
{
	unsigned int n, i;

	if (sim->max_steps && sim->steps >= sim->max_steps) {
		/* The limit counts anew after it was reported. */
		sim->max_steps = 0;
		return stop(sim, -ETIME, "step limit");
	}
	while (sim->n_runnable == 0) {
		if (sim->main->state == TASK_IN_RUN &&
		    (sim->n_alive == 0 || (sim->earliest == VKF_FOREVER && only_idle_left(sim)))) {
			runnable_add(sim, sim->main);
			return sim->main;
		}
		if (sim->earliest == VKF_FOREVER)
			return stop(sim, -EDEADLK, "deadlock");
		sim->now = VKF_MAX(sim->now, sim->earliest);
		wake_due(sim);
	}
	n = sim->n_runnable;
	if (n == 1)
		return sim->runnable[0];
	if (!but)
		return sim->runnable[dice_below(&sim->dice, n)];
	i = dice_below(&sim->dice, n - 1);
	return sim->runnable[i == but->slot ? n - 1 : i];
}

static void sim_task_free(struct sim_task *t)
{
	vkf_list_del(&t->node);
	if (t->coro)
		coro_destroy(t->coro);
	free(t);
}

/* After every switch, in the task that goes on. */
static void bury(struct sim *sim)
{
	if (sim->corpse)
		sim_task_free(sim->corpse);
	sim->corpse = NULL;
}

static void record_choice(struct sim *sim, const struct sim_task *t)
{
	static const char digits[] = "0123456789abcdef";
	char record[9], *at = record + sizeof(record);
	unsigned int id = t->id;

	*--at = '.';
	do
		*--at = digits[id & 15];
	while (id >>= 4);
	sim_trace_append(&sim->trace, at, (size_t)(record + sizeof(record) - at));
}

/* The running task stays as its state says, and @next goes on. */
static void switch_to(struct sim *sim, struct sim_task *next)
{
	struct sim_task *from = sim->running;

	if (next == from)
		return;
	record_choice(sim, next);
	sim->running = next;
	coro_switch(from->coro, next->coro);
	bury(sim);
}

static struct vkf_task *sim_current(void)
{
	return &the_sim->running->task;
}

static uint64_t sim_now_ns(void)
{
	return the_sim->now;
}

static void come_to_point(struct sim *sim)
{
	if (!sim->on_point || sim->in_on_point)
		return;
	sim->in_on_point = true;
	sim->on_point(sim->on_point_cookie);
	sim->in_on_point = false;
}

void sim_on_point(struct sim *sim, void (*fn)(void *cookie), void *cookie)
{
	sim->on_point = fn;
	sim->on_point_cookie = cookie;
}

static void sim_park(uint64_t deadline_ns)
{
	struct sim *sim = the_sim;
	struct sim_task *t = sim->running;

	come_to_point(sim);
	pass_time(sim, STEP_NS);
	if (!t->token && sim->now < deadline_ns) {
		runnable_del(sim, t, TASK_PARKED);
		t->deadline = deadline_ns;
		sim->earliest = VKF_MIN(sim->earliest, deadline_ns);
	}
	/* With the token there already it is still a point at which others may run. */
	switch_to(sim, choose(sim, NULL));
	t->token = false;
}

static void sim_unpark(struct vkf_task *task)
{
	struct sim_task *t = to_sim_task(task);

	t->token = true;
	if (t->state == TASK_PARKED)
		runnable_add(t->sim, t);
}

static void sim_relax(void)
{
	come_to_point(the_sim);
	pass_time(the_sim, RELAX_NS);
	switch_to(the_sim, choose(the_sim, the_sim->running));
}

static void sim_point(const char *what)
{
	struct sim *sim = the_sim;

	come_to_point(sim);
	pass_time(sim, STEP_NS);
	if (sim->n_runnable > 1 && dice_below(&sim->dice, POINT_SWITCH_ODDS) == 0)
		switch_to(sim, choose(sim, sim->running));
	else if (sim->max_steps && sim->steps >= sim->max_steps)
		switch_to(sim, choose(sim, NULL));
}

/* First on a new stack. */
static void sim_task_main(void *arg)
{
	struct sim_task *t = arg, *next;
	struct sim *sim = t->sim;

	bury(sim);
	t->fn(t->arg);

	runnable_del(sim, t, TASK_ENDED);
	sim->n_alive--;
	if (t->joiner)
		runnable_add(sim, t->joiner);
	pass_time(sim, STEP_NS);
	next = choose(sim, NULL);
	record_choice(sim, next);
	if (t->detached)
		sim->corpse = t;
	sim->running = next;
	coro_exit_to(t->coro, next->coro);
}

/* Room in sim.runnable for every task there is and one more. */
static bool runnable_reserve(struct sim *sim)
{
	unsigned int need = sim->n_alive + 2, cap = sim->cap_runnable * 2 + 16;
	struct sim_task **p;

	if (need <= sim->cap_runnable)
		return true;
	p = realloc(sim->runnable, cap * sizeof(*p));
	if (!p)
		return false;
	sim->runnable = p;
	sim->cap_runnable = cap;
	return true;
}

/* A task without a stack yet, runnable. */
static struct sim_task *sim_task_new(struct sim *sim, const char *name)
{
	struct sim_task *t;

	if (!runnable_reserve(sim))
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	snprintf(t->name, sizeof(t->name), "%s", name);
	vkf_task_init(&t->task, t->name);
	t->sim = sim;
	t->id = sim->next_id++;
	vkf_list_add_tail(&t->node, &sim->tasks);
	return t;
}

int sim_spawn(struct sim *sim, const char *name, void (*fn)(void *arg), void *arg,
	      struct vkf_task **ret_task)
{
	struct sim_task *t = sim_task_new(sim, name);

	if (!t)
		return -ENOMEM;
	t->coro = coro_create(STACK_SIZE, sim_task_main, t);
	if (!t->coro) {
		sim_task_free(t);
		return -ENOMEM;
	}
	t->fn = fn;
	t->arg = arg;
	t->detached = !ret_task;
	sim->n_alive++;
	runnable_add(sim, t);
	if (ret_task)
		*ret_task = &t->task;
	return 0;
}

static int sim_op_spawn(const char *name, void (*fn)(void *arg), void *arg,
			struct vkf_task **ret_task)
{
	int r = sim_spawn(the_sim, name, fn, arg, ret_task);

	sim_point("spawn");
	return r;
}

static void sim_join(struct vkf_task *task)
{
	struct sim_task *t = to_sim_task(task), *me = t->sim->running;

	VKF_ASSERT(t != me && !t->joiner && !t->detached);
	pass_time(t->sim, STEP_NS);
	if (t->state != TASK_ENDED) {
		t->joiner = me;
		me->task.waits_in = t->name;
		runnable_del(t->sim, me, TASK_JOINING);
		switch_to(t->sim, choose(t->sim, NULL));
		me->task.waits_in = NULL;
	}
	sim_task_free(t);
}

static const struct vkf_sched_ops sim_ops = {
	.current = sim_current,
	.now_ns = sim_now_ns,
	.park = sim_park,
	.unpark = sim_unpark,
	.relax = sim_relax,
	.spawn = sim_op_spawn,
	.join = sim_join,
	.point = sim_point,
};

struct sim *sim_create(uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return NULL;
	sim->seed = seed;
	sim->dice = vkf_hash_u64(seed ^ GOLDEN);
	sim->dice2 = ~sim->dice;
	sim->earliest = VKF_FOREVER;
	vkf_list_init(&sim->tasks);
	sim_trace_init(&sim->trace);
	sim->main = sim_task_new(sim, "main");
	if (sim->main)
		sim->main->coro = coro_adopt();
	if (!sim->main || !sim->main->coro) {
		sim_destroy(sim);
		return NULL;
	}
	runnable_add(sim, sim->main);
	sim->running = sim->main;
	return sim;
}

void sim_destroy(struct sim *sim)
{
	struct sim_task *t, *tmp;

	if (sim->traces_events)
		vkf_trace_set(NULL);
	if (the_sim == sim) {
		the_sim = NULL;
		vkf_sched_set(NULL);
	}
	vkf_list_for_each_safe(t, tmp, &sim->tasks, node)
		sim_task_free(t);
	sim_trace_fini(&sim->trace);
	free(sim->runnable);
	free(sim->report);
	free(sim);
}

void sim_install(struct sim *sim)
{
	the_sim = sim;
	vkf_sched_set(&sim_ops);
}

int sim_run(struct sim *sim)
{
	VKF_ASSERT(sim->running == sim->main);
	sim->error = 0;
	free(sim->report);
	sim->report = NULL;
	runnable_del(sim, sim->main, TASK_IN_RUN);
	switch_to(sim, choose(sim, NULL));
	return sim->error;
}

void sim_limit_steps(struct sim *sim, uint64_t n)
{
	sim->max_steps = n ? sim->steps + n : 0;
}

const char *sim_report(const struct sim *sim)
{
	return sim->report ? sim->report : "";
}

uint64_t sim_seed(const struct sim *sim)
{
	return sim->seed;
}

uint64_t sim_steps(const struct sim *sim)
{
	return sim->steps;
}

uint64_t sim_random(struct sim *sim, uint64_t bound)
{
	return dice_below(&sim->dice2, bound);
}

void sim_trace(struct sim *sim, const char *fmt, ...)
{
	char line[512];
	size_t n;
	va_list ap;

	n = snprintf(line, sizeof(line), "\n%" PRIu64 " %s: ", sim->now, sim->running->name);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	n = VKF_MIN(n, sizeof(line) - 2);
	line[n++] = '\n';
	sim_trace_append(&sim->trace, line, n);
}

/* Not by the number of the task, which is not of this simulation only: its name is in the line. */
static void trace_record(const struct vkf_trace_record *rec)
{
	uint32_t words[VKF_TRACE_PAYLOAD / sizeof(uint32_t)];
	size_t n = VKF_ARRAY_SIZE(words), len = 0;
	char text[160] = "";

	memcpy(words, rec->payload, sizeof(words));
	while (n && !words[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %" PRIx32, words[i]);
	sim_trace(the_sim, "%s %" PRIu32 "%s", vkf_trace_event_name(rec->event), rec->client, text);
}

static const struct vkf_trace_ops trace_ops = { trace_record };

void sim_trace_events(struct sim *sim, bool on)
{
	VKF_ASSERT(the_sim == sim);
	sim->traces_events = on;
	vkf_trace_set(on ? &trace_ops : NULL);
}

uint64_t sim_trace_hash(const struct sim *sim)
{
	return sim->trace.hash;
}

const char *sim_trace_text(const struct sim *sim)
{
	return sim->trace.text ? sim->trace.text : "";
}
