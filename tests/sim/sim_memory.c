/* SPDX-License-Identifier: MIT */
/**
 * DOC: Buffers of simulated programs, and what must be in them
 */
#include "sim_program.h"

#include <errno.h>
#include <inttypes.h>

#include "sim_calls.h"

#define LOOKS     8 /* pages of a new buffer, or, of most buffers, one */
#define LOOK_ODDS 8

/* ------------------------------------------------ answers */

bool prog_injected(const struct prog *pr)
{
	return pr->t->n_injected > 0;
}

/* What a call may answer: what the model says; and what follows from an injected failure, a death,
 * or (@tight) a lack of memory. */
int prog_expect(struct prog *pr, const char *what, int r, int want, bool tight)
{
	if (r == want || (r < 0 && prog_injected(pr)) ||
	    (pr->p->dying && (r == -EINTR || r == -ETIME)) || (r == -ENOMEM && tight) ||
	    ((r == -ETIME || r == -EACCES) && msim_engine_is_lost(pr->p)))
		return r;
	msim_fail(pr->m, "%s: %s gave %d, expected %d", pr->t->name, what, r, want);
}

uint32_t prog_gpu_id(const struct prog *pr, unsigned int gpu)
{
	return pr->m->profile.gpus[gpu].gpu_id;
}

bool prog_vram_is_tight(const struct prog *pr, unsigned int gpu)
{
	return pr->m->wanted[gpu] + VKF_MIB(16) > pr->m->profile.gpus[gpu].vram;
}

static bool system_is_tight(const struct prog *pr)
{
	return pr->m->wanted_system > pr->m->profile.sockets[0].ram / 4;
}

/* ------------------------------------------------ buffers */

/* A GPU whose BAR does not show all of its VRAM has none to offer to the CPU. */
static int alloc_answer(const struct prog *pr, unsigned int home, uint32_t flags)
{
	const struct machine_gpu *gpu = &pr->m->profile.gpus[home];

	return flags & F_PUBLIC && gpu->visible_vram < gpu->vram ? -EINVAL : 0;
}

static void want(struct prog *pr, const struct prog_buf *b, int64_t bytes)
{
	if (b->kind == PROG_VRAM) {
		pr->m->wanted[b->home] += bytes;
		pr->s->wanted[b->home] += bytes;
	} else {
		pr->m->wanted_system += bytes;
		pr->s->wanted_system += bytes;
	}
}

static void check_is_zero(struct prog *pr, const struct prog_buf *b)
{
	const uint64_t *words = (const uint64_t *)b->cpu;
	uint64_t pages = b->size / VKF_PAGE_SIZE;
	/* A look at a page that was never touched costs the host a page. */
	uint64_t n = msim_chance(pr->m, LOOK_ODDS) ? VKF_MIN(pages, (uint64_t)LOOKS) : 1;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t page = n == pages ? i : msim_random(pr->m, pages);

		for (uint64_t w = 0; w < VKF_PAGE_SIZE / 8; w += 8) {
			if (words[page * (VKF_PAGE_SIZE / 8) + w])
				msim_fail(pr->m, "%s: a new buffer is not empty", pr->t->name);
		}
	}
}

/* To be asked before and after a call: others take and give meanwhile. */
static bool is_tight(const struct prog *pr, const struct prog_buf *b)
{
	return b->kind == PROG_VRAM ? prog_vram_is_tight(pr, b->home) : system_is_tight(pr);
}

static void show_to_cpu(struct prog *pr, struct prog_buf *b, uint64_t offset)
{
	int r;

	if (b->kind == PROG_USER)
		return;
	b->cpu = msim_mmap(pr->t, pr->s->render[b->home], offset, b->size, &r);
	if (!b->cpu)
		msim_fail(pr->m, "%s: mmap of a buffer gave %d", pr->t->name, r);
	check_is_zero(pr, b);
}

int prog_alloc(struct prog *pr, struct prog_buf *b, enum prog_kind kind, unsigned int home,
	       uint64_t size, uint32_t flags)
{
	static const uint32_t kind_flag[] = { F_VRAM, F_GTT, F_USERPTR };
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = b->va,
		.size = flags & F_AQL ? 2 * size : size,
		.gpu_id = prog_gpu_id(pr, home),
		.flags = flags | kind_flag[kind],
		.mmap_offset = kind == PROG_USER ? (uintptr_t)b->cpu : 0,
	};
	bool tight;
	int r;

	b->kind = kind;
	b->home = home;
	want(pr, b, (int64_t)size);
	tight = is_tight(pr, b);
	r = msim_ioctl(pr->t, pr->s->kfd, K_ALLOC, &args);
	tight |= is_tight(pr, b);
	msim_trace(pr->m, "alloc %" PRIx64 " of kind %d on %u, %" PRIu64 " bytes, flags %x: %d",
		   b->va, kind, home, size, flags, r);
	if (prog_expect(pr, "ALLOC", r, alloc_answer(pr, home, flags), tight)) {
		want(pr, b, -(int64_t)size);
		return r;
	}
	b->live = b->charged = true;
	b->imported = false;
	b->writable = flags & F_WRITABLE;
	b->aql = flags & F_AQL;
	b->handle = args.handle;
	b->size = size;
	b->mapped = b->unsynced = 0;
	prog_forget(b);
	pr->s->n_buffers++;
	if (kind == PROG_VRAM)
		pr->s->vram[home] += size;
	show_to_cpu(pr, b, args.mmap_offset);
	return 0;
}

