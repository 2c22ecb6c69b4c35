/* SPDX-License-Identifier: MIT */
#include "gpu/busy.h"
#include "packets.h"

#define SRC     FX_DATA
#define DST     VKF_MIB(8)
#define COPY_NS 1000u

/* Each copy of a page or more takes a microsecond. */
static void take_time(struct fixture *fx)
{
	fx->now_ns += COPY_NS;
}

static void copy(struct fixture *fx, uint64_t bytes)
{
	FX_SDMA(fx, S_COPY(FX_VA(SRC), FX_VA(DST), bytes));
	fx_run(fx);
}

static struct gpu_ctrl_queue *begin(struct fixture *fx, enum gpu_queue_type type)
{
	fx->on_copy = take_time;
	return fx_queue(fx, type);
}

static void test_the_time_of_all_turns_is_summed_up(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = begin(fx, GPU_QUEUE_SDMA);

	copy(fx, VKF_MIB(6));
	assert_int_equal(cq->busy_ns, fx->copies * COPY_NS);
	fx->now_ns += 77777; /* nobody has anything to do */
	fx_run(fx);
	copy(fx, 4096);
	assert_int_equal(cq->busy_ns, fx->copies * COPY_NS);
}

static uint64_t passing_now(void *cookie)
{
	return ((struct fixture *)cookie)->now_ns += 10;
}

static void test_a_queue_that_waits_is_not_at_work(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = begin(fx, GPU_QUEUE_SDMA_XGMI);
	struct gpu_engine_ops ops = *fx->engine->ops;

	ops.now_ns = passing_now;
	fx->engine->ops = &ops;
	FX_SDMA(fx, S_POLL(3, FX_VA(0x40000), 1, ~0u));
	for (unsigned int i = 0; i < 10; i++)
		fx_run(fx);
	assert_int_equal(cq->packets, 0);
	assert_int_equal(cq->busy_ns, 0);
	*fx_words(fx, 0x40000) = 1;
	fx_run(fx);
	assert_int_equal(cq->packets, 1);
	assert_int_equal(cq->busy_ns, 10);
}

static void test_time_of_other_queues_is_not_taken(void **state)
{
	struct fixture *fx = *state;
	struct gpu_queue q = { .type = GPU_QUEUE_AQL };

	assert_int_equal(gpu_busy_begin(fx->engine, &q), 0);
	q.type = GPU_QUEUE_PM4;
	assert_int_equal(gpu_busy_begin(fx->engine, &q), 0);
}

/* ------------------------------------------------ a counter that costs less */

static unsigned int n_asked;
static int64_t jump;

static uint64_t counted_now(void *cookie)
{
	n_asked++;
	return ((struct fixture *)cookie)->now_ns;
}

/* 2.5 GHz. */
static uint64_t ticks(void *cookie)
{
	return ((struct fixture *)cookie)->now_ns * 5 / 2 + 123456789 + (uint64_t)jump;
}

static struct gpu_engine_ops with_ticks;

static void use_ticks(struct fixture *fx)
{
	n_asked = 0;
	jump = 0;
	with_ticks = *fx->engine->ops;
	with_ticks.now_ns = counted_now;
	with_ticks.ticks = ticks;
	fx->engine->ops = &with_ticks;
	gpu_busy_init(fx->engine);
}

static void test_a_counter_is_learned_and_then_the_clock_is_not_asked(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = begin(fx, GPU_QUEUE_SDMA);
	uint64_t before;

	use_ticks(fx);
	/* Too early to know: by the clock. */
	copy(fx, VKF_MIB(1));
	assert_int_equal(cq->busy_ns, fx->copies * COPY_NS);
	assert_true(n_asked > 1);
	fx->now_ns += 5000000;
	copy(fx, 4096);
	before = cq->busy_ns;
	n_asked = fx->copies = 0;
	copy(fx, VKF_MIB(4));
	assert_in_range(cq->busy_ns - before, fx->copies * COPY_NS - 4, fx->copies * COPY_NS + 4);
	assert_int_equal(n_asked, 0);
}

static void jump_back(struct fixture *fx)
{
	fx->now_ns += COPY_NS;
	jump -= 1000000000;
}

static void test_a_counter_that_jumps_back_adds_nothing(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = begin(fx, GPU_QUEUE_SDMA);
	uint64_t before;

	use_ticks(fx);
	fx->now_ns += 5000000;
	copy(fx, 4096);
	before = cq->busy_ns;
	fx->on_copy = jump_back;
	copy(fx, 4096);
	assert_int_equal(cq->busy_ns, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_the_time_of_all_turns_is_summed_up),
		FX_TEST(test_a_queue_that_waits_is_not_at_work),
		FX_TEST(test_time_of_other_queues_is_not_taken),
		FX_TEST(test_a_counter_is_learned_and_then_the_clock_is_not_asked),
		FX_TEST(test_a_counter_that_jumps_back_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
