/* SPDX-License-Identifier: MIT */
#include "gpu/pm4_data.h"
#include "gpu/atomic.h"
#include "gpu/regs.h"
#include "gpu/vmem.h"
#include "spec/tc_op.h"

static bool writes_memory(uint32_t sel)
{
	return sel == PM4_SEL_MEMORY_SYNC || sel == PM4_SEL_L2 || sel == PM4_SEL_MEMORY;
}

static int write_registers(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	uint32_t n = packet->words - PM4_WRITE_DATA_WORDS, first = 0;
	uint32_t *regs;

	/* Only the last one stays. */
	if (n && pm4_write_data_get_one_addr(packet->p))
		first = n - 1;
	regs = gpu_reg_range(w, q, packet->p[2] & PM4_REG_MASK, n - first);
	if (!regs)
		return gpu_pm4_bad(w, packet->p);
	return gpu_stream_read(w, &packet->s, PM4_WRITE_DATA_WORDS + first, regs, n - first);
}

int gpu_pm4_write_data(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	uint64_t dst = GPU_PM4_ADDR32(pm4_write_data_get_dst(packet->p));
	uint32_t n = packet->words - PM4_WRITE_DATA_WORDS, data[2];
	int e;

	if (pm4_write_data_get_dst_sel(packet->p) == PM4_SEL_REGISTER)
		return write_registers(w, q, packet);
	if (!writes_memory(pm4_write_data_get_dst_sel(packet->p)))
		return gpu_pm4_bad(w, packet->p);
	if (!n)
		return 0;
	if (pm4_write_data_get_one_addr(packet->p) || n == 1) {
		/* Only the last one stays. */
		e = gpu_stream_read(w, &packet->s, packet->words - 1, data, 1);
		return e ? e : gpu_vmem_store32(w, q->gpu, dst, data[0]);
	}
	if (n == 2 && VKF_IS_ALIGNED(dst, (uint64_t)8)) {
		e = gpu_stream_read(w, &packet->s, PM4_WRITE_DATA_WORDS, data, 2);
		return e ? e : gpu_vmem_store64(w, q->gpu, dst, data[0] | (uint64_t)data[1] << 32);
	}
	return gpu_stream_copy_out(w, &packet->s, PM4_WRITE_DATA_WORDS * 4, dst, (uint64_t)n * 4);
}

static uint32_t read_register(struct gpu_worker *w, struct gpu_queue *q, uint32_t reg)
{
	const uint32_t *word = gpu_reg_find(w, q, reg & PM4_REG_MASK);

	return word ? *word : 0;
}

static int copy_data_source(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p,
			    uint64_t *ret)
{
	uint64_t src = pm4_copy_data_get_src(p);
	uint32_t low;
	int e;

	switch (pm4_copy_data_get_src_sel(p)) {
	case PM4_SEL_REGISTER:
		*ret = read_register(w, q, (uint32_t)src);
		if (pm4_copy_data_get_wide(p))
			*ret |= (uint64_t)read_register(w, q, (uint32_t)src + 1) << 32;
		return 0;
	case PM4_SEL_PERF:
		*ret = 0;
		return 0;
	case PM4_SEL_SRC_IMMEDIATE:
		*ret = src;
		return 0;
	case PM4_SEL_SRC_ATOMIC:
		*ret = q->atomic_old;
		return 0;
	case PM4_SEL_SRC_CLOCK:
	case PM4_SEL_SRC_SYSTEM_CLOCK:
		*ret = gpu_worker_clock(w, q->gpu);
		return 0;
	case PM4_SEL_MEMORY_SYNC:
	case PM4_SEL_L2:
		if (pm4_copy_data_get_wide(p))
			return gpu_vmem_load64(w, q->gpu, GPU_PM4_ADDR64(src), ret);
		e = gpu_vmem_load32(w, q->gpu, GPU_PM4_ADDR32(src), &low);
		if (!e)
			*ret = low;
		return e;
	default:
		return gpu_pm4_bad(w, p);
	}
}

