/* SPDX-License-Identifier: MIT */
#include "gpu/aql.h"
#include "gpu/dispatch.h"
#include "gpu/pm4.h"
#include "gpu/ring.h"
#include "gpu/signal.h"
#include "gpu/vmem.h"
#include "spec/aql.h"
#include "spec/pm4.h"

#define SLOT_WORDS (AQL_SLOT_BYTES / 4)
#define N_DEPS     5
/* Of a work-group, on every chip we know. */
#define MAX_GROUP_ITEMS 1024
#define MAX_GROUP_BYTES 65536

static int bad(struct gpu_worker *w, const uint32_t *p, uint32_t error)
{
	return gpu_bad(w, p[0], aql_header_get_type(p), error);
}

/* The amd_queue_t around the pointers, or 0. */
static uint64_t amd_queue(const struct gpu_queue *q)
{
	return q->rptr_va - q->wptr_va == AQL_QUEUE_READ_ID - AQL_QUEUE_WRITE_ID
		       ? q->wptr_va - AQL_QUEUE_WRITE_ID
		       : 0;
}

static uint64_t slot_va(const struct gpu_queue *q, uint64_t index)
{
	struct gpu_stream s;

	gpu_stream_ring(q, 0, 0, &s);
	return s.va + index % (q->ring_bytes / AQL_SLOT_BYTES) * AQL_SLOT_BYTES;
}

static void read_deps(const uint32_t *p, uint64_t deps[N_DEPS])
{
	deps[0] = aql_barrier_get_dep0(p);
	deps[1] = aql_barrier_get_dep1(p);
	deps[2] = aql_barrier_get_dep2(p);
	deps[3] = aql_barrier_get_dep3(p);
	deps[4] = aql_barrier_get_dep4(p);
}

/* A signal handle of 0 is a satisfied dependency of an AND, and none of an OR. */
static int run_barrier(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	bool any = aql_header_get_type(p) == AQL_TYPE_BARRIER_OR;
	uint64_t deps[N_DEPS], value;
	unsigned int i;

	read_deps(p, deps);
	for (i = 0; i < N_DEPS; i++) {
		int e;

		if (!VKF_IS_ALIGNED(deps[i], (uint64_t)8))
			return bad(w, p, AQL_ERROR_PACKET);
		if (!deps[i])
			continue;
		e = gpu_signal_value(w, q->gpu, deps[i], &value);
		if (e)
			return e;
		if (any == !value)
			return any ? 0 : -EAGAIN;
	}
	return any ? -EAGAIN : 0;
}

static int run_barrier_value(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	uint64_t signal = aql_barrier_value_get_signal(p), raw;
	int64_t ref = (int64_t)aql_barrier_value_get_value(p), value;
	bool holds;
	int e;

	if (!VKF_IS_ALIGNED(signal, (uint64_t)8) || aql_barrier_value_get_cond(p) > AQL_COND_GTE)
		return bad(w, p, AQL_ERROR_VENDOR);
	if (!signal)
		return 0;
	e = gpu_signal_value(w, q->gpu, signal, &raw);
	if (e)
		return e;
	value = (int64_t)(raw & aql_barrier_value_get_mask(p));
	switch (aql_barrier_value_get_cond(p)) {
	case AQL_COND_EQ:
		holds = value == ref;
		break;
	case AQL_COND_NE:
		holds = value != ref;
		break;
	case AQL_COND_LT:
		holds = value < ref;
		break;
	default:
		holds = value >= ref;
	}
	return holds ? 0 : -EAGAIN;
}

static int run_pm4_ib(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	int e;

	if (!q->depth) {
		q->start_ts = gpu_worker_clock(w, q->gpu);
		e = gpu_pm4_begin(w, q, p + 1);
		if (e || !q->depth)
			return e;
	}
	return gpu_pm4_step(w, q);
}

static int run_vendor(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	switch (aql_header_get_vendor(p)) {
	case AQL_VENDOR_PM4_IB:
		return q->dialect ? run_pm4_ib(w, q, p) : bad(w, p, AQL_ERROR_VENDOR);
	case AQL_VENDOR_BARRIER_VALUE:
		return run_barrier_value(w, q, p);
	default:
		return bad(w, p, AQL_ERROR_VENDOR);
	}
}

/* What a packet processor refuses before it looks at the code; 0: nothing. */
static uint32_t dispatch_error(const uint32_t *p)
{
	uint32_t dimensions = aql_dispatch_get_dimensions(p);
	uint64_t items = (uint64_t)aql_dispatch_get_group_x(p) * aql_dispatch_get_group_y(p) *
			 aql_dispatch_get_group_z(p);

	if (!dimensions || !aql_dispatch_get_grid_x(p) || !aql_dispatch_get_grid_y(p) ||
	    !aql_dispatch_get_grid_z(p))
		return AQL_ERROR_DIMENSIONS;
	if (!items || items > MAX_GROUP_ITEMS)
		return AQL_ERROR_GROUP_SIZE;
	if (aql_dispatch_get_group_bytes(p) > MAX_GROUP_BYTES)
		return AQL_ERROR_GROUP_BYTES;
	return aql_dispatch_get_kernel_object(p) ? 0 : AQL_ERROR_CODE;
}

