/* SPDX-License-Identifier: MIT */
#include "base/trace.h"

#include "base/sched.h"

atomic_bool vkf_trace_switch;

static _Atomic(const struct vkf_trace_ops *) trace_ops;
static atomic_uint trace_users; /* tasks that may be inside the table */

void vkf_trace_set(const struct vkf_trace_ops *ops)
{
	atomic_store(&trace_ops, ops);
	atomic_store(&vkf_trace_switch, ops != NULL);
	while (!ops && atomic_load(&trace_users))
		vkf_relax();
}

void vkf_trace_emit(uint32_t event, uint64_t ns, const void *payload, size_t len)
{
	const struct vkf_task *self = vkf_current();
	struct vkf_trace_record rec = {
		.ns = ns ? ns : vkf_now_ns(),
		.task = self->id,
		.client = self->client,
		.event = event,
	};
	const struct vkf_trace_ops *ops;

	VKF_ASSERT(len <= sizeof(rec.payload));
	memcpy(rec.payload, payload, len);
	/* Counted before the table is read: who takes it away either is seen here, or waits. */
	atomic_fetch_add(&trace_users, 1);
	ops = atomic_load(&trace_ops);
	if (ops)
		ops->emit(&rec);
	atomic_fetch_sub_explicit(&trace_users, 1, memory_order_release);
}

const char *vkf_trace_event_name(uint32_t event)
{
	static const char *const names[] = { VKF_TRACE_EVENT_NAMES };

	return event < VKF_ARRAY_SIZE(names) ? names[event] : "?";
}

uint32_t vkf_trace_work_for(uint32_t client)
{
	struct vkf_task *self = vkf_current();
	uint32_t before = self->client;

	self->client = client;
	return before;
}
