/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"
#include "mm/pt_evict.h"
#include "mm/vm_change.h"
#include "mm/vm_update.h"

#define VA     VKF_GIB(4)
#define P      VKF_PAGE_SIZE
#define N_MAPS 6 /* far apart: each has tables of its own */

static struct mm_fixture f;
static struct mm_fixture_client b; /* who needs the room */
static struct mm_vm *vm;
static struct mm_bo *bo;
static const struct mm_pte_attr rw = { .writeable = true, .mtype = 1, .mtype_system = 3 };

static int setup_with(bool delay)
{
	struct mm_fixture_config config = { .delay = delay };
	struct mm_mapping *m;

	mm_fixture_init(&f, &config);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	f.a.runs = b.runs = true;
	vm = mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_GTT, P);
	for (unsigned int i = 0; i < N_MAPS; i++)
		assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ VA + i * VKF_GIB(2) }, &rw, &m), 0);
	mm_fixture_run_all(&f);
	return 0;
}

static int setup(void **state)
{
	return setup_with(false);
}

static int setup_delayed(void **state)
{
	return setup_with(true);
}

static int teardown(void **state)
{
	f.delay = false;
	mm_fixture_run_all(&f);
	mm_client_evicted(f.a.mm);
	mm_client_evicted(b.mm);
	mm_fixture_check(&f);
	mm_bo_put(bo);
	mm_fixture_client_fini(&b);
	mm_fixture_fini(&f);
	return 0;
}

static struct mm_manager *vram(void)
{
	return &f.dev[0]->vram.man;
}

static int evict_one(void)
{
	return mm_pt_evict_one(vm, vram());
}

static void evict_all(void)
{
	while (!mm_pt_evict_one(vm, vram()))
		mm_fixture_check(&f);
	assert_int_equal(vm->pt.n_evicted, vm->pt.n_tables);
}

static uint64_t page_tables(void)
{
	struct mm_device_usage usage;

	mm_device_usage(f.dev[0], &usage);
	return usage.page_tables / P;
}

static void all_is_right(void)
{
	assert_true(mm_pt_is_home(&vm->pt));
	for (unsigned int i = 0; i < N_MAPS; i++)
		assert_true(mm_fixture_walk(&f.a, vm, VA + i * VKF_GIB(2)).entry & 1);
	mm_fixture_check(&f);
}

static void a_table_stays_while_its_client_may_run(void **state)
{
	assert_int_equal(evict_one(), -ENOSPC);
	assert_int_equal(vm->pt.n_evicted, 0);
	mm_client_evicted(f.a.mm);
	assert_int_equal(evict_one(), 0);
	assert_int_equal(vm->pt.n_evicted, 1);
}

static void a_table_stays_while_an_update_is_under_way(void **state)
{
	struct mm_mapping *m;

	mm_client_evicted(f.a.mm);
	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ VKF_GIB(1) }, &rw, &m), 0);
	assert_int_equal(evict_one(), -ENOSPC);
	mm_fixture_run_all(&f);
	assert_int_equal(evict_one(), 0);
	mm_fixture_check(&f);
}

static void a_table_stays_while_somebody_has_the_vm_reserved(void **state)
{
	mm_client_evicted(f.a.mm);
	assert_int_equal(mm_resv_lock(&vm->resv, false), 0);
	assert_int_equal(evict_one(), -ENOSPC);
	mm_resv_unlock(&vm->resv);
}

static void tables_give_their_vram_back_at_once(void **state)
{
	uint64_t n = vm->pt.n_tables;

	assert_int_equal(page_tables(), n);
	mm_client_evicted(f.a.mm);
	evict_all();
	assert_int_equal(page_tables(), 0);
	assert_int_equal(mm_vm_lists_count(&vm->lists, MM_VM_EVICTED), n);
	mm_fixture_check(&f);
}

static void a_restore_brings_them_back_to_other_places(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = VKF_MIB(1) };
	struct mm_bo *in_the_way;

	mm_client_evicted(f.a.mm);
	evict_all();
	/* Whoever comes now has what was theirs. */
	assert_int_equal(mm_bo_create(b.mm, f.dev[0], &params, &in_the_way), 0);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	assert_false(mm_client_is_evicted(f.a.mm));
	all_is_right();
	assert_int_equal(page_tables(), vm->pt.n_tables);
	assert_int_equal(mm_vm_lists_count(&vm->lists, MM_VM_RELOCATED), 0);
	mm_bo_put(in_the_way);
}

static void mapping_brings_them_back_first(void **state)
{
	struct mm_mapping *m;

	mm_client_evicted(f.a.mm);
	evict_all();
	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ VKF_GIB(1) }, &rw, &m), 0);
	all_is_right();
}

