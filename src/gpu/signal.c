/* SPDX-License-Identifier: MIT */
#include "gpu/signal.h"
#include "gpu/irq.h"
#include "gpu/vmem.h"
#include "spec/aql.h"

/* struct event - what a signal's change is made known by; no mailbox: it is not */
struct event {
	uint64_t mailbox;
	uint32_t id;
};

/* Read before the value changes: from then on the signal may be gone. */
static int event_of(struct gpu_worker *w, unsigned int gpu, uint64_t signal, struct event *ret)
{
	int e = gpu_vmem_load64(w, gpu, signal + AQL_SIGNAL_MAILBOX, &ret->mailbox);

	return e ? e : gpu_vmem_load32(w, gpu, signal + AQL_SIGNAL_EVENT_ID, &ret->id);
}

static int event_send(struct gpu_worker *w, struct gpu_queue *q, const struct event *event)
{
	int e;

	if (!event->mailbox)
		return 0;
	e = gpu_vmem_store64(w, q->gpu, event->mailbox, event->id);
	if (!e)
		gpu_irq_post_event(q, event->id);
	return e;
}

int gpu_signal_value(struct gpu_worker *w, unsigned int gpu, uint64_t signal, uint64_t *ret)
{
	return gpu_vmem_load64(w, gpu, signal + AQL_SIGNAL_VALUE, ret);
}

int gpu_signal_complete(struct gpu_worker *w, struct gpu_queue *q, uint64_t signal,
			const struct gpu_signal_times *times)
{
	struct event event;
	int e;

	e = event_of(w, q->gpu, signal, &event);
	if (!e && times)
		e = gpu_vmem_store64(w, q->gpu, signal + AQL_SIGNAL_START_TS, times->start);
	if (!e && times)
		e = gpu_vmem_store64(w, q->gpu, signal + AQL_SIGNAL_END_TS, times->end);
	if (!e)
		e = gpu_vmem_add64(w, q->gpu, signal + AQL_SIGNAL_VALUE, UINT64_MAX);
	return e ? e : event_send(w, q, &event);
}

int gpu_signal_set(struct gpu_worker *w, struct gpu_queue *q, uint64_t signal, uint64_t v)
{
	struct event event;
	int e;

	e = event_of(w, q->gpu, signal, &event);
	if (!e)
		e = gpu_vmem_store64(w, q->gpu, signal + AQL_SIGNAL_VALUE, v);
	return e ? e : event_send(w, q, &event);
}
