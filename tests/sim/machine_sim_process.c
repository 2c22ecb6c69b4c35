/* SPDX-License-Identifier: MIT */
/**
 * DOC: The life of a process: regions, tasks, threads, death
 */
#include "machine_sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bitmap.h"
#include "machine_sim_priv.h"

#define PT_TABLES      UINT32_C(4096)
#define DESTROY_NS     (VKF_NSEC_PER_MSEC * 100)   /* the driver waits for nobody in it */
#define MUTE_NS        (VKF_NSEC_PER_MSEC * 10000) /* one that does not answer is given up by then */
#define MSIM_MAX_WAITS 8

/* ------------------------------------------------ what the driver asks of a process */

void msim_mark_pages(struct msim_process *p, uint64_t off, uint64_t len, bool gone)
{
	for (uint64_t page = off / VKF_PAGE_SIZE; page < (off + len) / VKF_PAGE_SIZE; page++) {
		if (gone)
			vkf_bit_set(p->gone, (unsigned int)page);
		else
			vkf_bit_clear(p->gone, (unsigned int)page);
	}
}

static void process_punch(void *cookie, uint64_t off, uint64_t len)
{
	struct msim_process *p = cookie;

	if (sim_region_punch(&p->regions[MSIM_ARENA], off, len))
		msim_fail(p->m, "pid %d: the driver gives back what the arena has not", p->pid);
	msim_mark_pages(p, off, len, true);
}

static void process_wake_engine(void *cookie)
{
	struct msim_process *p = cookie;

	if (p->engine_task)
		vkf_unpark(p->engine_task);
}

static void log_line(const char *line)
{
	msim_trace(the_msim, "log: %s", line);
}

static void irq_main(void *arg)
{
	struct msim_process *p = arg;
	struct gpu_ctrl *ctrl = p->regions[MSIM_CTRL].base;

	while (!p->closing) {
		uint32_t seen = atomic_load(&ctrl->irq_wptr);

		driver_interrupts(p->client, log_line);
		if (atomic_load(&ctrl->irq_wptr) == seen && !p->closing)
			vkf_park(VKF_FOREVER);
	}
}

/* Sends the signal that a call ordered for itself, if it still is in that call. */
static void signal_main(void *arg)
{
	struct msim_process *p = arg;

	while (!p->closing) {
		struct msim_thread *t = p->signal_to;

		if (!t) {
			vkf_park(VKF_FOREVER);
			continue;
		}
		vkf_sleep_ns(p->signal_delay, false);
		if (t->in_call && t->call_number == p->signal_call)
			msim_signal(t);
		if (t->call_number == p->signal_call && p->signal_storm) {
			p->signal_storm--;
			p->signal_delay = 20 + msim_random(p->m, 2 * p->signal_delay);
		} else {
			p->signal_to = NULL;
		}
	}
}

/* ------------------------------------------------ the life of a process */

static void create_region(struct msim_process *p, uint64_t size, struct sim_region *ret)
{
	if (sim_region_create(size, ret))
		msim_fail(p->m, "no memory for the regions of a process");
}

static void create_regions(struct msim_process *p)
{
	const struct machine_profile *profile = &p->m->profile;
	uint64_t arena = 0;

	for (unsigned int i = 0; i < profile->n_gpus; i++)
		arena += profile->gpus[i].vram;
	for (unsigned int i = 0; i < profile->n_sockets; i++)
		arena += profile->sockets[i].ram;
	arena = VKF_ALIGN_UP(2 * arena, VKF_GIB(1));
	create_region(p, sizeof(struct gpu_ctrl), &p->regions[MSIM_CTRL]);
	create_region(p, PT_TABLES * GPU_PT_TABLE_BYTES, &p->regions[MSIM_PT]);
	create_region(p, arena, &p->regions[MSIM_ARENA]);
	create_region(p, profile->n_gpus * GPU_BAR_STRIDE, &p->regions[MSIM_BAR]);
	create_region(p, MSIM_MAX_THREADS * MSIM_USER_BYTES, &p->user);
	p->gone = calloc(VKF_BITMAP_WORDS(arena / VKF_PAGE_SIZE), sizeof(uint64_t));
	if (!p->gone)
		msim_fail(p->m, "no memory");
}

/* Return: what the driver says. */
static int connect_client(struct msim_thread *t, const struct driver_client_config *config)
{
	struct msim_process *p = t->process;
	int r;

	msim_enter_mm(p->m);
	do {
		t->n_injected = 0;
		t->call = "its first call";
		r = driver_client_create(p->m->driver, config, &p->client);
		t->call = NULL;
	} while (r && t->n_injected);
	msim_leave_mm(p->m);
	return r;
}