static int run_dispatch(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	const struct gpu_dispatch d = {
		.word = p[0],
		.opcode = aql_header_get_type(p),
		.grid = { aql_dispatch_get_grid_x(p), aql_dispatch_get_grid_y(p),
			  aql_dispatch_get_grid_z(p) },
		.in_threads = true,
		.aql = slot_va(q, q->rptr),
		.kernel_object = aql_dispatch_get_kernel_object(p),
	};
	uint32_t error = dispatch_error(p);

	return error ? bad(w, p, error) : gpu_dispatch(w, q, &d);
}

static int run_unknown(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	return bad(w, p, AQL_ERROR_PACKET);
}

static int (*const run_type[])(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p) = {
	[AQL_TYPE_VENDOR] = run_vendor,
	[AQL_TYPE_INVALID] = run_unknown,
	[AQL_TYPE_KERNEL_DISPATCH] = run_dispatch,
	[AQL_TYPE_BARRIER_AND] = run_barrier,
	[AQL_TYPE_AGENT_DISPATCH] = run_unknown,
	[AQL_TYPE_BARRIER_OR] = run_barrier,
};

/* Before there were vendor packets, a slot could hold PM4 packets instead of one of AQL's. */
static bool holds_pm4(const struct gpu_queue *q, const uint32_t *p)
{
	return q->dialect && !q->dialect->gfx9_packets && pm4_header_get_type(p) == PM4_TYPE_3;
}

static int run_slot(struct gpu_worker *w, struct gpu_queue *q)
{
	if (!q->depth) {
		q->ib[0] = (struct gpu_ib){ .va = slot_va(q, q->rptr), .words = SLOT_WORDS };
		q->depth = 1;
	}
	return gpu_pm4_step(w, q);
}

static int run(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	uint32_t type = aql_header_get_type(p);

	if (holds_pm4(q, p))
		return run_slot(w, q);
	if (!VKF_IS_ALIGNED(aql_header_get_completion(p), (uint64_t)8))
		return bad(w, p, AQL_ERROR_PACKET);
	return (type < VKF_ARRAY_SIZE(run_type) ? run_type[type] : run_unknown)(w, q, p);
}

static int wants_times(struct gpu_worker *w, const struct gpu_queue *q, bool *ret)
{
	uint64_t queue = amd_queue(q);
	uint32_t properties = AQL_QUEUE_PROFILING;
	int e = 0;

	if (queue)
		e = gpu_vmem_load32(w, q->gpu, queue + AQL_QUEUE_PROPERTIES, &properties);
	*ret = properties & AQL_QUEUE_PROFILING;
	return e;
}

static int complete_signal(struct gpu_worker *w, struct gpu_queue *q, uint64_t signal)
{
	struct gpu_signal_times times;
	bool wanted;
	int e;

	if (!signal)
		return 0;
	e = wants_times(w, q, &wanted);
	if (e)
		return e;
	times.end = gpu_worker_clock(w, q->gpu);
	times.start = q->start_ts ? q->start_ts : times.end;
	return gpu_signal_complete(w, q, signal, wanted ? &times : NULL);
}

/* The slot is the producer's again only when its type says so and the index has moved on. */
static int complete(struct gpu_worker *w, struct gpu_queue *q, uint64_t slot, const uint32_t *p)
{
	uint32_t header = p[0];
	int e;

	e = complete_signal(w, q, holds_pm4(q, p) ? 0 : aql_header_get_completion(p));
	q->depth = 0;
	q->done = 0;
	q->start_ts = 0;
	aql_header_set_type(&header, AQL_TYPE_INVALID);
	if (!e)
		e = gpu_vmem_store32(w, q->gpu, slot, header);
	return e ? e : gpu_ring_publish(w, q, q->rptr + 1);
}

/* Whether the slot at the read pointer holds a packet: 0, -ENODATA, -EFAULT. */
static int look(struct gpu_worker *w, const struct gpu_queue *q, uint64_t *ret_slot)
{
	uint64_t wptr, slot = slot_va(q, q->rptr);
	uint32_t header;
	int e;

	e = gpu_ring_wptr(w, q, &wptr);
	if (e)
		return e;
	if (q->rptr >= wptr)
		return -ENODATA;
	e = gpu_vmem_load32(w, q->gpu, slot, &header);
	if (e)
		return e;
	*ret_slot = slot;
	return aql_header_get_type(&header) == AQL_TYPE_INVALID ? -ENODATA : 0;
}

int gpu_aql_step(struct gpu_worker *w, struct gpu_queue *q)
{
	uint32_t p[SLOT_WORDS];
	uint64_t slot;
	int e;

	e = look(w, q, &slot);
	if (!e)
		e = gpu_vmem_read(w, q->gpu, slot, p, sizeof(p));
	if (e)
		return e;
	q->trace_op = aql_header_get_type(p);
	e = run(w, q, p);
	return e ? e : complete(w, q, slot, p);
}

void gpu_aql_refuse(struct gpu_worker *w, struct gpu_queue *q, uint32_t error)
{
	uint64_t queue = amd_queue(q), signal;

	if (!queue || gpu_vmem_load64(w, q->gpu, queue + AQL_QUEUE_INACTIVE_SIGNAL, &signal) ||
	    !signal)
		return;
	/* Best effort: a queue whose owner gave it a wild signal is given up all the same. */
	(void)gpu_signal_set(w, q, signal, error);
}
