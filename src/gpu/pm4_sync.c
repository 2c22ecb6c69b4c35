/* SPDX-License-Identifier: MIT */
#include "gpu/pm4_sync.h"
#include "gpu/compare.h"
#include "gpu/irq.h"
#include "gpu/regs.h"
#include "gpu/semaphore.h"
#include "gpu/vmem.h"

/* struct wait - a decoded wait; @high: of 64 bits */
struct wait {
	uint32_t func, space, operation;
	uint64_t addr, ref, mask;
	bool high;
};

static bool holds(const struct wait *wait, uint64_t value)
{
	return gpu_compare(wait->func, value & wait->mask, wait->ref);
}

/* A write of one register, then a wait for another, is how the HDP cache is flushed: those
 * registers are not kept. A register that is not kept is not waited for. */
static int wait_register(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p,
			 const struct wait *wait)
{
	bool writes = wait->operation == PM4_WAIT_OP_WRITE_WAIT;
	uint32_t n = wait->high ? 2 : 1;
	uint32_t *to = gpu_reg_range(w, q, p[2] & PM4_REG_MASK, n);
	uint32_t *from = gpu_reg_range(w, q, p[writes ? 3 : 2] & PM4_REG_MASK, n);
	uint64_t value = 0;

	if (writes && to)
		memcpy(to, &wait->ref, n * 4);
	if (!from)
		return 0;
	memcpy(&value, from, n * 4);
	return holds(wait, value) ? 0 : -EAGAIN;
}

static int load(struct gpu_worker *w, struct gpu_queue *q, uint64_t addr, bool wide, uint64_t *ret)
{
	uint32_t low;
	int e;

	if (wide)
		return gpu_vmem_load64(w, q->gpu, GPU_PM4_ADDR64(addr), ret);
	e = gpu_vmem_load32(w, q->gpu, GPU_PM4_ADDR32(addr), &low);
	if (!e)
		*ret = low;
	return e;
}

static int run_wait(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p,
		    const struct wait *wait)
{
	uint64_t value;
	int e;

	if (wait->func >= GPU_COMPARE_FUNCS)
		return gpu_pm4_bad(w, p);
	if (wait->space == PM4_WAIT_SPACE_REG)
		return wait_register(w, q, p, wait);
	if (wait->space != PM4_WAIT_SPACE_MEM ||
	    (wait->operation != PM4_WAIT_OP_WAIT && wait->operation != PM4_WAIT_OP_PREEMPTIBLE))
		return gpu_pm4_bad(w, p);
	e = load(w, q, wait->addr, wait->high, &value);
	if (e)
		return e;
	return holds(wait, value) ? 0 : -EAGAIN;
}

int gpu_pm4_wait(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	const struct wait wait = {
		.func = pm4_wait_get_func(p),
		.space = pm4_wait_get_space(p),
		.operation = pm4_wait_get_operation(p),
		.addr = pm4_wait_get_addr(p),
		.ref = pm4_wait_get_ref(p),
		.mask = pm4_wait_get_mask(p),
	};

	return run_wait(w, q, p, &wait);
}

int gpu_pm4_wait64(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	const struct wait wait = {
		.func = pm4_wait_get_func(p),
		.space = pm4_wait_get_space(p),
		.operation = pm4_wait_get_operation(p),
		.addr = pm4_wait_get_addr(p),
		.ref = pm4_wait64_get_ref(p),
		.mask = pm4_wait64_get_mask(p),
		.high = true,
	};

	return run_wait(w, q, p, &wait);
}

/* It is read anew each time, until somebody has set its valid bit in memory. */
int gpu_pm4_rewind(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	return pm4_rewind_get_valid(packet->p) ? 0 : -EAGAIN;
}

