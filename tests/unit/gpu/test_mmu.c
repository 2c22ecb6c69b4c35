/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/mmu.h"

#define OTHER UINT64_C(0x200000000)

static struct gpu_worker *worker(struct fixture *fx)
{
	return &fx->engine->worker[0];
}

/* Translate in a section of its own. */
static int translate(struct fixture *fx, uint64_t va, unsigned int access, void **host,
		     uint64_t *len)
{
	int e;

	gpu_worker_enter(worker(fx));
	e = gpu_mmu_translate(worker(fx), 0, va, access, host, len);
	gpu_worker_leave(worker(fx));
	return e;
}

static uint64_t run(struct fixture *fx, uint64_t va, uint64_t max, unsigned int access)
{
	uint64_t len = 0;
	void *host;

	gpu_worker_enter(worker(fx));
	assert_int_equal(gpu_mmu_run(worker(fx), 0, va, max, access, &host, &len), 0);
	gpu_worker_leave(worker(fx));
	return len;
}

static void expect_fault(struct fixture *fx, uint64_t va, unsigned int access, uint32_t status)
{
	void *host = (void *)1;
	uint64_t len = 2;

	assert_int_equal(translate(fx, va, access, &host, &len), -EFAULT);
	assert_int_equal(worker(fx)->fault.va, va);
	assert_int_equal(worker(fx)->fault.gpu, 0);
	assert_int_equal(worker(fx)->fault.status, status);
	assert_ptr_equal(host, (void *)1);
	assert_int_equal(len, 2);
}

static void expect_host(struct fixture *fx, uint64_t va, void *host, uint64_t len)
{
	void *got;
	uint64_t got_len;

	assert_int_equal(translate(fx, va, GPU_READ, &got, &got_len), 0);
	assert_ptr_equal(got, host);
	assert_int_equal(got_len, len);
}

static void test_a_page_leads_into_the_arena(void **state)
{
	struct fixture *fx = *state;

	expect_host(fx, FX_VA(0x12345), fx->arena + 0x12345, 0x1000 - 0x345);
	/* The second time it comes out of the TLB. */
	expect_host(fx, FX_VA(0x12340), fx->arena + 0x12340, 0x1000 - 0x340);
}

static void test_a_page_leads_to_user_memory_and_the_bar(void **state)
{
	struct fixture *fx = *state;

	fx_map(fx, 0, OTHER, (uintptr_t)fx->arena | GPU_BACKING_USER, FX_RW);
	fx_map(fx, 0, OTHER + 0x1000, 0x2000 | GPU_BACKING_BAR, FX_RW);
	expect_host(fx, OTHER + 8, fx->arena + 8, 0xff8);
	expect_host(fx, OTHER + 0x1008, fx->bar + 0x2008, 0xff8);
}

