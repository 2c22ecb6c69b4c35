/* SPDX-License-Identifier: MIT */
/**
 * DOC: Queues of simulated programs, and packets whose effect is known
 */
#include "sim_program.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kfd/queue.h"
#include "sim_calls.h"
#include "spec/aql.h"
#include "spec/pm4.h"
#include "spec/sdma_v4.h"
#include "spec/tc_op.h"

#define WPTR_OFF AQL_QUEUE_WRITE_ID
#define RPTR_OFF AQL_QUEUE_READ_ID
#define MSEC     VKF_NSEC_PER_MSEC
#define DOUBT_NS (UINT64_C(1000000) * MSEC) /* by then whatever will be done is */
#define LOST_MS  5000u /* a completion that is not announced within this was lost */

/* ------------------------------------------------ queues */

bool prog_is_sdma(const struct prog_queue *q)
{
	return q->type == KFD_IOC_QUEUE_TYPE_SDMA;
}

static bool is_aql(const struct prog_queue *q)
{
	return q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL;
}

/* Return: 0 with a buffer that the queue's GPU sees, or nothing left. */
static int queue_buf(struct prog *pr, struct prog_buf *b, unsigned int gpu, uint64_t size)
{
	int r = prog_alloc(pr, b, PROG_GTT, gpu, size, PROG_GTT_FLAGS);

	if (r)
		return r;
	r = prog_map(pr, b, 1u << gpu);
	if (r)
		prog_drop_buf(pr, b);
	return r;
}

static void queue_free_bufs(struct prog *pr, struct prog_queue *q)
{
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(q->bufs); i++)
		prog_drop_buf(pr, &q->bufs[i]);
}

static uint64_t cwsr_bytes(const struct machine_asic *asic)
{
	return VKF_ALIGN_UP((uint64_t)asic->cwsr_bytes + kfd_debug_bytes(asic), VKF_PAGE_SIZE);
}

static int queue_alloc_bufs(struct prog *pr, struct prog_queue *q)
{
	const struct machine_asic *asic = &pr->m->profile.gpus[q->gpu].asic;
	const uint64_t size[] = { VKF_PAGE_SIZE, VKF_PAGE_SIZE, cwsr_bytes(asic),
				  VKF_ALIGN_UP(asic->eop_bytes, VKF_PAGE_SIZE) };
	int r = 0;

	for (unsigned int i = 0; !r && i < (prog_is_sdma(q) ? 2u : 4u); i++)
		r = queue_buf(pr, &q->bufs[i], q->gpu, size[i]);
	if (r)
		queue_free_bufs(pr, q);
	return r;
}

static void queue_args(struct prog *pr, const struct prog_queue *q, struct kfd_create_queue_args *a)
{
	const struct machine_asic *asic = &pr->m->profile.gpus[q->gpu].asic;

	*a = (struct kfd_create_queue_args){
		.ring_base_address = q->ring->va,
		.ring_size = q->ring_bytes,
		.write_pointer_address = q->pointers->va + WPTR_OFF,
		.read_pointer_address = q->pointers->va + RPTR_OFF,
		.gpu_id = prog_gpu_id(pr, q->gpu),
		.queue_type = q->type,
		.queue_percentage = 100,
		.queue_priority = 7,
	};
	if (prog_is_sdma(q))
		return;
	a->ctx_save_restore_address = q->cwsr->va;
	a->ctx_save_restore_size = asic->cwsr_bytes;
	a->ctl_stack_size = asic->ctl_stack_bytes;
	a->eop_buffer_address = q->eop->va;
	a->eop_buffer_size = asic->eop_bytes;
}

/* All processes share the queues of a GPU's SDMA engines. */
static bool sdma_is_tight(const struct prog *pr, const struct prog_queue *q)
{
	const struct machine_asic *asic = &pr->m->profile.gpus[q->gpu].asic;

	return prog_is_sdma(q) &&
	       pr->m->wanted_sdma[q->gpu] > asic->sdma_engines * asic->sdma_queues_per_engine;
}

