/* SPDX-License-Identifier: MIT */
/**
 * DOC: WAIT_EVENTS
 *
 * The order of the kernel: all waiters are set up under the events' lock (which
 * consumes auto-reset events that are signalled already), the condition is tested
 * once, and only then does the task sleep, with no lock. A signal puts what was
 * consumed back and leaves the remaining time in the argument block, so that the
 * restarted call goes on where this one stopped.
 *
 * Who sets the last event that a sleeper waits for answers the call in its place, where
 * calls can be answered so, and takes its waiters off the events: what is set after the
 * program has gone on is not this wait's any more.
 */
#include "kfd/event.h"

#include <errno.h>
#include "base/env.h"
#include "base/sched.h"
#include "base/waits.h"
#include "kfd/process.h"

#define TIMEOUT_NONE    0u
#define TIMEOUT_FOREVER UINT32_MAX
#define TIMEOUT_MAX_MS  INT32_MAX

/* kcalloc() of the kernel's waiters: 4 MiB, 56 bytes each. */
#define MAX_EVENTS 74898u

struct wait_call {
	struct kfd_events *ev;
	struct vkf_call *call;
	struct kfd_ioctl_wait_events_args *args;
	struct kfd_waiter *waiters;
	struct kfd_wait wait;
	uint64_t deadline;
	uint32_t result;
	bool answered; /* by who set the last event it waited for, with @error */
	int error;
};

static uint64_t event_uptr(const struct wait_call *wc, uint32_t i)
{
	return wc->args->events_ptr + (uint64_t)i * sizeof(struct kfd_event_data);
}

static int init_waiter(struct wait_call *wc, uint32_t i) VKF_REQUIRES(wc->ev->lock)
{
	struct kfd_waiter *w = &wc->waiters[i];
	struct kfd_event_data data;
	struct kfd_signal_event_data *signal = (void *)&data;
	struct kfd_event *e;

	if (vkf_copy_from_user(wc->call, &data, event_uptr(wc, i), sizeof(data)))
		return -EFAULT;
	e = kfd_event_find(wc->ev, data.event_id);
	if (!e)
		return -EINVAL;
	w->event = kfd_event_get(e);
	w->activated = e->signaled;
	e->signaled = e->signaled && !e->auto_reset;
	if (e->type == KFD_IOC_EVENT_SIGNAL && signal->last_event_age) {
		w->aged = true;
		if (e->age != signal->last_event_age)
			w->activated = true;
	}
	if (!w->activated)
		vkf_list_add_tail(&w->node, &e->waiters);
	return 0;
}

static uint32_t test_condition(const struct wait_call *wc)
{
	uint32_t n = wc->args->num_events, activated = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!wc->waiters[i].event)
			return KFD_IOC_WAIT_RESULT_FAIL;
		if (!wc->waiters[i].activated)
			continue;
		if (!wc->args->wait_for_all)
			return KFD_IOC_WAIT_RESULT_COMPLETE;
		activated++;
	}
	return activated == n ? KFD_IOC_WAIT_RESULT_COMPLETE : KFD_IOC_WAIT_RESULT_TIMEOUT;
}

/* What an event has to tell goes over its element of the program's array. */
static int copy_data(const struct wait_call *wc, uint32_t i)
{
	const struct kfd_waiter *w = &wc->waiters[i];
	const struct kfd_event *e = w->event;
	uint64_t to = event_uptr(wc, i);

	if (!e)
		return -EINVAL;
	if (!w->activated)
		return 0;
	if (e->type == KFD_IOC_EVENT_MEMORY)
		return vkf_copy_to_user(wc->call, to, &e->memory, sizeof(e->memory));
	if (e->type == KFD_IOC_EVENT_HW_EXCEPTION)
		return vkf_copy_to_user(wc->call, to, &e->hw, sizeof(e->hw));
	if (e->type == KFD_IOC_EVENT_SIGNAL && w->aged)
		return vkf_copy_to_user(wc->call, to, &e->age, sizeof(e->age));
	return 0;
}

static int copy_all_data(const struct wait_call *wc)
{
	for (uint32_t i = 0; i < wc->args->num_events; i++) {
		int r = copy_data(wc, i);

		if (r)
			return r;
	}
	return 0;
}

/* Sleep until the condition holds, time is up or a signal comes; the result is the last test. */
static int sleep_until_done(struct wait_call *wc) VKF_REQUIRES(wc->ev->lock)
{
	for (;;) {
		int r;

		if (wc->answered)
			return 0;
		if (vkf_interrupted())
			return -VKF_ERESTARTSYS;
		wc->result = test_condition(wc);
		if (wc->result != KFD_IOC_WAIT_RESULT_TIMEOUT || vkf_now_ns() >= wc->deadline)
			return 0;
		wc->wait.asleep = true;
		r = vkf_cond_wait(&wc->wait.cond, &wc->ev->lock, wc->deadline, true);
		wc->wait.asleep = false;
		if (r == -VKF_ERESTARTSYS && !wc->answered)
			return r;
	}
}

