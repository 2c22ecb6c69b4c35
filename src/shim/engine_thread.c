/* SPDX-License-Identifier: MIT */
#include "shim/engine_thread.h"

#include <errno.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include "shim/conn.h"
#include "shim/guard.h"
#include "shim/hidden.h"
#include "shim/shim.h"

/* The engine whose thread lives, and that thread; a copy of them means nothing in a fork's child.
 */
static _Atomic(struct engine *) current;
static _Atomic int current_tid;

/* As the end of a process would: the program goes on, and the driver sees the end of a connection.
 */
__attribute__((noreturn)) static void leave_broken(struct engine *e)
{
	gpu_engine_set_state(e->gpu, GPU_ENGINE_DEAD);
	SYS2(shutdown, e->fd, SHUT_RDWR);
	for (;;)
		SYS1(exit, 0);
}

bool engine_thread_faulted(uint64_t *ip)
{
	uint64_t to = engine_mem_fixup(*ip);

	if (!to && (int)SYS0(gettid) == atomic_load(&current_tid))
		leave_broken(atomic_load(&current));
	if (to)
		*ip = to;
	return to != 0;
}

static void *run(void *engine)
{
	uint64_t faults = UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1);
	struct engine *e = engine;

	SYS2(prctl, PR_SET_NAME, "vkfd-engine");
	SYS2(prctl, PR_SET_TIMERSLACK, 1);
	engine_linger_init();
	atomic_store(&current, e);
	atomic_store(&current_tid, (int)SYS0(gettid));
	SYS4(rt_sigprocmask, SIG_UNBLOCK, &faults, NULL, 8);
	gpu_engine_set_state(e->gpu, GPU_ENGINE_RUNNING);
	atomic_store(&e->status, ENGINE_RUNNING);
	sys_futex_wake(&e->status, 1);
	engine_run(e);
	SYS4(rt_sigprocmask, SIG_BLOCK, &faults, NULL, 8);
	atomic_store(&current_tid, 0);
	hidden_close(e->uffd);
	hidden_close(e->fd);
	return NULL;
}

/* Return: the number that @fd has now, or -errno and it is closed. */
static int hide(int fd)
{
	int r = hidden_add(fd);

	if (r < 0)
		sys_close(fd);
	return r;
}

static int connect_driver(struct engine *e)
{
	struct wire_hello hello = { .kind = WIRE_ENGINE, .session = e->session, .token = e->token };
	struct wire_welcome w;
	int fd = conn_open(&hello, &w, NULL, 0);

	e->fd = fd < 0 ? fd : hide(fd);
	return e->fd < 0 ? e->fd : 0;
}

static int start_thread(struct engine *e)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, ENGINE_STACK_BYTES);
	/* The starter has all signals blocked, and so has the thread. */
	r = -pthread_create(&thread, &attr, run, e);
	pthread_attr_destroy(&attr);
	return r;
}

int engine_thread_start(struct engine *e)
{
	int r = connect_driver(e);

	if (r)
		return r;
	/* Without, it polls. */
	if (!engine_door_open(e))
		e->uffd = hide(e->uffd);
	guard_begin();
	r = start_thread(e);
	if (r) {
		hidden_close(e->uffd);
		hidden_close(e->fd);
	}
	return r;
}