int prog_free(struct prog *pr, struct prog_buf *b)
{
	struct kfd_ioctl_free_memory_of_gpu_args args = { .handle = b->handle };
	int r = msim_ioctl(pr->t, pr->s->kfd, K_FREE, &args);

	msim_trace(pr->m, "free %" PRIx64 ": %d", b->va, r);
	if (prog_expect(pr, "FREE", r, b->mapped ? -EBUSY : 0, false))
		return r;
	if (b->charged)
		want(pr, b, -(int64_t)b->size);
	b->live = false;
	prog_forget(b);
	pr->s->n_buffers--;
	if (b->kind == PROG_VRAM && !b->imported)
		pr->s->vram[b->home] -= b->size;
	return 0;
}

int prog_export(struct prog *pr, struct prog_buf *b)
{
	struct kfd_export_dmabuf_args args = { .handle = b->handle };
	int r = msim_ioctl(pr->t, pr->s->kfd, K_EXPORT_DMABUF, &args);

	msim_trace(pr->m, "export %" PRIx64 ": %d", b->va, r);
	/* There are few descriptors. */
	if (r == -EMFILE || prog_expect(pr, "EXPORT", r, 0, false))
		return r;
	return (int)args.dmabuf_fd;
}

static void check_info(struct prog *pr, const struct prog_buf *from, int fd)
{
	struct kfd_ioctl_get_dmabuf_info_args args = { .dmabuf_fd = (uint32_t)fd };
	uint32_t place = from->kind == PROG_VRAM ? F_VRAM : F_GTT;

	if (prog_expect(pr, "DMABUF_INFO", msim_ioctl(pr->t, pr->s->kfd, K_INFO_DMABUF, &args), 0,
			false))
		return;
	if (args.size != from->size || args.gpu_id != prog_gpu_id(pr, from->home) ||
	    (args.flags & (F_VRAM | F_GTT)) != place)
		msim_fail(pr->m, "%s: a dma-buf is %" PRIu64 " bytes, flags %x, of GPU %x",
			  pr->t->name, (uint64_t)args.size, args.flags, args.gpu_id);
}

int prog_import(struct prog *pr, struct prog_buf *b, const struct prog_buf *from, int fd)
{
	struct kfd_ioctl_import_dmabuf_args args = {
		.va_addr = b->va,
		.gpu_id = prog_gpu_id(pr, from->home),
		.dmabuf_fd = (uint32_t)fd,
	};
	uint64_t va = b->va;
	int r;

	check_info(pr, from, fd);
	r = msim_ioctl(pr->t, pr->s->kfd, K_IMPORT_DMABUF, &args);
	msim_trace(pr->m, "import %" PRIx64 " from %" PRIx64 ": %d", va, from->va, r);
	if (prog_expect(pr, "IMPORT", r, 0, false))
		return r;
	*b = *from;
	b->content.bytes = NULL;
	prog_know_copy(b, 0, from, 0, from->size);
	b->va = va;
	b->handle = args.handle;
	b->writable = b->imported = true;
	b->charged = b->aql = false;
	b->mapped = b->unsynced = 0;
	pr->s->n_buffers++;
	return 0;
}

bool prog_reaches(const struct prog *pr, const struct prog_buf *b, unsigned int gpu)
{
	const struct machine_profile *m = &pr->m->profile;

	return b->kind != PROG_VRAM || b->home == gpu || machine_same_hive(m, b->home, gpu) ||
	       machine_peer_accessible(m, b->home, gpu);
}

/* The ids of @gpus in the scratch memory, where a call can point to them. */
static uint32_t list_gpus(struct prog *pr, uint32_t gpus, uint32_t **ret_ids)
{
	uint32_t *ids = (uint32_t *)pr->t->user, n = 0;

	for (unsigned int gpu = 0; gpu < pr->m->profile.n_gpus; gpu++) {
		if (gpus & 1u << gpu)
			ids[n++] = prog_gpu_id(pr, gpu);
	}
	*ret_ids = ids;
	return n;
}

