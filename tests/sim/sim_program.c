/* SPDX-License-Identifier: MIT */
#include "sim_program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_calls.h"

#define PAGE_VA    UINT64_C(0x800000000)
#define PAGE_BYTES UINT64_C(32768)
#define USER_SLOT  VKF_MIB(4)
#define MSEC       VKF_NSEC_PER_MSEC
#define LATE_NS    (100 * MSEC) /* what others do before a task has its turn */

/* ------------------------------------------------ events */

int prog_event_create(struct prog *pr, uint32_t type, bool auto_reset, uint32_t *ret_id)
{
	struct kfd_ioctl_create_event_args args = { .event_type = type, .auto_reset = auto_reset };
	int r = msim_ioctl(pr->t, pr->s->kfd, K_CREATE_EVENT, &args);

	if (prog_expect(pr, "CREATE_EVENT", r, 0, false))
		return r;
	pr->s->n_events++;
	*ret_id = args.event_id;
	return 0;
}

int prog_event_call(struct prog *pr, unsigned long cmd, uint32_t id)
{
	struct kfd_ioctl_destroy_event_args args = { .event_id = id };
	int r = msim_ioctl(pr->t, pr->s->kfd, cmd, &args);

	prog_expect(pr, "an event's call", r, 0, false);
	if (!r && cmd == K_DESTROY_EVENT)
		pr->s->n_events--;
	return r;
}

/* A wait that ran out of time took as long as it should; each signal may cost it a millisecond. */
static void check_timeout(struct prog *pr, uint64_t begun, uint32_t timeout_ms)
{
	uint64_t took = vkf_now_ns() - begun, want = timeout_ms * MSEC;
	uint64_t lost = pr->t->n_restarts * MSEC;

	/* Who was stopped himself comes back late. */
	if (took + lost < want ||
	    (took > want + LATE_NS && !pr->p->dying && pr->p->stopped_until < begun))
		msim_fail(pr->m, "%s: a wait of %u ms took %" PRIu64 " ns", pr->t->name, timeout_ms,
			  took);
}

int prog_wait(struct prog *pr, const uint32_t *ids, unsigned int n, bool all, uint32_t timeout_ms,
	      uint32_t *ret_result)
{
	struct kfd_event_data *data = (struct kfd_event_data *)pr->t->user;
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)data,
		.num_events = n,
		.wait_for_all = all,
		.timeout = timeout_ms,
	};
	uint64_t begun = vkf_now_ns();
	int r;

	memset(data, 0, n * sizeof(*data));
	for (unsigned int i = 0; i < n; i++)
		data[i].event_id = ids[i];
	r = msim_ioctl(pr->t, pr->s->kfd, K_WAIT_EVENTS, &args);
	if (prog_expect(pr, "WAIT_EVENTS", r, 0, false))
		return r;
	if (args.wait_result == KFD_IOC_WAIT_RESULT_TIMEOUT)
		check_timeout(pr, begun, timeout_ms);
	*ret_result = args.wait_result;
	return 0;
}

/* ------------------------------------------------ begin and end */

static void number_addresses(struct prog *pr)
{
	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		pr->bufs[i].va = pr->va_base + i * VKF_MIB(64);
		pr->bufs[i].cpu = NULL;
	}
	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		struct prog_queue *q = &pr->queues[i];

		q->ring = &q->bufs[0];
		q->pointers = &q->bufs[1];
		q->cwsr = &q->bufs[2];
		q->eop = &q->bufs[3];
		for (unsigned int j = 0; j < VKF_ARRAY_SIZE(q->bufs); j++)
			q->bufs[j].va = pr->va_base + VKF_GIB(8 + i) + j * VKF_MIB(128);
	}
	pr->signals.va = pr->va_base + VKF_GIB(16);
}

unsigned char *prog_user_memory(const struct prog *pr, const struct prog_buf *b)
{
	return pr->t->user + VKF_MIB(2) + (unsigned int)(b - pr->bufs) * USER_SLOT;
}

static void open_devices(struct prog *pr)
{
	struct prog_shared *s = pr->s;

	do
		s->kfd = msim_open(pr->t, MACHINE_KFD_MAJOR, 0);
	while (s->kfd < 0 && prog_injected(pr));
	for (unsigned int i = 0; i < pr->m->profile.n_gpus; i++) {
		do
			s->render[i] = msim_open(pr->t, MACHINE_DRM_MAJOR,
						 pr->m->profile.gpus[i].render_minor);
		while (s->render[i] < 0 && prog_injected(pr));
		if (s->kfd < 0 || s->render[i] < 0)
			msim_fail(pr->m, "%s: cannot open a device", pr->t->name);
	}
}

