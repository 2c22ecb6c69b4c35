/* SPDX-License-Identifier: MIT */
#include "driver/driver.h"

#include <errno.h>
#include <stdio.h>
#include "base/env.h"
#include "base/trace.h"
#include "driver/private.h"
#include "kfd/kfd.h"

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
		driver_orphan_files(d, p);
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

void driver_client_engine_lost(struct driver_client *c)
{
	struct kfd_process *p = atomic_load(&c->kfd);

	if (p)
		kfd_process_engine_lost(p);
}

uint64_t driver_client_id(const struct driver_client *c)
{
	return c->id;
}
