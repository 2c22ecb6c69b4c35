/* SPDX-License-Identifier: MIT */
#include "machine_fixture.h"

#include "base/sched.h"

#define NS_STOP  (9000 * VKF_NSEC_PER_MSEC)
#define NS_QUIET (2000 * VKF_NSEC_PER_MSEC)
/* Memory for the tests' copies, beside the queue. */
#define DST_VA VKF_GIB(9)

static struct gpu_ctrl *ctrl(void)
{
	return fx.a.regions.ctrl;
}

/* A VM on GPU 0 with a queue, and a page for fences at DST_VA. */
struct world {
	struct mm_vm *vm;
	struct fx_queue fq;
	struct mm_bo *bo;
	struct mm_mapping *mapping;
	uint32_t *words;
};

static void world_open(struct world *w, uint64_t bytes)
{
	w->vm = fx_vm(0);
	fx_queue_open(&w->fq, w->vm, 0);
	w->bo = fx_bo(0, MM_BO_VRAM, bytes);
	w->mapping = fx_map(w->vm, 0, w->bo, DST_VA);
	w->words = fx_bytes(w->bo);
}

static void world_close(struct world *w)
{
	assert_int_equal(mm_vm_unmap(w->mapping, NULL), 0);
	mm_bo_put(w->bo);
	fx_queue_close(&w->fq);
	machine_client_set_vm(fx.a.mc, 0, NULL);
	mm_vm_destroy(w->vm);
}

/* ------------------------------------------------ making one */

static void the_control_block_tells_the_engine_its_machine(void **state)
{
	static const char *const sets[] = { "gpu.vram=256MiB", NULL };

	fx_open("fiji", sets);
	assert_int_equal(ctrl()->magic, GPU_CTRL_MAGIC);
	assert_int_equal(ctrl()->version, GPU_CTRL_VERSION);
	assert_int_equal(ctrl()->n_gpus, machine_profile(fx.m)->n_gpus);
	assert_int_equal(ctrl()->pt_tables, FX_PT_TABLES);
	assert_int_equal(ctrl()->arena_bytes, FX_ARENA_BYTES);
	assert_int_equal(ctrl()->bar_bytes, ctrl()->n_gpus * GPU_BAR_STRIDE);
	assert_int_equal(ctrl()->vm[0].clock_khz, 100000);
	assert_int_equal(ctrl()->vm[0].va_limit, (UINT64_C(1) << 40) - 1);
	assert_int_equal(ctrl()->vm[0].doorbell_bytes, 4);
	assert_int_equal(ctrl()->vm[0].dialect, GPU_DIALECT_GFX8);
	assert_int_equal(ctrl()->vm[0].cp_queues, 24);
	assert_int_equal(ctrl()->engine, GPU_ENGINE_NONE);
	assert_int_equal(ctrl()->quit, 0);
	fx_close();
	fx_open("mi210x2", sets);
	assert_int_equal(ctrl()->vm[1].va_limit, (UINT64_C(1) << 48) - 1);
	assert_int_equal(ctrl()->vm[1].doorbell_bytes, 8);
	fx_close();
}

static void regions_that_are_too_small_are_refused(void **state)
{
	struct machine_regions regions = fx.a.regions;
	struct machine_client *mc = NULL;

	regions.bar_bytes--;
	assert_int_equal(machine_client_create(fx.m, &regions, &mc), -EINVAL);
	regions = fx.a.regions;
	regions.pt_tables = 1;
	assert_int_equal(machine_client_create(fx.m, &regions, &mc), -EINVAL);
	regions = fx.a.regions;
	regions.arena_bytes = 0;
	assert_int_equal(machine_client_create(fx.m, &regions, &mc), -EINVAL);
	assert_null(mc);
}

static void without_memory_there_is_no_client_and_nothing_left(void **state)
{
	struct machine_client *mc = NULL;
	unsigned int n;

	for (n = 1;; n++) {
		int r;

		n_live_allocs = 0;
		fail_alloc(n);
		r = machine_client_create(fx.m, &fx.a.regions, &mc);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(n_live_allocs, 0);
	}
	assert_true(n > 1);
	machine_client_destroy(mc);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
}

