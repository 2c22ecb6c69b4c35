/* SPDX-License-Identifier: MIT */
#include "kfd/process.h"

#include <errno.h>
#include <stdio.h>
#include "base/env.h"
#include "kfd/aperture.h"
#include "kfd/doorbell.h"
#include "kfd/memory.h"
#include "kfd/procfs.h"
#include "kfd/queue.h"
#include "mm/vm.h"

static void pdd_init(struct kfd_process *p, unsigned int gpu)
{
	struct kfd_pdd *pdd = &p->pdds[gpu];

	pdd->gpu = gpu;
	pdd->gpu_id = kfd_gpu_profile(p->driver, gpu)->gpu_id;
	vkf_handles_init(&pdd->mems, 0, INT32_MAX);
	kfd_share_init(&pdd->share, p->mc, gpu);
	kfd_doorbells_init(pdd, &kfd_gpu_profile(p->driver, gpu)->asic);
}

static void process_free(struct kfd_process *p)
{
	kfd_events_fini(&p->events);
	kfd_driver_remove_process(p->driver, p->pasid);
	vkf_handles_fini(&p->queues);
	vkf_mutex_fini(&p->queue_lock);
	vkf_mutex_fini(&p->lock);
	vkf_free(p);
}

/* Somebody is there to end a turn, while there is a process. Without a back end there is nobody at all. */
static int prepare_sharing(struct kfd_driver *kd)
{
	return vkf_sched_installed() ? vkf_workq_prepare(&kd->share_wq) : 0;
}

static void release_sharing(struct kfd_driver *kd)
{
	if (vkf_sched_installed())
		vkf_workq_release(&kd->share_wq);
}

int kfd_process_create(struct kfd_driver *kd, struct machine_client *mc, int32_t pid,
		       struct kfd_process **ret_process)
{
	struct kfd_process *p = vkf_zalloc(sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->driver = kd;
	p->mc = mc;
	p->pid = pid;
	r = kfd_driver_add_process(kd, p, &p->pasid);
	if (r) {
		vkf_free(p);
		return r;
	}
	vkf_mutex_init(&p->lock, VKF_RANK_PROCESS);
	vkf_mutex_init(&p->queue_lock, VKF_RANK_QUEUE);
	vkf_handles_init(&p->queues, 0, KFD_MAX_QUEUES);
	kfd_events_init(&p->events);
	p->n_pdds = kd->n_gpus;
	for (unsigned int i = 0; i < p->n_pdds; i++)
		pdd_init(p, i);
	r = prepare_sharing(kd);
	if (r)
		goto err_free;
	r = kfd_evict_start(p);
	if (r)
		goto err_sharing;
	kfd_procfs_process(p, true);
	*ret_process = p;
	return 0;

err_sharing:
	release_sharing(kd);
err_free:
	process_free(p);
	return r;
}

/* Queues first, then what they used: VMs (which drop every mapping), buffers, files. When no queue
 * is left, who waits for the process to be evicted need not wait any longer. */
void kfd_process_destroy(struct kfd_process *p)
{
	if (!p)
		return;
	kfd_evict_stop(p);
	vkf_mutex_lock(&p->lock);
	kfd_queues_destroy_all(p);
	kfd_procfs_process(p, false);
	kfd_evict_finish(p);
	kfd_mems_forget_mappings(p);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_pdd *pdd = &p->pdds[i];

		if (!pdd->vm)
			continue;
		machine_client_set_vm(p->mc, pdd->gpu, NULL);
		mm_vm_destroy(pdd->vm);
		pdd->vm = NULL;
	}
	machine_client_set_event_page(p->mc, NULL, 0);
	kfd_mems_destroy_all(p);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		if (p->pdds[i].render) {
			machine_render_drop_vm(p->pdds[i].render);
			machine_render_put(p->pdds[i].render);
		}
	}
	vkf_mutex_unlock(&p->lock);
	release_sharing(p->driver);
	process_free(p);
}

void kfd_process_set_comm(struct kfd_process *p, const char *comm)
{
	snprintf(p->comm, sizeof(p->comm), "%s", comm);
}

struct kfd_pdd *kfd_pdd_by_id(struct kfd_process *p, uint32_t gpu_id)
{
	int gpu = machine_gpu_by_id(p->driver->machine, gpu_id);

	return gpu < 0 ? NULL : &p->pdds[gpu];
}

int kfd_pdd_bind(const struct kfd_pdd *pdd)
{
	return pdd->vm ? 0 : -ENODEV;
}

/* The root, and what the kernel keeps mapped for itself; undone as a whole. */
static int init_vm(struct kfd_process *p, struct kfd_pdd *pdd)
{
	struct mm_vm *vm;
	int r;

	r = mm_vm_create(machine_client_mm(p->mc), machine_device(p->driver->machine, pdd->gpu),
			 &vm);
	if (r)
		return r == -EEXIST ? -EINVAL : r;
	pdd->vm = vm;
	r = kfd_mems_map_internal(p, pdd);
	if (r) {
		pdd->vm = NULL;
		mm_vm_destroy(vm);
		return r;
	}
	machine_client_set_vm(p->mc, pdd->gpu, vm);
	return 0;
}

static int take_vm(struct kfd_process *p, struct kfd_pdd *pdd, struct machine_render *render)
{
	int r;

	if (pdd->render)
		return pdd->render == render ? 0 : -EBUSY;
	r = render ? machine_render_take_vm(render) : -EINVAL;
	if (r)
		return r;
	pdd->render = render; /* buffers of the VM belong to this file */
	r = init_vm(p, pdd);
	if (r) {
		pdd->render = NULL;
		machine_render_drop_vm(render);
		return r;
	}
	machine_render_get(render);
	return 0;
}

int kfd_acquire_vm(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_acquire_vm_args *args = arg;
	struct machine_render *render = call->ops->render_of_fd(call, (int)args->drm_fd);
	struct kfd_pdd *pdd;
	int r = -EINVAL;

	if (!render && !vkf_fd_is_open(call, (int)args->drm_fd))
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	pdd = kfd_pdd_by_id(p, args->gpu_id);
	if (pdd)
		r = take_vm(p, pdd, render);
	vkf_mutex_unlock(&p->lock);
	return r;
}

void kfd_process_stat(struct kfd_process *p, struct kfd_process_stat *ret_stat)
{
	struct kfd_process_stat s = { 0 };

	vkf_mutex_lock(&p->lock);
	kfd_mems_stat(p, &s);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		s.vram[i] = p->pdds[i].vram_usage;
		s.queues[i] = p->pdds[i].n_queues;
		s.n_queues += p->pdds[i].n_queues;
	}
	vkf_mutex_unlock(&p->lock);
	s.n_events = kfd_events_count(&p->events);
	kfd_process_evictions(p, &s);
	*ret_stat = s;
}
