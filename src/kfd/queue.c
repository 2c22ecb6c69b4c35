/* SPDX-License-Identifier: MIT */
#include "kfd/queue.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "kfd/doorbell.h"
#include "kfd/procfs.h"

/* The hardware scheduler's limit for one process on one GPU; higher on gfx 9.4. */
#define MAX_QUEUES_OF_PDD 127u
#define MAX_QUEUES_OF_PDD_94X 255u
#define PERCENT_MASK 0xffu
#define NORMAL_PRIORITY 7u

struct kfd_queue *kfd_queue_find(struct kfd_process *p, uint32_t id)
{
	return vkf_handles_find(&p->queues, id);
}

struct kfd_queue *kfd_queue_by_slot(struct kfd_process *p, int slot)
{
	struct kfd_queue *q;
	unsigned int id;

	vkf_handle_for_each(&p->queues, id, q) {
		if (q->slot == slot)
			return q;
	}
	return NULL;
}

/* ------------------------------------------------ what both CREATE and UPDATE check */

static int check_common(uint32_t percentage, uint32_t priority, uint64_t ring, uint32_t *ring_size)
{
	if ((percentage & PERCENT_MASK) > KFD_MAX_QUEUE_PERCENTAGE)
		return -EINVAL;
	if (priority > KFD_MAX_QUEUE_PRIORITY)
		return -EINVAL;
	if (ring && !vkf_access_ok(ring, sizeof(uint64_t)))
		return -EFAULT;
	if (*ring_size && !VKF_IS_POW2(*ring_size))
		return -EINVAL;
	if (*ring_size < KFD_MIN_QUEUE_RING_SIZE)
		*ring_size = KFD_MIN_QUEUE_RING_SIZE;
	return 0;
}

static int check_pointers(const struct kfd_create_queue_args *a)
{
	const uint64_t optional[] = { a->eop_buffer_address, a->ctx_save_restore_address };

	if (!vkf_access_ok(a->read_pointer_address, sizeof(uint32_t)))
		return -EFAULT;
	if (!vkf_access_ok(a->write_pointer_address, sizeof(uint32_t)))
		return -EFAULT;
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(optional); i++) {
		if (optional[i] && !vkf_access_ok(optional[i], sizeof(uint32_t)))
			return -EFAULT;
	}
	return 0;
}

/* The types are numbered without a hole. */
static int check_type(uint32_t type)
{
	return type <= KFD_QUEUE_TYPE_SDMA_BY_ENG_ID ? 0 : -VKF_ENOTSUPP;
}

static enum gpu_queue_type hardware_type(const struct kfd_create_queue_args *a, bool xgmi)
{
	switch (a->queue_type) {
	case KFD_IOC_QUEUE_TYPE_COMPUTE:
		return GPU_QUEUE_PM4;
	case KFD_IOC_QUEUE_TYPE_COMPUTE_AQL:
		return GPU_QUEUE_AQL;
	default:
		return xgmi ? GPU_QUEUE_SDMA_XGMI : GPU_QUEUE_SDMA;
	}
}

/* ------------------------------------------------ create */

/* struct request - CREATE_QUEUE, decoded */
struct request {
	struct kfd_pdd *pdd;
	const struct machine_asic *asic;
	struct kfd_queue *q;
	bool sdma, xgmi;
	int engine; /* -1: any */
};

static void queue_init(struct kfd_queue *q, const struct kfd_create_queue_args *a)
{
	q->slot = -1;
	q->ring_va = a->ring_base_address;
	q->ring_bytes = a->ring_size;
	q->rptr_va = a->read_pointer_address;
	q->wptr_va = a->write_pointer_address;
	q->eop_va = a->eop_buffer_address;
	q->eop_bytes = a->eop_buffer_size;
	q->cwsr_va = a->ctx_save_restore_address;
	q->cwsr_bytes = a->ctx_save_restore_size;
	q->ctl_stack_bytes = a->ctl_stack_size;
	q->percent = a->queue_percentage & PERCENT_MASK;
	q->priority = a->queue_priority;
}

