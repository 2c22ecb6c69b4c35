/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

static struct mm_fixture f;

static int setup(void **state)
{
	struct mm_fixture_config config = { .n_gpus = 2, .pt_tables = 200 };

	mm_fixture_init(&f, &config);
	return 0;
}

static int teardown(void **state)
{
	mm_fixture_fini(&f);
	return 0;
}

static void regions_that_hold_nothing_are_refused(void **state)
{
	struct mm_client_config config = f.a.mm->config, bad;
	struct mm_client *client = NULL;

	bad = config;
	bad.pt_base = NULL;
	assert_int_equal(mm_client_create(f.system, &bad, &client), -EINVAL);
	bad = config;
	bad.pt_tables = 1;
	assert_int_equal(mm_client_create(f.system, &bad, &client), -EINVAL);
	bad = config;
	bad.arena_bytes = 4095;
	assert_int_equal(mm_client_create(f.system, &bad, &client), -EINVAL);
	assert_null(client);
	mm_client_destroy(NULL);
}

static void table_numbers_are_the_lowest_free_and_never_0(void **state)
{
	uint32_t index;

	for (uint32_t i = 1; i < 200; i++) {
		assert_int_equal(mm_client_alloc_table(f.a.mm, &index), 0);
		assert_int_equal(index, i);
	}
	index = 7777;
	assert_int_equal(mm_client_alloc_table(f.a.mm, &index), -ENOMEM);
	assert_int_equal(index, 7777);
	mm_client_free_table(f.a.mm, 150);
	mm_client_free_table(f.a.mm, 70);
	mm_client_free_table(f.a.mm, 5);
	assert_int_equal(mm_client_alloc_table(f.a.mm, &index), 0);
	assert_int_equal(index, 5);
	assert_int_equal(mm_client_alloc_table(f.a.mm, &index), 0);
	assert_int_equal(index, 70);
	assert_int_equal(mm_client_alloc_table(f.a.mm, &index), 0);
	assert_int_equal(index, 150);
	assert_int_equal(mm_client_alloc_table(f.a.mm, &index), -ENOMEM);
	for (uint32_t i = 1; i < 200; i++)
		mm_client_free_table(f.a.mm, i);
}

static void freeing_a_table_twice_dies(void **state)
{
#ifdef VKFD_DEBUG
	uint32_t index;

	assert_int_equal(mm_client_alloc_table(f.a.mm, &index), 0);
	mm_client_free_table(f.a.mm, index);
	EXPECT_PANIC("bit_test", mm_client_free_table(f.a.mm, index));
	vkf_mutex_unlock(&f.a.mm->pt_lock);
#else
	skip();
#endif
}

static void a_client_that_goes_takes_all_with_it(void **state)
{
	struct mm_fixture_client b;
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_MIB(2) };
	struct mm_pte_attr attr = { .reach = MM_REACH_BUS };
	struct mm_mapping *m;
	struct mm_vm *vm;

	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	for (unsigned int g = 0; g < 2; g++) {
		assert_int_equal(mm_vm_create(b.mm, f.dev[g], &vm), 0);
		for (unsigned int i = 0; i < 3; i++) {
			struct mm_bo *bo;

			assert_int_equal(mm_bo_create(b.mm, f.dev[i % 2], &params, &bo), 0);
			assert_int_equal(
				mm_vm_map(vm, bo, (vkf_gpuva){ VKF_GIB(i + 1) }, &attr, &m), 0);
			mm_mapping_use(m);
			mm_bo_put(bo);
		}
	}
	mm_fixture_check(&f);
	mm_fixture_client_fini(&b);
	assert_int_equal(b.n_punched, 6);
	mm_fixture_check(&f);
	/* The fixture's end sees that nothing of it is left. */
}

static void a_buffer_may_outlive_its_client_and_is_not_punched_then(void **state)
{
	struct mm_fixture_client b;
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_MIB(2) };
	struct mm_device_usage usage;
	struct mm_bo *bo;

	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &bo), 0);
	mm_fixture_client_fini(&b);
	mm_device_usage(f.dev[0], &usage);
	assert_int_equal(usage.vram_used, VKF_MIB(2));
	mm_fixture_check(&f);
	mm_bo_put(bo);
	assert_int_equal(b.n_punched, 0);
	mm_device_usage(f.dev[0], &usage);
	assert_int_equal(usage.vram_used, 0);
}

static struct mm_fence *late;
static atomic_bool is_late;

