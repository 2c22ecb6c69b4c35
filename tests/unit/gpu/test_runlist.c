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

/* ------------------------------------------------ a GPU that is shared */

#define NUMBER(n) ((uint32_t)(n) << 8)

static void grant(struct fixture *fx, uint32_t word)
{
	fx->ctrl->vm[0].grant = word;
	fx->ctrl->cmd_seq++;
}

static void expect_share_irq(struct fixture *fx)
{
	struct gpu_irq irq;

	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, GPU_IRQ_SHARE);
	assert_int_equal(irq.gpu, 0);
	fx_expect_no_irq(fx);
}

static void test_nothing_runs_on_a_gpu_of_others(void **state)
{
	const uint32_t fence[] = { S_FENCE(FX_VA(FLAG(1)), 1) };
	struct fixture *fx = *state;

	grant(fx, NUMBER(1) | GPU_GRANT_OFF);
	add_writer(fx, 0);
	add(fx, 1, GPU_QUEUE_SDMA, fence, 4);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(n_done(fx, 0, 2), 0);
	/* It asks once, and then sleeps. */
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(1) | GPU_SHARE_ASKS);
	expect_share_irq(fx);
	assert_false(gpu_engine_pending(fx->engine));
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	fx_expect_no_irq(fx);
	grant(fx, NUMBER(2));
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(n_done(fx, 0, 2), 2);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(2) | GPU_SHARE_IDLE);
	/* That it works, and that it has done, it tells nobody. */
	fx_expect_no_irq(fx);
}

static void test_a_ring_is_heard_and_asked_for(void **state)
{
	struct fixture *fx = *state;
	const uint32_t more[] = { P_WRITE(5, FX_VA(FLAG(0)), 1), 2 };

	add_writer(fx, 0);
	assert_int_equal(fx_run(fx), 0);
	grant(fx, NUMBER(7) | GPU_GRANT_OFF);
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(7) | GPU_SHARE_IDLE);
	expect_share_irq(fx);
	memcpy(fx->arena + RINGS + *fx_u64(fx, wptr_off(0)) * 4, more, sizeof(more));
	*fx_u64(fx, wptr_off(0)) += VKF_ARRAY_SIZE(more);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(7) | GPU_SHARE_ASKS);
	expect_share_irq(fx);
	grant(fx, 0);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_u64(fx, FLAG(0)), 2);
}

/* The driver changes its mind in the midst of a turn: no packet more is run. */
static uint64_t rounds_then;

static void take_away(struct fixture *fx)
{
	if (!rounds_then)
		grant(fx, NUMBER(3) | GPU_GRANT_OFF);
	rounds_then++;
}

static void test_it_stops_before_the_next_packet(void **state)
{
	/* Copies of a page, which the fixture tells of. */
	uint32_t copies[8 * 7];
	struct fixture *fx = *state;

	for (uint32_t i = 0; i < 8; i++) {
		const uint32_t copy[] = { 1, 4095, 0, FX_ADDR(FX_VA(FX_DATA)),
					  FX_ADDR(FX_VA(FX_DATA + 4096 * (i + 1))) };

		memcpy(copies + 7 * i, copy, sizeof(copy));
	}
	rounds_then = 0;
	fx->on_copy = take_away;
	add(fx, 0, GPU_QUEUE_SDMA, copies, VKF_ARRAY_SIZE(copies));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rounds_then, 1);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(3) | GPU_SHARE_ASKS);
	expect_share_irq(fx);
	/* It goes on there. */
	grant(fx, NUMBER(4));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(rounds_then, 8);
}

