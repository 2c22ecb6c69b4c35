/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"
#include "mm/move.h"
#include "mm/vm_change.h"
#include "mm/vm_update.h"

#define VA VKF_GIB(4)
#define P  VKF_PAGE_SIZE

static struct mm_fixture f;
static struct mm_vm *vm;
static const struct mm_pte_attr rw = { .writeable = true, .mtype = 1, .mtype_system = 3 };

static int setup(void **state)
{
	struct mm_fixture_config config = { .pt_tables = 512 };

	mm_fixture_init(&f, &config);
	vm = mm_fixture_vm(&f, 0);
	return 0;
}

static int teardown(void **state)
{
	vkf_env_set(NULL);
	mm_fixture_check(&f);
	mm_fixture_fini(&f);
	return 0;
}

static struct mm_bo *create(uint64_t size, bool shared)
{
	struct mm_bo_params params = {
		.kind = MM_BO_VRAM, .size = size, .vm = shared ? vm : NULL, .charge_as_gtt = true
	};
	struct mm_bo *bo = NULL;

	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &bo), 0);
	return bo;
}

static void map(uint64_t va, struct mm_bo *bo)
{
	const struct mm_vm_change change = {
		.op = MM_VA_MAP, .va = { va }, .bytes = bo->size, .bo = bo, .attr = rw
	};

	assert_int_equal(mm_vm_change(vm, &change, NULL), 0);
}

static void move_to(struct mm_bo *bo, struct mm_manager *to)
{
	static const struct mm_placement anywhere;
	const struct mm_op op = { 0 };

	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	assert_int_equal(mm_bo_move_locked(bo, to, &anywhere, &op, MM_MOVE_KEEP_OLD), 0);
	mm_resv_unlock(bo->resv);
}

/* Of mappings; all tables are where they belong. */
static uint64_t count(enum mm_vm_state state)
{
	uint64_t tables = state == MM_VM_IDLE ? vm->pt.n_tables : 0;

	return mm_vm_lists_count(&vm->lists, state) - tables;
}

static bool leads_to_system(uint64_t va)
{
	uint64_t entry = mm_fixture_walk(&f.a, vm, va).entry;

	assert_true(entry & 1);
	return pte_gfx9_get_system(entry);
}

static struct mm_vm_work prepare(void)
{
	struct mm_vm_work work;

	assert_int_equal(mm_vm_prepare(vm, &work), 0);
	return work;
}

/* ------------------------------------------------ lists follow moves */

static void a_shared_buffer_that_is_evicted_comes_back(void **state)
{
	struct mm_bo *bo = create(VKF_MIB(1), true);
	struct mm_vm_work work;

	map(VA, bo);
	assert_int_equal(count(MM_VM_IDLE), 1);
	move_to(bo, &f.dev[0]->gtt.man);
	assert_int_equal(count(MM_VM_EVICTED), 1);
	assert_false(leads_to_system(VA));
	work = prepare();
	assert_int_equal(work.n_validated, 1);
	assert_int_equal(work.n_written, 1);
	assert_true(mm_bo_in_vram(bo));
	assert_false(leads_to_system(VA));
	assert_int_equal(count(MM_VM_IDLE), 1);
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void one_without_room_is_written_where_it_is(void **state)
{
	struct mm_bo *bo = create(VKF_MIB(100), true), *pinned;
	struct mm_vm_work work;

	map(VA, bo);
	move_to(bo, &f.dev[0]->gtt.man);
	pinned = create(VKF_MIB(200), false);
	assert_int_equal(mm_bo_pin(pinned), 0);
	work = prepare();
	assert_int_equal(work.n_validated, 1);
	assert_true(leads_to_system(VA));
	assert_int_equal(count(MM_VM_EVICTED), 1);
	mm_fixture_check(&f);
	/* It is tried again each time, and written when it is there. */
	prepare();
	assert_true(leads_to_system(VA));
	mm_bo_unpin(pinned);
	mm_bo_put(pinned);
	prepare();
	assert_false(leads_to_system(VA));
	assert_int_equal(count(MM_VM_IDLE), 1);
	mm_bo_put(bo);
}

static void another_buffer_is_written_where_it_is(void **state)
{
	struct mm_bo *bo = create(VKF_MIB(1), false);

	map(VA, bo);
	assert_int_equal(count(MM_VM_DONE), 1);
	move_to(bo, &f.dev[0]->gtt.man);
	assert_int_equal(count(MM_VM_INVALIDATED), 1);
	assert_int_equal(prepare().n_written, 1);
	assert_true(leads_to_system(VA));
	assert_int_equal(count(MM_VM_DONE), 1);
	mm_bo_put(bo);
}

static void what_no_gpu_reaches_has_no_entries(void **state)
{
	struct mm_bo *bo = create(VKF_MIB(1), false);

	map(VA, bo);
	move_to(bo, &f.system->swap.man);
	prepare();
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry, 0);
	assert_int_equal(count(MM_VM_INVALIDATED), 1);
	mm_fixture_check(&f);
	move_to(bo, &f.dev[0]->vram.man);
	prepare();
	assert_false(leads_to_system(VA));
	mm_bo_put(bo);
}

/* ------------------------------------------------ who has it locked */

