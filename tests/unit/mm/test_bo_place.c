/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_fixture f;

static int setup(void **state)
{
	struct mm_fixture_config config = { .visible = VKF_MIB(64), .n_gpus = 2 };

	mm_fixture_init(&f, &config);
	return 0;
}

static int teardown(void **state)
{
	mm_fixture_fini(&f);
	return 0;
}

static void validating_waits_for_moves_only(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, 4096);
	struct mm_resv *resv = mm_bo_resv(bo);
	struct mm_fence *move = calloc(1, sizeof(*move)), *work = calloc(1, sizeof(*work));

	mm_fence_init(move, NULL, 100, 1);
	mm_fence_init(work, NULL, 101, 1);
	assert_int_equal(mm_resv_lock(resv, false), 0);
	assert_int_equal(mm_resv_reserve_locked(resv, 2), 0);
	mm_resv_add_locked(resv, work, MM_RESV_READ);
	mm_resv_unlock(resv);
	assert_int_equal(mm_bo_validate(bo, true), 0);
	assert_int_equal(mm_resv_lock(resv, false), 0);
	assert_int_equal(mm_resv_reserve_locked(resv, 1), 0);
	mm_resv_add_locked(resv, move, MM_RESV_KERNEL);
	mm_resv_unlock(resv);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_bo_validate(bo, true), -VKF_ERESTARTSYS);
	vkf_task_clear_interrupt();
	mm_fence_signal(move, 0);
	assert_int_equal(mm_bo_validate(bo, true), 0);
	mm_fence_signal(work, 0);
	mm_fence_put(move);
	mm_fence_put(work);
	mm_bo_put(bo);
}

static void a_pinned_buffer_is_in_no_lru_list_and_counts_as_pinned(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	uint64_t available = mm_device_available(f.dev[0]);

	assert_int_equal(f.dev[0]->vram.man.lru.n, 1);
	assert_int_equal(mm_bo_pin(bo), 0);
	assert_int_equal(mm_bo_pin(bo), 0);
	assert_int_equal(f.dev[0]->vram.man.lru.n, 0);
	assert_int_equal(mm_device_available(f.dev[0]), available - VKF_MIB(2));
	mm_fixture_check(&f);
	mm_bo_unpin(bo);
	assert_int_equal(f.dev[0]->vram.man.lru.n, 0);
	mm_bo_unpin(bo);
	assert_int_equal(f.dev[0]->vram.man.lru.n, 1);
	assert_int_equal(mm_device_available(f.dev[0]), available);
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void a_buffer_freed_while_pinned_is_not_counted_any_more(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));

	assert_int_equal(mm_bo_pin(bo), 0);
	mm_bo_put(bo);
	assert_int_equal(f.dev[0]->quota.pinned, 0);
	mm_fixture_check(&f);
}

static void what_is_a_clients_own_is_not_pinned(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_USERPTR, 4096), *bar, *gtt;

	assert_int_equal(mm_bo_pin(bo), -EPERM);
	mm_bo_put(bo);
	bar = mm_fixture_bo(&f, MM_BO_BAR, 4096);
	assert_int_equal(mm_bo_pin(bar), 0);
	mm_bo_unpin(bar);
	mm_bo_put(bar);
	gtt = mm_fixture_bo(&f, MM_BO_GTT, 4096);
	assert_int_equal(mm_bo_pin(gtt), 0);
	assert_int_equal(f.dev[0]->quota.pinned, 0);
	mm_fixture_check(&f);
	mm_bo_unpin(gtt);
	mm_bo_put(gtt);
}

/* All of VRAM in pages, every second one free. */
static struct mm_resource page[VKF_MIB(32) / VKF_PAGE_SIZE];

static void fragment(void)
{
	const struct mm_placement table = mm_placement_of_table();

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(page); i++)
		assert_int_equal(mm_manager_alloc(&f.dev[0]->vram.man, &table, VKF_PAGE_SIZE,
						  &page[i]), 0);
	for (unsigned int i = 1; i < VKF_ARRAY_SIZE(page); i += 2)
		mm_resource_free(&page[i]);
}

static void pinned_it_is_in_one_range_if_it_was_to_be(void **state)
{
	const struct mm_bo_params wish = {
		.kind = MM_BO_VRAM, .size = 4 * VKF_PAGE_SIZE, .contiguous = true
	};
	const struct mm_fixture_config config = { .vram = VKF_MIB(32) };
	struct mm_bo *bo, *plain;

	teardown(state);
	mm_fixture_init(&f, &config);
	fragment();
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &wish, &bo), 0);
	plain = mm_fixture_bo(&f, MM_BO_VRAM, 4 * VKF_PAGE_SIZE);
	assert_false(mm_resource_is_one_range(&bo->res));
	assert_int_equal(mm_bo_pin(bo), -ENOMEM);
	assert_true(mm_lru_has(&bo->res.lru));
	assert_int_equal(f.dev[0]->quota.pinned, 0);
	/* Nobody asked that of this one. */
	assert_int_equal(mm_bo_pin(plain), 0);
	assert_false(mm_resource_is_one_range(&plain->res));
	mm_bo_unpin(plain);
	for (unsigned int i = 4000; i < 4032; i += 2)
		mm_resource_free(&page[i]);
	assert_int_equal(mm_bo_pin(bo), 0);
	assert_true(mm_resource_is_one_range(&bo->res));
	assert_true(mm_bo_in_vram(bo));
	assert_int_equal(f.dev[0]->quota.pinned, 4 * VKF_PAGE_SIZE);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(page); i++)
		mm_resource_free(&page[i]);
	mm_fixture_check(&f);
	mm_bo_unpin(bo);
	mm_bo_put(bo);
	mm_bo_put(plain);
}

static void use_moves_a_buffer_to_the_end_of_its_lru_list(void **state)
{
	struct mm_bo *a = mm_fixture_bo(&f, MM_BO_VRAM, 4096);
	struct mm_bo *b = mm_fixture_bo(&f, MM_BO_VRAM, 4096);
	struct mm_lru *lru = &f.dev[0]->vram.man.lru;

	assert_ptr_equal(mm_lru_next(lru, NULL), &a->res.lru);
	assert_int_equal(mm_bo_validate(a, false), 0);
	assert_ptr_equal(mm_lru_next(lru, NULL), &b->res.lru);
	mm_bo_put(a);
	mm_bo_put(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(validating_waits_for_moves_only),
		TEST(a_pinned_buffer_is_in_no_lru_list_and_counts_as_pinned),
		TEST(a_buffer_freed_while_pinned_is_not_counted_any_more),
		TEST(what_is_a_clients_own_is_not_pinned),
		TEST(pinned_it_is_in_one_range_if_it_was_to_be),
		TEST(use_moves_a_buffer_to_the_end_of_its_lru_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