static int decode(struct kfd_process *p, const struct kfd_create_queue_args *a, struct request *rq)
{
	rq->pdd = kfd_pdd_by_id(p, a->gpu_id);
	if (!rq->pdd)
		return -EINVAL;
	if (kfd_pdd_bind(rq->pdd))
		return -ESRCH;
	rq->asic = &kfd_gpu_profile(p->driver, rq->pdd->gpu)->asic;
	rq->engine = -1;
	rq->xgmi = a->queue_type == KFD_IOC_QUEUE_TYPE_SDMA_XGMI;
	if (a->queue_type == KFD_QUEUE_TYPE_SDMA_BY_ENG_ID) {
		if (a->sdma_engine_id >= rq->asic->sdma_engines + rq->asic->sdma_xgmi_engines)
			return -EINVAL;
		rq->xgmi = a->sdma_engine_id >= rq->asic->sdma_engines;
		rq->engine = (int)(a->sdma_engine_id - (rq->xgmi ? rq->asic->sdma_engines : 0));
	}
	rq->q->gpu = rq->pdd->gpu;
	rq->q->type = hardware_type(a, rq->xgmi);
	rq->sdma = !kfd_queue_computes(rq->q);
	return 0;
}

/* SDMA engines know of none. */
static uint32_t hardware_priority(const struct kfd_queue *q)
{
	return kfd_queue_computes(q) ? q->priority : NORMAL_PRIORITY;
}

static int load(struct kfd_process *p, struct request *rq)
{
	struct kfd_queue *q = rq->q;
	struct machine_queue mq = {
		.type = q->type,
		.gpu = q->gpu,
		.queue_id = q->id,
		.doorbell = q->doorbell * kfd_doorbell_bytes(rq->asic),
		.ring_va = q->ring_va,
		.ring_bytes = q->ring_bytes,
		.rptr_va = q->rptr_va,
		.wptr_va = q->wptr_va,
		.priority = hardware_priority(q),
	};
	int slot;

	vkf_mutex_lock(&p->queue_lock);
	q->running = kfd_queue_active(q) && !rq->pdd->evicted;
	kfd_queues_count(p, rq->pdd);
	slot = machine_queue_load(p->mc, &mq, q->running);
	if (slot >= 0)
		q->slot = slot;
	vkf_mutex_unlock(&p->queue_lock);
	if (slot < 0)
		return slot == -ENOSPC ? -ENOMEM : slot;
	return 0;
}

static int take_sdma(struct kfd_process *p, struct request *rq)
{
	struct kfd_queue *q = rq->q;
	int r;

	if (!rq->sdma)
		return 0;
	r = kfd_gpu_take_sdma(p->driver, q->gpu, rq->xgmi, rq->engine, &q->sdma);
	if (!r)
		q->sdma_slot = true;
	return r;
}

/* The queue manager's part: what all processes share, a doorbell, the hardware. */
static int place(struct kfd_process *p, struct request *rq)
{
	struct kfd_queue *q = rq->q;
	int r;

	r = kfd_gpu_count_queue(p->driver, q->gpu);
	if (r)
		return r;
	r = take_sdma(p, rq);
	if (r)
		goto err_count;
	r = kfd_doorbell_take(rq->pdd, rq->asic, q->id, q->sdma_slot ? &q->sdma : NULL,
			      &q->doorbell);
	if (r)
		goto err_sdma;
	r = vkf_fault("kfd.queue_create", q->gpu);
	if (!r)
		r = load(p, rq);
	if (!r)
		return 0;
	kfd_doorbell_give(rq->pdd, rq->asic, q->doorbell, q->sdma_slot);
err_sdma:
	if (q->sdma_slot)
		kfd_gpu_give_sdma(p->driver, q->gpu, &q->sdma);
err_count:
	kfd_gpu_uncount_queue(p->driver, q->gpu);
	return r;
}

static int take_id(struct kfd_process *p, struct kfd_queue *q)
{
	int r;

	vkf_mutex_lock(&p->queue_lock);
	r = vkf_handles_add(&p->queues, q, &q->id);
	vkf_mutex_unlock(&p->queue_lock);
	return r;
}

