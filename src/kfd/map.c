/* SPDX-License-Identifier: MIT */
/**
 * DOC: MAP and UNMAP
 *
 * Each walks the program's array of GPUs from n_success on and leaves n_success at
 * how far it got, whatever the result, so that a call which a signal or a refusal
 * ended is resumed, not repeated. `kfd.map = transactional` makes MAP all or
 * nothing instead: nothing is mapped before all can be, and then no signal ends it.
 */
#include "kfd/memory.h"

#include <errno.h>
#include "base/env.h"
#include "base/sched.h"
#include "mm/fence.h"
#include "mm/vm_map.h"

/* struct targets - the program's array */
struct targets {
	uint32_t *ids; /* @few, or allocated */
	uint32_t n, first;
	uint32_t few[MACHINE_MAX_GPUS];
};

/* MAP and UNMAP have the same block, and the first one's names are used for both. */
#define SAME(field)                                                                                \
	_Static_assert(offsetof(struct kfd_ioctl_map_memory_to_gpu_args, field) ==                 \
			       offsetof(struct kfd_ioctl_unmap_memory_from_gpu_args, field),       \
		       #field)
SAME(handle);
SAME(device_ids_array_ptr);
SAME(n_devices);
SAME(n_success);

/* struct plan - what a call is to map */
struct plan {
	unsigned int n, n_done;
	uint32_t seen; /* a bit for each GPU that is in it, or needs nothing */
	struct mm_map_part parts[2 * MACHINE_MAX_GPUS];
	struct mm_mapping **slots[2 * MACHINE_MAX_GPUS]; /* where each mapping will be known */
	uint32_t targets[2 * MACHINE_MAX_GPUS];          /* which of the array each is for */
};

_Static_assert(MACHINE_MAX_GPUS <= 32, "a bit for each GPU");

/* ------------------------------------------------ one GPU */

static unsigned int n_halves(const struct kfd_mem *mem)
{
	return mem->aql ? 2 : 1;
}

/* How @pdd's GPU sees it, if it has an address at all. */
static int reach(struct kfd_process *p, const struct kfd_mem *mem, const struct kfd_pdd *pdd,
		 struct mm_pte_attr *ret_attr)
{
	int r = -EINVAL;

	if (mem->va)
		r = machine_reach(p->driver->machine, mem->home, pdd->gpu, &mem->access, ret_attr);
	if (!r && mem->access.kind == MM_BO_VRAM && ret_attr->reach == MM_REACH_BUS)
		mm_bo_note_cpu_access(mem->bo);
	return r;
}

/* Add what of @mem is not mapped yet on @pdd's GPU, for target @target. What comes before a failure
 * stays in @plan. */
static int plan_gpu(struct kfd_process *p, struct kfd_mem *mem, struct kfd_pdd *pdd,
		    uint32_t target, struct plan *plan)
{
	struct mm_mapping **map = mem->on[pdd->gpu].map;
	bool seen = plan->seen >> pdd->gpu & 1;
	struct mm_pte_attr attr;
	int r = reach(p, mem, pdd, &attr);

	for (unsigned int half = 0; !r && half < n_halves(mem); half++) {
		vkf_gpuva va = { mem->va + half * mem->size };

		if (map[half] || seen)
			continue;
		if (va.v < mem->va)
			return -EINVAL;
		plan->parts[plan->n] = (struct mm_map_part){ pdd->vm, va, attr, NULL, NULL };
		plan->slots[plan->n] = &map[half];
		plan->targets[plan->n++] = target;
	}
	plan->seen |= UINT32_C(1) << pdd->gpu;
	return r;
}

/* All or none, or as far as it gets: then @plan's n_done says how far. */
static int perform(struct kfd_mem *mem, struct plan *plan, bool all)
{
	unsigned int i;
	int r = 0;

	if (plan->n)
		r = all ? mm_vm_map_all(mem->bo, plan->parts, plan->n)
			: mm_vm_map_some(mem->bo, plan->parts, plan->n);
	for (i = 0; i < plan->n && plan->parts[i].mapping; i++)
		*plan->slots[i] = plan->parts[i].mapping;
	mem->n_mapped += i;
	plan->n_done = i;
	return r;
}

int kfd_mem_map(struct kfd_process *p, struct kfd_mem *mem, struct kfd_pdd *pdd)
{
	struct mm_pte_attr attr;
	int r = reach(p, mem, pdd, &attr);

	VKF_ASSERT(!mem->aql);
	if (!r)
		r = mm_vm_map(pdd->vm, mem->bo, (vkf_gpuva){ mem->va }, &attr,
			      &mem->on[pdd->gpu].map[0]);
	if (!r)
		mem->n_mapped++;
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

/* What a queue lives on stays, and so does the other half of it: the kernel counts the queues of
 * both together (amdgpu_bo_va.queue_refcount of Linux 6.12). */
static int unmap_one(struct kfd_mem *mem, unsigned int gpu)
{
	struct mm_mapping **map = mem->on[gpu].map;
	int r;

	if (!map[0] && !map[1])
		return -EINVAL;
	for (unsigned int half = 0; half < 2; half++) {
		if (map[half] && mm_mapping_in_use(map[half]))
			return -EBUSY;
	}
	r = unmap_half(mem, gpu, 0);
	return r ? r : unmap_half(mem, gpu, 1);
}

void kfd_mem_forget_unmaps(struct kfd_mem *mem)
{
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		mm_fence_put(mem->on[gpu].unmapped);
		mem->on[gpu].unmapped = NULL;
	}
}

static int sync_unmaps(struct kfd_mem *mem, bool interruptible)
{
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		struct mm_fence *f = mem->on[gpu].unmapped;
		int r = f ? mm_fence_wait(f, VKF_FOREVER, interruptible) : 0;

		if (r)
			return r;
	}
	kfd_mem_forget_unmaps(mem);
	return 0;
}