static void the_engine_of_a_client_that_goes_is_told_to_quit(void **state)
{
	struct fx_client b;

	fx_client_open(&b);
	gpu_engine_set_state(b.engine, GPU_ENGINE_RUNNING);
	machine_client_destroy(b.mc);
	assert_int_equal(b.regions.ctrl->quit, 1);
	assert_int_equal(b.regions.ctrl->engine, GPU_ENGINE_DEAD);
	assert_true(gpu_engine_step(b.engine) & GPU_STEP_QUIT);
	b.mc = NULL;
	fx_client_close(&b);
}

static void a_client_knows_its_machine_and_memory(void **state)
{
	assert_ptr_equal(machine_client_machine(fx.a.mc), fx.m);
	assert_non_null(machine_client_mm(fx.a.mc));
}

static void the_engine_sees_a_vm_from_when_it_is_set(void **state)
{
	struct mm_vm *vm = NULL;
	uint32_t generation;

	assert_int_equal(mm_vm_create(machine_client_mm(fx.a.mc), machine_device(fx.m, 1), &vm), 0);
	assert_int_equal(ctrl()->vm[1].root, 0);
	generation = ctrl()->vm[1].generation;
	machine_client_set_vm(fx.a.mc, 1, vm);
	assert_int_equal(ctrl()->vm[1].root, mm_vm_root(vm));
	assert_int_equal(ctrl()->vm[0].root, 0);
	assert_true(ctrl()->vm[1].generation > generation);
	generation = ctrl()->vm[1].generation;
	machine_client_set_vm(fx.a.mc, 1, NULL);
	assert_int_equal(ctrl()->vm[1].root, 0);
	assert_true(ctrl()->vm[1].generation > generation);
	mm_vm_destroy(vm);
}

/* ------------------------------------------------ queues */

static void a_queue_runs_from_when_it_is_loaded(void **state)
{
	struct world w;
	int slot;

	world_open(&w, VKF_MIB(1));
	FX_PUT(&w.fq, FX_FENCE(DST_VA, 0x1234));
	slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
	assert_int_equal(slot, 0);
	fx_engine_start();
	fx_run();
	assert_int_equal(w.words[0], 0x1234);
	assert_int_equal(*w.fq.rptr, *w.fq.wptr);
	assert_int_equal(machine_queue_packets(fx.a.mc, slot), 1);
	assert_int_equal(machine_queue_error(fx.a.mc, slot), GPU_QERR_NONE);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void a_queue_that_is_loaded_stopped_waits_for_run(void **state)
{
	struct world w;
	int slot;

	world_open(&w, VKF_MIB(1));
	FX_PUT(&w.fq, FX_FENCE(DST_VA, 1));
	slot = machine_queue_load(fx.a.mc, &w.fq.q, false);
	fx_engine_start();
	fx_run();
	assert_int_equal(w.words[0], 0);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, true), 0);
	fx_run();
	assert_int_equal(w.words[0], 1);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	FX_PUT(&w.fq, FX_FENCE(DST_VA, 2));
	fx_run();
	assert_int_equal(w.words[0], 1);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void a_slot_says_what_the_queue_is(void **state)
{
	struct machine_queue q = {
		.type = GPU_QUEUE_AQL,
		.gpu = 1,
		.queue_id = 42,
		.doorbell = 0x18,
		.ring_va = 0x1000,
		.ring_bytes = 8192,
		.rptr_va = 0x2000,
		.wptr_va = 0x3000,
		.priority = 11,
	};
	uint32_t cmd = ctrl()->cmd_seq;
	int slot = machine_queue_load(fx.a.mc, &q, false);
	const struct gpu_ctrl_queue *hw = &ctrl()->queue[slot];

	assert_int_equal(hw->type, GPU_QUEUE_AQL);
	assert_int_equal(hw->priority, 11);
	machine_queue_set_priority(fx.a.mc, slot, 3);
	assert_int_equal(hw->priority, 3);
	assert_int_equal(hw->gpu, 1);
	assert_int_equal(hw->queue_id, 42);
	/* In the BAR region, where each GPU has its slice. */
	assert_int_equal(hw->doorbell, GPU_BAR_STRIDE + 0x18);
	assert_int_equal(hw->ring_va, 0x1000);
	assert_int_equal(hw->ring_bytes, 8192);
	assert_int_equal(hw->rptr_va, 0x2000);
	assert_int_equal(hw->wptr_va, 0x3000);
	assert_int_equal(hw->want, GPU_WANT_STOP);
	assert_true(ctrl()->n_queues > (uint32_t)slot);
	assert_true(ctrl()->cmd_seq > cmd);
	machine_queue_set_ring(fx.a.mc, slot, 0x5000, 4096);
	assert_int_equal(hw->ring_va, 0x5000);
	assert_int_equal(hw->ring_bytes, 4096);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	assert_int_equal(hw->want, GPU_WANT_NONE);
}