static struct mm_bo *held;
static atomic_bool is_held, let_go;

static void hold(void *arg)
{
	assert_int_equal(mm_resv_lock(held->resv, false), 0);
	atomic_store(&is_held, true);
	while (!atomic_load(&let_go))
		vkf_sleep_ns(100000, false);
	mm_resv_unlock(held->resv);
}

static void what_somebody_else_has_locked_is_cleared_until_it_is_wanted(void **state)
{
	struct mm_vm_work work;
	struct vkf_task *task;

	host_sched_install();
	held = create(VKF_MIB(1), false);
	map(VA, held);
	move_to(held, &f.dev[0]->gtt.man);
	atomic_store(&is_held, false);
	atomic_store(&let_go, false);
	assert_int_equal(vkf_spawn("hold", hold, NULL, &task), 0);
	while (!atomic_load(&is_held))
		vkf_sleep_ns(100000, false);
	work = prepare();
	atomic_store(&let_go, true);
	vkf_join(task);
	vkf_sched_set(NULL);
	assert_int_equal(work.n_cleared, 1);
	assert_int_equal(work.n_written, 0);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry, 0);
	assert_int_equal(count(MM_VM_DONE), 1);
	mm_fixture_check(&f);
	/* Nothing is left to do, unless work names the buffer. */
	assert_int_equal(prepare().n_written, 0);
	assert_int_equal(mm_vm_prepare_bo(vm, held), 0);
	assert_true(leads_to_system(VA));
	assert_int_equal(mm_vm_sync_all(vm, false), 0);
	mm_bo_put(held);
}

/* ------------------------------------------------ cost */

static uint64_t n_allocs;

static void *tallying_zalloc(size_t size)
{
	n_allocs++;
	return calloc(1, size);
}

static void plain_free(void *p)
{
	free(p);
}

/* struct cost - of one preparation, in things done rather than time */
struct cost {
	struct mm_vm_work work;
	uint64_t allocs;
	unsigned int invalidations;
};

static struct cost cost_with(unsigned int n, bool moves)
{
	static const struct vkf_env_ops tally = { tallying_zalloc, plain_free, no_fault };
	struct mm_bo **bos = calloc(n, sizeof(struct mm_bo *));
	struct cost c;

	for (unsigned int i = 0; i < n; i++) {
		bos[i] = create(P, true);
		map(VA + i * P, bos[i]);
	}
	prepare();
	for (unsigned int i = 0; i < 3 && moves; i++)
		move_to(bos[i], &f.dev[0]->gtt.man);
	c.invalidations = f.a.n_invalidated[0];
	n_allocs = 0;
	vkf_env_set(&tally);
	c.work = prepare();
	vkf_env_set(NULL);
	c.allocs = n_allocs;
	c.invalidations = f.a.n_invalidated[0] - c.invalidations;
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(mm_vm_change(vm,
					      &(struct mm_vm_change){ .op = MM_VA_UNMAP,
								      .va = { VA + i * P },
								      .bo = bos[i] },
					      NULL),
				 0);
		mm_bo_put(bos[i]);
	}
	free(bos);
	return c;
}

static void preparing_costs_what_changed_and_not_what_is_mapped(void **state)
{
	struct cost few, many;

	for (unsigned int moves = 0; moves < 2; moves++) {
		few = cost_with(10, moves);
		many = cost_with(10000, moves);
		assert_int_equal(few.work.n_validated, moves ? 3 : 0);
		assert_int_equal(few.work.n_written, moves ? 3 : 0);
		assert_memory_equal(&few.work, &many.work, sizeof(few.work));
		assert_int_equal(few.allocs, many.allocs);
		assert_int_equal(few.invalidations, many.invalidations);
		assert_true(moves || !few.allocs);
	}
}

static void without_memory_the_rest_is_still_to_be_done(void **state)
{
	struct mm_bo *a = create(VKF_MIB(1), true), *b = create(VKF_MIB(1), false);
	unsigned int n = 0;
	int r;

	map(VA, a);
	map(VA + VKF_MIB(1), b);
	move_to(a, &f.dev[0]->gtt.man);
	move_to(b, &f.dev[0]->gtt.man);
	do {
		fail_alloc(++n);
		r = mm_vm_prepare(vm, NULL);
		vkf_env_set(NULL);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true(r == 0 || mm_vm_lists_is_stale(&vm->lists));
		mm_fixture_check(&f);
		/* Without memory for its move, a buffer stays where it is, and that is fine. */
	} while ((r || count(MM_VM_EVICTED)) && n < 100);
	assert_int_equal(r, 0);
	assert_true(n > 2);
	assert_false(mm_vm_lists_is_stale(&vm->lists));
	mm_bo_put(a);
	mm_bo_put(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_shared_buffer_that_is_evicted_comes_back),
		TEST(one_without_room_is_written_where_it_is),
		TEST(another_buffer_is_written_where_it_is),
		TEST(what_no_gpu_reaches_has_no_entries),
		TEST(what_somebody_else_has_locked_is_cleared_until_it_is_wanted),
		TEST(preparing_costs_what_changed_and_not_what_is_mapped),
		TEST(without_memory_the_rest_is_still_to_be_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
