/* SPDX-License-Identifier: MIT */
/**
 * DOC: A program that does anything
 *
 * One table of things that a program may do next, with how often; each looks for
 * what it needs, and does nothing where there is none. Whatever it does is legal,
 * or is refused with the one errno that the kernel has for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_calls.h"
#include "spec/sdma_v4.h"

#define MSEC     VKF_NSEC_PER_MSEC
#define HOUR_MS  (3600u * 1000)
#define ALL_ODDS 64 /* one copy in so many is of whole buffers */

static uint64_t dice(struct prog *pr, uint64_t bound)
{
	return msim_random(pr->m, bound);
}

static bool once_in(struct prog *pr, unsigned int n)
{
	return msim_chance(pr->m, n);
}

static uint32_t longest_ms(const struct prog *pr)
{
	const struct prog_config *config = pr->t->arg;

	return config->longest_ms ? config->longest_ms : HOUR_MS;
}

static unsigned int random_gpu(struct prog *pr)
{
	return (unsigned int)dice(pr, pr->m->profile.n_gpus);
}

static uint32_t random_gpus(struct prog *pr)
{
	return 1 + (uint32_t)dice(pr, (1u << pr->m->profile.n_gpus) - 1);
}

static bool has_pressure(const struct prog *pr)
{
	const struct prog_config *config = pr->t->arg;

	return config->pressure;
}

/* Small ones mostly, and some that large pages are made for. */
static uint64_t random_size(struct prog *pr)
{
	if (has_pressure(pr) ? !once_in(pr, 3) : once_in(pr, 12))
		return VKF_MIB(2) + VKF_PAGE_SIZE * dice(pr, 513);
	return VKF_PAGE_SIZE << dice(pr, 6);
}

static enum prog_kind random_kind(struct prog *pr)
{
	if (has_pressure(pr) && once_in(pr, 2))
		return PROG_VRAM;
	return (enum prog_kind)dice(pr, PROG_N_KINDS);
}

static unsigned int random_home(struct prog *pr)
{
	return has_pressure(pr) && !once_in(pr, 4) ? 0 : random_gpu(pr);
}

/* ------------------------------------------------ finding things */

static bool is_idle(const struct prog_buf *b)
{
	return !b->readers && !b->writers;
}

static struct prog_buf *any_buf(struct prog *pr, bool (*fit)(const struct prog_buf *b))
{
	unsigned int start = (unsigned int)dice(pr, PROG_BUFS);

	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		struct prog_buf *b = &pr->bufs[(start + i) % PROG_BUFS];

		if (fit(b))
			return b;
	}
	return NULL;
}

static bool is_free(const struct prog_buf *b)
{
	return !b->live;
}

static bool is_live_and_idle(const struct prog_buf *b)
{
	return b->live && is_idle(b);
}

static bool is_mapped_and_idle(const struct prog_buf *b)
{
	return is_live_and_idle(b) && b->mapped;
}

static bool is_known(const struct prog_buf *b)
{
	return b->live && b->content.len && !b->writers;
}

static struct prog_queue *any_queue(struct prog *pr, bool sdma)
{
	unsigned int start = (unsigned int)dice(pr, PROG_QUEUES);

	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		struct prog_queue *q = &pr->queues[(start + i) % PROG_QUEUES];

		if (q->live && !q->broken && !q->stopped && pr->s->gpu[q->gpu] == PROG_GPU_RUNS &&
		    sdma == (q->type != KFD_IOC_QUEUE_TYPE_COMPUTE_AQL))
			return q;
	}
	return NULL;
}

static bool sees(unsigned int gpu, const struct prog_buf *b)
{
	return b->live && (b->mapped & ~b->unsynced) & 1u << gpu;
}