static void give_id(struct kfd_process *p, struct kfd_queue *q)
{
	vkf_mutex_lock(&p->queue_lock);
	vkf_handles_remove(&p->queues, q->id);
	kfd_queues_count(p, &p->pdds[q->gpu]);
	vkf_mutex_unlock(&p->queue_lock);
}

/* gfx_target is major * 10000 + minor * 100 + stepping: 9.4.0 to 9.4.2 of one chip. */
static unsigned int queues_of_pdd(const struct machine_asic *asic)
{
	return asic->gfx_target / 100 == 904 ? MAX_QUEUES_OF_PDD_94X : MAX_QUEUES_OF_PDD;
}

static int add(struct kfd_process *p, struct request *rq)
{
	int r;

	if (rq->pdd->n_queues >= queues_of_pdd(rq->asic))
		return -ENOSPC;
	if (take_id(p, rq->q))
		return -ENOMEM;
	r = place(p, rq);
	if (r) {
		give_id(p, rq->q);
		return r;
	}
	rq->pdd->n_queues++;
	kfd_procfs_queue(p, rq->q, true);
	return 0;
}

static void trace_create(const struct kfd_process *p, const struct kfd_queue *q)
{
	uint32_t client = machine_client_number(p->mc);

	vkf_trace_queue_create(client, q->id, (uint8_t)q->gpu, (uint8_t)q->type, q->ring_bytes);
	if (!q->running)
		vkf_trace_queue_stopped(client, q->id,
					kfd_queue_active(q) ? VKF_TRACE_WHY_DRIVER :
							      VKF_TRACE_WHY_PROGRAM);
}

static int create_locked(struct kfd_process *p, struct kfd_create_queue_args *a,
			 struct kfd_queue *q)
{
	struct request rq = { .q = q };
	int r;

	r = decode(p, a, &rq);
	if (r)
		return r;
	r = kfd_queue_hold_buffers(q, rq.pdd, rq.asic);
	if (r)
		return r;
	r = add(p, &rq);
	if (r) {
		kfd_queue_release_buffers(q);
		return r;
	}
	trace_create(p, q);
	a->queue_id = q->id;
	a->doorbell_offset = kfd_mmap_offset(KFD_MMAP_DOORBELL, a->gpu_id);
	if (rq.asic->doorbell64)
		a->doorbell_offset |= q->doorbell * kfd_doorbell_bytes(rq.asic);
	return 0;
}

int kfd_create_queue(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_create_queue_args *a = arg;
	struct kfd_queue *q;
	int r;

	(void)call;
	r = check_common(a->queue_percentage, a->queue_priority, a->ring_base_address,
			 &a->ring_size);
	if (!r)
		r = check_pointers(a);
	if (!r)
		r = check_type(a->queue_type);
	if (r)
		return r;
	q = vkf_zalloc(sizeof(*q));
	if (!q)
		return -ENOMEM;
	queue_init(q, a);
	vkf_mutex_lock(&p->lock);
	r = create_locked(p, a, q);
	vkf_mutex_unlock(&p->lock);
	if (r)
		vkf_free(q);
	return r;
}

/* ------------------------------------------------ destroy */

/* The kernel resets a compute queue of gfx9 that does not stop, and then it has stopped; of others it
 * says that they did not. */
static bool can_be_reset(const struct kfd_process *p, const struct kfd_queue *q)
{
	return kfd_queue_computes(q) &&
	       kfd_gpu_profile(p->driver, q->gpu)->asic.gfx_target / 10000 == 9;
}

