/* SPDX-License-Identifier: MIT */
/**
 * DOC: One client's hardware
 *
 * The driver's side of gpu/ctrl.h: it writes VMs, queues and generations, and reads
 * acknowledgements and interrupts. The client can write all of the control block,
 * so nothing that is read there is used as an index or a length unchecked, and
 * every wait for the engine is bounded; an engine that does not answer is told to
 * quit and counts as gone, whatever the control block says of it afterwards.
 */
#include "machine/priv.h"

#include <errno.h>
#include <string.h>
#include "base/bitmap.h"
#include "base/env.h"
#include "machine/trace.h"
#include "mm/client.h"

_Static_assert(MM_PT_BYTES == GPU_PT_TABLE_BYTES, "mm and the engine agree on a table's size");
_Static_assert(MM_LINK_ARENA == GPU_BACKING_ARENA && MM_LINK_USER == GPU_BACKING_USER &&
		       MM_LINK_BAR == GPU_BACKING_BAR,
	       "mm and the engine agree on what a leaf's link is");

/* queue_preemption_timeout_ms of the kernel; an invalidation is far shorter than a stop. */
#define STOP_TIMEOUT_NS    (9000 * VKF_NSEC_PER_MSEC)
#define QUIESCE_TIMEOUT_NS (2000 * VKF_NSEC_PER_MSEC)
#define SPINS              200
#define NAP_NS             UINT64_C(20000)
#define LAST_NAP_NS        UINT64_C(1000000)
#define LEAST_LOOKS        (SPINS + 400)

struct machine_client {
	struct machine *machine;
	struct machine_regions regions;
	struct mm_client *mm;
	struct vkf_mutex lock; /* rank DEVICE; protects the queue slots and command words */
	uint64_t used[VKF_BITMAP_WORDS(GPU_MAX_QUEUES)]; /* protected by @lock, as the next */
	uint32_t told[GPU_MAX_QUEUES]; /* want_seq as last written: the program's copy is not believed */
	struct vkf_mutex evict_lock; /* rank DEVICE; protects the next two, and is held for the call */
	bool (*evict)(void *cookie);
	void *evict_cookie;
	void (*lost)(void *cookie); /* protected by @evict_lock, as the next */
	void *lost_cookie;
	uint32_t irq_rptr; /* the interrupt task's; the control block has a copy for the engine */
	atomic_bool engine_gone; /* set once */
	struct machine_trace trace;
};

/* One that is asleep says so before it looks for the last time, and says that it runs before it
 * looks again. So it need not be waited for: what was written before it was found asleep, it sees
 * before it runs anything. */
static bool engine_runs(struct machine_client *mc)
{
	return atomic_load(&mc->regions.ctrl->engine) == GPU_ENGINE_RUNNING &&
	       !atomic_load(&mc->engine_gone);
}

void machine_client_engine_gone(struct machine_client *mc)
{
	atomic_store(&mc->engine_gone, true);
	atomic_store(&mc->regions.ctrl->quit, 1);
	atomic_store(&mc->regions.ctrl->engine, GPU_ENGINE_DEAD);
}

/* It had all the time there is: whatever it is doing now is nobody's business any more. */
static void abandon_engine(struct machine_client *mc)
{
	machine_client_engine_gone(mc);
	mc->regions.wake_engine(mc->regions.cookie);
}

/* Something has changed that the engine must see before it runs anything. */
static void tell_engine(struct machine_client *mc)
{
	atomic_fetch_add(&mc->regions.ctrl->cmd_seq, 1);
}

/* Something has changed that may be work. */
static void poke_engine(struct machine_client *mc)
{
	tell_engine(mc);
	if (atomic_load(&mc->regions.ctrl->engine) == GPU_ENGINE_ASLEEP)
		mc->regions.wake_engine(mc->regions.cookie);
}

/* One step of waiting for the engine. An engine that takes long may take very long: it is looked at
 * less and less often. False when @deadline has passed, and it was looked at just before and
 * LEAST_LOOKS times: to whoever did not run for long himself, the time of others says nothing. */
