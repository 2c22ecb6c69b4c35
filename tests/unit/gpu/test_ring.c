/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/ring.h"

static struct gpu_queue queue_of(struct fixture *fx)
{
	return (struct gpu_queue){
		.cq = &fx->ctrl->queue[0],
		.ring_va = FX_VA(FX_RING),
		.ring_bytes = FX_RING_BYTES,
		.rptr_va = FX_VA(FX_RPTR),
		.wptr_va = FX_VA(FX_WPTR),
	};
}

static struct gpu_worker *enter(struct fixture *fx)
{
	gpu_worker_enter(&fx->engine->worker[0]);
	return &fx->engine->worker[0];
}

static void test_a_ring_is_read_across_its_seam(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = queue_of(fx);
	struct gpu_worker *w = enter(fx);
	struct gpu_stream s;
	uint32_t words[4];

	fx_words(fx, FX_RING)[1022] = 1;
	fx_words(fx, FX_RING)[1023] = 2;
	fx_words(fx, FX_RING)[0] = 3;
	fx_words(fx, FX_RING)[1] = 4;
	gpu_stream_ring(&q, 7 * FX_RING_BYTES + 1021 * 4, 20, &s);
	assert_int_equal(gpu_stream_read(w, &s, 1, words, 4), 0);
	gpu_worker_leave(w);
	assert_memory_equal(words, ((uint32_t[]){ 1, 2, 3, 4 }), 16);
}

static void test_a_position_near_the_end_of_counting_is_reduced(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = queue_of(fx);
	struct gpu_worker *w = enter(fx);
	struct gpu_stream s;
	uint32_t words[2];

	fx_words(fx, FX_RING)[1023] = 5;
	fx_words(fx, FX_RING)[0] = 6;
	gpu_stream_ring(&q, UINT64_MAX - 3, 8, &s);
	assert_int_equal(gpu_stream_read(w, &s, 0, words, 2), 0);
	gpu_worker_leave(w);
	assert_int_equal(words[0], 5);
	assert_int_equal(words[1], 6);
}

static void test_a_buffer_does_not_wrap(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = queue_of(fx);
	struct gpu_ib ib = { .va = FX_VA(FX_IB), .words = 8, .pos = 3 };
	struct gpu_worker *w = enter(fx);
	struct gpu_stream s;
	uint32_t word;

	fx_words(fx, FX_IB)[5] = 77;
	gpu_stream_ib(&q, &ib, &s);
	assert_int_equal(s.avail, 20);
	assert_int_equal(gpu_stream_read(w, &s, 2, &word, 1), 0);
	gpu_worker_leave(w);
	assert_int_equal(word, 77);
}

static void test_data_is_copied_out_across_the_seam(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = queue_of(fx);
	struct gpu_worker *w = enter(fx);
	struct gpu_stream s;

	fx_pattern(fx, FX_RING, FX_RING_BYTES, 1);
	gpu_stream_ring(&q, 4000, 4096, &s);
	assert_int_equal(gpu_stream_copy_out(w, &s, 8, FX_VA(FX_DATA), 1000), 0);
	gpu_worker_leave(w);
	assert_memory_equal(fx->arena + FX_DATA, fx->arena + FX_RING + 4008, 88);
	assert_memory_equal(fx->arena + FX_DATA + 88, fx->arena + FX_RING, 912);
	assert_int_equal(fx->arena[FX_DATA + 1000], 0);
}

static void test_publishing_writes_the_pointer_and_counts(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = queue_of(fx);
	struct gpu_worker *w = enter(fx);
	uint64_t wptr;

	q.type = GPU_QUEUE_SDMA;
	*fx_u64(fx, FX_WPTR) = UINT64_C(0x123456789a);
	assert_int_equal(gpu_ring_wptr(w, &q, &wptr), 0);
	assert_int_equal(wptr, UINT64_C(0x123456789a));
	assert_int_equal(gpu_ring_publish(w, &q, UINT64_C(0x1234567890)), 0);
	gpu_worker_leave(w);
	assert_int_equal(*fx_u64(fx, FX_RPTR), UINT64_C(0x1234567890));
	assert_int_equal(q.cq->rptr, UINT64_C(0x1234567890));
	assert_int_equal(q.cq->packets, 1);
}

static void test_unmapped_pointers_fault(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = queue_of(fx);
	struct gpu_worker *w = enter(fx);
	uint64_t wptr = 5;

	q.wptr_va = 0x1000;
	q.rptr_va = 0x2000;
	assert_int_equal(gpu_ring_wptr(w, &q, &wptr), -EFAULT);
	assert_int_equal(w->fault.va, 0x1000);
	assert_int_equal(wptr, 5);
	assert_int_equal(gpu_ring_publish(w, &q, 1), -EFAULT);
	assert_int_equal(w->fault.va, 0x2000);
	gpu_worker_leave(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_ring_is_read_across_its_seam),
		FX_TEST(test_a_position_near_the_end_of_counting_is_reduced),
		FX_TEST(test_a_buffer_does_not_wrap),
		FX_TEST(test_data_is_copied_out_across_the_seam),
		FX_TEST(test_publishing_writes_the_pointer_and_counts),
		FX_TEST(test_unmapped_pointers_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
