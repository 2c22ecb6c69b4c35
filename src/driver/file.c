/* SPDX-License-Identifier: MIT */
#include "driver/file.h"

#include <errno.h>
#include "base/env.h"
#include "driver/private.h"
#include "kfd/kfd.h"
#include "machine/sysfs.h"

#define MAX_OPEN_FILES 1024 /* of one client, of either kind, unless the machine says */

/* Ids are given out in order: neighbours do not meet. */
static struct vkf_list *bucket(struct driver *d, uint64_t id)
{
	return &d->files[id % FILE_BUCKETS];
}

/* Descriptors of /dev/kfd may outlive the process that opened them; calls on them fail then. */
void driver_orphan_files(struct driver *d, const struct kfd_process *p)
{
	struct driver_file *f;

	for (unsigned int i = 0; i < FILE_BUCKETS; i++) {
		vkf_list_for_each(f, &d->files[i], link) {
			if (f->kind == FILE_KFD && atomic_load(&f->owner) == p)
				atomic_store(&f->owner, NULL);
		}
	}
}

unsigned int driver_count_dmabufs(struct driver *d, uint64_t client)
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

unsigned int driver_n_files(struct driver *d)
{
	unsigned int n;

	vkf_mutex_lock(&d->lock);
	n = d->n_files;
	vkf_mutex_unlock(&d->lock);
	return n;
}

/* ------------------------------------------------ opening */

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

/* ------------------------------------------------ as long as it is open */

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

struct kfd_smi *driver_file_smi(struct driver_file *f)
{
	return f->smi;
}