static void want_sdma(struct prog *pr, const struct prog_queue *q, int n)
{
	if (!prog_is_sdma(q))
		return;
	pr->m->wanted_sdma[q->gpu] += (unsigned int)n;
	pr->s->wanted_sdma[q->gpu] += (unsigned int)n;
	pr->m->sdma_shortages[q->gpu] += sdma_is_tight(pr, q);
}

static volatile uint64_t *map_doorbell(struct prog *pr, uint64_t offset)
{
	int r;
	char *page = msim_mmap(pr->t, pr->s->kfd, VKF_ALIGN_DOWN(offset, 8192), 8192, &r);

	if (!page)
		msim_fail(pr->m, "%s: mmap of doorbells gave %d", pr->t->name, r);
	return (volatile uint64_t *)(page + offset % 8192);
}

/* Slots of an AQL ring are born INVALID; another ring is whatever was there. */
static void queue_reset_memory(struct prog_queue *q)
{
	for (uint64_t i = 0; i < q->ring_bytes; i += AQL_SLOT_BYTES)
		*(uint32_t *)(q->ring->cpu + i) = is_aql(q) ? AQL_TYPE_INVALID : ~0u;
	memset(q->pointers->cpu, 0, VKF_PAGE_SIZE);
	q->wptr = 0;
}

/* Now and then, if no other queue of the process has it. */
static void try_gws(struct prog *pr, struct prog_queue *q)
{
	struct kfd_ioctl_alloc_queue_gws_args args = { .queue_id = q->id, .num_gws = 1 };
	int r;

	if (prog_is_sdma(q) || !msim_chance(pr->m, 2) || !pr->m->profile.gpus[q->gpu].asic.num_gws)
		return;
	r = msim_ioctl(pr->t, pr->s->kfd, K_ALLOC_GWS, &args);
	if (r != -EBUSY)
		q->has_gws = !prog_expect(pr, "ALLOC_QUEUE_GWS", r, 0, false);
}

int prog_queue_create(struct prog *pr, struct prog_queue *q, uint32_t type, unsigned int gpu)
{
	struct kfd_create_queue_args args;
	bool early = msim_chance(pr->m, 2), tight;
	uint64_t shortages;
	int r;

	q->type = type;
	q->gpu = gpu;
	/* Small ones wrap, and fill up, soon. */
	q->ring_bytes = 1024u << 2 * msim_random(pr->m, 2);
	r = queue_alloc_bufs(pr, q);
	if (r)
		return r;
	queue_reset_memory(q);
	queue_args(pr, q, &args);
	if (early)
		msim_start_engine(pr->p);
	want_sdma(pr, q, 1);
	tight = sdma_is_tight(pr, q);
	shortages = pr->m->sdma_shortages[gpu];
	r = msim_ioctl(pr->t, pr->s->kfd, K_CREATE_QUEUE, &args);
	/* Others may have come and gone meanwhile. */
	tight |= shortages != pr->m->sdma_shortages[gpu];
	msim_trace(pr->m, "queue of type %u on %u: %d, id %u", type, gpu, r, args.queue_id);
	if (prog_expect(pr, "CREATE_QUEUE", r, 0, tight)) {
		want_sdma(pr, q, -1);
		queue_free_bufs(pr, q);
		return r;
	}
	msim_start_engine(pr->p);
	q->live = true;
	q->broken = q->stopped = q->has_gws = false;
	q->id = args.queue_id;
	q->n_flights = 0;
	q->doorbell = map_doorbell(pr, args.doorbell_offset);
	pr->s->n_queues++;
	try_gws(pr, q);
	return 0;
}

void prog_forget_flight(struct prog_flight *f)
{
	if (f->batch)
		prog_batch_lost(f->batch);
	prog_batch_free(f->batch);
	f->batch = NULL;
	if (f->src)
		f->src->readers--;
	if (f->dst) {
		f->dst->writers--;
		prog_forget(f->dst);
	}
	f->q->n_flights--;
	f->q = NULL;
}

/* What was under way has happened, or never will: it may be written over now, where it would have
 * been. */
