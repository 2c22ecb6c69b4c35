/* SPDX-License-Identifier: MIT */
#include "mm/deps.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"

void mm_deps_init(struct mm_deps *d)
{
	d->fences = d->few;
	d->n = 0;
	d->room = MM_DEPS_INLINE;
}

void mm_deps_fini(struct mm_deps *d)
{
	for (size_t i = 0; i < d->n; i++)
		mm_fence_put(d->fences[i]);
	if (d->fences != d->few)
		vkf_free(d->fences);
	mm_deps_init(d);
}

/* Where the fence of @context is, or belongs. */
static size_t find(const struct mm_deps *d, uint64_t context)
{
	size_t first = 0, end = d->n;

	while (first < end) {
		size_t mid = first + (end - first) / 2;

		if (d->fences[mid]->context < context)
			first = mid + 1;
		else
			end = mid;
	}
	return first;
}

static void drop_signalled(struct mm_deps *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (mm_fence_poll(d->fences[i]))
			mm_fence_put(d->fences[i]);
		else
			d->fences[kept++] = d->fences[i];
	}
	d->n = kept;
}

static int grow(struct mm_deps *d)
{
	struct mm_fence **fences = vkf_calloc(2 * d->room, sizeof(struct mm_fence *));

	if (!fences)
		return -ENOMEM;
	memcpy(fences, d->fences, d->n * sizeof(struct mm_fence *));
	if (d->fences != d->few)
		vkf_free(d->fences);
	d->fences = fences;
	d->room *= 2;
	return 0;
}

/* Room for one more. Unless half have gone it grows when it can, or it would soon look again. */
static int make_room(struct mm_deps *d)
{
	int e;

	if (d->n < d->room)
		return 0;
	drop_signalled(d);
	if (d->n <= d->room / 2)
		return 0;
	e = grow(d);
	return d->n < d->room ? 0 : e;
}

static void keep_later(struct mm_fence **slot, struct mm_fence *f)
{
	if (!mm_fence_is_later(f, *slot))
		return;
	mm_fence_put(*slot);
	*slot = mm_fence_get(f);
}

int mm_deps_add(struct mm_deps *d, struct mm_fence *f)
{
	size_t i = find(d, f->context);
	int e;

	if (mm_fence_poll(f))
		return 0;
	if (i < d->n && d->fences[i]->context == f->context) {
		keep_later(&d->fences[i], f);
		return 0;
	}
	e = make_room(d);
	if (e)
		return e;
	i = find(d, f->context);
	memmove(&d->fences[i + 1], &d->fences[i], (d->n - i) * sizeof(struct mm_fence *));
	d->fences[i] = mm_fence_get(f);
	d->n++;
	return 0;
}

int mm_deps_add_resv_locked(struct mm_deps *d, struct mm_resv *r, enum mm_resv_usage usage)
{
	struct mm_fence *f;
	unsigned int pos = 0;
	int e = 0;

	mm_resv_assert_held(r);
	while (!e && (f = mm_resv_next_locked(r, usage, &pos)))
		e = mm_deps_add(d, f);
	return e;
}