static int wait_locked(struct wait_call *wc) VKF_REQUIRES(wc->ev->lock)
{
	int r;

	for (uint32_t i = 0; i < wc->args->num_events; i++) {
		r = init_waiter(wc, i);
		if (r)
			return r;
	}
	wc->result = test_condition(wc);
	if (wc->result != KFD_IOC_WAIT_RESULT_COMPLETE) {
		struct vkf_wait_note *note = vkf_wait_begin("an event", 0);

		r = sleep_until_done(wc);
		vkf_wait_end(note);
		if (r || wc->answered)
			return r ? r : wc->error;
	}
	if (wc->result == KFD_IOC_WAIT_RESULT_FAIL)
		return -EIO;
	return wc->result == KFD_IOC_WAIT_RESULT_COMPLETE ? copy_all_data(wc) : 0;
}

/* @undo: what this wait consumed is signalled again, for whoever waits next. */
static void release_waiters(struct wait_call *wc, bool undo) VKF_REQUIRES(wc->ev->lock)
{
	for (uint32_t i = 0; i < wc->args->num_events; i++) {
		struct kfd_waiter *w = &wc->waiters[i];

		if (!w->event)
			continue;
		vkf_list_del(&w->node);
		if (undo && w->activated && w->event->auto_reset)
			kfd_event_set(w->event);
		kfd_event_put(w->event);
		w->event = NULL;
	}
}

static void answer(struct wait_call *wc) VKF_REQUIRES(wc->ev->lock)
{
	wc->result = KFD_IOC_WAIT_RESULT_COMPLETE;
	wc->error = copy_all_data(wc);
	wc->args->wait_result = wc->error ? KFD_IOC_WAIT_RESULT_FAIL : wc->result;
	wc->answered = true;
	release_waiters(wc, false);
	vkf_call_answer(wc->call, wc->error);
}

void kfd_wait_wake(struct kfd_wait *wait)
{
	struct wait_call *wc = vkf_container_of(wait, struct wait_call, wait);

	if (vkf_call_may_answer(wc->call) && test_condition(wc) == KFD_IOC_WAIT_RESULT_COMPLETE)
		answer(wc);
	vkf_cond_broadcast(&wait->cond);
}

static uint64_t deadline_of(uint32_t ms)
{
	if (ms == TIMEOUT_FOREVER)
		return VKF_FOREVER;
	return vkf_now_ns() + VKF_MIN(ms, (uint32_t)TIMEOUT_MAX_MS) * VKF_NSEC_PER_MSEC;
}

/* What is left of @ms since @start, counted in ticks of a millisecond as the kernel does in its
 * own: a wait that is interrupted again and again loses a millisecond with each that passes, no
 * more. */
static uint32_t remaining_ms(uint32_t ms, uint64_t start)
{
	uint64_t ticks = vkf_now_ns() / VKF_NSEC_PER_MSEC - start / VKF_NSEC_PER_MSEC;

	ms = VKF_MIN(ms, (uint32_t)TIMEOUT_MAX_MS);
	return ticks >= ms ? 0 : ms - (uint32_t)ticks;
}

static int wait(struct wait_call *wc)
{
	uint32_t n = wc->args->num_events;
	int r;

	if (n > MAX_EVENTS)
		return -ENOMEM;
	wc->waiters = n ? vkf_calloc(n, sizeof(*wc->waiters)) : NULL;
	if (n && !wc->waiters)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		vkf_list_init(&wc->waiters[i].node);
		wc->waiters[i].wait = &wc->wait;
	}
	vkf_cond_init(&wc->wait.cond);
	vkf_list_init(&wc->wait.woken);
	vkf_mutex_lock(&wc->ev->lock);
	r = wait_locked(wc);
	release_waiters(wc, r == -VKF_ERESTARTSYS);
	vkf_mutex_unlock(&wc->ev->lock);
	vkf_free(wc->waiters);
	return r;
}

int kfd_wait_events(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_wait_events_args *args = arg;
	uint64_t start = vkf_now_ns();
	struct wait_call wc = {
		.ev = &p->events,
		.call = call,
		.args = args,
		.deadline = deadline_of(args->timeout),
	};
	int r = wait(&wc);

	if (r == -VKF_ERESTARTSYS && args->timeout != TIMEOUT_NONE &&
	    args->timeout != TIMEOUT_FOREVER)
		args->timeout = remaining_ms(args->timeout, start);
	args->wait_result = r ? KFD_IOC_WAIT_RESULT_FAIL : wc.result;
	return r;
}