static void overwrite_flight(struct prog *pr, struct prog_flight *f)
{
	struct prog_buf *dst = f->dst;
	uint64_t at = f->dst_at, len = f->len;

	if (f->batch)
		prog_batch_refill(pr, f->batch);
	if (dst)
		prog_fill_range(pr, dst, at, len);
	if (f->batch) {
		prog_batch_free(f->batch);
		f->batch = NULL;
	}
	if (dst)
		dst->writers--;
	if (f->src)
		f->src->readers--;
	f->q->n_flights--;
	f->q = NULL;
}

/* One that was given up may still be in the midst of something. */
static void wait_for_engine(struct prog *pr)
{
	while (msim_engine_is_lost(pr->p) && !msim_engine_has_left(pr->p) && !pr->p->dying)
		vkf_sleep_ns(MSEC, false);
}

int prog_queue_destroy(struct prog *pr, struct prog_queue *q)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = q->id };
	int r = msim_ioctl(pr->t, pr->s->kfd, K_DESTROY_QUEUE, &args);

	/* It is gone although its engine has not answered. */
	if (prog_expect(pr, "DESTROY_QUEUE", r, 0, false) && r != -ETIME)
		return r;
	want_sdma(pr, q, -1);
	q->live = false;
	pr->s->n_queues--;
	wait_for_engine(pr);
	for (unsigned int i = 0; i < PROG_FLIGHTS; i++) {
		if (pr->flights[i].q == q)
			overwrite_flight(pr, &pr->flights[i]);
	}
	queue_free_bufs(pr, q);
	return 0;
}

/* ------------------------------------------------ packets */

static volatile uint64_t *signal_value(const struct prog *pr, unsigned int signal)
{
	return (volatile uint64_t *)(pr->signals.cpu + signal * 64 + AQL_SIGNAL_VALUE);
}

uint64_t prog_signal_va(const struct prog *pr, unsigned int signal)
{
	return pr->signals.va + signal * 64;
}

static uint64_t slot_va(const struct prog *pr, uint32_t event)
{
	return pr->s->page.va + event * sizeof(uint64_t);
}

static uint64_t queue_rptr(const struct prog_queue *q)
{
	return *(volatile uint64_t *)(q->pointers->cpu + RPTR_OFF);
}

bool prog_is_lost(const struct prog *pr)
{
	return pr->p->reset != MSIM_NOT_RESET || msim_engine_is_lost(pr->p);
}

bool prog_gpu_runs(const struct prog *pr, unsigned int gpu)
{
	return pr->s->gpu[gpu] == PROG_GPU_RUNS && !prog_is_lost(pr);
}

static bool gpu_runs(const struct prog *pr, const struct prog_queue *q)
{
	return prog_gpu_runs(pr, q->gpu);
}

/* What is in the ring, in its own units. */
static uint64_t queue_used(const struct prog_queue *q)
{
	uint64_t used = q->wptr - queue_rptr(q);

	/* The read pointer of PM4 wraps with the ring. */
	return q->type == KFD_IOC_QUEUE_TYPE_COMPUTE ? used % (q->ring_bytes / 4) : used;
}

static void let_go(struct prog *pr, struct prog_flight *f)
{
	if (f->held)
		prog_release(pr, f->held, 1);
	f->held = 0;
}

static void let_all_go(struct prog *pr, const struct prog_queue *q)
{
	for (unsigned int i = 0; i < PROG_FLIGHTS; i++) {
		if (pr->flights[i].q == q)
			let_go(pr, &pr->flights[i]);
	}
}

/* Wait for room in the ring. False: there will be none. */
static bool wait_for_room(struct prog *pr, struct prog_queue *q, uint64_t units, uint64_t capacity)
{
	uint64_t begun = vkf_now_ns();

	while (queue_used(q) + units > capacity) {
		let_all_go(pr, q);
		if (pr->p->dying || q->broken || q->stopped || !gpu_runs(pr, q))
			return false;
		if (vkf_now_ns() - begun > PROG_SETTLE_NS)
			msim_fail(pr->m, "%s: queue %u does not get on", pr->t->name, q->id);
		vkf_sleep_ns(10000, false);
	}
	return true;
}

void prog_ring(struct prog *pr, struct prog_queue *q)
{
	*(volatile uint64_t *)(q->pointers->cpu + WPTR_OFF) = q->wptr;
	msim_ring(pr->t, q->doorbell, is_aql(q) ? q->wptr - 1 : q->wptr);
}

