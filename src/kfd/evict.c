/* SPDX-License-Identifier: MIT */
#include "kfd/evict.h"

#include "base/trace.h"
#include "kfd/process.h"
#include "kfd/queue.h"
#include "kfd/smi.h"
#include "mm/client.h"

/* So many engines may be waited for at once before a further eviction has to. */
#define MAX_EVICTIONS 64

/* ------------------------------------------------ queues */

int kfd_process_evict_queues(struct kfd_process *p, enum kfd_evict_trigger trigger)
{
	uint32_t client = machine_client_number(p->mc);
	int r;

	for (unsigned int i = 0; i < p->n_pdds; i++)
		kfd_smi_queue_eviction(p, i, trigger);
	vkf_trace_stop_begin(client, VKF_TRACE_WHY_DRIVER, (uint8_t)trigger);
	r = kfd_queues_evict(p, NULL);
	vkf_trace_stop_end(client, r);
	vkf_trace_evicted(client, (uint8_t)trigger);
	return r;
}

void kfd_process_restore_queues(struct kfd_process *p)
{
	for (unsigned int i = 0; i < p->n_pdds; i++)
		kfd_smi_queue_restore(p, i, false);
	vkf_trace_back(machine_client_number(p->mc));
	kfd_queues_restore(p, NULL);
}

/* ------------------------------------------------ evict */

static struct kfd_process *of_evict(struct vkf_work *work)
{
	return vkf_container_of(work, struct kfd_process, evict.evict);
}

static struct kfd_process *of_restore(struct vkf_work *work)
{
	return vkf_container_of(work, struct kfd_process, evict.restore);
}

static struct kfd_evictions *evictions(struct kfd_process *p)
{
	return &p->driver->evictions;
}

/* Return: whether it was this call that did it. */
static bool signal_fence(struct kfd_process *p)
{
	if (!atomic_exchange(&p->evict.wanted, false))
		return false;
	mm_client_evicted(machine_client_mm(p->mc));
	return true;
}

/*
 * Each eviction is ended by one restore. If the fence has been signalled meanwhile, whoever did
 * that sees to the restore; if a restore was to come already, it ends one eviction only.
 */
static void evict(struct kfd_process *p)
{
	int r = kfd_process_evict_queues(p, KFD_EVICT_TTM);

	atomic_fetch_add_explicit(&evictions(p)->n_evicted, 1, memory_order_relaxed);
	if (!signal_fence(p)) {
		kfd_process_restore_queues(p);
		return;
	}
	/* One whose engine is gone has nothing to come back to. */
	if (r)
		return;
	if (vkf_work_mod(&p->evict.restore, evictions(p)->restore_ns))
		kfd_process_restore_queues(p);
}

static void evict_worker(struct vkf_work *work)
{
	struct kfd_process *p = of_evict(work);
	uint32_t client = machine_client_number(p->mc);

	vkf_trace_work_for(client);
	vkf_trace_evict_begin(client);
	evict(p);
	vkf_trace_evict_end(client);
	vkf_trace_work_for(0);
}

/* mm_client_ops.evict: called with any lock held, so it only leaves word. */
static bool evict_wanted(void *cookie)
{
	struct kfd_process *p = cookie;
	uint64_t ran = vkf_now_ns() - atomic_load(&p->evict.last_restore);
	uint64_t active = evictions(p)->active_ns;

	atomic_store(&p->evict.wanted, true);
	(void)vkf_work_queue(&p->evict.evict, ran >= active ? 0 : active - ran);
	return true;
}

/* ------------------------------------------------ restore */

static void restore(struct kfd_process *p)
{
	int r;

	atomic_store(&p->evict.last_restore, vkf_now_ns());
	vkf_trace_restore_begin(machine_client_number(p->mc));
	r = mm_client_restore(machine_client_mm(p->mc));
	vkf_trace_restore_end(machine_client_number(p->mc), r);
	atomic_fetch_add_explicit(r ? &evictions(p)->n_failed : &evictions(p)->n_restored, 1,
				  memory_order_relaxed);
	/* When it is to be done again anyhow, this one is done with. */
	if (r && !vkf_work_mod(&p->evict.restore, evictions(p)->back_off_ns))
		return;
	kfd_process_restore_queues(p);
}

static void restore_worker(struct vkf_work *work)
{
	struct kfd_process *p = of_restore(work);

	vkf_trace_work_for(machine_client_number(p->mc));
	restore(p);
	vkf_trace_work_for(0);
}

/* ------------------------------------------------ user pages */

static void userptr_worker(struct vkf_work *work)
{
	struct kfd_process *p = vkf_container_of(work, struct kfd_process, evict.userptr);

	atomic_store(&p->evict.userptr_gone, false);
	kfd_process_restore_queues(p);
}