/* Two idle buffers that the queue's GPU can copy between; the first may be written. */
static bool find_pair(struct prog *pr, const struct prog_queue *q, struct prog_buf **ret_dst,
		      struct prog_buf **ret_src)
{
	unsigned int start = (unsigned int)dice(pr, PROG_BUFS);
	struct prog_buf *dst = NULL, *src = NULL;

	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		struct prog_buf *b = &pr->bufs[(start + i) % PROG_BUFS];

		if (!sees(q->gpu, b) || b->writers)
			continue;
		if (!dst && b->writable && !b->readers)
			dst = b;
		else if (!src)
			src = b;
	}
	*ret_dst = dst;
	*ret_src = src;
	return dst && src;
}

/* Of what is known of @src, as much as @dst holds, to anywhere; now and then all there is. */
static struct prog_flight *copy_some(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
				     struct prog_buf *src)
{
	uint64_t len = VKF_MIN(VKF_ALIGN_DOWN(src->content.len, UINT64_C(8)), dst->size);

	if (!len || once_in(pr, ALL_ODDS))
		return prog_copy(pr, q, dst, src, VKF_MIN(dst->size, src->size));
	return prog_copy_range(pr, q, dst, 8 * dice(pr, (dst->size - len) / 8 + 1), src,
			       src->content.at, len);
}

/* ------------------------------------------------ memory */

static void do_alloc(struct prog *pr)
{
	static const uint32_t extras[] = { 0, F_COHERENT, F_UNCACHED, F_EXECUTABLE };
	struct prog_buf *b = any_buf(pr, is_free);
	enum prog_kind kind = random_kind(pr);
	uint32_t flags = extras[dice(pr, VKF_ARRAY_SIZE(extras))];

	if (!b)
		return;
	if (!once_in(pr, 8))
		flags |= F_WRITABLE;
	if (kind == PROG_VRAM && once_in(pr, 2))
		flags |= F_PUBLIC;
	if (kind == PROG_GTT && once_in(pr, 6))
		flags |= F_AQL;
	if (kind == PROG_USER)
		b->cpu = prog_user_memory(pr, b);
	if (prog_alloc(pr, b, kind, random_home(pr), random_size(pr), flags))
		return;
	if (once_in(pr, 2))
		prog_fill(pr, b);
}

static void do_map(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_live_and_idle);

	if (b)
		prog_map(pr, b, random_gpus(pr));
}

static void do_unmap(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_mapped_and_idle);

	if (b)
		prog_unmap(pr, b, once_in(pr, 4) ? random_gpus(pr) : b->mapped);
}

static void do_free(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_live_and_idle);

	if (!b)
		return;
	if (b->mapped && !once_in(pr, 6))
		prog_unmap(pr, b, b->mapped);
	prog_free(pr, b);
}

static void do_fill(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_live_and_idle);

	if (b)
		prog_fill(pr, b);
}

static void do_verify(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_known);

	if (b)
		prog_verify(pr, b);
}

/* A copy out of @b by its home's engine, if there is a queue and a place for it. */
static void copy_out(struct prog *pr, struct prog_buf *b)
{
	struct prog_queue *q = any_queue(pr, true);
	struct prog_flight *f = NULL;

	if (!q || prog_map(pr, b, 1u << q->gpu))
		return;
	for (unsigned int i = 0; i < PROG_BUFS && !f; i++) {
		struct prog_buf *dst = &pr->bufs[i];

		/* Of another handle's memory this one would not know that it has changed. */
		if (dst == b || dst->cpu == b->cpu || !is_idle(dst) || !dst->writable ||
		    !sees(q->gpu, dst))
			continue;
		f = copy_some(pr, q, dst, b);
	}
	if (f)
		prog_land(pr, f);
}

