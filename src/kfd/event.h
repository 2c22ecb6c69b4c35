/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_EVENT_H
#define VKFD_KFD_EVENT_H

/**
 * DOC: Events: how a GPU, or another thread, wakes a program
 *
 * Signal and debug events have ids from 1, which are slots of the event page; all
 * others have ids from 0x40000000. Setting an event wakes every waiter it finds
 * and stays signalled only if it is manual, or if it found none: several threads
 * of one runtime wait for one event, and none of them may be left behind.
 *
 * One lock per process (rank EVENT) covers its events and waiters. A waiter
 * sleeps on a condition of its own and holds nothing meanwhile. Destroying an
 * event fails the waits for it; one that was woken by it, or had found it
 * signalled, ends as if it were still there.
 */
#include "base/handle.h"
#include "base/list.h"
#include "base/lock.h"
#include "kfd/uapi.h"

struct kfd_process;
struct mm_bo;
struct vkf_call;

#define KFD_FIRST_NONSIGNAL_EVENT 0x40000000u
/* Of one process, ENOSPC beyond. The kernel's limit is what 31 bits can name. */
#define KFD_MAX_NONSIGNAL_EVENTS 65536u

/* struct kfd_event - protected by the events' lock */
struct kfd_event {
	uint32_t id, type;
	bool auto_reset;
	bool signaled;
	uint64_t age;                /* 1, and one more with each set; never 0 */
	unsigned int refs;           /* the table's, and one of each waiter that names it */
	struct vkf_list waiters;     /* of struct kfd_waiter.node */
	struct kfd_hsa_memory_exception_data memory;
	struct kfd_hsa_hw_exception_data hw;
};

struct kfd_events {
	struct vkf_mutex lock;       /* rank EVENT; protects the rest */
	struct vkf_handles signals;  /* of struct kfd_event, as the next */
	struct vkf_handles others;
	uint64_t slot_bytes;         /* of the event page that may be used; 0: there is none */
	struct mm_bo *page;          /* one reference */
	bool page_is_ours;           /* made for a program that gave none: it can be mapped */
	uint64_t page_handle;        /* the program's buffer, which cannot be freed; 0: none */
};

/* struct kfd_wait - one WAIT_EVENTS that sleeps */
struct kfd_wait {
	struct vkf_cond cond;
	bool asleep;                 /* protected by the events' lock, as all of a waiter */
	struct vkf_list woken;       /* while an event wakes those that it found */
};

/* struct kfd_waiter - one event of a wait */
struct kfd_waiter {
	struct vkf_list node;        /* in kfd_event.waiters, or in none */
	struct kfd_event *event;     /* a reference; NULL: it was destroyed */
	struct kfd_wait *wait;
	bool activated, aged;
};

void kfd_events_init(struct kfd_events *ev);
/* Nobody waits any more. */
void kfd_events_fini(struct kfd_events *ev);
struct kfd_event *kfd_event_find(struct kfd_events *ev, uint32_t id) VKF_REQUIRES(ev->lock);
/* Wake its waiters and mark it as told above. With the events' lock. */
void kfd_event_set(struct kfd_event *e);
/* A wait that slept found an event set: answer its call if that was all it waited for, and let it
 * look. With the events' lock; event_wait.c. */
void kfd_wait_wake(struct kfd_wait *wait);
/* With the lock of its events held, as setting it. */
struct kfd_event *kfd_event_get(struct kfd_event *e);
void kfd_event_put(struct kfd_event *e);
unsigned int kfd_events_count(struct kfd_events *ev);

/* From an interrupt: set event @id if it is one that a GPU may set. False: no such event. */
bool kfd_events_gpu_signal(struct kfd_events *ev, uint32_t id);
/* Set every MEMORY, or HW_EXCEPTION, event with this data. Return: how many there were. */
unsigned int kfd_events_memory(struct kfd_events *ev,
			       const struct kfd_hsa_memory_exception_data *data);
unsigned int kfd_events_hw(struct kfd_events *ev, const struct kfd_hsa_hw_exception_data *data);
/* Both, and @signal is called before anybody hears of it. Return: what that returned. */
int kfd_events_poison(struct kfd_process *p, const struct kfd_hsa_hw_exception_data *hw,
		      const struct kfd_hsa_memory_exception_data *memory,
		      int (*signal)(int32_t pid));

/* The ioctls. */
int kfd_create_event(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_destroy_event(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_set_event(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_reset_event(struct kfd_process *p, struct vkf_call *call, void *arg);
int kfd_wait_events(struct kfd_process *p, struct vkf_call *call, void *arg); /* event_wait.c */

#endif
