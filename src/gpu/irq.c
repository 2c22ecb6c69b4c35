/* SPDX-License-Identifier: MIT */
#include "gpu/irq.h"

#define ADDRESS_MASK UINT64_C(0x0000fffffffff000)

static void post(struct gpu_queue *q, struct gpu_irq irq)
{
	irq.gpu = q->gpu;
	irq.slot = q->slot;
	if (q->n_irqs < GPU_QUEUE_IRQS)
		q->irq[q->n_irqs++] = irq;
}

void gpu_irq_post_event(struct gpu_queue *q, uint32_t ctx)
{
	post(q, (struct gpu_irq){ .type = GPU_IRQ_EVENT, .ctx = ctx });
}

void gpu_irq_post_fault(struct gpu_queue *q, const struct gpu_fault_record *fault)
{
	post(q, (struct gpu_irq){ .type = GPU_IRQ_VM_FAULT,
				  .va = fault->va & ADDRESS_MASK,
				  .status = fault->status });
}

void gpu_irq_post_bad_packet(struct gpu_queue *q, const struct gpu_bad_packet *bad)
{
	post(q, (struct gpu_irq){
			.type = GPU_IRQ_BAD_PACKET, .ctx = bad->word, .status = bad->opcode });
}

/* Never waits: a lock that stays taken (the client may write to it) only delays interrupts. */
static bool ring_trylock(struct gpu_ctrl *ctrl)
{
	uint32_t free = 0;

	return atomic_compare_exchange_strong_explicit(&ctrl->irq_lock, &free, 1,
						       memory_order_acquire, memory_order_relaxed);
}

static void ring_unlock(struct gpu_ctrl *ctrl)
{
	atomic_store_explicit(&ctrl->irq_lock, 0, memory_order_release);
}

/* The three below: with the ring locked. */
static bool ring_full(struct gpu_ctrl *ctrl)
{
	uint32_t wptr = atomic_load_explicit(&ctrl->irq_wptr, memory_order_relaxed);
	uint32_t rptr = atomic_load_explicit(&ctrl->irq_rptr, memory_order_acquire);

	return wptr - rptr >= GPU_IRQ_ENTRIES;
}

static int ring_push(struct gpu_ctrl *ctrl, const struct gpu_irq *irq)
{
	uint32_t wptr = atomic_load_explicit(&ctrl->irq_wptr, memory_order_relaxed);

	if (ring_full(ctrl))
		return -EAGAIN;
	ctrl->irq[wptr % GPU_IRQ_ENTRIES] = *irq;
	atomic_store_explicit(&ctrl->irq_wptr, wptr + 1, memory_order_seq_cst);
	return 0;
}

/* Slot @id, if it was written: reset before it is raised, so that a write which comes after the
 * driver's wake-up is not erased. */
static int raise_slot(const struct gpu_engine *e, uint64_t *slots, uint32_t id, struct gpu_irq irq,
		      bool *found)
{
	uint64_t v;

	if (e->mem->load64(e->cookie, &slots[id], &v) || v == GPU_EVENT_UNSIGNALED)
		return 0;
	if (ring_full(e->ctrl))
		return -EAGAIN;
	(void)e->mem->store64(e->cookie, &slots[id], GPU_EVENT_UNSIGNALED);
	irq.ctx = id;
	*found = true;
	return ring_push(e->ctrl, &irq);
}

/* The signal page, or NULL when there is none, or none that lies in the arena. */
static uint64_t *event_slots(const struct gpu_engine *e, uint32_t *ret_n)
{
	uint64_t at = atomic_load_explicit(&e->ctrl->event_page, memory_order_acquire);
	uint32_t n = atomic_load_explicit(&e->ctrl->event_slots, memory_order_acquire);

	if (!at-- || !VKF_IS_ALIGNED(at, sizeof(uint64_t)) || at > e->arena_bytes ||
	    (e->arena_bytes - at) / sizeof(uint64_t) < n)
		return NULL;
	*ret_n = VKF_MIN(n, (uint32_t)GPU_EVENT_SLOTS);
	return (uint64_t *)(uintptr_t)(e->arena + at);
}

static int deliver_event(const struct gpu_engine *e, const struct gpu_irq *irq)
{
	bool found = false;
	uint64_t *slots;
	uint32_t n, id;
	int err = 0;

	slots = event_slots(e, &n);
	if (!slots)
		return ring_push(e->ctrl, irq);
	/* Id 0 is never a signal. */
	if (irq->ctx && irq->ctx < n)
		err = raise_slot(e, slots, irq->ctx, *irq, &found);
	for (id = 1; !err && !found && id < n; id++) {
		bool raised = false;

		err = raise_slot(e, slots, id, *irq, &raised);
	}
	return err;
}

int gpu_irq_deliver(struct gpu_worker *w, struct gpu_queue *q)
{
	const struct gpu_engine *e = w->engine;
	uint32_t before, sent = 0;
	int err = 0;

	if (!q->n_irqs)
		return 0;
	if (!ring_trylock(e->ctrl))
		return -EAGAIN;
	before = atomic_load_explicit(&e->ctrl->irq_wptr, memory_order_relaxed);
	while (!err && sent < q->n_irqs) {
		const struct gpu_irq *irq = &q->irq[sent];

		err = irq->type == GPU_IRQ_EVENT ? deliver_event(e, irq) : ring_push(e->ctrl, irq);
		sent += !err;
	}
	before -= atomic_load_explicit(&e->ctrl->irq_wptr, memory_order_relaxed);
	ring_unlock(e->ctrl);
	q->n_irqs -= sent;
	memmove(q->irq, q->irq + sent, q->n_irqs * sizeof(q->irq[0]));
	if (before && e->ops->irq)
		e->ops->irq(e->cookie);
	return err;
}

int gpu_irq_tell_share(struct gpu_engine *engine, uint32_t gpu)
{
	struct gpu_irq irq = { .type = GPU_IRQ_SHARE, .gpu = gpu };
	int err;

	if (!ring_trylock(engine->ctrl))
		return -EAGAIN;
	err = ring_push(engine->ctrl, &irq);
	ring_unlock(engine->ctrl);
	if (!err && engine->ops->irq)
		engine->ops->irq(engine->cookie);
	return err;
}
