/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TRACE_RING_H
#define VKFD_TRACE_RING_H

/**
 * DOC: Records on their way from many writers to one reader
 *
 * The ring lies in zeroed memory that writers and reader may share as processes.
 * Any task puts, without a lock; one that finds no room counts the record as lost.
 * Records come out in the order in which they took their places, so those of one
 * task in its order, and what was put before something else began comes before it.
 *
 * Neither side trusts the other's words for more than which record comes next: the
 * capacity is each one's own, and a place is used only below it.
 */
#include "base/trace.h"

struct trace_ring_shared;

/* struct trace_ring - one side's view; plain data */
struct trace_ring {
	struct trace_ring_shared *shared;
	uint64_t n; /* records it holds */
};

/* Bytes for a ring of @n records. */
size_t trace_ring_bytes(uint64_t n);
/* @bytes zeroed, or in use by the other side. */
void trace_ring_init(struct trace_ring *r, void *memory, size_t bytes);
void trace_ring_put(struct trace_ring *r, const struct vkf_trace_record *record);
/* The reader's: false when there is none (yet). */
bool trace_ring_get(struct trace_ring *r, struct vkf_trace_record *ret_record);
/* How many found no room so far. */
uint64_t trace_ring_lost(const struct trace_ring *r);
/* So many more are known to be lost, elsewhere. */
void trace_ring_lose(struct trace_ring *r, uint64_t n);

#endif
