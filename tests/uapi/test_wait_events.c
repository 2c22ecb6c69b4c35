/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include "kfd_calls.h"

#define FOREVER 0xffffffffu
#define COMPLETE KFD_IOC_WAIT_RESULT_COMPLETE
#define TIMEOUT KFD_IOC_WAIT_RESULT_TIMEOUT
#define FAIL KFD_IOC_WAIT_RESULT_FAIL

/* struct waiter - a thread inside WAIT_EVENTS */
struct waiter {
	struct prog *p;
	struct kfd_event_data data[2];
	struct kfd_ioctl_wait_events_args args;
	int r;
	pthread_t thread;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_nsec = (long)ms * 1000000 };

	nanosleep(&ts, NULL);
}

static void *wait_main(void *arg)
{
	struct waiter *w = arg;

	w->r = uapi_ioctl(w->p->kfd, K_WAIT_EVENTS, &w->args);
	return NULL;
}

static void prepare_wait(struct waiter *w, struct prog *p, const uint32_t *ids, uint32_t n,
			 bool all, uint32_t timeout)
{
	memset(w, 0, sizeof(*w));
	w->p = p;
	for (uint32_t i = 0; i < n; i++)
		w->data[i].event_id = ids[i];
	w->args = (struct kfd_ioctl_wait_events_args){
		.events_ptr = (uintptr_t)w->data,
		.num_events = n,
		.wait_for_all = all,
		.timeout = timeout,
		.wait_result = ~0u,
	};
}

/* Returns when the thread is, in all likelihood, asleep. */
static void start_wait(struct waiter *w, struct prog *p, const uint32_t *ids, uint32_t n,
		       bool all, uint32_t timeout)
{
	prepare_wait(w, p, ids, n, all, timeout);
	assert_int_equal(pthread_create(&w->thread, NULL, wait_main, w), 0);
	sleep_ms(30);
}

static void expect(struct waiter *w, int r, uint32_t result)
{
	assert_int_equal(pthread_join(w->thread, NULL), 0);
	assert_int_equal(w->r, r);
	assert_int_equal(w->args.wait_result, result);
}

static void no_events_are_complete(void **state)
{
	struct kfd_ioctl_wait_events_args args = { .timeout = FOREVER, .wait_result = 9 };

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_WAIT_EVENTS, &args), 0);
	assert_int_equal(args.wait_result, COMPLETE);
}

static void an_unknown_event_is_invalid(void **state)
{
	struct prog p;
	uint32_t result;

	prog_start(&p);
	assert_int_equal(wait_event(&p, 0, 0, &result), -EINVAL);
	assert_int_equal(result, FAIL);
	assert_int_equal(wait_event(&p, 77, FOREVER, &result), -EINVAL);
}

static void an_array_nobody_can_read_is_a_fault(void **state)
{
	struct kfd_ioctl_wait_events_args args = { .num_events = 1, .events_ptr = 8 };

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_WAIT_EVENTS, &args), -EFAULT);
	assert_int_equal(args.wait_result, FAIL);
}

static void too_many_events_are_no_memory(void **state)
{
	struct kfd_event_data data = { 0 };
	struct kfd_ioctl_wait_events_args args = {
		.num_events = 1u << 20, .events_ptr = (uintptr_t)&data
	};

	assert_int_equal(uapi_ioctl(uapi_open_kfd(), K_WAIT_EVENTS, &args), -ENOMEM);
	assert_int_equal(args.wait_result, FAIL);
}

static void timeout_0_only_looks(void **state)
{
	struct prog p;
	uint32_t id, result;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
	assert_int_equal(set_event(&p, id), 0);
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(result, COMPLETE);
	/* It was consumed. */
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
}

static void a_timeout_is_no_error(void **state)
{
	struct prog p;
	uint64_t start;
	uint32_t result;

	prog_start(&p);
	start = now_ms();
	assert_int_equal(wait_event(&p, event(&p, KFD_IOC_EVENT_SIGNAL, true), 40, &result), 0);
	assert_int_equal(result, TIMEOUT);
	assert_true(now_ms() - start >= 40);
}

static void a_manual_event_stays_signalled(void **state)
{
	struct prog p;
	uint32_t id, result;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, false);
	assert_int_equal(set_event(&p, id), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(wait_event(&p, id, FOREVER, &result), 0);
		assert_int_equal(result, COMPLETE);
	}
}

static void setting_wakes_every_waiter(void **state)
{
	struct waiter w[4];
	struct prog p;
	uint32_t id, result;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	for (unsigned int i = 0; i < 4; i++)
		start_wait(&w[i], &p, &id, 1, false, FOREVER);
	assert_int_equal(set_event(&p, id), 0);
	for (unsigned int i = 0; i < 4; i++)
		expect(&w[i], 0, COMPLETE);
	/* Somebody was waiting, so an auto-reset event is not left signalled. */
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
}

static void nobody_waiting_leaves_it_signalled_once(void **state)
{
	struct prog p;
	uint32_t id, result;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(set_event(&p, id), 0);
	assert_int_equal(set_event(&p, id), 0);
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(result, COMPLETE);
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
}

