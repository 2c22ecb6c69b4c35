/* SPDX-License-Identifier: MIT */
#include "mm/sync.h"

#include "mm/fence_chain.h"

/* Commands belong to a VM, and who works for a VM names it. */
static bool is_same_owner(const struct mm_fence_owner *waiter, const struct mm_fence_owner *fence)
{
	return waiter->vm && waiter->vm == fence->vm;
}

static bool mode_waits(enum mm_sync_mode mode, bool same_dev, bool same_owner)
{
	switch (mode) {
	case MM_SYNC_NE_OWNER:
		return !(same_dev && same_owner);
	case MM_SYNC_EQ_OWNER:
		return !same_dev || same_owner;
	case MM_SYNC_EXPLICIT:
		return false;
	case MM_SYNC_ALWAYS:
		break;
	}
	return true;
}

bool mm_sync_must_wait(const struct mm_sync_waiter *waiter, const struct mm_fence_owner *fence)
{
	const struct mm_fence_owner *owner = &waiter->owner;

	if (fence->kind == MM_FENCE_OTHER)
		return true;
	if (fence->kind == MM_FENCE_EVICTION && owner->kind != MM_FENCE_OTHER)
		return false;
	if (fence->kind == MM_FENCE_UPDATE && owner->kind != MM_FENCE_OTHER &&
	    owner->kind != MM_FENCE_EVICTION)
		return false;
	return mode_waits(waiter->mode, owner->dev == fence->dev, is_same_owner(owner, fence));
}

enum mm_resv_usage mm_sync_usage(const struct mm_sync_waiter *waiter)
{
	switch (waiter->owner.kind) {
	case MM_FENCE_UPDATE:
	case MM_FENCE_SUBMISSION:
		return MM_RESV_READ;
	case MM_FENCE_OTHER:
	case MM_FENCE_EVICTION:
		break;
	}
	return MM_RESV_BOOKKEEP;
}

int mm_sync_add(struct mm_deps *deps, const struct mm_sync_waiter *waiter, struct mm_fence *f)
{
	struct mm_fence *pos;
	int e;

	mm_fence_chain_for_each(pos, f)
	{
		if (!mm_sync_must_wait(waiter, &mm_fence_chain_work(pos)->owner))
			continue;
		e = mm_deps_add(deps, pos);
		mm_fence_put(pos);
		return e;
	}
	return 0;
}

int mm_sync_collect_locked(struct mm_resv *r, const struct mm_sync_waiter *waiter,
			   struct mm_deps *deps)
{
	struct mm_fence *f;
	unsigned int pos = 0;
	int e = 0;

	mm_resv_assert_held(r);
	while (!e && (f = mm_resv_next_locked(r, mm_sync_usage(waiter), &pos)))
		e = mm_sync_add(deps, waiter, f);
	return e;
}
