/* SPDX-License-Identifier: MIT */
#include "gpu/pm4_queue.h"
#include "gpu/pm4.h"
#include "gpu/ring.h"
#include "spec/pm4.h"

static int open_ring(struct gpu_worker *w, struct gpu_queue *q, struct gpu_stream *ret)
{
	uint64_t words = q->ring_bytes / 4, wptr, have;
	int e;

	e = gpu_ring_wptr(w, q, &wptr);
	if (e)
		return e;
	q->rptr %= words;
	have = (wptr % words + words - q->rptr) % words;
	gpu_stream_ring(q, q->rptr * 4, have * 4, ret);
	return have ? 0 : -ENODATA;
}

int gpu_pm4_queue_step(struct gpu_worker *w, struct gpu_queue *q)
{
	uint32_t words = q->call_words;
	struct gpu_stream s;
	int e;

	if (q->depth) {
		e = gpu_pm4_step(w, q);
	} else {
		e = open_ring(w, q, &s);
		if (!e)
			e = gpu_pm4_packet(w, q, &s, &words);
	}
	if (e)
		return e;
	q->done = 0;
	return gpu_ring_publish(w, q, (q->rptr + words) % (q->ring_bytes / 4));
}