bool prog_put_words(struct prog *pr, struct prog_queue *q, const uint32_t *words, unsigned int n)
{
	unsigned int unit = prog_is_sdma(q) ? 4 : 1;

	if (!wait_for_room(pr, q, n * unit, (q->ring_bytes - 4) / 4 * unit))
		return false;
	for (unsigned int i = 0; i < n; i++)
		*(uint32_t *)(q->ring->cpu + (q->wptr * (4 / unit) + i * 4) % q->ring_bytes) =
			words[i];
	q->wptr += n * unit;
	return true;
}

bool prog_put_aql(struct prog *pr, struct prog_queue *q, const uint32_t *packet)
{
	uint32_t *slot = (uint32_t *)(q->ring->cpu + q->wptr * AQL_SLOT_BYTES % q->ring_bytes);

	if (!wait_for_room(pr, q, 1, q->ring_bytes / AQL_SLOT_BYTES))
		return false;
	memcpy(slot + 1, packet + 1, AQL_SLOT_BYTES - 4);
	vkf_point("packet");
	*(volatile uint32_t *)slot = packet[0];
	q->wptr++;
	return true;
}

struct prog_flight *prog_take_flight(struct prog *pr, struct prog_queue *q)
{
	for (unsigned int i = 0; i < PROG_FLIGHTS; i++) {
		struct prog_flight *f = &pr->flights[i];
		unsigned char *signal = pr->signals.cpu + i * 64;

		if (f->q)
			continue;
		*f = (struct prog_flight){ .q = q, .signal = i };
		*signal_value(pr, i) = 1;
		*(uint64_t *)(signal + AQL_SIGNAL_MAILBOX) = slot_va(pr, pr->done_event);
		*(uint32_t *)(signal + AQL_SIGNAL_EVENT_ID) = pr->done_event;
		q->n_flights++;
		return f;
	}
	return NULL;
}

/* What ROCr puts behind a copy: the signal goes down, the event's slot is written, an interrupt. */
static unsigned int sdma_completion(const struct prog *pr, uint32_t *w, unsigned int signal)
{
	uint32_t *at = w;

	sdma_v4_header_set_op(at, SDMA_V4_OP_ATOMIC);
	sdma_v4_atomic_set_op(at, TC_OP_ADD | TC_OP_WIDE_MASK);
	sdma_v4_atomic_set_addr(at, prog_signal_va(pr, signal) + AQL_SIGNAL_VALUE);
	sdma_v4_atomic_set_data(at, UINT64_MAX);
	at += SDMA_V4_ATOMIC_WORDS;
	sdma_v4_header_set_op(at, SDMA_V4_OP_FENCE);
	sdma_v4_fence_set_addr(at, slot_va(pr, pr->done_event));
	sdma_v4_fence_set_data(at, pr->done_event);
	at += SDMA_V4_FENCE_WORDS;
	sdma_v4_header_set_op(at, SDMA_V4_OP_TRAP);
	sdma_v4_trap_set_ctx(at, pr->done_event);
	return (unsigned int)(at + SDMA_V4_TRAP_WORDS - w);
}

static void pm4_release(uint32_t *w, uint32_t data_sel, uint64_t addr, uint64_t data)
{
	pm4_header_set_type(w, PM4_TYPE_3);
	pm4_header_set_op(w, PM4_OP_RELEASE_MEM);
	pm4_header_set_count(w, PM4_RELEASE_MEM_WORDS - 2);
	pm4_release_mem_set_data_sel(w, data_sel);
	pm4_release_mem_set_addr(w, addr);
	pm4_release_mem_set_data(w, data);
}

/* The same in PM4. The slot comes after the signal: another queue's interrupt may take it at once.
 */
static unsigned int pm4_completion(const struct prog *pr, uint32_t *w, unsigned int signal)
{
	uint32_t *at = w + PM4_RELEASE_MEM_WORDS;

	pm4_release(w, PM4_DATA_64, prog_signal_va(pr, signal) + AQL_SIGNAL_VALUE, 0);
	pm4_release(at, PM4_DATA_32, slot_va(pr, pr->done_event), pr->done_event);
	pm4_release_mem_set_int_sel(at, PM4_INT_CONFIRM);
	pm4_release_mem_set_ctx(at, pr->done_event);
	return 2 * PM4_RELEASE_MEM_WORDS;
}

