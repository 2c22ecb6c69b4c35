/* SPDX-License-Identifier: MIT */
#include "mm/resv.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"

void mm_resv_init(struct mm_resv *r)
{
	vkf_wwlock_init(&r->lock);
	r->slots = r->few;
	r->n = 0;
	r->n_slots = MM_RESV_INLINE_SLOTS;
	r->n_reserved = 0;
}

void mm_resv_fini(struct mm_resv *r)
{
	for (unsigned int i = 0; i < r->n; i++)
		mm_fence_put(r->slots[i].fence);
	if (r->slots != r->few)
		vkf_free(r->slots);
	vkf_wwlock_fini(&r->lock);
}

VKF_NO_TS int mm_resv_lock(struct mm_resv *r, bool interruptible)
{
	return vkf_wwlock_lock(&r->lock, NULL, interruptible);
}

VKF_NO_TS bool mm_resv_trylock(struct mm_resv *r)
{
	return vkf_wwlock_trylock(&r->lock);
}

VKF_NO_TS void mm_resv_unlock(struct mm_resv *r)
{
	r->n_reserved = 0;
	vkf_wwlock_unlock(&r->lock);
}

VKF_NO_TS void mm_resv_assert_held(const struct mm_resv *r)
{
	VKF_ASSERT(vkf_wwlock_is_mine(&r->lock));
}

static void drop_signalled(struct mm_resv *r)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < r->n; i++) {
		if (mm_fence_is_signalled(r->slots[i].fence))
			mm_fence_put(r->slots[i].fence);
		else
			r->slots[kept++] = r->slots[i];
	}
	r->n = kept;
}

static int grow(struct mm_resv *r, unsigned int need)
{
	unsigned int n = VKF_MAX(need, 2 * r->n_slots);
	struct mm_resv_slot *slots = vkf_calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	memcpy(slots, r->slots, r->n * sizeof(*slots));
	if (r->slots != r->few)
		vkf_free(r->slots);
	r->slots = slots;
	r->n_slots = n;
	return 0;
}

int mm_resv_reserve_locked(struct mm_resv *r, unsigned int n)
{
	int e;

	mm_resv_assert_held(r);
	if (r->n + r->n_reserved + n > r->n_slots)
		drop_signalled(r);
	if (r->n + r->n_reserved + n > r->n_slots) {
		e = grow(r, r->n + r->n_reserved + n);
		if (e)
			return e;
	}
	r->n_reserved += n;
	return 0;
}

static bool may_replace(const struct mm_resv_slot *old, const struct mm_fence *f,
			enum mm_resv_usage usage)
{
	if (mm_fence_is_signalled(old->fence))
		return true;
	return old->fence->context == f->context && old->usage >= usage &&
	       !mm_fence_is_later(old->fence, f);
}

void mm_resv_add_locked(struct mm_resv *r, struct mm_fence *f, enum mm_resv_usage usage)
{
	unsigned int i;

	mm_resv_assert_held(r);
	VKF_ASSERT(r->n_reserved > 0);
	r->n_reserved--;
	if (mm_fence_is_signalled(f))
		return;
	for (i = 0; i < r->n; i++) {
		if (may_replace(&r->slots[i], f, usage))
			break;
	}
	if (i < r->n)
		mm_fence_put(r->slots[i].fence);
	else
		r->n++;
	VKF_ASSERT(r->n <= r->n_slots);
	r->slots[i].fence = mm_fence_get(f);
	r->slots[i].usage = usage;
}

void mm_resv_replace_locked(struct mm_resv *r, uint64_t context, struct mm_fence *substitute,
			    enum mm_resv_usage usage)
{
	unsigned int kept = 0;

	mm_resv_assert_held(r);
	for (unsigned int i = 0; i < r->n; i++) {
		struct mm_resv_slot slot = r->slots[i];

		if (slot.fence->context == context) {
			mm_fence_put(slot.fence);
			if (!substitute)
				continue;
			slot.fence = mm_fence_get(substitute);
			slot.usage = usage;
		}
		r->slots[kept++] = slot;
	}
	r->n = kept;
}

struct mm_fence *mm_resv_next_locked(const struct mm_resv *r, enum mm_resv_usage usage,
				     unsigned int *pos)
{
	mm_resv_assert_held(r);
	while (*pos < r->n) {
		const struct mm_resv_slot *slot = &r->slots[(*pos)++];

		if (slot->usage <= usage && !mm_fence_is_signalled(slot->fence))
			return slot->fence;
	}
	return NULL;
}

bool mm_resv_is_idle_locked(const struct mm_resv *r, enum mm_resv_usage usage)
{
	unsigned int pos = 0;

	return !mm_resv_next_locked(r, usage, &pos);
}

int mm_resv_wait_locked(struct mm_resv *r, enum mm_resv_usage usage, bool interruptible)
{
	struct mm_fence *f;
	unsigned int pos = 0;
	int e;

	while ((f = mm_resv_next_locked(r, usage, &pos))) {
		e = mm_fence_wait(f, VKF_FOREVER, interruptible);
		if (e)
			return e;
	}
	return 0;
}

/* One unsignalled fence with a reference, or NULL. */
static int pick_busy(struct mm_resv *r, enum mm_resv_usage usage, bool interruptible,
		     struct mm_fence **ret_fence)
{
	struct mm_fence *f;
	unsigned int pos = 0;
	int e = mm_resv_lock(r, interruptible);

	if (e)
		return e;
	f = mm_resv_next_locked(r, usage, &pos);
	*ret_fence = f ? mm_fence_get(f) : NULL;
	mm_resv_unlock(r);
	return 0;
}

int mm_resv_wait(struct mm_resv *r, enum mm_resv_usage usage, uint64_t deadline_ns,
		 bool interruptible)
{
	for (;;) {
		struct mm_fence *f;
		int e = pick_busy(r, usage, interruptible, &f);

		if (e || !f)
			return e;
		e = mm_fence_wait(f, deadline_ns, interruptible);
		mm_fence_put(f);
		if (e)
			return e;
	}
}

struct mm_fence *mm_resv_busy_unshared(const struct mm_resv *r)
{
	for (unsigned int i = 0; i < r->n; i++) {
		if (!mm_fence_is_signalled(r->slots[i].fence))
			return r->slots[i].fence;
	}
	return NULL;
}
