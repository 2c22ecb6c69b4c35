/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SIM_SCHED_SIM_H
#define VKFD_SIM_SCHED_SIM_H

/**
 * DOC: Tasks as coroutines, with a seed and virtual time
 *
 * The back end of base/sched.h for deterministic runs. Everything happens on one
 * thread; at each scheduling point (park, relax, a lock's taking and release) the
 * seed decides who goes on. Same program, same seed: same interleaving.
 *
 * Time is virtual. A step costs a few nanoseconds, a relax a microsecond; when
 * nobody can run, time jumps to the earliest deadline. So an hour of timers
 * passes at once, and a loop that polls the clock ends too.
 *
 * The stack that calls sim_create() is a task as well ("main"): it may lock,
 * sleep, park and join. Inside sim_run() it waits until all others have ended.
 *
 * What makes a run repeatable is also up to the program: nothing may depend on
 * addresses, real time, or real threads. Memory of the simulator itself comes
 * from malloc(), not from base/env.h, so refused allocations are the driver's.
 *
 * One simulation is installed at a time, and used by the thread that made it.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/sched.h"

struct sim;

/* Return: NULL without memory. */
struct sim *sim_create(uint64_t seed);
/*
 * Also tasks that have not ended: what they hold is forgotten. If @sim is installed, vkf_sched_set()
 * goes back to no back end.
 */
void sim_destroy(struct sim *sim);
/* Make @sim the back end of base/sched.h. */
void sim_install(struct sim *sim);

/*
 * As vkf_spawn(), of an installed @sim. With @ret_task NULL nobody joins the task, and it is freed
 * when it has ended. Return: 0 or -ENOMEM.
 */
int sim_spawn(struct sim *sim, const char *name, void (*fn)(void *arg), void *arg,
	      struct vkf_task **ret_task);

/**
 * sim_run() - from main: let the others run until all have ended, or are idle (vkf_task.idle)
 * without a deadline
 *
 * Return: 0; -EDEADLK: some have not ended, none can run, and no deadline is set; -ETIME: the
 * limit of steps is reached. sim_report() then says who waits in what. After an error the tasks
 * are as they were: main may wake some and call again.
 *
 * Where main itself waits (park, join, a lock) outside sim_run(), it cannot be told: the same
 * two errors then panic, with the report's first line as text.
 */
int sim_run(struct sim *sim) VKF_MUST_CHECK;
/* Scheduling steps from now on until -ETIME; 0: no limit, which is the default. */
void sim_limit_steps(struct sim *sim, uint64_t n);
/* Of the last error of sim_run(): one line with the seed, and one for each task. "" if none. */
const char *sim_report(const struct sim *sim);

/* At each scheduling point, before anybody is chosen, in the task that came to it: a test may count
 * them, and do what another task could do there. Not called for points that @fn itself comes to. */
void sim_on_point(struct sim *sim, void (*fn)(void *cookie), void *cookie);

uint64_t sim_seed(const struct sim *sim);
/* Scheduling steps so far. */
uint64_t sim_steps(const struct sim *sim);
/* From 0 to @bound - 1 (@bound > 0), from a stream of its own: the program's dice. */
uint64_t sim_random(struct sim *sim, uint64_t bound);

/**
 * sim_trace() - append one line to the trace
 *
 * It is prefixed with the time and the task's name. Between lines stand the scheduling choices:
 * for each the number, in hexadecimal and with a full stop, of the task that goes on. So equal
 * traces mean equal interleavings. Do not print addresses.
 */
void sim_trace(struct sim *sim, const char *fmt, ...) VKF_PRINTF(2, 3);
/*
 * Events of base/trace.h as lines of the trace, too, as numbers: name, client, then the payload's
 * 32-bit words up to the last that is not 0. Of the installed simulation, until it is destroyed or
 * another takes the events over.
 */
void sim_trace_events(struct sim *sim, bool on);
/* Of the whole trace, choices included. */
uint64_t sim_trace_hash(const struct sim *sim);
/* The text, owned by @sim and valid until the next step; only its first 64 MiB are kept. */
const char *sim_trace_text(const struct sim *sim);

#endif
