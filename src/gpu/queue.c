/* SPDX-License-Identifier: MIT */
#include "gpu/queue.h"
#include "gpu/aql.h"
#include "gpu/doorbell.h"
#include "gpu/irq.h"
#include "gpu/pm4_queue.h"
#include "gpu/regs.h"
#include "gpu/ring.h"
#include "gpu/runlist.h"
#include "gpu/sdma.h"
#include "gpu/trace.h"
#include "spec/aql.h"

static void drop_progress(struct gpu_queue *q)
{
	q->done = 0;
	q->skip = 0;
	q->poll_ns = 0;
	q->call_words = 0;
	q->depth = 0;
	q->start_ts = 0;
}

/* A ring that the driver took away (UPDATE_QUEUE with no address) leaves nothing to run. */
static bool ring_usable(const struct gpu_queue *q)
{
	uint64_t unit = q->type == GPU_QUEUE_AQL ? AQL_SLOT_BYTES : 4;

	return q->ring_va && q->ring_bytes >= unit && VKF_IS_ALIGNED(q->ring_bytes, unit);
}

/* Return: whether ring and read pointer are what they were, so that the packet at hand is, too. */
static bool take_parameters(struct gpu_queue *q)
{
	struct gpu_ctrl_queue *cq = q->cq;
	uint64_t va = q->ring_va, bytes = q->ring_bytes;
	uint64_t rptr = atomic_load_explicit(&cq->rptr, memory_order_relaxed);

	q->type = cq->type;
	q->gpu = cq->gpu;
	q->ring_va = atomic_load_explicit(&cq->ring_va, memory_order_relaxed);
	q->ring_bytes = atomic_load_explicit(&cq->ring_bytes, memory_order_relaxed);
	q->rptr_va = cq->rptr_va;
	q->wptr_va = cq->wptr_va;
	return q->ring_va == va && q->ring_bytes == bytes && q->rptr == rptr;
}

static void start(struct gpu_engine *e, struct gpu_queue *q, bool resumed)
{
	bool same_packet = take_parameters(q);

	q->dialect = q->gpu < e->n_gpus ? gpu_dialect_find(e->ctrl->vm[q->gpu].dialect) : NULL;
	q->running = q->gpu < e->n_gpus && ring_usable(q) &&
		     atomic_load_explicit(&q->cq->error, memory_order_acquire) == GPU_QERR_NONE;
	q->blocked = false;
	q->idle = false;
	gpu_doorbell_bind(e, q->slot);
	/* A queue that has completed nothing is a new one, or sets its registers again. */
	if (!resumed && !atomic_load_explicit(&q->cq->packets, memory_order_relaxed))
		gpu_regs_reset(q);
	gpu_regs_load(q);
	if (resumed && same_packet)
		return;
	drop_progress(q);
	q->rptr = atomic_load_explicit(&q->cq->rptr, memory_order_relaxed);
	if (q->type == GPU_QUEUE_SDMA || q->type == GPU_QUEUE_SDMA_XGMI)
		q->rptr = VKF_ALIGN_DOWN(q->rptr, (uint64_t)4);
}

/* Do what the driver wants of the queue, if that is new, and say that it is done. */
void gpu_queue_obey(struct gpu_engine *e, struct gpu_queue *q)
{
	uint32_t seq = atomic_load_explicit(&q->cq->want_seq, memory_order_acquire);
	uint32_t want;

	if (q->known && seq == q->seen_seq)
		return;
	want = atomic_load_explicit(&q->cq->want, memory_order_acquire);
	if (want == GPU_WANT_RUN)
		start(e, q, q->known && q->kept && seq == q->seen_seq + 1);
	else
		q->running = false;
	if (want == GPU_WANT_NONE)
		q->n_irqs = 0;
	q->kept = want != GPU_WANT_NONE;
	q->seen_seq = seq;
	q->known = true;
	atomic_store_explicit(&q->cq->ack_seq, seq, memory_order_release);
}

/* A page that the program has taken away may come back: the queue waits for the driver to say STOP
 * and RUN, and then goes on with the packet. If it faults there again, the driver says only STOP.
 */
static void pause_at_fault(struct gpu_worker *w, struct gpu_queue *q)
{
	gpu_irq_post_fault(q, &w->fault);
	q->running = false;
}

static void give_up(struct gpu_worker *w, struct gpu_queue *q, int err)
{
	uint32_t error = err == -EFAULT ? GPU_QERR_FAULT : GPU_QERR_PACKET;

	if (err == -EFAULT) {
		gpu_irq_post_fault(q, &w->fault);
	} else {
		gpu_irq_post_bad_packet(q, &w->bad);
		if (q->type == GPU_QUEUE_AQL)
			gpu_aql_refuse(w, q, w->bad.aql);
	}
	q->running = false;
	atomic_store_explicit(&q->cq->error, error, memory_order_release);
}

