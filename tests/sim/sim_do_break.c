/* SPDX-License-Identifier: MIT */
/**
 * DOC: What a random program breaks, and what others break under it
 */
#include "sim_random.h"

#include <inttypes.h>
#include <string.h>

#include "kfd/evict.h"
#include "spec/sdma_v4.h"

#define SLICE_MS   5000u /* so often a wait looks whether it is still worth while */
#define USERPTR_NS (KFD_USERPTR_RESTORE_DELAY_MS * MSEC)

/* One at a time in a process: the last fault's data is all that an event keeps. */
static bool may_break_gpu(const struct prog *pr, const struct prog_queue *q)
{
	for (unsigned int i = 0; i < pr->m->profile.n_gpus; i++) {
		if (pr->s->gpu[i] == PROG_GPU_FAULTING)
			return false;
	}
	return q && prog_gpu_runs(pr, q->gpu);
}

/* Earlier faults have set it, too. */
static void consume_event(struct prog *pr, uint32_t id)
{
	uint32_t result = KFD_IOC_WAIT_RESULT_TIMEOUT;

	while (prog_wait(pr, &id, 1, false, 0, &result) && !pr->p->dying)
		;
	if (id == pr->hw_event && result == KFD_IOC_WAIT_RESULT_COMPLETE)
		pr->told = true;
}

/* Until @id is set. Return: false when nothing can be said, for the process is lost or dies. */
static bool wait_for(struct prog *pr, uint32_t id, const char *what)
{
	uint32_t result = KFD_IOC_WAIT_RESULT_TIMEOUT;
	uint64_t begun = vkf_now_ns();

	while (!pr->p->dying && !prog_is_lost(pr) && vkf_now_ns() - begun < HOUR_MS * MSEC) {
		if (!prog_wait(pr, &id, 1, false, SLICE_MS, &result) &&
		    result == KFD_IOC_WAIT_RESULT_COMPLETE)
			break;
	}
	if (result == KFD_IOC_WAIT_RESULT_COMPLETE && id == pr->hw_event)
		pr->told = true;
	if (pr->p->dying || prog_is_lost(pr))
		return false;
	if (result != KFD_IOC_WAIT_RESULT_COMPLETE)
		msim_fail(pr->m, "%s: nobody was told of %s", pr->t->name, what);
	return true;
}

static const struct kfd_event_data *event_data(const struct prog *pr)
{
	return (const struct kfd_event_data *)pr->t->user;
}

static void wait_for_fault(struct prog *pr, struct prog_queue *q, uint64_t va)
{
	const struct kfd_hsa_memory_exception_data *e = &event_data(pr)->memory_exception_data;

	if (!wait_for(pr, pr->memory_event, "a VM fault"))
		return;
	if (e->gpu_id != prog_gpu_id(pr, q->gpu) || e->va != va || !e->failure.NotPresent)
		msim_fail(pr->m, "%s: a VM fault at %" PRIx64 " was told as one at %" PRIx64,
			  pr->t->name, va, (uint64_t)e->va);
}

/* Whatever else the process has on a GPU that faulted does not run any more. */
static void check_is_stopped(struct prog *pr, unsigned int gpu)
{
	unsigned int signal = PROG_SIGNALS - 1;
	uint64_t before = prog_signal_value(pr, signal);

	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		struct prog_queue *q = &pr->queues[i];

		if (!q->live || q->gpu != gpu || q->type != PROG_SDMA)
			continue;
		if (prog_put_store(pr, q, signal, (uint32_t)~before))
			prog_ring(pr, q);
	}
	vkf_sleep_ns(MSEC, false);
	if (prog_signal_value(pr, signal) != before)
		msim_fail(pr->m, "%s: a GPU runs on after a VM fault", pr->t->name);
}

