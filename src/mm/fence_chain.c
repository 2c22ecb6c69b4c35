/* SPDX-License-Identifier: MIT */
#include "mm/fence_chain.h"

#include <errno.h>
#include "base/env.h"

static bool chain_enable(struct mm_fence *f);
static bool chain_signalled(struct mm_fence *f);
static void chain_release(struct mm_fence *f);

static const struct mm_fence_ops chain_ops = {
	.enable_signaling = chain_enable,
	.release = chain_release,
	.signalled = chain_signalled,
	.container = true,
};

struct mm_fence_chain *mm_fence_chain_alloc(void)
{
	return vkf_zalloc(sizeof(struct mm_fence_chain));
}

struct mm_fence_chain *mm_fence_to_chain(struct mm_fence *f)
{
	return f && f->ops == &chain_ops ? vkf_container_of(f, struct mm_fence_chain, base) : NULL;
}

struct mm_fence *mm_fence_chain_work(struct mm_fence *f)
{
	struct mm_fence_chain *link = mm_fence_to_chain(f);

	return link ? link->work : f;
}

void mm_fence_chain_init(struct mm_fence_chain *link, struct mm_fence *prev, struct mm_fence *work,
			 uint64_t point, uint64_t context)
{
	struct mm_fence_chain *before = mm_fence_to_chain(prev);

	VKF_ASSERT(!mm_fence_to_chain(work));
	link->prev = prev;
	link->work = work;
	link->prev_point = 0;
	if (before && point > prev->seqno) {
		context = prev->context;
		link->prev_point = prev->seqno;
	} else if (before) {
		point = prev->seqno;
	}
	mm_fence_init(&link->base, &chain_ops, context, point);
}

static struct mm_fence *get_prev(struct mm_fence_chain *link)
{
	struct mm_fence *prev;

	vkf_mutex_lock(&link->base.lock);
	prev = link->prev;
	if (prev)
		mm_fence_get(prev);
	vkf_mutex_unlock(&link->base.lock);
	return prev;
}

/* Put @replacement, whose reference is taken over, where @prev was, unless somebody has already. */
static void replace_prev(struct mm_fence_chain *link, struct mm_fence *prev,
			 struct mm_fence *replacement)
{
	struct mm_fence *unused = replacement;

	vkf_mutex_lock(&link->base.lock);
	if (link->prev == prev) {
		link->prev = replacement;
		unused = prev;
	}
	vkf_mutex_unlock(&link->base.lock);
	mm_fence_put(unused);
}

/*
 * It looks at what is known, and asks no owner: so no callback runs from in here, and a callback
 * that walks on does not nest.
 */
struct mm_fence *mm_fence_chain_walk(struct mm_fence *f)
{
	struct mm_fence_chain *link = mm_fence_to_chain(f), *before;
	struct mm_fence *prev = NULL;

	while (link && (prev = get_prev(link))) {
		if (!mm_fence_is_signalled(mm_fence_chain_work(prev)))
			break;
		before = mm_fence_to_chain(prev);
		replace_prev(link, prev, before ? get_prev(before) : NULL);
		mm_fence_put(prev);
	}
	mm_fence_put(f);
	return prev;
}

int mm_fence_chain_find(struct mm_fence *head, uint64_t point, struct mm_fence **ret_link)
{
	struct mm_fence *pos = head;

	if (point && (!mm_fence_to_chain(head) || head->seqno < point))
		return -EINVAL;
	if (head)
		mm_fence_get(head);
	while (point && pos && pos->context == head->context &&
	       mm_fence_to_chain(pos)->prev_point >= point)
		pos = mm_fence_chain_walk(pos);
	*ret_link = pos;
	return 0;
}

static void work_done(struct mm_fence *work, struct mm_fence_cb *cb);

/*
 * Be called when the newest work that is not done is. Somebody may then already be in work_done():
 * nothing of @head is touched afterwards. Return: false when all is done.
 */
static bool arm(struct mm_fence_chain *head)
{
	struct mm_fence *pos;

	mm_fence_chain_for_each(pos, &head->base)
	{
		struct mm_fence *work = mm_fence_get(mm_fence_chain_work(pos));

		mm_fence_get(&head->base);
		if (!mm_fence_add_callback(work, &head->cb, work_done)) {
			mm_fence_put(pos);
			return true;
		}
		mm_fence_put(&head->base);
		mm_fence_put(work);
	}
	return false;
}

static void work_done(struct mm_fence *work, struct mm_fence_cb *cb)
{
	struct mm_fence_chain *head = vkf_container_of(cb, struct mm_fence_chain, cb);

	mm_fence_put(work);
	if (!arm(head))
		mm_fence_signal(&head->base, 0);
	mm_fence_put(&head->base);
}

static bool chain_enable(struct mm_fence *f)
{
	return arm(mm_fence_to_chain(f));
}

static bool chain_signalled(struct mm_fence *f)
{
	struct mm_fence *pos;

	mm_fence_chain_for_each(pos, f)
	{
		if (!mm_fence_poll(mm_fence_chain_work(pos))) {
			mm_fence_put(pos);
			return false;
		}
	}
	return true;
}

/* A chain may be long, so what goes with its head goes in a loop. */
static void chain_release(struct mm_fence *f)
{
	struct mm_fence *prev;

	for (;;) {
		struct mm_fence_chain *link = mm_fence_to_chain(f);

		prev = link->prev;
		mm_fence_put(link->work);
		vkf_free(link);
		if (!mm_fence_to_chain(prev))
			break;
		if (!mm_fence_put_last(prev))
			return;
		f = prev;
	}
	mm_fence_put(prev);
}
