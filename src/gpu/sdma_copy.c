/* SPDX-License-Identifier: MIT */
#include "gpu/sdma_copy.h"
#include "gpu/vmem.h"
#include "spec/sdma_v3.h"
#include "spec/sdma_v4.h"

/* Rows of a rectangle in one section, however short they are. */
#define RECT_ROWS 2048

/* What is this short stays in the cache, where its reader will look for it: it goes in pieces as long
 * as their copy does not bypass the cache, see copy_x86.h. */
#define CACHED_TOTAL VKF_MIB(2)
#define CACHED_PIECE VKF_KIB(512)

/* How much of what is left of @total to move at once. */
static uint64_t piece(const struct gpu_queue *q, uint64_t total)
{
	uint64_t most = total < CACHED_TOTAL ? CACHED_PIECE : GPU_CHUNK_BYTES;

	return VKF_MIN(total - q->done, most);
}

/* The bytes that a count says. */
static uint64_t total_bytes(const struct gpu_queue *q, uint32_t count)
{
	return (uint64_t)(count & q->dialect->bytes_mask) + q->dialect->count_less;
}

/* Account for a piece of @n out of @total. */
static int piece_done(struct gpu_queue *q, uint64_t n, uint64_t total)
{
	q->done += n;
	q->trace_bytes += n;
	return q->done < total ? -EINPROGRESS : 0;
}

int gpu_sdma_copy_linear(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			 const uint32_t *p)
{
	uint64_t src = sdma_v4_copy_get_src(p), dst = sdma_v4_copy_get_dst(p);
	uint64_t total = total_bytes(q, sdma_v4_copy_get_count(p));
	uint64_t n = piece(q, total);
	uint64_t at = q->done;
	int e;

	if (sdma_v4_copy_get_broadcast(p)) {
		n = VKF_MIN(n, GPU_CHUNK_BYTES / 2);
		e = gpu_vmem_copy(w, q->gpu, dst + at, src + at, n);
		if (!e)
			e = gpu_vmem_copy(w, q->gpu, sdma_v4_broadcast_get_dst2(p) + at, src + at,
					  n);
		return e ? e : piece_done(q, n, total);
	}
	if (gpu_vmem_copies_down(dst, src, total))
		at = total - q->done - n;
	e = gpu_vmem_copy(w, q->gpu, dst + at, src + at, n);
	return e ? e : piece_done(q, n, total);
}

/* struct rect_side - one side of a rectangle copy, in bytes */
struct rect_side {
	uint64_t base; /* of its first row */
	uint64_t pitch, slice;
};

static struct rect_side rect_side(uint64_t va, unsigned int element, const uint64_t offset[3],
				  uint64_t pitch, uint64_t slice)
{
	uint64_t first = offset[0] + offset[1] * pitch + offset[2] * slice;

	return (struct rect_side){ va + (first << element), pitch << element, slice << element };
}

/* struct rect - a decoded rectangle: a byte is (x, row, slice), counted in that order */
struct rect {
	struct rect_side src, dst;
	uint64_t width, rows, slices;
};

static struct rect rect_decode(const struct gpu_queue *q, const uint32_t *p)
{
	bool narrow = q->dialect->narrow_pitch;
	uint32_t src_pitch = narrow ? sdma_v3_rect_get_src_pitch(p) : sdma_v4_rect_get_src_pitch(p);
	uint32_t dst_pitch = narrow ? sdma_v3_rect_get_dst_pitch(p) : sdma_v4_rect_get_dst_pitch(p);
	unsigned int element = sdma_v4_rect_get_element(p);
	const uint64_t src[3] = { sdma_v4_rect_get_src_x(p), sdma_v4_rect_get_src_y(p),
				  sdma_v4_rect_get_src_z(p) };
	const uint64_t dst[3] = { sdma_v4_rect_get_dst_x(p), sdma_v4_rect_get_dst_y(p),
				  sdma_v4_rect_get_dst_z(p) };

	return (struct rect){
		.src = rect_side(sdma_v4_rect_get_src(p), element, src, (uint64_t)src_pitch + 1,
				 (uint64_t)sdma_v4_rect_get_src_slice(p) + 1),
		.dst = rect_side(sdma_v4_rect_get_dst(p), element, dst, (uint64_t)dst_pitch + 1,
				 (uint64_t)sdma_v4_rect_get_dst_slice(p) + 1),
		.width = ((uint64_t)sdma_v4_rect_get_rect_x(p) + 1) << element,
		.rows = (uint64_t)sdma_v4_rect_get_rect_y(p) + 1,
		.slices = (uint64_t)sdma_v4_rect_get_rect_z(p) + 1,
	};
}

static uint64_t side_va(const struct rect_side *side, uint64_t x, uint64_t row, uint64_t slice)
{
	return side->base + x + row * side->pitch + slice * side->slice;
}

int gpu_sdma_copy_rect(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		       const uint32_t *p)
{
	struct rect r = rect_decode(q, p);
	uint64_t total = r.width * r.rows * r.slices;
	uint64_t budget = VKF_MIN(total - q->done, GPU_CHUNK_BYTES), moved = 0;
	unsigned int rows;

	for (rows = 0; moved < budget && rows < RECT_ROWS; rows++) {
		uint64_t at = q->done + moved;
		uint64_t x = at % r.width, row = at / r.width % r.rows;
		uint64_t slice = at / r.width / r.rows;
		uint64_t n = VKF_MIN(r.width - x, budget - moved);
		int e = gpu_vmem_copy(w, q->gpu, side_va(&r.dst, x, row, slice),
				      side_va(&r.src, x, row, slice), n);

		if (e)
			return e;
		moved += n;
	}
	return piece_done(q, moved, total);
}