/* The same memory by another handle, which may outlive the first, and the descriptor. */
static void do_share(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_live_and_idle), *again = any_buf(pr, is_free);
	int fd;

	if (!b || !again || b->kind == PROG_USER || b->aql)
		return;
	prog_fill(pr, b);
	fd = prog_export(pr, b);
	if (fd < 0)
		return;
	if (!prog_import(pr, again, b, fd)) {
		if (once_in(pr, 2)) {
			again->charged = b->charged;
			b->charged = false;
			prog_drop_buf(pr, b);
		}
		if (once_in(pr, 2)) {
			msim_close(pr->t, fd);
			fd = -1;
		}
		copy_out(pr, again);
		if (!pr->p->dying)
			prog_verify(pr, again);
		prog_drop_buf(pr, again);
	}
	if (fd >= 0)
		msim_close(pr->t, fd);
}

static void do_available(struct prog *pr)
{
	unsigned int gpu = random_gpu(pr);
	struct kfd_ioctl_get_available_memory_args args = {
		.gpu_id = pr->m->profile.gpus[gpu].gpu_id,
	};

	if (prog_expect(pr, "AVAILABLE", msim_ioctl(pr->t, pr->s->kfd, K_AVAILABLE, &args), 0,
			false))
		return;
	if (args.available > pr->m->profile.gpus[gpu].vram)
		msim_fail(pr->m, "more VRAM is available than there is");
	msim_trace(pr->m, "available %" PRIu64, (uint64_t)args.available);
}

/* ------------------------------------------------ queues */

static void do_queue_create(struct prog *pr)
{
	static const uint32_t types[] = { KFD_IOC_QUEUE_TYPE_SDMA, KFD_IOC_QUEUE_TYPE_SDMA,
					  KFD_IOC_QUEUE_TYPE_COMPUTE_AQL };

	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		unsigned int gpu = random_gpu(pr);

		if (pr->queues[i].live || pr->s->gpu[gpu] != PROG_GPU_RUNS)
			continue;
		prog_queue_create(pr, &pr->queues[i], types[dice(pr, VKF_ARRAY_SIZE(types))], gpu);
		return;
	}
}

static void land_all(struct prog *pr)
{
	for (unsigned int i = 0; i < PROG_FLIGHTS; i++) {
		if (pr->flights[i].q)
			prog_land(pr, &pr->flights[i]);
	}
}

/* A barrier of another queue may wait for what is under way on this one. */
static void do_queue_destroy(struct prog *pr)
{
	struct prog_queue *q = &pr->queues[dice(pr, PROG_QUEUES)];

	if (!q->live)
		return;
	if (q->type != KFD_IOC_QUEUE_TYPE_COMPUTE_AQL && any_queue(pr, false))
		land_all(pr);
	if (!pr->p->dying)
		prog_queue_destroy(pr, q);
}

static int update_queue(struct prog *pr, struct prog_queue *q, uint32_t percent)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = q->ring->va,
		.queue_id = q->id,
		.ring_size = q->ring_bytes,
		.queue_percentage = percent,
		.queue_priority = 7,
	};
	int r;

	do
		r = msim_ioctl(pr->t, pr->s->kfd, K_UPDATE_QUEUE, &args);
	while (prog_expect(pr, "UPDATE_QUEUE", r, 0, false) && !pr->p->dying);
	return r;
}

/* What is put into a stopped queue waits there until it runs again. */
static void do_queue_stop(struct prog *pr)
{
	struct prog_queue *q = any_queue(pr, true);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!q || !find_pair(pr, q, &dst, &src))
		return;
	land_all(pr);
	if (update_queue(pr, q, 0))
		return;
	prog_fill(pr, src);
	f = copy_some(pr, q, dst, src);
	vkf_sleep_ns(dice(pr, 5 * MSEC), false);
	if (f && prog_signal_is_done(pr, f))
		msim_fail(pr->m, "%s: a stopped queue runs", pr->t->name);
	if (!update_queue(pr, q, 100) && f)
		prog_land(pr, f);
}

/* ------------------------------------------------ packets */

static void do_copy(struct prog *pr)
{
	struct prog_queue *q = any_queue(pr, true);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!q || !find_pair(pr, q, &dst, &src))
		return;
	if (!src->content.len && is_idle(src))
		prog_fill(pr, src);
	f = copy_some(pr, q, dst, src);
	if (f && once_in(pr, 2))
		prog_land(pr, f);
}

