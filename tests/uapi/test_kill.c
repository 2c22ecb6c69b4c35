/* SPDX-License-Identifier: MIT */
/*
 * Programs that end in the midst of calls: killed after any number of microseconds, or become
 * another program by exec() of another thread. Each time the driver's counts return to zero.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kfd_calls.h"
#include "uapi_shim.h"

#define ROUNDS     12
#define MOST_US    3000
#define BIG        (40 * GIB) /* of 64: two do not fit */
#define ENV_REOPEN "UAPI_REOPEN"
#define COPY_BYTES (2 * MIB)

/* ------------------------------------------------ what is interrupted */

static void map_and_unmap(struct prog *p)
{
	uint32_t done;
	uint64_t handle;

	if (alloc_mem(p, 0, VA(1), 4 * MIB, F_VRAM | F_WRITE, &handle, NULL))
		abort();
	for (;;) {
		done = 0;
		if (map_gpus(p, handle, p->gpu, p->n_gpus, &done))
			abort();
		done = 0;
		if (unmap_gpus(p, handle, p->gpu, p->n_gpus, &done))
			abort();
	}
}

static void alloc_and_free(struct prog *p)
{
	static const uint32_t flags[] = { F_VRAM, F_GTT, F_VRAM | F_AQL, F_USERPTR };
	void *mem = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t handle;

	for (unsigned int i = 0;; i++) {
		uint64_t offset = (uintptr_t)mem;

		if (alloc_mem(p, i % 2, VA(1), MIB, flags[i % 4], &handle, &offset) ||
		    map_one(p, handle, 0) || unmap_one(p, handle, 0) || free_mem(p, handle))
			abort();
	}
}

/* More and more, so that there is much to give back. */
static void alloc_on_and_on(struct prog *p)
{
	uint64_t handle;

	for (unsigned int i = 0; i < 4000; i++) {
		if (alloc_mem(p, i % 2, VA(i), 64 * 1024, i % 3 ? F_VRAM : F_GTT, &handle, NULL) ||
		    map_one(p, handle, 1))
			abort();
	}
	pause();
}

static void create_and_destroy_queues(struct prog *p)
{
	struct user_queue q[2];

	queue_prepare(p, 0, KFD_IOC_QUEUE_TYPE_SDMA, 1, &q[0]);
	queue_prepare(p, 1, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 2, &q[1]);
	for (unsigned int i = 0;; i++) {
		if (queue_create(p, &q[i % 2]) || queue_destroy(p, q[i % 2].args.queue_id))
			abort();
	}
}

/* A copy that never ends, and the queue stopped and started in its midst. */
static void run_a_queue(struct prog *p)
{
	const uint32_t words[] = {
		1, COPY_BYTES - 1, 0, (uint32_t)VA(60), VA(60) >> 32, (uint32_t)VA(61), VA(61) >> 32
	};
	struct user_queue q;
	uint64_t dw = 0;

	gtt(p, 0, VA(60), COPY_BYTES, NULL);
	gtt(p, 0, VA(61), COPY_BYTES, NULL);
	queue_start(p, 0, KFD_IOC_QUEUE_TYPE_SDMA, 50, &q);
	for (;;) {
		struct kfd_ioctl_update_queue_args stop = { .queue_id = q.args.queue_id };
		struct kfd_ioctl_update_queue_args go = {
			.queue_id = q.args.queue_id,
			.ring_base_address = q.args.ring_base_address,
			.ring_size = q.args.ring_size,
			.queue_percentage = 100,
		};

		while (dw * 4 - *q.rptr < 8 * sizeof(words)) {
			for (unsigned int i = 0; i < 7; i++)
				q.ring_cpu[dw++ % (RING_BYTES / 4)] = words[i];
		}
		__atomic_store_n((uint64_t *)q.wptr, dw * 4, __ATOMIC_RELEASE);
		__atomic_store_n((uint64_t *)q.doorbell, dw * 4, __ATOMIC_RELEASE);
		if (uapi_ioctl(p->kfd, K_UPDATE_QUEUE, &stop) ||
		    uapi_ioctl(p->kfd, K_UPDATE_QUEUE, &go))
			abort();
	}
}

static void make_and_wait_for_events(struct prog *p)
{
	event_page(p);
	for (unsigned int i = 0;; i++) {
		uint32_t result, id = event(p, KFD_IOC_EVENT_SIGNAL, true);
		struct kfd_ioctl_destroy_event_args args = { .event_id = id };

		/* Every other one lasts until the end. */
		if (wait_event(p, id, i % 16 == 15 ? 10 : 0, &result) ||
		    uapi_ioctl(p->kfd, K_DESTROY_EVENT, &args))
			abort();
	}
}

static const struct {
	const char *name;
	void (*loop)(struct prog *p);
} loops[] = {
	{ "map and unmap", map_and_unmap },
	{ "alloc and free", alloc_and_free },
	{ "alloc on and on", alloc_on_and_on },
	{ "create and destroy queues", create_and_destroy_queues },
	{ "run a queue", run_a_queue },
	{ "make and wait for events", make_and_wait_for_events },
};

/* ------------------------------------------------ killed */