static void slots_are_the_lowest_free_and_run_out(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };

	for (int i = 0; i < GPU_MAX_QUEUES; i++)
		assert_int_equal(machine_queue_load(fx.a.mc, &q, false), i);
	assert_int_equal(machine_queue_load(fx.a.mc, &q, false), -ENOSPC);
	assert_int_equal(ctrl()->n_queues, GPU_MAX_QUEUES);
	assert_int_equal(machine_queue_unload(fx.a.mc, 500), 0);
	assert_int_equal(machine_queue_unload(fx.a.mc, 7), 0);
	assert_int_equal(machine_queue_load(fx.a.mc, &q, false), 7);
	assert_int_equal(machine_queue_load(fx.a.mc, &q, false), 500);
	assert_int_equal(machine_queue_load(fx.a.mc, &q, false), -ENOSPC);
	for (int i = 0; i < GPU_MAX_QUEUES; i++)
		assert_int_equal(machine_queue_unload(fx.a.mc, i), 0);
}

static void a_slot_loaded_again_with_the_same_ring_starts_anew(void **state)
{
	struct world w;

	world_open(&w, VKF_MIB(1));
	fx_engine_start();
	for (uint32_t i = 1; i <= 3; i++) {
		int slot;

		*w.fq.wptr = *w.fq.rptr = w.fq.written = 0;
		slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
		assert_int_equal(slot, 0);
		/* As many words as before: the write pointer ends where it was. */
		FX_PUT(&w.fq, FX_FENCE(DST_VA, i));
		fx_run();
		assert_int_equal(w.words[0], i);
		assert_int_equal(machine_queue_packets(fx.a.mc, slot), 1);
		/* The engine sees the stop, but not the freeing, before the next one is there. */
		assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	}
	world_close(&w);
}