static void do_barrier(struct prog *pr)
{
	struct prog_queue *q = any_queue(pr, false);
	struct prog_flight *dep = &pr->flights[dice(pr, PROG_FLIGHTS)], *f;

	if (!q)
		return;
	f = prog_barrier(pr, q, dep->q ? dep : NULL);
	/* Behind what it depends on, it must not be early. */
	if (f && dep->q && dep != f && prog_signal_is_done(pr, f) && !prog_signal_is_done(pr, dep))
		msim_fail(pr->m, "%s: a barrier did not wait", pr->t->name);
	if (dep->q && dep != f)
		prog_land(pr, dep);
	if (f)
		prog_land(pr, f);
}

static void do_land(struct prog *pr)
{
	struct prog_flight *f = &pr->flights[dice(pr, PROG_FLIGHTS)];

	if (f->q)
		prog_land(pr, f);
}

/* The queue waits for a word that the CPU stores later. */
static void do_hold(struct prog *pr)
{
	struct prog_queue *q = any_queue(pr, true);
	unsigned int signal =
		PROG_FLIGHTS + (unsigned int)dice(pr, PROG_SIGNALS - PROG_FLIGHTS - 1);
	uint32_t value = (uint32_t)dice(pr, 1000);
	struct prog_buf *dst, *src;
	struct prog_flight *f;

	if (!q || !find_pair(pr, q, &dst, &src))
		return;
	land_all(pr);
	if (pr->p->dying || !prog_hold(pr, q, signal, value))
		return;
	prog_fill(pr, src);
	f = copy_some(pr, q, dst, src);
	vkf_sleep_ns(dice(pr, once_in(pr, 8) ? longest_ms(pr) * MSEC : MSEC), false);
	if (f && prog_signal_is_done(pr, f))
		msim_fail(pr->m, "%s: a packet did not wait for memory", pr->t->name);
	prog_release(pr, signal, value);
	if (f)
		prog_land(pr, f);
}

/* ------------------------------------------------ events and time */

static void do_event_create(struct prog *pr)
{
	for (unsigned int i = 0; i < PROG_EVENTS; i++) {
		struct prog_event *e = &pr->events[i];

		if (e->live)
			continue;
		*e = (struct prog_event){ .auto_reset = once_in(pr, 2) };
		e->live = !prog_event_create(pr, KFD_IOC_EVENT_SIGNAL, e->auto_reset, &e->id);
		return;
	}
}

static void do_event_change(struct prog *pr)
{
	static const unsigned long cmds[] = { K_SET_EVENT, K_SET_EVENT, K_RESET_EVENT,
					      K_DESTROY_EVENT };
	struct prog_event *e = &pr->events[dice(pr, PROG_EVENTS)];
	unsigned long cmd = cmds[dice(pr, VKF_ARRAY_SIZE(cmds))];

	if (!e->live || prog_event_call(pr, cmd, e->id))
		return;
	e->signaled = cmd == K_SET_EVENT;
	e->live = cmd != K_DESTROY_EVENT;
}

/* What a wait for @list must give, and what it leaves behind. */
static uint32_t model_wait(struct prog_event *const *list, unsigned int n, bool all)
{
	unsigned int activated = 0;

	for (unsigned int i = 0; i < n; i++) {
		activated += list[i]->signaled;
		if (list[i]->auto_reset)
			list[i]->signaled = false;
	}
	return (all ? activated == n : activated > 0) ? KFD_IOC_WAIT_RESULT_COMPLETE
						      : KFD_IOC_WAIT_RESULT_TIMEOUT;
}

