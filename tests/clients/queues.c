/* SPDX-License-Identifier: MIT */
/**
 * DOC: queues: SDMA queues of a program, many and for long
 *
 *	queues doorbells RINGS THREADS	rings over idle and busy edges; none may be lost
 *	queues idle N			N queues that have worked, and have nothing to do
 *	queues wait N			N queues that wait for memory to change
 *	queues lost			a queue whose engine somebody ends
 *
 * The last three say "ready"; idle and wait go on when their input ends. The exit status is 0 if all
 * that was submitted was done.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../bench/bench.h"
#include "../bench/gpus.h"
#include "../bench/sdma.h"

#define MAX_QUEUES 256
#define PAGE       4096
#define TIMEOUT_NS UINT64_C(20000000000)
#define PER_GPU    32
/* Rings that may be under way at once: what is in a ring must not be overwritten. */
#define AHEAD 1000

const struct bench_os *bench_os = &bench_libc;

static struct gpus gpus;
static struct shared flags[MAX_GPUS];
static struct sdma queues[MAX_QUEUES];

static void sleep_ns(long ns)
{
	struct timespec ts = { 0, ns };

	nanosleep(&ts, NULL);
}

/* Its queue's own word: @word 0 is what it writes, 1 what it waits for. */
static uint32_t *flag(unsigned int i, unsigned int word)
{
	return (uint32_t *)flags[i / PER_GPU].cpu + i % PER_GPU * 16 + word;
}

static uint64_t flag_va(unsigned int i, unsigned int word)
{
	return flags[i / PER_GPU].va + ((uint64_t)(i % PER_GPU) * 16 + word) * 4;
}

static bool is_done(unsigned int i, uint32_t value)
{
	return (int32_t)(*(volatile uint32_t *)flag(i, 0) - value) >= 0;
}

/* Return: false when it does not come. */
static bool wait_done(unsigned int i, uint32_t value)
{
	uint64_t until = bench_now_ns() + TIMEOUT_NS;

	for (unsigned int n = 0; !is_done(i, value); n++) {
		if (n < 100)
			__builtin_ia32_pause();
		else
			sleep_ns(20000);
		if (bench_now_ns() > until)
			return false;
	}
	return true;
}

static void make_queues(unsigned int n)
{
	if (n > MAX_QUEUES || (n + PER_GPU - 1) / PER_GPU > gpus.n)
		bench_fail("too many queues for this machine");
	for (unsigned int i = 0; i < n; i++) {
		if (i % PER_GPU == 0)
			shared_create(&gpus, i / PER_GPU, VA(500 + i / PER_GPU), PAGE,
				      &flags[i / PER_GPU]);
		sdma_create(&gpus, i / PER_GPU, i, &queues[i]);
	}
}

/* ------------------------------------------------ doorbells */

struct ringer {
	unsigned int index;
	uint32_t rings;
	bool lost;
};

/* After some rings it waits, and then for as long as the engine lingers or a little more; so that
 * the next comes while it works, lingers, falls asleep, sleeps. */
static void *ring_often(void *arg)
{
	struct ringer *r = arg;
	struct sdma *q = &queues[r->index];
	unsigned int seed = r->index + 1;

	for (uint32_t i = 1; i <= r->rings && !r->lost; i++) {
		sdma_fence(q, flag_va(r->index, 0), i);
		sdma_ring(q);
		seed = seed * 1103515245 + 12345;
		if (seed >> 27 == 0) {
			r->lost = !wait_done(r->index, i);
			if (seed >> 26 & 1)
				sleep_ns(seed >> 10 & 0xffff);
		} else if (i > AHEAD) {
			r->lost = !wait_done(r->index, i - AHEAD);
		}
	}
	if (!r->lost)
		r->lost = !wait_done(r->index, r->rings);
	return NULL;
}