static void a_queue_stopped_in_a_copy_and_unloaded_leaves_its_slot_clean(void **state)
{
	struct world w;
	int slot;

	world_open(&w, VKF_MIB(64));
	memset(w.words, 0x11, VKF_MIB(32));
	fx_engine_start();
	FX_PUT(&w.fq, FX_COPY(DST_VA, DST_VA + VKF_MIB(32), VKF_MIB(32)));
	slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
	gpu_engine_step(fx.a.engine);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	/* The next queue has the same ring and begins the same copy: from its first byte. */
	memset((char *)w.words + VKF_MIB(32), 0, VKF_MIB(32));
	assert_int_equal(machine_queue_load(fx.a.mc, &w.fq.q, true), slot);
	fx_run();
	assert_memory_equal((char *)w.words + VKF_MIB(32), w.words, VKF_MIB(32));
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void a_stop_in_the_middle_of_a_copy_holds_until_run(void **state)
{
	struct world w;
	unsigned char *dst;
	int slot;

	world_open(&w, VKF_MIB(64));
	dst = (unsigned char *)w.words + VKF_MIB(32);
	memset(w.words, 0x77, VKF_MIB(32));
	fx_engine_start();
	FX_PUT(&w.fq, FX_COPY(DST_VA, DST_VA + VKF_MIB(32), VKF_MIB(32)));
	slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
	assert_true(gpu_engine_step(fx.a.engine) & GPU_STEP_WORKED);
	assert_int_equal(dst[0], 0x77);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	assert_int_equal(dst[VKF_MIB(32) - 1], 0);
	fx_run();
	/* Nothing of the queue executes any more, so its memory may be moved. */
	assert_int_equal(dst[VKF_MIB(32) - 1], 0);
	assert_int_equal(machine_queue_packets(fx.a.mc, slot), 0);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, true), 0);
	fx_run();
	assert_memory_equal(dst, w.words, VKF_MIB(32));
	assert_int_equal(machine_queue_packets(fx.a.mc, slot), 1);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void a_bad_packet_is_an_error_of_its_queue_until_it_is_made_anew(void **state)
{
	struct world w;
	struct gpu_irq irq;
	int slot;

	world_open(&w, VKF_MIB(1));
	fx_engine_start();
	FX_PUT(&w.fq, FX_FENCE(DST_VA, 1), 0xee);
	slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
	fx_run();
	assert_int_equal(machine_queue_error(fx.a.mc, slot), GPU_QERR_PACKET);
	assert_int_equal(machine_queue_packets(fx.a.mc, slot), 1);
	assert_true(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(irq.type, GPU_IRQ_BAD_PACKET);
	assert_int_equal(irq.slot, slot);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, true), 0);
	fx_run();
	assert_int_equal(machine_queue_error(fx.a.mc, slot), GPU_QERR_PACKET);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	*w.fq.wptr = w.fq.written = 0;
	FX_PUT(&w.fq, FX_FENCE(DST_VA, 2));
	assert_int_equal(machine_queue_load(fx.a.mc, &w.fq.q, true), slot);
	assert_int_equal(machine_queue_error(fx.a.mc, slot), GPU_QERR_NONE);
	fx_run();
	assert_int_equal(w.words[0], 2);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void two_clients_have_slots_and_engines_of_their_own(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	struct fx_client b;

	fx_client_open(&b);
	assert_int_equal(machine_queue_load(fx.a.mc, &q, false), 0);
	assert_int_equal(machine_queue_load(b.mc, &q, false), 0);
	assert_int_equal(machine_queue_unload(b.mc, 0), 0);
	assert_int_equal(ctrl()->queue[0].want, GPU_WANT_STOP);
	assert_int_equal(machine_queue_unload(fx.a.mc, 0), 0);
	fx_client_close(&b);
}

/* ------------------------------------------------ engines that sleep, hang, or are not there */

static void where_no_engine_is_nobody_waits(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slot = machine_queue_load(fx.a.mc, &q, true);
	uint64_t begin = fx_now();

	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	ctrl()->engine = GPU_ENGINE_DEAD;
	slot = machine_queue_load(fx.a.mc, &q, true);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	assert_int_equal(fx_now(), begin);
	assert_int_equal(fx.a.n_wakes, 0);
}

static void only_an_engine_that_sleeps_is_woken_and_only_for_work(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	uint32_t told;
	int slot;

	fx_engine_start();
	slot = machine_queue_load(fx.a.mc, &q, true);
	assert_int_equal(fx.a.n_wakes, 0);
	ctrl()->engine = GPU_ENGINE_ASLEEP;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, true), 0);
	assert_int_equal(fx.a.n_wakes, 1);
	told = ctrl()->cmd_seq;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	assert_int_equal(fx.a.n_wakes, 1);
	/* The two stops and the freeing it is told, for when it wakes for something else. */
	assert_int_equal(ctrl()->cmd_seq, told + 3);
}

