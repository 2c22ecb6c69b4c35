/* SPDX-License-Identifier: MIT */
#include "gpu/pm4.h"
#include "gpu/compare.h"
#include "gpu/dispatch.h"
#include "gpu/pm4_data.h"
#include "gpu/pm4_sync.h"
#include "gpu/regs.h"
#include "gpu/vmem.h"
#include "spec/pm4.h"

typedef int (*pm4_run_fn)(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);

/* A packet that goes on behind what is there yet: the rest of a ring will come if it has room,
 * beside the word that keeps a full ring apart from an empty one. */
static int cut_short(struct gpu_worker *w, const struct gpu_pm4_packet *packet, uint64_t words)
{
	return packet->s.wrap && words * 4 < packet->s.wrap ? -ENODATA : gpu_pm4_bad(w, packet->p);
}

static int run_nothing(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	return 0;
}

/* Take up a buffer: a chained one instead of the one that names it, else on top of it. */
static int enter(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet,
		 const struct gpu_ib *ib, bool chain)
{
	if (!ib->words)
		return 0;
	if (chain ? !q->depth : q->depth == GPU_IB_DEPTH)
		return gpu_pm4_bad(w, packet->p);
	if (!chain) {
		if (q->depth)
			q->ib[q->depth - 1].pos += packet->words;
		else
			q->call_words = packet->words;
		q->depth++;
	}
	q->ib[q->depth - 1] = *ib;
	return -EINPROGRESS;
}

/* One buffer if the comparison holds; another, or none, if it does not. */
static int run_cond_indirect(struct gpu_worker *w, struct gpu_queue *q,
			     struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	const struct gpu_ib then = { .va = GPU_PM4_ADDR32(pm4_cond_ib_get_base1(p)),
				     .words = pm4_cond_ib_get_size1(p) };
	const struct gpu_ib otherwise = { .va = GPU_PM4_ADDR32(pm4_cond_ib_get_base2(p)),
					  .words = pm4_cond_ib_get_size2(p) };
	uint32_t mode = pm4_cond_ib_get_mode(p);
	uint64_t value;
	int e;

	if ((mode != PM4_COND_IB_THEN && mode != PM4_COND_IB_THEN_ELSE) ||
	    pm4_cond_ib_get_func(p) >= GPU_COMPARE_FUNCS)
		return gpu_pm4_bad(w, p);
	e = gpu_vmem_load64(w, q->gpu, GPU_PM4_ADDR64(pm4_cond_ib_get_addr(p)), &value);
	if (e)
		return e;
	if (gpu_compare(pm4_cond_ib_get_func(p), value & pm4_cond_ib_get_mask(p),
			pm4_cond_ib_get_ref(p)))
		return enter(w, q, packet, &then, false);
	return mode == PM4_COND_IB_THEN ? 0 : enter(w, q, packet, &otherwise, false);
}

/* Two packets of one number: the longer one asks first. */
static int run_indirect(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const struct gpu_ib ib = { .va = GPU_PM4_ADDR32(pm4_ib_get_base(packet->p)),
				   .words = pm4_ib_get_size(packet->p) };
	int e;

	if (packet->words < PM4_COND_IB_WORDS)
		return enter(w, q, packet, &ib, pm4_ib_get_chain(packet->p));
	e = gpu_stream_read(w, &packet->s, PM4_IB_WORDS, packet->p + PM4_IB_WORDS,
			    PM4_COND_IB_WORDS - PM4_IB_WORDS);
	return e ? e : run_cond_indirect(w, q, packet);
}

/* @count words behind the packet belong to it, and are not run. */
static int skip(struct gpu_worker *w, struct gpu_pm4_packet *packet, uint32_t count)
{
	uint32_t words = packet->words + count;

	if (words > packet->s.avail / 4)
		return cut_short(w, packet, words);
	packet->words = words;
	return 0;
}