static int doorbells(unsigned int rings, unsigned int n)
{
	struct ringer r[MAX_QUEUES];
	pthread_t t[MAX_QUEUES];
	unsigned int lost = 0;

	make_queues(n);
	for (unsigned int i = 0; i < n; i++) {
		r[i] = (struct ringer){ .index = i, .rings = rings / n };
		if (pthread_create(&t[i], NULL, ring_often, &r[i]))
			bench_fail("no thread");
	}
	for (unsigned int i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		lost += r[i].lost;
	}
	if (lost)
		bench_fail("%u of %u queues do not go on", lost, n);
	return 0;
}

/* ------------------------------------------------ idle, waiting */

static void until_input_ends(void)
{
	char c;

	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
}

static void all_do(unsigned int n, uint32_t value)
{
	for (unsigned int i = 0; i < n; i++) {
		sdma_fence(&queues[i], flag_va(i, 0), value);
		sdma_ring(&queues[i]);
	}
	for (unsigned int i = 0; i < n; i++) {
		if (!wait_done(i, value))
			bench_fail("queue %u does not go on", i);
	}
}

static int idle(unsigned int n)
{
	make_queues(n);
	all_do(n, 1);
	until_input_ends();
	all_do(n, 2);
	return 0;
}

static int wait_long(unsigned int n)
{
	make_queues(n);
	for (unsigned int i = 0; i < n; i++) {
		sdma_poll(&queues[i], flag_va(i, 1), 1);
		sdma_fence(&queues[i], flag_va(i, 0), 1);
		sdma_ring(&queues[i]);
	}
	until_input_ends();
	for (unsigned int i = 0; i < n; i++) {
		if (is_done(i, 1))
			bench_fail("queue %u did not wait", i);
		*(volatile uint32_t *)flag(i, 1) = 1;
		if (!wait_done(i, 1))
			bench_fail("queue %u waits for ever", i);
	}
	return 0;
}

/* ------------------------------------------------ an engine that is gone */

static int call(unsigned long cmd, void *arg)
{
	return bench_os->ioctl(gpus.kfd, cmd, arg);
}

/* Return: whether it was told. */
static bool hears_of_reset(uint32_t event)
{
	struct kfd_event_data data = { .event_id = event };
	struct kfd_ioctl_wait_events_args wait = {
		.events_ptr = (uintptr_t)&data, .num_events = 1, .timeout = TIMEOUT_NS / 1000000
	};

	return !call(AMDKFD_IOC_WAIT_EVENTS, &wait) &&
	       wait.wait_result == KFD_IOC_WAIT_RESULT_COMPLETE &&
	       data.hw_exception_data.gpu_id == gpus.id[0] &&
	       data.hw_exception_data.reset_cause == 0 && data.hw_exception_data.memory_lost == 1;
}

static int lost(void)
{
	struct kfd_ioctl_create_event_args event = { .event_type = KFD_IOC_EVENT_HW_EXCEPTION };
	struct kfd_ioctl_update_queue_args update = { .queue_percentage = 0 };
	int r;

	make_queues(1);
	all_do(1, 1);
	if (call(AMDKFD_IOC_CREATE_EVENT, &event))
		bench_fail("no event");
	puts("ready");
	fflush(stdout);
	if (!hears_of_reset(event.event_id))
		bench_fail("nobody tells of the engine");
	update.queue_id = queues[0].id;
	r = call(AMDKFD_IOC_UPDATE_QUEUE, &update);
	if (r != -EACCES)
		bench_fail("a queue that was reset: %d", r);
	sdma_destroy(&queues[0]);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 2 ? (unsigned int)atoi(argv[2]) : 0;

	gpus_open(&gpus);
	if (argc == 4 && !strcmp(argv[1], "doorbells"))
		return doorbells(n, (unsigned int)atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "idle"))
		return idle(n);
	if (argc == 3 && !strcmp(argv[1], "wait"))
		return wait_long(n);
	if (argc == 2 && !strcmp(argv[1], "lost"))
		return lost();
	bench_fail("usage: queues doorbells RINGS THREADS | idle N | wait N | lost");
}
