/* SPDX-License-Identifier: MIT */
/**
 * DOC: A process is killed at every point of every call
 *
 * A call is made once, and its scheduling points are counted: where it takes or leaves a
 * lock, sleeps, copies, lets others run. Then it is made again and again, and at point
 * 1, 2, 3 ... the process is killed, alone or while another thread of it is in a call,
 * too. Each time all that it had must be given back (msim_run() compares), the survivor
 * beside it must not notice, and the driver must not wait for the dead.
 *
 * VKFD_SIM_SEED=n, as a failure prints it, makes one of these runs again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim_calls.h"

#define MAX_STEPS                UINT64_C(2000000)
#define MAX_POINTS               4000 /* of one call */
#define IN_VAIN                  4
#define COMPANY_NS               10000 /* between two calls of the other thread */
#define SEED(scene, company, at) (((uint64_t)(scene)*2 + (company)) * MAX_POINTS + (at))

/* struct scene - a call, and what comes before it; @call NULL: the first calls of a process */
struct scene {
	const char *name;
	void (*before)(struct prog *pr);
	void (*call)(struct prog *pr);
	unsigned int least; /* points that it has at least, or the sweep sweeps nothing */
};

struct sweep {
	const struct scene *scene;
	bool company;       /* another thread is in calls meanwhile */
	unsigned int at, n; /* the point to be killed at; and how many there were so far */
	struct msim_thread *victim;
	bool armed, dead, over; /* points are counted; it was killed; the call has returned */
};

/* ------------------------------------------------ scenes */

static void nothing(struct prog *pr)
{
	(void)pr;
}

static void one_buffer(struct prog *pr, enum prog_kind kind)
{
	if (kind == PROG_USER)
		pr->bufs[0].cpu = prog_user_memory(pr, &pr->bufs[0]);
	prog_alloc(pr, &pr->bufs[0], kind, 0, VKF_MIB(1), F_WRITABLE);
}

static void alloc_vram(struct prog *pr)
{
	one_buffer(pr, PROG_VRAM);
}

static void alloc_gtt(struct prog *pr)
{
	one_buffer(pr, PROG_GTT);
}

static void alloc_user(struct prog *pr)
{
	one_buffer(pr, PROG_USER);
}

static void alloc_aql(struct prog *pr)
{
	prog_alloc(pr, &pr->bufs[0], PROG_VRAM, 0, VKF_MIB(1), F_WRITABLE | F_AQL);
}

static void map_all(struct prog *pr)
{
	prog_map(pr, &pr->bufs[0], (1u << pr->m->profile.n_gpus) - 1);
}

static void unmap_all(struct prog *pr)
{
	prog_unmap(pr, &pr->bufs[0], (1u << pr->m->profile.n_gpus) - 1);
}

static void free_it(struct prog *pr)
{
	prog_free(pr, &pr->bufs[0]);
}

static void alloc_and_map(struct prog *pr)
{
	alloc_vram(pr);
	map_all(pr);
}

static void aql_and_map(struct prog *pr)
{
	alloc_aql(pr);
	map_all(pr);
}

static void create_sdma(struct prog *pr)
{
	prog_queue_create(pr, &pr->queues[0], KFD_IOC_QUEUE_TYPE_SDMA, 0);
}

static void create_aql(struct prog *pr)
{
	prog_queue_create(pr, &pr->queues[0], KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 1);
}

/* A queue that is in the midst of a copy. */
static void copying_queue(struct prog *pr)
{
	for (unsigned int i = 0; i < 2; i++) {
		prog_alloc(pr, &pr->bufs[i], PROG_VRAM, i, VKF_MIB(4), F_WRITABLE | F_PUBLIC);
		prog_map(pr, &pr->bufs[i], 3);
	}
	create_sdma(pr);
	prog_copy(pr, &pr->queues[0], &pr->bufs[1], &pr->bufs[0], VKF_MIB(4));
}

static void copying_queue_and_buffer(struct prog *pr)
{
	copying_queue(pr);
	prog_alloc(pr, &pr->bufs[2], PROG_VRAM, 1, VKF_MIB(4), F_WRITABLE);
}

static void map_third(struct prog *pr)
{
	prog_map(pr, &pr->bufs[2], 3);
}

