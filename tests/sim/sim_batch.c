/* SPDX-License-Identifier: MIT */
/**
 * DOC: Packets of every kind, and what they must have done
 *
 * A batch works on a window in each of a few buffers that nothing else uses. Each
 * packet is written into a ring and, in the program's own words, done to copies of the
 * windows; when the queue has come to the end of the batch, memory must be what the
 * copies are, byte for byte, however often it was evicted, stopped or moved meanwhile.
 * At both ends of a window are bytes that no packet names.
 */
#include "sim_random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "spec/pm4.h"
#include "spec/sdma_v4.h"
#include "spec/tc_op.h"

#define GUARD       UINT64_C(16)
#define MIN_BYTES   128
#define MAX_BYTES   2048
#define MAX_PACKETS 10
#define MAX_WORDS   40 /* of one packet */

struct window {
	struct prog_buf *b;
	uint64_t at, len;
	unsigned char *bytes; /* what is to be there */
};

struct prog_batch {
	unsigned int n;
	struct window w[3];
};

/* struct packet - one that is being made */
struct packet {
	struct prog *pr;
	struct prog_batch *batch;
	uint32_t words[MAX_WORDS];
	unsigned int n;
	bool silent; /* it is to be skipped: do nothing to the copies */
};

/* struct place - @len bytes inside a window */
struct place {
	struct window *w;
	uint64_t off, len;
};

static uint64_t place_va(const struct place *p)
{
	return p->w->b->va + p->w->at + p->off;
}

static unsigned char *place_bytes(const struct place *p)
{
	return p->w->bytes + p->off;
}

/* @len bytes somewhere, at a multiple of @align from the start of a buffer. */
static struct place any_place(struct packet *p, uint64_t len, uint64_t align)
{
	struct window *w = &p->batch->w[prog_dice(p->pr, p->batch->n)];
	uint64_t room = w->len - 2 * GUARD - len;
	uint64_t off = GUARD + prog_dice(p->pr, room + 1);

	return (struct place){ w, VKF_MAX(VKF_ALIGN_DOWN(off, align), GUARD), len };
}

static uint64_t any_length(struct packet *p, uint64_t align)
{
	uint64_t most = MAX_BYTES, len;

	for (unsigned int i = 0; i < p->batch->n; i++)
		most = VKF_MIN(most, p->batch->w[i].len - 2 * GUARD);
	len = 1 + prog_dice(p->pr, most);
	return VKF_MAX(VKF_ALIGN_DOWN(len, align), align);
}

static uint32_t any_word(struct packet *p)
{
	return (uint32_t)prog_dice(p->pr, UINT64_C(1) << 32);
}

/* ------------------------------------------------ what packets do */

static void put_bytes(const struct packet *p, const struct place *to, const void *from)
{
	if (!p->silent)
		memmove(place_bytes(to), from, to->len);
}

static void put_words(const struct packet *p, const struct place *to, uint32_t word)
{
	for (uint64_t i = 0; !p->silent && i < to->len; i += 4)
		memcpy(place_bytes(to) + i, &word, VKF_MIN(UINT64_C(4), to->len - i));
}

/* The operations of which the result needs no table. */
static const uint32_t atomic_kinds[] = { TC_OP_SWAP, TC_OP_CMPSWAP, TC_OP_ADD, TC_OP_SUB,
					 TC_OP_AND,  TC_OP_OR,      TC_OP_XOR };

static uint64_t atomic_result(uint32_t kind, uint64_t old, uint64_t src, uint64_t cmp)
{
	switch (kind) {
	case TC_OP_CMPSWAP:
		return old == cmp ? src : old;
	case TC_OP_ADD:
		return old + src;
	case TC_OP_SUB:
		return old - src;
	case TC_OP_AND:
		return old & src;
	case TC_OP_OR:
		return old | src;
	case TC_OP_XOR:
		return old ^ src;
	default:
		return src;
	}
}

/* struct atomic - one that is being made: its operands, and where */
struct atomic {
	uint32_t op;
	struct place to;
	uint64_t src, cmp;
};

static struct atomic any_atomic(struct packet *p)
{
	uint32_t kind = atomic_kinds[prog_dice(p->pr, VKF_ARRAY_SIZE(atomic_kinds))];
	uint64_t bytes = prog_once_in(p->pr, 2) ? 8 : 4, old = 0;
	struct atomic a = {
		.op = kind | (bytes == 8 ? TC_OP_WIDE_MASK : 0),
		.to = any_place(p, bytes, bytes),
		.src = any_word(p),
	};

