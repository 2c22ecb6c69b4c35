/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_TIMELINE_H
#define VKFD_MM_TIMELINE_H

/**
 * DOC: Timelines and paging jobs
 *
 * A timeline is a fence context whose jobs are executed one after the other, in
 * the order of submission, and so signal in that order. Each GPU has one for the
 * changes of page tables.
 *
 * A job is made ready in full before it is submitted: submission cannot fail, and
 * execution neither allocates nor takes a reservation. It may depend on fences: it
 * goes, and all behind it, when those have signalled. Submission makes their owners
 * care, which is how a move makes a process's queues stop.
 *
 * Whoever executes (a worker of the machine, or the submitter) calls
 * mm_paging_job_run() once for every job it was given, in any order and from any
 * tasks: each call lets one more job go, oldest first, and one task at a time
 * executes. That may be the one that signals the last dependency.
 */
#include "mm/deps.h"
#include "mm/device.h"
#include "mm/fence.h"

struct mm_paging_job;

/* struct mm_timeline - embed it */
struct mm_timeline {
	uint64_t context;                /* constant, as the next three */
	struct mm_fence_owner owner;     /* of its jobs' fences; OTHER unless it is set right away */
	const struct mm_device_ops *ops; /* NULL, or without run_job: the submitter executes */
	void *cookie;
	struct vkf_mutex lock;           /* rank FENCE */
	uint64_t seqno;                  /* of the last job; protected by @lock */
	struct vkf_list pending;         /* jobs not yet executed, oldest first; @lock */
	unsigned int owed;               /* calls of mm_paging_job_run() to be honoured; @lock */
	bool running;                    /* some task is executing; @lock */
	struct vkf_cond rested;          /* no task is, any more */
};

/* struct mm_paging_job - embed it at the start of what the job needs */
struct mm_paging_job {
	struct mm_fence fence;
	struct mm_timeline *timeline;           /* set by mm_timeline_submit() */
	struct vkf_list link;                   /* protected by the timeline's lock */
	bool ready;                             /* nothing to wait for any more; the same */
	struct mm_deps deps;                    /* filled before submission */
	size_t next_dep;                        /* the first of @deps not yet looked at */
	struct mm_fence_cb wait;                /* for the one before it */
	void (*execute)(struct mm_paging_job *job);
};

void mm_timeline_init(struct mm_timeline *t, uint64_t context, const struct mm_device_ops *ops,
		      void *cookie);
/* Every job's fence has signalled. Waits for who signalled the last to be out of here. */
void mm_timeline_fini(struct mm_timeline *t);
/* True when no job waits or is being executed. */
bool mm_timeline_is_idle(struct mm_timeline *t);

/* One reference, the caller's. @release: for the last one, NULL for vkf_free(). */
void mm_paging_job_init(struct mm_paging_job *job, const struct mm_fence_ops *ops,
			void (*execute)(struct mm_paging_job *job));
/* Instead of submitting it: drops what it depends on, and the caller's reference. */
void mm_paging_job_abandon(struct mm_paging_job *job);
/*
 * Give @job its place and have it executed; it takes the references it needs. Without a machine's
 * run_job, and when nothing has to be waited for, it is executed before this returns, unless
 * another task is just executing those before it.
 */
void mm_timeline_submit(struct mm_timeline *t, struct mm_paging_job *job);
/* For struct mm_device_ops.run_job; the caller holds no lock of rank RESV or inner. */
void mm_paging_job_run(struct mm_paging_job *job);

static inline struct mm_fence *mm_paging_job_fence(struct mm_paging_job *job)
{
	return &job->fence;
}

#endif