bool prog_put_completion(struct prog *pr, struct prog_queue *q, unsigned int signal)
{
	uint32_t w[32] = { 0 };
	unsigned int n =
		prog_is_sdma(q) ? sdma_completion(pr, w, signal) : pm4_completion(pr, w, signal);

	return prog_put_words(pr, q, w, n);
}

unsigned int prog_copy_packet(uint32_t *w, uint64_t dst, uint64_t src, uint64_t len)
{
	sdma_v4_header_set_op(w, SDMA_V4_OP_COPY);
	sdma_v4_copy_set_count(w, (uint32_t)len - 1);
	sdma_v4_copy_set_src(w, src);
	sdma_v4_copy_set_dst(w, dst);
	return SDMA_V4_COPY_WORDS;
}

struct prog_flight *prog_copy_range(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
				    uint64_t dst_at, struct prog_buf *src, uint64_t src_at,
				    uint64_t len)
{
	struct prog_flight *f = prog_take_flight(pr, q);
	uint32_t w[64] = { 0 };
	unsigned int n;

	if (!f)
		return NULL;
	n = prog_copy_packet(w, dst->va + dst_at, src->va + src_at, len);
	n += sdma_completion(pr, w + n, f->signal);
	f->src = src;
	f->dst = dst;
	f->dst_at = dst_at;
	f->src_at = src_at;
	f->len = len;
	src->readers++;
	dst->writers++;
	if (!prog_put_words(pr, q, w, n)) {
		prog_forget_flight(f);
		return NULL;
	}
	msim_trace(pr->m, "copy of %" PRIu64 " on queue %u", len, q->id);
	prog_ring(pr, q);
	return f;
}

struct prog_flight *prog_copy(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
			      struct prog_buf *src, uint64_t len)
{
	return prog_copy_range(pr, q, dst, 0, src, 0, len);
}

struct prog_flight *prog_barrier(struct prog *pr, struct prog_queue *q,
				 const struct prog_flight *dep)
{
	struct prog_flight *f = prog_take_flight(pr, q);
	uint32_t w[AQL_SLOT_BYTES / 4] = { 0 };

	if (!f)
		return NULL;
	aql_header_set_type(w, AQL_TYPE_BARRIER_AND);
	aql_header_set_completion(w, prog_signal_va(pr, f->signal));
	if (dep)
		aql_barrier_set_dep3(w, prog_signal_va(pr, dep->signal));
	if (!prog_put_aql(pr, q, w)) {
		prog_forget_flight(f);
		return NULL;
	}
	prog_ring(pr, q);
	return f;
}

/* A packet that holds the queue up until the CPU has stored @value at signal @signal. */
bool prog_hold(struct prog *pr, struct prog_queue *q, unsigned int signal, uint32_t value)
{
	uint32_t w[SDMA_V4_POLL_WORDS] = { 0 };

	sdma_v4_header_set_op(w, SDMA_V4_OP_POLL_REGMEM);
	sdma_v4_poll_set_mem(w, 1);
	sdma_v4_poll_set_func(w, 3); /* equal */
	sdma_v4_poll_set_addr(w, prog_signal_va(pr, signal) + AQL_SIGNAL_VALUE);
	sdma_v4_poll_set_value(w, value);
	sdma_v4_poll_set_mask(w, ~0u);
	sdma_v4_poll_set_retry(w, SDMA_V4_POLL_FOREVER);
	*signal_value(pr, signal) = ~(uint64_t)value;
	return prog_put_words(pr, q, w, SDMA_V4_POLL_WORDS);
}

void prog_release(struct prog *pr, unsigned int signal, uint32_t value)
{
	*signal_value(pr, signal) = value;
}

bool prog_signal_is_done(const struct prog *pr, const struct prog_flight *f)
{
	return *signal_value(pr, f->signal) == 0;
}

