/* SPDX-License-Identifier: MIT */
/**
 * DOC: What a random program does with queues
 */
#include "sim_random.h"

void prog_do_queue_create(struct prog *pr)
{
	static const uint32_t types[] = { PROG_SDMA, PROG_SDMA, PROG_SDMA, PROG_AQL, PROG_PM4 };

	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		unsigned int gpu = prog_random_gpu(pr);

		if (pr->queues[i].live || !prog_gpu_runs(pr, gpu))
			continue;
		prog_queue_create(pr, &pr->queues[i], types[prog_dice(pr, VKF_ARRAY_SIZE(types))],
				  gpu);
		return;
	}
}

/* A barrier of another queue may wait for what is under way on this one. */
void prog_do_queue_destroy(struct prog *pr)
{
	struct prog_queue *q = &pr->queues[prog_dice(pr, PROG_QUEUES)];

	if (!q->live)
		return;
	if (q->type != PROG_AQL && prog_any_queue(pr, PROG_AQL))
		prog_land_all(pr);
	if (!pr->p->dying)
		prog_queue_destroy(pr, q);
}

static int update_queue(struct prog *pr, struct prog_queue *q, uint32_t percent, uint32_t priority)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = q->ring->va,
		.queue_id = q->id,
		.ring_size = q->ring_bytes,
		.queue_percentage = percent,
		.queue_priority = priority,
	};
	int r;

	do
		r = msim_ioctl(pr->t, pr->s->kfd, K_UPDATE_QUEUE, &args);
	while (prog_expect(pr, "UPDATE_QUEUE", r, 0, false) && !pr->p->dying &&
	       !msim_engine_is_lost(pr->p));
	return r;
}

/* Under whatever it is doing: another priority, and now and then no share for a while. */
void prog_do_queue_update(struct prog *pr)
{
	struct prog_queue *q = &pr->queues[prog_dice(pr, PROG_QUEUES)];
	uint32_t percent = 1 + (uint32_t)prog_dice(pr, 100), priority = (uint32_t)prog_dice(pr, 16);

	if (!q->live)
		return;
	if (prog_once_in(pr, 3)) {
		if (update_queue(pr, q, 0, priority))
			return;
		vkf_sleep_ns(prog_dice(pr, UINT64_C(1) << prog_dice(pr, 24)), false);
	}
	update_queue(pr, q, percent, priority);
}

/* Taken or given back: how often that is allowed is for others to check. */
void prog_do_gws(struct prog *pr)
{
	struct prog_queue *q = &pr->queues[prog_dice(pr, PROG_QUEUES)];
	struct kfd_ioctl_alloc_queue_gws_args args = { .queue_id = q->id };
	int r;

	if (!q->live || q->type == PROG_SDMA || prog_is_lost(pr))
		return;
	args.num_gws = q->has_gws ? 0 : 64;
	r = msim_ioctl(pr->t, pr->s->kfd, K_ALLOC_GWS, &args);
	/* EACCES of one that was given up meanwhile does not say what has become of it. */
	if (r == -EBUSY || r == -ENODEV || prog_is_lost(pr))
		return;
	if (!prog_expect(pr, "ALLOC_QUEUE_GWS", r, 0, false))
		q->has_gws = !q->has_gws;
}

void prog_do_cu_mask(struct prog *pr)
{
	struct prog_queue *q = &pr->queues[prog_dice(pr, PROG_QUEUES)];
	struct kfd_ioctl_set_cu_mask_args args = {
		.queue_id = q->id,
		.num_cu_mask = 64,
		.cu_mask_ptr = (uintptr_t)pr->t->user,
	};

	if (!q->live || q->type == PROG_SDMA)
		return;
	*(uint64_t *)pr->t->user = prog_dice(pr, UINT64_MAX);
	prog_expect(pr, "SET_CU_MASK", msim_ioctl(pr->t, pr->s->kfd, K_CU_MASK, &args), 0, false);
}

/* What is put into a stopped queue waits there until it runs again. */
void prog_do_queue_stop(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!q || !prog_find_pair(pr, q, &dst, &src))
		return;
	prog_land_all(pr);
	if (update_queue(pr, q, 0, 7))
		return;
	prog_fill(pr, src);
	f = prog_copy_some(pr, q, dst, src);
	vkf_sleep_ns(prog_dice(pr, 5 * MSEC), false);
	if (f && prog_signal_is_done(pr, f))
		msim_fail(pr->m, "%s: a stopped queue runs", pr->t->name);
	if (!update_queue(pr, q, 100, 7) && f)
		prog_land(pr, f);
}

/* ------------------------------------------------ packets */

void prog_do_copy(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!q || !prog_find_pair(pr, q, &dst, &src))
		return;
	if (!src->content.len && prog_is_idle(src))
		prog_fill(pr, src);
	f = prog_copy_some(pr, q, dst, src);
	if (f && prog_once_in(pr, 2))
		prog_land(pr, f);
}

void prog_do_barrier(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_AQL);
	struct prog_flight *dep = &pr->flights[prog_dice(pr, PROG_FLIGHTS)], *f;

	if (!q)
		return;
	f = prog_barrier(pr, q, dep->q ? dep : NULL);
	/* Behind what it depends on, it must not be early. */
	if (f && dep->q && dep != f && prog_signal_is_done(pr, f) && !prog_signal_is_done(pr, dep))
		msim_fail(pr->m, "%s: a barrier did not wait", pr->t->name);
	/* What it waits for may never come: another GPU has stopped. */
	if (dep->q && dep != f && !prog_land(pr, dep) && f && !pr->p->dying) {
		q->broken = true;
		prog_forget_flight(f);
	}
	if (f && f->q)
		prog_land(pr, f);
}

void prog_do_land(struct prog *pr)
{
	struct prog_flight *f = &pr->flights[prog_dice(pr, PROG_FLIGHTS)];

	if (f->q)
		prog_land(pr, f);
}

/* The queue waits for a word that the CPU stores later. */
void prog_do_hold(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	unsigned int signal =
		2 * PROG_FLIGHTS + (unsigned int)prog_dice(pr, PROG_SIGNALS - 2 * PROG_FLIGHTS - 1);
	uint32_t value = (uint32_t)prog_dice(pr, 1000);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!q || !prog_find_pair(pr, q, &dst, &src))
		return;
	prog_land_all(pr);
	if (pr->p->dying || !prog_hold(pr, q, signal, value))
		return;
	prog_fill(pr, src);
	f = prog_copy_some(pr, q, dst, src);
	vkf_sleep_ns(prog_dice(pr, prog_once_in(pr, 8) ? prog_longest_ms(pr) * MSEC : MSEC), false);
	if (f && prog_signal_is_done(pr, f))
		msim_fail(pr->m, "%s: a packet did not wait for memory", pr->t->name);
	prog_release(pr, signal, value);
	if (f)
		prog_land(pr, f);
}
