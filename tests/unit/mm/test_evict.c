/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"
#include "mm/evict.h"

#define VA VKF_GIB(4)
#define BIG VKF_MIB(100) /* two of them fill VRAM */

static struct mm_fixture f;
static struct mm_fixture_client b;
static const struct mm_pte_attr attr = { .writeable = true, .mtype = 1, .mtype_system = 3 };

static int setup_with(const struct mm_fixture_config *config)
{
	mm_fixture_init(&f, config);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	f.a.runs = b.runs = true;
	return 0;
}

static int setup(void **state)
{
	return setup_with(NULL);
}

/* Whoever was asked to stop has stopped by now. */
static int teardown(void **state)
{
	mm_client_evicted(f.a.mm);
	mm_client_evicted(b.mm);
	mm_fixture_client_fini(&b);
	mm_fixture_fini(&f);
	return 0;
}

/* In VRAM, and charged elsewhere: so that there may be more of them than VRAM. */
static int try_create(struct mm_fixture_client *c, uint64_t size, struct mm_bo **ret_bo)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = size, .charge_as_gtt = true };

	return mm_bo_create(c->mm, f.dev[0], &params, ret_bo);
}

static struct mm_bo *create(struct mm_fixture_client *c, uint64_t size)
{
	struct mm_bo *bo = NULL;

	assert_int_equal(try_create(c, size, &bo), 0);
	return bo;
}

static struct mm_vm *new_vm(struct mm_fixture_client *c)
{
	struct mm_vm *vm;

	assert_int_equal(mm_vm_create(c->mm, f.dev[0], &vm), 0);
	return vm;
}

static struct mm_mapping *map(struct mm_vm *vm, struct mm_bo *bo, uint64_t va)
{
	struct mm_mapping *m;

	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ va }, &attr, &m), 0);
	return m;
}

static bool is_moving(struct mm_bo *bo)
{
	bool moving;

	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	moving = !mm_resv_is_idle_locked(bo->resv, MM_RESV_KERNEL);
	mm_resv_unlock(bo->resv);
	return moving;
}

static bool in_gtt(const struct mm_bo *bo)
{
	return bo->res.man == &bo->home->gtt.man;
}

static bool in_swap(const struct mm_bo *bo)
{
	return bo->res.man == &f.system->swap.man;
}

static void room_is_made_before_the_queues_have_stopped(void **state)
{
	struct mm_bo *old = create(&f.a, BIG), *young = create(&f.a, BIG), *next;
	struct mm_vm *vm = new_vm(&b);
	struct mm_mapping *m;

	next = create(&b, BIG);
	assert_true(in_gtt(old) && mm_bo_in_vram(young) && mm_bo_in_vram(next));
	assert_int_equal(f.a.n_asked, 1);
	assert_int_equal(b.n_asked, 0);
	assert_false(mm_client_is_evicted(f.a.mm));
	assert_true(is_moving(old) && is_moving(next));
	/* Nothing leads there yet. */
	m = map(vm, next, VA);
	assert_int_equal(mm_fixture_walk(&b, vm, VA).entry, 0);
	mm_fixture_check(&f);

	mm_client_evicted(f.a.mm);
	assert_false(is_moving(old) || is_moving(next));
	assert_int_equal(mm_vm_sync(m, false), 0);
	assert_true(mm_fixture_walk(&b, vm, VA).entry & 1);
	mm_fixture_check(&f);
	mm_bo_put(old);
	mm_bo_put(young);
	mm_bo_put(next);
}

static void who_has_no_queues_is_moved_at_once(void **state)
{
	struct mm_bo *old = create(&f.a, 2 * BIG), *next;

	f.a.runs = false;
	next = create(&b, 2 * BIG);
	assert_true(in_gtt(old) && !is_moving(old) && !is_moving(next));
	assert_true(mm_client_is_evicted(f.a.mm));
	mm_bo_put(old);
	mm_bo_put(next);
}

/* Another one leaves: which of @bo. */
static unsigned int evict_next(struct mm_evict_walk *walk, struct mm_bo **bo, unsigned int n)
{
	static const struct mm_placement anywhere;
	const struct mm_op op = { .asker = b.mm };
	unsigned int i = 0;

	assert_int_equal(mm_evict_one(walk, &anywhere, &op), 0);
	while (i < n && !in_gtt(bo[i]))
		i++;
	assert_true(i < n);
	mm_bo_put(bo[i]);
	bo[i] = bo[n - 1];
	return i;
}

