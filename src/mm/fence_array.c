/* SPDX-License-Identifier: MIT */
#include "mm/fence_array.h"

#include <errno.h>
#include "base/env.h"

struct array;

struct array_child {
	struct mm_fence *fence; /* a reference; constant, as is @array */
	struct array *array;
	struct mm_fence_cb cb; /* with a reference to @array, while it waits to be called */
};

struct array {
	struct mm_fence base;
	bool any; /* constant, as is @n */
	size_t n;
	atomic_size_t
		n_done; /* children whose callback has run; the last sees what all others did */
	atomic_int first_error; /* of a child that is done, or 0 */
	struct array_child child[];
};

static bool array_enable(struct mm_fence *f);
static bool array_signalled(struct mm_fence *f);
static void array_release(struct mm_fence *f);

static const struct mm_fence_ops array_ops = {
	.enable_signaling = array_enable,
	.release = array_release,
	.signalled = array_signalled,
	.container = true,
};

bool mm_fence_is_array(const struct mm_fence *f)
{
	return f->ops == &array_ops;
}

static struct array *to_array(struct mm_fence *f)
{
	return vkf_container_of(f, struct array, base);
}

size_t mm_fence_array_len(const struct mm_fence *f)
{
	return mm_fence_is_array(f) ? vkf_container_of(f, const struct array, base)->n : 0;
}

struct mm_fence *mm_fence_array_at(struct mm_fence *f, size_t i)
{
	VKF_ASSERT(mm_fence_is_array(f) && i < to_array(f)->n);
	return to_array(f)->child[i].fence;
}

int mm_fence_array_create(struct mm_fence *const *fences, size_t n, uint64_t context,
			  uint64_t seqno, bool any, struct mm_fence **ret_fence)
{
	struct array *a;

	VKF_ASSERT(n > 0);
	for (size_t i = 0; i < n; i++)
		VKF_ASSERT(!mm_fence_is_container(fences[i]));
	if (n > (SIZE_MAX - sizeof(*a)) / sizeof(a->child[0]))
		return -ENOMEM;
	a = vkf_zalloc(sizeof(*a) + n * sizeof(a->child[0]));
	if (!a)
		return -ENOMEM;
	mm_fence_init(&a->base, &array_ops, context, seqno);
	a->any = any;
	a->n = n;
	for (size_t i = 0; i < n; i++) {
		a->child[i].fence = mm_fence_get(fences[i]);
		a->child[i].array = a;
	}
	*ret_fence = &a->base;
	return 0;
}

static void array_release(struct mm_fence *f)
{
	struct array *a = to_array(f);

	for (size_t i = 0; i < a->n; i++)
		mm_fence_put(a->child[i].fence);
	vkf_free(a);
}

/* @child is signalled. True when that was all there was to wait for, and @a is signalled too. */
static bool child_done(struct array *a, struct array_child *child)
{
	int error = mm_fence_error(child->fence), none = 0;
	size_t n_done;

	if (error)
		atomic_compare_exchange_strong(&a->first_error, &none, error);
	n_done = atomic_fetch_add(&a->n_done, 1) + 1;
	if (a->any && n_done == 1)
		mm_fence_signal(&a->base, error);
	else if (!a->any && n_done == a->n)
		mm_fence_signal(&a->base, atomic_load(&a->first_error));
	else
		return false;
	return true;
}

static void child_called(struct mm_fence *fence, struct mm_fence_cb *cb)
{
	struct array_child *child = vkf_container_of(cb, struct array_child, cb);
	struct array *a = child->array;

	(void)child_done(a, child);
	mm_fence_put(&a->base);
}

/* It signals by itself, with the right error, also when there is nothing to wait for. */
static bool array_enable(struct mm_fence *f)
{
	struct array *a = to_array(f);

	for (size_t i = 0; i < a->n; i++) {
		struct array_child *child = &a->child[i];

		mm_fence_get(&a->base);
		if (!mm_fence_add_callback(child->fence, &child->cb, child_called))
			continue;
		mm_fence_put(&a->base);
		if (child_done(a, child))
			break;
	}
	return true;
}

/* Enabled or not: the children are asked. */
static bool array_signalled(struct mm_fence *f)
{
	struct array *a = to_array(f);
	int error = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct mm_fence *fence = a->child[i].fence;
		bool signalled = mm_fence_poll(fence);

		if (signalled == a->any) {
			if (signalled)
				mm_fence_signal(f, mm_fence_error(fence));
			return signalled;
		}
		if (signalled && !error)
			error = mm_fence_error(fence);
	}
	if (!a->any)
		mm_fence_signal(f, error);
	return !a->any;
}
