/* SPDX-License-Identifier: MIT */
#include "mm/vm_map.h"

#include "mm_fixture.h"

#define VA    VKF_GIB(1)
#define N_VMS 4
#define BYTES VKF_MIB(3) /* of tables of their own on each level below the root's */

static struct mm_fixture f;
static struct mm_vm *vms[N_VMS];
static struct mm_bo *bo;
static struct mm_map_part parts[2 * N_VMS];

static int setup_with(bool delay)
{
	struct mm_fixture_config config = { .n_gpus = N_VMS, .delay = delay };

	n_live_allocs = 0;
	fail_alloc(0);
	mm_fixture_init(&f, &config);
	for (unsigned int i = 0; i < N_VMS; i++)
		vms[i] = mm_fixture_vm(&f, i);
	bo = mm_fixture_bo(&f, MM_BO_GTT, BYTES);
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
	fail_alloc(0);
	f.delay = false;
	mm_fixture_run_all(&f);
	mm_bo_put(bo);
	mm_fixture_fini(&f);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
	return 0;
}

/* Twice in a row in each VM. */
static void make_parts(void)
{
	struct mm_pte_attr attr = { .writeable = true, .snooped = true };

	for (unsigned int i = 0; i < 2 * N_VMS; i++)
		parts[i] = (struct mm_map_part){
			vms[i / 2], { VA + i % 2 * BYTES }, attr, NULL, NULL
		};
}

static int map_everywhere(void)
{
	int r;

	make_parts();
	r = mm_vm_map_all(bo, parts, 2 * N_VMS);
	mm_fixture_check(&f);
	return r;
}

/* As far as it gets. */
static int map_in_turn(void)
{
	int r;

	make_parts();
	r = mm_vm_map_some(bo, parts, 2 * N_VMS);
	mm_fixture_check(&f);
	return r;
}

static unsigned int n_mapped(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < N_VMS; i++)
		n += (unsigned int)vms[i]->va.ranges.n;
	return n;
}

static void unmap_everywhere(void)
{
	for (unsigned int i = 0; i < 2 * N_VMS; i++)
		assert_int_equal(mm_vm_unmap(parts[i].mapping, NULL), 0);
}

static void every_part_leads_to_the_buffer(void **state)
{
	assert_int_equal(map_everywhere(), 0);
	assert_int_equal(n_mapped(), 2 * N_VMS);
	for (unsigned int i = 0; i < N_VMS; i++) {
		for (uint64_t at = 0; at < BYTES; at += VKF_MIB(1)) {
			struct mm_fixture_found a = mm_fixture_walk(&f.a, vms[i], VA + at);
			struct mm_fixture_found b = mm_fixture_walk(&f.a, vms[i], VA + BYTES + at);

			assert_int_not_equal(a.link, 0);
			/* Both halves lead to the same bytes, by whatever size of entry. */
			if (a.level == b.level)
				assert_int_equal(a.link, b.link);
		}
	}
	for (unsigned int i = 0; i < 2 * N_VMS; i++)
		assert_int_equal(mm_vm_sync(parts[i].mapping, false), 0);
	unmap_everywhere();
	assert_int_equal(n_mapped(), 0);
}

static void the_parts_of_a_vm_have_one_fence(void **state)
{
	assert_int_equal(map_everywhere(), 0);
	for (unsigned int i = 0; i < N_VMS; i++) {
		struct mm_fence *first = parts[2 * i].mapping->last_update;

		assert_non_null(first);
		assert_ptr_equal(parts[2 * i + 1].mapping->last_update, first);
		if (i)
			assert_ptr_not_equal(parts[2 * i - 1].mapping->last_update, first);
	}
	f.delay = false;
	mm_fixture_run_all(&f);
	unmap_everywhere();
}

static void one_place_that_is_taken_refuses_all(void **state)
{
	for (unsigned int i = 0; i < 2 * N_VMS; i++) {
		struct mm_bo *other = mm_fixture_bo(&f, MM_BO_GTT, VKF_PAGE_SIZE);
		struct mm_mapping *m =
			mm_fixture_map(vms[i / 2], other, VA + i % 2 * BYTES + VKF_MIB(1));

		assert_int_equal(map_everywhere(), -EINVAL);
		assert_int_equal(n_mapped(), 1);
		for (unsigned int j = 0; j < 2 * N_VMS; j++)
			assert_null(parts[j].mapping);
		assert_int_equal(mm_vm_unmap(m, NULL), 0);
		mm_bo_put(other);
	}
	assert_int_equal(map_everywhere(), 0);
	unmap_everywhere();
}

