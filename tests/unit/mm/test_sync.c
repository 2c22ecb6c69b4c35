/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

#include "mm/fence_array.h"
#include "mm/fence_chain.h"
#include "mm/sync.h"

/* Never followed. */
static const char things[4];
#define VM_A  ((const struct mm_vm *)&things[0])
#define VM_B  ((const struct mm_vm *)&things[1])
#define GPU_A ((const struct mm_device *)&things[2])
#define GPU_B ((const struct mm_device *)&things[3])

static const struct mm_fence_owner columns[] = {
	{ MM_FENCE_SUBMISSION, VM_A, GPU_A }, /* the waiter's own VM */
	{ MM_FENCE_SUBMISSION, VM_B, GPU_A }, /* another VM of the GPU */
	{ MM_FENCE_SUBMISSION, VM_B, GPU_B }, /* another GPU */
	{ MM_FENCE_UPDATE, VM_A, GPU_A },     { MM_FENCE_OTHER, NULL, GPU_A },
	{ MM_FENCE_EVICTION, NULL, GPU_A },
};

static const struct mm_sync_waiter implicit = { MM_SYNC_NE_OWNER,
						{ MM_FENCE_SUBMISSION, VM_A, GPU_A } };
static const struct mm_sync_waiter explicit = { MM_SYNC_EXPLICIT,
						{ MM_FENCE_SUBMISSION, VM_A, GPU_A } };
static const struct mm_sync_waiter maps = { MM_SYNC_EXPLICIT, { MM_FENCE_UPDATE, VM_A, GPU_A } };
static const struct mm_sync_waiter unmaps = { MM_SYNC_EQ_OWNER, { MM_FENCE_UPDATE, VM_A, GPU_A } };
static const struct mm_sync_waiter moves = { MM_SYNC_ALWAYS, { MM_FENCE_OTHER, NULL, GPU_A } };
static const struct mm_sync_waiter kfd = { MM_SYNC_NE_OWNER, { MM_FENCE_EVICTION, NULL, GPU_A } };

/* W: waits. Columns: commands of the same VM, of another, of another GPU; update; move; eviction */
static const struct {
	const char *name;
	const struct mm_sync_waiter *waiter;
	const char *waits;
} rows[] = {
	{ "commands, implicit", &implicit, "-WW-W-" },
	{ "commands, explicit", &explicit, "----W-" },
	{ "update that maps", &maps, "----W-" },
	{ "update that unmaps", &unmaps, "W-W-W-" },
	{ "move, copy, fill", &moves, "WWWWWW" },
	{ "page directory of a compute process", &kfd, "WWWWW-" },
};

static void the_whole_table_holds(void **state)
{
	for (unsigned int row = 0; row < VKF_ARRAY_SIZE(rows); row++) {
		for (unsigned int col = 0; col < VKF_ARRAY_SIZE(columns); col++) {
			bool expected = rows[row].waits[col] == 'W';

			if (mm_sync_must_wait(rows[row].waiter, &columns[col]) != expected)
				fail_msg("%s, column %u: expected %s", rows[row].name, col + 1,
					 expected ? "to wait" : "not to wait");
		}
	}
}

static void moves_and_other_drivers_are_waited_for_on_any_device(void **state)
{
	const struct mm_fence_owner foreign = { MM_FENCE_OTHER, NULL, NULL };
	const struct mm_fence_owner elsewhere = { MM_FENCE_OTHER, NULL, GPU_B };

	for (unsigned int row = 0; row < VKF_ARRAY_SIZE(rows); row++) {
		assert_true(mm_sync_must_wait(rows[row].waiter, &foreign));
		assert_true(mm_sync_must_wait(rows[row].waiter, &elsewhere));
	}
}

static void a_vm_on_another_device_is_another_owner(void **state)
{
	const struct mm_fence_owner elsewhere = { MM_FENCE_SUBMISSION, VM_A, GPU_B };

	assert_true(mm_sync_must_wait(&implicit, &elsewhere));
	assert_true(mm_sync_must_wait(&unmaps, &elsewhere));
	assert_false(mm_sync_must_wait(&maps, &elsewhere));
}

static void implicit_sync_looks_at_no_bookkeeping(void **state)
{
	assert_int_equal(mm_sync_usage(&implicit), MM_RESV_READ);
	assert_int_equal(mm_sync_usage(&explicit), MM_RESV_READ);
	assert_int_equal(mm_sync_usage(&maps), MM_RESV_READ);
	assert_int_equal(mm_sync_usage(&unmaps), MM_RESV_READ);
	assert_int_equal(mm_sync_usage(&moves), MM_RESV_BOOKKEEP);
	assert_int_equal(mm_sync_usage(&kfd), MM_RESV_BOOKKEEP);
}

/* ------------------------------------------------ fences */

static struct mm_deps d;

