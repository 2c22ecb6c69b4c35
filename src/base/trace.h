/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_TRACE_H
#define VKFD_BASE_TRACE_H

/**
 * DOC: Telling what happens
 *
 * Each event of spec/trace.events has a function of its own, vkf_trace_NAME(), with
 * its fields as parameters. While nobody traces it is one load and a branch. While
 * somebody does, a record of fixed size goes to the table that was set: without a
 * lock and without memory, from any task, with any lock held.
 *
 * A record names the task that wrote it and the client it works for
 * (vkf_trace_work_for()). Clients, queues and buffers are numbers, never addresses,
 * so that equal runs of the simulator give equal records. A span's time is that of its
 * beginning, all others' is that of the call.
 *
 * Each event also is a USDT probe of the provider "vkfd", with its fields as arguments in
 * their order: a nop and a note about it, which a tracer of the kernel's can turn into a
 * trap while the driver runs.
 */
#ifdef VKFD_USDT
#include <sys/sdt.h> /* nothing but macros */
#endif
#include <stdatomic.h>
#include <string.h>
#include "base/macro.h"

#define VKF_TRACE_PAYLOAD 40

struct vkf_trace_record {
	uint64_t ns;     /* vkf_now_ns() */
	uint32_t task;   /* vkf_task.id */
	uint32_t client; /* vkf_task.client */
	uint32_t event;  /* enum vkf_trace_event */
	uint32_t pad;
	unsigned char payload[VKF_TRACE_PAYLOAD]; /* struct vkf_trace_NAME; zeros behind it */
};

struct vkf_trace_ops {
	/* May not sleep, allocate or take a lock. */
	void (*emit)(const struct vkf_trace_record *record);
};

/*
 * From now on records go to @ops, which must live on; NULL: to nobody, and no task is inside the
 * old table any more when this returns. Any task; one at a time.
 */
void vkf_trace_set(const struct vkf_trace_ops *ops);

extern atomic_bool vkf_trace_switch; /* only for the next one */

static inline bool vkf_trace_is_on(void)
{
	return __builtin_expect(atomic_load_explicit(&vkf_trace_switch, memory_order_relaxed),
				false);
}

/* For the functions of spec/trace_events.h, as the next. */
#ifdef VKFD_USDT
#define VKF_TRACE_PROBE(n, name, ...) STAP_PROBE##n(vkfd, name, __VA_ARGS__)
#else
#define VKF_TRACE_PROBE(n, name, ...) ((void)0)
#endif

/* @ns 0: now. */
void vkf_trace_emit(uint32_t event, uint64_t ns, const void *payload, size_t len);
/* "ioctl_begin", or "?" for a number that is no event. */
const char *vkf_trace_event_name(uint32_t event);
/* This task works for that client from now on, 0: for none. Return: for whom it did before. */
uint32_t vkf_trace_work_for(uint32_t client);

#include "spec/trace_events.h"

#endif
