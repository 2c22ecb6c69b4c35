/* SPDX-License-Identifier: MIT */
#include "gpu/engine_priv.h"
#include "gpu/busy.h"
#include "gpu/clock.h"
#include "gpu/doorbell.h"
#include "gpu/queue.h"
#include "gpu/runlist.h"
#include "gpu/trace.h"

size_t gpu_engine_size(void)
{
	return sizeof(struct gpu_engine);
}

/* An engine that died in the middle of a section may have left @seq odd. */
static void init_worker(struct gpu_engine *engine, unsigned int i)
{
	struct gpu_worker *w = &engine->worker[i];

	w->engine = engine;
	w->index = i;
	w->seq = atomic_load_explicit(&engine->ctrl->worker[i].seq, memory_order_relaxed);
	w->seq += w->seq & 1;
	atomic_store_explicit(&engine->ctrl->worker[i].seq, w->seq, memory_order_seq_cst);
}

static void init_queue(struct gpu_engine *engine, uint32_t slot)
{
	engine->queue[slot].cq = &engine->ctrl->queue[slot];
	engine->queue[slot].slot = slot;
}

int gpu_engine_init(void *storage, const struct gpu_engine_config *config,
		    struct gpu_engine **ret_engine)
{
	struct gpu_engine *engine = storage;
	struct gpu_ctrl *ctrl = config->ctrl;
	uint32_t i;

	if (ctrl->magic != GPU_CTRL_MAGIC || ctrl->version != GPU_CTRL_VERSION)
		return -EINVAL;
	engine->ctrl = ctrl;
	engine->pt = config->pt;
	engine->arena = (uintptr_t)config->arena;
	engine->bar = (uintptr_t)config->bar;
	engine->arena_bytes = ctrl->arena_bytes;
	engine->bar_bytes = ctrl->bar_bytes;
	engine->pt_tables = ctrl->pt_tables;
	engine->n_gpus = VKF_MIN(ctrl->n_gpus, (uint32_t)GPU_MAX_GPUS);
	engine->ops = config->ops;
	engine->mem = config->ops->mem;
	engine->cookie = config->cookie;
	engine->n_workers = 1;
	for (i = 0; i < GPU_MAX_WORKERS; i++)
		init_worker(engine, i);
	for (i = 0; i < GPU_MAX_QUEUES; i++)
		init_queue(engine, i);
	gpu_busy_init(engine);
	/* No other engine of this client lives, so a lock that is held was left behind. */
	atomic_store_explicit(&ctrl->irq_lock, 0, memory_order_release);
	atomic_store_explicit(&ctrl->trace.lock, 0, memory_order_release);
	*ret_engine = engine;
	return 0;
}

/* Sequentially consistent with the driver's bump of a generation: either it sees the odd value
 * and waits, or the generation that is read afterwards is the new one. */
void gpu_worker_enter(struct gpu_worker *w)
{
	w->fresh = 0;
	w->seq++;
	atomic_store_explicit(&w->engine->ctrl->worker[w->index].seq, w->seq, memory_order_seq_cst);
}

void gpu_worker_leave(struct gpu_worker *w)
{
	w->seq++;
	atomic_store_explicit(&w->engine->ctrl->worker[w->index].seq, w->seq, memory_order_release);
}

uint64_t gpu_worker_clock(struct gpu_worker *w, unsigned int gpu)
{
	const struct gpu_engine *engine = w->engine;

	return gpu_clock_ticks(engine->ops->now_ns(engine->cookie),
			       engine->ctrl->vm[gpu].clock_khz);
}

static uint32_t n_queues(const struct gpu_engine *engine)
{
	uint32_t n = atomic_load_explicit(&engine->ctrl->n_queues, memory_order_acquire);

	return VKF_MIN(n, (uint32_t)GPU_MAX_QUEUES);
}

static bool must_quit(const struct gpu_engine *engine)
{
	return atomic_load_explicit(&engine->ctrl->quit, memory_order_acquire);
}

