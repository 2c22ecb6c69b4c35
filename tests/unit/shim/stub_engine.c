/* SPDX-License-Identifier: MIT */
/**
 * DOC: An engine for tests of what runs it
 *
 * Word i of the first GPU's doorbells is a queue: whatever is stored there is
 * "processed", and shows in ctrl->queue[i].rptr. Words with another meaning:
 *
 *	STUB_ENDLESS  while not 0: every step works
 *	STUB_WAITING  while not 0: every step waits
 *	STUB_LOAD     an address: 8 bytes are loaded; queue.packets is 1, or 2 on -EFAULT
 *	STUB_ADD      the same with 1 added to them
 *	STUB_COPY     the same with a page copied from there to the page behind it
 *	STUB_PEEK     queue.packets is one more than what was in the word when it was begun
 *	STUB_CRASH    an offset into the first page: a store there, which no mem op guards
 */
#include "stub_engine.h"

#include <errno.h>
#include "gpu/engine.h"

struct gpu_engine {
	struct gpu_engine_config config;
	uint64_t seen[STUB_WORDS];
	bool peek;
};

size_t gpu_engine_size(void)
{
	return sizeof(struct gpu_engine);
}

int gpu_engine_init(void *storage, const struct gpu_engine_config *config,
		    struct gpu_engine **ret_engine)
{
	struct gpu_engine *e = storage;

	if (config->ctrl->magic != GPU_CTRL_MAGIC)
		return -EINVAL;
	e->config = *config;
	*ret_engine = e;
	return 0;
}

static uint64_t word(struct gpu_engine *e, unsigned int i)
{
	return atomic_load((_Atomic uint64_t *)e->config.bar + i);
}

static int access_memory(struct gpu_engine *e, unsigned int i, uint64_t addr)
{
	const struct gpu_mem_ops *mem = e->config.ops->mem;
	uint64_t v;

	if (i == STUB_LOAD)
		return mem->load64(e->config.cookie, (const void *)addr, &v);
	if (i == STUB_ADD)
		return mem->add64(e->config.cookie, (void *)addr, 1);
	return mem->copy(e->config.cookie, (void *)(addr + 4096), (const void *)addr, 4096);
}

static void process(struct gpu_engine *e, unsigned int i, uint64_t v)
{
	struct gpu_ctrl_queue *q = &e->config.ctrl->queue[i];

	if (i == STUB_CRASH && v)
		*(volatile uint64_t *)(v & 0xff8) = 1;
	if (v && i >= STUB_LOAD && i <= STUB_COPY)
		atomic_store(&q->packets, access_memory(e, i, v) ? 2 : 1);
	e->seen[i] = v;
	atomic_store(&q->rptr, v);
}

unsigned int gpu_engine_step(struct gpu_engine *e)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < STUB_WORDS; i++) {
		uint64_t v = word(e, i);

		if (v == e->seen[i])
			continue;
		process(e, i, v);
		found |= GPU_STEP_WORKED;
	}
	if (word(e, STUB_ENDLESS))
		found |= GPU_STEP_WORKED;
	if (word(e, STUB_WAITING))
		found |= GPU_STEP_WAITING;
	if (atomic_load(&e->config.ctrl->quit))
		found |= GPU_STEP_QUIT;
	return found;
}

unsigned int gpu_engine_begin(struct gpu_engine *e)
{
	if (e->peek)
		atomic_store(&e->config.ctrl->queue[STUB_PEEK].packets, 1 + word(e, STUB_PEEK));
	e->peek = false;
	return gpu_engine_step(e);
}

void gpu_engine_ring(struct gpu_engine *e, uint64_t bar_offset)
{
	e->peek = bar_offset == STUB_PEEK * sizeof(uint64_t);
}

uint32_t gpu_engine_rings(const struct gpu_engine *e)
{
	return 0;
}

bool gpu_engine_pending(struct gpu_engine *e)
{
	for (unsigned int i = 0; i < STUB_WORDS; i++)
		if (word(e, i) != e->seen[i])
			return true;
	return false;
}

void gpu_engine_set_state(struct gpu_engine *e, enum gpu_engine_state state)
{
	atomic_store(&e->config.ctrl->engine, state);
}
