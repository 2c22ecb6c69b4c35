/* SPDX-License-Identifier: MIT */
#include "gpu/sdma.h"
#include "gpu/atomic.h"
#include "gpu/compare.h"
#include "gpu/irq.h"
#include "gpu/ring.h"
#include "gpu/sdma_copy.h"
#include "gpu/semaphore.h"
#include "gpu/vmem.h"
#include "spec/sdma_v4.h"
#include "spec/tc_op.h"

#define MAX_FIXED_WORDS SDMA_V4_RECT_WORDS
#define IB_ALIGN        UINT64_C(32)
/* The engine's clock runs at about 1 GHz: so long is a cycle between two polls. */
#define CYCLE_NS 1

typedef int (*sdma_run_fn)(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			   const uint32_t *p);

/* struct sdma_op - one packet that we know */
struct sdma_op {
	uint8_t op, sub_op;
	uint8_t words; /* its fixed part */
	/* Words in all, from the fixed part; NULL: fixed. */
	uint64_t (*total)(const struct gpu_queue *q, const uint32_t *p);
	sdma_run_fn run;
};

static uint64_t nop_total(const struct gpu_queue *q, const uint32_t *p)
{
	return SDMA_V4_NOP_WORDS + (uint64_t)sdma_v4_nop_get_count(p);
}

static uint64_t copy_total(const struct gpu_queue *q, const uint32_t *p)
{
	return sdma_v4_copy_get_broadcast(p) ? SDMA_V4_BROADCAST_WORDS : SDMA_V4_COPY_WORDS;
}

static uint64_t write_total(const struct gpu_queue *q, const uint32_t *p)
{
	return SDMA_V4_WRITE_WORDS + gpu_sdma_write_words(q, p);
}

static int bad(struct gpu_worker *w, const uint32_t *p)
{
	return gpu_bad(w, p[0], sdma_v4_header_get_op(p), 0);
}

/* A packet that goes on behind what is there yet: the rest of a ring will come if it has room. */
static int cut_short(struct gpu_worker *w, const struct gpu_stream *s, const uint32_t *p,
		     uint64_t words)
{
	if (!s->wrap || words * 4 > s->wrap)
		return bad(w, p);
	return -ENODATA;
}

static int run_nothing(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		       const uint32_t *p)
{
	return 0;
}

/* An engine has one set of registers for an indirect buffer, whose base has no low bits: there is
 * no buffer in a buffer. */
static int run_indirect(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			const uint32_t *p)
{
	uint64_t base = VKF_ALIGN_DOWN(sdma_v4_indirect_get_base(p), IB_ALIGN);

	if (q->depth)
		return bad(w, p);
	if (!sdma_v4_indirect_get_size(p))
		return 0;
	q->ib[0] = (struct gpu_ib){ .va = base, .words = sdma_v4_indirect_get_size(p) };
	q->depth = 1;
	return -EINPROGRESS;
}

static int run_fence(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		     const uint32_t *p)
{
	uint64_t addr = sdma_v4_fence_get_addr(p);

	if (!VKF_IS_ALIGNED(addr, (uint64_t)4))
		return bad(w, p);
	return gpu_vmem_store32(w, q->gpu, addr, sdma_v4_fence_get_data(p));
}

static int run_trap(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		    const uint32_t *p)
{
	gpu_irq_post_event(q, sdma_v4_trap_get_ctx(p));
	return 0;
}

static int run_sem(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		   const uint32_t *p)
{
	uint64_t addr = sdma_v4_sem_get_addr(p);

	if (sdma_v4_sem_get_mailbox(p))
		return bad(w, p);
	if (sdma_v4_sem_get_signal(p))
		return gpu_semaphore_signal(w, q->gpu, addr, sdma_v4_sem_get_write_one(p));
	return gpu_semaphore_wait(w, q->gpu, addr);
}

/* Whether a poll that failed has failed for as long as its retries take; the interrupt that the
 * hardware then raises is not told to anybody by KFD. */
