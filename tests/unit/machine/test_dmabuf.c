/* SPDX-License-Identifier: MIT */
#include "machine_fixture.h"

#include <sys/mman.h>
#include "machine/dmabuf.h"

#define RW   (PROT_READ | PROT_WRITE)
#define SIZE VKF_MIB(1)

static struct machine_dmabuf *make(struct mm_bo *bo, bool writable)
{
	const struct machine_dmabuf_config config = {
		.bo = bo, .gpu = 1, .access = { .kind = mm_bo_kind(bo) }, .writable = writable
	};
	struct machine_dmabuf *d = NULL;

	assert_int_equal(machine_dmabuf_create(fx.m, &config, &d), 0);
	return d;
}

static int map(struct machine_dmabuf *d, uint64_t offset, uint64_t len, int prot, int flags)
{
	struct machine_map found, untouched;
	int e;

	memset(&found, 0x5a, sizeof(found));
	untouched = found;
	e = machine_dmabuf_mmap(d, offset, len, prot, flags, &found);
	if (e)
		assert_memory_equal(&found, &untouched, sizeof(found));
	return e;
}

static uint64_t vram_used(void)
{
	struct mm_device_usage u;

	mm_device_usage(machine_device(fx.m, 0), &u);
	return u.vram_used;
}

static void it_keeps_its_buffer_and_says_what_it_was_told(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, SIZE);
	struct machine_dmabuf *d = make(bo, true);
	uint64_t used = vram_used();

	assert_int_equal(machine_dmabuf_size(d), SIZE);
	assert_ptr_equal(machine_dmabuf_config(d)->bo, bo);
	assert_int_equal(machine_dmabuf_config(d)->gpu, 1);
	mm_bo_put(bo);
	assert_int_equal(vram_used(), used);
	assert_ptr_equal(machine_dmabuf_get(d), d);
	machine_dmabuf_put(d);
	assert_int_equal(vram_used(), used);
	machine_dmabuf_put(d);
	assert_int_equal(vram_used(), used - SIZE);
	machine_dmabuf_put(NULL);
}

static void no_two_have_the_same_inode(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_GTT, SIZE);
	struct machine_dmabuf *a = make(bo, true), *b = make(bo, true), *c;
	uint64_t last = machine_dmabuf_inode(b);

	assert_true(machine_dmabuf_inode(a) > 0);
	assert_true(machine_dmabuf_inode(a) != last);
	machine_dmabuf_put(b);
	c = make(bo, true);
	assert_true(machine_dmabuf_inode(c) != last &&
		    machine_dmabuf_inode(c) != machine_dmabuf_inode(a));
	machine_dmabuf_put(a);
	machine_dmabuf_put(c);
	mm_bo_put(bo);
}

static void without_memory_there_is_none_and_nothing_is_held(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, SIZE);
	const struct machine_dmabuf_config config = { .bo = bo };
	struct machine_dmabuf *d = NULL;
	uint64_t used = vram_used();

	fail_alloc(1);
	assert_int_equal(machine_dmabuf_create(fx.m, &config, &d), -ENOMEM);
	vkf_env_set(NULL);
	assert_null(d);
	mm_bo_put(bo);
	assert_int_equal(vram_used(), used - SIZE);
}

static void any_part_of_it_is_mapped(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_GTT, SIZE);
	struct machine_dmabuf *d = make(bo, true);
	struct machine_map m;

	assert_int_equal(machine_dmabuf_mmap(d, 0, SIZE, RW, MAP_SHARED, &m), 0);
	assert_int_equal(m.kind, MACHINE_MAP_ARENA);
	assert_int_equal(m.offset, mm_bo_arena(bo).v);
	assert_ptr_equal(m.owner, machine_client_mm(fx.a.mc));
	assert_int_equal(machine_dmabuf_mmap(d, 8192, 4096, RW, MAP_SHARED, &m), 0);
	assert_int_equal(m.offset, mm_bo_arena(bo).v + 8192);
	assert_int_equal(map(d, SIZE - 4096, 4096, RW, MAP_SHARED), 0);
	machine_dmabuf_put(d);
	mm_bo_put(bo);
}

static void no_part_beyond_it_is(void **state)
{
	static const struct {
		uint64_t offset, len;
	} beyond[] = {
		{ 0, 0 },
		{ 0, SIZE + 1 },
		{ 4096, SIZE },
		{ SIZE, 1 },
		{ SIZE + 4096, 4096 },
		{ UINT64_MAX, 2 },
		{ 2, UINT64_MAX },
		{ UINT64_MAX, UINT64_MAX },
	};
	struct mm_bo *bo = fx_bo(0, MM_BO_GTT, SIZE);
	struct machine_dmabuf *d = make(bo, true);

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(beyond); i++)
		assert_int_equal(map(d, beyond[i].offset, beyond[i].len, RW, MAP_SHARED), -EINVAL);
	machine_dmabuf_put(d);
	mm_bo_put(bo);
}

/* Access first, then the range, then the kind, then whether it is private. */
static void mistakes_are_told_in_the_kernels_order(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, SIZE), *bar = fx_bo(0, MM_BO_BAR, 8192);
	struct machine_dmabuf *d = make(bo, false), *doorbells = make(bar, true);

	assert_int_equal(map(d, 0, SIZE + 1, RW, MAP_SHARED), -EACCES);
	assert_int_equal(map(d, 0, SIZE + 1, PROT_READ, MAP_SHARED), -EINVAL);
	assert_int_equal(map(d, 0, SIZE, PROT_READ, MAP_SHARED), 0);
	assert_int_equal(map(d, 0, SIZE, RW, MAP_PRIVATE), -EINVAL);
	assert_int_equal(map(d, 0, SIZE, PROT_READ, MAP_PRIVATE), -EINVAL);
	assert_int_equal(map(d, 0, SIZE, PROT_NONE, MAP_PRIVATE), 0);
	assert_int_equal(map(doorbells, 0, 8193, RW, MAP_PRIVATE), -EINVAL);
	assert_int_equal(map(doorbells, 0, 8192, RW, MAP_PRIVATE), -EPERM);
	assert_int_equal(map(doorbells, 0, 8192, RW, MAP_SHARED), -EPERM);
	machine_dmabuf_put(d);
	machine_dmabuf_put(doorbells);
	mm_bo_put(bo);
	mm_bo_put(bar);
}

static void a_mapping_that_can_be_touched_is_noted(void **state)
{
	struct mm_bo *bo = fx_bo(0, MM_BO_VRAM, SIZE);
	struct machine_dmabuf *d = make(bo, true);

	assert_int_equal(map(d, 0, 2 * SIZE, RW, MAP_SHARED), -EINVAL);
	assert_int_equal(map(d, 0, SIZE, PROT_NONE, MAP_PRIVATE), 0);
	assert_false(mm_bo_has_cpu_access(bo));
	assert_int_equal(map(d, 0, SIZE, PROT_READ, MAP_SHARED), 0);
	assert_true(mm_bo_has_cpu_access(bo));
	machine_dmabuf_put(d);
	mm_bo_put(bo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(it_keeps_its_buffer_and_says_what_it_was_told),
		FX_TEST(no_two_have_the_same_inode),
		FX_TEST(without_memory_there_is_none_and_nothing_is_held),
		FX_TEST(any_part_of_it_is_mapped),
		FX_TEST(no_part_beyond_it_is),
		FX_TEST(mistakes_are_told_in_the_kernels_order),
		FX_TEST(a_mapping_that_can_be_touched_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