/* Not seen any more only when it does not run any more: who finds no queue counts on that. */
static int unload(struct kfd_process *p, struct kfd_queue *q)
{
	int r;

	vkf_mutex_lock(&p->queue_lock);
	p->pdds[q->gpu].sdma_past_ns += machine_queue_busy_ns(p->mc, q->slot);
	r = machine_queue_unload(p->mc, q->slot);
	if (r)
		kfd_engine_lost(p);
	if (!q->running)
		vkf_trace_queue_runs(machine_client_number(p->mc), q->id);
	vkf_trace_queue_destroy(machine_client_number(p->mc), q->id);
	vkf_handles_remove(&p->queues, q->id);
	if (p->pdds[q->gpu].gws_queue == q)
		p->pdds[q->gpu].gws_queue = NULL;
	kfd_queues_count(p, &p->pdds[q->gpu]);
	vkf_mutex_unlock(&p->queue_lock);
	return can_be_reset(p, q) ? 0 : r;
}

/* A hardware that does not answer is reported, but the queue is gone all the same. */
static int destroy(struct kfd_process *p, struct kfd_queue *q)
{
	struct kfd_pdd *pdd = &p->pdds[q->gpu];
	const struct machine_asic *asic = &kfd_gpu_profile(p->driver, q->gpu)->asic;
	int r;

	kfd_procfs_queue(p, q, false);
	r = unload(p, q);

	kfd_doorbell_give(pdd, asic, q->doorbell, q->sdma_slot);
	if (q->sdma_slot)
		kfd_gpu_give_sdma(p->driver, q->gpu, &q->sdma);
	kfd_gpu_uncount_queue(p->driver, q->gpu);
	kfd_queue_release_buffers(q);
	pdd->n_queues--;
	vkf_free(q);
	return r;
}

int kfd_destroy_queue(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_destroy_queue_args *args = arg;
	struct kfd_queue *q;
	int r;

	(void)call;
	vkf_mutex_lock(&p->lock);
	q = kfd_queue_find(p, args->queue_id);
	r = q ? destroy(p, q) : -EINVAL;
	vkf_mutex_unlock(&p->lock);
	return r;
}

void kfd_queues_destroy_all(struct kfd_process *p)
{
	struct kfd_queue *q;
	unsigned int id;

	vkf_handle_for_each(&p->queues, id, q)
		destroy(p, q);
}

/* ------------------------------------------------ update */

/* The ring may only change under a stopped queue. */
static int set_ring(struct kfd_process *p, struct kfd_queue *q, uint64_t va, uint64_t bytes)
	VKF_REQUIRES(p->queue_lock)
{
	int r = 0;

	if (va == q->ring_va && bytes == q->ring_bytes)
		return 0;
	if (q->running)
		r = kfd_queues_tell(p, &q->slot, 1, false);
	q->running = false;
	kfd_queues_count(p, &p->pdds[q->gpu]);
	q->ring_va = va;
	q->ring_bytes = bytes;
	machine_queue_set_ring(p->mc, q->slot, va, bytes);
	return r;
}

static int update_locked(struct kfd_process *p, const struct kfd_ioctl_update_queue_args *a)
{
	struct kfd_queue *q = kfd_queue_find(p, a->queue_id);
	struct kfd_pdd *pdd;
	int r, r2;

	if (!q)
		return -EFAULT;
	pdd = &p->pdds[q->gpu];
	/* No ring means: stop it, and keep what it holds. */
	if (a->ring_base_address) {
		r = kfd_queue_hold_ring(q, pdd, a->ring_base_address, a->ring_size);
		if (r)
			return r;
	}
	vkf_mutex_lock(&p->queue_lock);
	r = set_ring(p, q, a->ring_base_address, a->ring_size);
	q->percent = a->queue_percentage & PERCENT_MASK;
	q->priority = a->queue_priority;
	machine_queue_set_priority(p->mc, q->slot, hardware_priority(q));
	r2 = kfd_queue_apply(p, q);
	r = kfd_queue_changed(pdd, r ? r : r2);
	vkf_mutex_unlock(&p->queue_lock);
	return r;
}

int kfd_update_queue(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_update_queue_args *a = arg;
	int r;

	(void)call;
	r = check_common(a->queue_percentage, a->queue_priority, a->ring_base_address,
			 &a->ring_size);
	if (r)
		return r;
	vkf_mutex_lock(&p->lock);
	r = update_locked(p, a);
	vkf_mutex_unlock(&p->lock);
	return r;
}
