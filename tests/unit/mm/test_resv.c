/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/fence_array.h"

static struct mm_resv r;
static struct mm_fence fence[12]; /* never freed: references are counted */

static void no_release(struct mm_fence *f)
{
}

static const struct mm_fence_ops static_ops = { .release = no_release };

static struct mm_fence *make(unsigned int i, uint64_t context, uint64_t seqno)
{
	mm_fence_init(&fence[i], &static_ops, context, seqno);
	return &fence[i];
}

static int setup(void **state)
{
	host_sched_install();
	mm_resv_init(&r);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	return 0;
}

static int teardown(void **state)
{
	if (vkf_wwlock_is_mine(&r.lock))
		mm_resv_unlock(&r);
	mm_resv_fini(&r);
	return 0;
}

static void add(struct mm_fence *f, enum mm_resv_usage usage)
{
	mm_resv_assert_held(&r);
	assert_int_equal(mm_resv_reserve_locked(&r, 1), 0);
	mm_resv_add_locked(&r, f, usage);
}

static unsigned int count(enum mm_resv_usage usage)
{
	unsigned int pos = 0, n = 0;

	mm_resv_assert_held(&r);
	while (mm_resv_next_locked(&r, usage, &pos))
		n++;
	return n;
}

static void asking_for_a_usage_finds_the_stronger_ones_too(void **state)
{
	add(make(0, 1, 1), MM_RESV_KERNEL);
	add(make(1, 2, 1), MM_RESV_WRITE);
	add(make(2, 3, 1), MM_RESV_READ);
	add(make(3, 4, 1), MM_RESV_BOOKKEEP);
	assert_int_equal(count(MM_RESV_KERNEL), 1);
	assert_int_equal(count(MM_RESV_WRITE), 2);
	assert_int_equal(count(MM_RESV_READ), 3);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 4);
	assert_false(mm_resv_is_idle_locked(&r, MM_RESV_KERNEL));
	mm_fence_signal(&fence[0], 0);
	assert_true(mm_resv_is_idle_locked(&r, MM_RESV_KERNEL));
	assert_int_equal(count(MM_RESV_BOOKKEEP), 3);
}

static void holds_a_reference_to_each_fence(void **state)
{
	add(make(0, 1, 1), MM_RESV_READ);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 2);
	mm_resv_unlock(&r);
	mm_resv_fini(&r);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 1);
	mm_resv_init(&r);
}

static void a_later_fence_of_the_same_context_takes_the_place_of_an_earlier(void **state)
{
	add(make(0, 1, 1), MM_RESV_READ);
	add(make(1, 1, 2), MM_RESV_READ);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 1);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 1);
	assert_int_equal(vkf_ref_read(&fence[1].ref), 2);
}

static void the_same_fence_twice_is_one(void **state)
{
	add(make(0, 1, 1), MM_RESV_READ);
	add(&fence[0], MM_RESV_READ);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 1);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 2);
}

static void an_earlier_fence_does_not_take_the_place_of_a_later(void **state)
{
	add(make(0, 1, 5), MM_RESV_READ);
	add(make(1, 1, 4), MM_RESV_READ);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 2);
}

static void a_usage_is_never_weakened_but_can_be_strengthened(void **state)
{
	add(make(0, 1, 1), MM_RESV_WRITE);
	add(make(1, 1, 2), MM_RESV_BOOKKEEP);
	assert_int_equal(count(MM_RESV_WRITE), 1);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 2);
	add(make(2, 1, 3), MM_RESV_KERNEL);
	assert_int_equal(count(MM_RESV_KERNEL), 1);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 1);
}

static void a_signalled_fence_gives_its_place_away(void **state)
{
	add(make(0, 1, 1), MM_RESV_KERNEL);
	mm_fence_signal(&fence[0], 0);
	add(make(1, 2, 1), MM_RESV_BOOKKEEP);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 1);
	assert_int_equal(r.n, 1);
}

static void a_fence_that_has_signalled_is_not_kept(void **state)
{
	make(0, 1, 1);
	mm_fence_signal(&fence[0], 0);
	add(&fence[0], MM_RESV_READ);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 1);
	assert_int_equal(r.n, 0);
}