static void destroy_queue(struct prog *pr)
{
	prog_queue_destroy(pr, &pr->queues[0]);
}

static void stop_queue(struct prog *pr)
{
	struct kfd_ioctl_update_queue_args args = {
		.queue_id = pr->queues[0].id,
		.ring_base_address = pr->queues[0].ring->va,
		.ring_size = pr->queues[0].ring_bytes,
	};

	msim_ioctl(pr->t, pr->s->kfd, K_UPDATE_QUEUE, &args);
}

static void create_event(struct prog *pr)
{
	prog_event_create(pr, KFD_IOC_EVENT_SIGNAL, true, &pr->events[0].id);
}

static void wait_a_while(struct prog *pr)
{
	uint32_t result;

	prog_wait(pr, &pr->done_event, 1, false, 20, &result);
}

static void set_event(struct prog *pr)
{
	prog_event_call(pr, K_SET_EVENT, pr->done_event);
}

static void open_and_close(struct prog *pr)
{
	msim_close(pr->t, msim_open(pr->t, MACHINE_KFD_MAJOR, 0));
}

static void ask_for_memory(struct prog *pr)
{
	struct kfd_ioctl_get_available_memory_args args = { .gpu_id = prog_gpu_id(pr, 0) };

	msim_ioctl(pr->t, pr->s->kfd, K_AVAILABLE, &args);
}

static const struct scene scenes[] = {
	{ "opening, ACQUIRE_VM and all that a program begins with", NULL, NULL, 100 },
	{ "alloc of VRAM", nothing, alloc_vram, 5 },
	{ "alloc of GTT", nothing, alloc_gtt, 5 },
	{ "alloc of user memory", nothing, alloc_user, 5 },
	{ "alloc of an AQL buffer", nothing, alloc_aql, 5 },
	{ "free", alloc_vram, free_it, 5 },
	{ "map to all GPUs", alloc_vram, map_all, 20 },
	{ "map of user memory", alloc_user, map_all, 20 },
	{ "map of an AQL buffer", alloc_aql, map_all, 20 },
	{ "map under a copy", copying_queue_and_buffer, map_third, 20 },
	{ "unmap from all GPUs", alloc_and_map, unmap_all, 20 },
	{ "unmap of an AQL buffer", aql_and_map, unmap_all, 20 },
	{ "unmap under a copy", copying_queue, unmap_all, 20 },
	{ "creation of an SDMA queue", nothing, create_sdma, 20 },
	{ "creation of an AQL queue", nothing, create_aql, 20 },
	{ "destruction of a queue", create_sdma, destroy_queue, 5 },
	{ "destruction of a queue in a copy", copying_queue, destroy_queue, 5 },
	{ "stopping a queue in a copy", copying_queue, stop_queue, 5 },
	{ "creation of an event", nothing, create_event, 3 },
	{ "wait for an event", nothing, wait_a_while, 3 },
	{ "setting an event", nothing, set_event, 3 },
	{ "open and close", nothing, open_and_close, 3 },
	{ "AVAILABLE_MEMORY", nothing, ask_for_memory, 3 },
};

/* ------------------------------------------------ one run */

static void at_point(void *cookie)
{
	struct sweep *s = cookie;

	if (!s->armed || vkf_current() != s->victim->task || s->n++ != s->at)
		return;
	s->dead = true;
	msim_kill(s->victim->process);
}

/* Maps and unmaps as long as the victim is in its call. */
static void companion(struct msim_thread *t)
{
	const struct prog_shared *shared = t->process->program;
	struct sweep *s = t->arg;
	struct prog pr;

	while (!shared->ready && !t->process->dying)
		vkf_relax();
	if (t->process->dying)
		return;
	prog_begin(&pr, t);
	prog_alloc(&pr, &pr.bufs[0], PROG_GTT, 1, VKF_MIB(2), F_WRITABLE);
	while (pr.bufs[0].live && !t->process->dying && !s->over) {
		map_all(&pr);
		unmap_all(&pr);
		vkf_sleep_ns(msim_random(t->process->m, 2 * COMPANY_NS), false);
	}
	prog_end(&pr);
}

