/* SPDX-License-Identifier: MIT */
#include "kfd/memory.h"

#include <errno.h>
#include "base/env.h"
#include "kfd/aperture.h"
#include "kfd/driver.h"
#include "machine/dmabuf.h"
#include "mm/device.h"

#define F(name) KFD_ALLOC_##name

/* Beyond any GPU's and any host's memory; below the overflow of any rounding. */
#define SIZE_LIMIT (UINT64_C(1) << 56)

struct kfd_mem *kfd_mem_find(const struct kfd_pdd *pdd, uint64_t handle)
{
	return vkf_handles_find(&pdd->mems, kfd_handle_number(handle));
}

/* ------------------------------------------------ what a request means */

/* struct request - ALLOC_MEMORY_OF_GPU, decoded */
struct request {
	struct kfd_pdd *pdd;
	struct mm_bo_params params;
	uint64_t va;
	uint32_t flags;
	struct vkf_call *call; /* NULL: a buffer of our own */
};

/* Doorbells and MMIO have fixed sizes; what the program says of their place is ignored. */
static int decode_bar(struct kfd_process *p, struct request *rq, uint64_t size,
		      uint64_t *ret_offset)
{
	const struct machine *m = p->driver->machine;
	const struct machine_asic *asic = &kfd_gpu_profile(p->driver, rq->pdd->gpu)->asic;

	if (rq->flags & F(DOORBELL)) {
		if (size != kfd_doorbell_slice(asic))
			return -EINVAL;
		rq->params.bar_offset = machine_doorbell_offset(rq->pdd->gpu);
		rq->params.bar_bus = machine_doorbell_bus(m, rq->pdd->gpu);
		*ret_offset = rq->params.bar_bus;
	} else if (rq->flags & F(MMIO_REMAP)) {
		if (size != VKF_PAGE_SIZE)
			return -EINVAL;
		/* The page with the remapped registers came with SOC15. */
		if (asic->gfx_target < 90000)
			return -ENOMEM;
		rq->params.bar_offset = machine_mmio_offset(rq->pdd->gpu);
		rq->params.bar_bus = machine_mmio_bus(m, rq->pdd->gpu);
		*ret_offset = rq->params.bar_bus;
	}
	return 0;
}

/* Flags exclude one another by precedence, not by refusal. */
static int decode_kind(struct request *rq, uint64_t offset, uint64_t size)
{
	if (rq->flags & F(VRAM)) {
		rq->params.kind = MM_BO_VRAM;
		rq->params.cpu_access = rq->flags & F(PUBLIC);
		rq->params.contiguous = rq->flags & F(CONTIGUOUS);
		rq->params.charge_as_gtt = rq->flags & F(GTT);
	} else if (rq->flags & F(GTT)) {
		rq->params.kind = MM_BO_GTT;
	} else if (rq->flags & F(USERPTR)) {
		if (!offset)
			return -EINVAL;
		rq->params.kind = MM_BO_USERPTR;
		rq->params.user_addr = VKF_ALIGN_DOWN(offset, VKF_PAGE_SIZE);
	} else if (rq->flags & (F(DOORBELL) | F(MMIO_REMAP))) {
		if (size > UINT32_MAX)
			return -EINVAL;
		rq->params.kind = MM_BO_BAR;
	} else {
		return -EINVAL;
	}
	return 0;
}

static int decode_size(struct request *rq, uint64_t size)
{
	if (rq->flags & F(AQL_QUEUE_MEM))
		size /= 2;
	if (size == 0)
		return -EINVAL;
	if (size > SIZE_LIMIT)
		return -ENOMEM;
	rq->params.size = VKF_ALIGN_UP(size, VKF_PAGE_SIZE);
	return 0;
}

static int decode(struct kfd_process *p, const struct kfd_ioctl_alloc_memory_of_gpu_args *args,
		  struct request *ret_rq)
{
	struct request rq = { .va = args->va_addr, .flags = args->flags };
	const struct machine_gpu *gpu;
	uint64_t offset = args->mmap_offset;
	int r;

	rq.pdd = kfd_pdd_by_id(p, args->gpu_id);
	if (!rq.pdd)
		return -EINVAL;
	gpu = kfd_gpu_profile(p->driver, rq.pdd->gpu);
	if (rq.flags & F(PUBLIC) && rq.flags & F(VRAM) && gpu->visible_vram < gpu->vram)
		return -EINVAL;
	r = kfd_pdd_bind(rq.pdd);
	if (!r)
		r = decode_bar(p, &rq, args->size, &offset);
	if (!r)
		r = decode_kind(&rq, offset, args->size);
	if (!r)
		r = decode_size(&rq, args->size);
	if (!r)
		*ret_rq = rq;
	return r;
}