int gpu_pm4_cond_write(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint32_t space = pm4_cond_write_get_dst_space(p), *to = NULL, *from;
	uint64_t dst = pm4_cond_write_get_dst(p), value = 0;
	int e = 0;

	if (space == PM4_WAIT_SPACE_REG)
		to = gpu_reg_find(w, q, (uint32_t)dst & PM4_REG_MASK);
	if (pm4_cond_write_get_func(p) >= GPU_COMPARE_FUNCS || (!to && space != PM4_WAIT_SPACE_MEM))
		return gpu_pm4_bad(w, p);
	if (pm4_cond_write_get_space(p) == PM4_WAIT_SPACE_MEM) {
		e = load(w, q, pm4_cond_write_get_addr(p), false, &value);
	} else {
		from = gpu_reg_find(w, q, p[2] & PM4_REG_MASK);
		value = from ? *from : 0;
	}
	if (e || !gpu_compare(pm4_cond_write_get_func(p), value & pm4_cond_write_get_mask(p),
			      pm4_cond_write_get_ref(p)))
		return e;
	if (!to)
		return gpu_vmem_store32(w, q->gpu, GPU_PM4_ADDR32(dst), pm4_cond_write_get_data(p));
	*to = pm4_cond_write_get_data(p);
	return 0;
}

int gpu_pm4_semaphore(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint64_t addr = pm4_semaphore_get_addr(p);

	if (pm4_semaphore_get_mailbox(p))
		return gpu_pm4_bad(w, p);
	switch (pm4_semaphore_get_sel(p)) {
	case PM4_SEMAPHORE_SIGNAL:
		return gpu_semaphore_signal(w, q->gpu, addr, pm4_semaphore_get_write_one(p));
	case PM4_SEMAPHORE_WAIT:
		return gpu_semaphore_wait(w, q->gpu, addr);
	default:
		return gpu_pm4_bad(w, p);
	}
}

/* There is nothing to flush, and nobody to wait for; but statistics of shaders would be written. */
int gpu_pm4_event_write(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	uint32_t index = pm4_event_write_get_index(packet->p);

	if (index != PM4_EVENT_INDEX_OTHER && index != PM4_EVENT_INDEX_PARTIAL_FLUSH &&
	    index != PM4_EVENT_INDEX_CACHE_FLUSH)
		return gpu_pm4_bad(w, packet->p);
	return 0;
}

static int release_data(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	uint64_t addr = pm4_release_mem_get_addr(p);

	switch (pm4_release_mem_get_data_sel(p)) {
	case PM4_DATA_NONE:
		return 0;
	case PM4_DATA_32:
		return gpu_vmem_store32(w, q->gpu, GPU_PM4_ADDR32(addr),
					(uint32_t)pm4_release_mem_get_data(p));
	case PM4_DATA_64:
		return gpu_vmem_store64(w, q->gpu, GPU_PM4_ADDR64(addr),
					pm4_release_mem_get_data(p));
	case PM4_DATA_CLOCK:
		return gpu_vmem_store64(w, q->gpu, GPU_PM4_ADDR64(addr),
					gpu_worker_clock(w, q->gpu));
	case PM4_DATA_PERF:
		/* Nothing is counted. */
		return gpu_vmem_store64(w, q->gpu, GPU_PM4_ADDR64(addr), 0);
	default:
		return gpu_pm4_bad(w, p);
	}
}

/* Where a chip's packet has no word for the interrupt's event, its data name it. */
static int release_event(struct gpu_worker *w, struct gpu_queue *q,
			 const struct gpu_pm4_packet *packet, uint32_t *ret_ctx)
{
	uint32_t words = q->dialect->release_words;

	if (packet->words < words)
		return gpu_pm4_bad(w, packet->p);
	*ret_ctx = (uint32_t)pm4_release_mem_get_data(packet->p);
	return words < PM4_RELEASE_MEM_WORDS
		       ? 0
		       : gpu_stream_read(w, &packet->s, PM4_RELEASE_MEM_WORDS - 1, ret_ctx, 1);
}

int gpu_pm4_release_mem(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	uint32_t int_sel = pm4_release_mem_get_int_sel(packet->p), ctx;
	int e;

	if (int_sel > PM4_INT_ALWAYS || pm4_release_mem_get_dst_sel(packet->p) > PM4_RELEASE_DST_L2)
		return gpu_pm4_bad(w, packet->p);
	e = release_event(w, q, packet, &ctx);
	if (!e)
		e = release_data(w, q, packet->p);
	if (!e && int_sel != PM4_INT_NONE && int_sel != PM4_INT_DATA_ONLY)
		gpu_irq_post_event(q, ctx);
	return e;
}