/* Wait until all that was ever asked for about @mem's entries is done. */
static int sync_all(struct kfd_mem *mem, bool interruptible)
{
	int r = interruptible ? vkf_fault("kfd.sync", mem->home) : 0;

	if (!r)
		r = sync_unmaps(mem, interruptible);
	for (unsigned int gpu = 0; gpu < mem->n_gpus; gpu++) {
		for (unsigned int half = 0; !r && half < 2; half++) {
			struct mm_mapping *map = mem->on[gpu].map[half];

			r = map ? mm_vm_sync(map, interruptible) : 0;
		}
	}
	return r;
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

static int find_target(struct kfd_process *p, const struct targets *t, uint32_t i,
		       struct kfd_pdd **ret_pdd)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, t->ids[i]);
	int r;

	if (!pdd)
		return -EINVAL;
	r = kfd_pdd_bind(pdd);
	if (!r)
		r = vkf_fault("kfd.map", pdd->gpu);
	if (!r)
		*ret_pdd = pdd;
	return r;
}

/*
 * As the kernel: one after the other, as far as it gets. Or all of them, or none; then what is
 * mapped is waited for without an ear for signals: it ends soon, and there is nothing that the call
 * could be resumed with.
 */
static int map_targets(struct kfd_process *p, struct kfd_mem *mem, const struct targets *t,
		       bool all, uint32_t *n_success)
{
	struct plan plan;
	uint32_t i;
	int r = 0, e;

	plan.n = plan.seen = 0;
	for (i = t->first; i < t->n; i++) {
		struct kfd_pdd *pdd;

		r = find_target(p, t, i, &pdd);
		if (!r)
			r = plan_gpu(p, mem, pdd, i, &plan);
		if (r)
			break;
	}
	if (r && all)
		return r;
	e = perform(mem, &plan, all);
	if (e && all)
		return e;
	*n_success = plan.n_done < plan.n ? plan.targets[plan.n_done] : i;
	r = e ? e : r;
	return r ? r : sync_all(mem, !all);
}

static int map_locked(struct kfd_process *p, struct kfd_ioctl_map_memory_to_gpu_args *args,
		      const struct targets *t)
{
	struct kfd_pdd *pdd = kfd_pdd_by_id(p, kfd_handle_gpu(args->handle));
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
	return map_targets(p, mem, t, machine_profile(p->driver->machine)->knobs.map_transactional,
			   &args->n_success);
}

static int unmap_locked(struct kfd_process *p, struct kfd_ioctl_map_memory_to_gpu_args *args,
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
	return sync_all(mem, true);
}

/* Decode what MAP and UNMAP have in common, and have @fn do it. */
static int for_targets(struct kfd_process *p, struct vkf_call *call,
		       struct kfd_ioctl_map_memory_to_gpu_args *args,
		       int (*fn)(struct kfd_process *p,
				 struct kfd_ioctl_map_memory_to_gpu_args *args,
				 const struct targets *t))
{
	struct targets t;
	int r;

	r = targets_init(&t, call, args->device_ids_array_ptr, args->n_devices, args->n_success);
	if (r)
		return r;
	vkf_mutex_lock(&p->lock);
	r = fn(p, args, &t);
	vkf_mutex_unlock(&p->lock);
	targets_fini(&t);
	return r;
}

int kfd_map_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	return for_targets(p, call, arg, map_locked);
}

int kfd_unmap_memory(struct kfd_process *p, struct vkf_call *call, void *arg)
{
	return for_targets(p, call, arg, unmap_locked);
}