static bool wait_a_little(unsigned int *n, uint64_t deadline)
{
	if ((*n)++ < SPINS) {
		vkf_relax();
		return true;
	}
	if (*n > LEAST_LOOKS && vkf_now_ns() >= deadline)
		return false;
	vkf_sleep_ns(VKF_MIN(NAP_NS * (1 + (*n - SPINS) / 8), LAST_NAP_NS), false);
	return true;
}

static void client_punch(void *cookie, uint64_t off, uint64_t len)
{
	struct machine_client *mc = cookie;

	mc->regions.punch(mc->regions.cookie, off, len);
}

/* False: it did not leave the instruction where it is at @seq. */
static bool wait_worker(struct machine_client *mc, unsigned int i, uint64_t seq)
{
	uint64_t deadline = vkf_now_ns() + QUIESCE_TIMEOUT_NS;
	unsigned int n = 0;

	while (engine_runs(mc) && atomic_load(&mc->regions.ctrl->worker[i].seq) == seq)
		if (!wait_a_little(&n, deadline))
			return false;
	return true;
}

/* Its queues are stopped now, which no call will say. */
static void tell_lost(struct machine_client *mc)
{
	vkf_mutex_lock(&mc->evict_lock);
	if (mc->lost)
		mc->lost(mc->lost_cookie);
	vkf_mutex_unlock(&mc->evict_lock);
}

void machine_client_set_lost(struct machine_client *mc, void (*lost)(void *cookie), void *cookie)
{
	vkf_mutex_lock(&mc->evict_lock);
	mc->lost = lost;
	mc->lost_cookie = cookie;
	vkf_mutex_unlock(&mc->evict_lock);
}

/* Each worker that was inside an instruction when the generation moved has left it. */
static void client_invalidate(void *cookie, unsigned int gpu)
{
	struct machine_client *mc = cookie;
	struct gpu_ctrl *ctrl = mc->regions.ctrl;

	atomic_fetch_add(&ctrl->vm[gpu].generation, 1);
	for (unsigned int i = 0; i < GPU_MAX_WORKERS; i++) {
		uint64_t seq = atomic_load(&ctrl->worker[i].seq);

		if (seq & 1 && !wait_worker(mc, i, seq)) {
			abandon_engine(mc);
			tell_lost(mc);
			return;
		}
	}
}

static bool client_evict(void *cookie)
{
	struct machine_client *mc = cookie;
	bool r;

	vkf_mutex_lock(&mc->evict_lock);
	r = mc->evict && mc->evict(mc->evict_cookie);
	vkf_mutex_unlock(&mc->evict_lock);
	return r;
}

void machine_client_set_evict(struct machine_client *mc, bool (*evict)(void *cookie), void *cookie)
{
	vkf_mutex_lock(&mc->evict_lock);
	mc->evict = evict;
	mc->evict_cookie = cookie;
	vkf_mutex_unlock(&mc->evict_lock);
}

static const struct mm_client_ops client_ops = {
	.evict = client_evict,
	.punch = client_punch,
	.invalidate = client_invalidate,
};

static enum gpu_dialect dialect_of(unsigned int gfx_target)
{
	switch (gfx_target / 10000) {
	case 8:
		return GPU_DIALECT_GFX8;
	case 9:
		return gfx_target < 90010 ? GPU_DIALECT_GFX9 : GPU_DIALECT_GFX90A;
	default:
		return GPU_DIALECT_OTHER;
	}
}

static void init_ctrl(struct machine_client *mc)
{
	const struct machine_profile *p = &mc->machine->profile;
	struct gpu_ctrl *ctrl = mc->regions.ctrl;

	ctrl->n_gpus = p->n_gpus;
	ctrl->pt_tables = mc->regions.pt_tables;
	ctrl->arena_bytes = mc->regions.arena_bytes;
	ctrl->bar_bytes = mc->regions.bar_bytes;
	for (unsigned int i = 0; i < p->n_gpus; i++) {
		ctrl->vm[i].clock_khz = MACHINE_GPU_CLOCK_KHZ;
		ctrl->vm[i].dialect = dialect_of(p->gpus[i].asic.gfx_target);
		ctrl->vm[i].doorbell_bytes = p->gpus[i].asic.doorbell64 ? 8 : 4;
		ctrl->vm[i].cp_queues = p->gpus[i].asic.cp_queues;
		ctrl->vm[i].va_limit = (UINT64_C(1) << p->gpus[i].asic.va_bits) - 1;
	}
	ctrl->version = GPU_CTRL_VERSION;
	ctrl->magic = GPU_CTRL_MAGIC;
}