/* ------------------------------------------------ who is served */

static uint64_t bit_of(uint32_t slot)
{
	return UINT64_C(1) << (slot % 64);
}

/* The kernel's table from KFD's 16 priorities to the hardware's three. */
static enum gpu_level level_of(const struct gpu_queue *q)
{
	uint32_t priority = atomic_load_explicit(&q->cq->priority, memory_order_relaxed);

	return priority < 7 ? GPU_LEVEL_LOW : priority < 11 ? GPU_LEVEL_NORMAL : GPU_LEVEL_HIGH;
}

/* After anything that may have changed it: among those to be served, those to be rung for, or
 * neither: it does not run, or may not now. */
static void sort(struct gpu_engine *engine, struct gpu_queue *q)
{
	uint32_t word = q->slot / 64;
	uint64_t bit = bit_of(q->slot);

	for (unsigned int i = 0; i < GPU_LEVELS; i++)
		engine->active[i][word] &= ~bit;
	engine->idle[word] &= ~bit;
	gpu_runlist_count(engine, q, q->running && !q->idle);
	if (q->n_irqs || (gpu_queue_has_work(q) && !gpu_runlist_bars(engine, q))) {
		engine->active[level_of(q)][word] |= bit;
		return;
	}
	gpu_runlist_leave(engine, q);
	if (q->running && q->idle)
		engine->idle[word] |= bit;
	else if (q->running)
		gpu_queue_show(q, GPU_QUEUE_WAITS);
}

/* What the driver wants since the last look. A change that is not seen here has a cmd_seq of its
 * own behind it. */
static void obey_all(struct gpu_engine *engine)
{
	uint32_t seq = atomic_load_explicit(&engine->ctrl->cmd_seq, memory_order_acquire);
	uint32_t slot, n;

	if (engine->cmd_known && seq == engine->cmd_seq)
		return;
	gpu_runlist_look(engine);
	n = n_queues(engine);
	for (slot = 0; slot < n; slot++) {
		gpu_queue_obey(engine, &engine->queue[slot]);
		sort(engine, &engine->queue[slot]);
	}
	engine->cmd_seq = seq;
	engine->cmd_known = true;
}

/* Look for rung doorbells in one word of slots. Return: whether there was one. */
static bool hear_word(struct gpu_engine *engine, uint32_t word)
{
	uint64_t left = engine->idle[word];
	bool heard = false;

	for (; left; left &= left - 1) {
		uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);

		if (!gpu_doorbell_rung(engine, slot))
			continue;
		gpu_queue_prefetch(&engine->worker[0], &engine->queue[slot]);
		gpu_doorbell_take(engine, slot);
		engine->queue[slot].idle = false;
		sort(engine, &engine->queue[slot]);
		heard = true;
	}
	return heard;
}

void gpu_engine_ring(struct gpu_engine *engine, uint64_t bar_offset)
{
	uint32_t slot, n = n_queues(engine);

	for (slot = 0; slot < n; slot++) {
		struct gpu_queue *q = &engine->queue[slot];

		if (!q->idle || engine->door[slot].word != engine->bar + bar_offset)
			continue;
		q->idle = false;
		sort(engine, q);
	}
}

static uint32_t n_words(const struct gpu_engine *engine)
{
	return (n_queues(engine) + 63) / 64;
}

/* A share of them while there is other work, so that the idle ones cost those that are not little.
 */
static void hear_some(struct gpu_engine *engine)
{
	if (engine->look_at >= n_words(engine))
		engine->look_at = 0;
	hear_word(engine, engine->look_at++);
}

static bool hear_all(struct gpu_engine *engine)
{
	uint32_t word, n = n_words(engine);
	bool heard = false;

	for (word = 0; word < n; word++)
		heard |= hear_word(engine, word);
	return heard;
}