static void victim(struct msim_thread *t)
{
	struct sweep *s = t->arg;
	struct prog pr;

	s->victim = t;
	prog_share(t->process);
	if (s->company)
		msim_thread(t->process, companion, s);
	/* The first calls of a process are a scene of their own. */
	s->armed = !s->scene->call;
	prog_begin(&pr, t);
	if (s->scene->call) {
		s->scene->before(&pr);
		s->armed = true;
		s->scene->call(&pr);
	}
	s->armed = false;
	s->over = true;
	prog_end(&pr);
}

/* Somebody else, whose memory is not to be touched, and who ends last. */
static void bystander(struct msim_thread *t)
{
	struct sweep *s = t->arg;
	struct prog pr;

	prog_share(t->process);
	prog_begin(&pr, t);
	prog_alloc(&pr, &pr.bufs[0], PROG_VRAM, 0, VKF_MIB(1), F_WRITABLE | F_PUBLIC);
	prog_map(&pr, &pr.bufs[0], 3);
	prog_fill_range(&pr, &pr.bufs[0], 0, VKF_MIB(1));
	while (!s->victim || driver_n_clients(t->process->m->driver) > 1)
		vkf_sleep_ns(VKF_NSEC_PER_MSEC, false);
	prog_verify(&pr, &pr.bufs[0]);
	prog_end(&pr);
}

/* Return: whether it died, which it does not when the call has fewer points than @at. */
static bool run(unsigned int scene, bool company, unsigned int at)
{
	static const char *const sets[] = { "gpu.vram=64MiB", "socket.ram=1GiB" };
	struct msim_config config = {
		.seed = SEED(scene, company, at),
		.machine = "mi210x2",
		.sets = sets,
		.n_sets = VKF_ARRAY_SIZE(sets),
		.max_steps = MAX_STEPS,
	};
	struct sweep s = { .scene = &scenes[scene], .company = company, .at = at };
	struct msim m;

	msim_create(&m, &config);
	sim_on_point(m.sim, at_point, &s);
	msim_start(&m, "bystander", bystander, &s);
	msim_start(&m, "victim", victim, &s);
	msim_run(&m);
	if (m.n.deaths != s.dead)
		msim_fail(&m, "%s: %" PRIu64 " deaths", s.scene->name, m.n.deaths);
	msim_destroy(&m);
	return s.dead;
}

/* ------------------------------------------------ the sweep */

/* Point after point, until there are no more. How many differs a little from run to run, so it ends
 * when several in a row came to nothing. Return: how often somebody died. */
static unsigned int sweep(unsigned int scene, bool company)
{
	unsigned int deaths = 0, in_vain = 0;

	for (unsigned int at = 0; at < MAX_POINTS && in_vain < IN_VAIN; at++) {
		if (run(scene, company, at)) {
			deaths++;
			in_vain = 0;
		} else {
			in_vain++;
		}
	}
	return deaths;
}

static void sweep_all(bool company)
{
	unsigned int total = 0;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(scenes); i++) {
		unsigned int deaths = sweep(i, company);

		print_message("%5u points: %s\n", deaths, scenes[i].name);
		/* Fewer, and it sweeps nothing; as many as this, and it did not come to the end. */
		assert_in_range(deaths, scenes[i].least, MAX_POINTS - 1);
		total += deaths;
	}
	print_message("%5u deaths\n", total);
}

static void whoever_dies_in_a_call_leaves_nothing(void **state)
{
	sweep_all(false);
}

static void whoever_dies_with_another_thread_in_a_call_leaves_nothing(void **state)
{
	sweep_all(true);
}

static int replay(uint64_t seed)
{
	unsigned int scene = (unsigned int)(seed / 2 / MAX_POINTS);

	if (scene >= VKF_ARRAY_SIZE(scenes))
		return 1;
	printf("%s: %s\n", scenes[scene].name,
	       run(scene, seed / MAX_POINTS % 2, (unsigned int)(seed % MAX_POINTS)) ? "died"
										    : "lived");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_dies_in_a_call_leaves_nothing),
		cmocka_unit_test(whoever_dies_with_another_thread_in_a_call_leaves_nothing),
	};

	if (getenv("VKFD_SIM_SEED"))
		return replay(strtoull(getenv("VKFD_SIM_SEED"), NULL, 0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