static void do_wait(struct prog *pr)
{
	const uint32_t timeouts[] = { 0, 0, 1, 10, 1000, longest_ms(pr) };
	uint32_t ms = timeouts[dice(pr, VKF_ARRAY_SIZE(timeouts))], ids[PROG_EVENTS], result;
	struct prog_event *list[PROG_EVENTS];
	bool all = once_in(pr, 2);
	unsigned int n = 0;

	for (unsigned int i = 0; i < PROG_EVENTS; i++) {
		if (!pr->events[i].live || once_in(pr, 3))
			continue;
		list[n] = &pr->events[i];
		ids[n++] = pr->events[i].id;
	}
	if (!n || prog_wait(pr, ids, n, all, ms, &result))
		return;
	if (result != model_wait(list, n, all))
		msim_fail(pr->m, "%s: a wait for %s of %u events gave %u", pr->t->name,
			  all ? "all" : "any", n, result);
}

static void do_sleep(struct prog *pr)
{
	vkf_sleep_ns(dice(pr, UINT64_C(1) << dice(pr, 40)), false);
}

/* The driver's clock is the one that time passes by. */
static void do_clock(struct prog *pr)
{
	struct kfd_ioctl_get_clock_counters_args args = { .gpu_id = pr->m->profile.gpus[0].gpu_id };
	uint64_t before = vkf_now_ns();

	if (prog_expect(pr, "CLOCK", msim_ioctl(pr->t, pr->s->kfd, K_CLOCK, &args), 0, false))
		return;
	if (args.cpu_clock_counter < before || args.cpu_clock_counter > vkf_now_ns() ||
	    args.gpu_clock_counter < before / 10 || args.gpu_clock_counter > vkf_now_ns() / 10)
		msim_fail(pr->m, "%s: the clock is wrong", pr->t->name);
}

/* ------------------------------------------------ mistakes */

static void refuse(struct prog *pr, const char *what, unsigned long cmd, void *args, int want)
{
	prog_expect(pr, what, msim_ioctl(pr->t, pr->s->kfd, cmd, args), want, false);
}

static void do_mistake(struct prog *pr)
{
	struct kfd_ioctl_map_memory_to_gpu_args map = { .handle = pr->signals.handle,
							.n_devices = 1 };
	struct kfd_ioctl_wait_events_args wait = { .num_events = 1, .timeout = 5 };
	struct kfd_ioctl_free_memory_of_gpu_args mem = { .handle = UINT64_C(0xbad) << 32 };
	struct kfd_ioctl_destroy_queue_args queue = { .queue_id = 1000 };
	struct kfd_event_data *data = (struct kfd_event_data *)pr->t->user;

	switch (dice(pr, 6)) {
	case 0:
		map.device_ids_array_ptr = 8; /* memory of nobody */
		refuse(pr, "MAP with a bad pointer", K_MAP, &map, -EFAULT);
		break;
	case 1:
		*(uint32_t *)pr->t->user = 0xdead;
		map.device_ids_array_ptr = (uintptr_t)pr->t->user;
		refuse(pr, "MAP to no GPU", K_MAP, &map, -EINVAL);
		break;
	case 2:
		refuse(pr, "FREE of nothing", K_FREE, &mem, -EINVAL);
		break;
	case 3:
		refuse(pr, "DESTROY_QUEUE of nothing", K_DESTROY_QUEUE, &queue, -EINVAL);
		break;
	case 4:
		memset(data, 0, sizeof(*data));
		data->event_id = 4000;
		wait.events_ptr = (uintptr_t)data;
		refuse(pr, "WAIT_EVENTS for nothing", K_WAIT_EVENTS, &wait, -EINVAL);
		break;
	default:
		refuse(pr, "an unknown number", NR(0x60, uint32_t), &queue, -ENOTTY);
	}
}

/* ------------------------------------------------ things that break */

/* One at a time in a process: the last fault's data is all that an event keeps. */
static bool may_break_gpu(const struct prog *pr, const struct prog_queue *q)
{
	for (unsigned int i = 0; i < pr->m->profile.n_gpus; i++) {
		if (pr->s->gpu[i] == PROG_GPU_FAULTING)
			return false;
	}
	return q && pr->s->gpu[q->gpu] == PROG_GPU_RUNS;
}

