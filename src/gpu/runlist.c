/* SPDX-License-Identifier: MIT */
#include "gpu/runlist.h"

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
	uint32_t n = engine->ctrl->vm[gpu].cp_queues;

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
	if (!rl->n_waiting || (!stuck && q->turns < GPU_RUNLIST_TURNS))
		return;
	gpu_runlist_leave(engine, q);
	gpu_runlist_enter(engine, q);
}