static void create_client(struct msim_thread *t)
{
	struct msim_process *p = t->process;
	struct driver_client_config config = {
		.pid = p->pid,
		.comm = p->name,
		.regions = {
			.ctrl = p->regions[MSIM_CTRL].base,
			.pt = p->regions[MSIM_PT].base,
			.pt_tables = PT_TABLES,
			.arena_bytes = p->regions[MSIM_ARENA].size,
			.bar_bytes = p->regions[MSIM_BAR].size,
			.punch = process_punch,
			.wake_engine = process_wake_engine,
			.cookie = p,
		},
	};
	struct msim *m = p->m;
	int r = connect_client(t, &config);

	if (r)
		msim_fail(m, "pid %d: no client: %d", p->pid, r);
	if (sim_spawn(m->sim, "irq", irq_main, p, &p->irq_task) ||
	    sim_spawn(m->sim, "signals", signal_main, p, &p->signal_task))
		msim_fail(m, "no memory for a task");
}

static void close_files(struct msim_process *p)
{
	for (unsigned int i = 0; i < MSIM_MAX_FILES; i++) {
		if (p->files[i])
			driver_file_drop(p->files[i]);
		p->files[i] = NULL;
	}
}

static void stop_tasks(struct msim_process *p)
{
	p->closing = true;
	vkf_unpark(p->irq_task);
	vkf_join(p->irq_task);
	p->irq_task = NULL; /* an engine that still runs has nobody to wake */
	vkf_unpark(p->signal_task);
	vkf_join(p->signal_task);
}

static void free_process(struct msim_process *p)
{
	vkf_list_del(&p->link);
	for (unsigned int i = 0; i < MSIM_N_REGIONS; i++)
		sim_region_destroy(&p->regions[i]);
	sim_region_destroy(&p->user);
	free(p->gone);
	free(p->engine_storage);
	free(p->program);
	free(p);
}

/* A restore that is under way may wait for one that does not answer, and its process for it. */
static uint64_t may_take(const struct msim *m, uint64_t begun)
{
	return m->n_mute || m->last_mute >= begun ? DESTROY_NS + MSIM_MAX_WAITS * MUTE_NS
						  : DESTROY_NS;
}

/*
 * Nobody is left in it. The order is that of the daemon's sessions: the engine does not count any
 * more, tasks end, then the client goes. When descriptors are closed, and when the engine really
 * stops, is for the kernel to say: before or after.
 */
static void reap(struct msim_process *p)
{
	struct msim *m = p->m;
	uint64_t begun;

	if (msim_chance(m, 2))
		close_files(p);
	driver_client_gone(p->client);
	msim_set_mute(p, false);
	stop_tasks(p);
	if (msim_chance(m, 2))
		msim_end_engine(p);
	msim_enter_mm(m);
	begun = vkf_now_ns();
	driver_client_destroy(p->client);
	if (vkf_now_ns() - begun > may_take(m, begun))
		msim_fail(m, "pid %d: its end took %" PRIu64 " ns", p->pid, vkf_now_ns() - begun);
	msim_leave_mm(m);
	if (p->forgotten)
		p->forgotten(p);
	msim_end_engine(p);
	close_files(p);
	msim_trace(m, "pid %d is gone", p->pid);
	free_process(p);
}

static void thread_main(void *arg)
{
	struct msim_thread *t = arg;
	struct msim_process *p = t->process;

	t->task = vkf_current();
	if (!p->client)
		create_client(t);
	t->fn(t);
	t->task = NULL;
	if (--p->n_threads == 0)
		reap(p);
}

void msim_thread(struct msim_process *p, void (*fn)(struct msim_thread *t), void *arg)
{
	struct msim_thread *t = &p->threads[p->n_started];

	VKF_ASSERT(p->n_started < MSIM_MAX_THREADS);
	*t = (struct msim_thread){ .process = p, .fn = fn, .arg = arg };
	t->user = (unsigned char *)p->user.base + p->n_started * MSIM_USER_BYTES;
	snprintf(t->name, sizeof(t->name), "%.12s.%u", p->name, p->n_started);
	p->n_started++;
	p->n_threads++;
	if (sim_spawn(p->m->sim, t->name, thread_main, t, NULL))
		msim_fail(p->m, "no memory for a task");
}

void msim_start(struct msim *m, const char *name, void (*fn)(struct msim_thread *t), void *arg)
{
	struct msim_process *p = calloc(1, sizeof(*p));

	if (!p)
		msim_fail(m, "no memory");
	p->m = m;
	p->reset = m->resetting ? MSIM_MAYBE_RESET : MSIM_NOT_RESET;
	for (unsigned int i = 0; i < MSIM_MAX_SMI; i++)
		p->smi[i].fd = -1;
	p->pid = 1000 + (int32_t)m->n_processes++;
	snprintf(p->name, sizeof(p->name), "%s", name);
	create_regions(p);
	vkf_list_add_tail(&p->link, &m->processes);
	msim_thread(p, fn, arg);
}

void msim_set_mute(struct msim_process *p, bool mute)
{
	if (p->mute == mute)
		return;
	p->mute = mute;
	p->m->n_mute += mute ? 1u : -1u;
	p->m->last_mute = vkf_now_ns();
}