int machine_client_create(struct machine *m, const struct machine_regions *regions,
			  struct machine_client **ret_client)
{
	struct mm_client_config config = {
		.pt_base = regions->pt,
		.pt_tables = regions->pt_tables,
		.arena_bytes = regions->arena_bytes,
		.max_buffers = m->profile.knobs.quota[MACHINE_QUOTA_BUFFERS],
		.max_mappings = m->profile.knobs.quota[MACHINE_QUOTA_MAPPINGS],
		.ops = &client_ops,
		.number = regions->number,
	};
	struct machine_client *mc;
	int r;

	if (regions->bar_bytes < m->profile.n_gpus * GPU_BAR_STRIDE || regions->pt_tables < 2)
		return -EINVAL;
	mc = vkf_zalloc(sizeof(*mc));
	if (!mc)
		return -ENOMEM;
	mc->machine = m;
	mc->regions = *regions;
	vkf_mutex_init(&mc->lock, VKF_RANK_DEVICE);
	machine_trace_init(&mc->trace);
	vkf_mutex_init(&mc->evict_lock, VKF_RANK_DEVICE);
	config.cookie = mc;
	r = mm_client_create(m->system, &config, &mc->mm);
	if (r) {
		machine_trace_fini(&mc->trace);
		vkf_mutex_fini(&mc->lock);
		vkf_mutex_fini(&mc->evict_lock);
		vkf_free(mc);
		return r;
	}
	init_ctrl(mc);
	*ret_client = mc;
	return 0;
}

void machine_client_destroy(struct machine_client *mc)
{
	if (!mc)
		return;
	machine_client_engine_gone(mc);
	mm_client_destroy(mc->mm);
	machine_trace_fini(&mc->trace);
	vkf_mutex_fini(&mc->lock);
	vkf_mutex_fini(&mc->evict_lock);
	vkf_free(mc);
}

struct mm_client *machine_client_mm(struct machine_client *mc)
{
	return mc->mm;
}

uint32_t machine_client_number(const struct machine_client *mc)
{
	return mc->regions.number;
}

void machine_client_trace(struct machine_client *mc, unsigned int max)
{
	machine_trace_drain(&mc->trace, mc->regions.ctrl, mc->regions.number, max);
}

struct machine *machine_client_machine(struct machine_client *mc)
{
	return mc->machine;
}

void machine_client_set_vm(struct machine_client *mc, unsigned int gpu, struct mm_vm *vm)
{
	atomic_store(&mc->regions.ctrl->vm[gpu].root, vm ? mm_vm_root(vm) : 0);
	client_invalidate(mc, gpu);
}

void machine_client_set_event_page(struct machine_client *mc, struct mm_bo *bo,
				   unsigned int n_slots)
{
	struct gpu_ctrl *ctrl = mc->regions.ctrl;

	if (bo && mc->regions.fill)
		mc->regions.fill(mc->regions.cookie, mm_bo_arena(bo).v, n_slots * sizeof(uint64_t),
				 0xff);
	atomic_store(&ctrl->event_slots, bo ? n_slots : 0);
	atomic_store(&ctrl->event_page, bo ? mm_bo_arena(bo).v + 1 : 0);
}

bool machine_client_has_event_page(const struct machine_client *mc)
{
	return atomic_load(&mc->regions.ctrl->event_page) != 0;
}

/* ------------------------------------------------ queues */

static struct gpu_ctrl_queue *slot_queue(struct machine_client *mc, int slot)
{
	return &mc->regions.ctrl->queue[slot];
}

