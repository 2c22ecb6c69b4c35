/* SPDX-License-Identifier: MIT */
#include "gpu/doorbell.h"
#include "gpu/aql.h"
#include "gpu/pm4_queue.h"
#include "gpu/sdma.h"

/* 0, -ENODATA, or -EFAULT, which a step must see, too. */
static int look(struct gpu_worker *w, const struct gpu_queue *q)
{
	int e;

	gpu_worker_enter(w);
	if (q->type == GPU_QUEUE_AQL)
		e = gpu_aql_pending(w, q);
	else if (q->type == GPU_QUEUE_PM4)
		e = gpu_pm4_queue_pending(w, q);
	else
		e = gpu_sdma_pending(w, q);
	gpu_worker_leave(w);
	return e;
}

bool gpu_doorbell_pending(struct gpu_worker *w, const struct gpu_queue *q)
{
	uint32_t seq = atomic_load_explicit(&q->cq->want_seq, memory_order_acquire);

	if (!q->known || seq != q->seen_seq)
		return true;
	if (!q->running || q->blocked)
		return false;
	return !q->idle || look(w, q) != -ENODATA;
}
