/* SPDX-License-Identifier: MIT */
/**
 * DOC: What there is for a random program to use
 */
#include "sim_random.h"

#define ALL_ODDS 64 /* one copy in so many is of whole buffers */

const struct prog_config *prog_config_of(const struct prog *pr)
{
	return pr->t->arg;
}

uint32_t prog_longest_ms(const struct prog *pr)
{
	uint32_t ms = prog_config_of(pr)->longest_ms;

	return ms ? ms : HOUR_MS;
}

unsigned int prog_random_gpu(struct prog *pr)
{
	return (unsigned int)prog_dice(pr, pr->m->profile.n_gpus);
}

uint32_t prog_random_gpus(struct prog *pr)
{
	return 1 + (uint32_t)prog_dice(pr, (1u << pr->m->profile.n_gpus) - 1);
}

bool prog_is_idle(const struct prog_buf *b)
{
	return !b->readers && !b->writers;
}

struct prog_buf *prog_any_buf(struct prog *pr, bool (*fit)(const struct prog_buf *b))
{
	unsigned int start = (unsigned int)prog_dice(pr, PROG_BUFS);

	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		struct prog_buf *b = &pr->bufs[(start + i) % PROG_BUFS];

		if (fit(b))
			return b;
	}
	return NULL;
}

bool prog_is_free(const struct prog_buf *b)
{
	return !b->live;
}

bool prog_is_live_and_idle(const struct prog_buf *b)
{
	return b->live && prog_is_idle(b);
}

bool prog_is_mapped_and_idle(const struct prog_buf *b)
{
	return prog_is_live_and_idle(b) && b->mapped;
}

bool prog_is_known(const struct prog_buf *b)
{
	return b->live && b->content.len && !b->writers;
}

struct prog_queue *prog_any_queue(struct prog *pr, uint32_t type)
{
	unsigned int start = (unsigned int)prog_dice(pr, PROG_QUEUES);

	for (unsigned int i = 0; i < PROG_QUEUES; i++) {
		struct prog_queue *q = &pr->queues[(start + i) % PROG_QUEUES];

		if (q->live && q->type == type && !q->broken && !q->stopped &&
		    prog_gpu_runs(pr, q->gpu))
			return q;
	}
	return NULL;
}

bool prog_sees(unsigned int gpu, const struct prog_buf *b)
{
	return b->live && (b->mapped & ~b->unsynced) & 1u << gpu;
}

bool prog_find_pair(struct prog *pr, const struct prog_queue *q, struct prog_buf **ret_dst,
		    struct prog_buf **ret_src)
{
	unsigned int start = (unsigned int)prog_dice(pr, PROG_BUFS);
	struct prog_buf *dst = NULL, *src = NULL;

	for (unsigned int i = 0; i < PROG_BUFS; i++) {
		struct prog_buf *b = &pr->bufs[(start + i) % PROG_BUFS];

		if (!prog_sees(q->gpu, b) || b->writers)
			continue;
		if (!dst && b->writable && !b->readers)
			dst = b;
		else if (!src)
			src = b;
	}
	*ret_dst = dst;
	*ret_src = src;
	return dst && src;
}

struct prog_flight *prog_copy_some(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
				   struct prog_buf *src)
{
	uint64_t len = VKF_MIN(VKF_ALIGN_DOWN(src->content.len, UINT64_C(8)), dst->size);

	if (!len || prog_once_in(pr, ALL_ODDS))
		return prog_copy(pr, q, dst, src, VKF_MIN(dst->size, src->size));
	return prog_copy_range(pr, q, dst, 8 * prog_dice(pr, (dst->size - len) / 8 + 1), src,
			       src->content.at, len);
}

void prog_land_all(struct prog *pr)
{
	for (unsigned int i = 0; i < PROG_FLIGHTS; i++) {
		if (pr->flights[i].q)
			prog_land(pr, &pr->flights[i]);
	}
}