static void test_a_huge_leaf_reaches_two_mebibytes(void **state)
{
	struct fixture *fx = *state;

	fx_map_huge(fx, 0, OTHER, VKF_HUGE_SIZE | GPU_BACKING_ARENA, FX_RW);
	expect_host(fx, OTHER + 0x12345, fx->arena + VKF_HUGE_SIZE + 0x12345,
		    VKF_HUGE_SIZE - 0x12345);
	expect_host(fx, OTHER + 0x1fffff, fx->arena + 2 * VKF_HUGE_SIZE - 1, 1);
	expect_fault(fx, OTHER + VKF_HUGE_SIZE, GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_absence_says_whether_it_was_a_write(void **state)
{
	struct fixture *fx = *state;

	expect_fault(fx, OTHER + 5, GPU_READ, GPU_FAULT_NOT_PRESENT);
	expect_fault(fx, OTHER + 5, GPU_WRITE, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	expect_fault(fx, OTHER + 5, GPU_READ | GPU_WRITE, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
}

static void test_rights_are_checked_one_by_one(void **state)
{
	struct fixture *fx = *state;
	void *host;
	uint64_t len;

	fx_map(fx, 0, OTHER, GPU_BACKING_ARENA, FX_RO);
	fx_map(fx, 0, OTHER + 0x1000, GPU_BACKING_ARENA,
	       PTE_GFX9_VALID_MASK | PTE_GFX9_WRITEABLE_MASK);
	assert_int_equal(translate(fx, OTHER, GPU_READ, &host, &len), 0);
	expect_fault(fx, OTHER, GPU_WRITE, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	expect_fault(fx, OTHER, GPU_READ | GPU_WRITE, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	expect_fault(fx, OTHER, GPU_EXECUTE, GPU_FAULT_NO_EXECUTE);
	assert_int_equal(translate(fx, OTHER + 0x1000, GPU_WRITE, &host, &len), 0);
	expect_fault(fx, OTHER + 0x1000, GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_the_vm_ends_at_its_limit(void **state)
{
	struct fixture *fx = *state;

	fx_map(fx, 0, OTHER, GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 0, OTHER + 0x1000, 0x1000 | GPU_BACKING_ARENA, FX_RW);
	fx->ctrl->vm[0].va_limit = OTHER + 0xfff;
	expect_host(fx, OTHER + 0xff8, fx->arena + 0xff8, 8);
	assert_int_equal(run(fx, OTHER, 0x2000, GPU_READ), 0x1000);
	expect_fault(fx, OTHER + 0x1000, GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_an_address_that_is_not_canonical_faults(void **state)
{
	struct fixture *fx = *state;

	fx->ctrl->vm[0].va_limit = UINT64_MAX;
	expect_fault(fx, FX_VA(0) | UINT64_C(1) << 48, GPU_READ, GPU_FAULT_NOT_PRESENT);
	expect_fault(fx, FX_VA(0) | UINT64_C(0xffff) << 48, GPU_WRITE,
		     GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	expect_fault(fx, UINT64_MAX, GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_a_gpu_without_a_vm_faults(void **state)
{
	struct fixture *fx = *state;
	void *host;
	uint64_t len;

	gpu_worker_enter(worker(fx));
	assert_int_equal(gpu_mmu_translate(worker(fx), 1, FX_VA(0), GPU_READ, &host, &len),
			 -EFAULT);
	assert_int_equal(worker(fx)->fault.gpu, 1);
	gpu_worker_leave(worker(fx));
}

static void test_tables_and_links_outside_their_regions_fault(void **state)
{
	static const uint64_t bad[] = {
		GPU_BACKING_ARENA | (FX_ARENA_BYTES),
		GPU_BACKING_ARENA | (UINT64_MAX & ~GPU_BACKING_KIND),
		GPU_BACKING_BAR | (GPU_MAX_GPUS * GPU_BAR_STRIDE),
		GPU_BACKING_USER, /* page 0 */
		GPU_BACKING_USER | (UINT64_MAX & ~GPU_BACKING_KIND),
		0,
		4,
		0xfff,
	};
	struct fixture *fx = *state;
	struct gpu_pt_table *root = &fx->pt[fx->ctrl->vm[0].root];
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		fx_map(fx, 0, OTHER, bad[i], FX_RW);
		expect_fault(fx, OTHER, GPU_READ, GPU_FAULT_NOT_PRESENT);
	}
	/* A huge leaf of which only the first page lies inside. */
	fx_map_huge(fx, 0, OTHER + VKF_HUGE_SIZE, (FX_ARENA_BYTES - 4096) | GPU_BACKING_ARENA,
		    FX_RW);
	expect_fault(fx, OTHER + VKF_HUGE_SIZE, GPU_READ, GPU_FAULT_NOT_PRESENT);
	root->link[0] = FX_TABLES;
	expect_fault(fx, OTHER, GPU_READ, GPU_FAULT_NOT_PRESENT);
	root->link[0] = UINT64_C(1) << 32 | 1;
	expect_fault(fx, OTHER, GPU_READ, GPU_FAULT_NOT_PRESENT);
	root->link[0] = 0;
	expect_fault(fx, OTHER, GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_a_leaf_bit_above_pdb0_faults(void **state)
{
	struct fixture *fx = *state;
	struct gpu_pt_table *root = &fx->pt[fx->ctrl->vm[0].root];

	fx_map(fx, 0, OTHER, GPU_BACKING_ARENA, FX_RW);
	root->pte[0] |= PTE_GFX9_PDE_PTE_MASK;
	expect_fault(fx, OTHER, GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_absence_is_not_remembered(void **state)
{
	struct fixture *fx = *state;

	expect_fault(fx, OTHER, GPU_READ, GPU_FAULT_NOT_PRESENT);
	fx_map(fx, 0, OTHER, GPU_BACKING_ARENA, FX_RO);
	expect_host(fx, OTHER, fx->arena, 0x1000);
	/* Nor is the absence of a right. */
	expect_fault(fx, OTHER, GPU_WRITE, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	fx_map(fx, 0, OTHER, GPU_BACKING_ARENA, FX_RW);
	gpu_worker_enter(worker(fx));
	{
		uint64_t len;
		void *host;

		assert_int_equal(gpu_mmu_translate(worker(fx), 0, OTHER, GPU_WRITE, &host, &len),
				 0);
	}
	gpu_worker_leave(worker(fx));
}

static void test_a_new_generation_drops_the_tlb(void **state)
{
	struct fixture *fx = *state;

	expect_host(fx, FX_VA(0), fx->arena, 0x1000);
	fx_map(fx, 0, FX_VA(0), 0x5000 | GPU_BACKING_ARENA, FX_RW);
	/* Until the driver bumps the generation, the old page may be used. */
	expect_host(fx, FX_VA(0), fx->arena, 0x1000);
	fx_invalidate(fx, 0);
	expect_host(fx, FX_VA(0), fx->arena + 0x5000, 0x1000);
	fx_unmap(fx, 0, FX_VA(0));
	fx_invalidate(fx, 0);
	expect_fault(fx, FX_VA(0), GPU_READ, GPU_FAULT_NOT_PRESENT);
}

static void test_the_generation_may_wrap(void **state)
{
	struct fixture *fx = *state;

	expect_host(fx, FX_VA(0), fx->arena, 0x1000);
	/* Seen through another page: the first one's entry stays in its place. */
	fx->ctrl->vm[0].generation = UINT32_MAX;
	expect_host(fx, FX_VA(0x1000), fx->arena + 0x1000, 0x1000);
	fx_map(fx, 0, FX_VA(0), 0x5000 | GPU_BACKING_ARENA, FX_RW);
	fx_invalidate(fx, 0);
	/* 0 again, the generation that the first translation was made under. */
	expect_host(fx, FX_VA(0), fx->arena + 0x5000, 0x1000);
}

static void test_a_run_joins_what_lies_together(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(run(fx, FX_VA(0x10), FX_ARENA_BYTES, GPU_READ), FX_ARENA_BYTES - 0x10);
	assert_int_equal(run(fx, FX_VA(0x10), 5000, GPU_READ), 5000);
	assert_int_equal(run(fx, FX_VA(0x10), 1, GPU_READ), 1);
}

static void test_a_run_joins_huge_and_small_leaves(void **state)
{
	struct fixture *fx = *state;
	uint64_t va = OTHER + VKF_HUGE_SIZE;

	fx_map(fx, 0, va - 0x1000, (VKF_HUGE_SIZE - 0x1000) | GPU_BACKING_ARENA, FX_RW);
	fx_map_huge(fx, 0, va, VKF_HUGE_SIZE | GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 0, va + VKF_HUGE_SIZE, (2 * VKF_HUGE_SIZE) | GPU_BACKING_ARENA, FX_RW);
	assert_int_equal(run(fx, va - 0x1000, 8 * VKF_HUGE_SIZE, GPU_WRITE),
			 VKF_HUGE_SIZE + 0x2000);
}

static void test_a_run_ends_at_a_gap_a_jump_or_a_missing_right(void **state)
{
	struct fixture *fx = *state;

	fx_unmap(fx, 0, FX_VA(0x3000));
	fx_map(fx, 0, FX_VA(0x8000), 0x9000 | GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 0, FX_VA(0xc000), 0xc000 | GPU_BACKING_ARENA, FX_RO);
	assert_int_equal(run(fx, FX_VA(0), 0x100000, GPU_READ), 0x3000);
	assert_int_equal(run(fx, FX_VA(0x4000), 0x100000, GPU_READ), 0x4000);
	assert_int_equal(run(fx, FX_VA(0x9000), 0x100000, GPU_WRITE), 0x3000);
	assert_int_equal(run(fx, FX_VA(0x9000), 0x100000, GPU_READ), 0x100000);
}

static void test_a_run_ends_where_the_backing_does(void **state)
{
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		fx_map(fx, 0, OTHER + i * 0x1000,
		       (FX_ARENA_BYTES - 0x2000 + i * 0x1000) | GPU_BACKING_ARENA, FX_RW);
		fx_map(fx, 0, OTHER + 0x10000 + i * 0x1000,
		       (GPU_MAX_GPUS * GPU_BAR_STRIDE - 0x1000 + i * 0x1000) | GPU_BACKING_BAR,
		       FX_RW);
		fx_map(fx, 0, OTHER + 0x20000 + i * 0x1000,
		       (UINT64_MAX - 0x2fff + i * 0x1000) | GPU_BACKING_USER, FX_RW);
	}
	assert_int_equal(run(fx, OTHER, 0x4000, GPU_READ), 0x2000);
	assert_int_equal(run(fx, OTHER + 0x10000, 0x4000, GPU_READ), 0x1000);
	assert_int_equal(run(fx, OTHER + 0x20000, 0x4000, GPU_READ), 0x2000);
}

static void test_a_run_goes_on_in_the_next_table(void **state)
{
	struct fixture *fx = *state;
	uint64_t last = OTHER + VKF_HUGE_SIZE - 0x1000;

	fx_map(fx, 0, last, 0x5000 | GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 0, last + 0x1000, 0x6000 | GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 0, last + 0x2000, 0x7000 | GPU_BACKING_ARENA, FX_RW);
	assert_int_equal(run(fx, last + 0x10, 0x10000, GPU_WRITE), 0x2ff0);
}

static void test_a_run_does_not_join_an_old_page_with_new_ones(void **state)
{
	struct fixture *fx = *state;

	expect_host(fx, FX_VA(0), fx->arena, 0x1000);
	fx_map(fx, 0, FX_VA(0), 0x800000 | GPU_BACKING_ARENA, FX_RW);
	fx_map(fx, 0, FX_VA(0x1000), 0x801000 | GPU_BACKING_ARENA, FX_RW);
	/* The TLB still leads to the old page: the run must not go on behind the new one. */
	assert_int_equal(run(fx, FX_VA(0), 0x2000, GPU_READ), 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_a_page_leads_into_the_arena),
		FX_TEST(test_a_page_leads_to_user_memory_and_the_bar),
		FX_TEST(test_a_huge_leaf_reaches_two_mebibytes),
		FX_TEST(test_absence_says_whether_it_was_a_write),
		FX_TEST(test_rights_are_checked_one_by_one),
		FX_TEST(test_the_vm_ends_at_its_limit),
		FX_TEST(test_an_address_that_is_not_canonical_faults),
		FX_TEST(test_a_gpu_without_a_vm_faults),
		FX_TEST(test_tables_and_links_outside_their_regions_fault),
		FX_TEST(test_a_leaf_bit_above_pdb0_faults),
		FX_TEST(test_absence_is_not_remembered),
		FX_TEST(test_a_new_generation_drops_the_tlb),
		FX_TEST(test_the_generation_may_wrap),
		FX_TEST(test_a_run_joins_what_lies_together),
		FX_TEST(test_a_run_joins_huge_and_small_leaves),
		FX_TEST(test_a_run_ends_at_a_gap_a_jump_or_a_missing_right),
		FX_TEST(test_a_run_ends_where_the_backing_does),
		FX_TEST(test_a_run_goes_on_in_the_next_table),
		FX_TEST(test_a_run_does_not_join_an_old_page_with_new_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
