/* SPDX-License-Identifier: MIT */
#include "gpu/pm4.h"
#include "gpu/compare.h"
#include "gpu/irq.h"
#include "gpu/vmem.h"
#include "spec/aql.h"
#include "spec/pm4.h"

#define MAX_FIXED_WORDS PM4_ATOMIC_MEM_WORDS
#define ADDR32(va)      VKF_ALIGN_DOWN(va, (uint64_t)4)
#define ADDR64(va)      VKF_ALIGN_DOWN(va, (uint64_t)8)

/* struct pm4_packet - a packet at hand */
struct pm4_packet {
	struct gpu_stream s;
	uint32_t words;              /* of all of it */
	uint32_t p[MAX_FIXED_WORDS]; /* what it begins with; zero behind its end */
};

typedef int (*pm4_run_fn)(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet);

static int bad(struct gpu_worker *w, const uint32_t *p)
{
	return gpu_bad(w, p[0], pm4_header_get_op(p), AQL_ERROR_VENDOR);
}

/* A packet that goes on behind what is there yet: the rest of a ring will come if it has room,
 * beside the word that keeps a full ring apart from an empty one. */
static int cut_short(struct gpu_worker *w, const struct pm4_packet *packet, uint64_t words)
{
	return packet->s.wrap && words * 4 < packet->s.wrap ? -ENODATA : bad(w, packet->p);
}

static int run_nothing(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	return 0;
}

static bool writes_memory(uint32_t sel)
{
	return sel == PM4_SEL_MEMORY_SYNC || sel == PM4_SEL_L2 || sel == PM4_SEL_MEMORY;
}

