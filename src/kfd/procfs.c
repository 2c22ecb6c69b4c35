/* SPDX-License-Identifier: MIT */
#include "kfd/procfs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "kfd/process.h"
#include "kfd/queue.h"

#define PATH_BYTES 64

/* The kernel's own numbers (enum kfd_queue_type), where both kinds of compute queue are one. */
static unsigned int type_number(const struct kfd_queue *q)
{
	static const uint8_t numbers[] = {
		[GPU_QUEUE_PM4] = 0,
		[GPU_QUEUE_SDMA] = 1,
		[GPU_QUEUE_AQL] = 0,
		[GPU_QUEUE_SDMA_XGMI] = 4,
	};

	return numbers[q->type];
}

static int queue_size(char *buf, size_t len, const struct kfd_queue *q, uint32_t gpu_id)
{
	return snprintf(buf, len, "%" PRIu64, q->ring_bytes);
}

static int queue_type(char *buf, size_t len, const struct kfd_queue *q, uint32_t gpu_id)
{
	return snprintf(buf, len, "%u", type_number(q));
}

static int queue_gpuid(char *buf, size_t len, const struct kfd_queue *q, uint32_t gpu_id)
{
	return snprintf(buf, len, "%u", gpu_id);
}

static const struct {
	const char *name;
	int (*print)(char *buf, size_t len, const struct kfd_queue *q, uint32_t gpu_id);
} queue_files[] = { { "size", queue_size }, { "type", queue_type }, { "gpuid", queue_gpuid } };

static int vram(struct kfd_process *p, struct kfd_pdd *pdd, char *buf, size_t len)
{
	return snprintf(buf, len, "%" PRIu64 "\n", atomic_load(&pdd->vram_usage));
}

/* Of all its SDMA queues, those that are gone too. */
static int sdma_us(struct kfd_process *p, struct kfd_pdd *pdd, char *buf, size_t len)
{
	uint64_t ns = pdd->sdma_past_ns;
	struct kfd_queue *q;
	unsigned int id;

	vkf_handle_for_each(&p->queues, id, q) {
		if (q->gpu == pdd->gpu && q->slot >= 0)
			ns += machine_queue_busy_ns(p->mc, q->slot);
	}
	return snprintf(buf, len, "%" PRIu64 "\n", ns / 1000);
}

/* No shader runs on any. */
static int cu_occupancy(struct kfd_process *p, struct kfd_pdd *pdd, char *buf, size_t len)
{
	return snprintf(buf, len, "0\n");
}

static int evicted_ms(struct kfd_process *p, struct kfd_pdd *pdd, char *buf, size_t len)
{
	return snprintf(buf, len, "%" PRIu64 "\n", pdd->evicted_ns / VKF_NSEC_PER_MSEC);
}

/* The gpu_id stands at the %u. */
static const struct gpu_file {
	const char *format;
	/* With the process's queue_lock. */
	int (*print)(struct kfd_process *p, struct kfd_pdd *pdd, char *buf, size_t len);
	bool gfx9_only; /* the driver's part for other chips cannot tell */
} gpu_files[] = {
	{ "vram_%u", vram },
	{ "sdma_%u", sdma_us },
	{ "stats_%u/evicted_ms", evicted_ms },
	{ "stats_%u/cu_occupancy", cu_occupancy, .gfx9_only = true },
};

static bool has_file(const struct kfd_process *p, const struct kfd_pdd *pdd,
		     const struct gpu_file *file)
{
	unsigned int major = kfd_gpu_profile(p->driver, pdd->gpu)->asic.gfx_target / 10000;

	return !file->gfx9_only || major == 9;
}

/* ------------------------------------------------ which there are */

static void show(struct kfd_process *p, const char *name, bool there)
{
	const struct kfd_procfs_ops *ops = p->driver->procfs;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%d/%s", p->pid, name);
	(there ? ops->add : ops->remove)(p->driver->procfs_cookie, path);
}

void kfd_procfs_process(struct kfd_process *p, bool there)
{
	if (!p->driver->procfs)
		return;
	show(p, "pasid", there);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		for (unsigned int k = 0; k < VKF_ARRAY_SIZE(gpu_files); k++) {
			char name[PATH_BYTES / 2];

			if (!has_file(p, &p->pdds[i], &gpu_files[k]))
				continue;
			snprintf(name, sizeof(name), gpu_files[k].format, p->pdds[i].gpu_id);
			show(p, name, there);
		}
	}
	show(p, "queues/", there);
	if (!there)
		show(p, "", false);
}

void kfd_procfs_queue(struct kfd_process *p, const struct kfd_queue *q, bool there)
{
	if (!p->driver->procfs)
		return;
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(queue_files); i++) {
		char name[PATH_BYTES / 2];

		snprintf(name, sizeof(name), "queues/%u/%s", q->id, queue_files[i].name);
		show(p, name, there);
	}
}

void kfd_driver_set_procfs(struct kfd_driver *kd, const struct kfd_procfs_ops *ops, void *cookie)
{
	kd->procfs = ops;
	kd->procfs_cookie = cookie;
}

/* ------------------------------------------------ what is in them */

static int queue_file(struct kfd_process *p, const char *name, char *buf, size_t len)
{
	struct kfd_queue *q;
	int r = -ENOENT;
	unsigned int id;

	vkf_mutex_lock(&p->queue_lock);
	vkf_handle_for_each(&p->queues, id, q) {
		for (unsigned int i = 0; i < VKF_ARRAY_SIZE(queue_files); i++) {
			char own[PATH_BYTES / 2];

			snprintf(own, sizeof(own), "queues/%u/%s", id, queue_files[i].name);
			if (!strcmp(name, own))
				r = queue_files[i].print(buf, len, q, p->pdds[q->gpu].gpu_id);
		}
	}
	vkf_mutex_unlock(&p->queue_lock);
	return r;
}

static int gpu_file(struct kfd_process *p, struct kfd_pdd *pdd, const char *name, char *buf,
		    size_t len)
{
	int r = -ENOENT;

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(gpu_files); i++) {
		char own[PATH_BYTES / 2];

		snprintf(own, sizeof(own), gpu_files[i].format, pdd->gpu_id);
		if (strcmp(name, own) || !has_file(p, pdd, &gpu_files[i]))
			continue;
		vkf_mutex_lock(&p->queue_lock);
		r = gpu_files[i].print(p, pdd, buf, len);
		vkf_mutex_unlock(&p->queue_lock);
	}
	return r;
}

int kfd_process_file(struct kfd_process *p, const char *name, char *buf, size_t len)
{
	int r;

	if (!strcmp(name, "pasid"))
		return snprintf(buf, len, "%u\n", p->pasid);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		r = gpu_file(p, &p->pdds[i], name, buf, len);
		if (r != -ENOENT)
			return r;
	}
	return queue_file(p, name, buf, len);
}