static int run_cond_exec(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	uint32_t value;
	int e = gpu_vmem_load32(w, q->gpu, GPU_PM4_ADDR32(pm4_cond_exec_get_addr(packet->p)),
				&value);

	if (e || value)
		return e;
	return skip(w, packet, pm4_cond_exec_get_count(packet->p));
}

/* What is for other XCCs only belongs to this packet. */
static int run_pred_exec(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	if (pm4_pred_exec_get_xcc(packet->p) & 1)
		return 0;
	return skip(w, packet, pm4_pred_exec_get_count(packet->p));
}

static int set_registers(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet,
			 uint32_t first)
{
	uint32_t n = packet->words - PM4_SET_REG_WORDS;
	uint32_t *regs = gpu_reg_range(w, q, first + pm4_set_reg_get_reg(packet->p), n);

	if (!regs)
		return gpu_pm4_bad(w, packet->p);
	return gpu_stream_read(w, &packet->s, PM4_SET_REG_WORDS, regs, n);
}

/* Of the driver's registers, which say what compute units a queue may use, only what it allows. */
static int run_set_sh_reg_index(struct gpu_worker *w, struct gpu_queue *q,
				struct gpu_pm4_packet *packet)
{
	uint32_t n = packet->words - PM4_SET_REG_WORDS, index = pm4_set_reg_get_index(packet->p);
	uint32_t first = PM4_REG_SH + pm4_set_reg_get_reg(packet->p);
	int e;

	if (index != PM4_SET_DEFAULT && index != PM4_SET_AND_CU_MASK)
		return gpu_pm4_bad(w, packet->p);
	e = set_registers(w, q, packet, PM4_REG_SH);
	if (!e && index == PM4_SET_AND_CU_MASK)
		gpu_regs_mask(q, first, n);
	return e;
}

static int run_set_sh_reg(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	return set_registers(w, q, packet, PM4_REG_SH);
}

static int run_set_uconfig_reg(struct gpu_worker *w, struct gpu_queue *q,
			       struct gpu_pm4_packet *packet)
{
	return set_registers(w, q, packet, PM4_REG_UCONFIG);
}

static int dispatch(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p,
		    const uint32_t grid[3], uint32_t initiator)
{
	const struct gpu_dispatch d = {
		.word = p[0],
		.opcode = pm4_header_get_op(p),
		.grid = { grid[0], grid[1], grid[2] },
		.in_threads = pm4_initiator_get_in_threads(&initiator),
	};

	return gpu_dispatch(w, q, &d);
}

static int run_dispatch(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	const uint32_t grid[3] = { pm4_dispatch_get_x(p), pm4_dispatch_get_y(p),
				   pm4_dispatch_get_z(p) };

	return dispatch(w, q, p, grid, pm4_dispatch_get_initiator(p));
}

static int run_dispatch_indirect(struct gpu_worker *w, struct gpu_queue *q,
				 struct gpu_pm4_packet *packet)
{
	const uint32_t *p = packet->p;
	uint32_t grid[3];
	int e = gpu_vmem_read(w, q->gpu, GPU_PM4_ADDR32(pm4_dispatch_indirect_get_addr(p)), grid,
			      sizeof(grid));

	return e ? e : dispatch(w, q, p, grid, pm4_dispatch_indirect_get_initiator(p));
}

/* struct pm4_op - one packet that we know */
struct pm4_op {
	uint8_t op, words; /* what it has at least, the header included */
	pm4_run_fn run;
	bool gfx9; /* older chips do not know it */
};