/* Those that msim_hold() keeps look again; to others it is a wake-up for no reason. */
static void wake_all(struct msim_process *p)
{
	if (p->engine_task)
		vkf_unpark(p->engine_task);
	for (unsigned int i = 0; i < p->n_started; i++) {
		if (p->threads[i].task)
			vkf_unpark(p->threads[i].task);
	}
}

bool msim_engine_is_lost(const struct msim_process *p)
{
	const struct gpu_ctrl *ctrl = p->regions[MSIM_CTRL].base;

	return !p->closing && atomic_load(&ctrl->quit);
}

/* struct waker - SIGCONT */
struct waker {
	struct msim *m;
	int32_t pid;
	uint64_t at;
};

static struct msim_process *find_process(struct msim *m, int32_t pid)
{
	struct msim_process *p;

	vkf_list_for_each(p, &m->processes, link) {
		if (p->pid == pid)
			return p;
	}
	return NULL;
}

int msim_sigbus(int32_t pid)
{
	struct msim_process *p = find_process(the_msim, pid);

	if (p)
		p->n_sigbus++;
	return 0;
}

static void waker_main(void *arg)
{
	struct waker *w = arg;
	struct msim_process *p;

	while (vkf_now_ns() < w->at)
		vkf_park(w->at);
	p = find_process(w->m, w->pid);
	if (p && !p->dying && vkf_now_ns() >= p->stopped_until)
		msim_set_mute(p, false);
	if (p)
		wake_all(p);
	free(w);
}

void msim_stop(struct msim_process *p, uint64_t ns)
{
	struct waker *w = malloc(sizeof(*w));

	if (!w)
		msim_fail(p->m, "no memory");
	*w = (struct waker){ p->m, p->pid, vkf_now_ns() + ns };
	msim_trace(p->m, "pid %d is stopped for %" PRIu64 " ns", p->pid, ns);
	p->m->n.stops++;
	p->n_stops++;
	p->stopped_until = VKF_MAX(p->stopped_until, w->at);
	msim_set_mute(p, true);
	if (sim_spawn(p->m->sim, "waker", waker_main, w, NULL))
		msim_fail(p->m, "no memory for a task");
}

void msim_hold(struct msim_process *p)
{
	while (vkf_now_ns() < p->stopped_until && !p->dying)
		vkf_park(p->stopped_until);
}

void msim_reset_gpu(struct msim *m, unsigned int gpu)
{
	uint64_t ticket = ++m->n.resets;
	struct msim_process *p;

	msim_trace(m, "GPU %u is reset", gpu);
	vkf_list_for_each(p, &m->processes, link) {
		if (p->client)
			p->reset_ticket = ticket;
		if (p->reset == MSIM_NOT_RESET)
			p->reset = MSIM_MAYBE_RESET;
	}
	m->resetting++;
	if (driver_reset_gpu(m->driver, gpu))
		msim_fail(m, "GPU %u cannot be reset", gpu);
	m->resetting--;
	vkf_list_for_each(p, &m->processes, link) {
		if (p->reset_ticket == ticket)
			p->reset = MSIM_RESET;
	}
	msim_trace(m, "GPU %u was reset", gpu);
}

void msim_kill(struct msim_process *p)
{
	if (p->dying)
		return;
	msim_trace(p->m, "pid %d is killed", p->pid);
	p->m->n.deaths++;
	p->dying = true;
	/* Half of the engines die with it, somewhere in the middle; others find out by and by. */
	if (msim_chance(p->m, 2))
		p->grace = 1 + (unsigned int)msim_random(p->m, 20);
	/* The driver hears of it at once; or late, when calls under way have waited in vain. */
	msim_set_mute(p, msim_chance(p->m, 8));
	if (!p->mute)
		driver_client_gone(p->client);
	p->stopped_until = 0;
	wake_all(p);
	for (unsigned int i = 0; i < p->n_started; i++) {
		if (p->threads[i].in_call)
			msim_signal(&p->threads[i]);
	}
}

/* struct killer - a kill that comes from outside */
struct killer {
	struct msim *m;
	int32_t pid;
	uint64_t delay_ns;
};

static void killer_main(void *arg)
{
	struct killer *k = arg;
	struct msim_process *p;

	vkf_sleep_ns(k->delay_ns, false);
	p = find_process(k->m, k->pid);
	if (p && p->n_threads && p->client)
		msim_kill(p);
	free(k);
}

void msim_kill_later(struct msim_process *p, uint64_t delay_ns)
{
	struct killer *k = malloc(sizeof(*k));

	if (!k)
		msim_fail(p->m, "no memory");
	*k = (struct killer){ p->m, p->pid, delay_ns };
	if (sim_spawn(p->m->sim, "killer", killer_main, k, NULL))
		msim_fail(p->m, "no memory for a task");
}