	memcpy(&old, place_bytes(&a.to), bytes);
	a.cmp = prog_once_in(p->pr, 2) ? old : any_word(p);
	old = atomic_result(kind, old, a.src, a.cmp);
	put_bytes(p, &a.to, &old);
	return a;
}

/* Two places of the same length, which may overlap: then it is as if the source was read first. */
static void any_copy(struct packet *p, struct place *ret_dst, struct place *ret_src)
{
	uint64_t len = any_length(p, 1);

	*ret_dst = any_place(p, len, 1);
	*ret_src = any_place(p, len, 1);
	put_bytes(p, ret_dst, place_bytes(ret_src));
}

/* ------------------------------------------------ SDMA */

static void sdma_copy(struct packet *p)
{
	struct place dst, src;

	any_copy(p, &dst, &src);
	p->n = prog_copy_packet(p->words, place_va(&dst), place_va(&src), dst.len);
}

static void sdma_fill(struct packet *p)
{
	struct place dst = any_place(p, any_length(p, 4), 4);

	sdma_v4_header_set_op(p->words, SDMA_V4_OP_CONST_FILL);
	sdma_v4_fill_set_size(p->words, SDMA_V4_FILL_DWORD);
	sdma_v4_fill_set_dst(p->words, place_va(&dst));
	sdma_v4_fill_set_data(p->words, any_word(p));
	sdma_v4_fill_set_count(p->words, (uint32_t)dst.len - 1);
	put_words(p, &dst, (uint32_t)sdma_v4_fill_get_data(p->words));
	p->n = SDMA_V4_FILL_WORDS;
}

static void sdma_write(struct packet *p)
{
	uint32_t n = 1 + (uint32_t)prog_dice(p->pr, 8);
	struct place dst = any_place(p, n * 4, 4);

	sdma_v4_header_set_op(p->words, SDMA_V4_OP_WRITE);
	sdma_v4_write_set_dst(p->words, place_va(&dst));
	sdma_v4_write_set_count(p->words, n - 1);
	p->n = SDMA_V4_WRITE_WORDS;
	for (uint32_t i = 0; i < n; i++)
		p->words[p->n++] = any_word(p);
	put_bytes(p, &dst, p->words + SDMA_V4_WRITE_WORDS);
}

static void sdma_fence(struct packet *p)
{
	struct place dst = any_place(p, 4, 4);

	sdma_v4_header_set_op(p->words, SDMA_V4_OP_FENCE);
	sdma_v4_fence_set_addr(p->words, place_va(&dst));
	sdma_v4_fence_set_data(p->words, any_word(p));
	put_words(p, &dst, (uint32_t)sdma_v4_fence_get_data(p->words));
	p->n = SDMA_V4_FENCE_WORDS;
}

static void sdma_atomic(struct packet *p)
{
	struct atomic a = any_atomic(p);

	sdma_v4_header_set_op(p->words, SDMA_V4_OP_ATOMIC);
	sdma_v4_atomic_set_op(p->words, a.op);
	sdma_v4_atomic_set_addr(p->words, place_va(&a.to));
	sdma_v4_atomic_set_data(p->words, a.src);
	sdma_v4_atomic_set_cmp(p->words, a.cmp);
	p->n = SDMA_V4_ATOMIC_WORDS;
}

/* Some rows of bytes from one window into another, each side with a pitch of its own. */
static void sdma_rect(struct packet *p)
{
	uint32_t width = 1 + (uint32_t)prog_dice(p->pr, 16),
		 rows = 1 + (uint32_t)prog_dice(p->pr, 3);
	uint32_t pitch[2] = { width + (uint32_t)prog_dice(p->pr, 12),
			      width + (uint32_t)prog_dice(p->pr, 12) };
	struct place dst = any_place(p, pitch[0] * rows, 1), src = any_place(p, pitch[1] * rows, 1);
	unsigned char was[MAX_BYTES];

	/* Where the two overlap, rows would depend on one another. */
	if (dst.w->b == src.w->b)
		return;
	sdma_v4_header_set_op(p->words, SDMA_V4_OP_COPY);
	sdma_v4_header_set_sub_op(p->words, SDMA_V4_SUB_COPY_RECT);
	sdma_v4_rect_set_src(p->words, place_va(&src));
	sdma_v4_rect_set_dst(p->words, place_va(&dst));
	sdma_v4_rect_set_src_pitch(p->words, pitch[1] - 1);
	sdma_v4_rect_set_dst_pitch(p->words, pitch[0] - 1);
	sdma_v4_rect_set_rect_x(p->words, width - 1);
	sdma_v4_rect_set_rect_y(p->words, rows - 1);
	p->n = SDMA_V4_RECT_WORDS;
	memcpy(was, place_bytes(&src), src.len);
	for (uint32_t i = 0; !p->silent && i < rows; i++)
		memcpy(place_bytes(&dst) + i * pitch[0], was + i * pitch[1], width);
}