static bool gave_up(struct gpu_worker *w, struct gpu_queue *q, uint32_t retry, uint32_t interval)
{
	const struct gpu_engine *engine = w->engine;
	uint64_t now;

	if (retry == SDMA_V4_POLL_FOREVER)
		return false;
	now = engine->ops->now_ns(engine->cookie);
	if (!q->poll_ns)
		q->poll_ns = VKF_MAX(now, UINT64_C(1));
	return now - q->poll_ns >= (uint64_t)retry * VKF_MAX(interval, 1u) * CYCLE_NS;
}

/* What registers hold is nothing that a user's queue is told: of their polls only those are
 * understood that pass in any case, or flush the HDP cache. */
static int run_poll(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		    const uint32_t *p)
{
	uint64_t addr = sdma_v4_poll_get_addr(p);
	uint32_t value;
	int e;

	if (!sdma_v4_poll_get_mem(p))
		return sdma_v4_poll_get_hdp_flush(p) || !sdma_v4_poll_get_func(p) ? 0 : bad(w, p);
	if (sdma_v4_poll_get_func(p) >= GPU_COMPARE_FUNCS || !VKF_IS_ALIGNED(addr, (uint64_t)4))
		return bad(w, p);
	e = gpu_vmem_load32(w, q->gpu, addr, &value);
	if (e)
		return e;
	if (gpu_compare(sdma_v4_poll_get_func(p), value & sdma_v4_poll_get_mask(p),
			sdma_v4_poll_get_value(p)))
		return 0;
	return gave_up(w, q, sdma_v4_poll_get_retry(p), sdma_v4_poll_get_interval(p)) ? 0 : -EAGAIN;
}

/* The common one, by which a copy says that it is complete, is a single locked addition. */
static int run_atomic(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		      const uint32_t *p)
{
	const struct gpu_atomic a = {
		.op = sdma_v4_atomic_get_op(p),
		.va = sdma_v4_atomic_get_addr(p),
		.src = sdma_v4_atomic_get_data(p),
		.cmp = sdma_v4_atomic_get_cmp(p),
	};
	bool loop = sdma_v4_atomic_get_loop(p);
	uint64_t old;
	int e;

	if (!gpu_atomic_known(a.op) || (loop && !gpu_atomic_compares(a.op)) ||
	    !VKF_IS_ALIGNED(a.va, (uint64_t)(gpu_atomic_wide(a.op) ? 8 : 4)))
		return bad(w, p);
	if (a.op == (TC_OP_ADD | TC_OP_WIDE_MASK))
		return gpu_vmem_add64(w, q->gpu, a.va, a.src);
	e = gpu_atomic_run(w, q->gpu, &a, &old);
	return !e && loop && !gpu_atomic_matched(&a, old) ? -EAGAIN : e;
}

static int write_clock(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p, uint64_t ahead)
{
	uint64_t addr = VKF_ALIGN_DOWN(sdma_v4_timestamp_get_addr(p), (uint64_t)8);

	return gpu_vmem_store64(w, q->gpu, addr, gpu_worker_clock(w, q->gpu) + ahead);
}

/* The local clock ticks as the global one does, from where it was set. */
static int run_timestamp_set(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			     const uint32_t *p)
{
	w->engine->sdma_ahead[q->gpu] =
		sdma_v4_timestamp_set_get_value(p) - gpu_worker_clock(w, q->gpu);
	return 0;
}

static int run_timestamp_get(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			     const uint32_t *p)
{
	return write_clock(w, q, p, w->engine->sdma_ahead[q->gpu]);
}

static int run_timestamp_global(struct gpu_worker *w, struct gpu_queue *q,
				const struct gpu_stream *s, const uint32_t *p)
{
	return write_clock(w, q, p, 0);
}

