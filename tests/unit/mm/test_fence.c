/* SPDX-License-Identifier: MIT */
#include "fence_fixture.h"

/* struct probe - a fence that tells what is done to it */
struct probe {
	struct mm_fence fence;
	atomic_uint n_enabled;
	unsigned int n_released;
	bool enable_answer;
};

static bool probe_enable(struct mm_fence *f)
{
	struct probe *p = vkf_container_of(f, struct probe, fence);

	p->n_enabled++;
	return p->enable_answer;
}

static void probe_release(struct mm_fence *f)
{
	vkf_container_of(f, struct probe, fence)->n_released++;
}

static const struct mm_fence_ops probe_ops = { probe_enable, probe_release };

static void probe_init(struct probe *p)
{
	memset(p, 0, sizeof(*p));
	p->enable_answer = true;
	mm_fence_init(&p->fence, &probe_ops, 7, 1);
}

/* struct caller - a callback that remembers its calls */
struct caller {
	struct mm_fence_cb cb;
	unsigned int n_calls, order;
	struct mm_fence *fence;
	struct caller *add; /* what to add to @fence from within */
	int add_result;
};

static unsigned int n_called;

static void called(struct mm_fence *f, struct mm_fence_cb *cb)
{
	struct caller *c = vkf_container_of(cb, struct caller, cb);

	assert_true(mm_fence_is_signalled(f));
	assert_true(vkf_list_empty(&cb->link));
	c->n_calls++;
	c->fence = f;
	c->order = n_called++;
	if (c->add)
		c->add_result = mm_fence_add_callback(f, &c->add->cb, called);
}

static void signals_once_and_keeps_its_first_error(void **state)
{
	struct probe p;

	probe_init(&p);
	assert_false(mm_fence_is_signalled(&p.fence));
	assert_int_equal(mm_fence_error(&p.fence), 0);
	assert_int_equal(mm_fence_signal(&p.fence, -EIO), 0);
	assert_true(mm_fence_is_signalled(&p.fence));
	assert_int_equal(mm_fence_error(&p.fence), -EIO);
	assert_int_equal(mm_fence_signal(&p.fence, 0), -EINVAL);
	assert_int_equal(mm_fence_error(&p.fence), -EIO);
	mm_fence_put(&p.fence);
	assert_int_equal(p.n_released, 1);
}

static void is_released_with_its_last_reference_only(void **state)
{
	struct probe p;

	probe_init(&p);
	assert_ptr_equal(mm_fence_get(&p.fence), &p.fence);
	mm_fence_put(&p.fence);
	assert_int_equal(p.n_released, 0);
	mm_fence_put(&p.fence);
	assert_int_equal(p.n_released, 1);
	mm_fence_put(NULL);
}

static void calls_back_in_order_of_adding(void **state)
{
	struct caller c[3] = { 0 };
	struct probe p;

	n_called = 0;
	probe_init(&p);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(mm_fence_add_callback(&p.fence, &c[i].cb, called), 0);
	mm_fence_signal(&p.fence, 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(c[i].n_calls, 1);
		assert_int_equal(c[i].order, i);
		assert_ptr_equal(c[i].fence, &p.fence);
	}
	mm_fence_put(&p.fence);
}

static void does_not_take_a_callback_once_signalled(void **state)
{
	struct caller c = { 0 };
	struct probe p;

	probe_init(&p);
	mm_fence_signal(&p.fence, 0);
	assert_int_equal(mm_fence_add_callback(&p.fence, &c.cb, called), -ENOENT);
	assert_int_equal(c.n_calls, 0);
	assert_int_equal(p.n_enabled, 0);
	mm_fence_put(&p.fence);
}

static void a_callback_may_ask_for_more(void **state)
{
	struct caller second = { 0 }, first = { .add = &second };
	struct probe p;

	probe_init(&p);
	assert_int_equal(mm_fence_add_callback(&p.fence, &first.cb, called), 0);
	mm_fence_signal(&p.fence, 0);
	assert_int_equal(first.n_calls, 1);
	assert_int_equal(first.add_result, -ENOENT);
	assert_int_equal(second.n_calls, 0);
	mm_fence_put(&p.fence);
}

