/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		bench_fail("cannot run on CPU %d", cpu);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_time(void (*fn)(void *arg), void *arg, unsigned int runs)
{
	double rep[BENCH_REPS];

	/* What is slow only the first times is nobody's figure. */
	for (unsigned int n = 0; n < runs; n++)
		fn(arg);
	for (unsigned int i = 0; i < BENCH_REPS; i++) {
		uint64_t from = bench_now_ns();

		for (unsigned int n = 0; n < runs; n++)
			fn(arg);
		rep[i] = (double)(bench_now_ns() - from) / runs;
	}
	return bench_median(rep, BENCH_REPS);
}

void bench_print(const char *name, double value)
{
	printf("%s %.3f\n", name, value);
	fflush(stdout);
}

void bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

int bench_option(int argc, char **argv, const char *name, int otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return atoi(argv[i + 1]);
	return otherwise;
}

/* ------------------------------------------------ the floor of a call */

enum { ECHO_IDLE, ECHO_ASKED, ECHO_ANSWERED, ECHO_END };

struct bench_echo_word {
	_Atomic uint32_t state;
	uint64_t spin_ns;
};

static void wait_while(struct bench_echo_word *w, uint32_t state)
{
	uint64_t until = w->spin_ns ? bench_now_ns() + w->spin_ns : 0;

	while (atomic_load_explicit(&w->state, memory_order_acquire) == state) {
		if (until && bench_now_ns() < until)
			__builtin_ia32_pause();
		else
			syscall(SYS_futex, &w->state, FUTEX_WAIT, state, NULL);
	}
}

static void say(struct bench_echo_word *w, uint32_t state)
{
	atomic_store_explicit(&w->state, state, memory_order_release);
	syscall(SYS_futex, &w->state, FUTEX_WAKE, 1);
}

static void echo(struct bench_echo_word *w)
{
	for (;;) {
		uint32_t state = atomic_load(&w->state);

		if (state == ECHO_END)
			_exit(0);
		if (state == ECHO_ASKED)
			say(w, ECHO_ANSWERED);
		else
			wait_while(w, state);
	}
}

void bench_echo_start(struct bench_echo *e, int cpu, uint64_t spin_ns)
{
	e->word = mmap(NULL, sizeof(*e->word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (e->word == MAP_FAILED)
		bench_fail("no shared memory");
	e->word->spin_ns = spin_ns;
	e->pid = fork();
	if (e->pid < 0)
		bench_fail("no process");
	if (e->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_pin(cpu);
		echo(e->word);
	}
}

void bench_echo_call(void *arg)
{
	struct bench_echo *e = arg;

	say(e->word, ECHO_ASKED);
	wait_while(e->word, ECHO_ASKED);
}

void bench_echo_stop(struct bench_echo *e)
{
	say(e->word, ECHO_END);
	waitpid(e->pid, NULL, 0);
	munmap(e->word, sizeof(*e->word));
}