/* ------------------------------------------------ making and unmaking */

static void mem_init(struct kfd_mem *mem, const struct request *rq, struct mm_bo *bo)
{
	mem->bo = bo;
	mem->home = rq->pdd->gpu;
	mem->va = rq->va;
	mem->size = rq->params.size;
	mem->flags = rq->flags;
	mem->aql = rq->flags & F(AQL_QUEUE_MEM);
	mem->access = (struct machine_access){
		.kind = rq->params.kind,
		.writeable = rq->flags & F(WRITABLE),
		.executable = rq->flags & F(EXECUTABLE),
		.coherent = rq->flags & F(COHERENT),
		.uncached = rq->flags & F(UNCACHED),
		.ext_coherent = rq->flags & F(EXT_COHERENT),
	};
}

void kfd_mem_destroy(struct kfd_process *p, struct kfd_mem *mem)
{
	if (!mem)
		return;
	kfd_mem_forget_unmaps(mem);
	if (mem->mmap_offset)
		machine_vma_remove(p->driver->machine, mem->mmap_gpu, mem->mmap_offset);
	machine_dmabuf_put(mem->dmabuf);
	mm_bo_put(mem->bo);
	vkf_free(mem);
}

struct kfd_mem *kfd_mem_new(struct kfd_process *p)
{
	struct kfd_mem *mem = vkf_zalloc(sizeof(*mem) + p->n_pdds * sizeof(mem->on[0]));

	if (mem)
		mem->n_gpus = p->n_pdds;
	return mem;
}

/* The buffer alone: no place to map it from, no handle. */
static int mem_create(struct kfd_process *p, const struct request *rq, struct kfd_mem **ret_mem)
{
	struct mm_device *home = machine_device(p->driver->machine, rq->pdd->gpu);
	struct kfd_mem *mem = kfd_mem_new(p);
	struct mm_bo *bo;
	int r;

	if (!mem)
		return -ENOMEM;
	r = vkf_fault("kfd.alloc", rq->pdd->gpu);
	if (!r)
		r = mm_bo_create(machine_client_mm(p->mc), home, &rq->params, &bo);
	if (r) {
		vkf_free(mem);
		return r;
	}
	mem_init(mem, rq, bo);
	*ret_mem = mem;
	return 0;
}

/* What can only be found wrong when the limits have let it pass; and its place in the offsets of
 * the render node. */
static int mem_publish(struct kfd_process *p, const struct request *rq, struct kfd_mem *mem)
{
	if (rq->params.kind == MM_BO_USERPTR) {
		int r = vkf_user_pages(rq->call, rq->params.user_addr, rq->params.size);

		if (r)
			return r;
	}
	mem->mmap_gpu = machine_render_gpu(rq->pdd->render);
	return machine_vma_add(p->driver->machine, mem->mmap_gpu, rq->pdd->render, mem->bo,
			       &mem->mmap_offset);
}

static int mem_create_handle(struct kfd_process *p, const struct request *rq,
			     struct kfd_mem **ret_mem, unsigned int *ret_n)
{
	struct kfd_mem *mem;
	int r;

	r = mem_create(p, rq, &mem);
	if (r)
		return r;
	r = mem_publish(p, rq, mem);
	if (!r && vkf_handles_add(&rq->pdd->mems, mem, ret_n))
		r = -EFAULT; /* so the kernel says it */
	if (r) {
		kfd_mem_destroy(p, mem);
		return r;
	}
	*ret_mem = mem;
	return 0;
}

int kfd_alloc_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args *args = arg;
	struct kfd_mem *mem;
	struct request rq;
	unsigned int n;
	int r;

	if (args->size == 0)
		return -EINVAL;
	vkf_mutex_lock(&p->lock);
	r = decode(p, args, &rq);
	rq.call = call;
	if (!r)
		r = mem_create_handle(p, &rq, &mem, &n);
	if (!r) {
		if (mem->flags & F(VRAM))
			rq.pdd->vram_usage += mem->size;
		args->handle = kfd_make_handle(args->gpu_id, n);
		args->mmap_offset = mem->mmap_offset;
		if (mem->flags & F(MMIO_REMAP))
			args->mmap_offset = kfd_mmap_offset(KFD_MMAP_MMIO, args->gpu_id);
	}
	vkf_mutex_unlock(&p->lock);
	return r;
}