static void sdma_nop(struct packet *p)
{
	uint32_t n = (uint32_t)prog_dice(p->pr, 6);

	sdma_v4_header_set_op(p->words, SDMA_V4_OP_NOP);
	sdma_v4_nop_set_count(p->words, n);
	for (p->n = SDMA_V4_NOP_WORDS; p->n < SDMA_V4_NOP_WORDS + n; p->n++)
		p->words[p->n] = any_word(p);
}

/* Look at a word of memory, and skip @count words if it is not the right one. Return: whether so.
 */
static bool sdma_condition(struct packet *p, uint32_t count)
{
	struct place at = any_place(p, 4, 4);
	uint32_t now;

	memcpy(&now, place_bytes(&at), 4);
	sdma_v4_header_set_op(p->words, SDMA_V4_OP_COND_EXE);
	sdma_v4_cond_exe_set_addr(p->words, place_va(&at));
	sdma_v4_cond_exe_set_reference(p->words, prog_once_in(p->pr, 2) ? now : any_word(p));
	sdma_v4_cond_exe_set_count(p->words, count);
	p->n = SDMA_V4_COND_EXE_WORDS;
	return sdma_v4_cond_exe_get_reference(p->words) != now;
}

/* ------------------------------------------------ PM4 */

static void pm4_begin(struct packet *p, uint32_t op, unsigned int words)
{
	pm4_header_set_type(p->words, PM4_TYPE_3);
	pm4_header_set_op(p->words, op);
	pm4_header_set_count(p->words, words - 2);
	p->n = words;
}

static void pm4_write(struct packet *p)
{
	uint32_t n = 1 + (uint32_t)prog_dice(p->pr, 8);
	struct place dst = any_place(p, n * 4, 4);

	pm4_begin(p, PM4_OP_WRITE_DATA, PM4_WRITE_DATA_WORDS + n);
	pm4_write_data_set_dst_sel(p->words, PM4_SEL_MEMORY);
	pm4_write_data_set_dst(p->words, place_va(&dst));
	for (uint32_t i = 0; i < n; i++)
		p->words[PM4_WRITE_DATA_WORDS + i] = any_word(p);
	put_bytes(p, &dst, p->words + PM4_WRITE_DATA_WORDS);
}

static void pm4_copy_word(struct packet *p)
{
	uint64_t len = prog_once_in(p->pr, 2) ? 8 : 4;
	struct place dst = any_place(p, len, len), src = any_place(p, len, len);

	pm4_begin(p, PM4_OP_COPY_DATA, PM4_COPY_DATA_WORDS);
	pm4_copy_data_set_src_sel(p->words, PM4_SEL_L2);
	pm4_copy_data_set_dst_sel(p->words, PM4_SEL_MEMORY);
	pm4_copy_data_set_wide(p->words, len == 8);
	pm4_copy_data_set_src(p->words, place_va(&src));
	pm4_copy_data_set_dst(p->words, place_va(&dst));
	put_bytes(p, &dst, place_bytes(&src));
}

static void pm4_dma(struct packet *p)
{
	struct place dst, src;

	any_copy(p, &dst, &src);
	pm4_begin(p, PM4_OP_DMA_DATA, PM4_DMA_DATA_WORDS);
	pm4_dma_data_set_src(p->words, place_va(&src));
	pm4_dma_data_set_dst(p->words, place_va(&dst));
	pm4_dma_data_set_count(p->words, (uint32_t)dst.len);
}

static void pm4_dma_fill(struct packet *p)
{
	struct place dst = any_place(p, any_length(p, 4), 4);
	uint32_t word = any_word(p);

	pm4_begin(p, PM4_OP_DMA_DATA, PM4_DMA_DATA_WORDS);
	pm4_dma_data_set_src_sel(p->words, PM4_DMA_DATA);
	pm4_dma_data_set_src(p->words, word);
	pm4_dma_data_set_dst(p->words, place_va(&dst));
	pm4_dma_data_set_count(p->words, (uint32_t)dst.len);
	put_words(p, &dst, word);
}