static void slots_reserved_by_two_who_do_not_know_of_each_other_add_up(void **state)
{
	mm_resv_assert_held(&r);
	assert_int_equal(mm_resv_reserve_locked(&r, 2), 0);
	assert_int_equal(mm_resv_reserve_locked(&r, 3), 0);
	for (unsigned int i = 0; i < 5; i++)
		mm_resv_add_locked(&r, make(i, i + 1, 1), MM_RESV_READ);
	assert_int_equal(count(MM_RESV_READ), 5);
}

static void a_refused_reservation_changes_nothing(void **state)
{
	add(make(0, 1, 1), MM_RESV_READ);
	fail_alloc(1);
	assert_int_equal(mm_resv_reserve_locked(&r, 40), -ENOMEM);
	vkf_env_set(NULL);
	assert_int_equal(r.n_reserved, 0);
	assert_int_equal(count(MM_RESV_READ), 1);
	assert_int_equal(r.n_slots, MM_RESV_INLINE_SLOTS);
}

static void growing_keeps_what_is_not_signalled_and_drops_the_rest(void **state)
{
	for (unsigned int i = 0; i < 10; i++)
		add(make(i, i + 1, 1), MM_RESV_READ);
	for (unsigned int i = 0; i < 10; i += 2)
		mm_fence_signal(&fence[i], 0);
	assert_int_equal(mm_resv_reserve_locked(&r, 30), 0);
	assert_int_equal(r.n, 5);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(vkf_ref_read(&fence[i].ref), i % 2 ? 2 : 1);
}

static void an_add_without_a_slot_dies(void **state)
{
#ifdef VKFD_DEBUG
	EXPECT_PANIC("n_reserved", mm_resv_add_locked(&r, make(0, 1, 1), MM_RESV_READ));
#else
	skip();
#endif
}

static void unlocking_takes_unused_slots_back(void **state)
{
#ifdef VKFD_DEBUG
	assert_int_equal(mm_resv_reserve_locked(&r, 1), 0);
	mm_resv_unlock(&r);
	assert_int_equal(mm_resv_lock(&r, false), 0);
	EXPECT_PANIC("n_reserved", mm_resv_add_locked(&r, make(0, 1, 1), MM_RESV_READ));
#else
	skip();
#endif
}

static void using_it_unlocked_dies(void **state)
{
#ifdef VKFD_DEBUG
	mm_resv_unlock(&r);
	EXPECT_PANIC("is_mine", mm_resv_replace_locked(&r, 1, NULL, MM_RESV_READ));
#else
	skip();
#endif
}

static void replacing_puts_one_fence_for_all_of_a_context(void **state)
{
	add(make(0, 1, 2), MM_RESV_BOOKKEEP);
	add(make(1, 1, 1), MM_RESV_WRITE);
	add(make(2, 2, 1), MM_RESV_READ);
	make(3, 9, 1);
	mm_resv_replace_locked(&r, 1, &fence[3], MM_RESV_BOOKKEEP);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 1);
	assert_int_equal(vkf_ref_read(&fence[1].ref), 1);
	assert_int_equal(vkf_ref_read(&fence[2].ref), 2);
	assert_int_equal(vkf_ref_read(&fence[3].ref), 3);
	assert_int_equal(count(MM_RESV_WRITE), 0);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 3);
	mm_resv_replace_locked(&r, 9, NULL, MM_RESV_BOOKKEEP);
	assert_int_equal(vkf_ref_read(&fence[3].ref), 1);
	assert_int_equal(count(MM_RESV_BOOKKEEP), 1);
}

static void a_wait_is_for_its_usage_only(void **state)
{
	add(make(0, 1, 1), MM_RESV_BOOKKEEP);
	assert_int_equal(mm_resv_wait_locked(&r, MM_RESV_READ, true), 0);
	mm_resv_unlock(&r);
	assert_int_equal(mm_resv_wait(&r, MM_RESV_READ, 0, true), 0);
	assert_int_equal(mm_resv_wait(&r, MM_RESV_BOOKKEEP, 0, true), -ETIMEDOUT);
}

static void a_wait_can_be_interrupted(void **state)
{
	add(make(0, 1, 1), MM_RESV_KERNEL);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_resv_wait_locked(&r, MM_RESV_READ, true), -VKF_ERESTARTSYS);
	mm_resv_unlock(&r);
	assert_int_equal(mm_resv_wait(&r, MM_RESV_READ, VKF_FOREVER, true), -VKF_ERESTARTSYS);
	vkf_task_clear_interrupt();
}

