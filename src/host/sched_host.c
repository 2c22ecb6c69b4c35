/* SPDX-License-Identifier: MIT */
#include "host/sched_host.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/sched.h"
#include "host/futex.h"

/* The sanitizers' frames are several times larger than ours. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#define STACK_SIZE VKF_MIB(2)
#else
#define STACK_SIZE VKF_KIB(256)
#endif

#define RELAX_PAUSES 16 /* CPU pauses in one relax */
#define RELAX_YIELDS 8  /* so many relaxes, and the CPU is given away */

/* Values of host_task.token. */
#define TOKEN_NONE    0u
#define TOKEN_THERE   1u
#define TOKEN_AWAITED 2u /* its task sleeps, or is about to */

struct host_task {
	struct vkf_task task;
	atomic_uint token;
	pthread_t thread;
	void (*fn)(void *arg);
	void *arg;
	char name[16]; /* what pthread_setname_np() can show */
};

/* A spawned thread's own; others use @adopted, which lives as long as they do. */
static __thread struct host_task *self;
static __thread struct host_task adopted;
static __thread unsigned int n_relaxes;

static struct host_task *to_host_task(struct vkf_task *task)
{
	return vkf_container_of(task, struct host_task, task);
}

static struct host_task *host_self(void)
{
	if (!self) {
		vkf_task_init(&adopted.task, "thread");
		atomic_init(&adopted.token, TOKEN_NONE);
		self = &adopted;
	}
	return self;
}

static struct vkf_task *host_current(void)
{
	return &host_self()->task;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static uint64_t host_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static uint64_t host_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

static void host_park(uint64_t deadline_ns)
{
	struct host_task *t = host_self();
	unsigned int was = TOKEN_NONE;

	if (atomic_compare_exchange_strong_explicit(&t->token, &was, TOKEN_AWAITED,
						    memory_order_relaxed, memory_order_relaxed)) {
		/* One wait is enough: a spurious return is the caller's to bear. */
		(void)host_futex_wait_private(&t->token, TOKEN_AWAITED, deadline_ns);
	}
	(void)atomic_exchange_explicit(&t->token, TOKEN_NONE, memory_order_acquire);
}

static void host_unpark(struct vkf_task *task)
{
	struct host_task *t = to_host_task(task);

	if (atomic_exchange_explicit(&t->token, TOKEN_THERE, memory_order_release) == TOKEN_AWAITED)
		(void)host_futex_wake_private(&t->token, 1);
}

static void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void host_relax(void)
{
	unsigned int i;

	if (++n_relaxes % RELAX_YIELDS == 0) {
		sched_yield();
		return;
	}
	for (i = 0; i < RELAX_PAUSES; i++)
		cpu_pause();
}

static void *host_task_main(void *arg)
{
	struct host_task *t = arg;

	self = t;
	/* From inside: whoever made the thread may be gone, and a name is never worth a failure. */
	(void)pthread_setname_np(pthread_self(), t->name);
	t->fn(t->arg);
	return NULL;
}

/* Start the thread of @t with every signal blocked. Return: 0 or a positive errno. */
static int host_thread_start(struct host_task *t)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return r;
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!r) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		r = pthread_create(&t->thread, &attr, host_task_main, t);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	pthread_attr_destroy(&attr);
	return r;
}

static int host_spawn(const char *name, void (*fn)(void *arg), void *arg,
		      struct vkf_task **ret_task)
{
	struct host_task *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	snprintf(t->name, sizeof(t->name), "%s", name);
	vkf_task_init(&t->task, t->name);
	atomic_init(&t->token, TOKEN_NONE);
	t->fn = fn;
	t->arg = arg;
	if (host_thread_start(t)) {
		free(t);
		return -EAGAIN;
	}
	*ret_task = &t->task;
	return 0;
}

static void host_join(struct vkf_task *task)
{
	struct host_task *t = to_host_task(task);

	pthread_join(t->thread, NULL);
	free(t);
}

static const struct vkf_sched_ops host_ops = {
	.current = host_current,
	.now_ns = host_now_ns,
	.boot_ns = host_boot_ns,
	.park = host_park,
	.unpark = host_unpark,
	.relax = host_relax,
	.spawn = host_spawn,
	.join = host_join,
};

void host_sched_install(void)
{
	vkf_sched_set(&host_ops);
}