/* Those that find another page gone meanwhile come back with the first. */
void kfd_evict_userptr(struct kfd_process *p)
{
	if (atomic_exchange(&p->evict.userptr_gone, true))
		return;
	(void)kfd_process_evict_queues(p, KFD_EVICT_USERPTR);
	(void)vkf_work_queue(&p->evict.userptr, evictions(p)->userptr_ns);
}

/* ------------------------------------------------ no engine */

static void lost_worker(struct vkf_work *work)
{
	struct kfd_process *p = vkf_container_of(work, struct kfd_process, evict.lost);

	machine_client_engine_gone(p->mc);
	vkf_mutex_lock(&p->queue_lock);
	kfd_engine_lost(p);
	vkf_mutex_unlock(&p->queue_lock);
}

void kfd_evict_lost(struct kfd_process *p)
{
	(void)vkf_work_queue(&p->evict.lost, 0);
}

/* machine_client_set_lost(): called with any lock held. */
static void engine_lost(void *cookie)
{
	kfd_evict_lost(cookie);
}

/* ------------------------------------------------ begin and end */

int kfd_evictions_init(struct kfd_evictions *ev)
{
	int r = vkf_workq_init(&ev->evict_wq, "vkfd-evict", MAX_EVICTIONS);

	if (r)
		return r;
	r = vkf_workq_init(&ev->restore_wq, "vkfd-restore", 1);
	if (r) {
		vkf_workq_fini(&ev->evict_wq);
		return r;
	}
	ev->active_ns = KFD_PROCESS_ACTIVE_TIME_MS * VKF_NSEC_PER_MSEC;
	ev->restore_ns = KFD_PROCESS_RESTORE_TIME_MS * VKF_NSEC_PER_MSEC;
	ev->back_off_ns = KFD_PROCESS_BACK_OFF_TIME_MS * VKF_NSEC_PER_MSEC;
	ev->userptr_ns = KFD_USERPTR_RESTORE_DELAY_MS * VKF_NSEC_PER_MSEC;
	return 0;
}

void kfd_evictions_fini(struct kfd_evictions *ev)
{
	vkf_workq_fini(&ev->evict_wq);
	vkf_workq_fini(&ev->restore_wq);
}

/* Without a back end there are no other tasks: neither to do it, nor to wait for it. */
static int prepare(struct kfd_evictions *ev)
{
	int r;

	if (!vkf_sched_installed())
		return 0;
	r = vkf_workq_prepare(&ev->evict_wq);
	if (r)
		return r;
	r = vkf_workq_prepare(&ev->restore_wq);
	if (r)
		vkf_workq_release(&ev->evict_wq);
	return r;
}

static void release(struct kfd_evictions *ev)
{
	if (!vkf_sched_installed())
		return;
	vkf_workq_release(&ev->evict_wq);
	vkf_workq_release(&ev->restore_wq);
}

int kfd_evict_start(struct kfd_process *p)
{
	struct kfd_evictions *ev = evictions(p);
	int r = prepare(ev);

	if (r)
		return r;
	vkf_work_init(&p->evict.evict, &ev->evict_wq, evict_worker);
	vkf_work_init(&p->evict.restore, &ev->restore_wq, restore_worker);
	vkf_work_init(&p->evict.userptr, &ev->evict_wq, userptr_worker);
	vkf_work_init(&p->evict.lost, &ev->evict_wq, lost_worker);
	atomic_init(&p->evict.userptr_gone, false);
	atomic_init(&p->evict.wanted, false);
	atomic_init(&p->evict.last_restore, vkf_now_ns());
	machine_client_set_evict(p->mc, evict_wanted, p);
	machine_client_set_lost(p->mc, engine_lost, p);
	/* Its memory may have been wanted while it had nothing that runs. */
	if (mm_client_is_evicted(machine_client_mm(p->mc))) {
		(void)kfd_queues_evict(p, NULL);
		(void)vkf_work_queue(&p->evict.restore, 0);
	}
	return 0;
}

/* Queues may still run, but they will not for long, and nobody need see to it. */
static bool evict_at_the_end(void *cookie)
{
	(void)cookie;
	return true;
}

void kfd_evict_stop(struct kfd_process *p)
{
	machine_client_set_evict(p->mc, evict_at_the_end, NULL);
	machine_client_set_lost(p->mc, NULL, NULL);
	/* In this order: an eviction queues a restore. */
	(void)vkf_work_cancel_sync(&p->evict.evict);
	(void)vkf_work_cancel_sync(&p->evict.restore);
	(void)vkf_work_cancel_sync(&p->evict.userptr);
	(void)vkf_work_cancel_sync(&p->evict.lost);
}

void kfd_evict_finish(struct kfd_process *p)
{
	machine_client_set_evict(p->mc, NULL, NULL);
	mm_client_evicted(machine_client_mm(p->mc));
	release(evictions(p));
}