static void any_ends_with_the_first(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t ids[2];

	prog_start(&p);
	ids[0] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	ids[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start_wait(&w, &p, ids, 2, false, FOREVER);
	assert_int_equal(set_event(&p, ids[1]), 0);
	expect(&w, 0, COMPLETE);
}

/* Once the wait has returned, it takes no event any more, however late its end is seen to. */
static void what_is_set_after_a_wait_is_not_its(void **state)
{
	struct prog p;
	uint32_t id[2], result;

	prog_start(&p);
	id[0] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	id[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	for (unsigned int i = 0; i < 20; i++) {
		struct waiter w;

		start_wait(&w, &p, id, 2, false, FOREVER);
		assert_int_equal(set_event(&p, id[i % 2]), 0);
		expect(&w, 0, COMPLETE);
		assert_int_equal(set_event(&p, id[1 - i % 2]), 0);
		assert_int_equal(wait_event(&p, id[1 - i % 2], 0, &result), 0);
		assert_int_equal(result, COMPLETE);
		assert_int_equal(wait_event(&p, id[i % 2], 0, &result), 0);
		assert_int_equal(result, TIMEOUT);
	}
}

static void all_ends_with_the_last(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t ids[2];

	prog_start(&p);
	ids[0] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	ids[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start_wait(&w, &p, ids, 2, true, 60);
	assert_int_equal(set_event(&p, ids[1]), 0);
	expect(&w, 0, TIMEOUT);
	start_wait(&w, &p, ids, 2, true, FOREVER);
	assert_int_equal(set_event(&p, ids[1]), 0);
	sleep_ms(20);
	assert_int_equal(set_event(&p, ids[0]), 0);
	expect(&w, 0, COMPLETE);
}

static void destroying_an_event_fails_its_waiters(void **state)
{
	struct kfd_ioctl_destroy_event_args destroy;
	struct waiter w[2];
	struct prog p;
	uint32_t id;

	prog_start(&p);
	destroy.event_id = id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start_wait(&w[0], &p, &id, 1, false, FOREVER);
	start_wait(&w[1], &p, &id, 1, true, 5000);
	assert_int_equal(uapi_ioctl(p.kfd, K_DESTROY_EVENT, &destroy), 0);
	expect(&w[0], -EIO, FAIL);
	expect(&w[1], -EIO, FAIL);
}

/* What a wait has found signalled is its own, whatever becomes of the event; the new one has the
 * old one's id, and in all likelihood its memory. */
static void an_event_that_was_found_may_be_destroyed_meanwhile(void **state)
{
	struct kfd_ioctl_destroy_event_args destroy;
	uint64_t age = 1;
	struct waiter w;
	struct prog p;
	uint32_t ids[2];

	prog_start(&p);
	ids[0] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	ids[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(set_event(&p, ids[0]), 0);
	prepare_wait(&w, &p, ids, 2, true, FOREVER);
	memcpy(&w.data[0], &age, sizeof(age));
	assert_int_equal(pthread_create(&w.thread, NULL, wait_main, &w), 0);
	sleep_ms(30);
	destroy.event_id = ids[0];
	assert_int_equal(uapi_ioctl(p.kfd, K_DESTROY_EVENT, &destroy), 0);
	assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), ids[0]);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(set_event(&p, ids[0]), 0);
	assert_int_equal(set_event(&p, ids[1]), 0);
	expect(&w, 0, COMPLETE);
	memcpy(&age, &w.data[0], sizeof(age));
	assert_int_equal(age, 2);
}

static void an_event_may_be_named_twice(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t ids[2], result;

	prog_start(&p);
	ids[0] = ids[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start_wait(&w, &p, ids, 2, true, FOREVER);
	assert_int_equal(set_event(&p, ids[0]), 0);
	expect(&w, 0, COMPLETE);
	/* Signalled before, the first of the two takes it and the other waits in vain. */
	assert_int_equal(set_event(&p, ids[0]), 0);
	start_wait(&w, &p, ids, 2, true, 40);
	expect(&w, 0, TIMEOUT);
	assert_int_equal(wait_event(&p, ids[0], 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
}

static void a_signal_leaves_the_remaining_time(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	prepare_wait(&w, &p, &id, 1, false, 5000);
	uapi_signal_in(50);
	wait_main(&w);
	assert_int_equal(w.r, -EINTR);
	assert_int_equal(w.args.wait_result, FAIL);
	assert_in_range(w.args.timeout, 1000, 4960);
}

static void a_signal_does_not_shorten_forever(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	prepare_wait(&w, &p, &id, 1, false, FOREVER);
	uapi_signal_in(30);
	wait_main(&w);
	assert_int_equal(w.r, -EINTR);
	assert_int_equal(w.args.timeout, FOREVER);
}

static void a_signal_gives_back_what_was_consumed(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t ids[2], result;

	prog_start(&p);
	ids[0] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	ids[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(set_event(&p, ids[0]), 0);
	prepare_wait(&w, &p, ids, 2, true, FOREVER);
	uapi_signal_in(30);
	wait_main(&w);
	assert_int_equal(w.r, -EINTR);
	assert_int_equal(wait_event(&p, ids[0], 0, &result), 0);
	assert_int_equal(result, COMPLETE);
}

static int wait_aged(struct prog *p, uint32_t id, uint64_t *age, uint32_t timeout,
		     uint32_t *result)
{
	struct kfd_event_data data = { .event_id = id };
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)&data, .num_events = 1, .timeout = timeout
	};
	int r;

	memcpy(&data, age, sizeof(*age));
	r = uapi_ioctl(p->kfd, K_WAIT_EVENTS, &args);
	memcpy(age, &data, sizeof(*age));
	*result = args.wait_result;
	return r;
}

static void an_age_tells_what_was_missed(void **state)
{
	struct prog p;
	uint64_t age = 1;
	uint32_t id, result;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	/* New, and never set: its age is 1. */
	assert_int_equal(wait_aged(&p, id, &age, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
	assert_int_equal(set_event(&p, id), 0);
	assert_int_equal(wait_aged(&p, id, &age, 0, &result), 0);
	assert_int_equal(result, COMPLETE);
	assert_int_equal(age, 2);
	/* Another waiter took the next one; the age still shows it. */
	assert_int_equal(set_event(&p, id), 0);
	assert_int_equal(wait_event(&p, id, 0, &result), 0);
	assert_int_equal(wait_aged(&p, id, &age, FOREVER, &result), 0);
	assert_int_equal(result, COMPLETE);
	assert_int_equal(age, 3);
	assert_int_equal(wait_aged(&p, id, &age, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
	/* 0 asks for no age. */
	age = 0;
	assert_int_equal(wait_aged(&p, id, &age, 0, &result), 0);
	assert_int_equal(result, TIMEOUT);
	assert_int_equal(age, 0);
}

static void other_calls_go_on_meanwhile(void **state)
{
	struct waiter w;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start_wait(&w, &p, &id, 1, false, FOREVER);
	gtt(&p, 0, VA(1), PAGE, NULL);
	event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(set_event(&p, id), 0);
	expect(&w, 0, COMPLETE);
}

/* What two threads of a runtime do that hand work to each other: no wake-up may be lost. */
#define ROUNDS 300

static void *ping(void *arg)
{
	struct waiter *w = arg;
	uint32_t result;

	for (unsigned int i = 0; i < ROUNDS && !w->r; i++) {
		w->r = wait_event(w->p, w->data[0].event_id, 5000, &result);
		if (!w->r && result != COMPLETE)
			w->r = -ETIME;
		if (!w->r)
			w->r = set_event(w->p, w->data[1].event_id);
	}
	return NULL;
}

static void no_wake_up_is_lost_between_two_threads(void **state)
{
	struct waiter a, b;
	struct prog p;
	uint32_t ids[2];

	prog_start(&p);
	ids[0] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	ids[1] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	prepare_wait(&a, &p, ids, 2, false, 0);
	prepare_wait(&b, &p, (uint32_t[]){ ids[1], ids[0] }, 2, false, 0);
	assert_int_equal(pthread_create(&a.thread, NULL, ping, &a), 0);
	assert_int_equal(pthread_create(&b.thread, NULL, ping, &b), 0);
	assert_int_equal(set_event(&p, ids[0]), 0);
	pthread_join(a.thread, NULL);
	pthread_join(b.thread, NULL);
	assert_int_equal(a.r, 0);
	assert_int_equal(b.r, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_events_are_complete),
	cmocka_unit_test(an_unknown_event_is_invalid),
	cmocka_unit_test(an_array_nobody_can_read_is_a_fault),
	cmocka_unit_test(too_many_events_are_no_memory),
	cmocka_unit_test(timeout_0_only_looks),
	cmocka_unit_test(a_timeout_is_no_error),
	cmocka_unit_test(a_manual_event_stays_signalled),
	cmocka_unit_test(setting_wakes_every_waiter),
	cmocka_unit_test(nobody_waiting_leaves_it_signalled_once),
	cmocka_unit_test(any_ends_with_the_first),
	cmocka_unit_test(what_is_set_after_a_wait_is_not_its),
	cmocka_unit_test(all_ends_with_the_last),
	cmocka_unit_test(destroying_an_event_fails_its_waiters),
	cmocka_unit_test(an_event_that_was_found_may_be_destroyed_meanwhile),
	cmocka_unit_test(an_event_may_be_named_twice),
	cmocka_unit_test(a_signal_leaves_the_remaining_time),
	cmocka_unit_test(a_signal_does_not_shorten_forever),
	cmocka_unit_test(a_signal_gives_back_what_was_consumed),
	cmocka_unit_test(an_age_tells_what_was_missed),
	cmocka_unit_test(other_calls_go_on_meanwhile),
	cmocka_unit_test(no_wake_up_is_lost_between_two_threads),
};

UAPI_MAIN(tests)
