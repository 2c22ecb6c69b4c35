/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/vmem.h"

#define OTHER UINT64_C(0x200000000)
#define DATA  FX_VA(FX_DATA)

static struct gpu_worker *enter(struct fixture *fx)
{
	struct gpu_worker *w = &fx->engine->worker[0];

	gpu_worker_enter(w);
	return w;
}

static void expect_fault(struct gpu_worker *w, uint64_t page, uint32_t status)
{
	assert_int_equal(w->fault.va & ~UINT64_C(0xfff), page);
	assert_int_equal(w->fault.status, status);
	gpu_worker_leave(w);
}

static void test_reads_and_writes_cross_scattered_pages(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);
	unsigned char buf[9000];

	fx_map(fx, 0, DATA + 0x1000, (FX_DATA + 0x8000) | GPU_BACKING_ARENA, FX_RW);
	fx_pattern(fx, FX_DATA, 4096, 1);
	fx_pattern(fx, FX_DATA + 0x8000, 4096, 2);
	assert_int_equal(gpu_vmem_read(w, 0, DATA + 4000, buf, 200), 0);
	assert_memory_equal(buf, fx->arena + FX_DATA + 4000, 96);
	assert_memory_equal(buf + 96, fx->arena + FX_DATA + 0x8000, 104);
	memset(buf, 0xab, sizeof(buf));
	assert_int_equal(gpu_vmem_write(w, 0, DATA + 1, buf, sizeof(buf)), 0);
	assert_int_equal(fx->arena[FX_DATA + 0x8fff], 0xab);
	assert_int_equal(fx->arena[FX_DATA + 0x1000], 0);
	assert_int_equal(fx->arena[FX_DATA + 0x2000 + 9001 - 0x2000], 0);
	gpu_worker_leave(w);
}

static void test_a_copy_goes_through_as_few_runs_as_there_are(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	fx_pattern(fx, FX_DATA, VKF_MIB(1), 3);
	assert_int_equal(gpu_vmem_copy(w, 0, FX_VA(VKF_MIB(4)), DATA, VKF_MIB(1)), 0);
	assert_int_equal(fx->copies, 1);
	gpu_worker_leave(w);
	fx_check_pattern(fx, VKF_MIB(4), VKF_MIB(1), 3);
}

static void test_overlapping_copies_are_moves(void **state)
{
	static const int shifts[] = { 1, 7, 4096, 5000, -1, -7, -4096, -5000 };
	struct fixture *fx = *state;
	unsigned int i;

	for (i = 0; i < VKF_ARRAY_SIZE(shifts); i++) {
		struct gpu_worker *w = enter(fx);

		fx_pattern(fx, FX_DATA + 0x10000, 20000, i);
		assert_int_equal(
			gpu_vmem_copy(w, 0, DATA + 0x10000 + shifts[i], DATA + 0x10000, 20000), 0);
		gpu_worker_leave(w);
		fx_check_pattern(fx, FX_DATA + 0x10000 + shifts[i], 20000, i);
	}
}

static void test_a_copy_onto_itself_changes_nothing(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	fx_pattern(fx, FX_DATA, 20000, 1);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA, DATA, 20000), 0);
	gpu_worker_leave(w);
	fx_check_pattern(fx, FX_DATA, 20000, 1);
}

static void test_two_names_of_one_page_are_safe(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	fx_map(fx, 0, OTHER, FX_DATA | GPU_BACKING_ARENA, FX_RW);
	fx_pattern(fx, FX_DATA, 3000, 1);
	/* The fixture checks that the operation is never given overlapping ranges. */
	assert_int_equal(gpu_vmem_copy(w, 0, OTHER + 100, DATA, 3000), 0);
	gpu_worker_leave(w);
	fx_check_pattern(fx, FX_DATA + 100, 3000, 1);
}

static void test_a_copy_that_wraps_the_address_space_faults(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	assert_int_equal(gpu_vmem_copy(w, 0, UINT64_MAX - 10, DATA, 100), -EFAULT);
	expect_fault(w, UINT64_MAX & ~UINT64_C(0xfff), GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
	w = enter(fx);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA, UINT64_MAX - 10, 100), -EFAULT);
	expect_fault(w, UINT64_MAX & ~UINT64_C(0xfff), GPU_FAULT_NOT_PRESENT);
}

static void test_a_copy_names_the_first_missing_page(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w;

	fx_unmap(fx, 0, DATA + 0x5000);
	fx_pattern(fx, FX_DATA, 0x5000, 1);
	w = enter(fx);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA + 0x20000, DATA + 0x10, 0x8000), -EFAULT);
	expect_fault(w, DATA + 0x5000, GPU_FAULT_NOT_PRESENT);
	w = enter(fx);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA + 0x3000, DATA + 0x20000, 0x8000), -EFAULT);
	expect_fault(w, DATA + 0x5000, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
}

