/* SPDX-License-Identifier: MIT */
#include "packets.h"
#include "gpu/pm4_queue.h"

#define DST_OFF (FX_DATA + VKF_MIB(8))
#define SRC     FX_VA(FX_DATA)
#define DST     FX_VA(DST_OFF)

static uint32_t read_pointer(struct fixture *fx)
{
	return *fx_words(fx, FX_RPTR);
}

/* A queue of a chip that has 32-bit pointers, with garbage in the halves that it must not touch. */
static void narrow_queue(struct fixture *fx, enum gpu_queue_type type)
{
	fx->ctrl->vm[0].dialect = GPU_DIALECT_GFX8;
	fx_queue(fx, type);
	fx_words(fx, FX_WPTR)[1] = 0xdeadbeef;
	fx_words(fx, FX_RPTR)[1] = 0xdeadbeef;
}

/* Put @n words where the write pointer is, and move it: within the ring, in units of @unit bytes.
 */
static void submit(struct fixture *fx, const uint32_t *words, unsigned int n, unsigned int unit)
{
	uint32_t at = *fx_words(fx, FX_WPTR) * unit;

	for (unsigned int i = 0; i < n; i++, at = (at + 4) % FX_RING_BYTES)
		*fx_words(fx, FX_RING + at) = words[i];
	*fx_words(fx, FX_WPTR) = at / unit;
}

#define SUBMIT(fx, unit, ...)                                                                      \
	submit(fx, (const uint32_t[]){ __VA_ARGS__ },                                              \
	       sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4, unit)

static void test_only_known_ones_are_found(void **state)
{
	assert_non_null(gpu_dialect_find(GPU_DIALECT_GFX8));
	assert_non_null(gpu_dialect_find(GPU_DIALECT_GFX9));
	assert_non_null(gpu_dialect_find(GPU_DIALECT_GFX90A));
	assert_null(gpu_dialect_find(GPU_DIALECT_OTHER));
	assert_null(gpu_dialect_find(UINT32_MAX));
}

static void test_counts_have_22_bits_before_gfx90a(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->vm[0].dialect = GPU_DIALECT_GFX9;
	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, FX_DATA, 8192, 4);
	/* The bits above are not the count's. */
	FX_SDMA(fx, S_COPY(SRC, DST, (1u << 22) + 100),
		S_FILL(0, DST + 4096, 0x77, (3u << 22) + 5));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, 100, 4);
	assert_int_equal(fx->arena[DST_OFF + 100], 0);
	assert_int_equal(fx->arena[DST_OFF + 4100], 0x77);
	assert_int_equal(fx->arena[DST_OFF + 4101], 0);
}

static void test_gfx8_counts_what_there_is(void **state)
{
	struct fixture *fx = *state;

	narrow_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, FX_DATA, 8192, 4);
	SUBMIT(fx, 1, 1, 100, 0, FX_ADDR(SRC), FX_ADDR(DST), 1 | 1u << 27, 7, 0, FX_ADDR(SRC),
	       FX_ADDR(DST + 4096), FX_ADDR(DST + 8192), 11, FX_ADDR(DST + 0x3000), 0x55, 3,
	       11u | 1u << 30, FX_ADDR(DST + 0x3100), 0x6666, 4, 2, FX_ADDR(DST + 0x4000), 2, 8, 9,
	       12, FX_ADDR(DST + 0x5000), FX_ADDR(1), FX_ADDR(0x1000), FX_ADDR(0x10), 2);
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, 100, 4);
	assert_int_equal(fx->arena[DST_OFF + 100], 0);
	fx_check_pattern(fx, DST_OFF + 4096, 7, 4);
	fx_check_pattern(fx, DST_OFF + 8192, 7, 4);
	assert_int_equal(fx->arena[DST_OFF + 8192 + 7], 0);
	assert_int_equal(*fx_words(fx, DST_OFF + 0x3000), 0x555555);
	assert_int_equal(fx_words(fx, DST_OFF + 0x3100)[0], 0x66666666);
	assert_int_equal(fx_words(fx, DST_OFF + 0x3100)[1], 0);
	assert_int_equal(*fx_u64(fx, DST_OFF + 0x4000), UINT64_C(0x900000008));
	assert_int_equal(fx_u64(fx, DST_OFF + 0x5000)[0], 0x1001);
	assert_int_equal(fx_u64(fx, DST_OFF + 0x5000)[1], 0x1011);
	assert_int_equal(fx_u64(fx, DST_OFF + 0x5000)[2], 0);
	assert_int_equal(read_pointer(fx), *fx_words(fx, FX_WPTR));
}

static void test_gfx8_does_nothing_with_a_count_of_none(void **state)
{
	struct fixture *fx = *state;

	narrow_queue(fx, GPU_QUEUE_SDMA);
	SUBMIT(fx, 1, 1, 0, 0, FX_ADDR(0x1000), FX_ADDR(0x1000), 11u | 1u << 30, FX_ADDR(0x1000), 1,
	       0, 2, FX_ADDR(0x1000), 0, 12, FX_ADDR(0x1000), 0, 0, 0, 0, 0, 0, 0, 5, FX_ADDR(DST),
	       7);
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_words(fx, DST_OFF), 7);
}

