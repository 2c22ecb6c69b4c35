/* SPDX-License-Identifier: MIT */
#include "driver/driver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/env.h"
#include "base/lock.h"
#include "base/ref.h"
#include "base/trace.h"
#include "dmabuf/ioctl.h"
#include "drm/node.h"
#include "mm/device.h"

/* A power of two. A program has about twenty files of a machine with sixteen GPUs. */
#define FILE_BUCKETS 64
#define MAX_OPEN_FILES 1024 /* of one client, of either kind, unless the machine says */

struct driver {
	struct machine *machine;
	struct kfd_driver *kfd;
	struct vkf_mutex lock;   /* rank DRIVER; protects all below */
	struct vkf_cond looked;  /* somebody has done with a client: see driver_client.n_looking */
	struct vkf_list clients; /* of driver_client.link, oldest first, which is in order of id */
	struct vkf_list files[FILE_BUCKETS]; /* of driver_file.link, by id */
	uint64_t next_id;
	unsigned int n_clients, n_files;
};

/* What a client's open files are counted as. */
enum { QUOTA_FILES, QUOTA_EXPORTS, N_FILE_QUOTAS };

struct driver_client {
	struct driver *driver;
	struct vkf_list link;   /* protected by driver.lock */
	unsigned int n_looking; /* protected by driver.lock; keeps the client alive */
	atomic_bool going;      /* set with driver.lock: who comes to look now finds nothing in it */
	uint64_t id;
	int32_t pid;
	char comm[16];
	struct machine_client *hw;
	struct vkf_mutex lock;             /* rank CLIENT: making @kfd */
	unsigned int n_open[N_FILE_QUOTAS]; /* protected by driver.lock */
	_Atomic(struct kfd_process *) kfd; /* from the first open of /dev/kfd to the client's end */
};

enum file_kind { FILE_KFD, FILE_RENDER, FILE_CARD, FILE_DMABUF, FILE_SMI };

struct driver_file {
	struct driver *driver;
	struct vkf_ref ref;   /* the open file, and each call under way */
	struct vkf_ref fds;   /* descriptors, see driver_file_drop() */
	struct vkf_list link; /* protected by driver.lock */
	uint64_t id, client;
	enum file_kind kind;
	struct machine_render *render;       /* RENDER, CARD */
	struct machine_dmabuf *dmabuf;       /* DMABUF */
	struct kfd_smi *smi;                 /* SMI; owned */
	_Atomic(struct kfd_process *) owner; /* KFD: NULL once its process is gone */
};

