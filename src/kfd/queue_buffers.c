/* SPDX-License-Identifier: MIT */
/**
 * DOC: The memory a queue lives on
 *
 * Each buffer must be one whole mapping of the queue's VM, so that keeping that
 * mapping keeps the buffer. Checks and sizes are those of Linux 6.12's
 * kfd_queue_acquire_buffers().
 */
#include "kfd/queue.h"

#include <errno.h>
#include "mm/vm.h"

#define WAVES_PER_CU 40u          /* up to gfx9 */
#define WAVES_PER_ENGINE 512u
#define DEBUG_BYTES_PER_WAVE 32u
#define DEBUG_ALIGN 64u
#define FIRST_WITH_CWSR 80001u    /* gfx_target of the first generation that saves waves */

/* struct buffer - one requirement: an address that starts a mapping of exactly @bytes */
struct buffer {
	enum kfd_queue_buffer which;
	uint64_t va, bytes;
};

/* Only whole pages are compared: a ring of less than one may start any mapping. */
static struct mm_mapping *find_exact(struct mm_vm *vm, uint64_t va, uint64_t bytes)
{
	struct mm_mapping *map;
	vkf_gpuva start;
	uint64_t size;

	va = VKF_ALIGN_DOWN(va, VKF_PAGE_SIZE);
	bytes = VKF_ALIGN_DOWN(bytes, VKF_PAGE_SIZE);
	map = mm_vm_find(vm, (vkf_gpuva){ va }, &start, &size);
	if (!map || start.v != va)
		return NULL;
	return bytes && size != bytes ? NULL : map;
}

static int hold(struct kfd_queue *q, const struct kfd_pdd *pdd, const struct buffer *b)
{
	struct mm_mapping *map = find_exact(pdd->vm, b->va, b->bytes);

	if (!map)
		return -EINVAL;
	mm_mapping_use(map);
	q->buffers[b->which] = map;
	return 0;
}

void kfd_queue_release_buffers(struct kfd_queue *q)
{
	for (unsigned int i = 0; i < KFD_N_QBUFS; i++) {
		if (q->buffers[i])
			mm_mapping_unuse(q->buffers[i]);
		q->buffers[i] = NULL;
	}
}

uint32_t kfd_debug_bytes(const struct machine_asic *asic)
{
	unsigned int cus = asic->cu_count / VKF_MAX(asic->xcc_count, 1u);
	unsigned int waves = VKF_MIN(cus * WAVES_PER_CU, asic->shader_engines * WAVES_PER_ENGINE);

	if (asic->gfx_target < FIRST_WITH_CWSR)
		return 0;
	return VKF_ALIGN_UP(waves * DEBUG_BYTES_PER_WAVE, DEBUG_ALIGN);
}

/* Only compute queues have an end-of-pipe buffer and a save area. */
static int hold_compute(struct kfd_queue *q, const struct kfd_pdd *pdd,
			const struct machine_asic *asic)
{
	struct buffer eop = { KFD_QBUF_EOP, q->eop_va, VKF_ALIGN_UP(q->eop_bytes, VKF_PAGE_SIZE) };
	struct buffer cwsr = { KFD_QBUF_CWSR, q->cwsr_va, 0 };
	int r;

	if (q->eop_va) {
		r = q->eop_bytes < asic->eop_bytes ? -EINVAL : hold(q, pdd, &eop);
		if (r)
			return r;
	}
	if (q->ctl_stack_bytes != asic->ctl_stack_bytes || q->cwsr_bytes < asic->cwsr_bytes)
		return -EINVAL;
	cwsr.bytes = ((uint64_t)q->cwsr_bytes + kfd_debug_bytes(asic)) *
		     VKF_MAX(asic->xcc_count, 1u);
	cwsr.bytes = VKF_ALIGN_UP(cwsr.bytes, VKF_PAGE_SIZE);
	return hold(q, pdd, &cwsr);
}

/* Before gfx9 an AQL ring is mapped twice, and half of it is what was allocated. */
static uint64_t ring_mapping_bytes(const struct kfd_queue *q, const struct machine_asic *asic)
{
	bool twice = q->type == GPU_QUEUE_AQL && asic->gfx_target >= 70000 &&
		     asic->gfx_target < 90000;

	return twice ? q->ring_bytes / 2 : q->ring_bytes;
}

int kfd_queue_hold_buffers(struct kfd_queue *q, const struct kfd_pdd *pdd,
			   const struct machine_asic *asic)
{
	const struct buffer common[] = {
		{ KFD_QBUF_WPTR, q->wptr_va, VKF_PAGE_SIZE },
		{ KFD_QBUF_RPTR, q->rptr_va, VKF_PAGE_SIZE },
		{ KFD_QBUF_RING, q->ring_va, ring_mapping_bytes(q, asic) },
	};
	int r = 0;

	for (unsigned int i = 0; !r && i < VKF_ARRAY_SIZE(common); i++)
		r = hold(q, pdd, &common[i]);
	if (!r && kfd_queue_computes(q))
		r = hold_compute(q, pdd, asic);
	if (r)
		kfd_queue_release_buffers(q);
	return r;
}

int kfd_queue_hold_ring(struct kfd_queue *q, const struct kfd_pdd *pdd, uint64_t va,
			uint64_t bytes)
{
	struct mm_mapping *map = find_exact(pdd->vm, va, bytes);

	if (!map)
		return -EFAULT;
	mm_mapping_use(map);
	if (q->buffers[KFD_QBUF_RING])
		mm_mapping_unuse(q->buffers[KFD_QBUF_RING]);
	q->buffers[KFD_QBUF_RING] = map;
	return 0;
}
