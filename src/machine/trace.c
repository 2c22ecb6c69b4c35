/* SPDX-License-Identifier: MIT */
#include "machine/trace.h"

#include "base/trace.h"

#define MAX_QUEUE_ID 1024u
#define N_TYPES      4u

void machine_trace_init(struct machine_trace *t)
{
	*t = (struct machine_trace){ .rptr = 0 };
	vkf_mutex_init(&t->lock, VKF_RANK_LEAF);
}

void machine_trace_fini(struct machine_trace *t)
{
	vkf_mutex_fini(&t->lock);
}

static bool credible(const struct machine_trace *t, const struct gpu_trace_record *rec,
		     uint64_t now)
{
	return rec->begin_ns >= t->since_ns && rec->begin_ns <= rec->end_ns && rec->end_ns <= now &&
	       rec->queue_id < MAX_QUEUE_ID && rec->gpu < GPU_MAX_GPUS && rec->type < N_TYPES;
}

static void tell(const struct gpu_trace_record *rec, uint32_t client)
{
	uint32_t op = (uint32_t)rec->type << 16 | (rec->op & 0xffff);
	uint64_t dur = rec->end_ns - rec->begin_ns;

	switch (rec->kind) {
	case GPU_TRACE_PACKETS:
		vkf_trace_queue_packets(rec->begin_ns, client, rec->queue_id, op, rec->packets,
					rec->bytes, dur);
		break;
	case GPU_TRACE_WAIT:
		vkf_trace_queue_waits(rec->begin_ns, client, rec->queue_id, op, dur);
		break;
	case GPU_TRACE_TURN:
		vkf_trace_engine_turn(rec->begin_ns, client, rec->queue_id, (uint8_t)rec->gpu,
				      (uint8_t)rec->type, rec->packets, dur);
		break;
	default:
		break;
	}
}

/* How many there are; more than the ring holds is no engine's work: none of it is believed. */
static uint32_t pending(struct machine_trace *t, struct gpu_ctrl_trace *shared) VKF_REQUIRES(t->lock)
{
	uint32_t n = atomic_load_explicit(&shared->wptr, memory_order_acquire) - t->rptr;

	if (n <= GPU_TRACE_ENTRIES)
		return n;
	t->rptr += n;
	return 0;
}

static void drain(struct machine_trace *t, struct gpu_ctrl_trace *shared, uint32_t client,
		  unsigned int max) VKF_REQUIRES(t->lock)
{
	uint32_t n = VKF_MIN(pending(t, shared), max);
	uint32_t lost = atomic_load_explicit(&shared->lost, memory_order_relaxed);
	uint64_t now = vkf_now_ns();

	while (n--) {
		struct gpu_trace_record rec;

		memcpy(&rec, &shared->record[t->rptr++ % GPU_TRACE_ENTRIES], sizeof(rec));
		atomic_signal_fence(memory_order_seq_cst);
		if (credible(t, &rec, now))
			tell(&rec, client);
	}
	atomic_store_explicit(&shared->rptr, t->rptr, memory_order_release);
	if (lost != t->lost)
		vkf_trace_engine_lost(client, lost - t->lost);
	t->lost = lost;
}

/* What was told for an earlier trace and not read is nobody's any more. */
static void begin(struct machine_trace *t, struct gpu_ctrl_trace *shared) VKF_REQUIRES(t->lock)
{
	t->since_ns = vkf_now_ns();
	t->rptr = atomic_load_explicit(&shared->wptr, memory_order_acquire);
	t->lost = atomic_load_explicit(&shared->lost, memory_order_relaxed);
	atomic_store_explicit(&shared->rptr, t->rptr, memory_order_release);
	atomic_store_explicit(&shared->on, 1, memory_order_relaxed);
}

void machine_trace_drain(struct machine_trace *t, struct gpu_ctrl *ctrl, uint32_t client,
			 unsigned int max)
{
	struct gpu_ctrl_trace *shared = &ctrl->trace;
	bool on = vkf_trace_is_on();

	vkf_mutex_lock(&t->lock);
	if (on && t->since_ns)
		drain(t, shared, client, max);
	else if (on)
		begin(t, shared);
	if (!on && t->since_ns) {
		t->since_ns = 0;
		atomic_store_explicit(&shared->on, 0, memory_order_relaxed);
	}
	vkf_mutex_unlock(&t->lock);
}
