/* SPDX-License-Identifier: MIT */
/**
 * DOC: A program that does anything
 *
 * One table of things that a program may do next, with how often.
 */
#include "sim_random.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_PROCESSES 12 /* of one run */
#define N_FIRST       8  /* buffers that a program under pressure begins with */

/* ------------------------------------------------ the model of the whole process */

struct found_stat {
	int32_t pid;
	bool found;
	struct driver_client_stat stat;
};

static void find_stat(void *cookie, const struct driver_client_stat *stat)
{
	struct found_stat *f = cookie;

	if (stat->pid != f->pid)
		return;
	f->found = true;
	f->stat = *stat;
}

/* What vkfd status would say, where no other thread is changing it. */
static void check_stat(struct prog *pr)
{
	struct found_stat f = { .pid = pr->p->pid };
	const struct prog_shared *s = pr->s;

	if (pr->p->n_started > 1 || pr->p->dying)
		return;
	driver_for_each_client(pr->m->driver, find_stat, &f);
	if (!f.found || f.stat.kfd.n_queues != s->n_queues || f.stat.kfd.n_events != s->n_events ||
	    f.stat.kfd.n_buffers != s->n_buffers)
		msim_fail(pr->m, "%s: %u queues, %u events, %u buffers; has %u, %u, %u",
			  pr->t->name, f.stat.kfd.n_queues, f.stat.kfd.n_events,
			  f.stat.kfd.n_buffers, s->n_queues, s->n_events, s->n_buffers);
	for (unsigned int i = 0; i < pr->m->profile.n_gpus; i++) {
		if (f.stat.kfd.vram[i] != s->vram[i])
			msim_fail(pr->m, "%s: %" PRIu64 " bytes of VRAM on %u, has %" PRIu64,
				  pr->t->name, f.stat.kfd.vram[i], i, s->vram[i]);
	}
}

/* ------------------------------------------------ the program */

static const struct action {
	const char *name;
	unsigned int weight;
	void (*fn)(struct prog *pr);
} actions[] = {
	{ "alloc", 14, prog_do_alloc },
	{ "map", 14, prog_do_map },
	{ "unmap", 5, prog_do_unmap },
	{ "free", 5, prog_do_free },
	{ "fill", 3, prog_do_fill },
	{ "verify", 4, prog_do_verify },
	{ "share", 3, prog_do_share },
	{ "available", 2, prog_do_available },
	{ "queue create", 5, prog_do_queue_create },
	{ "queue destroy", 3, prog_do_queue_destroy },
	{ "queue stop", 2, prog_do_queue_stop },
	{ "queue update", 3, prog_do_queue_update },
	{ "GWS", 1, prog_do_gws },
	{ "CU mask", 1, prog_do_cu_mask },
	{ "copy", 12, prog_do_copy },
	{ "batch", 14, prog_do_batch },
	{ "barrier", 5, prog_do_barrier },
	{ "land", 6, prog_do_land },
	{ "hold", 3, prog_do_hold },
	{ "event create", 3, prog_do_event_create },
	{ "event change", 4, prog_do_event_change },
	{ "wait", 4, prog_do_wait },
	{ "sleep", 3, prog_do_sleep },
	{ "clock", 1, prog_do_clock },
	{ "SMI", 3, prog_do_smi },
	{ "mistake", 3, prog_do_mistake },
}, faults[] = {
	{ "VM fault", 1, prog_do_vm_fault },
	{ "bad packet", 1, prog_do_bad_packet },
	{ "unmap under copy", 4, prog_do_unmap_under_copy },
	{ "page gone", 5, prog_do_page_gone },
	{ "stop", 4, prog_do_stop },
	{ "poison", 1, prog_do_poison },
	{ "reset", 2, prog_do_reset },
};

static const struct action *choose(struct prog *pr, const struct action *table, unsigned int n)
{
	unsigned int sum = 0, at;

	for (unsigned int i = 0; i < n; i++)
		sum += table[i].weight;
	at = (unsigned int)prog_dice(pr, sum);
	while (at >= table->weight)
		at -= (table++)->weight;
	return table;
}

static void step(struct prog *pr, const struct prog_config *config)
{
	const struct action *a;

	if (prog_once_in(pr, config->fault_odds))
		a = choose(pr, faults, VKF_ARRAY_SIZE(faults));
	else
		a = choose(pr, actions, VKF_ARRAY_SIZE(actions));
	msim_trace(pr->m, "%s", a->name);
	a->fn(pr);
	msim_step(pr->t);
	prog_check_lost(pr);
	if (prog_once_in(pr, 4))
		check_stat(pr);
	if (prog_once_in(pr, config->death_odds))
		msim_kill_later(pr->p, prog_dice(pr, UINT64_C(1) << prog_dice(pr, 36)));
}

/* A bug that a test plants: a byte of some buffer changes behind everybody's back. */
static void plant(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_known);

	if (b)
		b->cpu[b->content.at + prog_dice(pr, b->content.len)] ^= 1;
}

static void verify_all(struct prog *pr)
{
	prog_land_all(pr);
	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		if (pr->bufs[i].live && prog_is_idle(&pr->bufs[i]))
			prog_verify(pr, &pr->bufs[i]);
	}
}

/* Those that begin after a reset, or after others have gone, find all as new. */
static void begin_again(struct prog *pr)
{
	if (prog_is_lost(pr) && pr->m->n_processes < MAX_PROCESSES && prog_once_in(pr, 2))
		msim_start(pr->m, "again", prog_main, pr->t->arg);
}

void prog_main(struct msim_thread *t)
{
	const struct prog_config *config = t->arg;
	struct msim_process *p = t->process;
	struct prog *pr = calloc(1, sizeof(*pr));
	bool first = !p->program;

	if (!pr)
		msim_fail(p->m, "no memory");
	if (first)
		prog_share(p);
	prog_begin(pr, t);
	for (unsigned int i = 1; first && i < config->n_threads; i++)
		msim_thread(p, prog_main, t->arg);
	for (unsigned int i = 0; config->pressure && i < N_FIRST && !p->dying; i++) {
		prog_do_alloc(pr);
		prog_do_map(pr);
	}
	for (unsigned int i = 0; i < config->n_steps && !p->dying; i++) {
		if (config->plant_step && i >= config->plant_step)
			plant(pr);
		step(pr, config);
	}
	if (!p->dying)
		verify_all(pr);
	if (first)
		begin_again(pr);
	/* Most clean up; the others leave it to the driver. */
	if (!prog_once_in(pr, 3))
		prog_end(pr);
	if (!p->dying)
		check_stat(pr);
	for (unsigned int i = 0; i < PROG_FLIGHTS; i++)
		prog_batch_free(pr->flights[i].batch);
	for (unsigned int i = 0; i < PROG_BUFS; i++)
		prog_forget(&pr->bufs[i]);
	free(pr);
}
