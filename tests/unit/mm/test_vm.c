/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#define VA VKF_GIB(1)

static struct mm_fixture f;
static struct mm_vm *vm;

static int setup_with(struct mm_fixture_config config)
{
	config.n_gpus = 3;
	mm_fixture_init(&f, &config);
	vm = mm_fixture_vm(&f, 0);
	return 0;
}

static int setup(void **state)
{
	return setup_with((struct mm_fixture_config){ 0 });
}

static int setup_40_bits(void **state)
{
	return setup_with((struct mm_fixture_config){ .va_bits = 40 });
}

static int setup_delayed(void **state)
{
	return setup_with((struct mm_fixture_config){ .delay = true });
}

static int teardown(void **state)
{
	f.delay = false;
	mm_fixture_run_all(&f);
	mm_fixture_fini(&f);
	return 0;
}

static int try_map(struct mm_bo *bo, uint64_t va)
{
	struct mm_pte_attr attr = { .writeable = true };
	struct mm_mapping *m = (void *)&f;
	int r = mm_vm_map(vm, bo, (vkf_gpuva){ va }, &attr, &m);

	mm_fixture_check(&f);
	if (r)
		assert_ptr_equal(m, &f);
	else
		assert_int_equal(mm_vm_unmap(m, NULL), 0);
	return r;
}

static uint64_t vram_managed(void)
{
	struct mm_device_usage u;

	mm_device_usage(f.dev[0], &u);
	return u.vram_managed;
}

static void a_client_has_one_vm_on_a_gpu(void **state)
{
	struct mm_vm *other = NULL;

	assert_int_equal(mm_vm_create(f.a.mm, f.dev[0], &other), -EEXIST);
	assert_null(other);
	other = mm_fixture_vm(&f, 1);
	assert_int_not_equal(mm_vm_root(other), mm_vm_root(vm));
	assert_int_not_equal(mm_vm_root(vm), 0);
	mm_vm_destroy(other);
	other = mm_fixture_vm(&f, 1);
	mm_vm_destroy(NULL);
}

static void a_mapping_is_what_the_hardware_finds(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4) + 3 * VKF_PAGE_SIZE);
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);
	struct mm_fixture_found found = mm_fixture_walk(&f.a, vm, VA);

	assert_int_equal(mm_vm_sync(m, true), 0);
	assert_int_equal(found.entry & 1, 1);
	assert_int_equal(found.link, mm_bo_arena(bo).v | MM_LINK_ARENA);
	assert_int_equal(found.entry & PTE_GFX9_PAGE_MASK, bo->res.blocks->offset);
	found = mm_fixture_walk(&f.a, vm, VA + VKF_MIB(4) + 2 * VKF_PAGE_SIZE);
	assert_int_equal(found.level, MM_PTB);
	assert_int_equal(found.link, (mm_bo_arena(bo).v + VKF_MIB(4) + 2 * VKF_PAGE_SIZE) | 1);
	mm_fixture_check(&f);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry & 1, 0);
	assert_int_equal(f.a.n_invalidated[0], 1);
	mm_bo_put(bo);
}

static void a_mapping_holds_its_buffer(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);

	mm_bo_put(bo);
	assert_int_equal(f.a.n_punched, 0);
	mm_fixture_check(&f);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	assert_int_equal(f.a.n_punched, 1);
}

static void one_buffer_may_be_mapped_twice_in_a_row(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_GTT, 2 * VKF_PAGE_SIZE);
	struct mm_mapping *m[2];

	m[0] = mm_fixture_map(vm, bo, VA);
	m[1] = mm_fixture_map(vm, bo, VA + 2 * VKF_PAGE_SIZE);
	mm_fixture_check(&f);
	for (unsigned int page = 0; page < 4; page++) {
		struct mm_fixture_found found =
			mm_fixture_walk(&f.a, vm, VA + page * VKF_PAGE_SIZE);

		assert_int_equal(found.link, (mm_bo_arena(bo).v + page % 2 * VKF_PAGE_SIZE) | 1);
	}
	assert_int_equal(mm_vm_unmap(m[0], NULL), 0);
	mm_fixture_check(&f);
	assert_int_equal(mm_vm_unmap(m[1], NULL), 0);
	mm_bo_put(bo);
}