static void test_gfx8_rectangles_have_their_pitch_elsewhere(void **state)
{
	struct fixture *fx = *state;

	narrow_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, FX_DATA, 8192, 9);
	SUBMIT(fx, 1, 1 | 4u << 8, FX_ADDR(SRC), 0, (64 - 1) << 16, 64 * 4 - 1, FX_ADDR(DST), 0,
	       (16 - 1) << 16, 16 * 4 - 1, (16 - 1) | (3 - 1) << 16, 0);
	assert_int_equal(fx_run(fx), 0);
	for (unsigned int row = 0; row < 3; row++)
		assert_memory_equal(fx->arena + DST_OFF + row * 16, fx->arena + FX_DATA + row * 64,
				    16);
	assert_int_equal(fx->arena[DST_OFF + 48], 0);
}

static void test_gfx8_pointers_are_words_that_stay_in_the_ring(void **state)
{
	struct fixture *fx = *state;
	uint32_t at = 0;

	narrow_queue(fx, GPU_QUEUE_SDMA);
	for (unsigned int i = 1; i <= FX_RING_BYTES / 4; i++) {
		SUBMIT(fx, 1, 5, FX_ADDR(DST), i, 0);
		at = (at + 20) % FX_RING_BYTES;
		assert_int_equal(fx_run(fx), 0);
		assert_int_equal(*fx_words(fx, DST_OFF), i);
		assert_int_equal(read_pointer(fx), at);
	}
	assert_int_equal(fx_words(fx, FX_RPTR)[1], 0xdeadbeef);
	fx_expect_no_irq(fx);
}

static void test_gfx8_pointers_need_their_four_bytes_only(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq;

	fx->ctrl->vm[0].dialect = GPU_DIALECT_GFX8;
	cq = fx_queue(fx, GPU_QUEUE_SDMA);
	cq->wptr_va = FX_VA(FX_QUEUE + 0x44);
	cq->rptr_va = FX_VA(FX_QUEUE + 0x4c);
	memcpy(fx->arena + FX_RING, (const uint32_t[]){ 5, FX_ADDR(DST), 3 }, 16);
	*fx_words(fx, FX_QUEUE + 0x44) = 16;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, DST_OFF), 3);
	assert_int_equal(*fx_words(fx, FX_QUEUE + 0x4c), 16);
}

static void test_gfx8_releases_have_seven_words(void **state)
{
	struct fixture *fx = *state;

	narrow_queue(fx, GPU_QUEUE_PM4);
	SUBMIT(fx, 4, P_HEADER(0x49, 7), 0x514, 2u << 29 | 2u << 24, FX_ADDR(DST), FX_ADDR(0x123),
	       P_HEADER(0x49, 7), 0x514, 1u << 24, 0, 0, FX_ADDR(0x124), P_WRITE(5, DST + 8, 1), 6);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, DST_OFF), 0x123);
	assert_int_equal(*fx_words(fx, DST_OFF + 8), 6);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 0x123);
	fx_expect_irq(fx, GPU_IRQ_EVENT, 0x124);
	assert_int_equal(read_pointer(fx), 19);
	assert_int_equal(fx_words(fx, FX_RPTR)[1], 0xdeadbeef);
}

static void test_gfx8_moves_21_bits_of_bytes(void **state)
{
	struct fixture *fx = *state;

	narrow_queue(fx, GPU_QUEUE_PM4);
	fx_pattern(fx, FX_DATA, 8192, 2);
	SUBMIT(fx, 4, P_DMA(0, SRC, DST, 1u << 21 | 100));
	assert_int_equal(fx_run(fx), 0);
	fx_check_pattern(fx, DST_OFF, 100, 2);
	assert_int_equal(fx->arena[DST_OFF + 100], 0);
}

static void test_an_aql_queue_is_the_same_everywhere(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq;

	fx->ctrl->vm[0].dialect = GPU_DIALECT_GFX8;
	cq = fx_queue(fx, GPU_QUEUE_AQL);
	*fx_words(fx, FX_RING) = 3;
	*fx_u64(fx, FX_RPTR) = UINT64_MAX;
	*fx_u64(fx, FX_WPTR) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FX_RPTR), 1);
	assert_int_equal(cq->error, GPU_QERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_only_known_ones_are_found),
		FX_TEST(test_counts_have_22_bits_before_gfx90a),
		FX_TEST(test_gfx8_counts_what_there_is),
		FX_TEST(test_gfx8_does_nothing_with_a_count_of_none),
		FX_TEST(test_gfx8_rectangles_have_their_pitch_elsewhere),
		FX_TEST(test_gfx8_pointers_are_words_that_stay_in_the_ring),
		FX_TEST(test_gfx8_pointers_need_their_four_bytes_only),
		FX_TEST(test_gfx8_releases_have_seven_words),
		FX_TEST(test_gfx8_moves_21_bits_of_bytes),
		FX_TEST(test_an_aql_queue_is_the_same_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
