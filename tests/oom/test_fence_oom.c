/* SPDX-License-Identifier: MIT */
/**
 * DOC: Fences and reservations without memory
 *
 * For each function that may allocate, the first allocation is refused, then the
 * second, until it succeeds. A refusal is -ENOMEM; it changes no reference, no
 * reservation and no out-parameter, and leaves no memory behind. What commits or
 * ends is done with every allocation refused.
 */
#include "../unit/mm/fence_fixture.h"

#include "mm/fence_array.h"
#include "mm/fence_chain.h"
#include "mm/fence_merge.h"
#include "mm/fence_wait.h"
#include "mm/lock_ctx.h"
#include "mm/resv_iter.h"
#include "mm/sync.h"

#define N 20
#define UNTOUCHED ((void *)n_refs)

static struct mm_fence *fences[N];
static struct mm_resv full, other[N];
static unsigned int n_refs[N];
static struct mm_deps deps;
static struct mm_fence *got;

static int setup(void **state)
{
	fence_setup(state);
	/* One task, and a clock that only its waits move. */
	vkf_sched_set(NULL);
	new_fences(fences, N);
	mm_resv_init(&full);
	for (unsigned int i = 0; i < N; i++)
		mm_resv_init(&other[i]);
	assert_int_equal(mm_resv_lock(&full, false), 0);
	assert_int_equal(mm_resv_reserve_locked(&full, N), 0);
	for (unsigned int i = 0; i < N; i++)
		mm_resv_add_locked(&full, fences[i], (enum mm_resv_usage)(i % 4));
	mm_resv_unlock(&full);
	mm_deps_init(&deps);
	return 0;
}

static int teardown(void **state)
{
	fail_alloc(0);
	mm_deps_fini(&deps);
	mm_resv_fini(&full);
	for (unsigned int i = 0; i < N; i++)
		mm_resv_fini(&other[i]);
	put_fences(fences, N);
	return fence_teardown(state);
}

static void take_refs(unsigned int *refs)
{
	for (unsigned int i = 0; i < N; i++)
		refs[i] = vkf_ref_read(&fences[i]->ref);
}

/* Return: how many allocations there were to refuse. */
static unsigned int refuse_each(int (*call)(void))
{
	unsigned int now[N], n = 0;
	int n_live = n_live_allocs, r;

	take_refs(n_refs);
	do {
		got = UNTOUCHED;
		fail_alloc(++n);
		r = call();
		fail_alloc(0);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_ptr_equal(got, UNTOUCHED);
		assert_int_equal(n_live_allocs, n_live);
		take_refs(now);
		assert_memory_equal(now, n_refs, sizeof(now));
	} while (n < 1000);
	assert_int_equal(r, 0);
	return n - 1;
}

static int call_stub(void)
{
	return mm_fence_stub_create(1, &got);
}

static void a_stub(void **state)
{
	assert_int_equal(refuse_each(call_stub), 1);
	mm_fence_put(got);
}

static int call_chain(void)
{
	struct mm_fence_chain *link = mm_fence_chain_alloc();

	if (!link)
		return -ENOMEM;
	mm_fence_chain_init(link, mm_fence_get(fences[0]), mm_fence_get(fences[1]), 1, 99);
	got = &link->base;
	return 0;
}

static void a_link_of_a_chain(void **state)
{
	assert_int_equal(refuse_each(call_chain), 1);
	mm_fence_put(got);
}

static int call_array(void)
{
	return mm_fence_array_create(fences, N, 99, 1, false, &got);
}

static void an_array(void **state)
{
	assert_int_equal(refuse_each(call_array), 1);
	/* Being enabled, and signalled, needs none. */
	fail_alloc(1);
	mm_fence_enable(got);
	for (unsigned int i = 0; i < N; i++)
		mm_fence_signal(fences[i], 0);
	assert_true(mm_fence_is_signalled(got));
	mm_fence_put(got);
}

static int call_merge(void)
{
	return mm_fence_merge(fences, N, 99, &got);
}

static void a_merge(void **state)
{
	assert_true(refuse_each(call_merge) >= 3);
	assert_int_equal(mm_fence_array_len(got), N);
	mm_fence_put(got);
}

static int call_wait_any(void)
{
	size_t first;
	int r = mm_fence_wait_any(fences, N, vkf_now_ns() + 1000, false, &first);

	return r == -ETIMEDOUT ? 0 : r;
}

static void a_wait_for_any(void **state)
{
	assert_int_equal(refuse_each(call_wait_any), 1);
}

static int call_deps(void)
{
	int r = 0;

	for (unsigned int i = 0; i < N && !r; i++)
		r = mm_deps_add(&deps, fences[i]);
	if (r)
		mm_deps_fini(&deps);
	return r;
}