static void addresses_are_refused_as_the_kernel_does(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, 2 * VKF_PAGE_SIZE);
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);
	uint64_t end = UINT64_C(1) << 48;

	assert_int_equal(try_map(bo, 0), -EINVAL);
	assert_int_equal(try_map(bo, VA + 100), -EINVAL);
	assert_int_equal(try_map(bo, VA), -EINVAL);
	assert_int_equal(try_map(bo, VA + VKF_PAGE_SIZE), -EINVAL);
	assert_int_equal(try_map(bo, VA - VKF_PAGE_SIZE), -EINVAL);
	assert_int_equal(try_map(bo, VA - 2 * VKF_PAGE_SIZE), 0);
	assert_int_equal(try_map(bo, end - VKF_PAGE_SIZE), -EINVAL);
	assert_int_equal(try_map(bo, end - 2 * VKF_PAGE_SIZE), 0);
	assert_int_equal(try_map(bo, UINT64_MAX - VKF_PAGE_SIZE + 1), -EINVAL);
	assert_int_equal(try_map(bo, VKF_PAGE_SIZE), 0);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_bo_put(bo);
}

static void a_vm_of_40_bits_ends_there(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_PAGE_SIZE);
	uint64_t end = UINT64_C(1) << 40;
	struct mm_mapping *m;

	assert_int_equal(try_map(bo, end), -EINVAL);
	m = mm_fixture_map(vm, bo, end - VKF_PAGE_SIZE);
	assert_int_equal(mm_fixture_walk(&f.a, vm, end - VKF_PAGE_SIZE).level, MM_PTB);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_bo_put(bo);
}

/* What the first entry says of a buffer that is reached so. */
static uint64_t entry_of(struct mm_bo *bo, unsigned int gpu, struct mm_pte_attr attr)
{
	struct mm_vm *on = gpu ? mm_fixture_vm(&f, gpu) : vm;
	struct mm_mapping *m;
	uint64_t entry;

	assert_int_equal(mm_vm_map(on, bo, (vkf_gpuva){ VA }, &attr, &m), 0);
	mm_fixture_check(&f);
	entry = mm_fixture_walk(&f.a, on, VA).entry;
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	if (gpu)
		mm_vm_destroy(on);
	return entry;
}

static void an_entry_names_memory_as_its_gpu_reaches_it(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_PAGE_SIZE };
	struct mm_bo *bo, *gtt, *bar, *user;
	uint64_t at;

	assert_int_equal(mm_bo_create(f.a.mm, f.dev[1], &params, &bo), 0);
	at = bo->res.blocks->offset;
	assert_true(entry_of(bo, 1, (struct mm_pte_attr){ .mtype = 1 }) ==
		    ((at + VKF_GIB(64)) | 0x21 | UINT64_C(1) << 57));
	assert_true(entry_of(bo, 2, (struct mm_pte_attr){ .reach = MM_REACH_HIVE }) ==
		    ((at + VKF_GIB(64)) | 0x21));
	assert_true(entry_of(bo, 0, (struct mm_pte_attr){ .reach = MM_REACH_BUS }) ==
		    ((at + VKF_GIB(2048)) | 0x23));
	gtt = mm_fixture_bo(&f, MM_BO_GTT, VKF_PAGE_SIZE);
	assert_true(entry_of(gtt, 2, (struct mm_pte_attr){ .snooped = true }) ==
		    ((gtt->res.blocks->offset + VKF_GIB(4)) | 0x27));
	user = mm_fixture_bo(&f, MM_BO_USERPTR, VKF_PAGE_SIZE);
	assert_true(
		entry_of(user, 0, (struct mm_pte_attr){ .snooped = true, .executable = true }) ==
		((user->res.blocks->offset + VKF_GIB(4)) | 0x37));
	bar = mm_fixture_bo(&f, MM_BO_BAR, VKF_PAGE_SIZE);
	assert_true(entry_of(bar, 0, (struct mm_pte_attr){ .writeable = true, .mtype = 3 }) ==
		    (UINT64_C(0xd0000063) | UINT64_C(3) << 57));
	mm_bo_put(bo);
	mm_bo_put(gtt);
	mm_bo_put(user);
	mm_bo_put(bar);
}

static void another_gpus_vram_is_not_local(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_PAGE_SIZE };
	struct mm_bo *bo;

	assert_int_equal(mm_bo_create(f.a.mm, f.dev[1], &params, &bo), 0);
	assert_int_equal(try_map(bo, VA), -EINVAL);
	mm_bo_put(bo);
}

