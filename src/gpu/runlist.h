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
 * SDMA queues have hardware of their own and are on no list. Any task that steps the
 * engine; no lock.
 */
#include "gpu/engine_priv.h"

#define GPU_RUNLIST_TURNS 32

/* @q has work. Return: whether it holds a slot of its GPU now. */
bool gpu_runlist_enter(struct gpu_engine *engine, struct gpu_queue *q);
/* @q has none any more, or may not run: neither holds a slot nor waits for one. */
void gpu_runlist_leave(struct gpu_engine *engine, struct gpu_queue *q);
/* @q, which holds a slot, has had a turn; @stuck: it waits for memory to change. */
void gpu_runlist_turn(struct gpu_engine *engine, struct gpu_queue *q, bool stuck);

#endif