/* Earlier faults have set it, too. */
static void consume_event(struct prog *pr, uint32_t id)
{
	uint32_t result;

	while (prog_wait(pr, &id, 1, false, 0, &result) && !pr->p->dying)
		;
}

static const struct kfd_event_data *event_data(const struct prog *pr)
{
	return (const struct kfd_event_data *)pr->t->user;
}

static void wait_for_fault(struct prog *pr, struct prog_queue *q, uint64_t va)
{
	const struct kfd_hsa_memory_exception_data *e = &event_data(pr)->memory_exception_data;
	uint32_t result = KFD_IOC_WAIT_RESULT_TIMEOUT;

	while (!pr->p->dying && prog_wait(pr, &pr->memory_event, 1, false, HOUR_MS, &result))
		;
	if (pr->p->dying)
		return;
	if (result != KFD_IOC_WAIT_RESULT_COMPLETE)
		msim_fail(pr->m, "%s: nobody was told of a VM fault", pr->t->name);
	if (e->gpu_id != pr->m->profile.gpus[q->gpu].gpu_id || e->va != va ||
	    !e->failure.NotPresent)
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

		if (!q->live || q->gpu != gpu || q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
			continue;
		if (prog_put_store(pr, q, signal, (uint32_t)~before))
			prog_ring(pr, q);
	}
	vkf_sleep_ns(MSEC, false);
	if (prog_signal_value(pr, signal) != before)
		msim_fail(pr->m, "%s: a GPU runs on after a VM fault", pr->t->name);
}

/* A copy from an address where nothing is: every queue of the process on that GPU stops. */
static void do_vm_fault(struct prog *pr)
{
	uint64_t va = pr->va_base + VKF_GIB(32) + VKF_PAGE_SIZE * dice(pr, 1000);
	struct prog_queue *q = any_queue(pr, true);
	uint32_t w[SDMA_V4_COPY_WORDS] = { 0 };

	if (!may_break_gpu(pr, q))
		return;
	pr->m->n.faults++;
	pr->s->gpu[q->gpu] = PROG_GPU_FAULTING;
	consume_event(pr, pr->memory_event);
	/* The room is there: nothing of this queue waits. */
	prog_copy_packet(w, pr->signals.va, va, 64);
	pr->s->gpu[q->gpu] = PROG_GPU_RUNS;
	if (!prog_put_sdma(pr, q, w, SDMA_V4_COPY_WORDS))
		return;
	pr->s->gpu[q->gpu] = PROG_GPU_FAULTING;
	prog_ring(pr, q);
	wait_for_fault(pr, q, va);
	pr->s->gpu[q->gpu] = PROG_GPU_STOPPED;
	if (!pr->p->dying)
		check_is_stopped(pr, q->gpu);
}

/* A packet that nobody knows costs its queue, and nothing else. */
static void do_bad_packet(struct prog *pr)
{
	const struct kfd_hsa_hw_exception_data *e = &event_data(pr)->hw_exception_data;
	struct prog_queue *q = any_queue(pr, once_in(pr, 2));
	uint32_t w[16] = { 0x3f }, result = KFD_IOC_WAIT_RESULT_TIMEOUT;

	if (!q || pr->p->n_started > 1)
		return;
	pr->m->n.faults++;
	land_all(pr);
	consume_event(pr, pr->hw_event);
	if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL ? !prog_put_aql(pr, q, w)
						      : !prog_put_sdma(pr, q, w, 1))
		return;
	prog_ring(pr, q);
	q->broken = true;
	while (!pr->p->dying && prog_wait(pr, &pr->hw_event, 1, false, HOUR_MS, &result))
		;
	if (pr->p->dying)
		return;
	if (result != KFD_IOC_WAIT_RESULT_COMPLETE ||
	    e->gpu_id != pr->m->profile.gpus[q->gpu].gpu_id)
		msim_fail(pr->m, "%s: nobody was told of an illegal packet", pr->t->name);
}

