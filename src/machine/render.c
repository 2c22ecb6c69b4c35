/* SPDX-License-Identifier: MIT */
/**
 * DOC: Open render nodes, and the offsets by which their buffers are mapped
 *
 * A buffer gets a fake offset in its GPU's offset space, as drm_vma_manager does;
 * offsets are not reused, so a stale one never shows another buffer.
 */
#include "machine/priv.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include "base/env.h"
#include "base/ref.h"

/* Where DRM's fake offsets begin: above all that 32 bits of pages can name. */
#define VMA_FIRST UINT64_C(0x100000000)
#define VMA_LAST  (UINT64_C(1) << 62)

struct machine_render {
	struct vkf_ref ref;
	struct machine *machine;
	unsigned int gpu;
	atomic_bool compute; /* its VM was taken by KFD */
};

struct machine_vma {
	struct vkf_range range; /* byte offsets */
	const struct machine_render *render;
	struct mm_bo *bo;
};

int machine_render_open(struct machine *m, unsigned int gpu, struct machine_render **ret_render)
{
	struct machine_render *r;

	if (gpu >= m->profile.n_gpus)
		return -ENODEV;
	r = vkf_zalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	vkf_ref_init(&r->ref);
	r->machine = m;
	r->gpu = gpu;
	*ret_render = r;
	return 0;
}

struct machine_render *machine_render_get(struct machine_render *r)
{
	vkf_ref_get(&r->ref);
	return r;
}

void machine_render_put(struct machine_render *r)
{
	if (r && vkf_ref_put(&r->ref))
		vkf_free(r);
}

unsigned int machine_render_gpu(const struct machine_render *r)
{
	return r->gpu;
}

struct machine *machine_render_machine(const struct machine_render *r)
{
	return r->machine;
}

int machine_render_take_vm(struct machine_render *r)
{
	return atomic_exchange(&r->compute, true) ? -EINVAL : 0;
}

void machine_render_drop_vm(struct machine_render *r)
{
	atomic_store(&r->compute, false);
}

void machine_vmas_init(struct machine_vmas *v)
{
	vkf_mutex_init(&v->lock, VKF_RANK_LEAF);
	vkf_ranges_init(&v->ranges);
	v->next = VMA_FIRST;
}

void machine_vmas_fini(struct machine_vmas *v)
{
	VKF_ASSERT(!vkf_ranges_first(&v->ranges));
	vkf_mutex_fini(&v->lock);
}

int machine_vma_add(struct machine *m, unsigned int gpu, struct machine_render *r, struct mm_bo *bo,
		    uint64_t *ret_offset)
{
	struct machine_vmas *v = &m->vmas[gpu];
	uint64_t size = mm_bo_size(bo);
	struct machine_vma *vma = vkf_zalloc(sizeof(*vma));

	if (!vma)
		return -ENOMEM;
	vkf_mutex_lock(&v->lock);
	if (size > VMA_LAST - v->next) {
		vkf_mutex_unlock(&v->lock);
		vkf_free(vma);
		return -ENOMEM;
	}
	*vma = (struct machine_vma){
		.range = { .first = v->next, .last = v->next + size - 1 },
		.render = r,
		.bo = bo,
	};
	v->next += size;
	vkf_ranges_insert(&v->ranges, &vma->range);
	vkf_mutex_unlock(&v->lock);
	*ret_offset = vma->range.first;
	return 0;
}

static struct machine_vma *find_vma(struct machine_vmas *v, uint64_t offset) VKF_REQUIRES(v->lock)
{
	struct vkf_range *r = vkf_ranges_first_overlap(&v->ranges, offset, offset);

	return r && r->first == offset ? vkf_container_of(r, struct machine_vma, range) : NULL;
}

void machine_vma_remove(struct machine *m, unsigned int gpu, uint64_t offset)
{
	struct machine_vmas *v = &m->vmas[gpu];
	struct machine_vma *vma;

	vkf_mutex_lock(&v->lock);
	vma = find_vma(v, offset);
	if (vma)
		vkf_ranges_remove(&v->ranges, &vma->range);
	vkf_mutex_unlock(&v->lock);
	vkf_free(vma);
}

/* The thunk's PROT_NONE private mappings, which can never be written, are let through as the kernel
 * does. */
bool machine_mapping_is_cow(int prot, int flags)
{
	return !(flags & MAP_SHARED) && prot != PROT_NONE;
}

static int check_vma(const struct machine_vma *vma, const struct machine_render *r, uint64_t len,
		     int prot, int flags)
{
	if (!vma || len == 0 || len - 1 > vma->range.last - vma->range.first)
		return -EINVAL;
	if (vma->render != r)
		return -EACCES;
	/* Nobody has a window into registers, or a second one into pages of a program. */
	if (mm_bo_arena(vma->bo).v == UINT64_MAX)
		return -EPERM;
	return machine_mapping_is_cow(prot, flags) ? -EINVAL : 0;
}

int machine_render_mmap(struct machine_render *r, uint64_t offset, uint64_t len, int prot,
			int flags, struct machine_map *ret_map)
{
	struct machine_vmas *v = &r->machine->vmas[r->gpu];
	struct machine_vma *vma;
	int e;

	vkf_mutex_lock(&v->lock);
	vma = find_vma(v, offset);
	e = check_vma(vma, r, len, prot, flags);
	if (!e && prot != PROT_NONE)
		mm_bo_note_cpu_access(vma->bo);
	if (!e)
		*ret_map = (struct machine_map){
			.kind = MACHINE_MAP_ARENA,
			.offset = mm_bo_arena(vma->bo).v,
			.owner = mm_bo_client(vma->bo),
		};
	vkf_mutex_unlock(&v->lock);
	return e;
}