static void what_could_not_leave_is_looked_at_again_when_nothing_else_is_left(void **state)
{
	struct mm_bo *bo[3] = { create(&f.a, BIG / 2), create(&f.a, BIG / 2), create(&f.a, BIG / 2) };
	struct mm_evict_walk walk;

	f.a.runs = false;
	mm_evict_begin(&walk, &f.dev[0]->vram.man);
	assert_int_equal(mm_resv_lock(bo[0]->resv, false), 0);
	assert_int_equal(evict_next(&walk, bo, 3), 1);
	mm_resv_unlock(bo[0]->resv);
	/* The youngest, which is in the other's place now; and then the oldest. */
	assert_int_equal(evict_next(&walk, bo, 2), 1);
	assert_int_equal(evict_next(&walk, bo, 1), 0);
	assert_int_equal(mm_evict_one(&walk, &(struct mm_placement){ 0 },
				      &(struct mm_op){ .asker = b.mm }),
			 -ENOSPC);
	mm_evict_end(&walk);
	mm_fixture_check(&f);
}

static void a_process_does_not_evict_itself(void **state)
{
	struct mm_bo *bo = create(&f.a, 2 * BIG), *other = (void *)&f;

	assert_int_equal(try_create(&f.a, BIG, &other), -ENOMEM);
	assert_ptr_equal(other, &f);
	assert_true(mm_bo_in_vram(bo));
	assert_int_equal(f.a.n_asked, 0);
	/* Once it is stopped anyway, there is nothing to spare. */
	mm_client_evicted(f.a.mm);
	assert_int_equal(try_create(&f.a, BIG, &other), 0);
	assert_true(in_gtt(bo));
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void what_can_never_fit_evicts_nobody(void **state)
{
	struct mm_bo *bo = create(&f.a, 2 * BIG), *other;

	assert_int_equal(try_create(&b, VKF_MIB(300), &other), -ENOMEM);
	assert_true(mm_bo_in_vram(bo));
	assert_int_equal(f.a.n_asked, 0);
	mm_bo_put(bo);
}

static void what_is_pinned_stays(void **state)
{
	struct mm_bo *bo = create(&f.a, 2 * BIG), *other;

	assert_int_equal(mm_bo_pin(bo), 0);
	assert_int_equal(try_create(&b, BIG, &other), -ENOMEM);
	mm_bo_unpin(bo);
	assert_int_equal(try_create(&b, BIG, &other), 0);
	assert_true(in_gtt(bo));
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void only_who_sees_the_cpu_part_makes_room_in_it(void **state)
{
	const struct mm_fixture_config config = { .visible = VKF_MIB(32) };
	struct mm_bo_params params = {
		.kind = MM_BO_VRAM, .size = VKF_MIB(16), .charge_as_gtt = true, .cpu_access = true
	};
	struct mm_bo *hidden, *seen[2], *other;

	teardown(state);
	setup_with(&config);
	hidden = create(&f.a, BIG);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &seen[i]), 0);
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &other), 0);
	assert_true(mm_bo_in_vram(hidden) && in_gtt(seen[0]) && mm_bo_in_vram(seen[1]));
	mm_bo_put(hidden);
	mm_bo_put(seen[0]);
	mm_bo_put(seen[1]);
	mm_bo_put(other);
}

static void what_the_cpu_need_not_see_goes_out_of_its_sight(void **state)
{
	const struct mm_fixture_config config = { .visible = VKF_MIB(32) };
	struct mm_bo_params params = {
		.kind = MM_BO_VRAM, .size = VKF_MIB(24), .charge_as_gtt = true, .cpu_access = true
	};
	static const uint64_t parts[] = { VKF_MIB(128), VKF_MIB(64), VKF_MIB(32) };
	struct mm_bo *hidden[3], *passing, *seen;
	struct mm_vm *vm;

	teardown(state);
	setup_with(&config);
	/* The invisible part is full, so the next one lies in what the CPU sees. */
	for (unsigned int i = 0; i < 3; i++)
		hidden[i] = create(&f.a, parts[i]);
	passing = create(&f.a, VKF_MIB(16));
	assert_int_equal(passing->res.visible, VKF_MIB(16));
	vm = new_vm(&f.a);
	map(vm, passing, VA);
	for (unsigned int i = 0; i < 3; i++)
		mm_bo_put(hidden[i]);
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &seen), 0);
	assert_true(mm_bo_in_vram(seen) && seen->res.visible == VKF_MIB(24));
	assert_true(mm_bo_in_vram(passing));
	assert_int_equal(passing->res.visible, 0);
	/* It has moved all the same: its owner stops for it, and the place is handed on. */
	assert_int_equal(f.a.n_asked, 1);
	assert_true(is_moving(passing) && is_moving(seen));
	mm_client_evicted(f.a.mm);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_int_equal(pte_gfx9_get_page(mm_fixture_walk(&f.a, vm, VA).entry) << VKF_PAGE_SHIFT,
			 passing->res.blocks->offset);
	mm_fixture_check(&f);
	mm_bo_put(passing);
	mm_bo_put(seen);
}