static void acquire_vms(struct prog *pr)
{
	for (unsigned int i = 0; i < pr->m->profile.n_gpus; i++) {
		struct kfd_ioctl_acquire_vm_args args = {
			.drm_fd = (uint32_t)pr->s->render[i],
			.gpu_id = prog_gpu_id(pr, i),
		};
		int r;

		do {
			r = msim_ioctl(pr->t, pr->s->kfd, K_ACQUIRE_VM, &args);
			prog_expect(pr, "ACQUIRE_VM", r, 0, prog_vram_is_tight(pr, i));
		} while (r && !pr->p->dying);
	}
}

static uint32_t all_gpus(const struct prog *pr)
{
	return (1u << pr->m->profile.n_gpus) - 1;
}

/* A buffer of the program's own that all GPUs see. */
static void must_have(struct prog *pr, struct prog_buf *b, uint64_t size)
{
	while (!pr->p->dying && prog_alloc(pr, b, PROG_GTT, 0, size, PROG_GTT_FLAGS))
		vkf_sleep_ns(MSEC, false);
	while (!pr->p->dying && b->mapped != all_gpus(pr)) {
		if (prog_map(pr, b, all_gpus(pr)))
			vkf_sleep_ns(MSEC, false);
	}
}

/* As libhsakmt does: its own page of slots, made known with the first event. */
static void make_event_page(struct prog *pr)
{
	struct prog_shared *s = pr->s;
	struct kfd_ioctl_create_event_args args = { .event_type = KFD_IOC_EVENT_SIGNAL };
	int r;

	s->page.va = PAGE_VA;
	must_have(pr, &s->page, PAGE_BYTES);
	if (pr->p->dying)
		return;
	memset(s->page.cpu, 0xff, PAGE_BYTES);
	args.event_page_offset = s->page.handle;
	do {
		r = msim_ioctl(pr->t, s->kfd, K_CREATE_EVENT, &args);
		/* The page is taken first, so it is known even if there was no event to be had. */
		args.event_page_offset = 0;
	} while (prog_expect(pr, "CREATE_EVENT", r, 0, false) && !pr->p->dying);
	if (!r)
		s->n_events++;
}

static void make_event(struct prog *pr, uint32_t type, uint32_t *ret_id)
{
	while (!pr->p->dying && prog_event_create(pr, type, true, ret_id))
		;
}

static void process_is_gone(struct msim_process *p)
{
	const struct prog_shared *s = p->program;

	for (unsigned int i = 0; i < MACHINE_MAX_GPUS; i++) {
		p->m->wanted[i] -= s->wanted[i];
		p->m->wanted_sdma[i] -= s->wanted_sdma[i];
	}
	p->m->wanted_system -= s->wanted_system;
}

void prog_share(struct msim_process *p)
{
	p->program = calloc(1, sizeof(struct prog_shared));
	if (!p->program)
		msim_fail(p->m, "no memory");
	p->forgotten = process_is_gone;
}

void prog_begin(struct prog *pr, struct msim_thread *t)
{
	*pr = (struct prog){ .m = t->process->m, .p = t->process, .t = t };
	pr->s = t->process->program;
	pr->va_base = (uint64_t)(t - t->process->threads + 1) << 37;
	number_addresses(pr);
	if (!pr->s->ready) {
		open_devices(pr);
		acquire_vms(pr);
		make_event_page(pr);
		pr->s->ready = true;
	}
	must_have(pr, &pr->signals, VKF_PAGE_SIZE);
	make_event(pr, KFD_IOC_EVENT_SIGNAL, &pr->done_event);
	make_event(pr, KFD_IOC_EVENT_MEMORY, &pr->memory_event);
	make_event(pr, KFD_IOC_EVENT_HW_EXCEPTION, &pr->hw_event);
	pr->told = pr->p->n_stops || pr->p->reset != MSIM_NOT_RESET;
}

static void destroy_event(struct prog *pr, uint32_t id)
{
	if (!pr->p->dying)
		prog_event_call(pr, K_DESTROY_EVENT, id);
}

void prog_end(struct prog *pr)
{
	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		if (pr->queues[i].live && !pr->p->dying)
			prog_queue_destroy(pr, &pr->queues[i]);
	}
	for (unsigned int i = 0; i < PROG_BUFS; i++)
		prog_drop_buf(pr, &pr->bufs[i]);
	for (unsigned int i = 0; i < PROG_EVENTS; i++) {
		if (pr->events[i].live)
			destroy_event(pr, pr->events[i].id);
	}
	destroy_event(pr, pr->done_event);
	destroy_event(pr, pr->memory_event);
	destroy_event(pr, pr->hw_event);
	prog_drop_buf(pr, &pr->signals);
}