static int run_write_data(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	uint64_t dst = ADDR32(pm4_write_data_get_dst(packet->p));
	uint32_t n = packet->words - PM4_WRITE_DATA_WORDS, data[2];
	int e;

	if (!writes_memory(pm4_write_data_get_dst_sel(packet->p)))
		return bad(w, packet->p);
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

static int run_wait(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint32_t value;
	int e;

	if (pm4_wait_get_space(p) == PM4_WAIT_SPACE_REG)
		return 0;
	if (pm4_wait_get_space(p) != PM4_WAIT_SPACE_MEM ||
	    pm4_wait_get_func(p) >= GPU_COMPARE_FUNCS ||
	    (pm4_wait_get_operation(p) != PM4_WAIT_OP_WAIT &&
	     pm4_wait_get_operation(p) != PM4_WAIT_OP_PREEMPTIBLE))
		return bad(w, p);
	e = gpu_vmem_load32(w, q->gpu, ADDR32(pm4_wait_get_addr(p)), &value);
	if (e)
		return e;
	return gpu_compare(pm4_wait_get_func(p), value & pm4_wait_get_mask(p), pm4_wait_get_ref(p))
		       ? 0
		       : -EAGAIN;
}

static int release_data(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	uint64_t addr = pm4_release_mem_get_addr(p);

	switch (pm4_release_mem_get_data_sel(p)) {
	case PM4_DATA_NONE:
		return 0;
	case PM4_DATA_32:
		return gpu_vmem_store32(w, q->gpu, ADDR32(addr),
					(uint32_t)pm4_release_mem_get_data(p));
	case PM4_DATA_64:
		return gpu_vmem_store64(w, q->gpu, ADDR64(addr), pm4_release_mem_get_data(p));
	case PM4_DATA_CLOCK:
		return gpu_vmem_store64(w, q->gpu, ADDR64(addr), gpu_worker_clock(w, q->gpu));
	default:
		return bad(w, p);
	}
}

static int run_release_mem(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	uint32_t int_sel = pm4_release_mem_get_int_sel(packet->p);
	int e;

	if (int_sel > PM4_INT_DATA_ONLY)
		return bad(w, packet->p);
	e = release_data(w, q, packet->p);
	if (!e && (int_sel == PM4_INT_ONLY || int_sel == PM4_INT_CONFIRM))
		gpu_irq_post_event(q, pm4_release_mem_get_ctx(packet->p));
	return e;
}

static int copy_data_source(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p,
			    uint64_t *ret)
{
	uint64_t src = pm4_copy_data_get_src(p);
	uint32_t low;
	int e;

	switch (pm4_copy_data_get_src_sel(p)) {
	case PM4_SEL_REGISTER:
	case PM4_SEL_PERF:
		*ret = 0;
		return 0;
	case PM4_SEL_SRC_IMMEDIATE:
		*ret = src;
		return 0;
	case PM4_SEL_SRC_CLOCK:
		*ret = gpu_worker_clock(w, q->gpu);
		return 0;
	case PM4_SEL_MEMORY_SYNC:
	case PM4_SEL_L2:
		if (pm4_copy_data_get_wide(p))
			return gpu_vmem_load64(w, q->gpu, ADDR64(src), ret);
		e = gpu_vmem_load32(w, q->gpu, ADDR32(src), &low);
		if (!e)
			*ret = low;
		return e;
	default:
		return bad(w, p);
	}
}

static int run_copy_data(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint64_t dst = pm4_copy_data_get_dst(p), value;
	int e;

	if (!writes_memory(pm4_copy_data_get_dst_sel(p)))
		return bad(w, p);
	e = copy_data_source(w, q, p, &value);
	if (e)
		return e;
	if (pm4_copy_data_get_wide(p))
		return gpu_vmem_store64(w, q->gpu, ADDR64(dst), value);
	return gpu_vmem_store32(w, q->gpu, ADDR32(dst), (uint32_t)value);
}

static bool dma_in_memory(uint32_t sel)
{
	return sel == PM4_DMA_ADDR || sel == PM4_DMA_ADDR_L2;
}

static int run_dma_data(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint64_t src = pm4_dma_data_get_src(p), dst = pm4_dma_data_get_dst(p);
	uint64_t total = pm4_dma_data_get_count(p);
	uint64_t n = VKF_MIN(total - q->done, GPU_CHUNK_BYTES), at = q->done;
	bool fill = pm4_dma_data_get_src_sel(p) == PM4_DMA_DATA;
	int e;

	if (!dma_in_memory(pm4_dma_data_get_dst_sel(p)) ||
	    !(fill || dma_in_memory(pm4_dma_data_get_src_sel(p))) || pm4_dma_data_get_sas(p) ||
	    pm4_dma_data_get_das(p) || pm4_dma_data_get_saic(p) || pm4_dma_data_get_daic(p) ||
	    (fill && ((dst | total) & 3)))
		return bad(w, p);
	if (fill) {
		e = gpu_vmem_fill(w, q->gpu, dst + at, (uint32_t)src, n);
	} else {
		if (gpu_vmem_copies_down(dst, src, total))
			at = total - q->done - n;
		e = gpu_vmem_copy(w, q->gpu, dst + at, src + at, n);
	}
	if (e)
		return e;
	q->done += n;
	return q->done < total ? -EINPROGRESS : 0;
}

static int run_indirect(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	struct gpu_ib ib = { .va = ADDR32(pm4_ib_get_base(p)), .words = pm4_ib_get_size(p) };

	if (!ib.words)
		return 0;
	if (pm4_ib_get_chain(p) ? !q->depth : q->depth == GPU_IB_DEPTH)
		return bad(w, p);
	if (!pm4_ib_get_chain(p)) {
		if (q->depth)
			q->ib[q->depth - 1].pos += packet->words;
		q->depth++;
	}
	q->ib[q->depth - 1] = ib;
	return -EINPROGRESS;
}

static int run_atomic(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint32_t op = pm4_atomic_mem_get_op(p);

	if ((op != PM4_ATOMIC_ADD_RTN_64 && op != PM4_ATOMIC_ADD_64) ||
	    pm4_atomic_mem_get_command(p) != PM4_ATOMIC_ONCE)
		return bad(w, p);
	return gpu_vmem_add64(w, q->gpu, ADDR64(pm4_atomic_mem_get_addr(p)),
			      pm4_atomic_mem_get_data(p));
}

/* What is for other XCCs only belongs to this packet. */
static int run_pred_exec(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	uint32_t words = packet->words;

	if (!(pm4_pred_exec_get_xcc(packet->p) & 1))
		words += pm4_pred_exec_get_count(packet->p);
	if (words > packet->s.avail / 4)
		return cut_short(w, packet, words);
	packet->words = words;
	return 0;
}

static int run_set_sh_reg(struct gpu_worker *w, struct gpu_queue *q, struct pm4_packet *packet)
{
	uint32_t reg = pm4_set_sh_reg_get_reg(packet->p) - PM4_SH_FIRST;
	uint32_t n = packet->words - PM4_SET_SH_REG_WORDS;

	if (reg > PM4_SH_COUNT || n > PM4_SH_COUNT - reg)
		return bad(w, packet->p);
	return gpu_stream_read(w, &packet->s, PM4_SET_SH_REG_WORDS, q->sh + reg, n);
}

/* struct pm4_op - one packet that we know; @words: what it has at least, the header included */
struct pm4_op {
	uint8_t op, words;
	pm4_run_fn run;
};

static const struct pm4_op ops[] = {
	{ PM4_OP_NOP, 1, run_nothing },
	{ PM4_OP_ATOMIC_MEM, PM4_ATOMIC_MEM_WORDS, run_atomic },
	{ PM4_OP_PRED_EXEC, PM4_PRED_EXEC_WORDS, run_pred_exec },
	{ PM4_OP_WRITE_DATA, PM4_WRITE_DATA_WORDS, run_write_data },
	{ PM4_OP_WAIT_REG_MEM, PM4_WAIT_WORDS, run_wait },
	{ PM4_OP_INDIRECT_BUFFER, PM4_IB_WORDS, run_indirect },
	{ PM4_OP_COPY_DATA, PM4_COPY_DATA_WORDS, run_copy_data },
	{ PM4_OP_EVENT_WRITE, PM4_EVENT_WRITE_WORDS, run_nothing },
	{ PM4_OP_RELEASE_MEM, PM4_RELEASE_MEM_WORDS, run_release_mem },
	{ PM4_OP_DMA_DATA, PM4_DMA_DATA_WORDS, run_dma_data },
	/* There is no cache to invalidate: every access sees the one copy in memory. */
	{ PM4_OP_ACQUIRE_MEM, 2, run_nothing },
	{ PM4_OP_SET_SH_REG, PM4_SET_SH_REG_WORDS, run_set_sh_reg },
};

static const struct pm4_op *find_op(uint32_t op)
{
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(ops); i++) {
		if (ops[i].op == op)
			return &ops[i];
	}
	return NULL;
}

