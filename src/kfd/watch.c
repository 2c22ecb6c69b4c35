/* SPDX-License-Identifier: MIT */
/**
 * DOC: What those who watch see of queues
 */
#include "kfd/queue.h"

static enum kfd_queue_state state_of(struct kfd_process *p, const struct kfd_queue *q)
	VKF_REQUIRES(p->queue_lock)
{
	static const enum kfd_queue_state by_activity[] = {
		[GPU_QUEUE_IDLE] = KFD_QUEUE_IDLE,
		[GPU_QUEUE_WORKS] = KFD_QUEUE_RUNNING,
		[GPU_QUEUE_WAITS] = KFD_QUEUE_WAITING,
	};

	if (p->pdds[q->gpu].lost || machine_queue_error(p->mc, q->slot) != GPU_QERR_NONE)
		return KFD_QUEUE_FAULTED;
	if (!kfd_queue_active(q))
		return KFD_QUEUE_STOPPED;
	if (!q->running)
		return KFD_QUEUE_EVICTED;
	return by_activity[machine_queue_activity(p->mc, q->slot)];
}

void kfd_process_queues(struct kfd_process *p,
			void (*fn)(void *cookie, const struct kfd_queue_stat *stat), void *cookie)
{
	struct kfd_queue *q;
	unsigned int id;

	vkf_mutex_lock(&p->queue_lock);
	vkf_handle_for_each(&p->queues, id, q) {
		struct kfd_queue_stat stat = {
			.id = q->id, .gpu = q->gpu, .type = q->type, .ring_bytes = q->ring_bytes
		};

		if (q->slot < 0)
			continue;
		stat.state = state_of(p, q);
		stat.packets = machine_queue_packets(p->mc, q->slot);
		fn(cookie, &stat);
	}
	vkf_mutex_unlock(&p->queue_lock);
}

static uint64_t evicted_ns(const struct kfd_pdd *pdd)
{
	return pdd->evicted_ns + (pdd->evicted ? vkf_now_ns() - pdd->evicted_since : 0);
}

void kfd_process_evictions(struct kfd_process *p, struct kfd_process_stat *stat)
{
	vkf_mutex_lock(&p->queue_lock);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		const struct kfd_pdd *pdd = &p->pdds[i];

		stat->evicted = stat->evicted || pdd->evicted;
		stat->lost = stat->lost || pdd->lost;
		stat->n_evictions = VKF_MAX(stat->n_evictions, pdd->n_evictions);
		stat->evicted_ns = VKF_MAX(stat->evicted_ns, evicted_ns(pdd));
	}
	vkf_mutex_unlock(&p->queue_lock);
}
