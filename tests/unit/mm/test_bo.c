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

static int try(struct mm_bo_params params)
{
	struct mm_bo *bo = (void *)&f;
	struct mm_device_usage before, after;
	int r;

	mm_device_usage(f.dev[0], &before);
	r = mm_bo_create(f.a.mm, f.dev[0], &params, &bo);
	if (!r) {
		mm_fixture_check(&f);
		mm_bo_put(bo);
	} else {
		assert_ptr_equal(bo, &f);
	}
	mm_device_usage(f.dev[0], &after);
	assert_memory_equal(&before, &after, sizeof(before));
	mm_fixture_check(&f);
	return r;
}

static struct mm_device_usage usage(void)
{
	struct mm_device_usage u;

	mm_device_usage(f.dev[0], &u);
	return u;
}

static struct mm_system_usage system_usage(void)
{
	struct mm_system_usage u;

	mm_system_usage(f.system, &u);
	return u;
}

static void a_size_of_nothing_or_beyond_all_addresses_is_refused(void **state)
{
	for (enum mm_bo_kind kind = MM_BO_VRAM; kind <= MM_BO_BAR; kind++) {
		assert_int_equal(try((struct mm_bo_params){ .kind = kind }), -EINVAL);
		assert_int_equal(try((struct mm_bo_params){ .kind = kind, .size = UINT64_MAX }),
				 -EINVAL);
		assert_int_equal(
			try((struct mm_bo_params){ .kind = kind, .size = (UINT64_C(1) << 47) + 1 }),
			-EINVAL);
	}
}

static void addresses_must_be_of_pages_and_of_a_program(void **state)
{
	struct mm_bo_params user = { .kind = MM_BO_USERPTR, .size = 0x2000, .user_addr = 0x10001 };
	struct mm_bo_params bar = { .kind = MM_BO_BAR, .size = 0x1000, .bar_bus = 0xd0000010 };

	assert_int_equal(try(user), -EINVAL);
	user.user_addr = UINT64_C(0x7ffffffff000) - 0x1000;
	assert_int_equal(try(user), -EFAULT);
	user.user_addr = 0;
	assert_int_equal(try(user), -EFAULT);
	user.user_addr = 0x10000;
	assert_int_equal(try(user), 0);
	assert_int_equal(try(bar), -EINVAL);
	bar.bar_bus = 0xd0000000;
	assert_int_equal(try(bar), 0);
	bar.bar_offset = 8;
	assert_int_equal(try(bar), -EINVAL);
}

static void vram_is_charged_to_the_page_and_placed(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, 5000);

	assert_int_equal(mm_bo_size(bo), 8192);
	assert_int_equal(mm_bo_kind(bo), MM_BO_VRAM);
	assert_ptr_equal(mm_bo_home(bo), f.dev[0]);
	assert_int_equal(usage().vram_used, 8192);
	assert_int_equal(usage().vram_used_aligned, VKF_MIB(2));
	assert_int_equal(usage().vram_managed, 8192);
	assert_int_equal(usage().visible_managed, 0);
	assert_int_equal(system_usage().system_used, 0);
	mm_fixture_check(&f);
	mm_bo_put(bo);
	assert_int_equal(usage().vram_used, 0);
	assert_int_equal(usage().vram_managed, 0);
}

static void gtt_is_charged_as_system_and_ttm_memory(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(3));

	assert_int_equal(usage().gtt_used, VKF_MIB(3));
	assert_int_equal(usage().vram_used, 0);
	assert_int_equal(system_usage().system_used, VKF_MIB(3));
	assert_int_equal(system_usage().ttm_used, VKF_MIB(3));
	mm_bo_put(bo);
}

static void user_pages_are_charged_as_system_memory_and_have_no_window(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_USERPTR, VKF_MIB(3));

	assert_int_equal(system_usage().system_used, VKF_MIB(3));
	assert_int_equal(system_usage().ttm_used, 0);
	assert_int_equal(usage().gtt_used, 0);
	assert_true(mm_bo_arena(bo).v == UINT64_MAX);
	assert_int_equal(mm_bo_link(bo), UINT64_C(0x7f0000000000) | MM_LINK_USER);
	mm_bo_put(bo);
	assert_int_equal(f.a.n_punched, 0);
}

static void a_bar_buffer_costs_nothing(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_BAR, 8192);

	assert_int_equal(system_usage().system_used, 0);
	assert_int_equal(usage().vram_managed, 0);
	assert_true(mm_bo_arena(bo).v == UINT64_MAX);
	assert_int_equal(mm_bo_link(bo), MM_LINK_BAR);
	mm_bo_put(bo);
	assert_int_equal(f.a.n_punched, 0);
}

static void vram_charged_as_gtt_is_placed_in_vram(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM,
				       .size = VKF_MIB(2),
				       .charge_as_gtt = true };
	struct mm_bo *bo;

	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &bo), 0);
	assert_int_equal(usage().vram_used, 0);
	assert_int_equal(usage().vram_managed, VKF_MIB(2));
	assert_int_equal(usage().gtt_used, 0);
	assert_int_equal(system_usage().ttm_used, VKF_MIB(2));
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void windows_of_2_mib_and_more_are_aligned_and_do_not_overlap(void **state)
{
	static const uint64_t size[] = { VKF_MIB(2),        4096, VKF_MIB(2), 12288,
					 VKF_MIB(6) + 4096, 4096, VKF_MIB(3) };
	struct mm_bo *bo[VKF_ARRAY_SIZE(size)];

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(size); i++) {
		uint64_t at;

		bo[i] = mm_fixture_bo(&f, i % 2 ? MM_BO_GTT : MM_BO_VRAM, size[i]);
		at = mm_bo_arena(bo[i]).v;
		assert_true(VKF_IS_ALIGNED(at, size[i] >= VKF_MIB(2) ? VKF_MIB(2) : 4096));
		assert_int_equal(mm_bo_link(bo[i]), at | MM_LINK_ARENA);
		for (unsigned int j = 0; j < i; j++)
			assert_true(at >= mm_bo_arena(bo[j]).v + size[j] ||
				    at + size[i] <= mm_bo_arena(bo[j]).v);
	}
	mm_fixture_check(&f);
	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(size); i++)
		mm_bo_put(bo[i]);
}

