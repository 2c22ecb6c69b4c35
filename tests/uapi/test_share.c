/* SPDX-License-Identifier: MIT */
/*
 * Programs that take turns on a GPU, because it runs one process at a time (or two have GWS): each gets
 * on with its work, whatever the others do with theirs.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kfd_calls.h"

#define SDMA     KFD_IOC_QUEUE_TYPE_SDMA
#define PM4      KFD_IOC_QUEUE_TYPE_COMPUTE
#define OP_FENCE 5u
#define N        4
#define JOBS     200u
#define PATIENCE 30000 /* ms */

/* What the programs share, besides a GPU. */
static struct {
	_Atomic uint32_t ready, go, done[N];
} *common;

static uint32_t lo(uint64_t v)
{
	return (uint32_t)v;
}

static uint32_t hi(uint64_t v)
{
	return (uint32_t)(v >> 32);
}

static void need_turns(void)
{
	static const char *const sets[] = { "kfd.hws_max_conc_proc=1" };

	if (!uapi_machine("mi210x2", sets, 1))
		skip();
	common = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(common != MAP_FAILED);
}

static void be_ready(unsigned int n)
{
	common->ready++;
	while (common->ready < n || !common->go)
		usleep(1000);
}

static void ring(struct user_queue *q, uint64_t wptr)
{
	__atomic_store_n((uint64_t *)q->wptr, wptr, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)q->doorbell, wptr, __ATOMIC_RELEASE);
}

static bool becomes(volatile uint32_t *word, uint32_t v)
{
	for (unsigned int i = 0; *word != v; i++) {
		if (i > PATIENCE * 10)
			return false;
		usleep(i < 100 ? 0 : 100);
	}
	return true;
}

/* One job after the other, each of which it waits for. */
static void work(unsigned int i)
{
	volatile uint32_t *word;
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	gtt(&p, 0, VA(5), PAGE, &word);
	queue_start(&p, 0, SDMA, 1, &q);
	be_ready(N);
	for (uint32_t job = 1; job <= JOBS; job++) {
		const uint32_t fence[] = { OP_FENCE, lo(VA(5)), hi(VA(5)), job };

		for (unsigned int k = 0; k < 4; k++)
			q.ring_cpu[(job - 1) * 4 + k] = fence[k];
		ring(&q, job * 16);
		if (!becomes(word, job))
			_exit(2);
		common->done[i]++;
	}
	_exit(0);
}

static uint32_t pm4(uint32_t op, uint32_t words)
{
	return 3u << 30 | (words - 2) << 16 | op << 8;
}

/* A buffer that counts its rounds in @word and goes on in itself for ever. */
static void loop_for_ever(struct prog *p, struct user_queue *q, uint64_t word)
{
	const uint64_t ib = VA(6);
	const uint32_t loop[] = {
		/* ATOMIC_MEM: add 1; INDIRECT_BUFFER, chained, of these 13 words */
		pm4(0x1e, 9), 0x6f, lo(word), hi(word), 1, 0, 0, 0, 0,
		pm4(0x3f, 4), lo(ib), hi(ib), 13 | 1u << 20 | 1u << 23,
	};
	const uint32_t call[] = { pm4(0x3f, 4), lo(ib), hi(ib), 13 | 1u << 23 };
	volatile uint32_t *cpu;

	gtt(p, 0, ib, PAGE, &cpu);
	for (unsigned int i = 0; i < 13; i++)
		cpu[i] = loop[i];
	for (unsigned int i = 0; i < 4; i++)
		q->ring_cpu[i] = call[i];
	ring(q, 4);
}

/* It never ends by itself, and tells how far it is. @gws: with global wave sync. */
static void go_on(unsigned int i, bool gws)
{
	volatile uint32_t *word;
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	gtt(&p, 0, VA(5), PAGE, &word);
	queue_start(&p, 0, PM4, 1, &q);
	if (gws) {
		struct kfd_ioctl_alloc_queue_gws_args args = { .queue_id = q.args.queue_id,
							       .num_gws = 64 };

		if (uapi_ioctl(p.kfd, K_ALLOC_GWS, &args))
			_exit(2);
	}
	loop_for_ever(&p, &q, VA(5));
	common->ready++;
	for (;;) {
		common->done[i] = *word;
		usleep(500);
	}
}

static void go_on_with_gws(unsigned int i)
{
	go_on(i, true);
}

static void go_on_without(unsigned int i)
{
	go_on(i, false);
}

static pid_t start(void (*fn)(unsigned int i), unsigned int i)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fn(i);
		_exit(3);
	}
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* So many times it is seen to have got on. */
static void gets_on(unsigned int i, unsigned int times)
{
	uint32_t seen = common->done[i];

	for (unsigned int ms = 0; times; ms++) {
		assert_true(ms < PATIENCE);
		usleep(1000);
		if (common->done[i] == seen)
			continue;
		seen = common->done[i];
		times--;
	}
}

static void wait_ready(unsigned int n)
{
	for (unsigned int ms = 0; common->ready < n; ms++) {
		assert_true(ms < PATIENCE);
		usleep(1000);
	}
}

static void jobs_of_many_programs_all_get_done(void **state)
{
	pid_t pids[N];
	int status;

	need_turns();
	for (unsigned int i = 0; i < N; i++)
		pids[i] = start(work, i);
	wait_ready(N);
	common->go = 1;
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		assert_int_equal(common->done[i], JOBS);
	}
}

static void each_of_those_that_never_end_gets_on(void (*fn)(unsigned int i))
{
	pid_t pids[3];

	need_turns();
	for (unsigned int i = 0; i < 3; i++)
		pids[i] = start(fn, i);
	wait_ready(3);
	for (unsigned int round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < 3; i++)
			gets_on(i, 3);
	}
	/* One that is killed, whether it was its turn or not, is not missed. */
	end(pids[0]);
	for (unsigned int round = 0; round < 4; round++) {
		for (unsigned int i = 1; i < 3; i++)
			gets_on(i, 3);
	}
	end(pids[1]);
	gets_on(2, 50);
	end(pids[2]);
}

static void endless_queues_take_turns(void **state)
{
	each_of_those_that_never_end_gets_on(go_on_without);
}

static void endless_queues_with_gws_take_turns(void **state)
{
	each_of_those_that_never_end_gets_on(go_on_with_gws);
}

/* Its engine goes on, and obeys. */
static void a_program_that_is_stopped_holds_up_nobody(void **state)
{
	pid_t a, b;

	need_turns();
	a = start(go_on_with_gws, 0);
	wait_ready(1);
	gets_on(0, 5);
	assert_int_equal(kill(a, SIGSTOP), 0);
	b = start(go_on_with_gws, 1);
	wait_ready(2);
	gets_on(1, 20);
	assert_int_equal(kill(a, SIGCONT), 0);
	gets_on(0, 5);
	end(a);
	end(b);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(jobs_of_many_programs_all_get_done),
	cmocka_unit_test(endless_queues_take_turns),
	cmocka_unit_test(endless_queues_with_gws_take_turns),
	cmocka_unit_test(a_program_that_is_stopped_holds_up_nobody),
};

UAPI_MAIN(tests)