static void who_is_out_of_bounds_need_not_leave(void **state)
{
	struct mm_placement low = { .end = VKF_MIB(64) };
	const struct mm_op op = { .asker = b.mm };
	struct mm_bo *high = create(&f.a, BIG), *mid = create(&f.a, BIG), *bottom;
	struct mm_resource res = { 0 };

	/* From the top: @high, @mid, and the last one, the only one below 56 MiB. */
	bottom = create(&f.a, VKF_MIB(48) - VKF_PAGE_SIZE);
	assert_true(bottom->res.blocks->offset < VKF_MIB(64));
	low.end = VKF_MIB(16);
	assert_int_equal(mm_place(&f.dev[0]->vram.man, &low, VKF_MIB(14), &op, &res), 0);
	assert_true(mm_bo_in_vram(high) && mm_bo_in_vram(mid) && in_gtt(bottom));
	mm_client_evicted(f.a.mm);
	mm_resource_free(&res);
	mm_bo_put(high);
	mm_bo_put(mid);
	mm_bo_put(bottom);
}

static void an_evicted_client_comes_back_where_it_was(void **state)
{
	struct mm_bo *bo = create(&f.a, BIG), *other;
	struct mm_vm *vm = new_vm(&f.a);
	struct mm_mapping *m = map(vm, bo, VA);
	uint64_t link = mm_fixture_walk(&f.a, vm, VA).link;

	other = create(&b, 2 * BIG);
	mm_client_evicted(f.a.mm);
	assert_true(in_gtt(bo));
	mm_bo_put(other);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_false(mm_client_is_evicted(f.a.mm));
	assert_true(mm_bo_in_vram(bo) && !is_moving(bo));
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).link, link);
	assert_int_equal(pte_gfx9_get_page(mm_fixture_walk(&f.a, vm, VA).entry) << VKF_PAGE_SHIFT,
			 bo->res.blocks->offset);
	mm_fixture_check(&f);
	/* It carries a fence again: the next one who needs room makes it stop again. */
	other = create(&b, 2 * BIG);
	assert_int_equal(f.a.n_asked, 2);
	assert_true(is_moving(bo));
	mm_client_evicted(f.a.mm);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void run_later(void *arg)
{
	vkf_sleep_ns(2 * VKF_NSEC_PER_MSEC, false);
	mm_fixture_run_all(&f);
	f.delay = false;
	mm_fixture_run_all(&f);
}

