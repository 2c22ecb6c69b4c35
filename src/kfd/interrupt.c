/* SPDX-License-Identifier: MIT */
/**
 * DOC: What an engine reports
 *
 * A translation fault stops every queue of the process on that GPU for good, as
 * kfd_dqm_evict_pasid() does, and sets its MEMORY events; a packet that cannot be
 * executed costs its queue and sets the HW_EXCEPTION events. Fields of an
 * interrupt come from memory that the program can write: they are checked here
 * or below, and the worst they can do is to set the program's own events.
 */
#include <stdio.h>
#include "base/trace.h"
#include "kfd/process.h"
#include "kfd/queue.h"
#include "kfd/smi.h"

#define AQL_TYPE(word) ((word)&0xffu)
#define AQL_KERNEL_DISPATCH 2u
#define PM4_DISPATCH_DIRECT 0x15u

static const char *queue_kind(const struct kfd_queue *q)
{
	if (!q)
		return "unknown";
	switch (q->type) {
	case GPU_QUEUE_AQL:
		return "AQL";
	case GPU_QUEUE_SDMA:
		return "SDMA";
	case GPU_QUEUE_SDMA_XGMI:
		return "SDMA-XGMI";
	default:
		return "PM4";
	}
}

static bool is_dispatch(const struct kfd_queue *q, const struct gpu_irq *irq)
{
	if (!q)
		return false;
	return q->type == GPU_QUEUE_AQL ? AQL_TYPE(irq->ctx) == AQL_KERNEL_DISPATCH :
	       q->type == GPU_QUEUE_PM4 && irq->status == PM4_DISPATCH_DIRECT;
}

static unsigned int queue_id(const struct kfd_queue *q)
{
	return q ? q->id : 0;
}

/*
 * The kernel learns of a change of user pages when it is made, stops the queues, and lets them run a
 * moment later with the pages that are there then. Here it is known when a queue comes to a page
 * that is gone. So it is made to wait that moment there; when the page is still gone, and it has
 * done nothing since, then it is a fault.
 */
static bool page_may_return(struct kfd_process *p, const struct gpu_irq *irq)
{
	struct kfd_queue *q;
	bool again = true;

	if (!(irq->status & GPU_FAULT_HOST))
		return false;
	vkf_mutex_lock(&p->queue_lock);
	q = kfd_queue_by_slot(p, (int)irq->slot);
	if (q) {
		uint64_t packets = machine_queue_packets(p->mc, q->slot);

		again = q->met_gone && q->gone_va == irq->va && q->gone_packets == packets;
		q->met_gone = true;
		q->gone_va = irq->va;
		q->gone_packets = packets;
	}
	vkf_mutex_unlock(&p->queue_lock);
	return !again;
}

static void vm_fault(struct kfd_process *p, const struct gpu_irq *irq, char *line, size_t len)
{
	struct kfd_pdd *pdd = &p->pdds[irq->gpu];
	struct kfd_hsa_memory_exception_data data = {
		.failure.NotPresent = !!(irq->status & (GPU_FAULT_NOT_PRESENT | GPU_FAULT_HOST)),
		.failure.ReadOnly = !!(irq->status & GPU_FAULT_READ_ONLY) &&
				    !(irq->status & GPU_FAULT_HOST),
		.failure.NoExecute = !!(irq->status & GPU_FAULT_NO_EXECUTE),
		.va = VKF_ALIGN_DOWN(irq->va, VKF_PAGE_SIZE),
		.gpu_id = pdd->gpu_id,
	};
	const struct kfd_queue *q;

	kfd_smi_vm_fault(p, irq->gpu);
	kfd_queues_evict(p, pdd);
	vkf_mutex_lock(&p->queue_lock);
	q = kfd_queue_by_slot(p, (int)irq->slot);
	vkf_trace_vm_fault(machine_client_number(p->mc), queue_id(q), (uint8_t)irq->gpu,
			   (uint8_t)irq->status, irq->va);
	snprintf(line, len, "pid %d: GPU %u: VM fault at 0x%llx (%s%s), queue %u (%s)", p->pid,
		 irq->gpu, (unsigned long long)irq->va,
		 irq->status & GPU_FAULT_WRITE ? "write, " : "read, ",
		 irq->status & GPU_FAULT_HOST	     ? "page is gone" :
		 irq->status & GPU_FAULT_NOT_PRESENT ? "not mapped" :
		 irq->status & GPU_FAULT_READ_ONLY   ? "read-only" : "not executable",
		 queue_id(q), queue_kind(q));
	vkf_mutex_unlock(&p->queue_lock);
	kfd_events_memory(&p->events, &data);
}

static void bad_packet(struct kfd_process *p, const struct gpu_irq *irq, char *line, size_t len)
{
	struct kfd_hsa_hw_exception_data data = {
		.reset_type = KFD_HW_EXCEPTION_PER_ENGINE_RESET,
		.reset_cause = KFD_HW_EXCEPTION_GPU_HANG,
		.gpu_id = p->pdds[irq->gpu].gpu_id,
	};
	const struct kfd_queue *q;

	vkf_mutex_lock(&p->queue_lock);
	q = kfd_queue_by_slot(p, (int)irq->slot);
	if (is_dispatch(q, irq))
		snprintf(line, len,
			 "pid %d: GPU %u: queue %u (%s): kernel dispatch refused: "
			 "shaders are not executed yet",
			 p->pid, irq->gpu, q->id, queue_kind(q));
	else
		snprintf(line, len,
			 "pid %d: GPU %u: queue %u (%s): illegal packet, opcode %u (0x%08x)",
			 p->pid, irq->gpu, queue_id(q), queue_kind(q), irq->status, irq->ctx);
	vkf_mutex_unlock(&p->queue_lock);
	kfd_events_hw(&p->events, &data);
}

void kfd_interrupt(struct kfd_process *p, const struct gpu_irq *irq, char *line, size_t line_len)
{
	if (line_len)
		line[0] = '\0';
	if (irq->gpu >= p->n_pdds)
		return;
	switch (irq->type) {
	case GPU_IRQ_EVENT:
		kfd_events_gpu_signal(&p->events, irq->ctx);
		break;
	case GPU_IRQ_VM_FAULT:
		if (page_may_return(p, irq))
			kfd_evict_userptr(p);
		else
			vm_fault(p, irq, line, line_len);
		break;
	case GPU_IRQ_SHARE:
		kfd_share_answered(&p->driver->gpus[irq->gpu].sharing, &p->pdds[irq->gpu].share);
		break;
	case GPU_IRQ_BAD_PACKET:
		bad_packet(p, irq, line, line_len);
		break;
	default:
		break;
	}
}