static void preparing_brings_them_back_first(void **state)
{
	mm_client_evicted(f.a.mm);
	evict_all();
	assert_int_equal(mm_vm_prepare(vm, NULL), 0);
	all_is_right();
}

static void unmapping_does_without_them(void **state)
{
	const struct mm_vm_change all = { .op = MM_VA_CLEAR, .va = { VA }, .bytes = P };
	struct mm_mapping *m = mm_vm_find(vm, (vkf_gpuva){ VA + VKF_GIB(2) }, NULL, NULL);

	mm_client_evicted(f.a.mm);
	evict_all();
	assert_int_equal(mm_vm_change(vm, &all, NULL), -EBUSY); /* it is held */
	fail_alloc(0);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	vkf_env_set(NULL);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA + VKF_GIB(2)).entry, 0);
	assert_false(mm_pt_is_home(&vm->pt));
	mm_fixture_check(&f);
}

/* All of VRAM, with what is kept for tables. Return: how many pieces; the first is a page. */
static unsigned int take_all(struct mm_resource *res, unsigned int n)
{
	const struct mm_placement any = { .kernel_user = true };
	uint64_t bytes = VKF_MIB(64);
	unsigned int i = 1;

	res[0] = (struct mm_resource){ 0 };
	assert_int_equal(mm_manager_alloc(vram(), &any, P, &res[0]), 0);
	while (i < n && bytes >= P) {
		res[i] = (struct mm_resource){ 0 };
		if (mm_manager_alloc(vram(), &any, bytes, &res[i]))
			bytes /= 2;
		else
			i++;
	}
	assert_true(i < n);
	return i;
}

static void without_room_for_them_nothing_is_mapped(void **state)
{
	struct mm_mapping *m = (void *)&f;
	struct mm_resource res[64];
	unsigned int n;

	mm_client_evicted(f.a.mm);
	evict_all();
	n = take_all(res, 64);
	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ VKF_GIB(1) }, &rw, &m), -ENOMEM);
	assert_ptr_equal(m, &f);
	assert_int_equal(mm_client_restore(f.a.mm), -ENOMEM);
	assert_true(mm_client_is_evicted(f.a.mm));
	/* Enough for one of them is not enough. */
	mm_resource_free(&res[0]);
	assert_int_equal(mm_client_restore(f.a.mm), -ENOMEM);
	while (n)
		mm_resource_free(&res[--n]);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	all_is_right();
}

/* A buffer that needs all there is makes tables leave, once no buffer can. */
static void tables_leave_for_a_buffer(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM,
				       .size = VKF_MIB(2),
				       .charge_as_gtt = true };
	struct mm_bo *all[128];
	unsigned int n = 0;

	mm_client_evicted(f.a.mm);
	while (n < 128 && !mm_bo_create(b.mm, f.dev[0], &params, &all[n])) {
		assert_int_equal(mm_bo_pin(all[n++]), 0);
		mm_fixture_check(&f);
	}
	assert_true(n < 128);
	assert_true(vm->pt.n_evicted > 0);
	assert_int_equal(mm_client_restore(f.a.mm), 0);
	all_is_right();
	for (unsigned int i = 0; i < n; i++)
		mm_bo_put(all[i]);
}

static void without_memory_they_come_back_later(void **state)
{
	unsigned int n = 0;
	int r;

	mm_client_evicted(f.a.mm);
	evict_all();
	do {
		fail_alloc(++n);
		r = mm_client_restore(f.a.mm);
		vkf_env_set(NULL);
		mm_fixture_check(&f);
	} while (r == -ENOMEM && n < 500);
	assert_int_equal(r, 0);
	assert_true(n > 3);
	all_is_right();
}

static void a_vm_ends_with_its_tables_out(void **state)
{
	mm_client_evicted(f.a.mm);
	evict_all();
	mm_vm_destroy(vm);
	mm_fixture_check(&f);
	assert_int_equal(page_tables(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_table_stays_while_its_client_may_run),
		cmocka_unit_test_setup_teardown(a_table_stays_while_an_update_is_under_way,
						setup_delayed, teardown),
		TEST(a_table_stays_while_somebody_has_the_vm_reserved),
		TEST(tables_give_their_vram_back_at_once),
		TEST(a_restore_brings_them_back_to_other_places),
		TEST(mapping_brings_them_back_first),
		TEST(preparing_brings_them_back_first),
		TEST(unmapping_does_without_them),
		TEST(without_room_for_them_nothing_is_mapped),
		TEST(tables_leave_for_a_buffer),
		TEST(without_memory_they_come_back_later),
		TEST(a_vm_ends_with_its_tables_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
