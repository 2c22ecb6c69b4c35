/* SPDX-License-Identifier: MIT */
#include "gpu/engine_priv.h"
#include "gpu/clock.h"
#include "gpu/doorbell.h"
#include "gpu/queue.h"
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

unsigned int gpu_engine_step(struct gpu_engine *engine)
{
	uint32_t slot, n = n_queues(engine);
	unsigned int found = 0;

	gpu_trace_look(&engine->worker[0]);
	for (slot = 0; slot < n && !must_quit(engine); slot++)
		found |= gpu_queue_service(&engine->worker[0], &engine->queue[slot]);
	if (engine->worker[0].tracing && !(found & GPU_STEP_WORKED))
		gpu_trace_flush(&engine->worker[0]);
	return must_quit(engine) ? found | GPU_STEP_QUIT : found;
}

bool gpu_engine_pending(struct gpu_engine *engine)
{
	uint32_t slot, n = n_queues(engine);

	for (slot = 0; slot < n; slot++) {
		if (gpu_doorbell_pending(&engine->worker[0], &engine->queue[slot]))
			return true;
	}
	return must_quit(engine);
}

void gpu_engine_set_state(struct gpu_engine *engine, enum gpu_engine_state state)
{
	atomic_store_explicit(&engine->ctrl->engine, state, memory_order_seq_cst);
	/* What is read from now on was not read before: see ctrl.h on who sleeps. */
	atomic_thread_fence(memory_order_seq_cst);
}
