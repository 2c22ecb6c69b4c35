/* SPDX-License-Identifier: MIT */
#include "kfd/event.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "kfd/memory.h"
#include "kfd/process.h"
#include "mm/bo_place.h"

/* A page made for a program that gave none has this many slots until it is mapped as a whole. */
#define LEGACY_SLOTS 256u
#define PAGE_BYTES   (KFD_SIGNAL_EVENT_LIMIT * sizeof(uint64_t))

static bool has_slot(uint32_t type)
{
	return type == KFD_IOC_EVENT_SIGNAL || type == KFD_IOC_EVENT_DEBUG_EVENT;
}

void kfd_events_init(struct kfd_events *ev)
{
	vkf_mutex_init(&ev->lock, VKF_RANK_EVENT);
	vkf_handles_init(&ev->signals, 1, KFD_FIRST_NONSIGNAL_EVENT);
	vkf_handles_init(&ev->others, KFD_FIRST_NONSIGNAL_EVENT,
			 KFD_FIRST_NONSIGNAL_EVENT + KFD_MAX_NONSIGNAL_EVENTS);
}

static void free_table(struct vkf_handles *table)
{
	struct kfd_event *e;
	unsigned int id;

	vkf_handle_for_each(table, id, e) {
		VKF_ASSERT(e->refs == 1);
		kfd_event_put(e);
	}
	vkf_handles_fini(table);
}

void kfd_events_fini(struct kfd_events *ev)
{
	free_table(&ev->signals);
	free_table(&ev->others);
	mm_bo_put(ev->page);
	vkf_mutex_fini(&ev->lock);
}

struct kfd_event *kfd_event_find(struct kfd_events *ev, uint32_t id)
{
	return vkf_handles_find(id < KFD_FIRST_NONSIGNAL_EVENT ? &ev->signals : &ev->others, id);
}

unsigned int kfd_events_count(struct kfd_events *ev)
{
	unsigned int n;

	vkf_mutex_lock(&ev->lock);
	n = ev->signals.n_used + ev->others.n_used;
	vkf_mutex_unlock(&ev->lock);
	return n;
}

/*
 * As the kernel's wait queues do it: a sleeper that is woken leaves the list of the event that woke
 * it, but one that is awake already, and has not looked yet, stays in it.
 */
static bool rouse(struct kfd_waiter *w)
{
	if (!w->wait->asleep)
		return false;
	w->wait->asleep = false;
	vkf_list_del(&w->node);
	return true;
}

/* A wait that is answered leaves all lists it is in, this one too: so those that are woken are told
 * apart first. */
void kfd_event_set(struct kfd_event *e)
{
	struct vkf_list woken = VKF_LIST_INIT(woken);
	struct kfd_wait *wait, *next;
	struct kfd_waiter *w, *tmp;

	e->signaled = !e->auto_reset || vkf_list_empty(&e->waiters);
	if (++e->age == 0)
		e->age = 2;
	vkf_trace_event_set(e->id, e->age);
	vkf_list_for_each_safe(w, tmp, &e->waiters, node) {
		w->activated = true;
		if (rouse(w))
			vkf_list_add_tail(&w->wait->woken, &woken);
	}
	vkf_list_for_each_safe(wait, next, &woken, woken) {
		vkf_list_del(&wait->woken);
		kfd_wait_wake(wait);
	}
}

struct kfd_event *kfd_event_get(struct kfd_event *e)
{
	e->refs++;
	return e;
}

void kfd_event_put(struct kfd_event *e)
{
	if (--e->refs)
		return;
	VKF_ASSERT(vkf_list_empty(&e->waiters));
	vkf_free(e);
}

/* ------------------------------------------------ the event page */

static void set_page(struct kfd_process *p, struct mm_bo *bo, uint64_t bytes, uint64_t handle)
	VKF_REQUIRES(p->events.lock)
{
	p->events.page = mm_bo_get(bo);
	p->events.page_handle = handle;
	p->events.page_is_ours = handle == 0;
	p->events.slot_bytes = bytes;
	machine_client_set_event_page(p->mc, bo, (unsigned int)(mm_bo_size(bo) / sizeof(uint64_t)));
}