static void a_removed_callback_is_not_called(void **state)
{
	struct caller c = { 0 }, kept = { 0 };
	struct probe p;

	probe_init(&p);
	mm_fence_add_callback(&p.fence, &c.cb, called);
	mm_fence_add_callback(&p.fence, &kept.cb, called);
	assert_true(mm_fence_remove_callback(&p.fence, &c.cb));
	mm_fence_signal(&p.fence, 0);
	assert_int_equal(c.n_calls, 0);
	assert_int_equal(kept.n_calls, 1);
	assert_false(mm_fence_remove_callback(&p.fence, &kept.cb));
	mm_fence_put(&p.fence);
}

static void asks_its_owner_to_signal_when_somebody_first_cares(void **state)
{
	struct caller c[2] = { 0 };
	struct probe p;

	probe_init(&p);
	assert_false(mm_fence_is_signalled(&p.fence));
	assert_int_equal(p.n_enabled, 0);
	mm_fence_add_callback(&p.fence, &c[0].cb, called);
	assert_int_equal(p.n_enabled, 1);
	mm_fence_add_callback(&p.fence, &c[1].cb, called);
	assert_int_equal(mm_fence_wait(&p.fence, 0, false), -ETIMEDOUT);
	mm_fence_enable(&p.fence);
	assert_int_equal(p.n_enabled, 1);
	mm_fence_signal(&p.fence, 0);
	mm_fence_put(&p.fence);
}

static void signals_at_once_when_its_owner_says_there_is_nothing_to_do(void **state)
{
	struct caller c = { 0 };
	struct probe p;

	probe_init(&p);
	p.enable_answer = false;
	assert_int_equal(mm_fence_add_callback(&p.fence, &c.cb, called), -ENOENT);
	assert_true(mm_fence_is_signalled(&p.fence));
	assert_int_equal(c.n_calls, 0);
	mm_fence_put(&p.fence);
}

static void is_signalled_with_an_error_when_dropped_while_somebody_waits_to_be_called(void **state)
{
	struct caller c = { 0 };
	struct probe p;

	probe_init(&p);
	mm_fence_add_callback(&p.fence, &c.cb, called);
	mm_fence_put(&p.fence);
	assert_int_equal(c.n_calls, 1);
	assert_int_equal(p.n_released, 1);
	assert_int_equal(mm_fence_error(&p.fence), -EDEADLK);
}

static void a_wait_for_a_signalled_fence_returns_at_once(void **state)
{
	struct probe p;

	probe_init(&p);
	mm_fence_signal(&p.fence, 0);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_fence_wait(&p.fence, VKF_FOREVER, true), 0);
	vkf_task_clear_interrupt();
	assert_int_equal(p.n_enabled, 0);
	mm_fence_put(&p.fence);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct probe p;
	uint64_t deadline = vkf_now_ns() + 2 * VKF_NSEC_PER_MSEC;

	probe_init(&p);
	assert_int_equal(mm_fence_wait(&p.fence, deadline, true), -ETIMEDOUT);
	assert_true(vkf_now_ns() >= deadline);
	mm_fence_put(&p.fence);
}

static void an_interrupted_wait_says_so_unless_uninterruptible(void **state)
{
	struct probe p;

	probe_init(&p);
	vkf_task_interrupt(vkf_current());
	assert_int_equal(mm_fence_wait(&p.fence, VKF_FOREVER, true), -VKF_ERESTARTSYS);
	assert_int_equal(mm_fence_wait(&p.fence, vkf_now_ns(), false), -ETIMEDOUT);
	vkf_task_clear_interrupt();
	mm_fence_put(&p.fence);
}

static void wait_forever(void *arg)
{
	struct probe *p = arg;

	assert_int_equal(mm_fence_wait(&p->fence, VKF_FOREVER, false), 0);
	mm_fence_put(&p->fence);
}

static void wakes_everybody_who_waits(void **state)
{
	struct vkf_task *task[4];
	struct probe p;

	probe_init(&p);
	for (unsigned int i = 0; i < 4; i++) {
		mm_fence_get(&p.fence);
		assert_int_equal(vkf_spawn("waiter", wait_forever, &p, &task[i]), 0);
	}
	while (!p.n_enabled)
		vkf_relax();
	mm_fence_signal(&p.fence, 0);
	for (unsigned int i = 0; i < 4; i++)
		vkf_join(task[i]);
	assert_int_equal(p.n_enabled, 1);
	mm_fence_put(&p.fence);
	assert_int_equal(p.n_released, 1);
}

static void try_signal(void *arg)
{
	struct {
		struct probe *p;
		atomic_uint *n_won;
	} *race = arg;

	if (!mm_fence_signal(&race->p->fence, 0))
		atomic_fetch_add(race->n_won, 1);
}