/* A copy from an address where nothing is: every queue of the process on that GPU stops. */
void prog_do_vm_fault(struct prog *pr)
{
	uint64_t va = pr->va_base + VKF_GIB(32) + VKF_PAGE_SIZE * prog_dice(pr, 1000);
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	uint32_t w[SDMA_V4_COPY_WORDS] = { 0 };

	if (!may_break_gpu(pr, q))
		return;
	prog_land_all(pr);
	if (pr->p->dying || !may_break_gpu(pr, q))
		return;
	pr->m->n.faults++;
	pr->s->gpu[q->gpu] = PROG_GPU_FAULTING;
	consume_event(pr, pr->memory_event);
	/* The room is there: nothing of this queue waits. */
	prog_copy_packet(w, pr->signals.va, va, 64);
	pr->s->gpu[q->gpu] = PROG_GPU_RUNS;
	if (!prog_put_words(pr, q, w, SDMA_V4_COPY_WORDS))
		return;
	pr->s->gpu[q->gpu] = PROG_GPU_FAULTING;
	prog_ring(pr, q);
	wait_for_fault(pr, q, va);
	pr->s->gpu[q->gpu] = PROG_GPU_STOPPED;
	if (!pr->p->dying)
		check_is_stopped(pr, q->gpu);
}

/* A packet that nobody knows costs its queue, and nothing else. */
void prog_do_bad_packet(struct prog *pr)
{
	const struct kfd_hsa_hw_exception_data *e = &event_data(pr)->hw_exception_data;
	struct prog_queue *q = prog_any_queue(pr, prog_once_in(pr, 2) ? PROG_SDMA : PROG_AQL);
	uint32_t w[16] = { 0x3f };

	if (!q || pr->p->n_started > 1)
		return;
	pr->m->n.faults++;
	prog_land_all(pr);
	consume_event(pr, pr->hw_event);
	if (q->type == PROG_AQL ? !prog_put_aql(pr, q, w) : !prog_put_words(pr, q, w, 1))
		return;
	prog_ring(pr, q);
	q->broken = true;
	if (!wait_for(pr, pr->hw_event, "an illegal packet"))
		return;
	if (e->gpu_id != prog_gpu_id(pr, q->gpu))
		msim_fail(pr->m, "%s: an illegal packet was told as one of GPU %x", pr->t->name,
			  e->gpu_id);
}

/* Until the copy is done, or its GPU has faulted: that it has, if it told. */
static bool copy_ends(struct prog *pr, struct prog_flight *f)
{
	const uint32_t ids[] = { pr->memory_event, pr->done_event };
	uint32_t gpu_id = prog_gpu_id(pr, f->q->gpu), result;
	uint64_t begun = vkf_now_ns();

	while (vkf_now_ns() - begun < HOUR_MS * MSEC) {
		if (pr->p->dying || prog_is_lost(pr) || prog_signal_is_done(pr, f))
			return false;
		if (!prog_wait(pr, ids, 2, false, SLICE_MS, &result) &&
		    result == KFD_IOC_WAIT_RESULT_COMPLETE &&
		    event_data(pr)->memory_exception_data.gpu_id == gpu_id)
			return !prog_signal_is_done(pr, f);
	}
	msim_fail(pr->m, "%s: a copy neither ends nor faults", pr->t->name);
}

/* A copy that may fault, as only one of a process at a time may: there is room for it in the ring.
 */
static struct prog_flight *risky_copy(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
				      struct prog_buf *src)
{
	struct prog_flight *f;

	pr->s->gpu[q->gpu] = PROG_GPU_FAULTING;
	prog_fill(pr, src);
	f = prog_copy_some(pr, q, dst, src);
	if (!f)
		pr->s->gpu[q->gpu] = PROG_GPU_RUNS;
	return f;
}

/* However the copy has ended, its GPU runs on or not. */
static void settle(struct prog *pr, struct prog_flight *f, bool faulted)
{
	unsigned int gpu = f->q->gpu;

	if (pr->p->dying)
		return;
	pr->m->n.faults += faulted;
	pr->s->gpu[gpu] = faulted ? PROG_GPU_STOPPED : PROG_GPU_RUNS;
}

/* Unmap what a copy is writing to. After the call, the GPU does not write there any more, whatever
 * it was doing. */
