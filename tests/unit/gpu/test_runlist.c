/* SPDX-License-Identifier: MIT */
#include "packets.h"
#include "gpu/runlist.h"

#define QUEUES     200u
#define POINTERS   UINT64_C(0x40000) /* 64 bytes of each queue */
#define RINGS      UINT64_C(0x200000)
#define RING_BYTES UINT64_C(256)
#define SHARED     UINT64_C(0x280000) /* a ring of all who have the same packets */
#define FLAGS      UINT64_C(0x300000)
#define FLAG(i)    (FLAGS + 8 * (uint64_t)(i))
#define WAITED     FX_VA(FLAGS - 8)

static uint64_t wptr_off(uint32_t i)
{
	return POINTERS + 64 * (uint64_t)i;
}

/* A queue that holds the packets @words, not yet seen by the engine. */
static struct gpu_ctrl_queue *add(struct fixture *fx, uint32_t i, enum gpu_queue_type type,
				  const uint32_t *words, uint32_t n)
{
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[i];

	memcpy(fx->arena + RINGS + i * RING_BYTES, words, n * 4);
	*fx_u64(fx, wptr_off(i)) = type == GPU_QUEUE_PM4 ? n : n * 4;
	cq = fx_queue_at(fx, i, type, 0, RINGS + i * RING_BYTES, RING_BYTES);
	cq->wptr_va = FX_VA(wptr_off(i));
	cq->rptr_va = FX_VA(wptr_off(i) + 8);
	return cq;
}

static struct gpu_ctrl_queue *add_writer(struct fixture *fx, uint32_t i)
{
	const uint32_t p[] = { P_WRITE(5, FX_VA(FLAG(i)), 1), 1 };

	return add(fx, i, GPU_QUEUE_PM4, p, VKF_ARRAY_SIZE(p));
}

static struct gpu_ctrl_queue *add_waiter(struct fixture *fx, uint32_t i)
{
	const uint32_t p[] = { P_WAIT(3, WAITED, 1, 1), P_WRITE(5, FX_VA(FLAG(i)), 1), 1 };

	return add(fx, i, GPU_QUEUE_PM4, p, VKF_ARRAY_SIZE(p));
}

/* It calls a buffer that counts its rounds and goes on in itself for ever. */
static struct gpu_ctrl_queue *add_endless(struct fixture *fx, uint32_t i)
{
	const uint64_t ib = FX_IB + i * 64;
	const uint32_t loop[] = { P_ATOMIC(0x6f, FX_VA(FLAG(i)), 1), P_CHAIN(FX_VA(ib), 13) };
	const uint32_t call[] = { P_IB(FX_VA(ib), 13) };

	memcpy(fx->arena + ib, loop, sizeof(loop));
	return add(fx, i, GPU_QUEUE_PM4, call, VKF_ARRAY_SIZE(call));
}

static uint32_t n_done(struct fixture *fx, uint32_t from, uint32_t n)
{
	uint32_t done = 0;

	for (uint32_t i = from; i < from + n; i++)
		done += *fx_u64(fx, FLAG(i)) == 1;
	return done;
}

static void test_queues_beyond_the_slots_all_run(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->vm[0].cp_queues = 3;
	for (uint32_t i = 0; i < QUEUES; i++)
		add_writer(fx, i);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(n_done(fx, 0, QUEUES), QUEUES);
}

static void test_endless_ones_keep_nobody_from_running(void **state)
{
	struct fixture *fx = *state;
	unsigned int steps;

	fx->ctrl->vm[0].cp_queues = 2;
	for (uint32_t i = 0; i < 5; i++)
		add_endless(fx, i);
	for (uint32_t i = 5; i < 25; i++)
		add_writer(fx, i);
	for (steps = 0; n_done(fx, 5, 20) < 20 && steps < 2000; steps++)
		assert_true(gpu_engine_step(fx->engine) & GPU_STEP_WORKED);
	assert_int_equal(n_done(fx, 5, 20), 20);
}

static void test_endless_ones_share_the_slots(void **state)
{
	struct fixture *fx = *state;
	uint64_t least = UINT64_MAX, most = 0;

	fx->ctrl->vm[0].cp_queues = 2;
	for (uint32_t i = 0; i < 7; i++)
		add_endless(fx, i);
	gpu_engine_step(fx->engine);
	for (uint32_t i = 0; i < 2; i++)
		assert_true(*fx_u64(fx, FLAG(i)));
	for (uint32_t i = 2; i < 7; i++)
		assert_int_equal(*fx_u64(fx, FLAG(i)), 0);
	for (unsigned int step = 0; step < 4000; step++)
		gpu_engine_step(fx->engine);
	for (uint32_t i = 0; i < 7; i++) {
		uint64_t rounds = *fx_u64(fx, FLAG(i));

		least = VKF_MIN(least, rounds);
		most = VKF_MAX(most, rounds);
	}
	/* Some turn's packets are another's. */
	assert_true(least > 0 && most - least <= 2 * 8 * GPU_RUNLIST_TURNS);
}

static void test_waiting_ones_give_way_at_once_and_cost_no_work(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->vm[0].cp_queues = 4;
	for (uint32_t i = 0; i < 50; i++)
		add_waiter(fx, i);
	for (uint32_t i = 50; i < 60; i++)
		add_writer(fx, i);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(n_done(fx, 50, 10), 10);
	for (unsigned int step = 0; step < 10; step++)
		assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WAITING);
	assert_false(gpu_engine_pending(fx->engine));
	*fx_u64(fx, FLAGS - 8) = 1;
	for (unsigned int step = 0; step < 40; step++)
		gpu_engine_step(fx->engine);
	assert_int_equal(n_done(fx, 0, 50), 50);
}