static void an_engine_that_sleeps_is_not_waited_for_and_runs_nothing_when_it_wakes(void **state)
{
	uint64_t begin;
	struct world w;
	int slot;

	world_open(&w, VKF_MIB(1));
	w.words[0] = 0;
	fx_engine_start();
	slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
	fx_run();
	gpu_engine_set_state(fx.a.engine, GPU_ENGINE_ASLEEP);
	begin = fx_now();
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	assert_int_equal(fx_now(), begin);
	FX_PUT(&w.fq, FX_FENCE(DST_VA, 1));
	assert_true(gpu_engine_pending(fx.a.engine));
	gpu_engine_set_state(fx.a.engine, GPU_ENGINE_RUNNING);
	fx_run();
	assert_int_equal(w.words[0], 0);
	assert_int_equal(machine_queue_run(fx.a.mc, slot, true), 0);
	fx_run();
	assert_int_equal(w.words[0], 1);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void expect_abandoned(uint64_t waited, uint64_t limit)
{
	assert_true(waited >= limit);
	assert_true(waited < limit + limit / 10);
	assert_int_equal(ctrl()->quit, 1);
	assert_int_equal(ctrl()->engine, GPU_ENGINE_DEAD);
	assert_true(fx.a.n_wakes >= 1);
}

static void an_engine_that_never_answers_is_given_up_in_time(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slot = machine_queue_load(fx.a.mc, &q, true);
	uint64_t begin = fx_now();

	ctrl()->engine = GPU_ENGINE_RUNNING;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), -ETIME);
	expect_abandoned(fx_now() - begin, NS_STOP);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
}

/* Whether every slot was told, by the first time that one is waited for. */
static unsigned int n_told;

static void all_stop_and_then_answer(struct machine_fixture *f)
{
	struct gpu_ctrl *c = f->a.regions.ctrl;

	if (!n_told)
		for (unsigned int i = 0; i < 8; i++)
			n_told += c->queue[i].want == GPU_WANT_STOP;
	for (unsigned int i = 0; i < 8; i++)
		c->queue[i].ack_seq = c->queue[i].want_seq;
}

static void many_queues_are_all_told_before_one_is_waited_for(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slots[8];

	for (int i = 0; i < 8; i++) {
		slots[i] = machine_queue_load(fx.a.mc, &q, true);
		assert_int_equal(slots[i], i);
	}
	ctrl()->engine = GPU_ENGINE_RUNNING;
	n_told = 0;
	fx.on_wait = all_stop_and_then_answer;
	assert_int_equal(machine_queues_run(fx.a.mc, slots + 1, 7, false), 0);
	fx.on_wait = NULL;
	assert_int_equal(n_told, 7);
	assert_int_equal(ctrl()->queue[0].want, GPU_WANT_RUN);
	assert_int_equal(machine_queues_run(fx.a.mc, slots, 0, false), 0);
	assert_int_equal(machine_queues_run(fx.a.mc, slots + 1, 7, true), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(ctrl()->queue[i].want, GPU_WANT_RUN);
	ctrl()->engine = GPU_ENGINE_DEAD;
	for (int i = 0; i < 8; i++)
		assert_int_equal(machine_queue_unload(fx.a.mc, i), 0);
}

/* All but the last answer: the time is that of one. */
static void one_stays_behind(struct machine_fixture *f)
{
	struct gpu_ctrl *c = f->a.regions.ctrl;

	for (unsigned int i = 0; i < 7; i++)
		c->queue[i].ack_seq = c->queue[i].want_seq;
}

static void many_queues_are_given_up_in_the_time_of_one(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	uint64_t begin;
	int slots[8];

	for (int i = 0; i < 8; i++)
		slots[i] = machine_queue_load(fx.a.mc, &q, true);
	ctrl()->engine = GPU_ENGINE_RUNNING;
	begin = fx_now();
	fx.on_wait = one_stays_behind;
	assert_int_equal(machine_queues_run(fx.a.mc, slots, 8, false), -ETIME);
	fx.on_wait = NULL;
	expect_abandoned(fx_now() - begin, NS_STOP);
	for (int i = 0; i < 8; i++)
		assert_int_equal(machine_queue_unload(fx.a.mc, slots[i]), 0);
}

/* What the program writes there is not what is waited for. */
static void the_programs_want_seq_is_not_believed(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slot = machine_queue_load(fx.a.mc, &q, true);

	ctrl()->engine = GPU_ENGINE_RUNNING;
	ctrl()->queue[slot].want_seq = 99;
	ctrl()->queue[slot].ack_seq = 100;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), -ETIME);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
}

