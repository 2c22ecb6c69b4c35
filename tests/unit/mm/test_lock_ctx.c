/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/lock_ctx.h"

#define N 10

static struct mm_resv resv[N];

static int setup(void **state)
{
	host_sched_install();
	for (unsigned int i = 0; i < N; i++)
		mm_resv_init(&resv[i]);
	return 0;
}

static int teardown(void **state)
{
	for (unsigned int i = 0; i < N; i++)
		mm_resv_fini(&resv[i]);
	return 0;
}

static void holds_all_it_locked_until_fini(void **state)
{
	struct mm_lock_ctx ctx;
	int e = 0;

	mm_lock_ctx_init(&ctx, false);
	do {
		for (unsigned int i = 0; i < N && !e; i++)
			e = mm_lock_ctx_lock(&ctx, &resv[i], 1);
	} while (mm_lock_ctx_retry(&ctx, e));
	assert_int_equal(e, 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_true(vkf_wwlock_is_mine(&resv[i].lock));
		assert_int_equal(resv[i].n_reserved, 1);
	}
	mm_lock_ctx_fini(&ctx);
	for (unsigned int i = 0; i < N; i++)
		assert_false(vkf_wwlock_is_mine(&resv[i].lock));
}

static void locking_one_twice_is_fine_and_its_slots_add_up(void **state)
{
	struct mm_lock_ctx ctx;

	mm_lock_ctx_init(&ctx, false);
	assert_int_equal(mm_lock_ctx_lock(&ctx, &resv[0], 1), 0);
	assert_int_equal(mm_lock_ctx_lock(&ctx, &resv[0], 2), 0);
	assert_int_equal(resv[0].n_reserved, 3);
	mm_lock_ctx_fini(&ctx);
	assert_false(vkf_wwlock_is_mine(&resv[0].lock));
}

static void without_memory_it_keeps_what_it_has_and_says_so(void **state)
{
	struct mm_lock_ctx ctx;
	int e = 0;

	mm_lock_ctx_init(&ctx, false);
	for (unsigned int i = 0; i < MM_LOCK_CTX_INLINE; i++)
		assert_int_equal(mm_lock_ctx_lock(&ctx, &resv[i], 0), 0);
	fail_alloc(1);
	e = mm_lock_ctx_lock(&ctx, &resv[MM_LOCK_CTX_INLINE], 0);
	vkf_env_set(NULL);
	assert_int_equal(e, -ENOMEM);
	assert_false(mm_lock_ctx_retry(&ctx, e));
	assert_true(vkf_wwlock_is_mine(&resv[0].lock));
	assert_false(vkf_wwlock_is_mine(&resv[MM_LOCK_CTX_INLINE].lock));
	mm_lock_ctx_fini(&ctx);
}

static void one_without_room_for_its_fences_is_not_kept(void **state)
{
	struct mm_lock_ctx ctx;
	int e;

	mm_lock_ctx_init(&ctx, false);
	assert_int_equal(mm_lock_ctx_lock(&ctx, &resv[0], 1), 0);
	fail_alloc(1);
	e = mm_lock_ctx_lock(&ctx, &resv[1], MM_RESV_INLINE_SLOTS + 1);
	assert_int_equal(e, -ENOMEM);
	assert_false(vkf_wwlock_is_mine(&resv[1].lock));
	fail_alloc(1);
	e = mm_lock_ctx_lock(&ctx, &resv[0], MM_RESV_INLINE_SLOTS + 1);
	vkf_env_set(NULL);
	assert_int_equal(e, -ENOMEM);
	assert_true(vkf_wwlock_is_mine(&resv[0].lock));
	assert_int_equal(resv[0].n_reserved, 1);
	mm_lock_ctx_fini(&ctx);
	assert_false(vkf_wwlock_is_mine(&resv[0].lock));
}

