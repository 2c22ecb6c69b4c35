/* SPDX-License-Identifier: MIT */
#include "gpu/busy.h"

#define LEARN_NS UINT64_C(1000000)
/* So many at once are no turn's: the counter has jumped. */
#define MAX_TICKS (UINT64_C(1) << 34)

static uint64_t now_ns(const struct gpu_engine *engine)
{
	return engine->ops->now_ns(engine->cookie);
}

static uint64_t ticks(const struct gpu_engine *engine)
{
	return engine->ops->ticks(engine->cookie);
}

void gpu_busy_init(struct gpu_engine *engine)
{
	struct gpu_busy *b = &engine->busy;

	*b = (struct gpu_busy){ 0 };
	if (!engine->ops->ticks)
		return;
	b->first_ns = now_ns(engine);
	b->first_ticks = ticks(engine);
}

/* From here on it is known how long a tick is, or not yet. */
static void learn(struct gpu_engine *engine)
{
	struct gpu_busy *b = &engine->busy;
	uint64_t ns = now_ns(engine) - b->first_ns;
	uint64_t n = ticks(engine) - b->first_ticks;

	while (ns >= UINT64_C(1) << 32) {
		ns >>= 1;
		n >>= 1;
	}
	if (ns >= LEARN_NS && n)
		b->ns_per_tick = (ns << 32) / n;
}

uint64_t gpu_busy_begin(struct gpu_engine *engine, const struct gpu_queue *q)
{
	if (q->type != GPU_QUEUE_SDMA && q->type != GPU_QUEUE_SDMA_XGMI)
		return 0;
	if (engine->ops->ticks && !engine->busy.ns_per_tick)
		learn(engine);
	return engine->busy.ns_per_tick ? ticks(engine) : now_ns(engine);
}

static uint64_t ns_of(const struct gpu_busy *b, uint64_t n)
{
	return n < MAX_TICKS ? (uint64_t)((unsigned __int128)n * b->ns_per_tick >> 32) : 0;
}

void gpu_busy_end(struct gpu_engine *engine, struct gpu_queue *q, uint64_t begin)
{
	const struct gpu_busy *b = &engine->busy;
	uint64_t n;

	if (!begin)
		return;
	n = (b->ns_per_tick ? ticks(engine) : now_ns(engine)) - begin;
	atomic_fetch_add_explicit(&q->cq->busy_ns, b->ns_per_tick ? ns_of(b, n) : n,
				  memory_order_relaxed);
}