static void landed(struct prog *pr, struct prog_flight *f)
{
	struct prog_flight was = *f;

	if (*signal_value(pr, f->signal))
		msim_fail(pr->m, "%s: a signal went past zero", pr->t->name);
	pr->n_flights++;
	pr->m->n.flights++;
	if (was.batch) {
		prog_batch_landed(pr, was.batch);
		prog_batch_free(was.batch);
		f->batch = NULL;
	}
	prog_forget_flight(f);
	if (!was.dst)
		return;
	prog_know_copy(was.dst, was.dst_at, was.src, was.src_at, was.len);
	prog_verify(pr, was.dst);
}

/* A packet that stores @value at signal @signal. */
bool prog_put_store(struct prog *pr, struct prog_queue *q, unsigned int signal, uint32_t value)
{
	uint32_t w[SDMA_V4_FENCE_WORDS] = { 0 };

	sdma_v4_header_set_op(w, SDMA_V4_OP_FENCE);
	sdma_v4_fence_set_addr(w, prog_signal_va(pr, signal) + AQL_SIGNAL_VALUE);
	sdma_v4_fence_set_data(w, value);
	return prog_put_words(pr, q, w, SDMA_V4_FENCE_WORDS);
}

uint64_t prog_signal_value(const struct prog *pr, unsigned int signal)
{
	return *signal_value(pr, signal);
}

/* An interrupt that does not come although the work is done was lost. The queue may have been
 * stopped between the two, and so may the process. */
static void expect_interrupt(struct prog *pr, const struct prog_flight *f)
{
	uint32_t result;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t n_stops = pr->p->n_stops;

		if (prog_wait(pr, &pr->done_event, 1, false, LOST_MS, &result) ||
		    result == KFD_IOC_WAIT_RESULT_COMPLETE || !gpu_runs(pr, f->q) ||
		    n_stops != pr->p->n_stops)
			return;
	}
	msim_fail(pr->m, "%s: an interrupt was lost", pr->t->name);
}

/* One look at the event. */
static void wait_for_interrupt(struct prog *pr, const struct prog_flight *f)
{
	static const uint32_t ms[] = { 0, 1, 20, LOST_MS, 3600 * 1000, UINT32_MAX };
	/* For ever only where nobody can stop the GPU under it, and long only where few do. */
	bool patient = pr->p->n_started == 1 && !pr->p->n_stops;
	uint64_t n = VKF_ARRAY_SIZE(ms) - (pr->m->config.resets ? 2 : !patient);
	uint32_t timeout = ms[msim_random(pr->m, n)], result;

	if (prog_wait(pr, &pr->done_event, 1, false, timeout, &result))
		return;
	if (result == KFD_IOC_WAIT_RESULT_TIMEOUT && timeout >= LOST_MS && gpu_runs(pr, f->q) &&
	    prog_signal_is_done(pr, f))
		expect_interrupt(pr, f);
}

/* Whether a flight that is not done never will be. */
static bool is_hopeless(struct prog *pr, const struct prog_flight *f, uint64_t begun)
{
	if (pr->s->gpu[f->q->gpu] == PROG_GPU_STOPPED || pr->p->reset == MSIM_RESET)
		return true;
	if (msim_engine_is_lost(pr->p)) {
		wait_for_engine(pr);
		return true;
	}
	return pr->p->reset == MSIM_MAYBE_RESET && !pr->m->resetting &&
	       vkf_now_ns() - begun > DOUBT_NS;
}

bool prog_land(struct prog *pr, struct prog_flight *f)
{
	uint64_t begun = vkf_now_ns();

	/* It may be behind others that are held up. */
	let_all_go(pr, f->q);
	while (!prog_signal_is_done(pr, f)) {
		if (pr->p->dying)
			return false;
		if (is_hopeless(pr, f, begun)) {
			f->q->broken = true;
			/* What is done after all is no less right. */
			if (prog_signal_is_done(pr, f))
				break;
			prog_forget_flight(f);
			return false;
		}
		if (vkf_now_ns() - begun > PROG_SETTLE_NS)
			msim_fail(pr->m, "%s: packets on queue %u do not complete", pr->t->name,
				  f->q->id);
		wait_for_interrupt(pr, f);
	}
	landed(pr, f);
	return true;
}
