/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_RUNLIST_H
#define VKFD_GPU_RUNLIST_H

/**
 * DOC: Which queues are on the hardware
 *
 * A GPU has slots for so many compute queues (gpu_ctrl_vm.cp_queues). A queue that has
 * work takes a slot, or waits for one in
 * order of arrival. Who holds a slot gives it back when it has nothing more to do, and,
 * if somebody waits, when it can go no further for now or has had GPU_RUNLIST_TURNS
 * turns. So each queue that waits gets its turn, however long the others run, and an
 * idle queue costs nothing.
 *
 * SDMA queues have hardware of their own and are on no list.
 *
 * The GPU itself may be another client's for now (ctrl.h, "Sharing a GPU"). A queue
 * that has work then is barred: it is not served, holds no slot and costs nothing, and
 * the driver is told that there is work.
 *
 * Any task that steps the engine; no lock.
 */
#include "gpu/engine_priv.h"

#define GPU_RUNLIST_TURNS 32

/* @q has work. Return: whether it holds a slot of its GPU now. */
bool gpu_runlist_enter(struct gpu_engine *engine, struct gpu_queue *q);
/* @q has none any more, or may not run: neither holds a slot nor waits for one. */
void gpu_runlist_leave(struct gpu_engine *engine, struct gpu_queue *q);
/* What the driver grants now. Every queue is to be sorted afterwards. */
void gpu_runlist_look(struct gpu_engine *engine);
/* @q has work, or has not. */
void gpu_runlist_count(struct gpu_engine *engine, struct gpu_queue *q, bool busy);
/* Give back what is wanted and not used, and say what would be. Return: GPU_STEP_WAITING when it
 * could not be said yet, or 0. */
unsigned int gpu_runlist_answer(struct gpu_engine *engine);
/* Whether @q may not run now, and will not before the driver says something else. */
static inline bool gpu_runlist_bars(const struct gpu_engine *engine, const struct gpu_queue *q)
{
	const struct gpu_runlist *rl = &engine->runlist[q->gpu % GPU_MAX_GPUS];

	return rl->given_back || rl->grant & GPU_GRANT_OFF;
}
/* The same, or the driver has just said something else. */
static inline bool gpu_runlist_stops(const struct gpu_engine *engine, const struct gpu_queue *q)
{
	uint32_t gpu = q->gpu % GPU_MAX_GPUS;
	uint32_t grant = atomic_load_explicit(&engine->ctrl->vm[gpu].grant, memory_order_relaxed);

	return grant != engine->runlist[gpu].grant || gpu_runlist_bars(engine, q);
}
/* @q, which holds a slot, has had a turn; @stuck: it waits for memory to change. */
void gpu_runlist_turn(struct gpu_engine *engine, struct gpu_queue *q, bool stuck);

#endif
