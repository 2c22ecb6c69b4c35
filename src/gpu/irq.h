/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_IRQ_H
#define VKFD_GPU_IRQ_H

/**
 * DOC: Interrupts from packets to the driver
 *
 * A packet posts its interrupt to its queue; once the queue's read pointer is out,
 * it is delivered into the interrupt ring. When the ring is full the queue waits
 * with it: nothing is lost and nothing is raised twice.
 *
 * An event interrupt names a slot of the signal page by its context. The slot is
 * reset to all-ones as it is delivered. A context that names no slot, or one that
 * nothing was written to, makes the engine look at all slots and raise each that
 * was written: the rule of the kernel's own handler. Without a signal page the
 * context goes to the driver as it is.
 */
#include "gpu/engine_priv.h"

#define GPU_EVENT_UNSIGNALED UINT64_MAX
#define GPU_EVENT_SLOTS      4096 /* as far as the kernel looks, however large the page is */

/* Note an interrupt of @q. Room is certain: at most GPU_QUEUE_IRQS between two deliveries. */
void gpu_irq_post_event(struct gpu_queue *q, uint32_t ctx);
void gpu_irq_post_fault(struct gpu_queue *q, const struct gpu_fault_record *fault);
void gpu_irq_post_bad_packet(struct gpu_queue *q, const struct gpu_bad_packet *bad);

/* Tell the driver to look at gpu_ctrl_vm.answer of @gpu. Return: 0, or -EAGAIN: not yet. */
int gpu_irq_tell_share(struct gpu_engine *engine, uint32_t gpu);

/* Move what @q has posted into the interrupt ring.
 * Return: 0, or -EAGAIN when something had to stay: the ring is full. */
int gpu_irq_deliver(struct gpu_worker *w, struct gpu_queue *q);

#endif
