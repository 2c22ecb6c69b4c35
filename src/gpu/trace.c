/* SPDX-License-Identifier: MIT */
#include "gpu/trace.h"

/* Packets less than this apart are told together, up to so much time in all. */
#define MERGE_GAP_NS  UINT64_C(5000)
#define MERGE_SPAN_NS UINT64_C(1000000)

/* Never waits: a lock that stays taken (the client may write to it) only costs records. */
static void put(struct gpu_worker *w, const struct gpu_trace_record *rec)
{
	struct gpu_ctrl_trace *t = &w->engine->ctrl->trace;
	uint32_t free = 0, wptr;

	if (!atomic_compare_exchange_strong_explicit(&t->lock, &free, 1, memory_order_acquire,
						     memory_order_relaxed)) {
		atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
		return;
	}
	wptr = atomic_load_explicit(&t->wptr, memory_order_relaxed);
	if (wptr - atomic_load_explicit(&t->rptr, memory_order_acquire) < GPU_TRACE_ENTRIES) {
		t->record[wptr % GPU_TRACE_ENTRIES] = *rec;
		atomic_store_explicit(&t->wptr, wptr + 1, memory_order_release);
	} else {
		atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
	}
	atomic_store_explicit(&t->lock, 0, memory_order_release);
}

static void flush_one(struct gpu_worker *w, struct gpu_trace_record *rec)
{
	if (rec->packets)
		put(w, rec);
	rec->packets = 0;
}

void gpu_trace_flush(struct gpu_worker *w)
{
	flush_one(w, &w->trace_packets);
	flush_one(w, &w->trace_turn);
}

void gpu_trace_look(struct gpu_worker *w)
{
	bool on = atomic_load_explicit(&w->engine->ctrl->trace.on, memory_order_relaxed);

	if (__builtin_expect(on == w->tracing, true))
		return;
	w->tracing = on;
	w->trace_packets.packets = 0;
	w->trace_turn.packets = 0;
	/* What the queues remember is of another time. */
	w->trace_epoch++;
}

static uint64_t now_ns(const struct gpu_worker *w)
{
	return w->engine->ops->now_ns(w->engine->cookie);
}

static bool follows(const struct gpu_trace_record *rec, const struct gpu_trace_record *next)
{
	return rec->packets && rec->kind == next->kind && rec->slot == next->slot &&
	       rec->queue_id == next->queue_id && rec->op == next->op &&
	       next->begin_ns - rec->end_ns < MERGE_GAP_NS &&
	       next->end_ns - rec->begin_ns < MERGE_SPAN_NS;
}

/* Part of what is kept back, or instead of it. */
static void add(struct gpu_worker *w, struct gpu_trace_record *kept,
		const struct gpu_trace_record *rec)
{
	if (follows(kept, rec)) {
		kept->end_ns = rec->end_ns;
		kept->packets += rec->packets;
		kept->bytes += rec->bytes;
		return;
	}
	flush_one(w, kept);
	*kept = *rec;
}

static struct gpu_trace_record record_of(const struct gpu_queue *q, enum gpu_trace_kind kind,
					 uint64_t begin_ns, uint64_t end_ns)
{
	return (struct gpu_trace_record){
		.begin_ns = begin_ns,
		.end_ns = end_ns,
		.kind = kind,
		.slot = q->slot,
		.queue_id = q->cq->queue_id,
		.gpu = (uint16_t)q->gpu,
		.type = (uint16_t)q->type,
		.op = kind == GPU_TRACE_TURN ? 0 : q->trace_op,
		.packets = 1,
	};
}

uint64_t gpu_trace_begin(struct gpu_worker *w, struct gpu_queue *q)
{
	if (q->trace_epoch != w->trace_epoch) {
		q->trace_epoch = w->trace_epoch;
		q->trace_begin_ns = 0;
		q->trace_wait_ns = 0;
		q->trace_bytes = 0;
	}
	return now_ns(w);
}

/* It waited until now, and its packet begins where the wait ends. */
static void end_wait(struct gpu_worker *w, struct gpu_queue *q, uint64_t ns)
{
	struct gpu_trace_record rec = record_of(q, GPU_TRACE_WAIT, q->trace_wait_ns, ns);

	gpu_trace_flush(w);
	put(w, &rec);
	q->trace_wait_ns = 0;
}

void gpu_trace_section(struct gpu_worker *w, struct gpu_queue *q, uint64_t begin_ns, int result)
{
	struct gpu_trace_record rec;

	if (result == -ENODATA)
		return;
	if (result == -EAGAIN) {
		if (!q->trace_wait_ns)
			q->trace_wait_ns = begin_ns;
		return;
	}
	if (q->trace_wait_ns)
		end_wait(w, q, begin_ns);
	if (!q->trace_begin_ns)
		q->trace_begin_ns = begin_ns;
	rec = record_of(q, GPU_TRACE_TURN, begin_ns, now_ns(w));
	add(w, &w->trace_turn, &rec);
	if (result == -EINPROGRESS)
		return;
	rec = record_of(q, GPU_TRACE_PACKETS, q->trace_begin_ns, rec.end_ns);
	rec.bytes = q->trace_bytes;
	q->trace_begin_ns = 0;
	q->trace_bytes = 0;
	add(w, &w->trace_packets, &rec);
}