void prog_do_unmap_under_copy(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!may_break_gpu(pr, q) || !prog_find_pair(pr, q, &dst, &src))
		return;
	prog_land_all(pr);
	consume_event(pr, pr->memory_event);
	if (pr->p->dying || !may_break_gpu(pr, q))
		return;
	f = risky_copy(pr, q, dst, src);
	if (!f)
		return;
	vkf_sleep_ns(prog_dice(pr, 2000), false);
	while (dst->mapped && !pr->p->dying)
		prog_unmap(pr, dst, dst->mapped);
	if (pr->p->dying)
		return;
	prog_fill_range(pr, dst, f->dst_at, f->len);
	settle(pr, f, copy_ends(pr, f));
	if (pr->p->dying)
		return;
	prog_verify(pr, dst);
	prog_forget_flight(f);
}

/* A user buffer that @gpu sees, and whether it may be written; or NULL. */
static struct prog_buf *user_buf(struct prog *pr, unsigned int gpu)
{
	unsigned int start = (unsigned int)prog_dice(pr, PROG_BUFS);

	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		struct prog_buf *b = &pr->bufs[(start + i) % PROG_BUFS];

		if (b->kind == PROG_USER && prog_sees(gpu, b) && prog_is_idle(b))
			return b;
	}
	return NULL;
}

/* Its pages go, and come back with what is in them: in less than the driver waits for that, later,
 * or only when it has given them up. */
static uint64_t gone_ns(struct prog *pr)
{
	switch (prog_dice(pr, 3)) {
	case 0:
		return prog_dice(pr, USERPTR_NS);
	case 1:
		return prog_dice(pr, 20 * USERPTR_NS);
	default:
		return VKF_FOREVER;
	}
}

static void take_pages(struct prog *pr, const struct prog_buf *b)
{
	uint64_t pages = b->size / VKF_PAGE_SIZE, first = prog_dice(pr, pages);

	if (prog_once_in(pr, 2)) {
		pr->t->hole = b->cpu;
		pr->t->hole_bytes = b->size;
		return;
	}
	pr->t->hole = b->cpu + first * VKF_PAGE_SIZE;
	pr->t->hole_bytes = VKF_PAGE_SIZE;
}

static bool touches_hole(const struct prog *pr, const struct prog_buf *b, uint64_t at, uint64_t len)
{
	return b->cpu + at + len > pr->t->hole && b->cpu + at < pr->t->hole + pr->t->hole_bytes;
}

/* The copy is under way, and pages of @b, one of its two, are gone for @ns. */
static void check_gone(struct prog *pr, struct prog_flight *f, struct prog_buf *b, uint64_t ns)
{
	bool touches = b == f->dst ? touches_hole(pr, b, f->dst_at, f->len)
				   : touches_hole(pr, b, f->src_at, f->len);
	bool faulted, always = ns == VKF_FOREVER;

	if (!always) {
		vkf_sleep_ns(ns, false);
		pr->t->hole = NULL;
	}
	faulted = copy_ends(pr, f);
	settle(pr, f, faulted);
	if (pr->p->dying || prog_is_lost(pr))
		return;
	if (faulted && (!touches || ns < USERPTR_NS))
		msim_fail(pr->m, "%s: pages that came back after %" PRIu64 " ns were missed",
			  pr->t->name, ns);
	if (!faulted && touches && always)
		msim_fail(pr->m, "%s: a copy used pages that are gone", pr->t->name);
}

/* Pages of user memory go while a copy uses them. */
void prog_do_page_gone(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	struct prog_buf *dst, *src, *b;
	struct prog_flight *f;
	uint64_t ns = gone_ns(pr);

	prog_land_all(pr);
	b = q && !pr->p->dying ? user_buf(pr, q->gpu) : NULL;
	if (!b || !may_break_gpu(pr, q) || !prog_find_pair(pr, q, &dst, &src) ||
	    (dst != b && src != b))
		return;
	consume_event(pr, pr->memory_event);
	if (pr->p->dying || !may_break_gpu(pr, q))
		return;
	take_pages(pr, b);
	f = risky_copy(pr, q, dst, src);
	if (f)
		check_gone(pr, f, b, ns);
	pr->t->hole = NULL;
	if (f && !pr->p->dying)
		prog_land(pr, f);
}

