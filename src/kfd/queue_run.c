/* SPDX-License-Identifier: MIT */
/**
 * DOC: Which queues run
 *
 * A queue runs while it is active and there is no reason to keep the queues of its
 * GPU stopped. Reasons are counted, for they overlap: memory that is taken away,
 * user pages that vanish, a fault, a reset. Only the first one stops queues, and all
 * of them at once, of all GPUs concerned; only the end of the last one lets them run.
 */
#include "kfd/queue.h"

#include <errno.h>
#include "base/trace.h"

/* struct queue_set - slots to be told the same */
struct queue_set {
	unsigned int n;
	int slots[KFD_MAX_QUEUES];
	uint16_t ids[KFD_MAX_QUEUES];
};

static bool should_run(const struct kfd_process *p, const struct kfd_queue *q)
	VKF_REQUIRES(p->queue_lock)
{
	return kfd_queue_active(q) && !p->pdds[q->gpu].evicted;
}

void kfd_queues_count(struct kfd_process *p, struct kfd_pdd *pdd)
{
	struct kfd_share_need need = { 0 };
	struct kfd_queue *q;
	unsigned int id;

	vkf_handle_for_each(&p->queues, id, q) {
		if (q->gpu != pdd->gpu)
			continue;
		need.n_queues++;
		need.n_active += q->running;
		need.n_compute += q->running && kfd_queue_computes(q);
		need.gws |= q->running && pdd->gws_queue == q;
	}
	kfd_share_update(&p->driver->gpus[pdd->gpu].sharing, &pdd->share, &need);
}

/* What the kernel tells of a reset, of queues as of a whole GPU. */
static void tell_reset(struct kfd_process *p, const struct kfd_pdd *pdd)
{
	struct kfd_hsa_hw_exception_data data = {
		.reset_type = KFD_HW_EXCEPTION_WHOLE_GPU_RESET,
		.reset_cause = KFD_HW_EXCEPTION_GPU_HANG,
		.memory_lost = 1,
		.gpu_id = pdd->gpu_id,
	};

	kfd_events_hw(&p->events, &data);
}

/*
 * The kernel resets the queues that do not stop, tells their process, and others go on. Here one
 * engine is the hardware of all queues of a process, so all of them are reset, and nothing is left to
 * run them: they stay stopped, as after the reset of a whole GPU.
 */
void kfd_engine_lost(struct kfd_process *p)
{
	struct kfd_queue *q;
	unsigned int id;

	if (p->lost)
		return;
	p->lost = true;
	vkf_handle_for_each(&p->queues, id, q) {
		q->running = false;
		p->pdds[q->gpu].has_reset_queue = true;
	}
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		if (!p->pdds[i].evicted++)
			p->pdds[i].evicted_since = vkf_now_ns();
		p->pdds[i].lost = true;
		kfd_queues_count(p, &p->pdds[i]);
		if (p->pdds[i].has_reset_queue)
			tell_reset(p, &p->pdds[i]);
	}
}

int kfd_queues_tell(struct kfd_process *p, const int *slots, unsigned int n, bool run)
{
	int r = machine_queues_run(p->mc, slots, n, run);

	if (r == -ETIME)
		kfd_engine_lost(p);
	return r;
}

/* A queue is seen to be stopped once it is, and to run before it may. */
static void told(const struct kfd_process *p, unsigned int id, bool run, enum vkf_trace_why why)
{
	if (run)
		vkf_trace_queue_runs(machine_client_number(p->mc), id);
	else
		vkf_trace_queue_stopped(machine_client_number(p->mc), id, why);
}

/* All of @set at once. */
static int switch_queues(struct kfd_process *p, const struct queue_set *set, bool run,
			 enum vkf_trace_why why) VKF_REQUIRES(p->queue_lock)
{
	int r;

	for (unsigned int i = 0; run && i < set->n; i++)
		told(p, set->ids[i], true, why);
	r = kfd_queues_tell(p, set->slots, set->n, run);
	for (unsigned int i = 0; !run && i < set->n; i++)
		told(p, set->ids[i], false, why);
	return r;
}

int kfd_queue_apply(struct kfd_process *p, struct kfd_queue *q)
{
	bool run = should_run(p, q);
	int r;

	if (run == q->running)
		return 0;
	q->running = run;
	if (run) {
		told(p, q->id, true, VKF_TRACE_WHY_PROGRAM);
		kfd_queues_count(p, &p->pdds[q->gpu]);
	}
	r = kfd_queues_tell(p, &q->slot, 1, run);
	if (!run) {
		told(p, q->id, false,
		     kfd_queue_active(q) ? VKF_TRACE_WHY_DRIVER : VKF_TRACE_WHY_PROGRAM);
		kfd_queues_count(p, &p->pdds[q->gpu]);
	}
	return r;
}

/* Those that are not as they should be. A queue that has no slot yet is started as it should be. */
static void collect(struct kfd_process *p, bool run, struct queue_set *set)
	VKF_REQUIRES(p->queue_lock)
{
	struct kfd_queue *q;
	unsigned int id;

	set->n = 0;
	vkf_handle_for_each(&p->queues, id, q) {
		if (q->slot < 0 || q->running == run || should_run(p, q) != run)
			continue;
		q->running = run;
		set->ids[set->n] = (uint16_t)q->id;
		set->slots[set->n++] = q->slot;
	}
}

static bool concerns(const struct kfd_pdd *pdd, const struct kfd_pdd *only)
{
	return !only || pdd == only;
}

static void count_all(struct kfd_process *p, const struct kfd_pdd *only) VKF_REQUIRES(p->queue_lock)
{
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		if (concerns(&p->pdds[i], only))
			kfd_queues_count(p, &p->pdds[i]);
	}
}

static void begin_eviction(struct kfd_pdd *pdd)
{
	pdd->evicted_since = vkf_now_ns();
	pdd->n_evictions++;
}

int kfd_queues_evict(struct kfd_process *p, struct kfd_pdd *only)
{
	struct queue_set set;
	int r;

	vkf_mutex_lock(&p->queue_lock);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_pdd *pdd = &p->pdds[i];

		if (concerns(pdd, only) && !pdd->evicted++)
			begin_eviction(pdd);
	}
	collect(p, false, &set);
	r = switch_queues(p, &set, false, only ? VKF_TRACE_WHY_FAULT : VKF_TRACE_WHY_DRIVER);
	count_all(p, only);
	vkf_mutex_unlock(&p->queue_lock);
	return r;
}

void kfd_queues_restore(struct kfd_process *p, struct kfd_pdd *only)
{
	struct queue_set set;

	vkf_mutex_lock(&p->queue_lock);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_pdd *pdd = &p->pdds[i];

		if (concerns(pdd, only) && pdd->evicted && !--pdd->evicted)
			pdd->evicted_ns += vkf_now_ns() - pdd->evicted_since;
	}
	collect(p, true, &set);
	count_all(p, only);
	/* What runs need not be waited for, so this cannot fail. */
	(void)switch_queues(p, &set, true, VKF_TRACE_WHY_DRIVER);
	vkf_mutex_unlock(&p->queue_lock);
}
