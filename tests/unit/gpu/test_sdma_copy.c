/* SPDX-License-Identifier: MIT */
#include "packets.h"

#define OFF     FX_DATA
#define DST_OFF VKF_MIB(8)
#define SRC     FX_VA(OFF)
#define DST     FX_VA(DST_OFF)

static void test_linear_copies_its_bytes_and_no_more(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, OFF, 10000, 1);
	FX_SDMA(fx, S_COPY(SRC, DST + 3, 10000), S_COPY(SRC, DST + 0x10000, 1));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF + 3, 10000, 1);
	assert_int_equal(fx->arena[DST_OFF + 2], 0);
	assert_int_equal(fx->arena[DST_OFF + 3 + 10000], 0);
	fx_check_pattern(fx, DST_OFF + 0x10000, 1, 1);
	assert_int_equal(fx->arena[DST_OFF + 0x10001], 0);
	assert_int_equal(fx->ctrl->queue[0].rptr, 56);
}

static void test_a_long_copy_leaves_the_section_between_chunks(void **state)
{
	struct fixture *fx = *state;
	uint64_t before = fx->ctrl->worker[0].seq;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, OFF, VKF_MIB(5), 2);
	FX_SDMA(fx, S_COPY(SRC, DST, VKF_MIB(5)));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(5), 2);
	assert_int_equal(fx->copies, 5);
	assert_true(fx->section_max >= GPU_CHUNK_BYTES);
	assert_true(fx->ctrl->worker[0].seq >= before + 10);
}

static void test_overlapping_copies_of_any_length_are_moves(void **state)
{
	static const struct {
		int64_t shift;
		uint64_t len;
	} cases[] = {
		{ 64, 1000 },          { -64, 1000 },          { 4096, VKF_MIB(3) },
		{ -4096, VKF_MIB(3) }, { 100001, VKF_MIB(2) }, { -1, VKF_MIB(1) + 1 },
		{ 1, VKF_MIB(1) + 1 },
	};
	struct fixture *fx = *state;
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	for (i = 0; i < VKF_ARRAY_SIZE(cases); i++) {
		uint64_t off = VKF_MIB(2);

		fx_pattern(fx, off, cases[i].len, i);
		FX_SDMA(fx, S_COPY(FX_VA(off), FX_VA(off + cases[i].shift), cases[i].len));
		assert_int_equal(fx_run(fx), 0);
		fx_check_pattern(fx, off + cases[i].shift, cases[i].len, i);
	}
}

static void test_broadcast_writes_both_destinations(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, OFF, VKF_MIB(2), 3);
	FX_SDMA(fx, S_BROADCAST(SRC, DST, DST + VKF_MIB(3) + 5, VKF_MIB(2)));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(2), 3);
	fx_check_pattern(fx, DST_OFF + VKF_MIB(3) + 5, VKF_MIB(2), 3);
	assert_int_equal(fx->ctrl->queue[0].rptr, 36);
}

static void test_a_copy_takes_30_bits_of_count(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, OFF, VKF_MIB(6), 4);
	FX_SDMA(fx, S_COPY(SRC, DST, VKF_MIB(6)));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, VKF_MIB(6), 4);
}

static void test_a_copy_off_the_end_of_a_buffer_faults_there(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, FX_ARENA_BYTES - 8192, 8192, 1);
	FX_SDMA(fx, S_COPY(FX_VA(FX_ARENA_BYTES - 8192), DST, 8193));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_fault(fx, FX_VA(FX_ARENA_BYTES), GPU_FAULT_NOT_PRESENT);
	fx_check_pattern(fx, DST_OFF, 8192, 1);
	assert_int_equal(fx->ctrl->queue[0].rptr, 0);
}

static void test_a_copy_into_read_only_memory_faults(void **state)
{
	struct fixture *fx = *state;

	fx_map(fx, 0, DST + 0x3000, (DST_OFF + 0x3000) | GPU_BACKING_ARENA, FX_RO);
	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, OFF, 0x8000, 1);
	FX_SDMA(fx, S_COPY(SRC, DST + 0x123, 0x8000));
	fx_run(fx);
	fx_expect_fault(fx, DST + 0x3000, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	assert_int_equal(fx->arena[DST_OFF + 0x3000], 0);
}