/* A program of an APU's kind gives no page: make one that it may map. */
static int make_page(struct kfd_process *p) VKF_REQUIRES(p->events.lock)
{
	struct mm_bo_params params = { .kind = MM_BO_GTT, .size = PAGE_BYTES };
	struct mm_bo *bo;
	int r;

	r = mm_bo_create(machine_client_mm(p->mc), machine_device(p->driver->machine, 0), &params,
			 &bo);
	if (r)
		return -ENOMEM;
	set_page(p, bo, LEGACY_SLOTS * sizeof(uint64_t), 0);
	mm_bo_put(bo);
	return 0;
}

/* The program's own buffer, by its handle. */
static int adopt_page(struct kfd_process *p, uint64_t handle) VKF_REQUIRES(p->lock)
	VKF_REQUIRES(p->events.lock)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, kfd_handle_gpu(handle));
	struct kfd_mem *mem;
	int r;

	if (!pdd)
		return -EINVAL;
	r = kfd_pdd_bind(pdd);
	if (r)
		return r;
	mem = kfd_mem_find(pdd, handle);
	if (!mem || (mem->access.kind != MM_BO_GTT && mem->access.kind != MM_BO_VRAM))
		return -EINVAL;
	if (mem->size < PAGE_BYTES)
		return -EINVAL;
	r = mm_bo_pin(mem->bo);
	if (r)
		return r;
	set_page(p, mem->bo, mem->size, handle);
	return 0;
}

static int take_page(struct kfd_process *p, uint64_t handle)
{
	int r;

	vkf_mutex_lock(&p->lock);
	vkf_mutex_lock(&p->events.lock);
	r = p->events.page ? -EINVAL : adopt_page(p, handle);
	vkf_mutex_unlock(&p->events.lock);
	vkf_mutex_unlock(&p->lock);
	return r;
}

/* ------------------------------------------------ create and destroy */

/* An id is a slot that the program has mapped. It may have mapped fewer than it has events. */
static int add_signal(struct kfd_process *p, struct kfd_event *e) VKF_REQUIRES(p->events.lock)
{
	struct kfd_events *ev = &p->events;
	unsigned int id;
	int r;

	if (!ev->page) {
		r = make_page(p);
		if (r)
			return r;
	}
	if (ev->signals.n_used + 1 == ev->slot_bytes / sizeof(uint64_t))
		return -ENOSPC;
	r = vkf_handles_add(&ev->signals, e, &id);
	if (r)
		return r;
	if (id >= ev->slot_bytes / sizeof(uint64_t)) {
		vkf_handles_remove(&ev->signals, id);
		return -ENOSPC;
	}
	e->id = id;
	return 0;
}

static int add_event(struct kfd_process *p, struct kfd_event *e) VKF_REQUIRES(p->events.lock)
{
	unsigned int id;
	int r;

	if (has_slot(e->type))
		return add_signal(p, e);
	r = vkf_handles_add(&p->events.others, e, &id);
	if (!r)
		e->id = id;
	return r;
}