static void many_are_locked_in_one_context(void **state)
{
	enum { MANY = 10000 };
	struct mm_resv *many = calloc(MANY, sizeof(*many));
	struct mm_lock_ctx ctx;
	int e = 0;

	for (unsigned int i = 0; i < MANY; i++)
		mm_resv_init(&many[i]);
	mm_lock_ctx_init(&ctx, false);
	do {
		for (unsigned int i = 0; i < MANY && !e; i++)
			e = mm_lock_ctx_lock(&ctx, &many[i], 1);
		for (unsigned int i = 0; i < MANY && !e; i++)
			e = mm_lock_ctx_lock(&ctx, &many[i], 1);
	} while (mm_lock_ctx_retry(&ctx, e));
	assert_int_equal(e, 0);
	assert_int_equal(ctx.n_held, MANY);
	assert_int_equal(many[MANY - 1].n_reserved, 2);
	mm_lock_ctx_fini(&ctx);
	for (unsigned int i = 0; i < MANY; i++)
		mm_resv_fini(&many[i]);
	free(many);
}

static void hold_one(void *arg)
{
	atomic_int *stage = arg;

	assert_int_equal(mm_resv_lock(&resv[0], false), 0);
	atomic_store(stage, 1);
	while (atomic_load(stage) == 1)
		vkf_sleep_ns(100000, false);
	mm_resv_unlock(&resv[0]);
}

static void a_wait_for_a_lock_can_be_interrupted(void **state)
{
	atomic_int stage = 0;
	struct mm_lock_ctx ctx;
	struct vkf_task *task;
	int e;

	assert_int_equal(vkf_spawn("holder", hold_one, &stage, &task), 0);
	while (!atomic_load(&stage))
		vkf_sleep_ns(100000, false);
	vkf_task_interrupt(vkf_current());
	mm_lock_ctx_init(&ctx, true);
	e = mm_lock_ctx_lock(&ctx, &resv[0], 1);
	assert_int_equal(e, -VKF_ERESTARTSYS);
	assert_false(mm_lock_ctx_retry(&ctx, e));
	mm_lock_ctx_fini(&ctx);
	vkf_task_clear_interrupt();
	atomic_store(&stage, 2);
	vkf_join(task);
}

/* Each task locks all, in an order of its own, and changes what they protect together. */
static unsigned int shared[N];
static atomic_uint n_torn;

static void lock_all_often(void *arg)
{
	uint64_t dice = (uintptr_t)arg * 77 + 1;

	for (unsigned int round = 0; round < 300; round++) {
		struct mm_lock_ctx ctx;
		int e;

		mm_lock_ctx_init(&ctx, false);
		do {
			unsigned int start, step;

			dice = vkf_hash_u64(dice);
			start = dice % N;
			step = dice & 64 ? 1 : 7;
			e = 0;
			for (unsigned int i = 0; i < N && !e; i++)
				e = mm_lock_ctx_lock(&ctx, &resv[(start + i * step) % N], 0);
		} while (mm_lock_ctx_retry(&ctx, e));
		for (unsigned int i = 0; i < N; i++) {
			if (e || shared[i] != shared[0])
				atomic_fetch_add(&n_torn, 1);
		}
		for (unsigned int i = 0; i < N; i++)
			shared[i]++;
		mm_lock_ctx_fini(&ctx);
	}
}

static void tasks_that_lock_in_any_order_all_get_through(void **state)
{
	struct vkf_task *task[4];

	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(vkf_spawn("locker", lock_all_often, (void *)i, &task[i]), 0);
	for (unsigned int i = 0; i < 4; i++)
		vkf_join(task[i]);
	assert_int_equal(n_torn, 0);
	assert_int_equal(shared[N - 1], 4 * 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(holds_all_it_locked_until_fini),
		TEST(locking_one_twice_is_fine_and_its_slots_add_up),
		TEST(without_memory_it_keeps_what_it_has_and_says_so),
		TEST(one_without_room_for_its_fences_is_not_kept),
		TEST(many_are_locked_in_one_context),
		TEST(a_wait_for_a_lock_can_be_interrupted),
		TEST(tasks_that_lock_in_any_order_all_get_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