static void another_clients_buffer_is_refused(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_GTT, .size = VKF_PAGE_SIZE };
	struct mm_fixture_client b;
	struct mm_bo *bo;

	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &bo), 0);
	assert_int_equal(try_map(bo, VA), -EINVAL);
	mm_bo_put(bo);
	mm_fixture_client_fini(&b);
}

static void tables_that_are_left_empty_stay_for_the_next_map(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(40) + VKF_PAGE_SIZE);
	struct mm_mapping *m = mm_fixture_map(vm, bo, VKF_GIB(600) - VKF_MIB(4));

	/* Large entries on both sides of a PDB0's end, and one page. */
	assert_int_equal(vram_managed(), (1 + 1 + 2 + 1) * VKF_PAGE_SIZE);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	assert_int_equal(vram_managed(), (1 + 1 + 2 + 1) * VKF_PAGE_SIZE);
	mm_fixture_check(&f);
	mm_fixture_map(vm, bo, VKF_GIB(600) - VKF_MIB(4));
	assert_int_equal(vram_managed(), (1 + 1 + 2 + 1) * VKF_PAGE_SIZE);
	mm_bo_put(bo);
}

static int fault_map(const char *point, uint64_t arg)
{
	return strcmp(point, "mm.map") || arg != 0 ? 0 : EIO;
}

static void a_fault_can_be_injected(void **state)
{
	static const struct vkf_env_ops env = { counting_zalloc, counting_free, fault_map };
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_PAGE_SIZE);

	vkf_env_set(&env);
	assert_int_equal(try_map(bo, VA), -EIO);
	vkf_env_set(NULL);
	assert_int_equal(try_map(bo, VA), 0);
	mm_bo_put(bo);
}

static void finds_the_mapping_that_covers_an_address(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, 3 * VKF_PAGE_SIZE);
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);
	vkf_gpuva start = { 1 };
	uint64_t size = 1;

	assert_null(mm_vm_find(vm, (vkf_gpuva){ VA - 1 }, &start, &size));
	assert_int_equal(start.v + size, 2);
	assert_ptr_equal(mm_vm_find(vm, (vkf_gpuva){ VA + 5000 }, &start, &size), m);
	assert_int_equal(start.v, VA);
	assert_int_equal(size, 3 * VKF_PAGE_SIZE);
	assert_ptr_equal(mm_vm_find(vm, (vkf_gpuva){ VA }, NULL, NULL), m);
	mm_bo_put(bo);
}

static void counts_who_needs_a_mapping(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_PAGE_SIZE);
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);

	assert_false(mm_mapping_in_use(m));
	mm_mapping_use(m);
	mm_mapping_use(m);
	mm_mapping_unuse(m);
	assert_true(mm_mapping_in_use(m));
	mm_mapping_unuse(m);
	assert_false(mm_mapping_in_use(m));
	mm_bo_put(bo);
}

static void destroying_drops_every_mapping(void **state)
{
	for (unsigned int i = 0; i < 20; i++) {
		struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(1) * (i + 1) + 4096 * i);

		mm_mapping_use(mm_fixture_map(vm, bo, VA + VKF_GIB(200) * i));
		mm_bo_put(bo);
	}
	mm_fixture_check(&f);
	mm_vm_destroy(vm);
	assert_int_equal(f.a.n_punched, 20);
	assert_int_equal(vram_managed(), 0);
	for (unsigned int i = 0; i < 256 * MM_PT_SLOTS * 2; i++)
		if (i / MM_PT_SLOTS % 2 == 0)
			assert_int_equal(((uint64_t *)f.a.pt)[i], 0);
	vm = mm_fixture_vm(&f, 0);
}

static void no_vram_for_a_root_is_out_of_memory(void **state)
{
	struct mm_fixture_config config = { .vram = VKF_PAGE_SIZE };
	struct mm_fixture_client b;
	struct mm_fixture small;
	struct mm_vm *one;

	mm_fixture_init(&small, &config);
	assert_int_equal(mm_vm_create(small.a.mm, small.dev[0], &one), 0);
	assert_int_equal(mm_fixture_client_init(&small, &b), 0);
	assert_int_equal(mm_vm_create(b.mm, small.dev[0], &one), -ENOMEM);
	mm_fixture_check(&small);
	mm_fixture_client_fini(&b);
	mm_fixture_fini(&small);
}

/* ------------------------------------------------ with jobs that wait */

