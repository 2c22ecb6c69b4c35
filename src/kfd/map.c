/* SPDX-License-Identifier: MIT */
/**
 * DOC: MAP and UNMAP
 *
 * Each walks the program's array of GPUs from n_success on and leaves n_success at
 * how far it got, whatever the result, so that a call which a signal or a refusal
 * ended is resumed, not repeated. `kfd.map = transactional` makes MAP all or
 * nothing instead: a failure takes back what this call mapped.
 */
#include "kfd/memory.h"

#include <errno.h>
#include "base/env.h"
#include "base/sched.h"
#include "mm/fence.h"

/* struct targets - the program's array; and for a rollback what this call has mapped */
struct targets {
	uint32_t *ids; /* @few, or allocated */
	uint32_t n, first;
	uint32_t few[MACHINE_MAX_GPUS];
	uint8_t fresh[MACHINE_MAX_GPUS]; /* bit 0, 1: which mapping */
};

/* ------------------------------------------------ one GPU */

int kfd_mem_map(struct kfd_process *p, struct kfd_mem *mem, struct kfd_pdd *pdd)
{
	struct mm_mapping **map = mem->on[pdd->gpu].map;
	struct mm_pte_attr attr;
	int r;

	if (mem->va == 0)
		return -EINVAL;
	r = machine_reach(p->driver->machine, mem->home, pdd->gpu, &mem->access, &attr);
	if (!r && mem->access.kind == MM_BO_VRAM && attr.reach == MM_REACH_BUS)
		mm_bo_note_cpu_access(mem->bo);
	for (unsigned int half = 0; !r && half < (mem->aql ? 2u : 1u); half++) {
		vkf_gpuva va = { mem->va + half * mem->size };

		if (map[half])
			continue;
		if (va.v < mem->va)
			return -EINVAL;
		r = mm_vm_map(pdd->vm, mem->bo, va, &attr, &map[half]);
		if (!r)
			mem->n_mapped++;
	}
	return r;
}

static int unmap_half(struct kfd_mem *mem, unsigned int gpu, unsigned int half)
{
	struct mm_fence *f;
	int r;

	if (!mem->on[gpu].map[half])
		return 0;
	r = mm_vm_unmap(mem->on[gpu].map[half], &f);
	if (r)
		return r;
	/* Fences of one GPU signal in order: the last one stands for those before. */
	mm_fence_put(mem->on[gpu].unmapped);
	mem->on[gpu].unmapped = NULL;
	if (mm_fence_is_signalled(f))
		mm_fence_put(f);
	else
		mem->on[gpu].unmapped = f;
	mem->on[gpu].map[half] = NULL;
	mem->n_mapped--;
	return 0;
}

/* A mapping that a queue lives on stays. */
static int unmap_one(struct kfd_mem *mem, unsigned int gpu)
{
	struct mm_mapping **map = mem->on[gpu].map;
	int r;

	if (!map[0] && !map[1])
		return -EINVAL;
	for (unsigned int half = 0; half < 2; half++) {
		if (map[half] && mm_mapping_in_use(map[half]))
			return -EBUSY;
		r = unmap_half(mem, gpu, half);
		if (r)
			return r;
	}
	return 0;
}

void kfd_mem_forget_unmaps(struct kfd_mem *mem)
{
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		mm_fence_put(mem->on[gpu].unmapped);
		mem->on[gpu].unmapped = NULL;
	}
}

/* Wait, interruptibly, until all that was ever asked for about @mem's entries is done. */
static int sync_all(struct kfd_mem *mem)
{
	int r = vkf_fault("kfd.sync", mem->home);

	if (r)
		return r;
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		r = mem->on[gpu].unmapped ? mm_fence_wait(mem->on[gpu].unmapped, VKF_FOREVER, true)
					  : 0;
		if (r)
			return r;
	}
	kfd_mem_forget_unmaps(mem);
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		for (unsigned int half = 0; half < 2; half++) {
			struct mm_mapping *map = mem->on[gpu].map[half];

			r = map ? mm_vm_sync(map, true) : 0;
			if (r)
				return r;
		}
	}
	return 0;
}

/* ------------------------------------------------ the array */

static void targets_fini(struct targets *t)
{
	if (t->ids != t->few)
		vkf_free(t->ids);
}