int gpu_pm4_copy_data(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint64_t dst = pm4_copy_data_get_dst(p), value;
	uint32_t *regs = NULL;
	int e;

	if (pm4_copy_data_get_dst_sel(p) == PM4_SEL_REGISTER)
		regs = gpu_reg_range(w, q, (uint32_t)dst & PM4_REG_MASK,
				     1 + pm4_copy_data_get_wide(p));
	if (!regs && !writes_memory(pm4_copy_data_get_dst_sel(p)))
		return gpu_pm4_bad(w, p);
	e = copy_data_source(w, q, p, &value);
	if (e)
		return e;
	if (regs) {
		memcpy(regs, &value, pm4_copy_data_get_wide(p) ? 8 : 4);
		return 0;
	}
	if (pm4_copy_data_get_wide(p))
		return gpu_vmem_store64(w, q->gpu, GPU_PM4_ADDR64(dst), value);
	return gpu_vmem_store32(w, q->gpu, GPU_PM4_ADDR32(dst), (uint32_t)value);
}

static bool dma_in_memory(uint32_t sel)
{
	return sel == PM4_DMA_ADDR || sel == PM4_DMA_ADDR_L2;
}

/* struct dma - a decoded DMA_DATA */
struct dma {
	uint64_t src, dst, total;
	bool fill, nowhere;
};

static int dma_decode(struct gpu_worker *w, const struct gpu_queue *q, const uint32_t *p,
		      struct dma *ret)
{
	const struct dma d = {
		.src = pm4_dma_data_get_src(p),
		.dst = pm4_dma_data_get_dst(p),
		.total = pm4_dma_data_get_count(p) & q->dialect->dma_mask,
		.fill = pm4_dma_data_get_src_sel(p) == PM4_DMA_DATA,
		.nowhere = pm4_dma_data_get_dst_sel(p) == PM4_DMA_NOWHERE,
	};

	if ((!d.nowhere && !dma_in_memory(pm4_dma_data_get_dst_sel(p))) ||
	    (!d.fill && !dma_in_memory(pm4_dma_data_get_src_sel(p))) || pm4_dma_data_get_sas(p) ||
	    pm4_dma_data_get_das(p) || pm4_dma_data_get_saic(p) || pm4_dma_data_get_daic(p) ||
	    (d.fill && (d.nowhere || (d.dst | d.total) & 3)))
		return gpu_pm4_bad(w, p);
	*ret = d;
	return 0;
}

/* What goes nowhere is read all the same: that is how a cache is filled. */
static int dma_piece(struct gpu_worker *w, struct gpu_queue *q, const struct dma *d, uint64_t *n)
{
	uint64_t at = q->done;

	if (d->nowhere) {
		*n = VKF_MIN(*n, (uint64_t)GPU_BOUNCE_BYTES);
		return gpu_vmem_read(w, q->gpu, d->src + at, w->bounce, *n);
	}
	if (d->fill)
		return gpu_vmem_fill(w, q->gpu, d->dst + at, (uint32_t)d->src, *n);
	if (gpu_vmem_copies_down(d->dst, d->src, d->total))
		at = d->total - q->done - *n;
	return gpu_vmem_copy(w, q->gpu, d->dst + at, d->src + at, *n);
}

int gpu_pm4_dma_data(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	struct dma d;
	uint64_t n;
	int e;

	e = dma_decode(w, q, packet->p, &d);
	if (e)
		return e;
	n = VKF_MIN(d.total - q->done, (uint64_t)GPU_CHUNK_BYTES);
	e = dma_piece(w, q, &d, &n);
	if (e)
		return e;
	q->done += n;
	q->trace_bytes += n;
	return q->done < d.total ? -EINPROGRESS : 0;
}

int gpu_pm4_atomic_mem(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint32_t command = pm4_atomic_mem_get_command(p);
	struct gpu_atomic a = {
		.op = pm4_atomic_mem_get_op(p),
		.va = pm4_atomic_mem_get_addr(p),
		.src = pm4_atomic_mem_get_data(p),
		.cmp = pm4_atomic_mem_get_compare(p),
	};
	uint64_t old;
	int e;

	if (!gpu_atomic_known(a.op) || command > PM4_ATOMIC_GO_ON ||
	    (command == PM4_ATOMIC_LOOP && !gpu_atomic_compares(a.op)))
		return gpu_pm4_bad(w, p);
	a.va = gpu_atomic_wide(a.op) ? GPU_PM4_ADDR64(a.va) : GPU_PM4_ADDR32(a.va);
	e = gpu_atomic_run(w, q->gpu, &a, &old);
	if (e)
		return e;
	if (command == PM4_ATOMIC_LOOP && !gpu_atomic_matched(&a, old))
		return -EAGAIN;
	if (!tc_op_get_no_return(a.op))
		q->atomic_old = old;
	return 0;
}
