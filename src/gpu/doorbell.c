/* SPDX-License-Identifier: MIT */
#include "gpu/doorbell.h"

#define NARROW 4u

void gpu_doorbell_bind(struct gpu_engine *engine, uint32_t slot)
{
	const struct gpu_ctrl_queue *cq = &engine->ctrl->queue[slot];
	struct gpu_door *door = &engine->door[slot];
	uint64_t off = cq->doorbell, bytes = sizeof(uint64_t);

	if (cq->gpu < engine->n_gpus && engine->ctrl->vm[cq->gpu].doorbell_bytes == NARROW)
		bytes = NARROW;
	door->narrow = bytes == NARROW;
	door->word = 0;
	if (VKF_IS_ALIGNED(off, bytes) && off < engine->bar_bytes &&
	    engine->bar_bytes - off >= bytes)
		door->word = engine->bar + off;
}

static bool narrow_rung(uint64_t word)
{
	return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)word, memory_order_relaxed) !=
	       (uint32_t)GPU_DOORBELL_REST;
}

bool gpu_doorbell_rung(const struct gpu_engine *engine, uint32_t slot)
{
	const struct gpu_door *door = &engine->door[slot];

	if (!door->word)
		return false;
	if (door->narrow)
		return narrow_rung(door->word);
	return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)door->word,
				    memory_order_relaxed) != GPU_DOORBELL_REST;
}

/* The exchange is what orders the ring before the look at the write pointer. */
bool gpu_doorbell_take(struct gpu_engine *engine, uint32_t slot)
{
	const struct gpu_door *door = &engine->door[slot];

	if (!gpu_doorbell_rung(engine, slot))
		return false;
	if (door->narrow)
		atomic_exchange((_Atomic uint32_t *)(uintptr_t)door->word,
				(uint32_t)GPU_DOORBELL_REST);
	else
		atomic_exchange((_Atomic uint64_t *)(uintptr_t)door->word, GPU_DOORBELL_REST);
	engine->rings++;
	return true;
}