/* Return: 0 with @t filled, to be ended with targets_fini(). */
static int targets_init(struct targets *t, struct vkf_call *call, uint64_t uptr, uint32_t n,
			uint32_t first)
{
	if (n == 0 || first > n)
		return -EINVAL;
	/* kmalloc()'s limit: 4 MiB. */
	if (n > VKF_MIB(4) / sizeof(*t->ids))
		return -ENOMEM;
	*t = (struct targets){ .n = n, .first = first };
	t->ids = n <= VKF_ARRAY_SIZE(t->few) ? t->few : vkf_calloc(n, sizeof(*t->ids));
	if (!t->ids)
		return -ENOMEM;
	if (vkf_copy_from_user(call, t->ids, uptr, n * sizeof(*t->ids))) {
		targets_fini(t);
		return -EFAULT;
	}
	return 0;
}

static uint8_t halves(const struct kfd_mem *mem, unsigned int gpu)
{
	return (uint8_t)((mem->on[gpu].map[0] ? 1 : 0) | (mem->on[gpu].map[1] ? 2 : 0));
}

static int map_target(struct kfd_process *p, struct kfd_mem *mem, struct targets *t, uint32_t i)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, t->ids[i]);
	uint8_t before;
	int r;

	if (!pdd)
		return -EINVAL;
	r = kfd_pdd_bind(pdd);
	if (!r)
		r = vkf_fault("kfd.map", pdd->gpu);
	if (r)
		return r;
	before = halves(mem, pdd->gpu);
	r = kfd_mem_map(p, mem, pdd);
	t->fresh[pdd->gpu] |= halves(mem, pdd->gpu) & ~before;
	return r;
}

static int map_targets(struct kfd_process *p, struct kfd_mem *mem, struct targets *t,
		       uint32_t *n_success)
{
	for (uint32_t i = t->first; i < t->n; i++) {
		int r = map_target(p, mem, t, i);

		if (r)
			return r;
		*n_success = i + 1;
	}
	return sync_all(mem);
}

/* Take back what this call mapped. The signal that may have ended it must not end this, too. */
static void roll_back(struct kfd_mem *mem, const struct targets *t)
{
	bool interrupted = vkf_interrupted();

	vkf_task_clear_interrupt();
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		for (unsigned int half = 0; half < 2; half++) {
			while (t->fresh[gpu] & 1u << half &&
			       unmap_half(mem, gpu, half) == -VKF_ERESTARTSYS) {
				interrupted = true;
				vkf_task_clear_interrupt();
			}
		}
	}
	if (interrupted)
		vkf_task_interrupt(vkf_current());
}

static int map_locked(struct kfd_process *p, struct kfd_ioctl_map_memory_to_gpu_args *args,
		      struct targets *t)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, kfd_handle_gpu(args->handle));
	uint32_t n_success = args->n_success;
	struct kfd_mem *mem;
	int r;

	if (!pdd)
		return -EINVAL;
	r = kfd_pdd_bind(pdd);
	if (r)
		return r;
	mem = kfd_mem_find(pdd, args->handle);
	if (!mem)
		return -ENOMEM;
	r = map_targets(p, mem, t, &n_success);
	if (r && machine_profile(p->driver->machine)->knobs.map_transactional)
		roll_back(mem, t);
	else
		args->n_success = n_success;
	return r;
}

int kfd_map_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_map_memory_to_gpu_args *args = arg;
	struct targets t;
	int r;

	r = targets_init(&t, call, args->device_ids_array_ptr, args->n_devices, args->n_success);
	if (r)
		return r;
	vkf_mutex_lock(&p->lock);
	r = map_locked(p, args, &t);
	vkf_mutex_unlock(&p->lock);
	targets_fini(&t);
	return r;
}

static int unmap_locked(struct kfd_process *p, struct kfd_ioctl_unmap_memory_from_gpu_args *args,
			const struct targets *t)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, kfd_handle_gpu(args->handle));
	struct kfd_mem *mem;

	if (!pdd)
		return -EINVAL;
	mem = kfd_mem_find(pdd, args->handle);
	if (!mem)
		return -ENOMEM;
	for (uint32_t i = t->first; i < t->n; i++) {
		struct kfd_pdd *peer = kfd_pdd_by_id(p, t->ids[i]);
		int r = peer ? unmap_one(mem, peer->gpu) : -EINVAL;

		if (r)
			return r;
		args->n_success = i + 1;
	}
	return sync_all(mem);
}

int kfd_unmap_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args *args = arg;
	struct targets t;
	int r;

	r = targets_init(&t, call, args->device_ids_array_ptr, args->n_devices, args->n_success);
	if (r)
		return r;
	vkf_mutex_lock(&p->lock);
	r = unmap_locked(p, args, &t);
	vkf_mutex_unlock(&p->lock);
	targets_fini(&t);
	return r;
}
