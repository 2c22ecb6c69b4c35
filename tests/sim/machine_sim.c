/* SPDX-License-Identifier: MIT */
#include "machine_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "mm/client.h"
#include "machine_sim_priv.h"

#define TRACE_LINES   50
#define RESTORE_LOOKS 8 /* one restore in so many is followed by a look at page tables */
#define MACHINE_FILE  16384
#define NAP_NS        UINT64_C(1000)
#define LONG_NAP_NS   UINT64_C(1000000)
#define SECOND_NS     UINT64_C(1000000000)

struct msim *the_msim;

/* ------------------------------------------------ what went wrong */

void msim_replay_command(char *out, size_t len, uint64_t seed)
{
	char program[512];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n < 0 ? 0 : n] = '\0';
	snprintf(out, len, "VKFD_SIM_SEED=%" PRIu64 " %s", seed, program);
}

static void print_thread(const struct msim *m, const struct msim_thread *t)
{
	uint64_t now = vkf_now_ns();

	fprintf(stderr, "  pid %d %s%s: ", t->process->pid, t->name,
		t->process->dying ? " (killed)" : "");
	if (t->call)
		fprintf(stderr, "in %s for %" PRIu64 " ns\n", t->call, now - t->call_since);
	else
		fprintf(stderr, "in no call\n");
}

static void print_threads(const struct msim *m)
{
	const struct msim_process *p;

	vkf_list_for_each(p, &m->processes, link) {
		for (unsigned int i = 0; i < p->n_started; i++)
			print_thread(m, &p->threads[i]);
	}
}

/* The last lines that programs wrote, without the scheduler's choices between them. */
static void print_trace_tail(const char *trace)
{
	const char *at = trace + strlen(trace);
	unsigned int n = 0;

	while (at > trace && n < TRACE_LINES) {
		at--;
		n += *at == '\n' && strncmp(at, "\n\n", 2) != 0;
	}
	while (*at) {
		size_t len = strcspn(at, "\n");

		if (memchr(at, ' ', len))
			fprintf(stderr, "  %.*s\n", (int)len, at);
		at += len + (at[len] == '\n');
	}
}

static void write_trace(const char *trace)
{
	const char *path = getenv("VKFD_SIM_TRACE");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fputs(trace, f);
	fclose(f);
}

void msim_fail(struct msim *m, const char *fmt, ...)
{
	const char *trace = sim_trace_text(m->sim);
	char replay[600];
	va_list ap;

	fprintf(stderr, "seed %" PRIu64 ": ", m->config.seed);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nat %" PRIu64 " ns, step %" PRIu64 "; threads:\n", vkf_now_ns(),
		sim_steps(m->sim));
	print_threads(m);
	fprintf(stderr, "the trace ends (VKFD_SIM_TRACE=<file> writes all of it; with "
			"VKFD_SIM_EVENTS=1 the driver's own events, too):\n");
	print_trace_tail(trace);
	write_trace(trace);
	msim_replay_command(replay, sizeof(replay), m->config.seed);
	fprintf(stderr, "replay: %s\n", replay);
	fflush(NULL);
	_exit(1);
}

static void on_panic(const char *file, int line, const char *what)
{
	if (the_msim)
		msim_fail(the_msim, "panic at %s:%d: %s", file, line, what);
	fprintf(stderr, "panic at %s:%d: %s\n", file, line, what);
}

/* ------------------------------------------------ memory and faults */

static struct msim_thread *current_thread(struct msim *m)
{
	struct vkf_task *task = vkf_current();
	struct msim_process *p;

	vkf_list_for_each(p, &m->processes, link) {
		for (unsigned int i = 0; i < p->n_started; i++) {
			if (p->threads[i].task == task)
				return &p->threads[i];
		}
	}
	return NULL;
}

/* A restore that fails is tried again. Now and then for seconds, but not for ever. */
static bool inject_in_restore(struct msim *m)
{
	bool storms = vkf_now_ns() < m->restore_storm;

	if (!msim_chance(m, storms ? 3 : m->config.restore_odds))
		return false;
	if (!storms && msim_chance(m, 8))
		m->restore_storm = vkf_now_ns() + msim_random(m, 2 * SECOND_NS);
	m->n.refused++;
	return true;
}