/* struct rect - the words of a sub-window copy */
struct rect {
	unsigned int element;
	uint64_t src, dst;
	unsigned int src_at[3], dst_at[3];
	unsigned int src_pitch, src_slice, dst_pitch, dst_slice;
	unsigned int size[3];
};

static void submit_rect(struct fixture *fx, const struct rect *r)
{
	FX_SDMA(fx, 1 | 4u << 8 | r->element << 29, FX_ADDR(r->src),
		r->src_at[0] | r->src_at[1] << 16, r->src_at[2] | (r->src_pitch - 1) << 13,
		r->src_slice - 1, FX_ADDR(r->dst), r->dst_at[0] | r->dst_at[1] << 16,
		r->dst_at[2] | (r->dst_pitch - 1) << 13, r->dst_slice - 1,
		(r->size[0] - 1) | (r->size[1] - 1) << 16, r->size[2] - 1);
}

static const unsigned char *rect_at(struct fixture *fx, uint64_t va, const unsigned int at[3],
				    unsigned int pitch, unsigned int slice, unsigned int element)
{
	return fx->arena + (va - FX_BASE) +
	       (((uint64_t)at[2] * slice + (uint64_t)at[1] * pitch + at[0]) << element);
}

/* Every element of the rectangle, and the bytes around each row, against the slow way. */
static void check_rect(struct fixture *fx, const struct rect *r)
{
	size_t row = (size_t)r->size[0] << r->element;
	unsigned int y, z;

	for (z = 0; z < r->size[2]; z++) {
		for (y = 0; y < r->size[1]; y++) {
			unsigned int s[3] = { r->src_at[0], r->src_at[1] + y, r->src_at[2] + z };
			unsigned int d[3] = { r->dst_at[0], r->dst_at[1] + y, r->dst_at[2] + z };
			const unsigned char *to =
				rect_at(fx, r->dst, d, r->dst_pitch, r->dst_slice, r->element);

			assert_memory_equal(
				to, rect_at(fx, r->src, s, r->src_pitch, r->src_slice, r->element),
				row);
			assert_int_equal(to[row], 0);
			assert_int_equal(to[-1], 0);
		}
	}
}

static void test_rectangles_copy_each_row(void **state)
{
	static const struct rect rects[] = {
		{ 0, SRC, DST, { 0 }, { 1, 0, 0 }, 1000, 50000, 101, 3000, { 100, 20, 3 } },
		{ 2, SRC, DST, { 3, 5, 1 }, { 7, 2, 2 }, 128, 4096, 64, 8192, { 33, 30, 2 } },
		{ 4,
		  SRC,
		  DST,
		  { 1, 1, 0 },
		  { 1, 0, 0 },
		  300,
		  300 * 50,
		  260,
		  260 * 50,
		  { 256, 40, 4 } },
		{ 3, SRC, DST, { 0 }, { 1, 0, 0 }, 1, 1, 3, 3, { 1, 1, 1 } },
	};
	struct fixture *fx = *state;
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	for (i = 0; i < VKF_ARRAY_SIZE(rects); i++) {
		memset(fx->arena + DST_OFF, 0, VKF_MIB(8));
		/* No byte of the pattern is 0. */
		memset(fx->arena + OFF, 0x55, VKF_MIB(4));
		fx->arena[OFF + 12345] = 0xaa;
		submit_rect(fx, &rects[i]);
		assert_int_equal(fx_run(fx), 0);
		fx_expect_no_irq(fx);
		check_rect(fx, &rects[i]);
	}
	assert_int_equal(fx->ctrl->queue[0].rptr, VKF_ARRAY_SIZE(rects) * 52);
}

static void test_a_rectangle_of_many_short_rows_is_done_in_pieces(void **state)
{
	const struct rect r = {
		0, SRC, DST, { 0 }, { 1, 0, 0 }, 2, 20000, 3, 30000, { 1, 5000, 2 }
	};
	struct fixture *fx = *state;
	uint64_t seq = fx->ctrl->worker[0].seq;

	fx_queue(fx, GPU_QUEUE_SDMA);
	memset(fx->arena + OFF, 0x77, VKF_MIB(1));
	submit_rect(fx, &r);
	assert_int_equal(fx_run(fx), 0);
	check_rect(fx, &r);
	assert_true(fx->ctrl->worker[0].seq - seq >= 2 * 5);
}

