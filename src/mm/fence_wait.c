/* SPDX-License-Identifier: MIT */
#include "mm/fence_wait.h"

#include <errno.h>
#include "base/env.h"

#define WAIT_INLINE 8 /* fences that need no memory */

/* struct waiter - somebody in mm_fence_wait_any() */
struct waiter {
	struct vkf_mutex lock; /* rank LEAF; protects what follows */
	struct vkf_cond more;  /* @n_ran has grown */
	size_t n_ran;          /* callbacks that have */
};

struct wait_link {
	struct mm_fence_cb cb;
	struct waiter *waiter; /* constant */
};

static size_t find_signalled(struct mm_fence *const *fences, size_t n)
{
	size_t i = 0;

	while (i < n && !mm_fence_poll(fences[i]))
		i++;
	return i;
}

/* Giving the lock back is the last it does to the waiter. */
static void one_has_signalled(struct mm_fence *fence, struct mm_fence_cb *cb)
{
	struct waiter *w = vkf_container_of(cb, struct wait_link, cb)->waiter;

	vkf_mutex_lock(&w->lock);
	w->n_ran++;
	vkf_cond_broadcast(&w->more);
	vkf_mutex_unlock(&w->lock);
}

/* Up to the first that turns out to be signalled. Return: how many were added. */
static size_t add_links(struct waiter *w, struct wait_link *links, struct mm_fence *const *fences,
			size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		links[i].waiter = w;
		if (mm_fence_add_callback(fences[i], &links[i].cb, one_has_signalled))
			break;
	}
	return i;
}

/* Sleep until @n callbacks have run. */
static int wait_ran(struct waiter *w, size_t n, uint64_t deadline_ns, bool interruptible)
{
	int r = 0;

	vkf_mutex_lock(&w->lock);
	while (w->n_ran < n && !r)
		r = vkf_cond_wait(&w->more, &w->lock, deadline_ns, interruptible);
	vkf_mutex_unlock(&w->lock);
	return r;
}

/*
 * A callback that can be removed no more runs soon: its signaller is between marking the fence
 * and calling, where it waits for nothing that we may hold.
 */
static void remove_links(struct waiter *w, struct wait_link *links, struct mm_fence *const *fences,
			 size_t n_added)
{
	size_t n_running = 0;

	for (size_t i = 0; i < n_added; i++) {
		if (!mm_fence_remove_callback(fences[i], &links[i].cb))
			n_running++;
	}
	(void)wait_ran(w, n_running, VKF_FOREVER, false);
}

static int sleep_for_any(struct wait_link *links, struct mm_fence *const *fences, size_t n,
			 uint64_t deadline_ns, bool interruptible)
{
	struct waiter w = { .n_ran = 0 };
	size_t n_added;
	int r = 0;

	vkf_mutex_init(&w.lock, VKF_RANK_LEAF);
	vkf_cond_init(&w.more);
	n_added = add_links(&w, links, fences, n);
	if (n_added == n)
		r = wait_ran(&w, 1, deadline_ns, interruptible);
	remove_links(&w, links, fences, n_added);
	vkf_mutex_fini(&w.lock);
	return r;
}

int mm_fence_wait_any(struct mm_fence *const *fences, size_t n, uint64_t deadline_ns,
		      bool interruptible, size_t *ret_first)
{
	struct wait_link few[WAIT_INLINE], *links = few;
	size_t first = find_signalled(fences, n);
	int r;

	if (!n)
		return -EINVAL;
	if (first == n) {
		if (deadline_ns != VKF_FOREVER && vkf_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (n > WAIT_INLINE)
			links = vkf_calloc(n, sizeof(*links));
		if (!links)
			return -ENOMEM;
		r = sleep_for_any(links, fences, n, deadline_ns, interruptible);
		if (links != few)
			vkf_free(links);
		first = find_signalled(fences, n);
		VKF_ASSERT(r || first < n);
		if (first == n)
			return r;
	}
	*ret_first = first;
	return 0;
}

int mm_fence_wait_all(struct mm_fence *const *fences, size_t n, uint64_t deadline_ns,
		      bool interruptible)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		mm_fence_enable(fences[i]);
	for (size_t i = 0; i < n && !r; i++)
		r = mm_fence_wait(fences[i], deadline_ns, interruptible);
	return r;
}