static void signal_both(void *arg)
{
	vkf_sleep_ns(VKF_NSEC_PER_MSEC, false);
	mm_fence_signal(&fence[0], 0);
	mm_fence_signal(&fence[1], 0);
}

static void a_wait_is_for_all_fences(void **state)
{
	struct vkf_task *task;

	add(make(0, 1, 1), MM_RESV_READ);
	add(make(1, 2, 1), MM_RESV_READ);
	mm_resv_unlock(&r);
	assert_int_equal(vkf_spawn("signaller", signal_both, NULL, &task), 0);
	assert_int_equal(mm_resv_wait(&r, MM_RESV_READ, VKF_FOREVER, false), 0);
	assert_true(mm_fence_is_signalled(&fence[0]) && mm_fence_is_signalled(&fence[1]));
	vkf_join(task);
}

static void implicit_readers_wait_for_writers_and_writers_for_all(void **state)
{
	assert_int_equal(mm_resv_usage_rw(false), MM_RESV_WRITE);
	assert_int_equal(mm_resv_usage_rw(true), MM_RESV_READ);
}

static void a_container_is_not_added(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_fence *in[2] = { make(0, 1, 1), make(1, 2, 1) }, *array;

	assert_int_equal(mm_fence_array_create(in, 2, 9, 1, false, &array), 0);
	assert_int_equal(mm_resv_reserve_locked(&r, 1), 0);
	EXPECT_PANIC("is_container", mm_resv_add_locked(&r, array, MM_RESV_READ));
	EXPECT_PANIC("is_container", mm_resv_replace_locked(&r, 1, array, MM_RESV_READ));
	mm_fence_put(array);
#else
	skip();
#endif
}

static bool is_done;

static bool ask_is_done(struct mm_fence *f)
{
	return is_done;
}

static void looking_for_fences_asks_their_owners(void **state)
{
	static const struct mm_fence_ops ops = { .release = no_release, .signalled = ask_is_done };

	is_done = false;
	mm_fence_init(&fence[0], &ops, 1, 1);
	add(&fence[0], MM_RESV_READ);
	assert_int_equal(count(MM_RESV_READ), 1);
	is_done = true;
	assert_true(mm_resv_is_idle_locked(&r, MM_RESV_READ));
	assert_true(mm_fence_is_signalled(&fence[0]));
}

static void replacing_a_context_that_is_not_there_changes_nothing(void **state)
{
	add(make(0, 1, 1), MM_RESV_READ);
	make(1, 9, 1);
	mm_resv_replace_locked(&r, 2, &fence[1], MM_RESV_READ);
	mm_resv_replace_locked(&r, 2, NULL, MM_RESV_READ);
	assert_int_equal(vkf_ref_read(&fence[0].ref), 2);
	assert_int_equal(vkf_ref_read(&fence[1].ref), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asking_for_a_usage_finds_the_stronger_ones_too),
		TEST(holds_a_reference_to_each_fence),
		TEST(a_later_fence_of_the_same_context_takes_the_place_of_an_earlier),
		TEST(the_same_fence_twice_is_one),
		TEST(an_earlier_fence_does_not_take_the_place_of_a_later),
		TEST(a_usage_is_never_weakened_but_can_be_strengthened),
		TEST(a_signalled_fence_gives_its_place_away),
		TEST(a_fence_that_has_signalled_is_not_kept),
		TEST(slots_reserved_by_two_who_do_not_know_of_each_other_add_up),
		TEST(a_refused_reservation_changes_nothing),
		TEST(growing_keeps_what_is_not_signalled_and_drops_the_rest),
		TEST(an_add_without_a_slot_dies),
		TEST(unlocking_takes_unused_slots_back),
		TEST(using_it_unlocked_dies),
		TEST(replacing_puts_one_fence_for_all_of_a_context),
		TEST(a_wait_is_for_its_usage_only),
		TEST(a_wait_can_be_interrupted),
		TEST(a_wait_is_for_all_fences),
		TEST(implicit_readers_wait_for_writers_and_writers_for_all),
		TEST(a_container_is_not_added),
		TEST(looking_for_fences_asks_their_owners),
		TEST(replacing_a_context_that_is_not_there_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