/* The first @n of @gpus. */
static uint32_t first_gpus(uint32_t gpus, uint32_t n)
{
	uint32_t first = 0;

	for (; n; n--) {
		first |= gpus & -gpus;
		gpus &= gpus - 1;
	}
	return first;
}

/* How many of @gpus an ideal MAP would come to. */
static uint32_t reachable_prefix(const struct prog *pr, const struct prog_buf *b, uint32_t gpus)
{
	uint32_t n = 0;

	for (; gpus; gpus &= gpus - 1, n++) {
		if (!prog_reaches(pr, b, (unsigned int)__builtin_ctz(gpus)))
			break;
	}
	return n;
}

static uint32_t mapped_prefix(const struct prog_buf *b, uint32_t gpus)
{
	uint32_t n = 0;

	for (; gpus && b->mapped & gpus & -gpus; gpus &= gpus - 1)
		n++;
	return n;
}

/* Tables are wanted on each of @gpus, and the buffer back at home. */
static bool any_tight(const struct prog *pr, const struct prog_buf *b, uint32_t gpus)
{
	if (b->kind == PROG_VRAM)
		gpus |= 1u << b->home;
	for (; gpus; gpus &= gpus - 1) {
		if (prog_vram_is_tight(pr, (unsigned int)__builtin_ctz(gpus)))
			return true;
	}
	return false;
}

/* n_success must be exact, unless a failure was injected: then it must not be too much. */
static void check_n_success(struct prog *pr, const char *what, int r, uint32_t n, uint32_t want)
{
	bool excused = r < 0 && (prog_injected(pr) || r == -EINTR || r == -ENOMEM);

	if (n == want || (excused && n < want))
		return;
	msim_fail(pr->m, "%s: %s gave %d with n_success %u, expected %u", pr->t->name, what, r, n,
		  want);
}

int prog_map(struct prog *pr, struct prog_buf *b, uint32_t gpus)
{
	struct kfd_ioctl_map_memory_to_gpu_args args = { .handle = b->handle };
	uint32_t *ids, reach = reachable_prefix(pr, b, gpus);
	bool whole, tight = any_tight(pr, b, gpus);
	int r;

	args.n_devices = list_gpus(pr, gpus, &ids);
	args.device_ids_array_ptr = (uintptr_t)ids;
	whole = reach == args.n_devices;
	r = msim_ioctl(pr->t, pr->s->kfd, K_MAP, &args);
	msim_trace(pr->m, "map %" PRIx64 " to %x: %d, %u of %u", b->va, gpus, r, args.n_success,
		   args.n_devices);
	prog_expect(pr, "MAP", r, whole ? 0 : -EINVAL, tight || any_tight(pr, b, gpus));
	if (r && pr->m->profile.knobs.map_transactional)
		reach = 0;
	check_n_success(pr, "MAP", r, args.n_success, reach);
	/* Whoever is told of a failure has not waited for what was mapped before it. */
	b->unsynced = r ? b->unsynced | (first_gpus(gpus, args.n_success) & ~b->mapped) : 0;
	b->mapped |= first_gpus(gpus, args.n_success);
	/* Half of a double mapping may be there. */
	if (r && b->aql && !pr->p->dying && whole && !pr->m->profile.knobs.map_transactional)
		return prog_map(pr, b, gpus);
	return r;
}

int prog_unmap(struct prog *pr, struct prog_buf *b, uint32_t gpus)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args args = { .handle = b->handle };
	uint32_t *ids, there = mapped_prefix(b, gpus);
	int r;

	args.n_devices = list_gpus(pr, gpus, &ids);
	args.device_ids_array_ptr = (uintptr_t)ids;
	r = msim_ioctl(pr->t, pr->s->kfd, K_UNMAP, &args);
	msim_trace(pr->m, "unmap %" PRIx64 " from %x: %d, %u of %u", b->va, gpus, r, args.n_success,
		   args.n_devices);
	prog_expect(pr, "UNMAP", r, there == args.n_devices ? 0 : -EINVAL, false);
	check_n_success(pr, "UNMAP", r, args.n_success, there);
	b->mapped &= ~first_gpus(gpus, args.n_success);
	b->unsynced &= b->mapped;
	if (r && prog_injected(pr) && !pr->p->dying && gpus & b->mapped)
		return prog_unmap(pr, b, gpus & b->mapped);
	return r;
}

/* Whatever state it is in. */
void prog_drop_buf(struct prog *pr, struct prog_buf *b)
{
	while (b->live && !pr->p->dying) {
		if (b->mapped)
			prog_unmap(pr, b, b->mapped);
		prog_free(pr, b);
	}
}