static void pm4_atomic(struct packet *p)
{
	struct atomic a = any_atomic(p);

	pm4_begin(p, PM4_OP_ATOMIC_MEM, PM4_ATOMIC_MEM_WORDS);
	pm4_atomic_mem_set_op(p->words, a.op);
	pm4_atomic_mem_set_addr(p->words, place_va(&a.to));
	pm4_atomic_mem_set_data(p->words, a.src);
	pm4_atomic_mem_set_compare(p->words, a.cmp);
}

static void pm4_release(struct packet *p)
{
	uint64_t len = prog_once_in(p->pr, 2) ? 8 : 4;
	struct place dst = any_place(p, len, len);
	uint64_t value = any_word(p) | (uint64_t)any_word(p) << 32;

	pm4_begin(p, PM4_OP_RELEASE_MEM, PM4_RELEASE_MEM_WORDS);
	pm4_release_mem_set_data_sel(p->words, len == 8 ? PM4_DATA_64 : PM4_DATA_32);
	pm4_release_mem_set_addr(p->words, place_va(&dst));
	pm4_release_mem_set_data(p->words, value);
	put_bytes(p, &dst, &value);
}

static void pm4_nop(struct packet *p)
{
	unsigned int n = 2 + (unsigned int)prog_dice(p->pr, 6);

	pm4_begin(p, PM4_OP_NOP, n);
	for (unsigned int i = 1; i < n; i++)
		p->words[i] = any_word(p);
}

static bool pm4_condition(struct packet *p, uint32_t count)
{
	struct place at = any_place(p, 4, 4);
	uint32_t now;

	memcpy(&now, place_bytes(&at), 4);
	pm4_begin(p, PM4_OP_COND_EXEC, PM4_COND_EXEC_WORDS);
	pm4_cond_exec_set_addr(p->words, place_va(&at));
	pm4_cond_exec_set_count(p->words, count);
	return now == 0;
}

/* ------------------------------------------------ a batch */

typedef void (*packet_fn)(struct packet *p);

static const packet_fn sdma_packets[] = { sdma_copy,   sdma_copy, sdma_fill, sdma_write,
					  sdma_atomic, sdma_rect, sdma_nop,  sdma_fence };
static const packet_fn pm4_packets[] = { pm4_write,  pm4_copy_word, pm4_dma, pm4_dma_fill,
					 pm4_atomic, pm4_release,   pm4_nop };

void prog_batch_free(struct prog_batch *batch)
{
	if (!batch)
		return;
	for (unsigned int i = 0; i < batch->n; i++) {
		batch->w[i].b->writers--;
		free(batch->w[i].bytes);
	}
	free(batch);
}

/* Around the end of a page, if there are several: that is where the pieces of a packet meet. */
static uint64_t window_start(struct prog *pr, uint64_t size, uint64_t len)
{
	uint64_t last = size - len, pages = size / VKF_PAGE_SIZE;

	if (pages > 1 && prog_once_in(pr, 2))
		return VKF_PAGE_SIZE * (1 + prog_dice(pr, pages - 1)) -
		       VKF_ALIGN_DOWN(prog_dice(pr, len), UINT64_C(8));
	return VKF_ALIGN_DOWN(prog_dice(pr, last + 1), UINT64_C(8));
}

static void take_window(struct prog *pr, struct prog_batch *batch, struct prog_buf *b)
{
	struct window *w = &batch->w[batch->n++];
	uint64_t at;

	w->b = b;
	w->len = MIN_BYTES + 8 * prog_dice(pr, (MAX_BYTES - MIN_BYTES) / 8 + 1);
	at = window_start(pr, b->size, w->len);
	w->at = VKF_MIN(at, b->size - w->len);
	w->bytes = malloc(w->len);
	VKF_ASSERT(w->bytes);
	prog_fill_range(pr, b, w->at, w->len);
	memcpy(w->bytes, b->cpu + w->at, w->len);
	b->writers++;
}

/* The windows, in buffers that the queue may write and nobody uses; NULL when there is none. */
static struct prog_batch *new_batch(struct prog *pr, const struct prog_queue *q)
{
	struct prog_batch *batch = calloc(1, sizeof(*batch));
	unsigned int start = (unsigned int)prog_dice(pr, PROG_BUFS);
	unsigned int most = 1 + (unsigned int)prog_dice(pr, VKF_ARRAY_SIZE(batch->w));

	VKF_ASSERT(batch);
	for (unsigned int i = 0; i < PROG_BUFS && batch->n < most; i++) {
		struct prog_buf *b = &pr->bufs[(start + i) % PROG_BUFS];

		if (prog_sees(q->gpu, b) && b->writable && !b->aql && prog_is_idle(b))
			take_window(pr, batch, b);
	}
	if (batch->n)
		return batch;
	free(batch);
	return NULL;
}