static struct mm_fence *new_owned(uint64_t context, unsigned int column)
{
	struct mm_fence *f = new_fence(context, 1);

	f->owner = columns[column];
	return f;
}

static struct mm_fence *new_link(struct mm_fence *prev, struct mm_fence *work, uint64_t point)
{
	struct mm_fence_chain *l = mm_fence_chain_alloc();

	assert_non_null(l);
	mm_fence_chain_init(l, prev, work, point, 500);
	return &l->base;
}

static void of_a_reservation_it_takes_what_the_rules_say(void **state)
{
	static const enum mm_resv_usage usage[] = { MM_RESV_WRITE,  MM_RESV_WRITE,
						    MM_RESV_READ,   MM_RESV_BOOKKEEP,
						    MM_RESV_KERNEL, MM_RESV_BOOKKEEP };
	struct mm_fence *f[6];
	struct mm_resv r;

	mm_resv_init(&r);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	assert_int_equal(mm_resv_reserve_locked(&r, 6), 0);
	for (unsigned int i = 0; i < 6; i++) {
		f[i] = new_owned(i + 1, i);
		mm_resv_add_locked(&r, f[i], usage[i]);
	}
	for (unsigned int row = 0; row < VKF_ARRAY_SIZE(rows); row++) {
		size_t n = 0;

		mm_deps_init(&d);
		assert_int_equal(mm_sync_collect_locked(&r, rows[row].waiter, &d), 0);
		for (unsigned int col = 0; col < 6; col++) {
			if (rows[row].waits[col] == 'W')
				assert_ptr_equal(d.fences[n++], f[col]);
		}
		assert_int_equal(d.n, n);
		mm_deps_fini(&d);
	}
	/* An eviction fence that nobody waits for makes nobody stop. */
	assert_int_equal(to_test(f[5])->n_enabled, 0);
	mm_resv_unlock(&r);
	mm_resv_fini(&r);
	put_fences(f, 6);
}

static void of_a_chain_it_takes_the_first_link_that_passes_and_all_before(void **state)
{
	struct mm_fence *first = new_link(NULL, new_owned(1, 0), 1);
	struct mm_fence *second = new_link(mm_fence_get(first), new_owned(2, 1), 2);
	struct mm_fence *head = new_link(mm_fence_get(second), new_owned(3, 0), 3);

	mm_deps_init(&d);
	assert_int_equal(mm_sync_add(&d, &implicit, head), 0);
	assert_int_equal(d.n, 1);
	assert_ptr_equal(d.fences[0], second);
	mm_deps_fini(&d);
	assert_int_equal(mm_sync_add(&d, &explicit, head), 0);
	assert_int_equal(d.n, 0);
	assert_int_equal(mm_sync_add(&d, &moves, head), 0);
	assert_ptr_equal(d.fences[0], head);
	mm_deps_fini(&d);
	mm_fence_put(first);
	mm_fence_put(second);
	mm_fence_put(head);
}

static void an_array_is_nobodys_own_work(void **state)
{
	struct mm_fence *f[2] = { new_owned(1, 0), new_owned(2, 0) }, *array;

	assert_int_equal(mm_fence_array_create(f, 2, 90, 1, false, &array), 0);
	mm_deps_init(&d);
	assert_int_equal(mm_sync_add(&d, &explicit, array), 0);
	assert_int_equal(d.n, 1);
	assert_ptr_equal(d.fences[0], array);
	mm_deps_fini(&d);
	mm_fence_put(array);
	put_fences(f, 2);
}

static void without_memory_it_says_so(void **state)
{
	struct mm_fence *f[MM_DEPS_INLINE + 1];

	mm_deps_init(&d);
	for (unsigned int i = 0; i <= MM_DEPS_INLINE; i++)
		f[i] = new_owned(i + 1, 4);
	for (unsigned int i = 0; i < MM_DEPS_INLINE; i++)
		assert_int_equal(mm_sync_add(&d, &implicit, f[i]), 0);
	fail_alloc(1);
	assert_int_equal(mm_sync_add(&d, &implicit, f[MM_DEPS_INLINE]), -ENOMEM);
	assert_int_equal(d.n, MM_DEPS_INLINE);
	mm_deps_fini(&d);
	put_fences(f, MM_DEPS_INLINE + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FENCE_TEST(the_whole_table_holds),
		FENCE_TEST(moves_and_other_drivers_are_waited_for_on_any_device),
		FENCE_TEST(a_vm_on_another_device_is_another_owner),
		FENCE_TEST(implicit_sync_looks_at_no_bookkeeping),
		FENCE_TEST(of_a_reservation_it_takes_what_the_rules_say),
		FENCE_TEST(of_a_chain_it_takes_the_first_link_that_passes_and_all_before),
		FENCE_TEST(an_array_is_nobodys_own_work),
		FENCE_TEST(without_memory_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
