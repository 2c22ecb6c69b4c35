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

/* struct queue_set - slots to be told the same */
struct queue_set {
	unsigned int n;
	int slots[KFD_MAX_QUEUES];
};

static bool should_run(const struct kfd_process *p, const struct kfd_queue *q)
	VKF_REQUIRES(p->queue_lock)
{
	return kfd_queue_active(q) && !p->pdds[q->gpu].evicted;
}

int kfd_queue_apply(struct kfd_process *p, struct kfd_queue *q)
{
	bool run = should_run(p, q);

	if (run == q->running)
		return 0;
	q->running = run;
	return machine_queues_run(p->mc, &q->slot, 1, run);
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
		set->slots[set->n++] = q->slot;
	}
}

static bool concerns(const struct kfd_pdd *pdd, const struct kfd_pdd *only)
{
	return !only || pdd == only;
}

int kfd_queues_evict(struct kfd_process *p, struct kfd_pdd *only)
{
	struct queue_set set;
	int r;

	vkf_mutex_lock(&p->queue_lock);
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_pdd *pdd = &p->pdds[i];

		if (concerns(pdd, only) && !pdd->evicted++)
			pdd->evicted_since = vkf_now_ns();
	}
	collect(p, false, &set);
	r = machine_queues_run(p->mc, set.slots, set.n, false);
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
	/* What runs need not be waited for, so this cannot fail. */
	(void)machine_queues_run(p->mc, set.slots, set.n, true);
	vkf_mutex_unlock(&p->queue_lock);
}
