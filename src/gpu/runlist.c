/* SPDX-License-Identifier: MIT */
#include "gpu/runlist.h"
#include "gpu/irq.h"

#define NOBODY UINT32_MAX

static bool listed(const struct gpu_queue *q)
{
	return q->type == GPU_QUEUE_PM4 || q->type == GPU_QUEUE_AQL;
}

static void append(struct gpu_engine *engine, struct gpu_runlist *rl, struct gpu_queue *q)
{
	q->next = NOBODY;
	q->prev = rl->n_waiting ? rl->last : NOBODY;
	if (rl->n_waiting)
		engine->queue[rl->last].next = q->slot;
	else
		rl->first = q->slot;
	rl->last = q->slot;
	rl->n_waiting++;
	q->place = GPU_PLACE_WAITING;
}

static void unlink_waiting(struct gpu_engine *engine, struct gpu_runlist *rl, struct gpu_queue *q)
{
	if (q->prev == NOBODY)
		rl->first = q->next;
	else
		engine->queue[q->prev].next = q->next;
	if (q->next == NOBODY)
		rl->last = q->prev;
	else
		engine->queue[q->next].prev = q->prev;
	rl->n_waiting--;
	q->place = GPU_PLACE_NOWHERE;
}

/* The slots that the control block speaks of; one at least, so that something runs. */
static uint32_t n_slots(const struct gpu_engine *engine, uint32_t gpu)
{
	uint32_t n = atomic_load_explicit(&engine->ctrl->vm[gpu].cp_queues, memory_order_relaxed);

	return VKF_MAX(n, 1u);
}

static void map(struct gpu_engine *engine, struct gpu_runlist *rl, struct gpu_queue *q)
{
	unlink_waiting(engine, rl, q);
	q->place = GPU_PLACE_MAPPED;
	q->turns = 0;
	rl->n_mapped++;
	/* Its first packet may be one that can be run. */
	engine->mapped_ready |= !q->blocked;
}

/* Give free slots to those who have waited longest. */
static void fill(struct gpu_engine *engine, uint32_t gpu)
{
	struct gpu_runlist *rl = &engine->runlist[gpu];

	while (rl->n_waiting && rl->n_mapped < n_slots(engine, gpu))
		map(engine, rl, &engine->queue[rl->first]);
}

bool gpu_runlist_enter(struct gpu_engine *engine, struct gpu_queue *q)
{
	if (!listed(q) || q->place == GPU_PLACE_MAPPED)
		return true;
	if (q->place == GPU_PLACE_NOWHERE) {
		q->on_gpu = q->gpu;
		append(engine, &engine->runlist[q->on_gpu], q);
		fill(engine, q->on_gpu);
	}
	return q->place == GPU_PLACE_MAPPED;
}

void gpu_runlist_leave(struct gpu_engine *engine, struct gpu_queue *q)
{
	struct gpu_runlist *rl = &engine->runlist[q->on_gpu];

	if (q->place == GPU_PLACE_WAITING)
		unlink_waiting(engine, rl, q);
	if (q->place != GPU_PLACE_MAPPED)
		return;
	q->place = GPU_PLACE_NOWHERE;
	rl->n_mapped--;
	fill(engine, q->on_gpu);
}

void gpu_runlist_turn(struct gpu_engine *engine, struct gpu_queue *q, bool stuck)
{
	struct gpu_runlist *rl = &engine->runlist[q->on_gpu];

	if (q->place != GPU_PLACE_MAPPED)
		return;
	q->turns++;
	if (rl->n_mapped <= n_slots(engine, q->on_gpu) &&
	    (!rl->n_waiting || (!stuck && q->turns < GPU_RUNLIST_TURNS)))
		return;
	gpu_runlist_leave(engine, q);
	gpu_runlist_enter(engine, q);
}

/* ------------------------------------------------ whose the GPU is */

void gpu_runlist_look(struct gpu_engine *engine)
{
	engine->shared = false;
	for (uint32_t gpu = 0; gpu < engine->n_gpus; gpu++) {
		struct gpu_runlist *rl = &engine->runlist[gpu];
		uint32_t grant = atomic_load_explicit(&engine->ctrl->vm[gpu].grant,
						      memory_order_acquire);

		if (grant != rl->grant)
			rl->given_back = false;
		rl->grant = grant;
		engine->shared |= grant != 0;
		fill(engine, gpu);
	}
}

void gpu_runlist_count(struct gpu_engine *engine, struct gpu_queue *q, bool busy)
{
	if (q->counted && (!busy || q->busy_gpu != q->gpu)) {
		engine->runlist[q->busy_gpu].n_busy--;
		q->counted = false;
	}
	if (busy && !q->counted) {
		q->busy_gpu = q->gpu;
		engine->runlist[q->busy_gpu].n_busy++;
		q->counted = true;
	}
}

static enum gpu_share share_of(const struct gpu_runlist *rl)
{
	if (!rl->n_busy)
		return GPU_SHARE_IDLE;
	return rl->given_back || rl->grant & GPU_GRANT_OFF ? GPU_SHARE_ASKS : GPU_SHARE_USES;
}

static void answer(struct gpu_engine *engine, uint32_t gpu)
{
	struct gpu_runlist *rl = &engine->runlist[gpu];
	uint32_t word;

	if (rl->grant & GPU_GRANT_WANTED && !rl->n_busy)
		rl->given_back = true;
	word = (rl->grant & GPU_GRANT_NUMBER) | share_of(rl);
	if (word == rl->answer)
		return;
	/* That it does what it may is no news. */
	rl->to_be_told |= rl->given_back || rl->grant & GPU_GRANT_OFF;
	rl->answer = word;
	atomic_store_explicit(&engine->ctrl->vm[gpu].answer, word, memory_order_seq_cst);
}

unsigned int gpu_runlist_answer(struct gpu_engine *engine)
{
	unsigned int found = 0;

	if (!engine->shared)
		return 0;
	for (uint32_t gpu = 0; gpu < engine->n_gpus; gpu++) {
		struct gpu_runlist *rl = &engine->runlist[gpu];

		answer(engine, gpu);
		if (rl->to_be_told)
			rl->to_be_told = gpu_irq_tell_share(engine, gpu) != 0;
		if (rl->to_be_told)
			found = GPU_STEP_WAITING;
	}
	return found;
}