static void of_many_who_signal_one_wins(void **state)
{
	for (unsigned int round = 0; round < 200; round++) {
		atomic_uint n_won = 0;
		struct caller c = { 0 };
		struct vkf_task *task[2];
		struct probe p;
		struct {
			struct probe *p;
			atomic_uint *n_won;
		} race = { &p, &n_won };

		probe_init(&p);
		mm_fence_add_callback(&p.fence, &c.cb, called);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(vkf_spawn("signaller", try_signal, &race, &task[i]), 0);
		for (unsigned int i = 0; i < 2; i++)
			vkf_join(task[i]);
		assert_int_equal(n_won, 1);
		assert_int_equal(c.n_calls, 1);
		mm_fence_put(&p.fence);
	}
}

static void of_one_context_the_greater_number_is_later(void **state)
{
	struct mm_fence a, b;

	mm_fence_init(&a, NULL, 3, 5);
	mm_fence_init(&b, NULL, 3, UINT64_C(1) << 33);
	assert_true(mm_fence_is_later(&b, &a));
	assert_false(mm_fence_is_later(&a, &b));
	assert_false(mm_fence_is_later(&a, &a));
	mm_fence_fini(&a);
	mm_fence_fini(&b);
}

static void says_when_it_was_signalled(void **state)
{
	struct probe p;
	uint64_t before = vkf_now_ns();

	probe_init(&p);
	assert_int_equal(mm_fence_timestamp(&p.fence), 0);
	mm_fence_signal(&p.fence, -EIO);
	assert_in_range(mm_fence_timestamp(&p.fence), before, vkf_now_ns());
	before = mm_fence_timestamp(&p.fence);
	mm_fence_signal_at(&p.fence, 0, before + 5);
	assert_int_equal(mm_fence_timestamp(&p.fence), before);
	mm_fence_put(&p.fence);
}

static void its_status_is_zero_one_or_the_error(void **state)
{
	struct probe good, bad;

	probe_init(&good);
	probe_init(&bad);
	assert_int_equal(mm_fence_status(&good.fence), 0);
	mm_fence_signal(&good.fence, 0);
	mm_fence_signal(&bad.fence, -ECANCELED);
	assert_int_equal(mm_fence_status(&good.fence), 1);
	assert_int_equal(mm_fence_status(&bad.fence), -ECANCELED);
	mm_fence_put(&good.fence);
	mm_fence_put(&bad.fence);
}

static void polling_asks_its_owner_and_signals_it(void **state)
{
	struct mm_fence *f = new_fence(1, 1);
	struct test_cb c = { .n_calls = 0 };

	assert_int_equal(mm_fence_add_callback(f, &c.cb, test_called), 0);
	assert_false(mm_fence_poll(f));
	to_test(f)->is_done = true;
	assert_false(mm_fence_is_signalled(f));
	assert_int_equal(c.n_calls, 0);
	assert_int_equal(mm_fence_status(f), 1);
	assert_int_equal(c.n_calls, 1);
	assert_true(mm_fence_is_signalled(f));
	assert_int_equal(to_test(f)->n_polled, 2);
	assert_true(mm_fence_poll(f));
	assert_int_equal(to_test(f)->n_polled, 2);
	mm_fence_put(f);
}

static void a_wait_polls_before_it_makes_anybody_work(void **state)
{
	struct mm_fence *f = new_fence(1, 1);

	to_test(f)->is_done = true;
	assert_int_equal(mm_fence_wait(f, VKF_FOREVER, false), 0);
	assert_int_equal(to_test(f)->n_enabled, 0);
	mm_fence_put(f);
}

static void is_of_the_memory_manager_unless_an_owner_is_set(void **state)
{
	const struct mm_vm *vm = (void *)&n_called;
	const struct mm_device *dev = (void *)state;
	struct probe p;

	probe_init(&p);
	assert_int_equal(p.fence.owner.kind, MM_FENCE_OTHER);
	assert_null(p.fence.owner.vm);
	assert_null(p.fence.owner.dev);
	mm_fence_set_owner(&p.fence, MM_FENCE_SUBMISSION, vm, dev);
	assert_int_equal(p.fence.owner.kind, MM_FENCE_SUBMISSION);
	assert_ptr_equal(p.fence.owner.vm, vm);
	assert_ptr_equal(p.fence.owner.dev, dev);
	mm_fence_put(&p.fence);
}