/* Skip so many words of the same stream, or none: the packet ends behind what it skips. */
static int run_cond_exe(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			const uint32_t *p)
{
	uint64_t addr = sdma_v4_cond_exe_get_addr(p), count = sdma_v4_cond_exe_get_count(p);
	uint32_t value;
	int e;

	if (!VKF_IS_ALIGNED(addr, (uint64_t)4))
		return bad(w, p);
	e = gpu_vmem_load32(w, q->gpu, addr, &value);
	if (e || value == sdma_v4_cond_exe_get_reference(p))
		return e;
	if ((SDMA_V4_COND_EXE_WORDS + count) * 4 > s->avail)
		return cut_short(w, s, p, SDMA_V4_COND_EXE_WORDS + count);
	q->skip = count;
	return 0;
}

static const struct sdma_op ops[] = {
	{ SDMA_V4_OP_NOP, 0, SDMA_V4_NOP_WORDS, nop_total, run_nothing },
	{ SDMA_V4_OP_COPY, SDMA_V4_SUB_COPY_LINEAR, SDMA_V4_COPY_WORDS, copy_total,
	  gpu_sdma_copy_linear },
	{ SDMA_V4_OP_COPY, SDMA_V4_SUB_COPY_RECT, SDMA_V4_RECT_WORDS, NULL, gpu_sdma_copy_rect },
	{ SDMA_V4_OP_WRITE, 0, SDMA_V4_WRITE_WORDS, write_total, gpu_sdma_write_linear },
	{ SDMA_V4_OP_INDIRECT, 0, SDMA_V4_INDIRECT_WORDS, NULL, run_indirect },
	{ SDMA_V4_OP_FENCE, 0, SDMA_V4_FENCE_WORDS, NULL, run_fence },
	{ SDMA_V4_OP_TRAP, 0, SDMA_V4_TRAP_WORDS, NULL, run_trap },
	{ SDMA_V4_OP_POLL_REGMEM, 0, SDMA_V4_POLL_WORDS, NULL, run_poll },
	{ SDMA_V4_OP_COND_EXE, 0, SDMA_V4_COND_EXE_WORDS, NULL, run_cond_exe },
	{ SDMA_V4_OP_ATOMIC, 0, SDMA_V4_ATOMIC_WORDS, NULL, run_atomic },
	{ SDMA_V4_OP_CONST_FILL, 0, SDMA_V4_FILL_WORDS, NULL, gpu_sdma_fill },
	{ SDMA_V4_OP_TIMESTAMP, SDMA_V4_SUB_TIMESTAMP_GET_GLOBAL, SDMA_V4_TIMESTAMP_WORDS, NULL,
	  run_timestamp_global },
	{ SDMA_V4_OP_TIMESTAMP, SDMA_V4_SUB_TIMESTAMP_GET, SDMA_V4_TIMESTAMP_WORDS, NULL,
	  run_timestamp_get },
	{ SDMA_V4_OP_TIMESTAMP, SDMA_V4_SUB_TIMESTAMP_SET, SDMA_V4_TIMESTAMP_SET_WORDS, NULL,
	  run_timestamp_set },
	{ SDMA_V4_OP_SEM, 0, SDMA_V4_SEM_WORDS, NULL, run_sem },
	{ SDMA_V4_OP_PTEPDE, SDMA_V4_SUB_PTEPDE_GEN, SDMA_V4_PTEPDE_WORDS, NULL, gpu_sdma_ptepde },
	/* No register is a user's to write: the hardware drops it and goes on (its interrupt 247,
	 * "SRBM write protection", which KFD does not look at). */
	{ SDMA_V4_OP_SRBM_WRITE, 0, SDMA_V4_SRBM_WRITE_WORDS, NULL, run_nothing },
	{ SDMA_V4_OP_DUMMY_TRAP, 0, SDMA_V4_DUMMY_TRAP_WORDS, NULL, run_nothing },
	{ SDMA_V4_OP_DUMMY_TRAP_V6, 0, SDMA_V4_DUMMY_TRAP_WORDS, NULL, run_nothing },
};

