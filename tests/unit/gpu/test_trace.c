/* SPDX-License-Identifier: MIT */
#include "gpu/trace.h"
#include "packets.h"
#include "spec/sdma_v4.h"

#define DST FX_VA(FX_DATA)
#define SRC FX_VA(VKF_MIB(8))

/* The records, oldest first; false: there is no more. */
static bool take(struct fixture *fx, struct gpu_trace_record *ret)
{
	struct gpu_ctrl_trace *t = &fx->ctrl->trace;

	if (t->rptr == t->wptr)
		return false;
	*ret = t->record[t->rptr % GPU_TRACE_ENTRIES];
	t->rptr++;
	return true;
}

/* The next of that kind. */
static struct gpu_trace_record expect(struct fixture *fx, enum gpu_trace_kind kind)
{
	struct gpu_trace_record rec;

	do
		assert_true(take(fx, &rec));
	while (rec.kind != kind);
	return rec;
}

static void no_more(struct fixture *fx, enum gpu_trace_kind kind)
{
	struct gpu_trace_record rec;

	while (take(fx, &rec))
		assert_int_not_equal(rec.kind, kind);
}

static void test_nothing_is_told_while_it_is_off(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1), S_FENCE(DST, 2));
	fx_run(fx);
	assert_int_equal(fx->ctrl->trace.wptr, 0);
}

static void test_packets_of_one_kind_are_told_together(void **state)
{
	struct fixture *fx = *state;
	struct gpu_trace_record rec;

	fx->ctrl->trace.on = 1;
	fx_queue(fx, GPU_QUEUE_SDMA)->queue_id = 7;
	FX_SDMA(fx, S_FENCE(DST, 1), S_FENCE(DST, 2), S_COPY(SRC, DST, 4096), S_FENCE(DST, 3));
	fx_run(fx);
	rec = expect(fx, GPU_TRACE_PACKETS);
	assert_int_equal(rec.op, SDMA_V4_OP_FENCE);
	assert_int_equal(rec.packets, 2);
	assert_int_equal(rec.queue_id, 7);
	assert_int_equal(rec.slot, 0);
	assert_int_equal(rec.type, GPU_QUEUE_SDMA);
	assert_true(rec.begin_ns <= rec.end_ns);
	rec = expect(fx, GPU_TRACE_PACKETS);
	assert_int_equal(rec.op, SDMA_V4_OP_COPY);
	assert_int_equal(rec.bytes, 4096);
	rec = expect(fx, GPU_TRACE_PACKETS);
	assert_int_equal(rec.packets, 1);
	rec = expect(fx, GPU_TRACE_TURN);
	assert_int_equal(rec.packets, 4);
	no_more(fx, GPU_TRACE_PACKETS);
}

static void later(struct fixture *fx)
{
	fx->now_ns += 1000000;
}

static void test_a_long_copy_is_one_span_over_all_its_pieces(void **state)
{
	struct fixture *fx = *state;
	struct gpu_trace_record rec;

	fx->ctrl->trace.on = 1;
	fx->now_ns = 5000;
	fx_queue(fx, GPU_QUEUE_SDMA);
	fx->on_copy = later;
	FX_SDMA(fx, S_COPY(SRC, DST, VKF_MIB(3)));
	fx_run(fx);
	rec = expect(fx, GPU_TRACE_PACKETS);
	assert_int_equal(rec.bytes, VKF_MIB(3));
	assert_int_equal(rec.packets, 1);
	assert_true(rec.end_ns - rec.begin_ns >= 3000000);
	no_more(fx, GPU_TRACE_PACKETS);
}

static void test_a_wait_is_told_from_its_beginning_to_its_end(void **state)
{
	struct fixture *fx = *state;
	struct gpu_trace_record rec;

	fx->ctrl->trace.on = 1;
	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_words(fx, FX_DATA) = 0;
	FX_SDMA(fx, S_POLL(3, DST, 1, 0xffffffff));
	fx->now_ns = 1000;
	gpu_engine_step(fx->engine);
	fx->now_ns = 2000000;
	gpu_engine_step(fx->engine);
	no_more(fx, GPU_TRACE_WAIT);
	*fx_words(fx, FX_DATA) = 1;
	fx->now_ns = 9000000;
	fx_run(fx);
	rec = expect(fx, GPU_TRACE_WAIT);
	assert_int_equal(rec.op, SDMA_V4_OP_POLL_REGMEM);
	assert_in_range(rec.begin_ns, 1000, 2000);
	assert_in_range(rec.end_ns, 9000000, 9001000);
	rec = expect(fx, GPU_TRACE_PACKETS);
	assert_true(rec.begin_ns >= 9000000);
}

static void test_what_was_under_way_before_is_not_told(void **state)
{
	struct fixture *fx = *state;
	struct gpu_trace_record rec;

	fx->ctrl->trace.on = 1;
	fx_queue(fx, GPU_QUEUE_SDMA);
	*fx_words(fx, FX_DATA) = 0;
	FX_SDMA(fx, S_POLL(3, DST, 1, 0xffffffff));
	fx->now_ns = 1000;
	gpu_engine_step(fx->engine);
	fx->ctrl->trace.on = 0;
	gpu_engine_step(fx->engine);
	fx->ctrl->trace.on = 1;
	fx->now_ns = 5000000;
	gpu_engine_step(fx->engine);
	*fx_words(fx, FX_DATA) = 1;
	fx->now_ns = 6000000;
	fx_run(fx);
	rec = expect(fx, GPU_TRACE_WAIT);
	assert_true(rec.begin_ns >= 5000000);
}

static void test_what_finds_no_room_is_counted(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->trace.on = 1;
	fx->ctrl->trace.rptr = 0;
	fx->ctrl->trace.wptr = GPU_TRACE_ENTRIES;
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1));
	fx_run(fx);
	assert_int_equal(fx->ctrl->trace.wptr, GPU_TRACE_ENTRIES);
	assert_int_equal(fx->ctrl->trace.lost, 2);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
}

/* The program may write there, too. */
static void test_a_lock_that_stays_taken_stops_nothing(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->trace.on = 1;
	fx->ctrl->trace.lock = 1;
	fx->ctrl->trace.wptr = 0x12345678;
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1));
	fx_run(fx);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_int_equal(fx->ctrl->trace.lost, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_nothing_is_told_while_it_is_off),
		FX_TEST(test_packets_of_one_kind_are_told_together),
		FX_TEST(test_a_long_copy_is_one_span_over_all_its_pieces),
		FX_TEST(test_a_wait_is_told_from_its_beginning_to_its_end),
		FX_TEST(test_what_was_under_way_before_is_not_told),
		FX_TEST(test_what_finds_no_room_is_counted),
		FX_TEST(test_a_lock_that_stays_taken_stops_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