static void an_engine_given_up_is_not_believed_again(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slot = machine_queue_load(fx.a.mc, &q, true);
	uint64_t begin;

	ctrl()->engine = GPU_ENGINE_RUNNING;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), -ETIME);
	begin = fx_now();
	ctrl()->engine = GPU_ENGINE_RUNNING;
	ctrl()->worker[0].seq = 1;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	machine_client_set_vm(fx.a.mc, 0, NULL);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	assert_int_equal(fx_now(), begin);
}

static void a_slot_is_free_even_if_its_engine_did_not_answer(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slot = machine_queue_load(fx.a.mc, &q, true);

	ctrl()->engine = GPU_ENGINE_RUNNING;
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), -ETIME);
	assert_int_equal(ctrl()->queue[slot].want, GPU_WANT_NONE);
	assert_int_equal(machine_queue_load(fx.a.mc, &q, true), slot);
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
}

static void engine_dies(struct machine_fixture *f)
{
	f->a.regions.ctrl->engine = GPU_ENGINE_DEAD;
}

static void engine_is_declared_gone(struct machine_fixture *f)
{
	machine_client_engine_gone(f->a.mc);
	/* A program that writes there does not bring it back. */
	f->a.regions.ctrl->engine = GPU_ENGINE_RUNNING;
}

static void a_wait_ends_when_its_engine_dies(void **state)
{
	struct machine_queue q = { .type = GPU_QUEUE_SDMA };
	int slot = machine_queue_load(fx.a.mc, &q, true);
	uint64_t begin = fx_now();

	ctrl()->engine = GPU_ENGINE_RUNNING;
	fx.on_wait = engine_dies;
	assert_int_equal(machine_queue_run(fx.a.mc, slot, false), 0);
	ctrl()->engine = GPU_ENGINE_RUNNING;
	fx.on_wait = engine_is_declared_gone;
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	assert_int_equal(ctrl()->quit, 1);
	assert_true(fx_now() - begin < VKF_NSEC_PER_MSEC);
	fx.on_wait = NULL;
}

/* ------------------------------------------------ quiescence */

static unsigned int n_waits;
static uint32_t generation_then;

/* The worker leaves its instruction when it has been waited for a while. */
static void worker_moves_on(struct machine_fixture *f)
{
	struct gpu_ctrl *c = f->a.regions.ctrl;

	n_waits++;
	generation_then = c->vm[0].generation;
	if (n_waits == 300)
		c->worker[2].seq++;
}

static void worker_enters_the_next(struct machine_fixture *f)
{
	n_waits++;
	f->a.regions.ctrl->worker[2].seq += 2;
}

static void an_unmap_waits_for_a_worker_inside_an_instruction(void **state)
{
	struct mm_vm *vm = fx_vm(0);
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(1));
	struct mm_mapping *m = fx_map(vm, 0, bo, DST_VA);
	uint32_t generation = ctrl()->vm[0].generation;

	n_waits = 0;
	ctrl()->engine = GPU_ENGINE_RUNNING;
	ctrl()->worker[2].seq = 5;
	fx.on_wait = worker_moves_on;
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	fx.on_wait = NULL;
	assert_int_equal(n_waits, 300);
	assert_int_equal(ctrl()->worker[2].seq, 6);
	/* The generation had moved before anybody was waited for. */
	assert_true(generation_then > generation);
	assert_int_equal(ctrl()->quit, 0);
	mm_bo_put(bo);
	mm_vm_destroy(vm);
}

static void a_worker_in_its_next_instruction_has_left_the_first(void **state)
{
	n_waits = 0;
	ctrl()->engine = GPU_ENGINE_RUNNING;
	ctrl()->worker[2].seq = 5;
	fx.on_wait = worker_enters_the_next;
	machine_client_set_vm(fx.a.mc, 0, NULL);
	fx.on_wait = NULL;
	assert_int_equal(n_waits, 1);
	assert_int_equal(ctrl()->worker[2].seq, 7);
}