static const struct pm4_op ops[] = {
	{ PM4_OP_NOP, 1, run_nothing },
	{ PM4_OP_DISPATCH_DIRECT, PM4_DISPATCH_WORDS, run_dispatch },
	{ PM4_OP_DISPATCH_INDIRECT, PM4_DISPATCH_INDIRECT_WORDS, run_dispatch_indirect },
	{ PM4_OP_ATOMIC_MEM, PM4_ATOMIC_MEM_WORDS, gpu_pm4_atomic_mem },
	{ PM4_OP_COND_EXEC, PM4_COND_EXEC_WORDS, run_cond_exec },
	{ PM4_OP_PRED_EXEC, PM4_PRED_EXEC_WORDS, run_pred_exec },
	{ PM4_OP_WRITE_DATA, PM4_WRITE_DATA_WORDS, gpu_pm4_write_data },
	{ PM4_OP_MEM_SEMAPHORE, PM4_SEMAPHORE_WORDS, gpu_pm4_semaphore, true },
	{ PM4_OP_WAIT_REG_MEM, PM4_WAIT_WORDS, gpu_pm4_wait },
	{ PM4_OP_INDIRECT_BUFFER, PM4_IB_WORDS, run_indirect },
	{ PM4_OP_COPY_DATA, PM4_COPY_DATA_WORDS, gpu_pm4_copy_data },
	{ PM4_OP_COND_WRITE, PM4_COND_WRITE_WORDS, gpu_pm4_cond_write },
	{ PM4_OP_EVENT_WRITE, PM4_EVENT_WRITE_WORDS, gpu_pm4_event_write },
	/* Its last word, which not all chips have, is read by itself. */
	{ PM4_OP_RELEASE_MEM, PM4_RELEASE_MEM_WORDS - 1, gpu_pm4_release_mem },
	{ PM4_OP_DMA_DATA, PM4_DMA_DATA_WORDS, gpu_pm4_dma_data },
	/* There is no cache to invalidate: every access sees the one copy in memory. */
	{ PM4_OP_ACQUIRE_MEM, PM4_ACQUIRE_MEM_WORDS, run_nothing },
	{ PM4_OP_REWIND, PM4_REWIND_WORDS, gpu_pm4_rewind },
	{ PM4_OP_PRIME_UTCL2, PM4_PRIME_UTCL2_WORDS, run_nothing, true },
	{ PM4_OP_SET_SH_REG, PM4_SET_REG_WORDS, run_set_sh_reg },
	{ PM4_OP_SET_UCONFIG_REG, PM4_SET_REG_WORDS, run_set_uconfig_reg },
	{ PM4_OP_WAIT_REG_MEM64, PM4_WAIT64_WORDS, gpu_pm4_wait64, true },
	{ PM4_OP_HDP_FLUSH, PM4_HDP_FLUSH_WORDS, run_nothing, true },
	{ PM4_OP_SET_SH_REG_INDEX, PM4_SET_REG_WORDS, run_set_sh_reg_index, true },
};

static const struct pm4_op *find_op(const struct gpu_queue *q, uint32_t op)
{
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(ops); i++) {
		if (ops[i].op == op)
			return ops[i].gfx9 && !q->dialect->gfx9_packets ? NULL : &ops[i];
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

static int fetch(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet,
		 pm4_run_fn *ret_run)
{
	uint64_t have = packet->s.avail / 4;
	uint32_t *p = packet->p;
	const struct pm4_op *op;
	int e;

	e = gpu_stream_read(w, &packet->s, 0, p, 1);
	if (e)
		return e;
	q->trace_op = pm4_header_get_op(p);
	if (pm4_header_get_type(p) == PM4_TYPE_2) {
		packet->words = 1;
		*ret_run = run_nothing;
		return 0;
	}
	op = pm4_header_get_type(p) == PM4_TYPE_3 ? find_op(q, pm4_header_get_op(p)) : NULL;
	packet->words = packet_words(p);
	if (!op || packet->words < op->words)
		return gpu_pm4_bad(w, p);
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
	struct gpu_pm4_packet packet = { .s = *s };
	pm4_run_fn run;
	int e;

	e = fetch(w, q, &packet, &run);
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
		return gpu_pm4_bad(w, p);
	q->ib[0] = (struct gpu_ib){ .va = GPU_PM4_ADDR32(pm4_ib_get_base(p)),
				    .words = pm4_ib_get_size(p) };
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
