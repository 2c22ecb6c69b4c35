/* SPDX-License-Identifier: MIT */
#include "trace/ring.h"

/* @seq of a place is one more than the position of the record in it, once that is whole. */
struct trace_cell {
	_Atomic uint64_t seq;
	struct vkf_trace_record record;
};

struct trace_ring_shared {
	_Alignas(64) _Atomic uint64_t head; /* writers: the next place to take */
	_Alignas(64) _Atomic uint64_t tail; /* reader: the next place to read */
	_Alignas(64) _Atomic uint64_t lost; /* writers */
	_Alignas(64) struct trace_cell cell[];
};

size_t trace_ring_bytes(uint64_t n)
{
	return sizeof(struct trace_ring_shared) + n * sizeof(struct trace_cell);
}

void trace_ring_init(struct trace_ring *r, void *memory, size_t bytes)
{
	r->shared = memory;
	r->n = (bytes - sizeof(struct trace_ring_shared)) / sizeof(struct trace_cell);
}

/* Take the next place. False: all are taken. */
static bool take_place(struct trace_ring *r, uint64_t *ret_pos)
{
	struct trace_ring_shared *s = r->shared;
	uint64_t pos = atomic_load_explicit(&s->head, memory_order_relaxed);

	do {
		if (pos - atomic_load_explicit(&s->tail, memory_order_acquire) >= r->n)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&s->head, &pos, pos + 1, memory_order_relaxed, memory_order_relaxed));
	*ret_pos = pos;
	return true;
}

void trace_ring_put(struct trace_ring *r, const struct vkf_trace_record *record)
{
	struct trace_cell *cell;
	uint64_t pos;

	if (!take_place(r, &pos)) {
		trace_ring_lose(r, 1);
		return;
	}
	cell = &r->shared->cell[pos % r->n];
	cell->record = *record;
	atomic_store_explicit(&cell->seq, pos + 1, memory_order_release);
}

bool trace_ring_get(struct trace_ring *r, struct vkf_trace_record *ret_record)
{
	uint64_t pos = atomic_load_explicit(&r->shared->tail, memory_order_relaxed);
	struct trace_cell *cell = &r->shared->cell[pos % r->n];

	if (atomic_load_explicit(&cell->seq, memory_order_acquire) != pos + 1)
		return false;
	*ret_record = cell->record;
	atomic_store_explicit(&r->shared->tail, pos + 1, memory_order_release);
	return true;
}

uint64_t trace_ring_lost(const struct trace_ring *r)
{
	return atomic_load_explicit(&r->shared->lost, memory_order_relaxed);
}

void trace_ring_lose(struct trace_ring *r, uint64_t n)
{
	atomic_fetch_add_explicit(&r->shared->lost, n, memory_order_relaxed);
}