static void test_what_is_wanted_is_given_back_when_it_is_not_used(void **state)
{
	struct fixture *fx = *state;

	add_waiter(fx, 0);
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	grant(fx, NUMBER(1) | GPU_GRANT_WANTED);
	/* Who waits for memory uses it. */
	assert_int_equal(fx_run(fx), GPU_STEP_WAITING);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(1) | GPU_SHARE_USES);
	fx_expect_no_irq(fx);
	*fx_u64(fx, FLAGS - 8) = 1;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(n_done(fx, 0, 1), 1);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(1) | GPU_SHARE_IDLE);
	expect_share_irq(fx);
	/* From now on it has to ask, though nobody has said so. */
	add_writer(fx, 1);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(n_done(fx, 1, 1), 0);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(1) | GPU_SHARE_ASKS);
	expect_share_irq(fx);
	grant(fx, NUMBER(2));
	fx_run(fx);
	assert_int_equal(n_done(fx, 1, 1), 1);
}

static void test_a_question_waits_for_room_in_the_interrupt_ring(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->irq_wptr = GPU_IRQ_ENTRIES;
	grant(fx, NUMBER(1) | GPU_GRANT_OFF);
	add_writer(fx, 0);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WAITING);
	fx->ctrl->irq_rptr = GPU_IRQ_ENTRIES;
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	expect_share_irq(fx);
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	fx_expect_no_irq(fx);
}

/* What a queue has to tell of what it did before is told. */
static void test_stopped_queues_of_others_gpus_obey(void **state)
{
	struct fixture *fx = *state;
	struct gpu_ctrl_queue *cq = add_writer(fx, 0);

	grant(fx, NUMBER(1) | GPU_GRANT_OFF);
	assert_int_equal(fx_run(fx), 0);
	expect_share_irq(fx);
	fx_want(fx, cq, GPU_WANT_STOP);
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(cq->ack_seq, cq->want_seq);
	assert_int_equal(fx->ctrl->vm[0].answer, NUMBER(1) | GPU_SHARE_IDLE);
	expect_share_irq(fx);
	fx_want(fx, cq, GPU_WANT_RUN);
	assert_int_equal(fx_run(fx), 0);
	expect_share_irq(fx);
	grant(fx, NUMBER(2));
	fx_run(fx);
	assert_int_equal(n_done(fx, 0, 1), 1);
}

static void test_fewer_slots_count_at_once(void **state)
{
	struct fixture *fx = *state;
	uint64_t before[6];
	unsigned int n = 0;

	fx->ctrl->vm[0].cp_queues = 6;
	for (uint32_t i = 0; i < 6; i++)
		add_endless(fx, i);
	for (unsigned int step = 0; step < 5; step++)
		gpu_engine_step(fx->engine);
	fx->ctrl->vm[0].cp_queues = 2;
	gpu_engine_step(fx->engine);
	for (uint32_t i = 0; i < 6; i++)
		before[i] = *fx_u64(fx, FLAG(i));
	for (unsigned int step = 0; step < GPU_RUNLIST_TURNS / 2; step++)
		gpu_engine_step(fx->engine);
	for (uint32_t i = 0; i < 6; i++)
		n += *fx_u64(fx, FLAG(i)) != before[i];
	assert_int_equal(n, 2);
	/* And more, too. */
	fx->ctrl->vm[0].cp_queues = 6;
	fx->ctrl->cmd_seq++;
	gpu_engine_step(fx->engine);
	for (uint32_t i = 0; i < 6; i++)
		before[i] = *fx_u64(fx, FLAG(i));
	gpu_engine_step(fx->engine);
	for (uint32_t i = 0; i < 6; i++)
		assert_true(*fx_u64(fx, FLAG(i)) != before[i]);
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
		FX_TEST(test_nothing_runs_on_a_gpu_of_others),
		FX_TEST(test_a_ring_is_heard_and_asked_for),
		FX_TEST(test_it_stops_before_the_next_packet),
		FX_TEST(test_what_is_wanted_is_given_back_when_it_is_not_used),
		FX_TEST(test_a_question_waits_for_room_in_the_interrupt_ring),
		FX_TEST(test_stopped_queues_of_others_gpus_obey),
		FX_TEST(test_fewer_slots_count_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