static void a_sync_waits_for_the_mappings_update(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);

	mm_fixture_check(&f);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_vm_sync(m, true), -VKF_ERESTARTSYS);
	vkf_task_clear_interrupt();
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry & 1, 0);
	mm_fixture_run_all(&f);
	assert_int_equal(mm_vm_sync(m, true), 0);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).entry & 1, 1);
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void an_update_is_bookkeep_on_the_buffer_and_on_the_vm(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));

	mm_fixture_map(vm, bo, VA);
	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	assert_true(mm_resv_is_idle_locked(bo->resv, MM_RESV_READ));
	assert_false(mm_resv_is_idle_locked(bo->resv, MM_RESV_BOOKKEEP));
	mm_resv_unlock(bo->resv);
	assert_int_equal(mm_resv_lock(&vm->resv, false), 0);
	assert_false(mm_resv_is_idle_locked(&vm->resv, MM_RESV_BOOKKEEP));
	mm_resv_unlock(&vm->resv);
	assert_int_equal(mm_bo_validate(bo, true), 0);
	mm_fixture_run_all(&f);
	mm_bo_put(bo);
}

static void an_unmapped_buffer_stays_until_its_unmap_is_done(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct mm_fence *fence = NULL;

	assert_int_equal(mm_vm_unmap(mm_fixture_map(vm, bo, VA), &fence), 0);
	mm_bo_put(bo);
	mm_fixture_check(&f);
	assert_false(mm_fence_is_signalled(fence));
	mm_fixture_run(&f, 1);
	assert_int_equal(f.a.n_punched, 0);
	assert_true(vram_managed() > VKF_MIB(2));
	mm_fixture_run(&f, 1);
	assert_true(mm_fence_is_signalled(fence));
	assert_int_equal(f.a.n_punched, 1);
	assert_int_equal(vram_managed(), vm->pt.n_tables * VKF_PAGE_SIZE);
	mm_fence_put(fence);
}

static void the_memory_of_a_dying_buffer_is_not_given_to_another(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(240));
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_MIB(240) };
	struct mm_bo *next;

	assert_int_equal(mm_vm_unmap(mm_fixture_map(vm, bo, VA), NULL), 0);
	mm_bo_put(bo);
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &next), -ENOMEM);
	mm_fixture_run_all(&f);
	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &next), 0);
	mm_bo_put(next);
}

static void a_buffer_on_the_move_is_mapped_when_it_has_arrived(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA), *other = (void *)&f;
	struct mm_pte_attr attr = { 0 };
	struct mm_fence *move = calloc(1, sizeof(*move));

	mm_fixture_run_all(&f);
	mm_fence_init(move, NULL, 100, 1);
	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	assert_int_equal(mm_resv_reserve_locked(bo->resv, 1), 0);
	mm_resv_add_locked(bo->resv, move, MM_RESV_KERNEL);
	mm_resv_unlock(bo->resv);
	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ 2 * VA }, &attr, &other), 0);
	mm_fixture_run_all(&f);
	assert_int_equal(mm_fixture_walk(&f.a, vm, 2 * VA).entry & 1, 0);
	/* The wait is what a signal ends; the mapping stays, and only the wait is repeated. */
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_vm_sync(other, true), -VKF_ERESTARTSYS);
	vkf_task_clear_interrupt();
	mm_fixture_check(&f);
	assert_int_equal(mm_fence_signal(move, 0), 0);
	mm_fence_put(move);
	assert_non_null(other->last_update);
	assert_int_equal(mm_vm_sync(other, true), 0);
	assert_null(other->last_update);
	assert_int_equal(mm_fixture_walk(&f.a, vm, 2 * VA).entry & 1, 1);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_fixture_run_all(&f);
	mm_bo_put(bo);
}

static void run_later(void *arg)
{
	vkf_sleep_ns(2 * VKF_NSEC_PER_MSEC, false);
	f.delay = false;
	mm_fixture_run_all(&f);
}

static void destroying_waits_for_updates(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct vkf_task *task;

	mm_fixture_map(vm, bo, VA);
	mm_bo_put(bo);
	assert_int_equal(vkf_spawn("worker", run_later, NULL, &task), 0);
	mm_vm_destroy(vm);
	vkf_join(task);
	assert_int_equal(f.a.n_punched, 1);
	assert_int_equal(vram_managed(), 0);
}