/* Whether to fail here: only in calls of threads, who know how to go on, and in restores. */
static bool inject(unsigned int odds)
{
	struct msim *m = the_msim;
	struct msim_thread *t;

	if (m && m->config.restore_odds && m->restoring == vkf_current())
		return inject_in_restore(m);
	if (!m || !msim_chance(m, odds))
		return false;
	t = current_thread(m);
	if (!t || !t->call)
		return false;
	t->n_injected++;
	m->n.refused++;
	return true;
}

static void *msim_zalloc(size_t size)
{
	void *p;

	if (the_msim && inject(the_msim->config.alloc_odds)) {
		msim_trace(the_msim, "no %zu bytes", size);
		return NULL;
	}
	p = calloc(1, size);
	if (p && the_msim)
		the_msim->n_live++;
	return p;
}

static void msim_free(void *p)
{
	if (the_msim)
		the_msim->n_live--;
	free(p);
}

static int msim_fault(const char *point, uint64_t arg)
{
	if (!the_msim || !inject(the_msim->config.fault_odds))
		return 0;
	msim_trace(the_msim, "fault at %s, %" PRIu64, point, arg);
	return msim_chance(the_msim, 2) ? EIO : ENOMEM;
}

static const struct vkf_env_ops env_ops = {
	.zalloc = msim_zalloc,
	.free = msim_free,
	.fault = msim_fault,
};

/* ------------------------------------------------ the machine */

static void load_profile(struct msim *m)
{
	char path[512], text[MACHINE_FILE], err[256] = "";
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.json", MACHINES_DIR, m->config.machine);
	f = fopen(path, "r");
	if (!f)
		msim_fail(m, "%s: %s", path, strerror(errno));
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (machine_profile_load(text, len, m->config.sets, m->config.n_sets, &m->profile, err,
				 sizeof(err)))
		msim_fail(m, "%s: %s", path, err);
}

void msim_create(struct msim *m, const struct msim_config *config)
{
	*m = (struct msim){ .config = *config };
	vkf_list_init(&m->processes);
	vkf_panic_hook = on_panic;
	m->sim = sim_create(config->seed);
	sim_install(m->sim);
	sim_limit_steps(m->sim, config->max_steps);
	if (getenv("VKFD_SIM_EVENTS"))
		sim_trace_events(m->sim, true);
	the_msim = m;
	vkf_env_set(&env_ops);
	load_profile(m);
	msim_vram_create(m);
	if (driver_create(&m->profile, &m->driver))
		msim_fail(m, "no driver");
	driver_usage(m->driver, &m->start);
	mm_system_usage(machine_system(driver_machine(m->driver)), &m->start_system);
}

static void check_is_as_at_start(struct msim *m)
{
	struct mm_system_usage system;
	struct machine_usage now;

	if (driver_n_clients(m->driver) || driver_n_files(m->driver))
		msim_fail(m, "%u clients and %u files are left", driver_n_clients(m->driver),
			  driver_n_files(m->driver));
	driver_usage(m->driver, &now);
	for (unsigned int i = 0; i < m->profile.n_gpus; i++) {
		if (now.vram_used[i] != m->start.vram_used[i] ||
		    now.visible_used[i] != m->start.visible_used[i] ||
		    now.gtt_used[i] != m->start.gtt_used[i])
			msim_fail(m,
				  "GPU %u: %" PRIu64 " bytes of VRAM and %" PRIu64
				  " of GTT are left",
				  i, now.vram_used[i] - m->start.vram_used[i],
				  now.gtt_used[i] - m->start.gtt_used[i]);
	}
	mm_system_usage(machine_system(driver_machine(m->driver)), &system);
	if (memcmp(&system, &m->start_system, sizeof(system)))
		msim_fail(m, "%" PRIu64 " bytes of system memory are left",
			  system.system_used - m->start_system.system_used);
}