/* A child that opens, says so, and loops; or that does not even say so. */
static pid_t start_victim(void (*loop)(struct prog *p), int ready)
{
	pid_t pid = fork();
	struct prog p;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prog_start(&p);
	(void)!write(ready, "", 1);
	loop(&p);
	_exit(0);
}

static void kill_in(pid_t pid, unsigned int us)
{
	int status;

	usleep(us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* It had no reason to end before. */
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void whoever_is_killed_in_a_call_leaves_nothing(void **state)
{
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	srand(1);
	for (unsigned int i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		for (unsigned int round = 0; round < ROUNDS; round++) {
			pid_t pid = start_victim(loops[i].loop, fds[1]);

			assert_int_equal(read(fds[0], &c, 1), 1);
			kill_in(pid, (unsigned int)rand() % MOST_US);
			if (!uapi_settle(0))
				fail_msg("killed in: %s, round %u", loops[i].name, round);
		}
	}
}

/* From fork() on: in the first opens, before there is a session, with half of the VMs. */
static void whoever_is_killed_at_its_beginning_leaves_nothing(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	srand(2);
	for (unsigned int round = 0; round < 4 * ROUNDS; round++) {
		pid_t pid = start_victim(map_and_unmap, fds[1]);

		kill_in(pid, (unsigned int)rand() % (4 * MOST_US));
		if (!uapi_settle(0))
			fail_msg("killed at the beginning, round %u", round);
	}
}

/* What the dead had can be had again as soon as the counts say so; and others go on meanwhile. */
static void who_lives_goes_on_when_others_are_killed(void **state)
{
	uint64_t handle;
	uint32_t done = 0;
	struct prog p;
	int fds[2];
	char c;

	assert_int_equal(pipe(fds), 0);
	srand(3);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		pid_t pid = start_victim(loops[round % 6].loop, fds[1]);

		assert_int_equal(read(fds[0], &c, 1), 1);
		if (!round) {
			prog_start(&p);
			assert_int_equal(alloc_mem(&p, 0, VA(1), MIB, F_VRAM, &handle, NULL), 0);
		}
		usleep((unsigned int)rand() % MOST_US);
		done = 0;
		assert_int_equal(map_gpus(&p, handle, p.gpu, p.n_gpus, &done), 0);
		kill_in(pid, 0);
		done = 0;
		assert_int_equal(unmap_gpus(&p, handle, p.gpu, p.n_gpus, &done), 0);
		assert_true(uapi_settle(1));
	}
	assert_int_equal(free_mem(&p, handle), 0);
}

/* ------------------------------------------------ exec */

struct looper {
	struct prog *p;
	void (*loop)(struct prog *p);
};

static void *loop_thread(void *arg)
{
	struct looper *l = arg;

	l->loop(l->p);
	return NULL;
}

/* What the program is after exec(): the memory that it had before is free. */
static int reopened(void)
{
	uint64_t handle;
	struct prog p;

	prog_start(&p);
	return alloc_mem(&p, 0, VA(1), BIG, F_VRAM, &handle, NULL) ||
	       handle != (uint64_t)p.gpu[0] << 32 || map_one(&p, handle, 0);
}

static void start_and_exec(void (*loop)(struct prog *p), const char *reopen, unsigned int us)
{
	struct looper l;
	uint64_t handle;
	pthread_t thread;
	struct prog p;

	prog_start(&p);
	if (alloc_mem(&p, 0, VA(3000), BIG, F_VRAM, &handle, NULL))
		_exit(2);
	l = (struct looper){ &p, loop };
	if (pthread_create(&thread, NULL, loop_thread, &l))
		_exit(3);
	usleep(us);
	if (reopen)
		setenv(ENV_REOPEN, reopen, 1);
	execl(reopen ? "/proc/self/exe" : "/bin/true", "reopened", NULL);
	_exit(4);
}

static void exec_in_calls(const char *reopen)
{
	for (unsigned int i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		for (unsigned int round = 0; round < ROUNDS / 2; round++) {
			pid_t pid = fork();
			int status;

			assert_true(pid >= 0);
			if (pid == 0)
				start_and_exec(loops[i].loop, reopen,
					       (unsigned int)rand() % MOST_US);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			if (!WIFEXITED(status) || WEXITSTATUS(status))
				fail_msg("exec in: %s, round %u: status %x", loops[i].name, round,
					 status);
			assert_true(uapi_settle(0));
		}
	}
}

static void exec_in_the_midst_of_calls_leaves_nothing(void **state)
{
	srand(4);
	exec_in_calls(NULL);
}

static void after_exec_the_memory_is_there_at_once(void **state)
{
	srand(5);
	exec_in_calls("1");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(whoever_is_killed_in_a_call_leaves_nothing),
	cmocka_unit_test(whoever_is_killed_at_its_beginning_leaves_nothing),
	cmocka_unit_test(who_lives_goes_on_when_others_are_killed),
	cmocka_unit_test(exec_in_the_midst_of_calls_leaves_nothing),
	cmocka_unit_test(after_exec_the_memory_is_there_at_once),
};

int main(void)
{
	if (getenv(ENV_REOPEN))
		return reopened();
	return uapi_group(__FILE__, tests, sizeof(tests) / sizeof(tests[0]));
}
