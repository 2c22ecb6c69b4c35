/* SPDX-License-Identifier: MIT */
/**
 * DOC: What a random program does with memory
 */
#include "sim_random.h"

#include <inttypes.h>

static bool has_pressure(const struct prog *pr)
{
	const struct prog_config *config = pr->t->arg;

	return config->pressure;
}

/* Small ones mostly, and some that large pages are made for. */
static uint64_t random_size(struct prog *pr)
{
	if (has_pressure(pr) ? !prog_once_in(pr, 3) : prog_once_in(pr, 12))
		return VKF_MIB(2) + VKF_PAGE_SIZE * prog_dice(pr, 513);
	return VKF_PAGE_SIZE << prog_dice(pr, 6);
}

static enum prog_kind random_kind(struct prog *pr)
{
	if (has_pressure(pr) && prog_once_in(pr, 2))
		return PROG_VRAM;
	return (enum prog_kind)prog_dice(pr, PROG_N_KINDS);
}

static unsigned int random_home(struct prog *pr)
{
	return has_pressure(pr) && !prog_once_in(pr, 4) ? 0 : prog_random_gpu(pr);
}

void prog_do_alloc(struct prog *pr)
{
	static const uint32_t extras[] = { 0, F_COHERENT, F_UNCACHED, F_EXECUTABLE };
	struct prog_buf *b = prog_any_buf(pr, prog_is_free);
	enum prog_kind kind = random_kind(pr);
	uint32_t flags = extras[prog_dice(pr, VKF_ARRAY_SIZE(extras))];

	if (!b)
		return;
	if (!prog_once_in(pr, 8))
		flags |= F_WRITABLE;
	if (kind == PROG_VRAM && prog_once_in(pr, 2))
		flags |= F_PUBLIC;
	if (kind == PROG_GTT && prog_once_in(pr, 6))
		flags |= F_AQL;
	if (kind == PROG_USER)
		b->cpu = prog_user_memory(pr, b);
	if (prog_alloc(pr, b, kind, random_home(pr), random_size(pr), flags))
		return;
	if (prog_once_in(pr, 2))
		prog_fill(pr, b);
}

void prog_do_map(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_live_and_idle);

	if (b)
		prog_map(pr, b, prog_random_gpus(pr));
}

void prog_do_unmap(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_mapped_and_idle);

	if (b)
		prog_unmap(pr, b, prog_once_in(pr, 4) ? prog_random_gpus(pr) : b->mapped);
}

void prog_do_free(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_live_and_idle);

	if (!b)
		return;
	if (b->mapped && !prog_once_in(pr, 6))
		prog_unmap(pr, b, b->mapped);
	prog_free(pr, b);
}

void prog_do_fill(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_live_and_idle);

	if (b)
		prog_fill(pr, b);
}

void prog_do_verify(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_known);

	if (b)
		prog_verify(pr, b);
}

/* A copy out of @b by its home's engine, if there is a queue and a place for it. */
static void copy_out(struct prog *pr, struct prog_buf *b)
{
	struct prog_queue *q = prog_any_queue(pr, PROG_SDMA);
	struct prog_flight *f = NULL;

	if (!q || prog_map(pr, b, 1u << q->gpu))
		return;
	for (unsigned int i = 0; i < PROG_BUFS && !f; i++) {
		struct prog_buf *dst = &pr->bufs[i];

		/* Of another handle's memory this one would not know that it has changed. */
		if (dst == b || dst->cpu == b->cpu || !prog_is_idle(dst) || !dst->writable ||
		    !prog_sees(q->gpu, dst))
			continue;
		f = prog_copy_some(pr, q, dst, b);
	}
	if (f)
		prog_land(pr, f);
}

/* The same memory by another handle, which may outlive the first, and the descriptor. */
void prog_do_share(struct prog *pr)
{
	struct prog_buf *b = prog_any_buf(pr, prog_is_live_and_idle),
			*again = prog_any_buf(pr, prog_is_free);
	int fd;

	if (!b || !again || b->kind == PROG_USER || b->aql)
		return;
	prog_fill(pr, b);
	fd = prog_export(pr, b);
	if (fd < 0)
		return;
	if (!prog_import(pr, again, b, fd)) {
		if (prog_once_in(pr, 2)) {
			again->charged = b->charged;
			b->charged = false;
			prog_drop_buf(pr, b);
		}
		if (prog_once_in(pr, 2)) {
			msim_close(pr->t, fd);
			fd = -1;
		}
		copy_out(pr, again);
		if (!pr->p->dying)
			prog_verify(pr, again);
		prog_drop_buf(pr, again);
	}
	if (fd >= 0)
		msim_close(pr->t, fd);
}

void prog_do_available(struct prog *pr)
{
	unsigned int gpu = prog_random_gpu(pr);
	struct kfd_ioctl_get_available_memory_args args = {
		.gpu_id = pr->m->profile.gpus[gpu].gpu_id,
	};

	if (prog_expect(pr, "AVAILABLE", msim_ioctl(pr->t, pr->s->kfd, K_AVAILABLE, &args), 0,
			false))
		return;
	if (args.available > pr->m->profile.gpus[gpu].vram)
		msim_fail(pr->m, "more VRAM is available than there is");
	msim_trace(pr->m, "available %" PRIu64, (uint64_t)args.available);
}
