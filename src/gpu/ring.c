/* SPDX-License-Identifier: MIT */
#include "gpu/ring.h"
#include "gpu/vmem.h"

#define RING_ALIGN      UINT64_C(256)
#define POINTER_ALIGN   UINT64_C(8)
#define POINTER32_ALIGN UINT64_C(4)

void gpu_stream_ring(const struct gpu_queue *q, uint64_t pos, uint64_t avail,
		     struct gpu_stream *ret)
{
	*ret = (struct gpu_stream){ .gpu = q->gpu,
				    .va = VKF_ALIGN_DOWN(q->ring_va, RING_ALIGN),
				    .wrap = q->ring_bytes,
				    .pos = pos,
				    .avail = avail };
}

void gpu_stream_ib(const struct gpu_queue *q, const struct gpu_ib *ib, struct gpu_stream *ret)
{
	*ret = (struct gpu_stream){ .gpu = q->gpu,
				    .va = ib->va,
				    .pos = (uint64_t)ib->pos * 4,
				    .avail = (uint64_t)(ib->words - ib->pos) * 4 };
}

/* The address of the byte @off after the position, and how far it goes on without a wrap. */
static uint64_t stream_va(const struct gpu_stream *s, uint64_t off, uint64_t *ret_len)
{
	uint64_t at = s->pos + off;

	if (!s->wrap) {
		*ret_len = UINT64_MAX;
		return s->va + at;
	}
	at %= s->wrap;
	*ret_len = s->wrap - at;
	return s->va + at;
}

int gpu_stream_read(struct gpu_worker *w, const struct gpu_stream *s, uint64_t word, uint32_t *dst,
		    unsigned int n)
{
	unsigned char *to = (unsigned char *)dst;
	uint64_t off = word * 4, left = (uint64_t)n * 4;

	while (left) {
		uint64_t len, va = stream_va(s, off, &len);
		int e;

		len = VKF_MIN(len, left);
		e = gpu_vmem_read(w, s->gpu, va, to, len);
		if (e)
			return e;
		off += len;
		to += len;
		left -= len;
	}
	return 0;
}

int gpu_stream_copy_out(struct gpu_worker *w, const struct gpu_stream *s, uint64_t off,
			uint64_t dst, uint64_t len)
{
	while (len) {
		uint64_t n, va = stream_va(s, off, &n);
		int e;

		n = VKF_MIN(n, len);
		e = gpu_vmem_copy(w, s->gpu, dst, va, n);
		if (e)
			return e;
		off += n;
		dst += n;
		len -= n;
	}
	return 0;
}

static bool narrow_pointers(const struct gpu_queue *q)
{
	return q->type != GPU_QUEUE_AQL && q->dialect && q->dialect->narrow_pointers;
}

int gpu_ring_wptr(struct gpu_worker *w, const struct gpu_queue *q, uint64_t *ret)
{
	uint32_t low;
	int e;

	if (narrow_pointers(q)) {
		e = gpu_vmem_load32(w, q->gpu, VKF_ALIGN_DOWN(q->wptr_va, POINTER32_ALIGN), &low);
		if (!e)
			*ret = low;
		return e;
	}
	return gpu_vmem_load64(w, q->gpu, VKF_ALIGN_DOWN(q->wptr_va, POINTER_ALIGN), ret);
}

int gpu_ring_publish(struct gpu_worker *w, struct gpu_queue *q, uint64_t rptr)
{
	q->rptr = rptr;
	atomic_store_explicit(&q->cq->rptr, rptr, memory_order_relaxed);
	atomic_fetch_add_explicit(&q->cq->packets, 1, memory_order_relaxed);
	if (q->type == GPU_QUEUE_PM4 || narrow_pointers(q))
		return gpu_vmem_store32(w, q->gpu, VKF_ALIGN_DOWN(q->rptr_va, POINTER32_ALIGN),
					(uint32_t)rptr);
	return gpu_vmem_store64(w, q->gpu, VKF_ALIGN_DOWN(q->rptr_va, POINTER_ALIGN), rptr);
}
