/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "packets.h"

#define DST FX_VA(FX_DATA)

static struct gpu_engine_config config_of(struct fixture *fx)
{
	return (struct gpu_engine_config){
		fx->ctrl, fx->pt, fx->arena, fx->bar, fx->engine->ops, fx
	};
}

static void test_another_magic_or_version_is_refused(void **state)
{
	struct fixture *fx = *state;
	struct gpu_engine_config config = config_of(fx);
	struct gpu_engine *engine = NULL;

	fx->ctrl->magic++;
	assert_int_equal(gpu_engine_init(fx->storage, &config, &engine), -EINVAL);
	fx->ctrl->magic--;
	fx->ctrl->version++;
	assert_int_equal(gpu_engine_init(fx->storage, &config, &engine), -EINVAL);
	assert_null(engine);
}

static void test_an_idle_engine_has_nothing_to_do(void **state)
{
	struct fixture *fx = *state;
	uint64_t seq = fx->ctrl->worker[0].seq;

	assert_int_equal(gpu_engine_step(fx->engine), 0);
	assert_false(gpu_engine_pending(fx->engine));
	/* And does not even begin a section. */
	assert_int_equal(fx->ctrl->worker[0].seq, seq);
}

static void test_a_ring_that_was_announced_counts(void **state)
{
	struct fixture *fx = *state;
	uint64_t door;

	fx_queue_at(fx, 1, GPU_QUEUE_SDMA, 0x9000, FX_IB, 4096);
	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_run(fx);
	door = fx->ctrl->queue[0].doorbell;
	FX_SDMA(fx, S_FENCE(DST, 1));
	*(uint64_t *)(fx->bar + door) = UINT64_MAX;
	assert_int_equal(gpu_engine_step(fx->engine), 0);
	gpu_engine_ring(fx->engine, door + 8);
	gpu_engine_ring(fx->engine, UINT64_MAX);
	gpu_engine_step(fx->engine);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
	gpu_engine_ring(fx->engine, door);
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_WORKED);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	assert_false(gpu_engine_pending(fx->engine));
}

static void test_quit_is_seen_at_once(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1));
	fx->ctrl->quit = 1;
	assert_true(gpu_engine_pending(fx->engine));
	assert_int_equal(gpu_engine_step(fx->engine), GPU_STEP_QUIT);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
}

static void test_the_state_is_published(void **state)
{
	struct fixture *fx = *state;

	gpu_engine_set_state(fx->engine, GPU_ENGINE_RUNNING);
	assert_int_equal(fx->ctrl->engine, GPU_ENGINE_RUNNING);
	gpu_engine_set_state(fx->engine, GPU_ENGINE_DEAD);
	assert_int_equal(fx->ctrl->engine, GPU_ENGINE_DEAD);
}

static void test_sizes_scribbled_later_do_not_count(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_map(fx, 0, 0x200000000, FX_ARENA_BYTES | GPU_BACKING_ARENA, FX_RW);
	fx->ctrl->arena_bytes = UINT64_MAX;
	fx->ctrl->bar_bytes = UINT64_MAX;
	fx->ctrl->pt_tables = UINT32_MAX;
	fx->ctrl->n_gpus = UINT32_MAX;
	fx->ctrl->n_queues = UINT32_MAX;
	FX_SDMA(fx, S_FENCE(DST, 1), S_FENCE(0x200000000, 1));
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 1);
	fx_expect_fault(fx, 0x200000000, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
}

static void test_more_gpus_than_there_is_room_for_do_not_count(void **state)
{
	struct fixture *fx = *state;
	struct gpu_engine_config config = config_of(fx);

	fx->ctrl->n_gpus = UINT32_MAX;
	memset(fx->storage, 0, gpu_engine_size());
	assert_int_equal(gpu_engine_init(fx->storage, &config, &fx->engine), 0);
	fx_queue(fx, GPU_QUEUE_SDMA)->gpu = GPU_MAX_GPUS;
	FX_SDMA(fx, S_FENCE(DST, 1));
	assert_int_equal(fx_run(fx), 0);
	fx_expect_no_irq(fx);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
}

static void test_slots_above_n_queues_are_not_looked_at(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1));
	fx->ctrl->n_queues = 0;
	assert_int_equal(fx_run(fx), 0);
	assert_int_equal(*fx_words(fx, FX_DATA), 0);
	assert_false(gpu_engine_pending(fx->engine));
}

/* What the driver does: entries away, then the generation, then wait for an even worker. */
static void unmap_target(struct fixture *fx)
{
	if (fx->copies != 2)
		return;
	assert_int_equal(fx->ctrl->worker[0].seq & 1, 1);
	fx_unmap(fx, 0, FX_VA(VKF_MIB(8) + VKF_MIB(3)));
	fx_invalidate(fx, 0);
}

static void test_an_unmap_is_honoured_at_the_next_section(void **state)
{
	struct fixture *fx = *state;

	fx_queue(fx, GPU_QUEUE_SDMA);
	fx_pattern(fx, FX_DATA, VKF_MIB(6), 1);
	/* The page is in the TLB, read by a first copy. */
	FX_SDMA(fx, S_COPY(FX_VA(VKF_MIB(11)), FX_VA(0x40000), 4));
	fx_run(fx);
	FX_SDMA(fx, S_COPY(DST, FX_VA(VKF_MIB(8)), VKF_MIB(6)));
	fx->on_copy = unmap_target;
	fx_run(fx);
	fx_expect_fault(fx, FX_VA(VKF_MIB(11)), GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	fx_check_pattern(fx, VKF_MIB(8), VKF_MIB(3), 1);
}

static void test_each_packet_is_a_section(void **state)
{
	struct fixture *fx = *state;
	uint64_t seq = fx->ctrl->worker[0].seq;

	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_NOP(0), S_NOP(0), S_NOP(0));
	fx_run(fx);
	/* Three, and a last look at each of the two steps that fx_run() made. */
	assert_int_equal(fx->ctrl->worker[0].seq - seq, 2 * 5);
}

static void test_the_storage_is_all_that_is_used(void **state)
{
	struct fixture *fx = *state;
	size_t size = gpu_engine_size();
	unsigned char *storage = aligned_alloc(64, VKF_ALIGN_UP(size + 64, 64));
	struct gpu_engine_config config = config_of(fx);
	struct gpu_engine *engine;

	memset(storage, 0, size);
	memset(storage + size, 0x5a, 64);
	assert_int_equal(gpu_engine_init(storage, &config, &engine), 0);
	fx_queue(fx, GPU_QUEUE_SDMA);
	FX_SDMA(fx, S_FENCE(DST, 1));
	assert_int_equal(gpu_engine_step(engine), GPU_STEP_WORKED);
	assert_int_equal(storage[size], 0x5a);
	free(storage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_another_magic_or_version_is_refused),
		FX_TEST(test_an_idle_engine_has_nothing_to_do),
		FX_TEST(test_a_ring_that_was_announced_counts),
		FX_TEST(test_quit_is_seen_at_once),
		FX_TEST(test_the_state_is_published),
		FX_TEST(test_sizes_scribbled_later_do_not_count),
		FX_TEST(test_more_gpus_than_there_is_room_for_do_not_count),
		FX_TEST(test_slots_above_n_queues_are_not_looked_at),
		FX_TEST(test_an_unmap_is_honoured_at_the_next_section),
		FX_TEST(test_each_packet_is_a_section),
		FX_TEST(test_the_storage_is_all_that_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