static void test_a_rectangle_faults_at_its_row(void **state)
{
	const struct rect r = { 0,    SRC,      DST,  { 0 },    { 0 },
				4096, 4096 * 8, 4096, 4096 * 8, { 16, 8, 1 } };
	struct fixture *fx = *state;

	fx_unmap(fx, 0, SRC + 0x5000);
	fx_queue(fx, GPU_QUEUE_SDMA);
	submit_rect(fx, &r);
	fx_run(fx);
	fx_expect_fault(fx, SRC + 0x5000, GPU_FAULT_NOT_PRESENT);
}

static void test_write_stores_what_follows_it(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_WRITE(DST, 1), 11, S_WRITE(DST + 8, 2), 21, 22, S_WRITE(DST + 20, 2), 31, 32,
		S_WRITE(DST + 0xff8, 4), 1, 2, 3, 4);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx_words(fx, DST_OFF)[0], 11);
	assert_int_equal(fx_words(fx, DST_OFF)[1], 0);
	assert_int_equal(fx_words(fx, DST_OFF)[2], 21);
	assert_int_equal(fx_words(fx, DST_OFF)[3], 22);
	assert_int_equal(fx_words(fx, DST_OFF)[5], 31);
	assert_int_equal(fx_words(fx, DST_OFF)[6], 32);
	assert_int_equal(fx_words(fx, DST_OFF)[0xff8 / 4], 1);
	assert_int_equal(fx_words(fx, DST_OFF)[0xff8 / 4 + 3], 4);
	assert_int_equal(fx->ctrl->queue[0].rptr, (4 * 4 + 1 + 2 + 2 + 4) * 4);
}

static void test_written_data_may_wrap_with_the_ring(void **state)
{
	struct fixture *fx = *state;
	uint32_t packet[4 + 600] = { S_WRITE(DST, 600) };
	unsigned int round, i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 600; i++)
			packet[4 + i] = round * 1000 + i;
		fx_sdma(fx, packet, VKF_ARRAY_SIZE(packet));
		assert_int_equal(fx_run(fx), 0);
		assert_memory_equal(fx->arena + DST_OFF, packet + 4, 2400);
	}
}

static void test_a_long_write_comes_in_pieces(void **state)
{
	struct fixture *fx = *state;
	const uint32_t n = VKF_MIB(3) / 4 + 1;
	struct gpu_ctrl_queue *cq = fx_queue_at(fx, 0, GPU_QUEUE_SDMA, FX_QUEUE, OFF, VKF_MIB(4));
	const uint32_t header[] = { S_WRITE(DST, n) };

	fx_pattern(fx, OFF, VKF_MIB(4), 5);
	memcpy(fx->arena + OFF, header, sizeof(header));
	*fx_u64(fx, FX_WPTR) = 16 + n * 4;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(cq->rptr, 16 + n * 4);
	assert_memory_equal(fx->arena + DST_OFF, fx->arena + OFF + 16, n * 4);
	assert_int_equal(*fx_words(fx, DST_OFF + n * 4), 0);
}

static void test_a_write_into_nothing_faults(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_WRITE(0x123456000, 1), 1);
	fx_run(fx);
	fx_expect_fault(fx, 0x123456000, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
}

static void test_fill_repeats_dwords_or_bytes(void **state)
{
	struct fixture *fx = *state;
	unsigned int i;

	fx_queue(fx, GPU_QUEUE_SDMA);
	/* ROCr counts (n - 1) dwords, kfdtest n dwords - 1 byte: the same. */
	FX_SDMA(fx, S_FILL(2, DST, 0x12345678, 4 * 9 + 1), S_FILL(2, DST + 0x1000, 0xabcdef01, 40),
		S_FILL(0, DST + 0x2001, 0xffffff5a, 7));
	assert_int_equal(fx_run(fx), 0);
	for (i = 0; i < 10; i++) {
		assert_int_equal(fx_words(fx, DST_OFF)[i], 0x12345678);
		assert_int_equal(fx_words(fx, DST_OFF + 0x1000)[i], 0xabcdef01);
	}
	assert_int_equal(fx_words(fx, DST_OFF)[10], 0);
	assert_int_equal(fx_words(fx, DST_OFF + 0x1000)[10], 0);
	for (i = 1; i < 8; i++)
		assert_int_equal(fx->arena[DST_OFF + 0x2000 + i], 0x5a);
	assert_int_equal(fx->arena[DST_OFF + 0x2000], 0);
	assert_int_equal(fx->arena[DST_OFF + 0x2008], 0);
	assert_int_equal(fx->ctrl->queue[0].rptr, 60);
}

