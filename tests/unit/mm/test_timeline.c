/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#define N_JOBS 4

struct log_job {
	struct mm_paging_job job;
	unsigned int number;
	bool *freed;
};

static unsigned int done[64], n_done;

static void log_execute(struct mm_paging_job *job)
{
	struct log_job *j = vkf_container_of(job, struct log_job, job);

	assert_false(mm_fence_is_signalled(&job->fence));
	done[n_done++] = j->number;
}

static struct log_job *job_new(unsigned int number)
{
	struct log_job *j = calloc(1, sizeof(*j));

	mm_paging_job_init(&j->job, NULL, log_execute);
	j->number = number;
	return j;
}

/* A machine that keeps what it is given. */
static struct mm_paging_job *given[64];
static unsigned int n_given;

static void keep_job(void *cookie, struct mm_paging_job *job)
{
	assert_ptr_equal(cookie, given);
	given[n_given++] = job;
}

static const struct mm_device_ops keeping_ops = { .run_job = keep_job };

static int reset(void **state)
{
	host_sched_install();
	n_done = n_given = 0;
	return 0;
}

static void without_a_machine_a_job_is_done_when_submitted(void **state)
{
	struct mm_timeline t;
	struct log_job *j = job_new(1);

	mm_timeline_init(&t, 9, NULL, NULL);
	mm_timeline_submit(&t, &j->job);
	assert_int_equal(n_done, 1);
	assert_true(mm_fence_is_signalled(mm_paging_job_fence(&j->job)));
	assert_int_equal(j->job.fence.context, 9);
	assert_int_equal(j->job.fence.seqno, 1);
	assert_int_equal(vkf_ref_read(&j->job.fence.ref), 1);
	assert_true(mm_timeline_is_idle(&t));
	mm_fence_put(&j->job.fence);
	mm_timeline_fini(&t);
}

static void a_machine_decides_when(void **state)
{
	struct mm_timeline t;
	struct log_job *j = job_new(1);

	mm_timeline_init(&t, 9, &keeping_ops, given);
	mm_timeline_submit(&t, &j->job);
	assert_int_equal(n_given, 1);
	assert_int_equal(n_done, 0);
	assert_false(mm_fence_is_signalled(&j->job.fence));
	assert_false(mm_timeline_is_idle(&t));
	mm_paging_job_run(given[0]);
	assert_int_equal(n_done, 1);
	assert_true(mm_fence_is_signalled(&j->job.fence));
	assert_true(mm_timeline_is_idle(&t));
	mm_fence_put(&j->job.fence);
	mm_timeline_fini(&t);
}

static void jobs_are_done_in_order_whatever_order_the_machine_calls_in(void **state)
{
	struct log_job *j[N_JOBS];
	struct mm_timeline t;

	mm_timeline_init(&t, 9, &keeping_ops, given);
	for (unsigned int i = 0; i < N_JOBS; i++) {
		j[i] = job_new(i);
		mm_timeline_submit(&t, &j[i]->job);
		assert_int_equal(j[i]->job.fence.seqno, i + 1);
	}
	for (unsigned int i = N_JOBS; i-- > 0;) {
		mm_paging_job_run(given[i]);
		assert_int_equal(n_done, N_JOBS - i);
		assert_int_equal(done[n_done - 1], N_JOBS - 1 - i);
		assert_true(mm_fence_is_signalled(&j[N_JOBS - 1 - i]->job.fence));
	}
	for (unsigned int i = 0; i < N_JOBS; i++)
		mm_fence_put(&j[i]->job.fence);
	mm_timeline_fini(&t);
}

static void a_job_lives_until_it_is_done_though_its_owner_has_dropped_it(void **state)
{
	struct mm_timeline t;

	mm_timeline_init(&t, 9, &keeping_ops, given);
	for (unsigned int i = 0; i < N_JOBS; i++) {
		struct log_job *j = job_new(i);

		mm_timeline_submit(&t, &j->job);
		mm_fence_put(&j->job.fence);
	}
	for (unsigned int i = N_JOBS; i-- > 0;)
		mm_paging_job_run(given[i]);
	assert_int_equal(n_done, N_JOBS);
	mm_timeline_fini(&t);
}

/* Many submit, and the order of numbers is the order of execution. */
struct crowd {
	struct mm_timeline t;
	uint64_t last; /* written by whoever executes: one at a time */
	bool out_of_order;
};

struct crowd_job {
	struct mm_paging_job job;
	struct crowd *crowd;
};

static void crowd_execute(struct mm_paging_job *job)
{
	struct crowd *c = vkf_container_of(job, struct crowd_job, job)->crowd;

	if (job->fence.seqno != c->last + 1)
		c->out_of_order = true;
	c->last = job->fence.seqno;
}

static void submit_many(void *arg)
{
	struct crowd *c = arg;

	for (unsigned int i = 0; i < 500; i++) {
		struct crowd_job *j = calloc(1, sizeof(*j));

		mm_paging_job_init(&j->job, NULL, crowd_execute);
		j->crowd = c;
		mm_timeline_submit(&c->t, &j->job);
		/* Another submitter may be executing it. */
		assert_int_equal(mm_fence_wait(&j->job.fence, VKF_FOREVER, false), 0);
		mm_fence_put(&j->job.fence);
	}
}

static void many_who_submit_at_once_are_executed_one_at_a_time_and_in_order(void **state)
{
	struct vkf_task *task[4];
	struct crowd c = { 0 };

	mm_timeline_init(&c.t, 9, NULL, NULL);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(vkf_spawn("submitter", submit_many, &c, &task[i]), 0);
	for (unsigned int i = 0; i < 4; i++)
		vkf_join(task[i]);
	assert_false(c.out_of_order);
	assert_int_equal(c.last, 4 * 500);
	mm_timeline_fini(&c.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_machine_a_job_is_done_when_submitted, reset),
		cmocka_unit_test_setup(a_machine_decides_when, reset),
		cmocka_unit_test_setup(jobs_are_done_in_order_whatever_order_the_machine_calls_in,
				       reset),
		cmocka_unit_test_setup(a_job_lives_until_it_is_done_though_its_owner_has_dropped_it,
				       reset),
		cmocka_unit_test_setup(
			many_who_submit_at_once_are_executed_one_at_a_time_and_in_order, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
