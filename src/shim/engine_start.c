/* SPDX-License-Identifier: MIT */
#include "shim/engine_start.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "shim/engine.h"
#include "shim/engine_thread.h"
#include "shim/env.h"
#include "shim/session.h"

#define PAGE          UINT64_C(4096)
#define START_SECONDS 10
/* The first clone's own part of the engine's stack, far below what the engine uses. */
#define STEP_STACK_BYTES (UINT64_C(32) << 10)

static void say(const char *text, int err)
{
	char line[160], number[12];
	char *p = number + sizeof(number);
	size_t n = strlen(text);
	unsigned int v = (unsigned int)-err;

	memcpy(line, text, n);
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) && p > number);
	memcpy(line + n, p, (size_t)(number + sizeof(number) - p));
	n += (size_t)(number + sizeof(number) - p);
	memcpy(line + n, ")\n", 2);
	SYS3(write, 2, line, n + 2);
}

/* Memory that a child of the program has no use for. Zeroed; NULL when there is none. */
static void *take_pages(size_t len, int flags)
{
	long p = SYS6(mmap, NULL, len, PROT_READ | PROT_WRITE,
		      flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (sys_is_error(p))
		return NULL;
	SYS3(madvise, p, len, MADV_DONTFORK);
	return (void *)p;
}

/* With a page below it that nothing can touch. */
static uint8_t *take_stack(size_t len)
{
	uint8_t *p = take_pages(len + PAGE, MAP_PRIVATE);

	if (!p)
		return NULL;
	SYS3(mprotect, p, PAGE, PROT_NONE);
	return p + PAGE;
}

/* What cannot be had is given back with the program; this happens once. */
static struct engine *prepare(struct session *s, bool thread)
{
	struct engine *e = take_pages(sizeof(*e), MAP_PRIVATE);
	void *storage = take_pages(gpu_engine_size(), MAP_PRIVATE);
	struct gpu_engine_config config = {
		.ctrl = (struct gpu_ctrl *)s->base[WIRE_REGION_CTRL],
		.pt = (const struct gpu_pt_table *)s->base[WIRE_REGION_PT],
		.arena = s->base[WIRE_REGION_ARENA],
		.bar = s->base[WIRE_REGION_BAR],
		.ops = &engine_ops,
		.cookie = e,
	};

	if (!e || !storage)
		return NULL;
	e->ctrl = config.ctrl;
	e->bar = config.bar;
	e->traps = &s->traps;
	e->poke = s->poke;
	e->mem = &engine_mem_ops;
	e->session = s->id;
	e->token = s->token;
	e->sock = shim_env()->sock;
	e->fd = -1;
	e->uffd = -1;
	if (!thread) {
		e->stack = take_stack(ENGINE_STACK_BYTES);
		e->alt_stack = take_stack(ENGINE_ALT_BYTES);
	}
	if (gpu_engine_init(storage, &config, &e->gpu))
		return NULL;
	return e;
}

/* In the short-lived process between the program and the engine. */
static void step_between(void *engine)
{
	struct engine *e = engine;
	long r = engine_clone(CLONE_VM, e->stack + ENGINE_STACK_BYTES, engine_process_main, e);

	if (r < 0)
		atomic_store(&e->status, (int32_t)r);
	for (;;)
		SYS1(exit, 0);
}

static int wait_status(struct engine *e)
{
	struct __kernel_timespec t = { START_SECONDS, 0 };
	uint64_t until = sys_now_ns() + START_SECONDS * UINT64_C(1000000000);
	int32_t status;

	while ((status = atomic_load(&e->status)) == ENGINE_STARTING) {
		if (sys_now_ns() > until)
			return -ETIMEDOUT;
		sys_futex_wait(&e->status, ENGINE_STARTING, &t);
	}
	return status < 0 ? status : 0;
}

/* Return: 0; @ret_refused: the system does not let us make such a process. */
static int start_process(struct engine *e, bool *ret_refused)
{
	long pid;

	*ret_refused = true;
	if (!e->stack || !e->alt_stack)
		return -ENOMEM;
	pid = engine_clone(CLONE_VM | CLONE_VFORK, e->stack + STEP_STACK_BYTES, step_between, e);
	if (pid < 0)
		return (int)pid;
	while (SYS4(wait4, pid, NULL, __WALL, NULL) == -EINTR)
		;
	if (atomic_load(&e->status) < 0)
		return atomic_load(&e->status);
	*ret_refused = false;
	return wait_status(e);
}

static int start_thread(struct session *s, struct engine **ret_engine)
{
	struct engine *e = prepare(s, true);
	int r = e ? engine_thread_start(e) : -ENOMEM;

	*ret_engine = e;
	return r ? r : wait_status(e);
}

static int start(struct session *s)
{
	struct engine *e = NULL;
	bool refused = true;
	int r = 0;

	if (shim_env()->engine == ENV_ENGINE_PROCESS) {
		e = prepare(s, false);
		r = e ? start_process(e, &refused) : -ENOMEM;
		if (refused)
			say("vkfd: no engine process can be made here; it runs as a thread (errno ",
			    r);
	}
	if (refused)
		r = start_thread(s, &e);
	if (!r)
		atomic_store(&s->engine, e);
	return r;
}

void engine_ensure(struct session *s)
{
	uint64_t signals;
	int r = 0;

	if (atomic_load_explicit(&s->engine_tried, memory_order_acquire) ||
	    shim_env()->engine == ENV_ENGINE_NONE)
		return;
	shim_lock(&s->engine_lock, &signals);
	if (!atomic_load(&s->engine_tried)) {
		r = start(s);
		atomic_store_explicit(&s->engine_tried, true, memory_order_release);
	}
	shim_unlock(&s->engine_lock, &signals);
	if (r)
		say("vkfd: the engine did not start; queues will not run (errno ", r);
}

/* The entry of a mapping at the same place, else a free one; GPU_MAX_TRAPS when there is none. */
static unsigned int find_trap(struct gpu_ctrl *ctrl, uint64_t addr)
{
	unsigned int found = GPU_MAX_TRAPS;

	for (unsigned int i = 0; i < GPU_MAX_TRAPS; i++) {
		uint64_t at = atomic_load(&ctrl->trap[i].addr);

		if (at == addr)
			return i;
		if (!at && found == GPU_MAX_TRAPS)
			found = i;
	}
	return found;
}

void engine_trap(struct session *s, uint64_t addr, uint64_t len, uint64_t offset)
{
	struct gpu_ctrl *ctrl = (struct gpu_ctrl *)s->base[WIRE_REGION_CTRL];
	uint64_t signals;
	unsigned int i;

	shim_lock(&s->engine_lock, &signals);
	i = find_trap(ctrl, addr);
	if (i < GPU_MAX_TRAPS) {
		atomic_fetch_add(&s->traps.trap[i].generation, 1);
		atomic_store(&s->traps.trap[i].offset, offset);
		atomic_store(&ctrl->trap[i].len, len);
		atomic_store(&ctrl->trap[i].addr, addr);
	} else {
		atomic_store(&s->traps.lost, true);
	}
	shim_unlock(&s->engine_lock, &signals);
	/* Asleep, the engine has this page protected, and wakes. */
	atomic_fetch_add(&s->poke->seq, 1);
}