int driver_create(const struct machine_profile *profile, struct driver **ret_driver)
{
	struct driver *d = vkf_zalloc(sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	vkf_mutex_init(&d->lock, VKF_RANK_DRIVER);
	vkf_cond_init(&d->looked);
	vkf_list_init(&d->clients);
	for (unsigned int i = 0; i < FILE_BUCKETS; i++)
		vkf_list_init(&d->files[i]);
	d->next_id = 1;
	r = machine_create(profile, &d->machine);
	if (r)
		goto err_free;
	r = kfd_driver_create(d->machine, &d->kfd);
	if (r)
		goto err_machine;
	*ret_driver = d;
	return 0;

err_machine:
	machine_destroy(d->machine);
err_free:
	vkf_mutex_fini(&d->lock);
	vkf_free(d);
	return r;
}

void driver_destroy(struct driver *d)
{
	if (!d)
		return;
	VKF_ASSERT(vkf_list_empty(&d->clients) && d->n_files == 0);
	kfd_driver_destroy(d->kfd);
	machine_destroy(d->machine);
	vkf_mutex_fini(&d->lock);
	vkf_free(d);
}

struct machine *driver_machine(struct driver *d)
{
	return d->machine;
}

/* ------------------------------------------------ clients */

/* One that got its id earlier may have been made longer. */
static void add_in_order(struct driver *d, struct driver_client *c) VKF_REQUIRES(d->lock)
{
	struct vkf_list *before = d->clients.prev;

	while (before != &d->clients &&
	       vkf_container_of(before, struct driver_client, link)->id > c->id)
		before = before->prev;
	vkf_list_add(&c->link, before);
}

int driver_client_create(struct driver *d, const struct driver_client_config *config,
			 struct driver_client **ret_client)
{
	struct driver_client *c = vkf_zalloc(sizeof(*c));
	struct machine_regions regions = config->regions;
	int r;

	if (!c)
		return -ENOMEM;
	vkf_mutex_lock(&d->lock);
	c->id = d->next_id++;
	vkf_mutex_unlock(&d->lock);
	regions.number = (uint32_t)c->id;
	r = machine_client_create(d->machine, &regions, &c->hw);
	if (r) {
		vkf_free(c);
		return r;
	}
	c->driver = d;
	c->pid = config->pid;
	snprintf(c->comm, sizeof(c->comm), "%s", config->comm);
	vkf_mutex_init(&c->lock, VKF_RANK_CLIENT);
	vkf_mutex_lock(&d->lock);
	add_in_order(d, c);
	d->n_clients++;
	vkf_mutex_unlock(&d->lock);
	vkf_trace_client_start(machine_client_number(c->hw), c->pid, c->comm);
	machine_client_trace(c->hw, 0);
	*ret_client = c;
	return 0;
}

/* Ids are given out in order: neighbours do not meet. */
static struct vkf_list *bucket(struct driver *d, uint64_t id)
{
	return &d->files[id % FILE_BUCKETS];
}

/* Descriptors of /dev/kfd may outlive the process that opened them; calls on them fail then. */
static void orphan_files(struct driver *d, const struct kfd_process *p)
{
	struct driver_file *f;

	for (unsigned int i = 0; i < FILE_BUCKETS; i++) {
		vkf_list_for_each(f, &d->files[i], link) {
			if (f->kind == FILE_KFD && atomic_load(&f->owner) == p)
				atomic_store(&f->owner, NULL);
		}
	}
}

static void wait_for_lookers(struct driver *d, struct driver_client *c) VKF_REQUIRES(d->lock)
{
	while (c->n_looking)
		vkf_cond_wait(&d->looked, &d->lock, VKF_FOREVER, false);
}

void driver_client_destroy(struct driver_client *c)
{
	struct kfd_process *p;
	struct driver *d = c->driver;
	uint32_t number = machine_client_number(c->hw);

	machine_client_engine_gone(c->hw);
	vkf_mutex_lock(&d->lock);
	p = atomic_exchange(&c->kfd, NULL);
	atomic_store(&c->going, true);
	if (p)
		orphan_files(d, p);
	wait_for_lookers(d, c);
	vkf_mutex_unlock(&d->lock);
	vkf_trace_work_for(number);
	machine_client_trace(c->hw, GPU_TRACE_ENTRIES);
	if (p)
		kfd_process_destroy(p);
	machine_client_destroy(c->hw);
	vkf_trace_work_for(0);
	vkf_trace_client_exit(number);
	/* Last, so that who sees no client sees no memory of it either. */
	vkf_mutex_lock(&d->lock);
	vkf_list_del(&c->link);
	d->n_clients--;
	wait_for_lookers(d, c);
	vkf_mutex_unlock(&d->lock);
	vkf_mutex_fini(&c->lock);
	vkf_free(c);
}

void driver_client_gone(struct driver_client *c)
{
	machine_client_engine_gone(c->hw);
}

uint64_t driver_client_id(const struct driver_client *c)
{
	return c->id;
}

static int client_kfd(struct driver_client *c, struct kfd_process **ret_process)
{
	struct kfd_process *p;
	int r = 0;

	vkf_mutex_lock(&c->lock);
	p = atomic_load(&c->kfd);
	if (!p)
		r = kfd_process_create(c->driver->kfd, c->hw, c->pid, &p);
	if (!r) {
		if (p != atomic_load(&c->kfd))
			kfd_process_set_comm(p, c->comm);
		atomic_store(&c->kfd, p);
		*ret_process = p;
	}
	vkf_mutex_unlock(&c->lock);
	return r;
}

/* ------------------------------------------------ files */

/* The GPU behind a DRM minor. Return: its number, or -ENODEV. */
static int gpu_of_minor(struct driver *d, unsigned int minor, enum file_kind *ret_kind)
{
	const struct machine_profile *p = machine_profile(d->machine);

	for (unsigned int i = 0; i < p->n_gpus; i++) {
		if (p->gpus[i].render_minor == minor || p->gpus[i].card_minor == minor) {
			*ret_kind = p->gpus[i].render_minor == minor ? FILE_RENDER : FILE_CARD;
			return (int)i;
		}
	}
	return -ENODEV;
}

static int open_kfd(struct driver_client *c, struct driver_file *f)
{
	struct kfd_process *p;
	int r = client_kfd(c, &p);

	if (!r) {
		f->kind = FILE_KFD;
		atomic_store(&f->owner, p);
	}
	return r;
}

static int open_drm(struct driver_client *c, unsigned int minor, struct driver_file *f)
{
	int gpu = gpu_of_minor(c->driver, minor, &f->kind);

	return gpu < 0 ? gpu
		       : machine_render_open(c->driver->machine, (unsigned int)gpu, &f->render);
}

static unsigned int quota_of(const struct driver_file *f)
{
	return f->kind == FILE_DMABUF ? QUOTA_EXPORTS : QUOTA_FILES;
}

/* The files of which one more may be open. */
static uint64_t file_quota(const struct driver *d, unsigned int kind)
{
	const struct machine_knobs *knobs = &machine_profile(d->machine)->knobs;
	uint64_t quota = knobs->quota[kind == QUOTA_EXPORTS ? MACHINE_QUOTA_EXPORTS :
							      MACHINE_QUOTA_FILES];

	return quota ? quota : MAX_OPEN_FILES;
}

/* It has a number from here on, and can be found. Return: 0, or -EMFILE: its opener has too many. */
static int file_publish(struct driver_client *c, struct driver_file *f)
{
	unsigned int kind = quota_of(f);
	struct driver *d = c->driver;
	int r = -EMFILE;

	f->driver = d;
	f->client = c->id;
	vkf_ref_init(&f->ref);
	vkf_ref_init(&f->fds);
	vkf_mutex_lock(&d->lock);
	if (c->n_open[kind] < file_quota(d, kind)) {
		f->id = d->next_id++;
		vkf_list_add_tail(&f->link, bucket(d, f->id));
		d->n_files++;
		c->n_open[kind]++;
		r = 0;
	}
	vkf_mutex_unlock(&d->lock);
	return r;
}

int driver_open(struct driver_client *c, unsigned int major, unsigned int minor,
		struct driver_file **ret_file)
{
	struct driver_file *f = vkf_zalloc(sizeof(*f));
	int r = -ENXIO;

	if (!f)
		return -ENOMEM;
	if (major == MACHINE_KFD_MAJOR)
		r = minor ? -ENODEV : open_kfd(c, f);
	else if (major == MACHINE_DRM_MAJOR)
		r = open_drm(c, minor, f);
	if (r) {
		vkf_free(f);
		return r;
	}
	r = file_publish(c, f);
	if (r)
		driver_file_put(f);
	else
		*ret_file = f;
	return r;
}

int driver_open_dmabuf(struct driver_client *c, struct machine_dmabuf *dmabuf,
		       struct driver_file **ret_file)
{
	struct driver_file *f = vkf_zalloc(sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->kind = FILE_DMABUF;
	f->dmabuf = machine_dmabuf_get(dmabuf);
	r = file_publish(c, f);
	if (r)
		driver_file_put(f);
	else
		*ret_file = f;
	return r;
}

int driver_open_smi(struct driver_client *c, struct kfd_smi *smi, struct driver_file **ret_file)
{
	struct driver_file *f = vkf_zalloc(sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->kind = FILE_SMI;
	f->smi = smi;
	r = file_publish(c, f);
	if (r)
		vkf_free(f);
	else
		*ret_file = f;
	return r;
}

void driver_file_put(struct driver_file *f)
{
	if (!f || !vkf_ref_put(&f->ref))
		return;
	machine_render_put(f->render);
	machine_dmabuf_put(f->dmabuf);
	if (f->smi)
		kfd_smi_close(f->smi);
	vkf_free(f);
}

void driver_file_get(struct driver_file *f)
{
	vkf_ref_get(&f->ref);
}

void driver_file_share(struct driver_file *f)
{
	vkf_ref_get(&f->fds);
}

void driver_file_drop(struct driver_file *f)
{
	if (vkf_ref_put(&f->fds))
		driver_close(f);
}

void driver_close(struct driver_file *f)
{
	struct driver *d = f->driver;
	struct driver_client *c;

	vkf_mutex_lock(&d->lock);
	vkf_list_del(&f->link);
	d->n_files--;
	/* Its opener may be long gone. */
	vkf_list_for_each(c, &d->clients, link) {
		if (c->id == f->client) {
			c->n_open[quota_of(f)]--;
			break;
		}
	}
	vkf_mutex_unlock(&d->lock);
	driver_file_put(f);
}

uint64_t driver_file_id(const struct driver_file *f)
{
	return f->id;
}

uint64_t driver_file_client(const struct driver_file *f)
{
	return f->client;
}

struct driver_file *driver_file_lookup(struct driver *d, uint64_t id)
{
	struct driver_file *f, *found = NULL;

	vkf_mutex_lock(&d->lock);
	vkf_list_for_each(f, bucket(d, id), link) {
		if (f->id == id && f->kind != FILE_SMI) {
			vkf_ref_get(&f->ref);
			found = f;
			break;
		}
	}
	vkf_mutex_unlock(&d->lock);
	return found;
}

struct machine_render *driver_file_render(struct driver_file *f)
{
	return f->render;
}

struct machine_dmabuf *driver_file_dmabuf(struct driver_file *f)
{
	return f->dmabuf;
}

/* ------------------------------------------------ calls */

struct kfd_smi *driver_file_smi(struct driver_file *f)
{
	return f->smi;
}

/* As a trace has it: the device, then the number. */
static uint32_t call_number(const struct driver_file *f, uint32_t cmd)
{
	static const uint8_t device[] = {
		[FILE_KFD] = VKF_TRACE_DEVICE_KFD,
		[FILE_RENDER] = VKF_TRACE_DEVICE_RENDER,
		[FILE_CARD] = VKF_TRACE_DEVICE_CARD,
		[FILE_DMABUF] = VKF_TRACE_DEVICE_DMABUF,
	};

	return (uint32_t)device[f->kind] << 8 | (cmd & 0xff);
}

int driver_ioctl(struct driver_client *c, struct driver_file *f, struct vkf_call *call,
		 uint32_t cmd, uint64_t arg)
{
	int r;

	vkf_trace_work_for(machine_client_number(c->hw));
	vkf_trace_ioctl_begin(call_number(f, cmd));
	if (f->kind == FILE_KFD)
		r = kfd_ioctl(atomic_load(&f->owner), atomic_load(&c->kfd), call, cmd, arg);
	else if (f->kind == FILE_DMABUF)
		r = dmabuf_ioctl(f->dmabuf, call, cmd, arg);
	else
		r = drm_ioctl(f->render, f->kind == FILE_CARD, call, cmd, arg);
	vkf_trace_ioctl_end(r);
	return r;
}

static int map_file(struct driver_client *c, struct driver_file *f, uint64_t offset, uint64_t len,
		    int prot, int flags, struct machine_map *ret_map)
{
	struct machine_map map;
	int r;

	if (f->kind == FILE_KFD)
		return kfd_mmap(atomic_load(&f->owner), atomic_load(&c->kfd), offset, len, ret_map);
	r = f->dmabuf ? machine_dmabuf_mmap(f->dmabuf, offset, len, prot, flags, &map)
		      : machine_render_mmap(f->render, offset, len, prot, flags, &map);
	/* An inherited node shows the parent's buffers, a dma-buf its exporter's; the arena of
	 * another is not here. */
	if (!r && map.owner != machine_client_mm(c->hw))
		r = -EACCES;
	if (!r)
		*ret_map = map;
	return r;
}

int driver_mmap(struct driver_client *c, struct driver_file *f, uint64_t offset, uint64_t len,
		int prot, int flags, struct machine_map *ret_map)
{
	int r;

	vkf_trace_work_for(machine_client_number(c->hw));
	vkf_trace_mmap_begin((uint8_t)(call_number(f, 0) >> 8), offset, len);
	r = map_file(c, f, offset, len, prot, flags, ret_map);
	vkf_trace_mmap_end(r);
	return r;
}

void driver_interrupts(struct driver_client *c, void (*log)(const char *line))
{
	struct kfd_process *p = atomic_load(&c->kfd);
	struct gpu_irq irq;
	char line[192];

	vkf_trace_work_for(machine_client_number(c->hw));
	for (unsigned int n = 0; n < GPU_IRQ_ENTRIES && machine_irq_next(c->hw, &irq); n++) {
		if (!p)
			continue;
		line[0] = '\0';
		kfd_interrupt(p, &irq, line, sizeof(line));
		if (line[0])
			log(line);
	}
}

/* ------------------------------------------------ what it looks like from outside */

/* The oldest client younger than @id, held until done_looking(); or NULL. */
static struct driver_client *look_after(struct driver *d, uint64_t id)
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

static void done_looking(struct driver *d, struct driver_client *c)
{
	vkf_mutex_lock(&d->lock);
	c->n_looking--;
	vkf_cond_broadcast(&d->looked);
	vkf_mutex_unlock(&d->lock);
}

static unsigned int count_dmabufs(struct driver *d, uint64_t client)
{
	struct driver_file *f;
	unsigned int n = 0;

	vkf_mutex_lock(&d->lock);
	for (unsigned int i = 0; i < FILE_BUCKETS; i++) {
		vkf_list_for_each(f, &d->files[i], link)
			n += f->kind == FILE_DMABUF && f->client == client;
	}
	vkf_mutex_unlock(&d->lock);
	return n;
}

/* Without the driver's lock: a process may be long in waiting for its engine with its own. */
void driver_for_each_client(struct driver *d,
			    void (*fn)(void *cookie, const struct driver_client_stat *stat),
			    void *cookie)
{
	struct driver_client *c;
	uint64_t id;

	for (c = look_after(d, 0); c; c = look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);
		struct driver_client_stat stat = {
			.id = c->id,
			.pid = c->pid,
			.n_dmabufs = count_dmabufs(d, c->id),
			.has_kfd = p != NULL,
		};

		id = c->id;
		memcpy(stat.comm, c->comm, sizeof(stat.comm));
		if (p)
			kfd_process_stat(p, &stat.kfd);
		done_looking(d, c);
		fn(cookie, &stat);
	}
}

void driver_for_each_queue(struct driver *d, uint64_t client,
			   void (*fn)(void *cookie, const struct kfd_queue_stat *stat), void *cookie)
{
	struct driver_client *c = client ? look_after(d, client - 1) : NULL;
	struct kfd_process *p = c && c->id == client ? atomic_load(&c->kfd) : NULL;

	if (p)
		kfd_process_queues(p, fn, cookie);
	if (c)
		done_looking(d, c);
}

static void trace_queue(void *cookie, const struct kfd_queue_stat *stat)
{
	const struct driver_client *c = cookie;

	vkf_trace_queue_create((uint32_t)c->id, stat->id, (uint8_t)stat->gpu, (uint8_t)stat->type,
			       stat->ring_bytes);
	if (stat->state == KFD_QUEUE_STOPPED || stat->state == KFD_QUEUE_EVICTED)
		vkf_trace_queue_stopped((uint32_t)c->id, stat->id,
					stat->state == KFD_QUEUE_EVICTED);
}

void driver_trace_begin(struct driver *d)
{
	struct kfd_process_stat stat = { 0 };
	struct driver_client *c;
	uint64_t id;

	for (c = look_after(d, 0); c; c = look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		vkf_trace_client_start((uint32_t)id, c->pid, c->comm);
		if (p) {
			kfd_process_queues(p, trace_queue, c);
			kfd_process_stat(p, &stat);
		}
		if (p && stat.evicted)
			vkf_trace_evicted((uint32_t)id, VKF_TRACE_TRIGGER_EARLIER);
		done_looking(d, c);
	}
}

void driver_for_each_mm(struct driver *d, driver_mm_fn fn, void *cookie)
{
	struct driver_client *c;
	uint64_t id;

	for (c = look_after(d, 0); c; c = look_after(d, id)) {
		id = c->id;
		/* Whoever ends it waits for us, or has begun to before we looked. */
		if (!atomic_load(&c->going))
			fn(cookie, c->pid, c->comm, machine_client_mm(c->hw));
		done_looking(d, c);
	}
}

void driver_trace_drain(struct driver *d, unsigned int max)
{
	struct driver_client *c;
	uint64_t id;

	for (c = look_after(d, 0); c; c = look_after(d, id)) {
		id = c->id;
		if (!atomic_load(&c->going))
			machine_client_trace(c->hw, max);
		done_looking(d, c);
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

unsigned int driver_n_files(struct driver *d)
{
	unsigned int n;

	vkf_mutex_lock(&d->lock);
	n = d->n_files;
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

/* ------------------------------------------------ what is injected */

int driver_reset_gpu(struct driver *d, unsigned int gpu)
{
	struct driver_client *c;
	uint64_t id = 0;

	if (gpu >= machine_profile(d->machine)->n_gpus)
		return -ENODEV;
	kfd_reset_begin(d->kfd, gpu);
	for (c = look_after(d, 0); c; c = look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		if (p)
			kfd_process_reset(p, gpu);
		done_looking(d, c);
	}
	kfd_reset_end(d->kfd, gpu);
	return 0;
}

int driver_poison(struct driver *d, int32_t pid, uint64_t va, int (*signal)(int32_t pid))
{
	struct driver_client *c;
	uint64_t id = 0;
	int r = -ESRCH;

	for (c = look_after(d, 0); c && r == -ESRCH; c = look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		if (p && c->pid == pid)
			r = kfd_process_poison(p, va, signal);
		done_looking(d, c);
	}
	if (c)
		done_looking(d, c);
	return r;
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

	for (c = look_after(d, 0); c; c = look_after(d, id)) {
		struct kfd_process *p = atomic_load(&c->kfd);

		id = c->id;
		if (p && c->pid == pid)
			r = kfd_process_file(p, name, buf, len);
		done_looking(d, c);
	}
	return r;
}
