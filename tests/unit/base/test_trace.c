/* SPDX-License-Identifier: MIT */
#include "base/trace.h"

#include "base/sched.h"
#include "host/sched_host.h"
#include "support.h"

static struct vkf_trace_record last;
static atomic_uint n_records;
static atomic_bool hold, inside;

static void keep(const struct vkf_trace_record *rec)
{
	last = *rec;
	atomic_fetch_add(&n_records, 1);
}

static void dwell(const struct vkf_trace_record *rec)
{
	atomic_store(&inside, true);
	while (atomic_load(&hold))
		vkf_relax();
	atomic_store(&inside, false);
}

static const struct vkf_trace_ops keeping = { keep };
static const struct vkf_trace_ops dwelling = { dwell };

static int restore(void **state)
{
	vkf_trace_set(NULL);
	vkf_sched_set(NULL);
	atomic_store(&n_records, 0);
	memset(&last, 0, sizeof(last));
	return 0;
}

static void nothing_is_told_while_nobody_listens(void **state)
{
	assert_false(vkf_trace_is_on());
	vkf_trace_ioctl_begin(1);
	vkf_trace_set(&keeping);
	assert_true(vkf_trace_is_on());
	vkf_trace_set(NULL);
	vkf_trace_ioctl_begin(1);
	assert_int_equal(n_records, 0);
}

static void a_record_says_what_when_who_and_for_whom(void **state)
{
	const struct vkf_trace_bo_create *a = (const void *)last.payload;

	vkf_trace_set(&keeping);
	vkf_sleep_ns(5000, false);
	assert_int_equal(vkf_trace_work_for(7), 0);
	vkf_trace_bo_create(3, 0x200000, 4096, 1, VKF_TRACE_KIND_GTT);
	assert_int_equal(vkf_trace_work_for(0), 7);
	assert_int_equal(last.event, VKF_TRACE_BO_CREATE);
	assert_int_equal(last.ns, vkf_now_ns());
	assert_int_equal(last.task, vkf_current()->id);
	assert_int_not_equal(last.task, 0);
	assert_int_equal(last.client, 7);
	assert_int_equal(a->client, 3);
	assert_int_equal(a->bo, 0x200000);
	assert_int_equal(a->bytes, 4096);
	assert_int_equal(a->gpu, 1);
	assert_int_equal(a->kind, VKF_TRACE_KIND_GTT);
}

static void what_is_behind_the_fields_is_zero(void **state)
{
	vkf_trace_set(&keeping);
	vkf_trace_ioctl_begin(UINT32_MAX);
	for (size_t i = sizeof(struct vkf_trace_ioctl_begin); i < VKF_TRACE_PAYLOAD; i++)
		assert_int_equal(last.payload[i], 0);
}

static void a_span_has_the_time_it_began_at(void **state)
{
	vkf_trace_set(&keeping);
	vkf_trace_queue_waits(1234, 1, 2, 3, 4);
	assert_int_equal(last.ns, 1234);
}

static void texts_are_copied_whole(void **state)
{
	const struct vkf_trace_client_start *a = (const void *)last.payload;
	const char comm[16] = "fifteen letters";

	vkf_trace_set(&keeping);
	vkf_trace_client_start(1, 2, comm);
	assert_memory_equal(a->comm, comm, 16);
}

static void each_event_has_its_name(void **state)
{
	assert_string_equal(vkf_trace_event_name(VKF_TRACE_CLIENT_START), "client_start");
	assert_string_equal(vkf_trace_event_name(VKF_TRACE_LOST), "lost");
	assert_string_equal(vkf_trace_event_name(VKF_TRACE_N_EVENTS), "?");
}

static void tell(void *arg)
{
	vkf_trace_ioctl_begin(1);
}

static void let_go(void *arg)
{
	while (!atomic_load(&inside))
		vkf_relax();
	vkf_sleep_ns(1000000, false);
	atomic_store(&hold, false);
}

/* Whoever takes the listener's memory away after vkf_trace_set(NULL) takes it from nobody. */
static void nobody_is_with_the_old_listener_when_it_is_taken_away(void **state)
{
	struct vkf_task *teller, *other;

	host_sched_install();
	atomic_store(&hold, true);
	vkf_trace_set(&dwelling);
	assert_int_equal(vkf_spawn("tell", tell, NULL, &teller), 0);
	assert_int_equal(vkf_spawn("let go", let_go, NULL, &other), 0);
	while (!atomic_load(&inside))
		vkf_relax();
	vkf_trace_set(NULL);
	assert_false(atomic_load(&inside));
	vkf_join(teller);
	vkf_join(other);
}

static void tasks_have_numbers_of_their_own(void **state)
{
	struct vkf_task one, two;

	vkf_task_init(&one, "one");
	vkf_task_init(&two, "two");
	assert_int_not_equal(one.id, 0);
	assert_int_not_equal(two.id, 0);
	assert_int_not_equal(one.id, two.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_told_while_nobody_listens, restore),
		cmocka_unit_test_teardown(a_record_says_what_when_who_and_for_whom, restore),
		cmocka_unit_test_teardown(what_is_behind_the_fields_is_zero, restore),
		cmocka_unit_test_teardown(a_span_has_the_time_it_began_at, restore),
		cmocka_unit_test_teardown(texts_are_copied_whole, restore),
		cmocka_unit_test_teardown(each_event_has_its_name, restore),
		cmocka_unit_test_teardown(nobody_is_with_the_old_listener_when_it_is_taken_away,
					  restore),
		cmocka_unit_test_teardown(tasks_have_numbers_of_their_own, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