static void workers_outside_are_not_waited_for(void **state)
{
	uint64_t begin = fx_now();

	ctrl()->engine = GPU_ENGINE_RUNNING;
	for (int i = 0; i < GPU_MAX_WORKERS; i++)
		ctrl()->worker[i].seq = 2 * (uint64_t)i;
	machine_client_set_vm(fx.a.mc, 0, NULL);
	/* Nor one of an engine that is not there. */
	ctrl()->engine = GPU_ENGINE_NONE;
	ctrl()->worker[0].seq = 1;
	machine_client_set_vm(fx.a.mc, 0, NULL);
	assert_int_equal(fx_now(), begin);
}

static void a_worker_that_never_leaves_costs_the_engine(void **state)
{
	uint64_t begin = fx_now();

	ctrl()->engine = GPU_ENGINE_RUNNING;
	for (int i = 0; i < GPU_MAX_WORKERS; i++)
		ctrl()->worker[i].seq = 1;
	machine_client_set_vm(fx.a.mc, 0, NULL);
	/* All four for the price of one. */
	expect_abandoned(fx_now() - begin, NS_QUIET);
}

/* ------------------------------------------------ the event page */

static void the_event_page_is_where_the_engine_looks(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_GTT, 32768);
	const uint64_t *slots = fx_bytes(bo);

	assert_false(machine_client_has_event_page(fx.a.mc));
	machine_client_set_event_page(fx.a.mc, bo, 4096);
	assert_true(machine_client_has_event_page(fx.a.mc));
	assert_int_equal(ctrl()->event_page, mm_bo_arena(bo).v + 1);
	assert_int_equal(ctrl()->event_slots, 4096);
	assert_int_equal(slots[0], UINT64_MAX);
	assert_int_equal(slots[4095], UINT64_MAX);
	assert_int_equal(fx.a.filled_len, 32768);
	machine_client_set_event_page(fx.a.mc, NULL, 4096);
	assert_false(machine_client_has_event_page(fx.a.mc));
	assert_int_equal(ctrl()->event_slots, 0);
	mm_bo_put(bo);
}

/* ------------------------------------------------ interrupts */

static void push(struct gpu_irq irq)
{
	ctrl()->irq[ctrl()->irq_wptr % GPU_IRQ_ENTRIES] = irq;
	ctrl()->irq_wptr++;
}

static void interrupts_come_in_order(void **state)
{
	struct gpu_irq irq;

	assert_false(machine_irq_next(fx.a.mc, &irq));
	for (uint32_t i = 0; i < GPU_IRQ_ENTRIES; i++)
		push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .gpu = i & 1, .ctx = i });
	for (uint32_t i = 0; i < GPU_IRQ_ENTRIES; i++) {
		assert_true(machine_irq_next(fx.a.mc, &irq));
		assert_int_equal(irq.ctx, i);
		assert_int_equal(irq.gpu, i & 1);
		/* The engine may use the place again. */
		assert_int_equal(ctrl()->irq_rptr, i + 1);
	}
	assert_false(machine_irq_next(fx.a.mc, &irq));
}

static void the_engines_interrupt_arrives(void **state)
{
	struct world w;
	struct gpu_irq irq;
	int slot;

	world_open(&w, VKF_MIB(1));
	fx_engine_start();
	FX_PUT(&w.fq, FX_TRAP(77));
	slot = machine_queue_load(fx.a.mc, &w.fq.q, true);
	fx_run();
	assert_int_equal(fx.n_irq_calls, 1);
	assert_true(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(irq.type, GPU_IRQ_EVENT);
	assert_int_equal(irq.ctx, 77);
	assert_int_equal(irq.gpu, 0);
	assert_int_equal(irq.slot, slot);
	assert_false(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(machine_queue_unload(fx.a.mc, slot), 0);
	world_close(&w);
}

static void interrupts_of_gpus_and_slots_that_are_not_are_dropped(void **state)
{
	struct gpu_irq irq = { 0 };

	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .gpu = 2, .ctx = 1 });
	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .gpu = UINT32_MAX, .ctx = 2 });
	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .slot = GPU_MAX_QUEUES, .ctx = 3 });
	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .slot = UINT32_MAX, .ctx = 4 });
	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .gpu = 1, .slot = 1023, .ctx = 5 });
	assert_true(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(irq.ctx, 5);
	assert_false(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(ctrl()->irq_rptr, 5);
}

static void pointers_that_were_scribbled_over_are_not_followed(void **state)
{
	struct gpu_irq irq;

	/* What the ring cannot hold was not put there by an engine. */
	ctrl()->irq_wptr = GPU_IRQ_ENTRIES + 1;
	assert_false(machine_irq_next(fx.a.mc, &irq));
	ctrl()->irq_wptr -= 5;
	assert_false(machine_irq_next(fx.a.mc, &irq));
	ctrl()->irq_rptr = 123456;
	assert_false(machine_irq_next(fx.a.mc, &irq));
	push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .ctx = 9 });
	assert_true(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(irq.ctx, 9);
	assert_int_equal(ctrl()->irq_rptr, ctrl()->irq_wptr);
}