static void a_stub_has_been_signalled_at_the_time_given(void **state)
{
	struct mm_fence *f = (void *)state;

	fail_alloc(1);
	assert_int_equal(mm_fence_stub_create(77, &f), -ENOMEM);
	assert_ptr_equal(f, state);
	assert_int_equal(mm_fence_stub_create(77, &f), 0);
	assert_true(mm_fence_is_signalled(f));
	assert_int_equal(mm_fence_timestamp(f), 77);
	assert_int_equal(f->context, 0);
	assert_int_equal(f->seqno, 0);
	mm_fence_put(f);
}

static void whoever_puts_the_last_reference_for_good_releases_it(void **state)
{
	struct probe p;

	probe_init(&p);
	mm_fence_get(&p.fence);
	assert_false(mm_fence_put_last(&p.fence));
	assert_true(mm_fence_put_last(&p.fence));
	assert_int_equal(p.n_released, 0);
}

/* Everything that may be done to one fence at the same time. */
struct crowd {
	struct mm_fence *fence;
	atomic_uint n_called, n_late;
};

static void crowd_signal(void *arg)
{
	mm_fence_signal(((struct crowd *)arg)->fence, -EIO);
}

static void crowd_care(void *arg)
{
	struct crowd *c = arg;
	struct test_cb cb[3] = { { .n_calls = 0 } };
	int r = 0;

	for (unsigned int i = 0; i < 3 && !r; i++) {
		r = mm_fence_add_callback(c->fence, &cb[i].cb, test_called);
		if (r)
			atomic_fetch_add(&c->n_late, 1);
		else if (mm_fence_remove_callback(c->fence, &cb[i].cb))
			assert_int_equal(cb[i].n_calls, 0);
		else
			while (!cb[i].n_calls)
				vkf_relax();
	}
	assert_int_equal(mm_fence_wait(c->fence, VKF_FOREVER, false), 0);
	assert_int_equal(mm_fence_status(c->fence), -EIO);
	assert_true(mm_fence_timestamp(c->fence) > 0);
}

static void signal_callbacks_and_waits_may_race(void **state)
{
	for (unsigned int round = 0; round < 300; round++) {
		struct crowd c = { .fence = new_fence(1, 1) };
		struct vkf_task *task[3];

		assert_int_equal(vkf_spawn("carer", crowd_care, &c, &task[0]), 0);
		assert_int_equal(vkf_spawn("carer", crowd_care, &c, &task[1]), 0);
		assert_int_equal(vkf_spawn("signaller", crowd_signal, &c, &task[2]), 0);
		for (unsigned int i = 0; i < 3; i++)
			vkf_join(task[i]);
		assert_in_range(to_test(c.fence)->n_enabled, 0, 1);
		mm_fence_put(c.fence);
	}
}

static int install(void **state)
{
	host_sched_install();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_once_and_keeps_its_first_error),
		cmocka_unit_test(is_released_with_its_last_reference_only),
		cmocka_unit_test(calls_back_in_order_of_adding),
		cmocka_unit_test(does_not_take_a_callback_once_signalled),
		cmocka_unit_test(a_callback_may_ask_for_more),
		cmocka_unit_test(a_removed_callback_is_not_called),
		cmocka_unit_test(asks_its_owner_to_signal_when_somebody_first_cares),
		cmocka_unit_test(signals_at_once_when_its_owner_says_there_is_nothing_to_do),
		cmocka_unit_test(
			is_signalled_with_an_error_when_dropped_while_somebody_waits_to_be_called),
		cmocka_unit_test(a_wait_for_a_signalled_fence_returns_at_once),
		cmocka_unit_test(a_wait_ends_at_its_deadline),
		cmocka_unit_test(an_interrupted_wait_says_so_unless_uninterruptible),
		cmocka_unit_test(wakes_everybody_who_waits),
		cmocka_unit_test(of_many_who_signal_one_wins),
		cmocka_unit_test(of_one_context_the_greater_number_is_later),
		cmocka_unit_test(says_when_it_was_signalled),
		cmocka_unit_test(its_status_is_zero_one_or_the_error),
		FENCE_TEST(polling_asks_its_owner_and_signals_it),
		FENCE_TEST(a_wait_polls_before_it_makes_anybody_work),
		cmocka_unit_test(is_of_the_memory_manager_unless_an_owner_is_set),
		FENCE_TEST(a_stub_has_been_signalled_at_the_time_given),
		cmocka_unit_test(whoever_puts_the_last_reference_for_good_releases_it),
		FENCE_TEST(signal_callbacks_and_waits_may_race),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