/* The slots say so from now on; the engine does when it has looked. */
static void want(struct machine_client *mc, const int *slots, unsigned int n,
		 enum gpu_queue_want what) VKF_REQUIRES(mc->lock)
{
	for (unsigned int i = 0; i < n; i++) {
		struct gpu_ctrl_queue *hw = slot_queue(mc, slots[i]);

		atomic_store(&hw->want, what);
		atomic_store(&hw->want_seq, ++mc->told[slots[i]]);
	}
}

int machine_queue_load(struct machine_client *mc, const struct machine_queue *q, bool run)
{
	struct gpu_ctrl *ctrl = mc->regions.ctrl;
	struct gpu_ctrl_queue *hw;
	unsigned int slot;
	int at;

	vkf_mutex_lock(&mc->lock);
	slot = vkf_bitmap_first_zero(mc->used, GPU_MAX_QUEUES);
	if (slot == GPU_MAX_QUEUES) {
		vkf_mutex_unlock(&mc->lock);
		return -ENOSPC;
	}
	vkf_bit_set(mc->used, slot);
	at = (int)slot;
	hw = slot_queue(mc, at);
	hw->type = q->type;
	hw->gpu = q->gpu;
	hw->queue_id = q->queue_id;
	hw->doorbell = (uint32_t)machine_doorbell_offset(q->gpu) + q->doorbell;
	hw->rptr_va = q->rptr_va;
	hw->wptr_va = q->wptr_va;
	atomic_store(&hw->priority, q->priority);
	for (unsigned int i = 0; i < GPU_MAX_ENGINES; i++)
		atomic_store(&hw->cu_mask[i], UINT32_MAX);
	atomic_store(&hw->ring_va, q->ring_va);
	atomic_store(&hw->ring_bytes, q->ring_bytes);
	atomic_store(&hw->rptr, 0);
	atomic_store(&hw->packets, 0);
	atomic_store(&hw->busy_ns, 0);
	atomic_store(&hw->activity, GPU_QUEUE_IDLE);
	atomic_store(&hw->error, GPU_QERR_NONE);
	want(mc, &at, 1, run ? GPU_WANT_RUN : GPU_WANT_STOP);
	if (atomic_load(&ctrl->n_queues) <= slot)
		atomic_store(&ctrl->n_queues, slot + 1);
	poke_engine(mc);
	vkf_mutex_unlock(&mc->lock);
	return at;
}

/* What was written last is what is waited for: nobody else changes these slots meanwhile. */
static int wait_stopped(struct machine_client *mc, const int *slots, unsigned int n)
{
	uint64_t deadline = vkf_now_ns() + STOP_TIMEOUT_NS;
	unsigned int tries = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct gpu_ctrl_queue *hw = slot_queue(mc, slots[i]);

		while (engine_runs(mc) && atomic_load(&hw->ack_seq) != mc->told[slots[i]]) {
			if (!wait_a_little(&tries, deadline)) {
				abandon_engine(mc);
				return -ETIME;
			}
		}
	}
	return 0;
}

int machine_queues_run(struct machine_client *mc, const int *slots, unsigned int n, bool run)
{
	if (!n)
		return 0;
	vkf_mutex_lock(&mc->lock);
	want(mc, slots, n, run ? GPU_WANT_RUN : GPU_WANT_STOP);
	if (run)
		poke_engine(mc);
	else
		tell_engine(mc);
	vkf_mutex_unlock(&mc->lock);
	return run ? 0 : wait_stopped(mc, slots, n);
}

int machine_queue_run(struct machine_client *mc, int slot, bool run)
{
	return machine_queues_run(mc, &slot, 1, run);
}

void machine_queue_set_ring(struct machine_client *mc, int slot, uint64_t va, uint64_t bytes)
{
	atomic_store(&slot_queue(mc, slot)->ring_va, va);
	atomic_store(&slot_queue(mc, slot)->ring_bytes, bytes);
}

int machine_queue_unload(struct machine_client *mc, int slot)
{
	int r = machine_queues_run(mc, &slot, 1, false);

	vkf_mutex_lock(&mc->lock);
	/* A step of its own in @want_seq: the slot's next queue must not pass for this one resumed.
	 */
	want(mc, &slot, 1, GPU_WANT_NONE);
	tell_engine(mc);
	vkf_bit_clear(mc->used, (unsigned int)slot);
	vkf_mutex_unlock(&mc->lock);
	return r;
}