static void a_set_of_fences(void **state)
{
	assert_true(refuse_each(call_deps) >= 2);
	assert_int_equal(deps.n, N);
}

VKF_NO_TS static int call_deps_resv(void)
{
	int r;

	assert_int_equal(mm_resv_lock(&full, false), 0);
	r = mm_deps_add_resv_locked(&deps, &full, MM_RESV_BOOKKEEP);
	mm_resv_unlock(&full);
	if (r)
		mm_deps_fini(&deps);
	return r;
}

static void a_set_of_a_reservation(void **state)
{
	assert_true(refuse_each(call_deps_resv) >= 2);
	assert_int_equal(deps.n, N);
}

VKF_NO_TS static int call_collect(void)
{
	static const struct mm_sync_waiter move = { MM_SYNC_ALWAYS, { MM_FENCE_OTHER, NULL, NULL } };
	int r;

	assert_int_equal(mm_resv_lock(&full, false), 0);
	r = mm_sync_collect_locked(&full, &move, &deps);
	mm_resv_unlock(&full);
	if (r)
		mm_deps_fini(&deps);
	return r;
}

static void what_a_job_waits_for(void **state)
{
	assert_true(refuse_each(call_collect) >= 2);
	assert_int_equal(deps.n, N);
}

static int call_get_fences(void)
{
	struct mm_fence **all = UNTOUCHED;
	size_t n = 77;
	int r = mm_resv_get_fences(&full, MM_RESV_READ, &all, &n);

	if (r) {
		assert_ptr_equal(all, UNTOUCHED);
		assert_int_equal(n, 77);
		return r;
	}
	assert_int_equal(n, N / 4 * 3);
	put_fences(all, n);
	vkf_free(all);
	return 0;
}

static void all_fences_of_a_reservation(void **state)
{
	assert_true(refuse_each(call_get_fences) >= 2);
}

static int call_singleton(void)
{
	return mm_resv_get_singleton(&full, MM_RESV_BOOKKEEP, 99, &got);
}

static void all_fences_as_one(void **state)
{
	assert_true(refuse_each(call_singleton) >= 3);
	assert_int_equal(mm_fence_array_len(got), N);
	mm_fence_put(got);
}

VKF_NO_TS static int call_copy(void)
{
	int r;

	assert_int_equal(mm_resv_lock(&other[0], false), 0);
	r = mm_resv_reserve_locked(&other[0], 1);
	if (!r)
		r = mm_resv_copy_locked(&other[0], &full);
	if (r)
		assert_int_equal(other[0].n, 0);
	else
		mm_resv_add_locked(&other[0], fences[3], MM_RESV_KERNEL);
	mm_resv_unlock(&other[0]);
	return r;
}

static void a_copy_of_a_reservation(void **state)
{
	assert_true(refuse_each(call_copy) >= 2);
	assert_false(mm_resv_test_signalled(&other[0], MM_RESV_KERNEL));
}

/* After a refusal the context holds what it did before; here all is given back then. */
static int call_lock_all(void)
{
	struct mm_lock_ctx ctx;
	int r = 0;

	mm_lock_ctx_init(&ctx, true);
	do {
		for (unsigned int i = 0; i < N && !r; i++)
			r = mm_lock_ctx_lock(&ctx, &other[i], MM_RESV_INLINE_SLOTS + 1);
	} while (mm_lock_ctx_retry(&ctx, r));
	for (unsigned int i = 0; i < N; i++) {
		bool held = vkf_wwlock_is_mine(&other[i].lock);

		assert_true(held == (i < ctx.n_held));
		assert_int_equal(other[i].n_reserved, held ? MM_RESV_INLINE_SLOTS + 1 : 0);
		for (unsigned int j = 0; !r && j <= MM_RESV_INLINE_SLOTS; j++) {
			fail_alloc(1);
			mm_resv_add_locked(&other[i], fences[(i + j) % N], MM_RESV_READ);
		}
	}
	mm_lock_ctx_fini(&ctx);
	assert_int_equal(vkf_current()->n_ww, 0);
	/* What was reserved before the refusal may stay allocated. */
	for (unsigned int i = 0; r && i < N; i++) {
		mm_resv_fini(&other[i]);
		mm_resv_init(&other[i]);
	}
	return r;
}

static void locks_and_slots_of_many(void **state)
{
	assert_true(refuse_each(call_lock_all) >= N + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stub),
		TEST(a_link_of_a_chain),
		TEST(an_array),
		TEST(a_merge),
		TEST(a_wait_for_any),
		TEST(a_set_of_fences),
		TEST(a_set_of_a_reservation),
		TEST(what_a_job_waits_for),
		TEST(all_fences_of_a_reservation),
		TEST(all_fences_as_one),
		TEST(a_copy_of_a_reservation),
		TEST(locks_and_slots_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
