/* SPDX-License-Identifier: MIT */
#include "mm/timeline.h"

void mm_timeline_init(struct mm_timeline *t, uint64_t context, const struct mm_device_ops *ops,
		      void *cookie)
{
	t->context = context;
	t->ops = ops;
	t->cookie = cookie;
	vkf_mutex_init(&t->lock, VKF_RANK_FENCE);
	t->seqno = 0;
	vkf_list_init(&t->pending);
	t->owed = 0;
	t->running = false;
	vkf_cond_init(&t->rested);
}

void mm_timeline_fini(struct mm_timeline *t)
{
	vkf_mutex_lock(&t->lock);
	VKF_ASSERT(vkf_list_empty(&t->pending));
	while (t->running)
		vkf_cond_wait(&t->rested, &t->lock, VKF_FOREVER, false);
	vkf_mutex_unlock(&t->lock);
	vkf_mutex_fini(&t->lock);
}

bool mm_timeline_is_idle(struct mm_timeline *t)
{
	bool idle;

	vkf_mutex_lock(&t->lock);
	idle = vkf_list_empty(&t->pending) && !t->running;
	vkf_mutex_unlock(&t->lock);
	return idle;
}

void mm_paging_job_init(struct mm_paging_job *job, const struct mm_fence_ops *ops,
			void (*execute)(struct mm_paging_job *job))
{
	mm_fence_init(&job->fence, ops, 0, 0);
	job->timeline = NULL;
	vkf_list_init(&job->link);
	job->execute = execute;
}

/* Two references come with it: the timeline's, until it is executed, and the executor's, whose
 * call may come after another call has let this job go. */
void mm_timeline_submit(struct mm_timeline *t, struct mm_paging_job *job)
{
	mm_fence_get(&job->fence);
	mm_fence_get(&job->fence);
	job->timeline = t;
	job->fence.context = t->context;
	vkf_mutex_lock(&t->lock);
	job->fence.seqno = ++t->seqno;
	vkf_list_add_tail(&job->link, &t->pending);
	vkf_mutex_unlock(&t->lock);
	if (t->ops && t->ops->run_job) {
		t->ops->run_job(t->cookie, job);
		return;
	}
	mm_paging_job_run(job);
	/* Whoever is executing needs no lock that we may hold, so it comes to ours soon. */
	mm_fence_wait(&job->fence, VKF_FOREVER, false);
}

static struct mm_paging_job *take_oldest(struct mm_timeline *t) VKF_REQUIRES(t->lock)
{
	struct mm_paging_job *job;

	VKF_ASSERT(!vkf_list_empty(&t->pending));
	job = vkf_list_first(&t->pending, struct mm_paging_job, link);
	vkf_list_del(&job->link);
	return job;
}

static void run_owed(struct mm_timeline *t) VKF_REQUIRES(t->lock)
{
	t->running = true;
	while (t->owed) {
		struct mm_paging_job *job = take_oldest(t);

		t->owed--;
		vkf_mutex_unlock(&t->lock);
		job->execute(job);
		mm_fence_signal(&job->fence, 0);
		mm_fence_put(&job->fence);
		vkf_mutex_lock(&t->lock);
	}
	t->running = false;
	vkf_cond_broadcast(&t->rested);
}

void mm_paging_job_run(struct mm_paging_job *job)
{
	struct mm_timeline *t = job->timeline;

	vkf_mutex_lock(&t->lock);
	t->owed++;
	if (!t->running)
		run_owed(t);
	vkf_mutex_unlock(&t->lock);
	mm_fence_put(&job->fence);
}