static void a_client_that_goes_waits_for_what_is_dying(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2));
	struct vkf_task *task;

	assert_int_equal(mm_vm_unmap(mm_fixture_map(vm, bo, VA), NULL), 0);
	mm_bo_put(bo);
	assert_int_equal(vkf_spawn("worker", run_later, NULL, &task), 0);
	mm_client_destroy(f.a.mm);
	vkf_join(task);
	assert_int_equal(f.a.n_punched, 1);
	free(f.a.pt);
	assert_int_equal(mm_fixture_client_init(&f, &f.a), 0);
}

/* ------------------------------------------------ several tasks */

struct churn {
	struct mm_fixture_client *client;
	unsigned int seed;
	struct mm_vm *vm[3];
};

static void churn(void *arg)
{
	struct churn *c = arg;
	uint64_t dice = c->seed;

	for (unsigned int i = 0; i < 150; i++) {
		struct mm_bo_params params = { .kind = MM_BO_VRAM };
		struct mm_pte_attr attr = { .reach = MM_REACH_BUS };
		struct mm_mapping *m[3];
		struct mm_bo *bo;

		dice = vkf_hash_u64(dice + 1);
		params.kind = dice & 1 ? MM_BO_VRAM : MM_BO_GTT;
		params.size = 1 + dice % VKF_MIB(3);
		if (mm_bo_create(c->client->mm, f.dev[dice % 3], &params, &bo))
			continue;
		for (unsigned int g = 0; g < 3; g++) {
			uint64_t va = VA + (uint64_t)c->seed * VKF_GIB(1);

			assert_int_equal(mm_vm_map(c->vm[g], bo, (vkf_gpuva){ va }, &attr, &m[g]),
					 0);
		}
		for (unsigned int g = 0; g < 3; g++) {
			assert_int_equal(mm_vm_sync(m[g], false), 0);
			assert_int_equal(mm_vm_unmap(m[g], NULL), 0);
		}
		mm_bo_put(bo);
	}
}

static void tasks_of_several_clients_get_along(void **state)
{
	struct mm_fixture_client b;
	struct vkf_task *task[4];
	struct churn c[4];

	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	for (unsigned int i = 0; i < 4; i++) {
		c[i] = (struct churn){ .client = i < 2 ? &f.a : &b, .seed = i + 1 };
		for (unsigned int g = 0; g < 3; g++) {
			if (i % 2)
				c[i].vm[g] = c[i - 1].vm[g];
			else if (i == 0 && g == 0)
				c[i].vm[g] = vm;
			else
				assert_int_equal(
					mm_vm_create(c[i].client->mm, f.dev[g], &c[i].vm[g]), 0);
		}
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(vkf_spawn("churn", churn, &c[i], &task[i]), 0);
	for (unsigned int i = 0; i < 4; i++)
		vkf_join(task[i]);
	mm_fixture_check(&f);
	mm_fixture_client_fini(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_DELAYED(name) cmocka_unit_test_setup_teardown(name, setup_delayed, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_has_one_vm_on_a_gpu),
		TEST(a_mapping_is_what_the_hardware_finds),
		TEST(a_mapping_holds_its_buffer),
		TEST(one_buffer_may_be_mapped_twice_in_a_row),
		TEST(addresses_are_refused_as_the_kernel_does),
		cmocka_unit_test_setup_teardown(a_vm_of_40_bits_ends_there, setup_40_bits,
						teardown),
		TEST(an_entry_names_memory_as_its_gpu_reaches_it),
		TEST(another_gpus_vram_is_not_local),
		TEST(another_clients_buffer_is_refused),
		TEST(tables_that_are_left_empty_stay_for_the_next_map),
		TEST(a_fault_can_be_injected),
		TEST(finds_the_mapping_that_covers_an_address),
		TEST(counts_who_needs_a_mapping),
		TEST(destroying_drops_every_mapping),
		TEST(no_vram_for_a_root_is_out_of_memory),
		TEST_DELAYED(a_sync_waits_for_the_mappings_update),
		TEST_DELAYED(an_update_is_bookkeep_on_the_buffer_and_on_the_vm),
		TEST_DELAYED(an_unmapped_buffer_stays_until_its_unmap_is_done),
		TEST_DELAYED(the_memory_of_a_dying_buffer_is_not_given_to_another),
		TEST_DELAYED(a_buffer_on_the_move_is_mapped_when_it_has_arrived),
		TEST_DELAYED(destroying_waits_for_updates),
		TEST_DELAYED(a_client_that_goes_waits_for_what_is_dying),
		TEST(tasks_of_several_clients_get_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