static void no_mapping_keeps_the_update_that_a_restore_waited_for(void **state)
{
	struct mm_bo *bo = create(&f.a, BIG), *other;
	struct mm_vm *vm = new_vm(&f.a);
	struct mm_mapping *m = map(vm, bo, VA);
	struct vkf_task *task;

	other = create(&b, 2 * BIG);
	mm_client_evicted(f.a.mm);
	mm_bo_put(other);
	f.delay = true;
	assert_int_equal(vkf_spawn("worker", run_later, NULL, &task), 0);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_null(m->last_update);
	vkf_join(task);
	assert_int_equal(pte_gfx9_get_page(mm_fixture_walk(&f.a, vm, VA).entry) << VKF_PAGE_SHIFT,
			 bo->res.blocks->offset);
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void restoring_evicts_others_in_turn(void **state)
{
	struct mm_bo *of_a = create(&f.a, 2 * BIG), *of_b = create(&b, 2 * BIG);
	struct mm_vm *vm = new_vm(&b);

	map(vm, of_b, VA);
	mm_client_evicted(f.a.mm);
	b.runs = false;
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_true(mm_bo_in_vram(of_a) && in_gtt(of_b));
	assert_int_equal(b.n_asked, 1);
	assert_true(mm_client_is_evicted(b.mm));
	mm_fixture_check(&f);
	b.runs = true;
	f.a.runs = false;
	assert_int_equal(mm_client_restore(b.mm), 0);
	assert_true(in_gtt(of_a) && mm_bo_in_vram(of_b));
	mm_bo_put(of_a);
	mm_bo_put(of_b);
}

static void without_room_it_comes_back_in_system_memory(void **state)
{
	struct mm_bo *bo = create(&f.a, BIG), *other;
	struct mm_vm *vm = new_vm(&f.a);
	uint64_t entry;

	map(vm, bo, VA);
	other = create(&b, 2 * BIG);
	mm_client_evicted(f.a.mm);
	assert_int_equal(mm_bo_pin(other), 0);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_true(in_gtt(bo));
	entry = mm_fixture_walk(&f.a, vm, VA).entry;
	assert_int_equal(pte_gfx9_get_system(entry), 1);
	assert_int_equal(pte_gfx9_get_snooped(entry), 1);
	assert_int_equal(pte_gfx9_get_mtype(entry), attr.mtype_system);
	assert_int_equal(pte_gfx9_get_page(entry) << VKF_PAGE_SHIFT,
			 bo->res.base + bo->res.blocks->offset);
	mm_fixture_check(&f);
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void mapping_an_evicted_buffer_brings_it_back_without_stopping_its_owner(void **state)
{
	struct mm_bo *bo = create(&f.a, BIG), *other = create(&b, 2 * BIG);
	struct mm_vm *vm = new_vm(&f.a);

	mm_client_evicted(f.a.mm);
	assert_int_equal(mm_bo_pin(other), 0);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_true(in_gtt(bo));
	mm_bo_put(other);
	map(vm, bo, VA);
	assert_true(mm_bo_in_vram(bo) && !is_moving(bo));
	assert_int_equal(f.a.n_asked, 1);
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void a_full_gtt_goes_further_out_and_comes_back(void **state)
{
	const struct mm_fixture_config config = { .gtt = VKF_MIB(150) };
	struct mm_bo *first, *second, *other;

	teardown(state);
	setup_with(&config);
	f.a.runs = false;
	first = create(&f.a, BIG);
	second = create(&f.a, BIG);
	other = create(&b, 2 * BIG);
	assert_true(in_swap(first) && in_gtt(second));
	mm_fixture_check(&f);
	mm_bo_put(other);
	f.a.runs = true;
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_true(mm_bo_in_vram(first) && mm_bo_in_vram(second));
	mm_bo_put(first);
	mm_bo_put(second);
}

static void a_restore_that_fails_can_be_repeated(void **state)
{
	const struct mm_fixture_config config = { .gtt = VKF_MIB(64) };
	struct mm_bo *bo, *other;
	struct mm_vm *vm;

	teardown(state);
	setup_with(&config);
	bo = create(&f.a, BIG);
	vm = new_vm(&f.a);
	map(vm, bo, VA);
	other = create(&b, 2 * BIG);
	mm_client_evicted(f.a.mm);
	assert_true(in_swap(bo));
	assert_int_equal(mm_bo_pin(other), 0);
	/* Neither VRAM nor GTT has room. */
	assert_int_equal(mm_client_restore(f.a.mm), -ENOMEM);
	assert_true(mm_client_is_evicted(f.a.mm));
	mm_fixture_check(&f);
	mm_bo_unpin(other);
	b.runs = false;
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_true(mm_bo_in_vram(bo));
	assert_true(mm_fixture_walk(&f.a, vm, VA).entry & 1);
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void restore_waiter(void *arg)
{
	assert_int_equal(mm_client_restore(f.a.mm), 0);
}

static void a_restore_waits_for_who_must_leave(void **state)
{
	struct mm_bo *of_a = create(&f.a, 2 * BIG), *of_b = create(&b, 2 * BIG), *more;
	struct mm_vm *vm = new_vm(&f.a);
	struct vkf_task *task;

	map(vm, of_a, VA);
	mm_client_evicted(f.a.mm);
	assert_int_equal(vkf_spawn("restore", restore_waiter, NULL, &task), 0);
	while (!atomic_load(&b.n_asked))
		vkf_sleep_ns(100000, false);
	/* It holds nothing that the other, who is still running, may want. */
	assert_int_equal(try_create(&b, VKF_MIB(2), &more), 0);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry & 1, 0);
	mm_client_evicted(b.mm);
	vkf_join(task);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry & 1, 1);
	mm_bo_put(more);
	mm_bo_put(of_a);
	mm_bo_put(of_b);
}

static void freeing_a_buffer_stops_nobody(void **state)
{
	struct mm_bo *bo = create(&f.a, BIG);
	struct mm_vm *vm = new_vm(&f.a);

	assert_int_equal(mm_vm_unmap(map(vm, bo, VA), NULL), 0);
	mm_bo_put(bo);
	assert_int_equal(f.a.n_asked, 0);
	assert_int_equal(f.a.n_punched, 1);
}

static void the_end_of_a_client_lets_its_memory_go(void **state)
{
	struct mm_bo *of_a, *of_b = create(&b, 2 * BIG);

	of_a = create(&f.a, 2 * BIG);
	assert_true(is_moving(of_a));
	mm_bo_put(of_b);
	/* Its queues never stop: it is destroyed instead. */
	mm_client_destroy(b.mm);
	free(b.pt);
	assert_false(is_moving(of_a));
	mm_fixture_check(&f);
	mm_bo_put(of_a);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
}

static void policies_differ_in_who_leaves(void **state)
{
	static const enum mm_evict_policy policies[] = { MM_EVICT_LRU, MM_EVICT_LONGEST_RUN,
							 MM_EVICT_LARGEST };

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(policies); i++) {
		const struct mm_fixture_config config = { .policy = policies[i] };
		struct mm_fixture_client c;
		struct mm_bo *of_a, *of_b[2], *of_c;

		teardown(state);
		setup_with(&config);
		assert_int_equal(mm_fixture_client_init(&f, &c), 0);
		/* What was used longest ago is little, and of the client that was restored last. */
		f.a.runs = b.runs = false;
		of_a = create(&f.a, VKF_MIB(64));
		of_b[0] = create(&b, VKF_MIB(64));
		of_b[1] = create(&b, VKF_MIB(64));
		mm_client_evicted(f.a.mm);
		assert_int_equal(mm_client_restore(f.a.mm), 0);
		assert_int_equal(mm_bo_validate(of_b[0], false), 0);
		assert_int_equal(mm_bo_validate(of_b[1], false), 0);
		of_c = create(&c, VKF_MIB(64));
		assert_int_equal(in_gtt(of_a), policies[i] == MM_EVICT_LRU);
		assert_int_equal(in_gtt(of_b[0]), policies[i] != MM_EVICT_LRU);
		assert_false(in_gtt(of_b[1]));
		mm_bo_put(of_a);
		mm_bo_put(of_b[0]);
		mm_bo_put(of_b[1]);
		mm_bo_put(of_c);
		mm_fixture_client_fini(&c);
	}
}

static void in_vram_again_it_has_not_been_looked_at(void **state)
{
	struct mm_bo *bo = create(&f.a, 2 * BIG), *next;

	f.a.runs = false;
	mm_bo_note_cpu_access(bo);
	next = create(&b, 2 * BIG);
	assert_true(in_gtt(bo) && mm_bo_has_cpu_access(bo));
	mm_bo_put(next);
	assert_int_equal(mm_bo_validate(bo, false), 0);
	assert_true(mm_bo_in_vram(bo));
	assert_false(mm_bo_has_cpu_access(bo));
	mm_bo_put(bo);
}

static void policies_have_names(void **state)
{
	for (enum mm_evict_policy p = 0; p < MM_EVICT_POLICIES; p++)
		assert_non_null(mm_evict_policy_name(p));
	assert_null(mm_evict_policy_name(MM_EVICT_POLICIES));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(room_is_made_before_the_queues_have_stopped),
		TEST(who_has_no_queues_is_moved_at_once),
		TEST(what_could_not_leave_is_looked_at_again_when_nothing_else_is_left),
		TEST(a_process_does_not_evict_itself),
		TEST(what_can_never_fit_evicts_nobody),
		TEST(what_is_pinned_stays),
		TEST(only_who_sees_the_cpu_part_makes_room_in_it),
		TEST(what_the_cpu_need_not_see_goes_out_of_its_sight),
		TEST(who_is_out_of_bounds_need_not_leave),
		TEST(an_evicted_client_comes_back_where_it_was),
		TEST(no_mapping_keeps_the_update_that_a_restore_waited_for),
		TEST(restoring_evicts_others_in_turn),
		TEST(without_room_it_comes_back_in_system_memory),
		TEST(mapping_an_evicted_buffer_brings_it_back_without_stopping_its_owner),
		TEST(a_full_gtt_goes_further_out_and_comes_back),
		TEST(a_restore_that_fails_can_be_repeated),
		TEST(a_restore_waits_for_who_must_leave),
		TEST(freeing_a_buffer_stops_nobody),
		TEST(the_end_of_a_client_lets_its_memory_go),
		TEST(policies_differ_in_who_leaves),
		TEST(in_vram_again_it_has_not_been_looked_at),
		cmocka_unit_test(policies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
