/* SPDX-License-Identifier: MIT */
#include "mm/resv_iter.h"

#include <errno.h>
#include "base/env.h"
#include "base/grow.h"
#include "mm/fence_array.h"

void mm_resv_iter_begin(struct mm_resv_iter *it, struct mm_resv *r, enum mm_resv_usage usage)
{
	*it = (struct mm_resv_iter){ .resv = r, .wanted = usage, .begun = false };
}

/* On to the next slot of a usage that is asked for, with a reference to its fence. */
static bool iter_step(struct mm_resv_iter *it)
{
	struct mm_resv *r = it->resv;
	bool found = false;

	vkf_point("resv iter");
	vkf_guard_lock(&r->guard);
	if (!it->begun || it->change != r->change) {
		it->begun = true;
		it->change = r->change;
		it->pos = 0;
		it->restarted = true;
	}
	while (!found && it->pos < r->n) {
		const struct mm_resv_slot *slot = &r->slots[it->pos++];

		if (slot->usage > it->wanted || mm_fence_is_signalled(slot->fence))
			continue;
		it->fence = mm_fence_get(slot->fence);
		it->usage = slot->usage;
		found = true;
	}
	vkf_guard_unlock(&r->guard);
	return found;
}

struct mm_fence *mm_resv_iter_next(struct mm_resv_iter *it)
{
	if (it->fence)
		it->restarted = false;
	mm_resv_iter_end(it);
	while (iter_step(it)) {
		if (!mm_fence_poll(it->fence))
			return it->fence;
		mm_resv_iter_end(it);
	}
	return NULL;
}

void mm_resv_iter_end(struct mm_resv_iter *it)
{
	mm_fence_put(it->fence);
	it->fence = NULL;
}

bool mm_resv_test_signalled(struct mm_resv *r, enum mm_resv_usage usage)
{
	struct mm_resv_iter it;
	bool none;

	mm_resv_iter_begin(&it, r, usage);
	none = !mm_resv_iter_next(&it);
	mm_resv_iter_end(&it);
	return none;
}

/* struct collected - slots that belong to nobody yet */
struct collected {
	struct mm_resv_slot *slots;
	size_t n, room;
};

static void collected_clear(struct collected *c)
{
	while (c->n)
		mm_fence_put(c->slots[--c->n].fence);
}

static void collected_fini(struct collected *c)
{
	collected_clear(c);
	vkf_free(c->slots);
}

static int collect(struct mm_resv *r, enum mm_resv_usage usage, struct collected *c)
{
	struct mm_resv_iter it;
	struct mm_fence *f;
	int e = 0;

	mm_resv_iter_begin(&it, r, usage);
	while ((f = mm_resv_iter_next(&it))) {
		if (it.restarted)
			collected_clear(c);
		e = vkf_grow(&c->slots, &c->room, c->n + 1, sizeof(c->slots[0]));
		if (e)
			break;
		c->slots[c->n++] = (struct mm_resv_slot){ mm_fence_get(f), it.usage };
	}
	if (!e && it.restarted)
		collected_clear(c);
	mm_resv_iter_end(&it);
	return e;
}

int mm_resv_get_fences(struct mm_resv *r, enum mm_resv_usage usage, struct mm_fence ***ret_fences,
		       size_t *ret_n)
{
	struct collected c = { NULL, 0, 0 };
	struct mm_fence **fences = NULL;
	int e = collect(r, usage, &c);

	if (!e && c.n) {
		fences = vkf_calloc(c.n, sizeof(struct mm_fence *));
		e = fences ? 0 : -ENOMEM;
	}
	if (!e) {
		for (size_t i = 0; i < c.n; i++)
			fences[i] = c.slots[i].fence;
		*ret_fences = fences;
		*ret_n = c.n;
		c.n = 0;
	}
	collected_fini(&c);
	return e;
}

int mm_resv_get_singleton(struct mm_resv *r, enum mm_resv_usage usage, uint64_t context,
			  struct mm_fence **ret_fence)
{
	struct mm_fence **fences;
	size_t n;
	int e = mm_resv_get_fences(r, usage, &fences, &n);

	if (e)
		return e;
	if (n > 1)
		e = mm_fence_array_create(fences, n, context, 1, false, ret_fence);
	else
		*ret_fence = n ? mm_fence_get(fences[0]) : NULL;
	for (size_t i = 0; i < n; i++)
		mm_fence_put(fences[i]);
	vkf_free(fences);
	return e;
}

int mm_resv_copy_locked(struct mm_resv *dst, struct mm_resv *src)
{
	struct collected c = { NULL, 0, 0 };
	int e = collect(src, MM_RESV_BOOKKEEP, &c);

	mm_resv_assert_held(dst);
	if (!e)
		e = vkf_grow(&c.slots, &c.room, c.n + dst->n_reserved, sizeof(c.slots[0]));
	if (!e) {
		mm_resv_take_slots_locked(dst, c.slots, (unsigned int)c.n, (unsigned int)c.room);
		return 0;
	}
	collected_fini(&c);
	return e;
}