static void test_a_queue_may_go_while_it_waits_for_a_slot(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq[6];

	fx->ctrl->vm[0].cp_queues = 1;
	add_endless(fx, 0);
	for (uint32_t i = 1; i < 6; i++)
		cq[i] = add_writer(fx, i);
	gpu_engine_step(fx->engine);
	/* The first, the last and one in the middle of those who wait. */
	fx_want(fx, cq[1], GPU_WANT_NONE);
	fx_want(fx, cq[3], GPU_WANT_STOP);
	fx_want(fx, cq[5], GPU_WANT_NONE);
	for (unsigned int step = 0; step < 300; step++)
		gpu_engine_step(fx->engine);
	for (uint32_t i = 1; i < 6; i++)
		assert_int_equal(n_done(fx, i, 1), i == 2 || i == 4);
	assert_int_equal(cq[3]->ack_seq, cq[3]->want_seq);
	fx_want(fx, cq[3], GPU_WANT_RUN);
	for (unsigned int step = 0; step < 300; step++)
		gpu_engine_step(fx->engine);
	assert_int_equal(n_done(fx, 3, 1), 1);
	fx_want(fx, &fx->ctrl->queue[0], GPU_WANT_NONE);
	assert_int_equal(fx_run(fx), 0);
}

static void test_a_change_of_priority_counts_at_once(void **state)
{
	struct fixture *fx = *state;
	const volatile uint64_t *rounds = fx_u64(fx, FLAG(0));
	uint64_t before;

	add_endless(fx, 0)->priority = 0;
	for (unsigned int step = 0; step < 10; step++)
		gpu_engine_step(fx->engine);
	before = rounds[0];
	fx->ctrl->queue[0].priority = 15;
	for (unsigned int step = 0; step < 10; step++)
		gpu_engine_step(fx->engine);
	assert_true(rounds[0] - before >= 8 * before);
}

static void test_a_ring_among_many_is_heard_while_another_never_ends(void **state)
{
	struct fixture *fx = *state;
	const uint32_t nop[] = { P_NOP1 };
	const uint32_t write[] = { P_NOP1, P_WRITE(5, FX_VA(FLAG(1)), 1), 1 };

	add_endless(fx, 0);
	for (uint32_t i = 1; i < GPU_MAX_QUEUES; i++) {
		memcpy(fx->arena + SHARED, write, sizeof(write));
		add(fx, i, GPU_QUEUE_PM4, nop, 1)->ring_va = FX_VA(SHARED);
		fx->ctrl->queue[i].ring_bytes = RING_BYTES;
	}
	for (unsigned int step = 0; step < 500; step++)
		gpu_engine_step(fx->engine);
	assert_int_equal(n_done(fx, 1, 1), 0);
	memcpy(fx->arena + SHARED, write, sizeof(write));
	*fx_u64(fx, wptr_off(777)) = VKF_ARRAY_SIZE(write);
	fx_ring(fx, 777);
	/* Each step listens to 64 of them. */
	for (unsigned int step = 0; step <= GPU_MAX_QUEUES / 64; step++)
		gpu_engine_step(fx->engine);
	assert_int_equal(n_done(fx, 1, 1), 1);
}

static void test_sdma_needs_no_slot(void **state)
{
	const uint32_t fence[] = { S_FENCE(FX_VA(FLAG(1)), 1) };
	struct fixture *fx = *state;

	fx->ctrl->vm[0].cp_queues = 1;
	add_endless(fx, 0);
	add(fx, 1, GPU_QUEUE_SDMA, fence, 4);
	gpu_engine_step(fx->engine);
	assert_int_equal(n_done(fx, 1, 1), 1);
}

static void test_the_urgent_go_first_and_starve_nobody(void **state)
{
	struct fixture *fx = *state;
	static const uint32_t priority[] = { 0, 6, 7, 10, 11, 15 };
	const volatile uint64_t *rounds = fx_u64(fx, FLAG(0));

	for (uint32_t i = 0; i < VKF_ARRAY_SIZE(priority); i++)
		add_endless(fx, i)->priority = priority[i];
	for (unsigned int step = 1; step <= 100; step++) {
		gpu_engine_step(fx->engine);
		/* Nobody is left out of any round. */
		assert_true(rounds[0] >= step / 2 && rounds[2] >= step && rounds[4] >= 4 * step);
	}
	assert_int_equal(rounds[0], rounds[1]);
	assert_int_equal(rounds[2], rounds[3]);
	assert_int_equal(rounds[4], rounds[5]);
	assert_true(rounds[2] >= 3 * rounds[0] && rounds[4] >= 3 * rounds[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_queues_beyond_the_slots_all_run),
		FX_TEST(test_endless_ones_keep_nobody_from_running),
		FX_TEST(test_endless_ones_share_the_slots),
		FX_TEST(test_waiting_ones_give_way_at_once_and_cost_no_work),
		FX_TEST(test_a_queue_may_go_while_it_waits_for_a_slot),
		FX_TEST(test_a_change_of_priority_counts_at_once),
		FX_TEST(test_a_ring_among_many_is_heard_while_another_never_ends),
		FX_TEST(test_sdma_needs_no_slot),
		FX_TEST(test_the_urgent_go_first_and_starve_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
