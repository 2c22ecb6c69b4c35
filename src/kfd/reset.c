/* SPDX-License-Identifier: MIT */
/**
 * DOC: A GPU that is reset, and memory that has gone bad
 *
 * Before a reset, whatever its cause, the kernel stops every process on every GPU for
 * good and lets their memory go; afterwards it tells each of them (kgd2kfd_pre_reset(),
 * kfd_signal_reset_event() of Linux 6.12). Processes that begin later work. Poison that
 * was consumed concerns the process that consumed it: its queues on that GPU stop,
 * its events tell, and it gets a SIGBUS before it can know of them.
 */
#include <errno.h>
#include "kfd/process.h"
#include "kfd/queue.h"
#include "kfd/smi.h"
#include "mm/client.h"
#include "mm/vm.h"

#define RESET_CAUSE "user trigger" /* amdgpu_reset_get_desc(); told before, not after */

void kfd_reset_begin(struct kfd_driver *kd, unsigned int gpu)
{
	kfd_smi_reset(kd, gpu, false, RESET_CAUSE);
}

void kfd_reset_end(struct kfd_driver *kd, unsigned int gpu)
{
	kfd_smi_reset(kd, gpu, true, "");
}

static void lose(struct kfd_process *p, struct kfd_pdd *only)
{
	vkf_mutex_lock(&p->queue_lock);
	for (unsigned int i = 0; i < p->n_pdds; i++)
		if (!only || only == &p->pdds[i])
			p->pdds[i].lost = true;
	vkf_mutex_unlock(&p->queue_lock);
}

void kfd_process_reset(struct kfd_process *p, unsigned int gpu)
{
	struct kfd_hsa_hw_exception_data data = {
		.reset_type = KFD_HW_EXCEPTION_WHOLE_GPU_RESET,
		.reset_cause = KFD_HW_EXCEPTION_GPU_HANG,
		.memory_lost = 1,
		.gpu_id = p->pdds[gpu].gpu_id,
	};

	(void)kfd_process_evict_queues(p, KFD_EVICT_SUSPEND);
	lose(p, NULL);
	/* An eviction that is still to come finds the fence signalled, and undoes only itself. */
	atomic_store(&p->evict.wanted, false);
	mm_client_evicted(machine_client_mm(p->mc));
	(void)kfd_events_hw(&p->events, &data);
}

void kfd_process_engine_lost(struct kfd_process *p)
{
	kfd_evict_lost(p);
}

/* The first GPU that has something at @va. */
static struct kfd_pdd *pdd_of_address(struct kfd_process *p, uint64_t va) VKF_REQUIRES(p->lock)
{
	vkf_gpuva start;
	uint64_t bytes;

	for (unsigned int i = 0; i < p->n_pdds; i++) {
		if (p->pdds[i].vm && mm_vm_find(p->pdds[i].vm, (vkf_gpuva){ va }, &start, &bytes))
			return &p->pdds[i];
	}
	return NULL;
}

int kfd_process_poison(struct kfd_process *p, uint64_t va, int (*signal)(int32_t pid))
{
	struct kfd_hsa_hw_exception_data hw = {
		.reset_cause = KFD_HW_EXCEPTION_ECC,
		.memory_lost = 1,
	};
	struct kfd_hsa_memory_exception_data memory = {
		.failure.imprecise = 1,
		.ErrorType = KFD_MEM_ERR_POISON_CONSUMED,
	};
	struct kfd_pdd *pdd;

	vkf_mutex_lock(&p->lock);
	pdd = pdd_of_address(p, va);
	vkf_mutex_unlock(&p->lock);
	if (!pdd)
		return -EFAULT;
	if (atomic_exchange(&p->poisoned, true))
		return 0;
	hw.gpu_id = memory.gpu_id = pdd->gpu_id;
	(void)kfd_queues_evict(p, pdd);
	lose(p, pdd);
	return kfd_events_poison(p, &hw, &memory, signal);
}