static int free_locked(struct kfd_process *p, uint64_t handle)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, kfd_handle_gpu(handle));
	struct kfd_mem *mem = pdd ? kfd_mem_find(pdd, handle) : NULL;

	if (!mem)
		return -EINVAL;
	if (mem->n_mapped)
		return -EBUSY;
	vkf_handles_remove(&pdd->mems, kfd_handle_number(handle));
	if (mem->flags & F(VRAM) && !mem->imported)
		pdd->vram_usage -= mem->size;
	kfd_mem_destroy(p, mem);
	return 0;
}

int kfd_free_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_free_memory_of_gpu_args *args = arg;
	bool is_event_page;
	int r;

	(void)call;
	vkf_mutex_lock(&p->lock);
	vkf_mutex_lock(&p->events.lock);
	is_event_page = p->events.page_handle && p->events.page_handle == args->handle;
	vkf_mutex_unlock(&p->events.lock);
	r = is_event_page ? -EPERM : free_locked(p, args->handle);
	vkf_mutex_unlock(&p->lock);
	return r;
}

int kfd_available_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_get_available_memory_args *args = arg;
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, args->gpu_id);

	(void)call;
	if (!pdd)
		return -EINVAL;
	args->available = mm_device_available(machine_device(p->driver->machine, pdd->gpu));
	return 0;
}

/* ------------------------------------------------ for the process as a whole */

static int map_page_of_ours(struct kfd_process *p, struct kfd_pdd *pdd, uint64_t va, uint64_t size,
			    uint32_t flags, struct kfd_mem **ret_mem)
{
	struct request rq = {
		.pdd = pdd,
		.va = va,
		.flags = F(GTT) | F(EXECUTABLE) | flags,
		.params = { .kind = MM_BO_GTT, .size = size },
	};
	struct kfd_mem *mem;
	int r;

	r = mem_create(p, &rq, &mem);
	if (r)
		return r;
	r = kfd_mem_map(p, mem, pdd);
	if (r) {
		kfd_mem_destroy(p, mem);
		return r;
	}
	*ret_mem = mem;
	return 0;
}

int kfd_mems_map_internal(struct kfd_process *p, struct kfd_pdd *pdd)
{
	const struct machine_asic *asic = &kfd_gpu_profile(p->driver, pdd->gpu)->asic;
	int r;

	r = map_page_of_ours(p, pdd, KFD_APERTURE_IB, VKF_PAGE_SIZE, F(WRITABLE), &pdd->ib);
	if (r)
		return r;
	r = map_page_of_ours(p, pdd, kfd_aperture_cwsr(asic), KFD_APERTURE_CWSR_BYTES, 0,
			     &pdd->cwsr);
	if (r) {
		/* The VM, and the mapping with it, goes next. */
		kfd_mem_destroy(p, pdd->ib);
		pdd->ib = NULL;
	}
	return r;
}

static void forget(struct kfd_mem *mem)
{
	if (!mem)
		return;
	for (unsigned int i = 0; i < mem->n_gpus; i++)
		mem->on[i].map[0] = mem->on[i].map[1] = NULL;
	mem->n_mapped = 0;
}

void kfd_mems_forget_mappings(struct kfd_process *p)
{
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_mem *mem;
		unsigned int n;

		forget(p->pdds[i].ib);
		forget(p->pdds[i].cwsr);
		vkf_handle_for_each(&p->pdds[i].mems, n, mem)
			forget(mem);
	}
}

void kfd_mems_destroy_all(struct kfd_process *p)
{
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_pdd *pdd = &p->pdds[i];
		struct kfd_mem *mem;
		unsigned int n;

		vkf_handle_for_each(&pdd->mems, n, mem)
			kfd_mem_destroy(p, mem);
		vkf_handles_fini(&pdd->mems);
		kfd_mem_destroy(p, pdd->ib);
		kfd_mem_destroy(p, pdd->cwsr);
		pdd->ib = pdd->cwsr = NULL;
		pdd->vram_usage = 0;
	}
}

void kfd_mems_stat(struct kfd_process *p, struct kfd_process_stat *stat)
{
	for (unsigned int i = 0; i < p->n_pdds; i++) {
		struct kfd_mem *mem;
		unsigned int n;

		vkf_handle_for_each(&p->pdds[i].mems, n, mem) {
			stat->n_buffers++;
			if (mem->imported)
				continue;
			if (mem->access.kind == MM_BO_GTT)
				stat->gtt += mem->size;
			else if (mem->access.kind == MM_BO_USERPTR)
				stat->userptr += mem->size;
		}
	}
}
