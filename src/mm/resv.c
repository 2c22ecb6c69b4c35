/* SPDX-License-Identifier: MIT */
#include "mm/resv.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"
#include "mm/resv_iter.h"

void mm_resv_init(struct mm_resv *r)
{
	vkf_wwlock_init(&r->lock);
	atomic_flag_clear(&r->guard);
	r->slots = r->few;
	r->n = 0;
	r->n_slots = MM_RESV_INLINE_SLOTS;
	r->n_reserved = 0;
	r->change = 0;
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

typedef bool (*slot_test)(const struct mm_resv_slot *slot, uint64_t context);

static bool slot_is_signalled(const struct mm_resv_slot *slot, uint64_t context)
{
	return mm_fence_is_signalled(slot->fence);
}

static bool slot_is_of_context(const struct mm_resv_slot *slot, uint64_t context)
{
	return slot->fence->context == context;
}

/*
 * Drop the fences for which @test holds. The others keep their order. No reader comes to what is
 * behind the last, so references are put without the guard: a release() may take locks.
 */
static void drop_slots(struct mm_resv *r, slot_test test, uint64_t context)
{
	unsigned int kept = 0, was = r->n;

	vkf_guard_lock(&r->guard);
	for (unsigned int i = 0; i < was; i++) {
		struct mm_resv_slot slot = r->slots[i];

		if (test(&slot, context))
			continue;
		r->slots[i] = r->slots[kept];
		r->slots[kept++] = slot;
	}
	r->n = kept;
	r->change++;
	vkf_guard_unlock(&r->guard);
	for (unsigned int i = kept; i < was; i++)
		mm_fence_put(r->slots[i].fence);
}

static void drop_signalled(struct mm_resv *r)
{
	bool any = false;

	for (unsigned int i = 0; i < r->n; i++)
		any |= mm_fence_poll(r->slots[i].fence);
	if (any)
		drop_slots(r, slot_is_signalled, 0);
}

static int grow(struct mm_resv *r, unsigned int need)
{
	unsigned int n = VKF_MAX(need, 2 * r->n_slots);
	struct mm_resv_slot *slots = vkf_calloc(n, sizeof(*slots)), *old = r->slots;

	if (!slots)
		return -ENOMEM;
	memcpy(slots, old, r->n * sizeof(*slots));
	vkf_guard_lock(&r->guard);
	r->slots = slots;
	vkf_guard_unlock(&r->guard);
	r->n_slots = n;
	if (old != r->few)
		vkf_free(old);
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

/* Return: what was there before, whose reference is now the caller's, or NULL. */
static struct mm_fence *set_slot(struct mm_resv *r, unsigned int i, struct mm_fence *f,
				 enum mm_resv_usage usage)
{
	struct mm_fence *old = NULL;

	vkf_guard_lock(&r->guard);
	if (i < r->n)
		old = r->slots[i].fence;
	else
		r->n++;
	r->slots[i] = (struct mm_resv_slot){ mm_fence_get(f), usage };
	r->change++;
	vkf_guard_unlock(&r->guard);
	return old;
}

void mm_resv_add_locked(struct mm_resv *r, struct mm_fence *f, enum mm_resv_usage usage)
{
	unsigned int i = 0;

	mm_resv_assert_held(r);
	VKF_ASSERT(!mm_fence_is_container(f));
	VKF_ASSERT(r->n_reserved > 0);
	r->n_reserved--;
	if (mm_fence_is_signalled(f))
		return;
	while (i < r->n && !may_replace(&r->slots[i], f, usage))
		i++;
	VKF_ASSERT(i < r->n_slots);
	mm_fence_put(set_slot(r, i, f, usage));
}

void mm_resv_replace_locked(struct mm_resv *r, uint64_t context, struct mm_fence *substitute,
			    enum mm_resv_usage usage)
{
	mm_resv_assert_held(r);
	VKF_ASSERT(!substitute || !mm_fence_is_container(substitute));
	if (!substitute) {
		drop_slots(r, slot_is_of_context, context);
		return;
	}
	for (unsigned int i = 0; i < r->n; i++) {
		if (slot_is_of_context(&r->slots[i], context))
			mm_fence_put(set_slot(r, i, substitute, usage));
	}
}

static bool slot_is_any(const struct mm_resv_slot *slot, uint64_t context)
{
	return true;
}

void mm_resv_take_slots_locked(struct mm_resv *r, struct mm_resv_slot *slots, unsigned int n,
			       unsigned int n_slots)
{
	struct mm_resv_slot *old = r->slots;

	mm_resv_assert_held(r);
	drop_slots(r, slot_is_any, 0);
	if (!slots)
		return;
	VKF_ASSERT(n_slots >= n + r->n_reserved);
	vkf_guard_lock(&r->guard);
	r->slots = slots;
	r->n = n;
	r->change++;
	vkf_guard_unlock(&r->guard);
	r->n_slots = n_slots;
	if (old != r->few)
		vkf_free(old);
}

struct mm_fence *mm_resv_next_locked(const struct mm_resv *r, enum mm_resv_usage usage,
				     unsigned int *pos)
{
	mm_resv_assert_held(r);
	while (*pos < r->n) {
		const struct mm_resv_slot *slot = &r->slots[(*pos)++];

		if (slot->usage <= usage && !mm_fence_poll(slot->fence))
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

int mm_resv_wait(struct mm_resv *r, enum mm_resv_usage usage, uint64_t deadline_ns,
		 bool interruptible)
{
	struct mm_resv_iter it;
	struct mm_fence *f;
	int e = 0;

	mm_resv_iter_begin(&it, r, usage);
	while (!e && (f = mm_resv_iter_next(&it)))
		e = mm_fence_wait(f, deadline_ns, interruptible);
	mm_resv_iter_end(&it);
	return e;
}

struct mm_fence *mm_resv_busy_unshared(const struct mm_resv *r)
{
	for (unsigned int i = 0; i < r->n; i++) {
		if (!mm_fence_is_signalled(r->slots[i].fence))
			return r->slots[i].fence;
	}
	return NULL;
}
