/* SPDX-License-Identifier: MIT */
#include "machine_fixture.h"

#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)

static struct machine_render *open_render(unsigned int gpu)
{
	struct machine_render *r = NULL;

	assert_int_equal(machine_render_open(fx.m, gpu, &r), 0);
	return r;
}

static uint64_t add(unsigned int gpu, struct machine_render *r, struct mm_bo *bo)
{
	uint64_t offset = 0;

	assert_int_equal(machine_vma_add(fx.m, gpu, r, bo, &offset), 0);
	return offset;
}

static int map(struct machine_render *r, uint64_t offset, uint64_t len, int prot, int flags)
{
	struct machine_map found, untouched;
	int e;

	memset(&found, 0x5a, sizeof(found));
	untouched = found;
	e = machine_render_mmap(r, offset, len, prot, flags, &found);
	if (e)
		assert_memory_equal(&found, &untouched, sizeof(found));
	return e;
}

static void a_render_node_knows_its_gpu_and_machine(void **state)
{
	struct machine_render *r = open_render(1);

	assert_int_equal(machine_render_gpu(r), 1);
	assert_ptr_equal(machine_render_machine(r), fx.m);
	machine_render_put(r);
}

static void there_is_no_node_of_a_gpu_that_is_not_there(void **state)
{
	struct machine_render *r = NULL;

	assert_int_equal(machine_render_open(fx.m, 2, &r), -ENODEV);
	assert_int_equal(machine_render_open(fx.m, UINT32_MAX, &r), -ENODEV);
	assert_null(r);
}

static void a_node_lives_as_long_as_somebody_holds_it(void **state)
{
	struct machine_render *r;

	fail_alloc(0);
	n_live_allocs = 0;
	r = open_render(0);
	assert_int_equal(n_live_allocs, 1);
	assert_ptr_equal(machine_render_get(r), r);
	machine_render_put(r);
	assert_int_equal(n_live_allocs, 1);
	machine_render_put(r);
	assert_int_equal(n_live_allocs, 0);
	fail_alloc(1);
	assert_int_equal(machine_render_open(fx.m, 0, &r), -ENOMEM);
	vkf_env_set(NULL);
}

static void a_vm_is_taken_once_until_it_is_dropped(void **state)
{
	struct machine_render *r = open_render(0), *other = open_render(0);

	assert_int_equal(machine_render_take_vm(r), 0);
	assert_int_equal(machine_render_take_vm(r), -EINVAL);
	/* Each open has a VM of its own. */
	assert_int_equal(machine_render_take_vm(other), 0);
	machine_render_drop_vm(r);
	assert_int_equal(machine_render_take_vm(r), 0);
	machine_render_put(r);
	machine_render_put(other);
}

static void a_buffer_is_mapped_at_its_offset(void **state)
{
	struct machine_render *r = open_render(0);
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(4)), *gtt = fx_bo(0, MM_BO_GTT, 4096);
	uint64_t off = add(0, r, bo), off2 = add(0, r, gtt);
	struct machine_map m;

	/* What fits in 32 bits of pages is not used: the kernel's own objects are there. */
	assert_true(off >= UINT64_C(1) << 32);
	assert_true(VKF_IS_ALIGNED(off, VKF_PAGE_SIZE));
	assert_true(off2 >= off + VKF_MIB(4));
	assert_int_equal(machine_render_mmap(r, off, VKF_MIB(4), RW, MAP_SHARED, &m), 0);
	assert_int_equal(m.kind, MACHINE_MAP_ARENA);
	assert_int_equal(m.offset, mm_bo_arena(bo).v);
	assert_false(m.dont_copy);
	assert_ptr_equal(m.owner, machine_client_mm(fx.a.mc));
	assert_int_equal(machine_render_mmap(r, off2, 4096, PROT_READ, MAP_SHARED, &m), 0);
	assert_int_equal(m.offset, mm_bo_arena(gtt).v);
	/* Less than all of it is fine. */
	assert_int_equal(map(r, off, 4096, RW, MAP_SHARED), 0);
	machine_vma_remove(fx.m, 0, off);
	machine_vma_remove(fx.m, 0, off2);
	mm_bo_put(bo);
	mm_bo_put(gtt);
	machine_render_put(r);
}

