/* SPDX-License-Identifier: MIT */
#include "base/sched.h"

#include <errno.h>

/* The back end before there is one: a single task that can only sleep. */
static struct {
	struct vkf_task task;
	bool ready;
	bool token;
	uint64_t now;
} lone;

static struct vkf_task *lone_current(void)
{
	if (!lone.ready) {
		vkf_task_init(&lone.task, "lone");
		lone.ready = true;
	}
	return &lone.task;
}

static uint64_t lone_now_ns(void)
{
	return lone.now;
}

static void lone_park(uint64_t deadline_ns)
{
	if (lone.token) {
		lone.token = false;
		return;
	}
	if (deadline_ns == VKF_FOREVER)
		vkf_panic(__FILE__, __LINE__, "the only task parks, and nothing can wake it");
	lone.now = VKF_MAX(lone.now, deadline_ns);
}

static void lone_unpark(struct vkf_task *task)
{
	lone.token = true;
}

static void lone_relax(void)
{
	lone.now++;
}

static int lone_spawn(const char *name, void (*fn)(void *arg), void *arg,
		      struct vkf_task **ret_task)
{
	return -EAGAIN;
}

static void lone_join(struct vkf_task *task)
{
	vkf_panic(__FILE__, __LINE__, "join without a back end that spawns");
}

static const struct vkf_sched_ops lone_ops = {
	.current = lone_current,
	.now_ns = lone_now_ns,
	.park = lone_park,
	.unpark = lone_unpark,
	.relax = lone_relax,
	.spawn = lone_spawn,
	.join = lone_join,
};

static const struct vkf_sched_ops *sched_ops = &lone_ops;

void vkf_sched_set(const struct vkf_sched_ops *ops)
{
	sched_ops = ops ? ops : &lone_ops;
}

bool vkf_sched_installed(void)
{
	return sched_ops != &lone_ops;
}

struct vkf_task *vkf_current(void)
{
	return sched_ops->current();
}

uint64_t vkf_now_ns(void)
{
	return sched_ops->now_ns();
}

uint64_t vkf_boot_ns(void)
{
	return sched_ops->boot_ns ? sched_ops->boot_ns() : vkf_now_ns();
}

void vkf_park(uint64_t deadline_ns)
{
	sched_ops->park(deadline_ns);
}

void vkf_park_in(const char *waits_in, const void *waits_for, uint64_t deadline_ns)
{
	struct vkf_task *task = vkf_current();

	task->waits_in = waits_in;
	task->waits_for = waits_for;
	vkf_park(deadline_ns);
	task->waits_in = NULL;
	task->waits_for = NULL;
}

void vkf_unpark(struct vkf_task *task)
{
	sched_ops->unpark(task);
}

void vkf_relax(void)
{
	sched_ops->relax();
}

void vkf_point(const char *what)
{
	if (sched_ops->point)
		sched_ops->point(what);
}

int vkf_spawn(const char *name, void (*fn)(void *arg), void *arg, struct vkf_task **ret_task)
{
	return sched_ops->spawn(name, fn, arg, ret_task);
}

void vkf_join(struct vkf_task *task)
{
	sched_ops->join(task);
}

void vkf_task_init(struct vkf_task *task, const char *name)
{
	static atomic_uint last_id;

	*task = (struct vkf_task){ .name = name, .id = atomic_fetch_add(&last_id, 1) + 1 };
	atomic_init(&task->interrupted, false);
	atomic_init(&task->waiting, false);
	vkf_list_init(&task->wait);
}

void vkf_task_interrupt(struct vkf_task *task)
{
	atomic_store_explicit(&task->interrupted, true, memory_order_release);
	vkf_unpark(task);
}

void vkf_task_clear_interrupt(void)
{
	atomic_store_explicit(&vkf_current()->interrupted, false, memory_order_relaxed);
}

bool vkf_interrupted(void)
{
	return atomic_load_explicit(&vkf_current()->interrupted, memory_order_acquire);
}

int vkf_sleep_ns(uint64_t ns, bool interruptible)
{
	uint64_t now = vkf_now_ns();
	uint64_t deadline = ns < VKF_FOREVER - now ? now + ns : VKF_FOREVER;

	for (;;) {
		if (interruptible && vkf_interrupted())
			return -VKF_ERESTARTSYS;
		if (vkf_now_ns() >= deadline)
			return 0;
		vkf_park_in("sleep", NULL, deadline);
	}
}
