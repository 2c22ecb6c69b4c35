/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_BENCH_H
#define VKFD_TESTS_BENCH_H

/**
 * DOC: Measuring
 *
 * A bench program measures and judges nothing: it prints one line "NAME VALUE" for
 * each figure, in nanoseconds unless the name says otherwise, and tools/bench makes
 * the table. A figure is the median of BENCH_REPS repetitions, each so short that
 * most of them are not interrupted; a repetition is the mean of its runs. Each
 * figure's floor is measured in the same process, a moment before.
 *
 * A call that fails ends the program with a line that says which: a bench of
 * refused calls would be fast.
 */
#include <stddef.h>
#include <stdint.h>

#define BENCH_REPS 101

uint64_t bench_now_ns(void);
/* Only on @cpu from now on; -1: wherever the system likes. */
void bench_pin(int cpu);
/* The median of BENCH_REPS times the mean of @runs runs of @fn. */
double bench_time(void (*fn)(void *arg), void *arg, unsigned int runs);
/* The median of @n values, which are sorted by it. */
double bench_median(double *values, size_t n);
void bench_print(const char *name, double value);
__attribute__((noreturn, format(printf, 1, 2))) void bench_fail(const char *fmt, ...);
/* The number after the option @name ("--cpu"), or @otherwise. */
int bench_option(int argc, char **argv, const char *name, int otherwise);

/* struct bench_echo - another process that answers as the driver does, but does nothing else */
struct bench_echo {
	struct bench_echo_word *word;
	int pid;
};

/**
 * bench_echo_start() - a process on @cpu (-1: any) that answers through one shared word
 * @spin_ns: how long either side looks before it sleeps
 *
 * The floor of a call: two futex wake-ups and two sleeps, or none when both sides spin.
 */
void bench_echo_start(struct bench_echo *e, int cpu, uint64_t spin_ns);
/* One request and its answer; @arg is the struct bench_echo. */
void bench_echo_call(void *arg);
void bench_echo_stop(struct bench_echo *e);

#endif