/* Who runs starts again, and sees it then. */
void machine_queue_set_cu_mask(struct machine_client *mc, int slot, const uint32_t *mask)
{
	struct gpu_ctrl_queue *hw = slot_queue(mc, slot);

	vkf_mutex_lock(&mc->lock);
	for (unsigned int i = 0; i < GPU_MAX_ENGINES; i++)
		atomic_store(&hw->cu_mask[i], mask[i]);
	if (atomic_load(&hw->want) == GPU_WANT_RUN) {
		want(mc, &slot, 1, GPU_WANT_RUN);
		poke_engine(mc);
	}
	vkf_mutex_unlock(&mc->lock);
}

void machine_queue_set_priority(struct machine_client *mc, int slot, uint32_t priority)
{
	atomic_store(&slot_queue(mc, slot)->priority, priority);
}

unsigned int machine_queue_error(struct machine_client *mc, int slot)
{
	return atomic_load(&slot_queue(mc, slot)->error);
}

enum gpu_queue_activity machine_queue_activity(struct machine_client *mc, int slot)
{
	uint32_t activity = atomic_load(&slot_queue(mc, slot)->activity);

	return engine_runs(mc) && activity <= GPU_QUEUE_WAITS ? (enum gpu_queue_activity)activity :
								GPU_QUEUE_IDLE;
}

uint64_t machine_queue_packets(struct machine_client *mc, int slot)
{
	return atomic_load(&slot_queue(mc, slot)->packets);
}

uint64_t machine_queue_busy_ns(struct machine_client *mc, int slot)
{
	return atomic_load(&slot_queue(mc, slot)->busy_ns);
}

/* ------------------------------------------------ sharing GPUs */

void machine_client_grant(struct machine_client *mc, unsigned int gpu, uint32_t grant)
{
	atomic_store(&mc->regions.ctrl->vm[gpu].grant, grant);
	poke_engine(mc);
}

void machine_client_set_slots(struct machine_client *mc, unsigned int gpu, uint32_t slots)
{
	atomic_store(&mc->regions.ctrl->vm[gpu].cp_queues, slots);
	poke_engine(mc);
}

uint32_t machine_client_answer(struct machine_client *mc, unsigned int gpu)
{
	return atomic_load(&mc->regions.ctrl->vm[gpu].answer);
}

enum gpu_engine_state machine_client_engine(struct machine_client *mc)
{
	uint32_t state = atomic_load(&mc->regions.ctrl->engine);

	if (atomic_load(&mc->engine_gone) || state > GPU_ENGINE_DEAD)
		return GPU_ENGINE_DEAD;
	return (enum gpu_engine_state)state;
}

/* ------------------------------------------------ interrupts */

/* More than the ring holds is no engine's work: none of it is believed. */
static bool irq_pending(struct machine_client *mc)
{
	uint32_t wptr = atomic_load_explicit(&mc->regions.ctrl->irq_wptr, memory_order_acquire);

	if (wptr - mc->irq_rptr > GPU_IRQ_ENTRIES) {
		mc->irq_rptr = wptr;
		atomic_store_explicit(&mc->regions.ctrl->irq_rptr, wptr, memory_order_release);
	}
	return wptr != mc->irq_rptr;
}

bool machine_irq_next(struct machine_client *mc, struct gpu_irq *ret_irq)
{
	struct gpu_ctrl *ctrl = mc->regions.ctrl;

	/* Bounded: a program may write faster than this reads. */
	for (unsigned int n = 0; n < GPU_IRQ_ENTRIES && irq_pending(mc); n++) {
		struct gpu_irq irq;

		memcpy(&irq, &ctrl->irq[mc->irq_rptr % GPU_IRQ_ENTRIES], sizeof(irq));
		atomic_store_explicit(&ctrl->irq_rptr, ++mc->irq_rptr, memory_order_release);
		if (irq.gpu >= mc->machine->profile.n_gpus || irq.slot >= GPU_MAX_QUEUES)
			continue;
		*ret_irq = irq;
		return true;
	}
	return false;
}