static void signal_late(void *arg)
{
	vkf_sleep_ns(2 * VKF_NSEC_PER_MSEC, false);
	atomic_store(&is_late, true);
	mm_fence_signal(late, 0);
	mm_fence_put(late);
}

static void a_client_that_goes_waits_for_fences_of_dying_buffers(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_MIB(2) };
	struct mm_fixture_client b;
	struct vkf_task *task;
	struct mm_bo *bo;

	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &bo), 0);
	late = calloc(1, sizeof(*late));
	mm_fence_init(late, NULL, 100, 1);
	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	assert_int_equal(mm_resv_reserve_locked(bo->resv, 1), 0);
	mm_resv_add_locked(bo->resv, late, MM_RESV_READ);
	mm_resv_unlock(bo->resv);
	mm_bo_put(bo);
	is_late = false;
	assert_int_equal(vkf_spawn("signaller", signal_late, NULL, &task), 0);
	mm_fixture_client_fini(&b);
	assert_true(is_late);
	assert_int_equal(b.n_punched, 1);
	vkf_join(task);
}

static void clients_have_windows_and_tables_of_their_own(void **state)
{
	struct mm_fixture_client b;
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_MIB(2) };
	struct mm_bo *of_a, *of_b;
	struct mm_vm *vm;

	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	of_a = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &of_b), 0);
	assert_int_equal(mm_bo_arena(of_a).v, mm_bo_arena(of_b).v);
	assert_int_not_equal(of_a->res.blocks->offset, of_b->res.blocks->offset);
	assert_int_equal(mm_vm_create(b.mm, f.dev[0], &vm), 0);
	assert_int_equal(mm_vm_root(vm), mm_vm_root(mm_fixture_vm(&f, 0)));
	mm_fixture_check(&f);
	mm_bo_put(of_b);
	mm_fixture_client_fini(&b);
	mm_bo_put(of_a);
}

static void buffers_and_mappings_beyond_the_quota_are_enomem(void **state)
{
	struct mm_fixture_config config = { .max_buffers = 3, .max_mappings = 2 };
	const struct mm_bo_params params = { .kind = MM_BO_GTT, .size = VKF_PAGE_SIZE };
	const struct mm_pte_attr attr = { .writeable = true };
	struct mm_fixture_client b;
	struct mm_bo *bo[3], *other = NULL;
	struct mm_mapping *m[3];
	struct mm_vm *vm;

	mm_fixture_fini(&f);
	mm_fixture_init(&f, &config);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	vm = mm_fixture_vm(&f, 0);
	for (unsigned int i = 0; i < 3; i++)
		bo[i] = mm_fixture_bo(&f, MM_BO_GTT, VKF_PAGE_SIZE);
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &other), -ENOMEM);
	assert_null(other);
	/* Nobody else's. */
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &other), 0);
	mm_bo_put(other);
	for (unsigned int i = 0; i < 2; i++)
		m[i] = mm_fixture_map(vm, bo[i], VKF_GIB(1 + i));
	assert_int_equal(mm_vm_map(vm, bo[2], (vkf_gpuva){ VKF_GIB(3) }, &attr, &m[2]), -ENOMEM);
	/* A refused one costs nothing. */
	assert_int_equal(mm_vm_map(vm, bo[2], (vkf_gpuva){ 0 }, &attr, &m[2]), -EINVAL);
	assert_int_equal(mm_vm_unmap(m[0], NULL), 0);
	assert_int_equal(mm_vm_map(vm, bo[2], (vkf_gpuva){ VKF_GIB(2) }, &attr, &m[0]), -EINVAL);
	m[0] = mm_fixture_map(vm, bo[2], VKF_GIB(3));
	mm_fixture_check(&f);
	mm_bo_put(bo[0]);
	bo[0] = mm_fixture_bo(&f, MM_BO_GTT, VKF_PAGE_SIZE);
	for (unsigned int i = 0; i < 3; i++)
		mm_bo_put(bo[i]);
	/* Mapped ones are there yet. */
	assert_int_equal(vkf_budget_used(&f.a.mm->buffers), 2);
	mm_fixture_client_fini(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(regions_that_hold_nothing_are_refused),
		TEST(table_numbers_are_the_lowest_free_and_never_0),
		TEST(freeing_a_table_twice_dies),
		TEST(a_client_that_goes_takes_all_with_it),
		TEST(a_buffer_may_outlive_its_client_and_is_not_punched_then),
		TEST(a_client_that_goes_waits_for_fences_of_dying_buffers),
		TEST(clients_have_windows_and_tables_of_their_own),
		TEST(buffers_and_mappings_beyond_the_quota_are_enomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