void msim_run(struct msim *m)
{
	struct kfd_eviction_stat evictions;
	int r = sim_run(m->sim);

	if (r)
		msim_fail(m, "%s", sim_report(m->sim));
	msim_check(m);
	check_is_as_at_start(m);
	driver_evictions(m->driver, &evictions);
	m->n.evicted = evictions.n_evicted;
	m->n.restored = evictions.n_restored;
	m->n.not_restored = evictions.n_failed;
	driver_destroy(m->driver);
	m->driver = NULL;
	if (m->n_live)
		msim_fail(m, "%" PRIu64 " allocations are left", m->n_live);
}

void msim_destroy(struct msim *m)
{
	the_msim = NULL;
	vkf_env_set(NULL);
	msim_vram_destroy(m);
	sim_destroy(m->sim);
}

/* ------------------------------------------------ checks */

/* Until *@flag is off; whoever waits for the same may wait for one that does not answer. */
static void wait_off(const bool *flag)
{
	for (uint64_t ns = NAP_NS; *flag; ns = VKF_MIN(2 * ns, LONG_NAP_NS))
		vkf_sleep_ns(ns, false);
}

void msim_enter_mm(struct msim *m)
{
	wait_off(&m->checking);
	m->n_inside++;
}

void msim_leave_mm(struct msim *m)
{
	m->n_inside--;
}

/* What a task of the driver does in mm, outside of any call. A call that a check waits for may wait
 * for this, so it is kept out only while the check looks. */
static void enter_mm_from_driver(struct msim *m)
{
	wait_off(&m->looking);
	m->n_inside++;
}

int __real_mm_client_create(struct mm_system *system, const struct mm_client_config *config,
			    struct mm_client **ret_client);
int __wrap_mm_client_create(struct mm_system *system, const struct mm_client_config *config,
			    struct mm_client **ret_client);
int __wrap_mm_client_create(struct mm_system *system, const struct mm_client_config *config,
			    struct mm_client **ret_client)
{
	int r = __real_mm_client_create(system, config, ret_client);
	struct msim_process *p;

	vkf_list_for_each(p, &the_msim->processes, link) {
		if (!r && config->pt_base == p->regions[MSIM_PT].base)
			p->mm = *ret_client;
	}
	return r;
}

int __real_mm_client_restore(struct mm_client *client);
int __wrap_mm_client_restore(struct mm_client *client);
int __wrap_mm_client_restore(struct mm_client *client)
{
	int r;

	enter_mm_from_driver(the_msim);
	the_msim->restoring = vkf_current();
	r = __real_mm_client_restore(client);
	the_msim->restoring = NULL;
	if (!r && the_msim->config.check_odds && msim_chance(the_msim, RESTORE_LOOKS))
		msim_check_vram(the_msim, client);
	msim_leave_mm(the_msim);
	return r;
}

void __real_mm_client_evicted(struct mm_client *client);
void __wrap_mm_client_evicted(struct mm_client *client);
void __wrap_mm_client_evicted(struct mm_client *client)
{
	enter_mm_from_driver(the_msim);
	__real_mm_client_evicted(client);
	msim_leave_mm(the_msim);
}

static void check_now(struct msim *m)
{
	char why[256] = "";

	m->checking = m->looking = true;
	if (mm_check(machine_system(driver_machine(m->driver)), why, sizeof(why)))
		msim_fail(m, "mm_check: %s", why);
	msim_check_vram(m, NULL);
	m->checking = m->looking = false;
	m->n.checks++;
}

void msim_check(struct msim *m)
{
	wait_off(&m->checking);
	m->checking = true;
	for (uint64_t ns = NAP_NS; m->n_inside; ns = VKF_MIN(ns + ns / 8, SECOND_NS))
		vkf_sleep_ns(ns, false);
	check_now(m);
}

void msim_step(struct msim_thread *t)
{
	struct msim *m = t->process->m;

	vkf_point("step");
	if (msim_chance(m, m->config.check_odds))
		msim_check(m);
	else if (!m->n_inside && !m->checking && msim_chance(m, m->config.check_odds / 2))
		check_now(m);
}
