/* SPDX-License-Identifier: MIT */
#include "mm/timeline.h"

void mm_timeline_init(struct mm_timeline *t, uint64_t context, const struct mm_device_ops *ops,
		      void *cookie)
{
	t->context = context;
	t->owner = (struct mm_fence_owner){ .kind = MM_FENCE_OTHER };
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
	job->ready = false;
	mm_deps_init(&job->deps);
	job->next_dep = 0;
	job->execute = execute;
}

void mm_paging_job_abandon(struct mm_paging_job *job)
{
	mm_deps_fini(&job->deps);
	mm_fence_put(&job->fence);
}

static struct mm_paging_job *take_ready(struct mm_timeline *t) VKF_REQUIRES(t->lock)
{
	struct mm_paging_job *job;

	if (!t->owed || vkf_list_empty(&t->pending))
		return NULL;
	job = vkf_list_first(&t->pending, struct mm_paging_job, link);
	if (!job->ready)
		return NULL;
	vkf_list_del(&job->link);
	t->owed--;
	return job;
}

static void execute(struct mm_paging_job *job)
{
	job->execute(job);
	mm_deps_fini(&job->deps);
	mm_fence_signal(&job->fence, 0);
	mm_fence_put(&job->fence);
}

/* What becomes ready meanwhile, here or in a task that signals, is executed by who is at it. */
static void run_ready(struct mm_timeline *t) VKF_REQUIRES(t->lock)
{
	struct mm_paging_job *job;

	if (t->running)
		return;
	t->running = true;
	while ((job = take_ready(t))) {
		vkf_mutex_unlock(&t->lock);
		execute(job);
		vkf_mutex_lock(&t->lock);
	}
	t->running = false;
	vkf_cond_broadcast(&t->rested);
}

static void dep_signalled(struct mm_fence *fence, struct mm_fence_cb *cb);

/* Wait for the next dependency; there is none any more: let the job go. Once it waits or is
 * ready, it is not ours to look at. */
static void go_on(struct mm_paging_job *job)
{
	struct mm_timeline *t = job->timeline;

	while (job->next_dep < job->deps.n) {
		struct mm_fence *dep = job->deps.fences[job->next_dep++];

		if (!mm_fence_add_callback(dep, &job->wait, dep_signalled))
			return;
	}
	vkf_mutex_lock(&t->lock);
	job->ready = true;
	run_ready(t);
	vkf_mutex_unlock(&t->lock);
}

static void dep_signalled(struct mm_fence *fence, struct mm_fence_cb *cb)
{
	go_on(vkf_container_of(cb, struct mm_paging_job, wait));
}

/* Two references come with it: the timeline's, until it is executed, and the executor's, whose
 * call may come after another call has let this job go. */
void mm_timeline_submit(struct mm_timeline *t, struct mm_paging_job *job)
{
	mm_fence_get(&job->fence);
	mm_fence_get(&job->fence);
	job->timeline = t;
	job->fence.context = t->context;
	job->fence.owner = t->owner;
	vkf_mutex_lock(&t->lock);
	job->fence.seqno = ++t->seqno;
	vkf_list_add_tail(&job->link, &t->pending);
	vkf_mutex_unlock(&t->lock);
	/* All at once, so that their owners get ready side by side. */
	for (size_t i = 0; i < job->deps.n; i++)
		mm_fence_enable(job->deps.fences[i]);
	if (t->ops && t->ops->run_job)
		t->ops->run_job(t->cookie, job);
	else
		mm_paging_job_run(job);
	go_on(job);
}

void mm_paging_job_run(struct mm_paging_job *job)
{
	struct mm_timeline *t = job->timeline;

	vkf_mutex_lock(&t->lock);
	t->owed++;
	run_ready(t);
	vkf_mutex_unlock(&t->lock);
	mm_fence_put(&job->fence);
}