/* The first packet of a queue that speaks another dialect stops it, rather than do something else.
 */
static int step_foreign(struct gpu_worker *w, struct gpu_queue *q)
{
	uint64_t wptr;
	int e = gpu_ring_wptr(w, q, &wptr);

	if (e)
		return e;
	return wptr == q->rptr ? -ENODATA : gpu_bad(w, 0, 0, 0);
}

static int step(struct gpu_worker *w, struct gpu_queue *q)
{
	if (q->type != GPU_QUEUE_AQL && !q->dialect)
		return step_foreign(w, q);
	switch (q->type) {
	case GPU_QUEUE_SDMA:
	case GPU_QUEUE_SDMA_XGMI:
		return gpu_sdma_step(w, q);
	case GPU_QUEUE_AQL:
		return gpu_aql_step(w, q);
	case GPU_QUEUE_PM4:
		return gpu_pm4_queue_step(w, q);
	default:
		return gpu_bad(w, 0, 0, 0);
	}
}

/* One packet or piece, as a section of its own. */
static int section(struct gpu_worker *w, struct gpu_queue *q)
{
	int e;

	gpu_worker_enter(w);
	e = step(w, q);
	if (e == -EFAULT && w->fault.status & GPU_FAULT_HOST)
		pause_at_fault(w, q);
	else if (e == -EFAULT || e == -EINVAL)
		give_up(w, q, e);
	gpu_worker_leave(w);
	return e;
}

static int traced_section(struct gpu_worker *w, struct gpu_queue *q)
{
	uint64_t begin_ns = gpu_trace_begin(w, q);
	int e = section(w, q);

	gpu_trace_section(w, q, begin_ns, e);
	return e;
}

static void prefetch(const struct gpu_worker *w, unsigned int gpu, uint64_t va)
{
	uint64_t host, len;

	if (gpu_tlb_find(&w->tlb, gpu, w->generation[gpu], va, GPU_READ, &host, &len))
		__builtin_prefetch((const void *)(uintptr_t)host);
}

void gpu_queue_prefetch(const struct gpu_worker *w, const struct gpu_queue *q)
{
	static const uint8_t unit[] = {
		[GPU_QUEUE_PM4] = 4,
		[GPU_QUEUE_AQL] = 64,
		[GPU_QUEUE_SDMA] = 1,
		[GPU_QUEUE_SDMA_XGMI] = 1,
	};

	if (q->type >= VKF_ARRAY_SIZE(unit) || !q->ring_bytes)
		return;
	prefetch(w, q->gpu, q->wptr_va);
	prefetch(w, q->gpu, q->ring_va + q->rptr * unit[q->type] % q->ring_bytes);
}

/* How the turn ended. @found: as of the step. */
static unsigned int end_turn(struct gpu_queue *q, enum gpu_queue_activity activity,
			     unsigned int found)
{
	gpu_queue_show(q, activity);
	return activity == GPU_QUEUE_WAITS ? found | GPU_STEP_WAITING : found;
}

unsigned int gpu_queue_service(struct gpu_worker *w, struct gpu_queue *q, int budget)
{
	unsigned int found = 0;

	while (budget > 0) {
		int e;

		gpu_queue_obey(w->engine, q);
		q->blocked = gpu_irq_deliver(w, q) == -EAGAIN;
		if (q->blocked)
			return end_turn(q, GPU_QUEUE_WAITS, found);
		if (!q->running)
			return end_turn(q, GPU_QUEUE_IDLE, found);
		/* It goes on when it is its client's turn again. */
		if (gpu_runlist_stops(w->engine, q))
			return found;
		e = __builtin_expect(w->tracing, false) ? traced_section(w, q) : section(w, q);
		q->blocked = e == -EAGAIN;
		if (q->blocked)
			return end_turn(q, GPU_QUEUE_WAITS, found);
		q->idle = e == -ENODATA && !gpu_doorbell_take(w->engine, q->slot);
		if (q->idle)
			return end_turn(q, GPU_QUEUE_IDLE, found);
		if (e != -ENODATA)
			found = GPU_STEP_WORKED;
		if (e == -EINPROGRESS && w->brief)
			break;
		budget -= e == -EINPROGRESS ? GPU_STEP_PIECE : 1;
	}
	/* The last packet's interrupt is not kept for the next turn. */
	q->blocked = gpu_irq_deliver(w, q) == -EAGAIN;
	return end_turn(q, q->blocked ? GPU_QUEUE_WAITS : GPU_QUEUE_WORKS, found);
}