/* ------------------------------------------------ what others do to it */

/* SIGSTOP: for a moment, or for longer than the driver waits for its engine. */
void prog_do_stop(struct prog *pr)
{
	uint64_t ns = prog_once_in(pr, 3) ? 20000 * MSEC : UINT64_C(1) << prog_dice(pr, 32);

	/* Its engine may be in the midst of something. */
	if (prog_once_in(pr, 2)) {
		prog_do_copy(pr);
		vkf_sleep_ns(prog_dice(pr, 2000), false);
	}
	msim_stop(pr->p, prog_dice(pr, ns));
}

void prog_do_reset(struct prog *pr)
{
	if (prog_once_in(pr, prog_config_of(pr)->reset_odds))
		msim_reset_gpu(pr->m, prog_random_gpu(pr));
}

/* The first GPU that has something mapped there. */
static unsigned int first_gpu(const struct prog_buf *b)
{
	return (unsigned int)__builtin_ctz(b->mapped);
}

void prog_do_poison(struct prog *pr)
{
	const struct kfd_hsa_memory_exception_data *e = &event_data(pr)->memory_exception_data;
	struct prog_buf *b = prog_any_buf(pr, prog_is_mapped_and_idle);
	unsigned int gpu, n_before = pr->p->n_sigbus, n;
	int r;

	if (!b || pr->p->n_started > 1 || prog_is_lost(pr) ||
	    pr->s->gpu[first_gpu(b)] != PROG_GPU_RUNS)
		return;
	prog_land_all(pr);
	if (pr->p->dying || prog_is_lost(pr) || !b->mapped)
		return;
	gpu = first_gpu(b);
	consume_event(pr, pr->memory_event);
	consume_event(pr, pr->hw_event);
	r = driver_poison(pr->m->driver, pr->p->pid, b->va + prog_dice(pr, b->size), msim_sigbus);
	n = pr->p->n_sigbus - n_before;
	msim_trace(pr->m, "poison on GPU %u: %d, %u signals", gpu, r, n);
	/* Once is enough for a process. */
	if ((!r && !n) || pr->p->dying || prog_is_lost(pr))
		return;
	if (r || n != 1)
		msim_fail(pr->m, "%s: poison gave %d, and %u signals", pr->t->name, r, n);
	pr->m->n.faults++;
	pr->s->gpu[gpu] = PROG_GPU_STOPPED;
	if (!wait_for(pr, pr->hw_event, "poison") ||
	    !wait_for(pr, pr->memory_event, "poisoned memory"))
		return;
	if (e->gpu_id != prog_gpu_id(pr, gpu) || e->ErrorType != KFD_MEM_ERR_POISON_CONSUMED)
		msim_fail(pr->m, "%s: poison was told as error %u of GPU %x", pr->t->name,
			  e->ErrorType, e->gpu_id);
	check_is_stopped(pr, gpu);
}

/* It had an event for that from the start, so it is told, though perhaps not at once. */
void prog_check_lost(struct prog *pr)
{
	bool sure = pr->p->reset == MSIM_RESET || msim_engine_is_lost(pr->p);
	uint32_t result = KFD_IOC_WAIT_RESULT_TIMEOUT;

	if (!sure || pr->told || pr->p->dying)
		return;
	pr->told = true;
	if (msim_engine_is_lost(pr->p))
		pr->m->n.lost++;
	while (!pr->p->dying && prog_wait(pr, &pr->hw_event, 1, false, 60000, &result))
		;
	if (!pr->p->dying && result != KFD_IOC_WAIT_RESULT_COMPLETE)
		msim_fail(pr->m, "%s: nobody was told that %s", pr->t->name,
			  pr->p->reset == MSIM_RESET ? "a GPU was reset"
						     : "its engine was given up");
}
