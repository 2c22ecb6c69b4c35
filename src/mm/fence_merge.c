/* SPDX-License-Identifier: MIT */
#include "mm/fence_merge.h"

#include "mm/deps.h"
#include "mm/fence_array.h"
#include "mm/fence_chain.h"

/* What @it is at; on to the next link where an array has ended. */
static struct mm_fence *unwrap_at(struct mm_fence_unwrap *it)
{
	struct mm_fence *work = it->pos ? mm_fence_chain_work(it->pos) : NULL;

	if (!work || (!mm_fence_is_array(work) && it->index == 0))
		return work;
	if (it->index < mm_fence_array_len(work))
		return mm_fence_array_at(work, it->index);
	it->pos = mm_fence_chain_walk(it->pos);
	it->index = 0;
	return unwrap_at(it);
}

struct mm_fence *mm_fence_unwrap_first(struct mm_fence_unwrap *it, struct mm_fence *head)
{
	it->pos = head ? mm_fence_get(head) : NULL;
	it->index = 0;
	return unwrap_at(it);
}

struct mm_fence *mm_fence_unwrap_next(struct mm_fence_unwrap *it)
{
	it->index++;
	return unwrap_at(it);
}

void mm_fence_unwrap_end(struct mm_fence_unwrap *it)
{
	mm_fence_put(it->pos);
	it->pos = NULL;
}

/* Add what is busy of @head to @d, and the time of what is not to @*latest_ns. */
static int add_unwrapped(struct mm_deps *d, struct mm_fence *head, uint64_t *latest_ns)
{
	struct mm_fence_unwrap it;
	struct mm_fence *f;

	mm_fence_unwrap_for_each(f, &it, head)
	{
		int e = mm_deps_add(d, f);

		if (e) {
			mm_fence_unwrap_end(&it);
			return e;
		}
		*latest_ns = VKF_MAX(*latest_ns, mm_fence_timestamp(f));
	}
	return 0;
}

int mm_fence_merge(struct mm_fence *const *fences, size_t n, uint64_t context,
		   struct mm_fence **ret_fence)
{
	struct mm_deps d;
	uint64_t latest_ns = 0;
	int e = 0;

	mm_deps_init(&d);
	for (size_t i = 0; i < n && !e; i++)
		e = add_unwrapped(&d, fences[i], &latest_ns);
	if (e)
		goto out;
	if (d.n == 0)
		e = mm_fence_stub_create(latest_ns, ret_fence);
	else if (d.n == 1)
		*ret_fence = mm_fence_get(d.fences[0]);
	else
		e = mm_fence_array_create(d.fences, d.n, context, 1, false, ret_fence);
out:
	mm_deps_fini(&d);
	return e;
}