static unsigned int serve(struct gpu_engine *engine, struct gpu_queue *q)
{
	static const int budget[GPU_LEVELS] = {
		[GPU_LEVEL_LOW] = GPU_STEP_BUDGET / 4,
		[GPU_LEVEL_NORMAL] = GPU_STEP_BUDGET,
		[GPU_LEVEL_HIGH] = GPU_STEP_BUDGET * 4,
	};
	unsigned int found;
	uint64_t begin;

	if (!gpu_runlist_enter(engine, q))
		return GPU_STEP_WAITING;
	begin = gpu_busy_begin(engine, q);
	found = gpu_queue_service(&engine->worker[0], q, budget[level_of(q)]);
	if (found & GPU_STEP_WORKED)
		gpu_busy_end(engine, q, begin);
	gpu_runlist_turn(engine, q, q->blocked);
	sort(engine, q);
	return found;
}

static unsigned int serve_level(struct gpu_engine *engine, unsigned int level)
{
	uint32_t word, n = n_words(engine);
	unsigned int found = 0;

	for (word = 0; word < n; word++) {
		uint64_t left = engine->active[level][word];

		for (; left && !must_quit(engine); left &= left - 1)
			found |= serve(engine,
				       &engine->queue[word * 64 + (uint32_t)__builtin_ctzll(left)]);
	}
	return found;
}

static unsigned int serve_all(struct gpu_engine *engine)
{
	unsigned int level, found = 0;

	for (level = GPU_LEVELS; level--;)
		found |= serve_level(engine, level);
	return found;
}

unsigned int gpu_engine_step(struct gpu_engine *engine)
{
	unsigned int found;

	engine->mapped_ready = false;
	gpu_trace_look(&engine->worker[0]);
	obey_all(engine);
	hear_some(engine);
	found = serve_all(engine);
	if (!(found & GPU_STEP_WORKED) && hear_all(engine))
		found |= serve_all(engine);
	if (engine->worker[0].tracing && !(found & GPU_STEP_WORKED))
		gpu_trace_flush(&engine->worker[0]);
	if (engine->mapped_ready)
		found |= GPU_STEP_WORKED;
	found |= gpu_runlist_answer(engine);
	return must_quit(engine) ? found | GPU_STEP_QUIT : found;
}

unsigned int gpu_engine_begin(struct gpu_engine *engine)
{
	unsigned int found;

	engine->worker[0].brief = true;
	found = gpu_engine_step(engine);
	engine->worker[0].brief = false;
	return found;
}

static bool word_pending(const struct gpu_engine *engine, uint32_t word)
{
	uint64_t active = 0, left;

	for (unsigned int i = 0; i < GPU_LEVELS; i++)
		active |= engine->active[i][word];
	for (left = active; left; left &= left - 1) {
		if (!engine->queue[word * 64 + (uint32_t)__builtin_ctzll(left)].blocked)
			return true;
	}
	for (left = engine->idle[word]; left; left &= left - 1) {
		if (gpu_doorbell_rung(engine, word * 64 + (uint32_t)__builtin_ctzll(left)))
			return true;
	}
	return false;
}

bool gpu_engine_pending(struct gpu_engine *engine)
{
	uint32_t word, n = n_words(engine);

	if (!engine->cmd_known || must_quit(engine) ||
	    atomic_load_explicit(&engine->ctrl->cmd_seq, memory_order_acquire) != engine->cmd_seq)
		return true;
	for (word = 0; word < n; word++) {
		if (word_pending(engine, word))
			return true;
	}
	return false;
}

uint32_t gpu_engine_rings(const struct gpu_engine *engine)
{
	return engine->rings;
}

void gpu_engine_set_state(struct gpu_engine *engine, enum gpu_engine_state state)
{
	atomic_store_explicit(&engine->ctrl->engine, state, memory_order_seq_cst);
	/* What is read from now on was not read before: see ctrl.h on who sleeps. */
	atomic_thread_fence(memory_order_seq_cst);
}