static void the_ring_goes_round_the_32_bit_pointers(void **state)
{
	struct gpu_irq irq;

	ctrl()->irq_wptr = UINT32_MAX - 1;
	assert_false(machine_irq_next(fx.a.mc, &irq));
	assert_int_equal(ctrl()->irq_rptr, UINT32_MAX - 1);
	for (uint32_t i = 0; i < 4; i++)
		push((struct gpu_irq){ .type = GPU_IRQ_EVENT, .ctx = i });
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(machine_irq_next(fx.a.mc, &irq));
		assert_int_equal(irq.ctx, i);
	}
	assert_false(machine_irq_next(fx.a.mc, &irq));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_control_block_tells_the_engine_its_machine),
		FX_TEST(regions_that_are_too_small_are_refused),
		FX_TEST(without_memory_there_is_no_client_and_nothing_left),
		FX_TEST(the_engine_of_a_client_that_goes_is_told_to_quit),
		FX_TEST(a_client_knows_its_machine_and_memory),
		FX_TEST(the_engine_sees_a_vm_from_when_it_is_set),
		FX_TEST(a_queue_runs_from_when_it_is_loaded),
		FX_TEST(a_queue_that_is_loaded_stopped_waits_for_run),
		FX_TEST(a_slot_says_what_the_queue_is),
		FX_TEST(slots_are_the_lowest_free_and_run_out),
		FX_TEST(a_slot_loaded_again_with_the_same_ring_starts_anew),
		FX_TEST(a_queue_stopped_in_a_copy_and_unloaded_leaves_its_slot_clean),
		FX_TEST(a_stop_in_the_middle_of_a_copy_holds_until_run),
		FX_TEST(a_bad_packet_is_an_error_of_its_queue_until_it_is_made_anew),
		FX_TEST(two_clients_have_slots_and_engines_of_their_own),
		FX_TEST(where_no_engine_is_nobody_waits),
		FX_TEST(only_an_engine_that_sleeps_is_woken_and_only_for_work),
		FX_TEST(an_engine_that_sleeps_is_not_waited_for_and_runs_nothing_when_it_wakes),
		FX_TEST(an_engine_that_never_answers_is_given_up_in_time),
		FX_TEST(many_queues_are_all_told_before_one_is_waited_for),
		FX_TEST(many_queues_are_given_up_in_the_time_of_one),
		FX_TEST(the_programs_want_seq_is_not_believed),
		FX_TEST(an_engine_given_up_is_not_believed_again),
		FX_TEST(a_slot_is_free_even_if_its_engine_did_not_answer),
		FX_TEST(a_wait_ends_when_its_engine_dies),
		FX_TEST(an_unmap_waits_for_a_worker_inside_an_instruction),
		FX_TEST(a_worker_in_its_next_instruction_has_left_the_first),
		FX_TEST(workers_outside_are_not_waited_for),
		FX_TEST(a_worker_that_never_leaves_costs_the_engine),
		FX_TEST(the_event_page_is_where_the_engine_looks),
		FX_TEST(interrupts_come_in_order),
		FX_TEST(the_engines_interrupt_arrives),
		FX_TEST(interrupts_of_gpus_and_slots_that_are_not_are_dropped),
		FX_TEST(pointers_that_were_scribbled_over_are_not_followed),
		FX_TEST(the_ring_goes_round_the_32_bit_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