static void test_a_long_fill_comes_in_pieces(void **state)
{
	struct fixture *fx = *state;
	uint64_t i, seq = fx->ctrl->worker[0].seq;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FILL(2, DST, 0x01020304, VKF_MIB(3)));
	assert_int_equal(fx_run(fx), 0);
	for (i = 0; i < VKF_MIB(3); i += 4)
		assert_int_equal(*fx_words(fx, DST_OFF + i), 0x01020304);
	assert_int_equal(*fx_words(fx, DST_OFF + i), 0);
	assert_true(fx->ctrl->worker[0].seq - seq >= 6);
}

static void test_shorts_are_filled_at_any_even_address(void **state)
{
	static const uint64_t lens[] = { 1, 2, 3, 4, 6, 4095, VKF_MIB(2) + 6 };
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	for (unsigned int i = 0; i < 2 * VKF_ARRAY_SIZE(lens); i++) {
		uint64_t off = DST_OFF + 16 + (i & 1) * 2, len = lens[i / 2];
		uint64_t end = off + VKF_ALIGN_UP(len, (uint64_t)2);

		memset(fx->arena + DST_OFF, 0xee, VKF_MIB(2) + 64);
		FX_SDMA(fx, S_FILL(1, FX_VA(off), 0x99991234, len));
		assert_int_equal(fx_run(fx), 0);
		fx_expect_no_irq(fx);
		assert_int_equal(fx->arena[off - 1], 0xee);
		assert_int_equal(fx->arena[end], 0xee);
		for (; off < end; off += 2)
			assert_int_equal(*(uint16_t *)(fx->arena + off), 0x1234);
	}
}

static void test_malformed_fills_are_refused(void **state)
{
	static const uint32_t bad[][5] = {
		{ S_FILL(1, DST + 1, 1, 4) },
		{ S_FILL(3, DST, 1, 4) },
		{ S_FILL(2, DST + 1, 1, 4) },
	};
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		struct gpu_ctrl_queue *cq = fx_queue(fx, GPU_QUEUE_SDMA);

		cq->error = GPU_QERR_NONE;
		*fx_u64(fx, FX_WPTR) = 0;
		fx_sdma(fx, bad[i], 5);
		assert_int_equal(fx_run(fx), 0);
		fx_expect_bad(fx, bad[i][0], 11);
		assert_int_equal(*fx_u64(fx, DST_OFF), 0);
		fx_want(fx, cq, GPU_WANT_NONE);
		fx_run(fx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_linear_copies_its_bytes_and_no_more),
		FX_TEST(test_a_long_copy_leaves_the_section_between_chunks),
		FX_TEST(test_overlapping_copies_of_any_length_are_moves),
		FX_TEST(test_broadcast_writes_both_destinations),
		FX_TEST(test_a_copy_takes_30_bits_of_count),
		FX_TEST(test_a_copy_off_the_end_of_a_buffer_faults_there),
		FX_TEST(test_a_copy_into_read_only_memory_faults),
		FX_TEST(test_rectangles_copy_each_row),
		FX_TEST(test_a_rectangle_of_many_short_rows_is_done_in_pieces),
		FX_TEST(test_a_rectangle_faults_at_its_row),
		FX_TEST(test_write_stores_what_follows_it),
		FX_TEST(test_written_data_may_wrap_with_the_ring),
		FX_TEST(test_a_long_write_comes_in_pieces),
		FX_TEST(test_a_write_into_nothing_faults),
		FX_TEST(test_fill_repeats_dwords_or_bytes),
		FX_TEST(test_a_long_fill_comes_in_pieces),
		FX_TEST(test_shorts_are_filled_at_any_even_address),
		FX_TEST(test_malformed_fills_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
