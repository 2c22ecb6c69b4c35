/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_calls [--cpu N] [--driver-cpu N] [--hold N | --fan 1]: calls through shim and driver
 *
 * Under `vkfd run --`, as a ROCm client. --cpu says where it runs; --driver-cpu where
 * the floor's other process runs, which is where whoever starts this put the driver.
 * --hold N only makes N mapped buffers, says so, and keeps them until its input ends;
 * --fan 1 only maps to many GPUs.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"
#include "gpus.h"

#define RUNS    40
#define STEPS   2001
#define SPIN_NS 3000
#define SMALL   4096

const struct bench_os *bench_os = &bench_libc;

static void refused(void *arg)
{
	gpus_refused(arg);
}

static void round_trips(struct gpus *g, int driver_cpu)
{
	struct bench_echo e;

	bench_echo_start(&e, driver_cpu, 0);
	bench_print("echo.sleep", bench_time(bench_echo_call, &e, RUNS));
	bench_echo_stop(&e);
	bench_echo_start(&e, driver_cpu, SPIN_NS);
	bench_print("echo.spin", bench_time(bench_echo_call, &e, RUNS));
	bench_echo_stop(&e);
	bench_print("refused", bench_time(refused, g, RUNS));
}

/* ------------------------------------------------ an event from thread to thread */

struct pong {
	struct gpus *g;
	struct gpus_event there, back;
	atomic_bool end;
};

static void *answer(void *arg)
{
	struct pong *p = arg;

	for (;;) {
		gpus_event_wait(p->g, &p->there);
		if (atomic_load(&p->end))
			return NULL;
		gpus_event_set(p->g, &p->back);
	}
}

static void ping(void *arg)
{
	struct pong *p = arg;

	gpus_event_set(p->g, &p->there);
	gpus_event_wait(p->g, &p->back);
}

static void event_round_trip(struct gpus *g)
{
	struct pong p = { .g = g };
	pthread_t thread;

	gpus_event_create(g, &p.there);
	gpus_event_create(g, &p.back);
	if (pthread_create(&thread, NULL, answer, &p))
		bench_fail("no thread");
	bench_print("event.pong", bench_time(ping, &p, RUNS / 4));
	atomic_store(&p.end, true);
	gpus_event_set(g, &p.there);
	pthread_join(thread, NULL);
}

static void hold(struct gpus *g, unsigned int n)
{
	char byte;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t handle = gpus_alloc(g, 0, VA(1) + (uint64_t)i * SMALL, SMALL,
					     F_VRAM | F_WRITE, NULL);

		gpus_map(g, handle, 0, 1);
	}
	bench_print("held", n);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	int n_held = bench_option(argc, argv, "--hold", -1);
	struct gpus g;
	struct cycle c = { .g = &g, .va = VA(0) };

	bench_pin(bench_option(argc, argv, "--cpu", -1));
	gpus_open(&g);
	if (n_held >= 0) {
		hold(&g, (unsigned int)n_held);
		return 0;
	}
	if (bench_option(argc, argv, "--fan", 0)) {
		fan_figures(&g, "");
		return 0;
	}
	round_trips(&g, bench_option(argc, argv, "--driver-cpu", -1));
	bench_print("cycle", bench_time(cycle_all, &c, RUNS / 2));
	cycle_steps(&c, "cycle", STEPS);
	event_round_trip(&g);
	return 0;
}