static void lose(struct fixture *fx, uint64_t off, uint64_t len, bool writes_only)
{
	fx->lost = (uintptr_t)fx->arena + off;
	fx->lost_end = fx->lost + len;
	fx->lost_writes_only = writes_only;
}

static void test_a_vanished_source_page_is_named(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	lose(fx, FX_DATA + 0x7000, 0x1000, false);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA + 0x20000, DATA + 0x10, 0x10000), -EFAULT);
	expect_fault(w, DATA + 0x7000, GPU_FAULT_HOST);
}

static void test_a_vanished_destination_page_is_named(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	lose(fx, FX_DATA + 0x7000, 0x1000, false);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA + 0x10, DATA + 0x20000, 0x10000), -EFAULT);
	expect_fault(w, DATA + 0x7000, GPU_FAULT_HOST | GPU_FAULT_WRITE);
	w = enter(fx);
	assert_int_equal(gpu_vmem_fill(w, 0, DATA + 0x6000, 1, 0x4000), -EFAULT);
	expect_fault(w, DATA + 0x7000, GPU_FAULT_HOST | GPU_FAULT_WRITE);
}

static void test_a_page_that_became_read_only_is_named(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	lose(fx, FX_DATA + 0x7000, 0x1000, true);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA + 0x10, DATA + 0x20000, 0x10000), -EFAULT);
	expect_fault(w, DATA + 0x7000, GPU_FAULT_HOST | GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	w = enter(fx);
	assert_int_equal(gpu_vmem_copy(w, 0, DATA + 0x20000, DATA + 0x10, 0x10000), 0);
	gpu_worker_leave(w);
}

static void test_words_fault_with_their_own_address(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w;
	uint32_t v32 = 1;
	uint64_t v64 = 2;

	lose(fx, FX_DATA, 0x1000, false);
	w = enter(fx);
	assert_int_equal(gpu_vmem_load32(w, 0, DATA + 4, &v32), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST);
	w = enter(fx);
	assert_int_equal(gpu_vmem_load64(w, 0, DATA + 8, &v64), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST);
	w = enter(fx);
	assert_int_equal(gpu_vmem_store32(w, 0, DATA + 4, 1), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST | GPU_FAULT_WRITE);
	w = enter(fx);
	assert_int_equal(gpu_vmem_store64(w, 0, DATA + 8, 1), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST | GPU_FAULT_WRITE);
	w = enter(fx);
	assert_int_equal(gpu_vmem_add64(w, 0, DATA + 8, 1), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST | GPU_FAULT_WRITE);
	w = enter(fx);
	assert_int_equal(gpu_vmem_cas32(w, 0, DATA + 8, &v32, 1), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST | GPU_FAULT_WRITE);
	w = enter(fx);
	assert_int_equal(gpu_vmem_cas64(w, 0, DATA + 8, &v64, 1), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_HOST | GPU_FAULT_WRITE);
	assert_int_equal(v32, 1);
	assert_int_equal(v64, 2);
}

static void test_words_want_their_alignment(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);
	uint64_t v;
	uint32_t v32;

	assert_int_equal(gpu_vmem_load32(w, 0, DATA + 2, &v32), -EFAULT);
	assert_int_equal(gpu_vmem_load64(w, 0, DATA + 4, &v), -EFAULT);
	assert_int_equal(gpu_vmem_store64(w, 0, DATA + 0xffc, 0), -EFAULT);
	assert_int_equal(gpu_vmem_add64(w, 0, DATA + 1, 0), -EFAULT);
	expect_fault(w, DATA, GPU_FAULT_NOT_PRESENT | GPU_FAULT_WRITE);
}

static void test_an_atomic_needs_both_rights(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	fx_map(fx, 0, OTHER, FX_DATA | GPU_BACKING_ARENA, FX_RO);
	assert_int_equal(gpu_vmem_add64(w, 0, OTHER, 1), -EFAULT);
	expect_fault(w, OTHER, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	assert_int_equal(*fx_u64(fx, FX_DATA), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_reads_and_writes_cross_scattered_pages),
		FX_TEST(test_a_copy_goes_through_as_few_runs_as_there_are),
		FX_TEST(test_overlapping_copies_are_moves),
		FX_TEST(test_a_copy_onto_itself_changes_nothing),
		FX_TEST(test_two_names_of_one_page_are_safe),
		FX_TEST(test_a_copy_that_wraps_the_address_space_faults),
		FX_TEST(test_a_copy_names_the_first_missing_page),
		FX_TEST(test_a_vanished_source_page_is_named),
		FX_TEST(test_a_vanished_destination_page_is_named),
		FX_TEST(test_a_page_that_became_read_only_is_named),
		FX_TEST(test_words_fault_with_their_own_address),
		FX_TEST(test_words_want_their_alignment),
		FX_TEST(test_an_atomic_needs_both_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