static const struct sdma_op *find_op(const uint32_t *header)
{
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(ops); i++) {
		if (ops[i].op == sdma_v4_header_get_op(header) &&
		    ops[i].sub_op == sdma_v4_header_get_sub_op(header))
			return &ops[i];
	}
	return NULL;
}

/* Read the fixed part of the packet at hand into @p, and say how long all of it is. */
static int fetch(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		 const struct sdma_op **ret_op, uint32_t p[MAX_FIXED_WORDS], uint64_t *ret_words)
{
	const struct sdma_op *op;
	uint64_t words, have = s->avail / 4;
	int e;

	if (!have)
		return -ENODATA;
	e = gpu_stream_read(w, s, 0, p, 1);
	if (e)
		return e;
	q->trace_op = p[0] & 0xffff;
	op = find_op(p);
	if (!op)
		return bad(w, p);
	if (op->words > have)
		return cut_short(w, s, p, op->words);
	e = gpu_stream_read(w, s, 1, p + 1, op->words - 1u);
	if (e)
		return e;
	words = op->total ? op->total(q, p) : op->words;
	if (words > have)
		return cut_short(w, s, p, words);
	/* What follows the fixed part belongs to the packet only now that it is known to be there.
	 */
	if (words <= MAX_FIXED_WORDS && words > op->words)
		e = gpu_stream_read(w, s, op->words, p + op->words,
				    (unsigned int)words - op->words);
	if (e)
		return e;
	*ret_op = op;
	*ret_words = words;
	return 0;
}

/* The hardware's pointers wrap with the ring: so does the distance between them. */
static uint64_t distance(const struct gpu_queue *q, uint64_t wptr)
{
	uint64_t d = wptr - q->rptr;

	if (d > q->ring_bytes)
		d %= q->ring_bytes;
	return VKF_ALIGN_DOWN(d, (uint64_t)4);
}

static int open_ring(struct gpu_worker *w, struct gpu_queue *q, struct gpu_stream *ret)
{
	uint64_t wptr, d;
	int e;

	e = gpu_ring_wptr(w, q, &wptr);
	if (e)
		return e;
	wptr = VKF_ALIGN_DOWN(wptr, (uint64_t)4);
	if (q->dialect->narrow_pointers) {
		q->rptr %= q->ring_bytes;
		d = (wptr % q->ring_bytes + q->ring_bytes - q->rptr) % q->ring_bytes;
	} else {
		d = distance(q, wptr);
		if (wptr - q->rptr != d)
			q->rptr = wptr - d;
	}
	gpu_stream_ring(q, q->rptr, d, ret);
	return 0;
}

/* Where the read pointer is after @words more. */
static uint64_t advanced(const struct gpu_queue *q, uint64_t words)
{
	uint64_t rptr = q->rptr + words * 4;

	return q->dialect->narrow_pointers ? rptr % q->ring_bytes : rptr;
}

/* The packet at hand, of @words words, is complete: in an indirect buffer, or in the ring. */
static int complete(struct gpu_worker *w, struct gpu_queue *q, uint64_t words)
{
	words += q->skip;
	q->skip = 0;
	q->done = 0;
	q->poll_ns = 0;
	if (q->depth) {
		q->ib[0].pos += (uint32_t)words;
		if (q->ib[0].pos < q->ib[0].words)
			return -EINPROGRESS;
		q->depth = 0;
		words = SDMA_V4_INDIRECT_WORDS;
	}
	return gpu_ring_publish(w, q, advanced(q, words));
}

int gpu_sdma_step(struct gpu_worker *w, struct gpu_queue *q)
{
	uint32_t p[MAX_FIXED_WORDS];
	const struct sdma_op *op;
	struct gpu_stream s;
	uint64_t words;
	int e = 0;

	if (q->depth)
		gpu_stream_ib(q, &q->ib[0], &s);
	else
		e = open_ring(w, q, &s);
	if (!e)
		e = fetch(w, q, &s, &op, p, &words);
	if (!e)
		e = op->run(w, q, &s, p);
	return e ? e : complete(w, q, words);
}
