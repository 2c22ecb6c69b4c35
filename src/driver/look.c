/* SPDX-License-Identifier: MIT */
#include "driver/look.h"

#include <errno.h>
#include <string.h>
#include "base/trace.h"
#include "driver/private.h"
#include "mm/device.h"

/* ------------------------------------------------ one client after the other */

struct driver_client *driver_look_after(struct driver *d, uint64_t id)
{
	struct driver_client *c, *found = NULL;

	vkf_mutex_lock(&d->lock);
	vkf_list_for_each(c, &d->clients, link) {
		if (c->id > id) {
			c->n_looking++;
			found = c;
			break;
		}
	}
	vkf_mutex_unlock(&d->lock);
	return found;
}

void driver_done_looking(struct driver *d, struct driver_client *c)
{
	vkf_mutex_lock(&d->lock);
	c->n_looking--;
	vkf_cond_broadcast(&d->looked);
	vkf_mutex_unlock(&d->lock);
}

/* Without the driver's lock: a process may be long in waiting for its engine with its own. */
void driver_for_each_client(struct driver *d,
			    void (*fn)(void *cookie, const struct driver_client_stat *stat),
			    void *cookie)
{
	struct driver_client *c;
	uint64_t id;

	for (c = driver_look_after(d, 0); c; c = driver_look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);
		struct driver_client_stat stat = {
			.id = c->id,
			.pid = c->pid,
			.n_dmabufs = driver_count_dmabufs(d, c->id),
			.has_kfd = p != NULL,
		};

		id = c->id;
		memcpy(stat.comm, c->comm, sizeof(stat.comm));
		if (p)
			kfd_process_stat(p, &stat.kfd);
		driver_done_looking(d, c);
		fn(cookie, &stat);
	}
}

void driver_for_each_queue(struct driver *d, uint64_t client,
			   void (*fn)(void *cookie, const struct kfd_queue_stat *stat), void *cookie)
{
	struct driver_client *c = client ? driver_look_after(d, client - 1) : NULL;
	struct kfd_process *p = c && c->id == client ? atomic_load(&c->kfd) : NULL;

	if (p)
		kfd_process_queues(p, fn, cookie);
	if (c)
		driver_done_looking(d, c);
}

static void trace_queue(void *cookie, const struct kfd_queue_stat *stat)
{
	const struct driver_client *c = cookie;

	vkf_trace_queue_create((uint32_t)c->id, stat->id, (uint8_t)stat->gpu, (uint8_t)stat->type,
			       stat->ring_bytes);
	if (stat->state == KFD_QUEUE_STOPPED)
		vkf_trace_queue_stopped((uint32_t)c->id, stat->id, VKF_TRACE_WHY_PROGRAM);
	else if (stat->state == KFD_QUEUE_EVICTED)
		vkf_trace_queue_stopped((uint32_t)c->id, stat->id, VKF_TRACE_WHY_DRIVER);
	else if (stat->state == KFD_QUEUE_FAULTED)
		vkf_trace_queue_stopped((uint32_t)c->id, stat->id, VKF_TRACE_WHY_FAULT);
}

void driver_trace_begin(struct driver *d)
{
	struct kfd_process_stat stat = { 0 };
	struct driver_client *c;
	uint64_t id;

	for (c = driver_look_after(d, 0); c; c = driver_look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		vkf_trace_client_start((uint32_t)id, c->pid, c->comm);
		if (p) {
			kfd_process_queues(p, trace_queue, c);
			kfd_process_stat(p, &stat);
		}
		if (p && stat.evicted)
			vkf_trace_evicted((uint32_t)id, VKF_TRACE_TRIGGER_EARLIER);
		driver_done_looking(d, c);
	}
}

void driver_for_each_mm(struct driver *d, driver_mm_fn fn, void *cookie)
{
	struct driver_client *c;
	uint64_t id;

	for (c = driver_look_after(d, 0); c; c = driver_look_after(d, id)) {
		id = c->id;
		/* Whoever ends it waits for us, or has begun to before we looked. */
		if (!atomic_load(&c->going))
			fn(cookie, c->pid, c->comm, machine_client_mm(c->hw));
		driver_done_looking(d, c);
	}
}

void driver_trace_drain(struct driver *d, unsigned int max)
{
	struct driver_client *c;
	uint64_t id;

	for (c = driver_look_after(d, 0); c; c = driver_look_after(d, id)) {
		id = c->id;
		if (!atomic_load(&c->going))
			machine_client_trace(c->hw, max);
		driver_done_looking(d, c);
	}
}

unsigned int driver_n_clients(struct driver *d)
{
	unsigned int n;

	vkf_mutex_lock(&d->lock);
	n = d->n_clients;
	vkf_mutex_unlock(&d->lock);
	return n;
}

void driver_usage(struct driver *d, struct machine_usage *ret_usage)
{
	const struct machine_profile *p = machine_profile(d->machine);

	memset(ret_usage, 0, sizeof(*ret_usage));
	for (unsigned int i = 0; i < p->n_gpus; i++) {
		struct mm_device_usage u;

		mm_device_usage(machine_device(d->machine, i), &u);
		ret_usage->vram_used[i] = u.vram_managed;
		ret_usage->visible_used[i] = u.visible_managed;
		ret_usage->gtt_used[i] = u.gtt_used;
	}
}

void driver_evictions(struct driver *d, struct kfd_eviction_stat *ret_stat)
{
	kfd_driver_evictions(d->kfd, ret_stat);
}

/* ------------------------------------------------ files of processes */

void driver_set_procfs(struct driver *d, const struct kfd_procfs_ops *ops, void *cookie)
{
	kfd_driver_set_procfs(d->kfd, ops, cookie);
}

int driver_proc_file(struct driver *d, int32_t pid, const char *name, char *buf, size_t len)
{
	struct driver_client *c;
	int r = -ENOENT;
	uint64_t id = 0;

	for (c = driver_look_after(d, 0); c; c = driver_look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		if (p && c->pid == pid)
			r = kfd_process_file(p, name, buf, len);
		driver_done_looking(d, c);
	}
	return r;
}

/* ------------------------------------------------ what is injected */

int driver_reset_gpu(struct driver *d, unsigned int gpu)
{
	struct driver_client *c;
	uint64_t id = 0;

	if (gpu >= machine_profile(d->machine)->n_gpus)
		return -ENODEV;
	kfd_reset_begin(d->kfd, gpu);
	for (c = driver_look_after(d, 0); c; c = driver_look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		if (p)
			kfd_process_reset(p, gpu);
		driver_done_looking(d, c);
	}
	kfd_reset_end(d->kfd, gpu);
	return 0;
}

int driver_poison(struct driver *d, int32_t pid, uint64_t va, int (*signal)(int32_t pid))
{
	struct driver_client *c;
	uint64_t id = 0;
	int r = -ESRCH;

	for (c = driver_look_after(d, 0); c && r == -ESRCH; c = driver_look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		if (p && c->pid == pid)
			r = kfd_process_poison(p, va, signal);
		driver_done_looking(d, c);
	}
	if (c)
		driver_done_looking(d, c);
	return r;
}