static void an_offset_is_exact_and_a_length_within(void **state)
{
	struct machine_render *r = open_render(0);
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(1));
	uint64_t off = add(0, r, bo);

	assert_int_equal(map(r, off + 4096, 4096, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(r, off - 4096, 4096, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(r, 0, 4096, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(r, UINT64_MAX, 4096, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(r, off, VKF_MIB(1) + 1, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(r, off, UINT64_MAX, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(r, off, 0, RW, MAP_SHARED), -EINVAL);
	machine_vma_remove(fx.m, 0, off);
	assert_int_equal(map(r, off, 4096, RW, MAP_SHARED), -EINVAL);
	mm_bo_put(bo);
	machine_render_put(r);
}

static void another_open_file_may_not_map_it(void **state)
{
	struct machine_render *r = open_render(0), *other = open_render(0), *gpu1 = open_render(1);
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(1));
	uint64_t off = add(0, r, bo);

	assert_int_equal(map(other, off, 4096, RW, MAP_SHARED), -EACCES);
	assert_int_equal(map(other, off, 4096, PROT_NONE, MAP_PRIVATE), -EACCES);
	/* Offsets are each GPU's own. */
	assert_int_equal(map(gpu1, off, 4096, RW, MAP_SHARED), -EINVAL);
	machine_vma_remove(fx.m, 0, off);
	mm_bo_put(bo);
	machine_render_put(r);
	machine_render_put(other);
	machine_render_put(gpu1);
}

static void what_has_no_cpu_mapping_is_refused(void **state)
{
	struct machine_render *r = open_render(0);
	struct mm_bo *bo = fx_bo(0, MM_BO_USERPTR, VKF_MIB(1));
	uint64_t off = add(0, r, bo);

	assert_int_equal(map(r, off, 4096, RW, MAP_SHARED), -EPERM);
	assert_int_equal(map(r, off, 4096, PROT_NONE, MAP_PRIVATE), -EPERM);
	machine_vma_remove(fx.m, 0, off);
	mm_bo_put(bo);
	machine_render_put(r);
}

static void a_private_mapping_must_have_no_rights(void **state)
{
	struct machine_render *r = open_render(0);
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(1));
	uint64_t off = add(0, r, bo);

	assert_int_equal(map(r, off, 4096, PROT_WRITE, MAP_PRIVATE), -EINVAL);
	assert_int_equal(map(r, off, 4096, RW, MAP_PRIVATE), -EINVAL);
	assert_int_equal(map(r, off, 4096, PROT_READ, MAP_PRIVATE), -EINVAL);
	assert_int_equal(map(r, off, 4096, PROT_NONE, MAP_PRIVATE), 0);
	assert_int_equal(map(r, off, 4096, PROT_NONE, MAP_SHARED), 0);
	machine_vma_remove(fx.m, 0, off);
	mm_bo_put(bo);
	machine_render_put(r);
}

static void an_offset_is_never_given_twice(void **state)
{
	struct machine_render *r = open_render(0);
	uint64_t last = 0;

	for (unsigned int i = 0; i < 100; i++) {
		struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_PAGE_SIZE * (1 + i % 3));
		uint64_t off = add(0, r, bo);

		assert_true(off > last);
		assert_int_equal(map(r, last, 4096, RW, MAP_SHARED), -EINVAL);
		machine_vma_remove(fx.m, 0, off);
		mm_bo_put(bo);
		last = off;
	}
	/* Not there: nothing happens. */
	machine_vma_remove(fx.m, 0, last);
	machine_vma_remove(fx.m, 0, 12345);
	machine_render_put(r);
}

static void without_memory_there_is_no_offset(void **state)
{
	struct machine_render *r = open_render(0);
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, VKF_MIB(1));
	uint64_t off = 7;

	fail_alloc(1);
	assert_int_equal(machine_vma_add(fx.m, 0, r, bo, &off), -ENOMEM);
	assert_int_equal(off, 7);
	vkf_env_set(NULL);
	mm_bo_put(bo);
	machine_render_put(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(a_render_node_knows_its_gpu_and_machine),
		FX_TEST(there_is_no_node_of_a_gpu_that_is_not_there),
		FX_TEST(a_node_lives_as_long_as_somebody_holds_it),
		FX_TEST(a_vm_is_taken_once_until_it_is_dropped),
		FX_TEST(a_buffer_is_mapped_at_its_offset),
		FX_TEST(an_offset_is_exact_and_a_length_within),
		FX_TEST(another_open_file_may_not_map_it),
		FX_TEST(what_has_no_cpu_mapping_is_refused),
		FX_TEST(a_private_mapping_must_have_no_rights),
		FX_TEST(an_offset_is_never_given_twice),
		FX_TEST(without_memory_there_is_no_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