static uint32_t packet_words(const uint32_t *p)
{
	uint32_t count = pm4_header_get_count(p);

	if (pm4_header_get_op(p) == PM4_OP_NOP && count == PM4_COUNT_ONE_WORD)
		return 1;
	return count + 2;
}

static int fetch(struct gpu_worker *w, struct pm4_packet *packet, pm4_run_fn *ret_run)
{
	uint64_t have = packet->s.avail / 4;
	uint32_t *p = packet->p;
	const struct pm4_op *op;
	int e;

	e = gpu_stream_read(w, &packet->s, 0, p, 1);
	if (e)
		return e;
	if (pm4_header_get_type(p) == PM4_TYPE_2) {
		packet->words = 1;
		*ret_run = run_nothing;
		return 0;
	}
	op = pm4_header_get_type(p) == PM4_TYPE_3 ? find_op(pm4_header_get_op(p)) : NULL;
	packet->words = packet_words(p);
	if (!op || packet->words < op->words)
		return bad(w, p);
	if (packet->words > have)
		return cut_short(w, packet, packet->words);
	e = gpu_stream_read(w, &packet->s, 1, p + 1, op->words - 1u);
	if (!e)
		*ret_run = op->run;
	return e;
}

/* Leave every buffer that has ended. Return: 0 when that was the last one. */
static int leave_ended(struct gpu_queue *q)
{
	while (q->depth && q->ib[q->depth - 1].pos >= q->ib[q->depth - 1].words)
		q->depth--;
	return q->depth ? -EINPROGRESS : 0;
}

int gpu_pm4_packet(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		   uint32_t *ret_words)
{
	struct pm4_packet packet = { .s = *s };
	pm4_run_fn run;
	int e;

	e = fetch(w, &packet, &run);
	if (!e)
		e = run(w, q, &packet);
	if (!e)
		*ret_words = packet.words;
	return e;
}

int gpu_pm4_begin(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p)
{
	if (pm4_header_get_type(p) != PM4_TYPE_3 ||
	    pm4_header_get_op(p) != PM4_OP_INDIRECT_BUFFER || packet_words(p) != PM4_IB_WORDS)
		return bad(w, p);
	q->ib[0] = (struct gpu_ib){ .va = ADDR32(pm4_ib_get_base(p)), .words = pm4_ib_get_size(p) };
	q->depth = q->ib[0].words ? 1 : 0;
	q->done = 0;
	return 0;
}

int gpu_pm4_step(struct gpu_worker *w, struct gpu_queue *q)
{
	struct gpu_stream s;
	uint32_t words;
	int e;

	gpu_stream_ib(q, &q->ib[q->depth - 1], &s);
	e = gpu_pm4_packet(w, q, &s, &words);
	if (e)
		return e;
	q->done = 0;
	q->ib[q->depth - 1].pos += words;
	return leave_ended(q);
}