static void each_allocation_may_be_refused_and_nothing_is_mapped(void **state)
{
	unsigned int n = 0, tables = f.a.mm->n_pt_used;
	int r;

	do {
		fail_alloc(++n);
		r = map_everywhere();
		fail_alloc(0);
		if (r) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(n_mapped(), 0);
			assert_int_equal(f.a.mm->n_pt_used, tables);
			assert_true(vkf_list_empty(&bo->mappings));
		}
	} while (r && n < 10000);
	/* A mapping for each part, an update and tables for each VM. */
	assert_in_range(n, 2 * N_VMS + 3 * N_VMS, 9999);
	assert_int_equal(n_mapped(), 2 * N_VMS);
	unmap_everywhere();
}

static unsigned int faults_at, n_faults;

static int fault(const char *point, uint64_t arg)
{
	if (strcmp(point, "mm.map"))
		return 0;
	n_faults++;
	return arg == faults_at ? EIO : 0;
}

static void a_fault_on_any_gpu_refuses_all(void **state)
{
	const struct vkf_env_ops env = { counting_zalloc, counting_free, fault };

	vkf_env_set(&env);
	for (faults_at = 0; faults_at < N_VMS; faults_at++) {
		assert_int_equal(map_everywhere(), -EIO);
		assert_int_equal(n_mapped(), 0);
	}
	assert_int_not_equal(n_faults, 0);
	vkf_env_set(&counting_env);
}

/* The first of them are mapped, and as many as VMs know. Return: how many; they are unmapped. */
static unsigned int undo_some(void)
{
	unsigned int n = 0;

	while (n < 2 * N_VMS && parts[n].mapping)
		n++;
	assert_int_equal(n_mapped(), n);
	for (unsigned int i = n; i < 2 * N_VMS; i++)
		assert_null(parts[i].mapping);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(mm_vm_unmap(parts[i].mapping, NULL), 0);
	return n;
}

static void in_turn_all_before_a_place_that_is_taken_are_mapped(void **state)
{
	for (unsigned int i = 0; i < 2 * N_VMS; i++) {
		struct mm_bo *other = mm_fixture_bo(&f, MM_BO_GTT, VKF_PAGE_SIZE);
		struct mm_mapping *m =
			mm_fixture_map(vms[i / 2], other, VA + i % 2 * BYTES + VKF_MIB(1));

		assert_int_equal(map_in_turn(), -EINVAL);
		assert_int_equal(mm_vm_unmap(m, NULL), 0);
		assert_int_equal(undo_some(), i);
		mm_bo_put(other);
	}
	assert_int_equal(map_in_turn(), 0);
	assert_int_equal(undo_some(), 2 * N_VMS);
}

static void in_turn_all_before_a_fault_are_mapped(void **state)
{
	const struct vkf_env_ops env = { counting_zalloc, counting_free, fault };

	for (faults_at = 0; faults_at < N_VMS; faults_at++) {
		vkf_env_set(&env);
		assert_int_equal(map_in_turn(), -EIO);
		vkf_env_set(&counting_env);
		assert_int_equal(undo_some(), 2 * faults_at);
	}
}

/* With jobs that wait each VM's fence also needs a slot of the buffer's. */
static void in_turn_without_memory_what_was_mapped_stays(void **state)
{
	unsigned int n = 0, seen = 0, k;
	int r;

	do {
		struct mm_bo *old = bo;

		bo = mm_fixture_bo(&f, MM_BO_GTT, BYTES);
		fail_alloc(++n);
		r = map_in_turn();
		fail_alloc(0);
		k = undo_some();
		seen |= 1u << k;
		assert_int_equal(r, k < 2 * N_VMS ? -ENOMEM : 0);
		mm_fixture_run_all(&f);
		mm_bo_put(old);
	} while (r && n < 10000);
	/* Each of them was the one that there was no memory for. */
	assert_int_equal(seen, (2u << 2 * N_VMS) - 1);
}

static void a_signal_is_heard_before_anything_changes(void **state)
{
	vkf_mutex_lock(&f.a.mm->lock);
	vkf_task_interrupt(vkf_current());
	vkf_mutex_unlock(&f.a.mm->lock);
	/* With nobody to wait for it is not even noticed. */
	assert_int_equal(map_everywhere(), 0);
	vkf_task_clear_interrupt();
	unmap_everywhere();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(every_part_leads_to_the_buffer),
		cmocka_unit_test_setup_teardown(the_parts_of_a_vm_have_one_fence, setup_delayed,
						teardown),
		T(one_place_that_is_taken_refuses_all),
		T(each_allocation_may_be_refused_and_nothing_is_mapped),
		T(a_fault_on_any_gpu_refuses_all),
		T(in_turn_all_before_a_place_that_is_taken_are_mapped),
		T(in_turn_all_before_a_fault_are_mapped),
		T(in_turn_without_memory_what_was_mapped_stays),
		cmocka_unit_test_setup_teardown(in_turn_without_memory_what_was_mapped_stays,
						setup_delayed, teardown),
		T(a_signal_is_heard_before_anything_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
