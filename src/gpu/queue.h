/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_QUEUE_H
#define VKFD_GPU_QUEUE_H

/**
 * DOC: One queue's turn
 *
 * A queue runs while the driver wants it to and it has no error. What the driver
 * wants is looked at before every packet and every piece of one; a queue that is
 * stopped in the middle of a packet goes on there if it is started again by the
 * next change of want_seq, and else begins the packet anew.
 *
 * A queue that cannot go on is given up: its error is set, the driver is told by an
 * interrupt, and nothing of it runs until the slot holds a new queue.
 */
#include "gpu/engine_priv.h"

/* Do what the driver wants of the queue, if that is new, and say that it is done. */
void gpu_queue_obey(struct gpu_engine *engine, struct gpu_queue *q);
/* Run packets of @q, as many as @budget allows. Return: enum gpu_step bits. */
unsigned int gpu_queue_service(struct gpu_worker *w, struct gpu_queue *q, int budget);
/* What those who watch see of it from now on. */
static inline void gpu_queue_show(struct gpu_queue *q, enum gpu_queue_activity activity)
{
	if (q->shown == activity)
		return;
	q->shown = activity;
	atomic_store_explicit(&q->cq->activity, activity, memory_order_relaxed);
}
/* Whether a turn of @q would do anything, or find out that it cannot yet. */
static inline bool gpu_queue_has_work(const struct gpu_queue *q)
{
	return q->n_irqs || (q->running && !q->idle);
}

/* The queue's doorbell has been rung: fetch what the program's CPU has written, all at once, rather
 * than one after the other when it is needed. May be wrong, then nothing comes of it. */
void gpu_queue_prefetch(const struct gpu_worker *w, const struct gpu_queue *q);

#endif