static void a_window_is_punched_once_when_the_last_reference_goes(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2) + 4096);
	uint64_t at = mm_bo_arena(bo).v;

	assert_ptr_equal(mm_bo_get(bo), bo);
	mm_bo_put(bo);
	assert_int_equal(f.a.n_punched, 0);
	assert_int_equal(usage().vram_used, VKF_MIB(2) + 4096);
	mm_bo_put(bo);
	assert_int_equal(f.a.n_punched, 1);
	assert_int_equal(f.a.punched_off, at);
	assert_int_equal(f.a.punched_len, VKF_MIB(2) + 4096);
	mm_bo_put(NULL);
}

static void a_buffer_waits_for_each_of_its_fences_before_it_is_freed(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct mm_resv *resv = mm_bo_resv(bo);
	struct mm_fence *fence[3];

	assert_int_equal(mm_resv_lock(resv, false), 0);
	assert_int_equal(mm_resv_reserve_locked(resv, 3), 0);
	for (unsigned int i = 0; i < 3; i++) {
		fence[i] = calloc(1, sizeof(*fence[i]));
		mm_fence_init(fence[i], NULL, 100 + i, 1);
		mm_resv_add_locked(resv, fence[i], i ? MM_RESV_BOOKKEEP : MM_RESV_KERNEL);
	}
	mm_resv_unlock(resv);
	mm_bo_put(bo);
	for (unsigned int i = 3; i-- > 0;) {
		assert_int_equal(f.a.n_punched, 0);
		assert_int_equal(usage().vram_managed, VKF_MIB(2));
		mm_fixture_check(&f);
		mm_fence_signal(fence[i], 0);
		mm_fence_put(fence[i]);
	}
	assert_int_equal(f.a.n_punched, 1);
	assert_int_equal(usage().vram_managed, 0);
}

static void limits_and_space_end_in_enomem(void **state)
{
	struct mm_bo_params vram = { .kind = MM_BO_VRAM, .size = VKF_MIB(248) };
	struct mm_bo_params gtt = { .kind = MM_BO_GTT, .size = VKF_GIB(32) };

	assert_int_equal(try(vram), 0);
	vram.size += VKF_PAGE_SIZE;
	assert_int_equal(try(vram), -ENOMEM);
	vram = (struct mm_bo_params){ .kind = MM_BO_VRAM, .size = VKF_MIB(64), .cpu_access = true };
	assert_int_equal(try(vram), 0);
	vram.size += VKF_PAGE_SIZE;
	assert_int_equal(try(vram), -ENOMEM);
	assert_int_equal(try(gtt), 0);
	gtt.size += VKF_PAGE_SIZE;
	assert_int_equal(try(gtt), -ENOMEM);
}

static void a_full_arena_is_out_of_memory(void **state)
{
	struct mm_fixture small;
	struct mm_fixture_config config = { .arena = VKF_MIB(4) };
	struct mm_bo_params params = { .kind = MM_BO_GTT, .size = VKF_MIB(4) + 4096 };
	struct mm_bo *bo;

	mm_fixture_init(&small, &config);
	assert_int_equal(mm_bo_create(small.a.mm, small.dev[0], &params, &bo), -ENOMEM);
	mm_fixture_check(&small);
	params.size = VKF_MIB(4);
	assert_int_equal(mm_bo_create(small.a.mm, small.dev[0], &params, &bo), 0);
	mm_bo_put(bo);
	mm_fixture_fini(&small);
}

static int fault_alloc(const char *point, uint64_t arg)
{
	return strcmp(point, "mm.alloc") || arg != 1 ? 0 : ENOSPC;
}

static void a_fault_can_be_injected_for_one_gpu(void **state)
{
	static const struct vkf_env_ops env = { counting_zalloc, counting_free, fault_alloc };
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = 4096 };
	struct mm_bo *bo;

	vkf_env_set(&env);
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[1], &params, &bo), -ENOSPC);
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &bo), 0);
	mm_bo_put(bo);
	vkf_env_set(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_size_of_nothing_or_beyond_all_addresses_is_refused),
		TEST(addresses_must_be_of_pages_and_of_a_program),
		TEST(vram_is_charged_to_the_page_and_placed),
		TEST(gtt_is_charged_as_system_and_ttm_memory),
		TEST(user_pages_are_charged_as_system_memory_and_have_no_window),
		TEST(a_bar_buffer_costs_nothing),
		TEST(vram_charged_as_gtt_is_placed_in_vram),
		TEST(windows_of_2_mib_and_more_are_aligned_and_do_not_overlap),
		TEST(a_window_is_punched_once_when_the_last_reference_goes),
		TEST(a_buffer_waits_for_each_of_its_fences_before_it_is_freed),
		TEST(limits_and_space_end_in_enomem),
		TEST(a_full_arena_is_out_of_memory),
		TEST(a_fault_can_be_injected_for_one_gpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