/* After the unmapping call, the GPU does not write there any more, whatever it was doing. */
static void check_stays(struct prog *pr, struct prog_buf *dst, struct prog_flight *f)
{
	const uint32_t ids[] = { pr->memory_event, pr->done_event };
	struct prog_queue *q = f->q;
	uint32_t result;

	prog_fill_range(pr, dst, f->dst_at, f->len);
	dst->writers++;
	for (;;) {
		if (pr->p->dying || prog_signal_is_done(pr, f))
			break;
		if (prog_wait(pr, ids, 2, false, HOUR_MS, &result))
			continue;
		if (result != KFD_IOC_WAIT_RESULT_COMPLETE && !prog_signal_is_done(pr, f))
			msim_fail(pr->m, "%s: a copy neither ends nor faults", pr->t->name);
		if (event_data(pr)->memory_exception_data.gpu_id ==
		    pr->m->profile.gpus[q->gpu].gpu_id)
			break;
	}
	dst->writers--;
	prog_verify(pr, dst);
}

/* Unmap what a copy is writing to. */
static void do_unmap_under_copy(struct prog *pr)
{
	struct prog_queue *q = any_queue(pr, true);
	struct prog_buf *dst, *src;
	struct prog_flight *f;
	bool done;

	if (!may_break_gpu(pr, q) || !find_pair(pr, q, &dst, &src))
		return;
	land_all(pr);
	consume_event(pr, pr->memory_event);
	if (pr->p->dying || !may_break_gpu(pr, q))
		return;
	prog_fill(pr, src);
	f = copy_some(pr, q, dst, src);
	if (!f)
		return;
	pr->s->gpu[q->gpu] = PROG_GPU_FAULTING;
	vkf_sleep_ns(dice(pr, 2000), false);
	while (dst->mapped && !pr->p->dying)
		prog_unmap(pr, dst, dst->mapped);
	if (pr->p->dying)
		return;
	check_stays(pr, dst, f);
	done = prog_signal_is_done(pr, f);
	pr->m->n.faults += !done;
	pr->s->gpu[q->gpu] = done ? PROG_GPU_RUNS : PROG_GPU_STOPPED;
	prog_fill(pr, dst);
	f->dst->writers--;
	f->src->readers--;
	f->q->n_flights--;
	f->q = NULL;
}

/* ------------------------------------------------ the model of the whole process */

struct found_stat {
	int32_t pid;
	bool found;
	struct driver_client_stat stat;
};

static void find_stat(void *cookie, const struct driver_client_stat *stat)
{
	struct found_stat *f = cookie;

	if (stat->pid != f->pid)
		return;
	f->found = true;
	f->stat = *stat;
}

/* What vkfd status would say, where no other thread is changing it. */
static void check_stat(struct prog *pr)
{
	struct found_stat f = { .pid = pr->p->pid };
	const struct prog_shared *s = pr->s;

	if (pr->p->n_started > 1 || pr->p->dying)
		return;
	driver_for_each_client(pr->m->driver, find_stat, &f);
	if (!f.found || f.stat.kfd.n_queues != s->n_queues || f.stat.kfd.n_events != s->n_events ||
	    f.stat.kfd.n_buffers != s->n_buffers)
		msim_fail(pr->m, "%s: %u queues, %u events, %u buffers; has %u, %u, %u",
			  pr->t->name, f.stat.kfd.n_queues, f.stat.kfd.n_events,
			  f.stat.kfd.n_buffers, s->n_queues, s->n_events, s->n_buffers);
	for (unsigned int i = 0; i < pr->m->profile.n_gpus; i++) {
		if (f.stat.kfd.vram[i] != s->vram[i])
			msim_fail(pr->m, "%s: %" PRIu64 " bytes of VRAM on %u, has %" PRIu64,
				  pr->t->name, f.stat.kfd.vram[i], i, s->vram[i]);
	}
}

