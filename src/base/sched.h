/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_SCHED_H
#define VKFD_BASE_SCHED_H

/**
 * DOC: Tasks and time
 *
 * Driver code is written as the kernel's is: it locks, waits, is interrupted. It
 * runs on tasks, and what a task is comes from a back end: a thread with the
 * monotonic clock (host/), or a coroutine with a seeded scheduler and virtual
 * time (sim/). The back end gives five things; locks, conditions and sleeping
 * are built over them in lock.c and wwlock.c and are the same in both.
 *
 * park() has one-token semantics: an unpark() that comes first makes the next
 * park() return at once, so there is no lost wake-up; spurious returns are legal
 * and every caller loops on its own condition.
 *
 * Before a back end is set there is one task and a clock that only a park() with
 * a deadline moves: enough for code that never has to wait for another task. A
 * park() that nothing could end panics there, and spawn() gives -EAGAIN.
 */
#include "base/list.h"
#include "base/macro.h"

#include <stdatomic.h>

#define VKF_FOREVER UINT64_MAX
#define VKF_NSEC_PER_MSEC UINT64_C(1000000)

struct vkf_mutex;

/* struct vkf_task - the part every back end embeds in its own task */
struct vkf_task {
	const char *name;
	uint32_t id;             /* of all tasks its own, never 0 */
	uint32_t client;         /* the client it works for, 0: none; its own, see base/trace.h */
	atomic_bool interrupted; /* a signal is pending: interruptible waits return -ERESTARTSYS */
	struct vkf_list wait;    /* in a vkf_cond or vkf_mutex; protected by that object's guard */
	atomic_bool waiting;     /* @wait is linked */
	unsigned int n_held;     /* debug builds: mutexes held, in order of taking */
	const struct vkf_mutex *held[24];
	unsigned int n_ww;       /* vkf_wwlocks held, in a context or alone */
	uint64_t ww_stamp;       /* age of the lock context this task has open, 0 = none */
	const char *waits_in;    /* what it is parked for ("mutex", "cond", ...), or NULL */
	const void *waits_for;   /* the object, for a report; never followed */
	bool idle;               /* its own: it sleeps until somebody has work for it, if ever */
};

struct vkf_sched_ops {
	struct vkf_task *(*current)(void);
	/* Monotonic nanoseconds. */
	uint64_t (*now_ns)(void);
	/* The same, but it goes on while the machine is suspended. NULL: it never is. */
	uint64_t (*boot_ns)(void);
	/* Sleep until unpark() or @deadline_ns (absolute; VKF_FOREVER: none). */
	void (*park)(uint64_t deadline_ns);
	void (*unpark)(struct vkf_task *task);
	/* Another task may run here: a CPU pause on a thread, a scheduling choice in sim. */
	void (*relax)(void);
	/* Start a task. Return: 0 or -ENOMEM/-EAGAIN; @ret_task lives until join(). */
	int (*spawn)(const char *name, void (*fn)(void *arg), void *arg, struct vkf_task **ret_task);
	/* Wait for its function to return, then free it. */
	void (*join)(struct vkf_task *task);
	/* A step that other tasks can see is about to happen, or has: see vkf_point(). NULL: none. */
	void (*point)(const char *what);
};

/* Before any other thread runs; the table must live on. NULL goes back to the one task. */
void vkf_sched_set(const struct vkf_sched_ops *ops);
/* Whether a back end was set. */
bool vkf_sched_installed(void);

struct vkf_task *vkf_current(void);
uint64_t vkf_now_ns(void);
/* To be told to programs, which compare it with CLOCK_BOOTTIME; all else is by vkf_now_ns(). */
uint64_t vkf_boot_ns(void);
void vkf_park(uint64_t deadline_ns);
/* The same; until then a report says that this task waits for @waits_for in @waits_in. */
void vkf_park_in(const char *waits_in, const void *waits_for, uint64_t deadline_ns);
void vkf_unpark(struct vkf_task *task);
void vkf_relax(void);
/* Let a simulator switch tasks here; locks do it. Nothing on threads. Hold no atomic guard. */
void vkf_point(const char *what);
int vkf_spawn(const char *name, void (*fn)(void *arg), void *arg, struct vkf_task **ret_task);
void vkf_join(struct vkf_task *task);

/* For back ends: make a task's embedded part ready. */
void vkf_task_init(struct vkf_task *task, const char *name);

/* Deliver "a signal came" to @task: its interruptible wait, now or next, ends. Any task may call. */
void vkf_task_interrupt(struct vkf_task *task);
/* Forget a pending interruption; a call handler does it at its start. */
void vkf_task_clear_interrupt(void);
bool vkf_interrupted(void);

/* Sleep @ns. Return: 0, or -ERESTARTSYS (512) when @interruptible and interrupted. */
int vkf_sleep_ns(uint64_t ns, bool interruptible);

#endif