static void make_packet(struct packet *p, bool sdma)
{
	memset(p->words, 0, sizeof(p->words));
	p->n = 0;
	if (sdma)
		sdma_packets[prog_dice(p->pr, VKF_ARRAY_SIZE(sdma_packets))](p);
	else
		pm4_packets[prog_dice(p->pr, VKF_ARRAY_SIZE(pm4_packets))](p);
}

/* A packet under a condition: the condition goes first, but must know how long the packet is. */
static unsigned int add_conditional(struct packet *p, bool sdma, uint32_t *words)
{
	struct packet condition = { .pr = p->pr, .batch = p->batch };

	/* What the condition sees is what is there before the packet. */
	p->silent = sdma ? sdma_condition(&condition, 0) : pm4_condition(&condition, 0);
	make_packet(p, sdma);
	p->silent = false;
	if (sdma)
		sdma_v4_cond_exe_set_count(condition.words, p->n);
	else
		pm4_cond_exec_set_count(condition.words, p->n);
	memcpy(words, condition.words, condition.n * 4);
	memcpy(words + condition.n, p->words, p->n * 4);
	return condition.n + p->n;
}

/* Return: false when the queue takes no more. */
static bool put_packet(struct prog *pr, struct prog_queue *q, struct prog_batch *batch)
{
	struct packet p = { .pr = pr, .batch = batch };
	uint32_t words[2 * MAX_WORDS];
	bool sdma = prog_is_sdma(q);
	unsigned int n;

	if (prog_once_in(pr, 5)) {
		n = add_conditional(&p, sdma, words);
	} else {
		make_packet(&p, sdma);
		memcpy(words, p.words, p.n * 4);
		n = p.n;
	}
	if (n && !prog_put_words(pr, q, words, n))
		return false;
	if (prog_once_in(pr, 3))
		prog_ring(pr, q);
	return true;
}

static bool put_packets(struct prog *pr, struct prog_queue *q, struct prog_flight *f)
{
	unsigned int n = 1 + (unsigned int)prog_dice(pr, MAX_PACKETS);

	for (unsigned int i = 0; i < n; i++) {
		if (!put_packet(pr, q, f->batch))
			return false;
	}
	return prog_put_completion(pr, q, f->signal);
}

/* The queue waits in front of it, until somebody asks whether it is done. */
static bool maybe_hold(struct prog *pr, struct prog_queue *q, struct prog_flight *f)
{
	if (!prog_is_sdma(q) || !prog_once_in(pr, 4))
		return true;
	f->held = PROG_FLIGHTS + f->signal;
	return prog_hold(pr, q, f->held, 1);
}

static void trace_batch(struct prog *pr, const struct prog_queue *q, const struct prog_batch *batch)
{
	for (unsigned int i = 0; i < batch->n; i++)
		msim_trace(pr->m, "batch on queue %u: %" PRIx64 ", %" PRIu64 " bytes", q->id,
			   batch->w[i].b->va + batch->w[i].at, batch->w[i].len);
}

void prog_do_batch(struct prog *pr)
{
	struct prog_queue *q = prog_any_queue(pr, prog_once_in(pr, 3) ? PROG_PM4 : PROG_SDMA);
	struct prog_batch *batch = q ? new_batch(pr, q) : NULL;
	struct prog_flight *f = batch ? prog_take_flight(pr, q) : NULL;

	if (!f) {
		prog_batch_free(batch);
		return;
	}
	f->batch = batch;
	if (!maybe_hold(pr, q, f) || !put_packets(pr, q, f)) {
		prog_forget_flight(f);
		return;
	}
	pr->m->n.batches++;
	trace_batch(pr, q, batch);
	prog_ring(pr, q);
	if (prog_once_in(pr, 3))
		prog_land(pr, f);
}

void prog_batch_landed(struct prog *pr, struct prog_batch *batch)
{
	for (unsigned int i = 0; i < batch->n; i++) {
		struct window *w = &batch->w[i];

		prog_know_bytes(w->b, w->at, w->bytes, w->len);
		prog_verify(pr, w->b);
	}
}

void prog_batch_lost(struct prog_batch *batch)
{
	for (unsigned int i = 0; i < batch->n; i++)
		prog_forget(batch->w[i].b);
}

void prog_batch_refill(struct prog *pr, struct prog_batch *batch)
{
	for (unsigned int i = 0; i < batch->n; i++)
		prog_fill_range(pr, batch->w[i].b, batch->w[i].at, batch->w[i].len);
}