static int create(struct kfd_process *p, struct kfd_ioctl_create_event_args *args)
{
	struct kfd_event *e = vkf_zalloc(sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->type = args->event_type;
	e->auto_reset = args->auto_reset != 0;
	e->age = 1;
	e->refs = 1;
	vkf_list_init(&e->waiters);
	args->event_page_offset = 0;
	vkf_mutex_lock(&p->events.lock);
	r = vkf_fault("kfd.event_create", 0);
	if (!r)
		r = add_event(p, e);
	if (!r) {
		args->event_id = e->id;
		args->event_trigger_data = e->id;
		if (has_slot(e->type)) {
			args->event_page_offset = kfd_mmap_offset(KFD_MMAP_EVENTS, 0);
			args->event_slot_index = e->id;
		}
	}
	vkf_mutex_unlock(&p->events.lock);
	if (r)
		vkf_free(e);
	return r;
}

int kfd_create_event(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_create_event_args *args = arg;
	int r = 0;

	(void)call;
	if (args->event_page_offset)
		r = take_page(p, args->event_page_offset);
	return r ? r : create(p, args);
}

static void destroy(struct kfd_events *ev, struct kfd_event *e) VKF_REQUIRES(ev->lock)
{
	struct kfd_waiter *w, *tmp;

	vkf_list_for_each_safe(w, tmp, &e->waiters, node) {
		w->event = NULL;
		if (rouse(w))
			kfd_wait_wake(w->wait);
		vkf_list_del(&w->node);
		kfd_event_put(e);
	}
	vkf_handles_remove(has_slot(e->type) ? &ev->signals : &ev->others, e->id);
	kfd_event_put(e);
}

int kfd_destroy_event(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_destroy_event_args *args = arg;
	struct kfd_event *e;

	(void)call;
	vkf_mutex_lock(&p->events.lock);
	e = kfd_event_find(&p->events, args->event_id);
	if (e)
		destroy(&p->events, e);
	vkf_mutex_unlock(&p->events.lock);
	return e ? 0 : -EINVAL;
}

/* ------------------------------------------------ set and reset */

int kfd_set_event(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_set_event_args *args = arg;
	struct kfd_event *e;
	int r = -EINVAL;

	(void)call;
	vkf_mutex_lock(&p->events.lock);
	e = kfd_event_find(&p->events, args->event_id);
	if (e && e->type == KFD_IOC_EVENT_SIGNAL) {
		kfd_event_set(e);
		r = 0;
	}
	vkf_mutex_unlock(&p->events.lock);
	return r;
}

int kfd_reset_event(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_reset_event_args *args = arg;
	struct kfd_event *e;
	int r = -EINVAL;

	(void)call;
	vkf_mutex_lock(&p->events.lock);
	e = kfd_event_find(&p->events, args->event_id);
	if (e && e->type == KFD_IOC_EVENT_SIGNAL) {
		e->signaled = false;
		r = 0;
	}
	vkf_mutex_unlock(&p->events.lock);
	return r;
}

bool kfd_events_gpu_signal(struct kfd_events *ev, uint32_t id)
{
	struct kfd_event *e;

	vkf_mutex_lock(&ev->lock);
	e = kfd_event_find(ev, id);
	if (e && has_slot(e->type))
		kfd_event_set(e);
	else
		e = NULL;
	vkf_mutex_unlock(&ev->lock);
	return e != NULL;
}

static unsigned int set_memory(struct kfd_events *ev,
			       const struct kfd_hsa_memory_exception_data *data)
	VKF_REQUIRES(ev->lock)
{
	struct kfd_event *e;
	unsigned int id, n = 0;

	vkf_handle_for_each(&ev->others, id, e) {
		if (e->type != KFD_IOC_EVENT_MEMORY)
			continue;
		e->memory = *data;
		kfd_event_set(e);
		n++;
	}
	return n;
}

static unsigned int set_hw(struct kfd_events *ev, const struct kfd_hsa_hw_exception_data *data)
	VKF_REQUIRES(ev->lock)
{
	struct kfd_event *e;
	unsigned int id, n = 0;

	vkf_handle_for_each(&ev->others, id, e) {
		if (e->type != KFD_IOC_EVENT_HW_EXCEPTION)
			continue;
		e->hw = *data;
		kfd_event_set(e);
		n++;
	}
	return n;
}

unsigned int kfd_events_memory(struct kfd_events *ev,
			       const struct kfd_hsa_memory_exception_data *data)
{
	unsigned int n;

	vkf_mutex_lock(&ev->lock);
	n = set_memory(ev, data);
	vkf_mutex_unlock(&ev->lock);
	return n;
}

unsigned int kfd_events_hw(struct kfd_events *ev, const struct kfd_hsa_hw_exception_data *data)
{
	unsigned int n;

	vkf_mutex_lock(&ev->lock);
	n = set_hw(ev, data);
	vkf_mutex_unlock(&ev->lock);
	return n;
}

/* The signal first: who waits for one of them goes on as soon as it is set. */
int kfd_events_poison(struct kfd_process *p, const struct kfd_hsa_hw_exception_data *hw,
		      const struct kfd_hsa_memory_exception_data *memory,
		      int (*signal)(int32_t pid))
{
	int r;

	vkf_mutex_lock(&p->events.lock);
	r = signal(p->pid);
	(void)set_hw(&p->events, hw);
	(void)set_memory(&p->events, memory);
	vkf_mutex_unlock(&p->events.lock);
	return r;
}