uint64_t gpu_sdma_write_words(const struct gpu_queue *q, const uint32_t *p)
{
	return (uint64_t)(p[SDMA_V4_WRITE_WORDS - 1] & q->dialect->words_mask) +
	       q->dialect->count_less;
}

/* Words that another processor polls arrive whole, as they would from the hardware. */
static int write_small(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		       uint64_t dst, unsigned int words)
{
	uint32_t data[2];
	int e = gpu_stream_read(w, s, SDMA_V4_WRITE_WORDS, data, words);

	if (e)
		return e;
	if (words == 1)
		return gpu_vmem_store32(w, q->gpu, dst, data[0]);
	return gpu_vmem_store64(w, q->gpu, dst, data[0] | (uint64_t)data[1] << 32);
}

int gpu_sdma_write_linear(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
			  const uint32_t *p)
{
	uint64_t dst = sdma_v4_write_get_dst(p);
	uint64_t total = gpu_sdma_write_words(q, p) * 4;
	uint64_t n = VKF_MIN(total - q->done, GPU_CHUNK_BYTES);
	int e;

	if (!total)
		return 0;
	if (total <= 8 && VKF_IS_ALIGNED(dst, total))
		e = write_small(w, q, s, dst, (unsigned int)total / 4);
	else
		e = gpu_stream_copy_out(w, s, SDMA_V4_WRITE_WORDS * 4 + q->done, dst + q->done, n);
	return e ? e : piece_done(q, n, total);
}

/* struct fill - a decoded CONST_FILL: @word is what every aligned word becomes */
struct fill {
	uint64_t dst, total;
	uint32_t word, element; /* bytes of an element */
};

static int fill_decode(struct gpu_worker *w, const struct gpu_queue *q, const uint32_t *p,
		       struct fill *ret)
{
	uint32_t data = sdma_v4_fill_get_data(p);
	struct fill f = { .dst = sdma_v4_fill_get_dst(p) };

	switch (sdma_v4_fill_get_size(p)) {
	case SDMA_V4_FILL_BYTE:
		f.element = 1;
		f.word = (data & 0xff) * 0x01010101u;
		break;
	case SDMA_V4_FILL_SHORT:
		f.element = 2;
		f.word = (data & 0xffff) * 0x00010001u;
		break;
	case SDMA_V4_FILL_DWORD:
		f.element = 4;
		f.word = data;
		break;
	default:
		return gpu_bad(w, p[0], SDMA_V4_OP_CONST_FILL, 0);
	}
	/* The count names any byte of the last element. */
	f.total = VKF_ALIGN_UP(total_bytes(q, sdma_v4_fill_get_count(p)), (uint64_t)f.element);
	if (!VKF_IS_ALIGNED(f.dst, (uint64_t)f.element))
		return gpu_bad(w, p[0], SDMA_V4_OP_CONST_FILL, 0);
	*ret = f;
	return 0;
}

/* A short at either end that fills no word with its neighbour is a piece of its own. */
static int fill_piece(struct gpu_worker *w, const struct gpu_queue *q, const struct fill *f,
		      uint64_t *ret_n)
{
	uint64_t va = f->dst + q->done, n = VKF_MIN(f->total - q->done, GPU_CHUNK_BYTES);

	if (f->element == 2 && (!VKF_IS_ALIGNED(va, (uint64_t)4) || n < 4)) {
		*ret_n = 2;
		return gpu_vmem_write(w, q->gpu, va, &f->word, 2);
	}
	if (f->element == 2)
		n = VKF_ALIGN_DOWN(n, (uint64_t)4);
	*ret_n = n;
	return gpu_vmem_fill(w, q->gpu, va, f->word, n);
}

int gpu_sdma_fill(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		  const uint32_t *p)
{
	struct fill f;
	uint64_t n;
	int e;

	e = fill_decode(w, q, p, &f);
	if (e || !f.total)
		return e;
	e = fill_piece(w, q, &f, &n);
	return e ? e : piece_done(q, n, f.total);
}

int gpu_sdma_ptepde(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		    const uint32_t *p)
{
	uint64_t count = (p[SDMA_V4_PTEPDE_WORDS - 1] & q->dialect->entries_mask) +
			 (uint64_t)q->dialect->count_less;
	uint64_t dst = sdma_v4_ptepde_get_dst(p), step = sdma_v4_ptepde_get_step(p);
	uint64_t n = VKF_MIN(count * 8 - q->done, (uint64_t)GPU_BOUNCE_BYTES), at;
	uint64_t entry = sdma_v4_ptepde_get_init(p) + q->done / 8 * step;
	int e;

	if (!VKF_IS_ALIGNED(dst, (uint64_t)8))
		return gpu_bad(w, p[0], SDMA_V4_OP_PTEPDE, 0);
	for (at = 0; at < n; at += 8, entry += step) {
		uint64_t word = entry | sdma_v4_ptepde_get_mask(p);

		memcpy(w->bounce + at, &word, 8);
	}
	e = gpu_vmem_write(w, q->gpu, dst + q->done, w->bounce, n);
	return e ? e : piece_done(q, n, count * 8);
}