/* ------------------------------------------------ the program */

static const struct action {
	const char *name;
	unsigned int weight;
	void (*fn)(struct prog *pr);
} actions[] = {
	{ "alloc", 14, do_alloc },
	{ "map", 14, do_map },
	{ "unmap", 5, do_unmap },
	{ "free", 5, do_free },
	{ "fill", 3, do_fill },
	{ "verify", 4, do_verify },
	{ "share", 3, do_share },
	{ "available", 2, do_available },
	{ "queue create", 5, do_queue_create },
	{ "queue destroy", 3, do_queue_destroy },
	{ "queue stop", 2, do_queue_stop },
	{ "copy", 16, do_copy },
	{ "barrier", 6, do_barrier },
	{ "land", 6, do_land },
	{ "hold", 3, do_hold },
	{ "event create", 3, do_event_create },
	{ "event change", 5, do_event_change },
	{ "wait", 4, do_wait },
	{ "sleep", 3, do_sleep },
	{ "clock", 1, do_clock },
	{ "mistake", 3, do_mistake },
}, faults[] = {
	{ "VM fault", 1, do_vm_fault },
	{ "bad packet", 1, do_bad_packet },
	{ "unmap under copy", 4, do_unmap_under_copy },
};

static const struct action *choose(struct prog *pr, const struct action *table, unsigned int n)
{
	unsigned int sum = 0, at;

	for (unsigned int i = 0; i < n; i++)
		sum += table[i].weight;
	at = (unsigned int)dice(pr, sum);
	while (at >= table->weight)
		at -= (table++)->weight;
	return table;
}

static void step(struct prog *pr, const struct prog_config *config)
{
	const struct action *a;

	if (once_in(pr, config->fault_odds))
		a = choose(pr, faults, VKF_ARRAY_SIZE(faults));
	else
		a = choose(pr, actions, VKF_ARRAY_SIZE(actions));
	msim_trace(pr->m, "%s", a->name);
	a->fn(pr);
	msim_step(pr->t);
	if (once_in(pr, 4))
		check_stat(pr);
	if (once_in(pr, config->death_odds))
		msim_kill_later(pr->p, dice(pr, UINT64_C(1) << dice(pr, 36)));
}

/* A bug that a test plants: a byte of some buffer changes behind everybody's back. */
static void plant(struct prog *pr)
{
	struct prog_buf *b = any_buf(pr, is_known);

	if (b)
		b->cpu[b->content.at + dice(pr, b->content.len)] ^= 1;
}

static void verify_all(struct prog *pr)
{
	land_all(pr);
	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		if (pr->bufs[i].live && is_idle(&pr->bufs[i]))
			prog_verify(pr, &pr->bufs[i]);
	}
}

void prog_main(struct msim_thread *t)
{
	const struct prog_config *config = t->arg;
	struct msim_process *p = t->process;
	struct prog *pr = calloc(1, sizeof(*pr));
	bool first = !p->program;

	if (!pr)
		msim_fail(p->m, "no memory");
	if (first)
		prog_share(p);
	prog_begin(pr, t);
	for (unsigned int i = 1; first && i < config->n_threads; i++)
		msim_thread(p, prog_main, t->arg);
	for (unsigned int i = 0; i < config->n_steps && !p->dying; i++) {
		if (config->plant_step && i >= config->plant_step)
			plant(pr);
		step(pr, config);
	}
	if (!p->dying)
		verify_all(pr);
	/* Most clean up; the others leave it to the driver. */
	if (!once_in(pr, 3))
		prog_end(pr);
	if (!p->dying)
		check_stat(pr);
	for (unsigned int i = 0; i < PROG_BUFS; i++)
		prog_forget(&pr->bufs[i]);
	free(pr);
}
