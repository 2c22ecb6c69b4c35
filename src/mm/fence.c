/* SPDX-License-Identifier: MIT */
#include "mm/fence.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "base/waits.h"

void mm_fence_init(struct mm_fence *f, const struct mm_fence_ops *ops, uint64_t context,
		   uint64_t seqno)
{
	vkf_ref_init(&f->ref);
	atomic_init(&f->signalled, false);
	f->enabled = false;
	f->error = 0;
	f->timestamp_ns = 0;
	f->context = context;
	f->seqno = seqno;
	f->owner = (struct mm_fence_owner){ .kind = MM_FENCE_OTHER };
	mm_fence_show(f, VKF_TRACE_FENCE_WORK, 0);
	f->ops = ops;
	vkf_mutex_init(&f->lock, VKF_RANK_FENCE);
	vkf_cond_init(&f->done);
	vkf_list_init(&f->callbacks);
}

void mm_fence_set_owner(struct mm_fence *f, enum mm_fence_kind kind, const struct mm_vm *vm,
			const struct mm_device *dev)
{
	VKF_ASSERT(!vm == (kind == MM_FENCE_OTHER || kind == MM_FENCE_EVICTION));
	f->owner = (struct mm_fence_owner){ kind, vm, dev };
}

void mm_fence_show(struct mm_fence *f, uint32_t shown_as, uint32_t client)
{
	f->shown_as = shown_as;
	f->client = client;
}

void mm_fence_fini(struct mm_fence *f)
{
	VKF_ASSERT(vkf_list_empty(&f->callbacks));
	vkf_mutex_fini(&f->lock);
}

struct mm_fence *mm_fence_get(struct mm_fence *f)
{
	vkf_ref_get(&f->ref);
	return f;
}

bool mm_fence_put_last(struct mm_fence *f)
{
	if (!vkf_ref_put(&f->ref))
		return false;
	if (!vkf_list_empty(&f->callbacks))
		mm_fence_signal(f, -EDEADLK);
	mm_fence_fini(f);
	return true;
}

void mm_fence_put(struct mm_fence *f)
{
	if (!f || !mm_fence_put_last(f))
		return;
	if (f->ops && f->ops->release)
		f->ops->release(f);
	else
		vkf_free(f);
}

/* Once signalled nobody touches what was on the list, so it is run from without the lock. */
static void run_callbacks(struct mm_fence *f, struct vkf_list *callbacks)
{
	while (!vkf_list_empty(callbacks)) {
		struct mm_fence_cb *cb = vkf_list_first(callbacks, struct mm_fence_cb, link);

		vkf_list_del(&cb->link);
		cb->fn(f, cb);
	}
}

int mm_fence_signal_at(struct mm_fence *f, int error, uint64_t timestamp_ns)
{
	struct vkf_list callbacks;

	VKF_ASSERT(error <= 0);
	vkf_list_init(&callbacks);
	vkf_mutex_lock(&f->lock);
	if (mm_fence_is_signalled(f)) {
		vkf_mutex_unlock(&f->lock);
		return -EINVAL;
	}
	f->error = error;
	f->timestamp_ns = timestamp_ns;
	/* Before anybody can see it, so that whoever goes on is told of later. */
	if (f->enabled)
		vkf_trace_fence_signal(f->context, f->seqno, f->client, (uint8_t)f->shown_as,
				       error);
	atomic_store_explicit(&f->signalled, true, memory_order_release);
	vkf_list_splice_tail(&f->callbacks, &callbacks);
	vkf_mutex_unlock(&f->lock);
	vkf_cond_broadcast(&f->done);
	run_callbacks(f, &callbacks);
	return 0;
}

int mm_fence_signal(struct mm_fence *f, int error)
{
	return mm_fence_signal_at(f, error, vkf_now_ns());
}

bool mm_fence_poll(struct mm_fence *f)
{
	if (mm_fence_is_signalled(f))
		return true;
	if (!f->ops || !f->ops->signalled || !f->ops->signalled(f))
		return false;
	mm_fence_signal(f, 0);
	return true;
}

int mm_fence_status(struct mm_fence *f)
{
	if (!mm_fence_poll(f))
		return 0;
	return f->error ? f->error : 1;
}

uint64_t mm_fence_timestamp(const struct mm_fence *f)
{
	return mm_fence_is_signalled(f) ? f->timestamp_ns : 0;
}

int mm_fence_error(const struct mm_fence *f)
{
	return mm_fence_is_signalled(f) ? f->error : 0;
}

void mm_fence_enable(struct mm_fence *f)
{
	bool first;

	if (mm_fence_is_signalled(f))
		return;
	vkf_mutex_lock(&f->lock);
	first = !f->enabled;
	f->enabled = true;
	vkf_mutex_unlock(&f->lock);
	if (first && f->ops && f->ops->enable_signaling && !f->ops->enable_signaling(f))
		mm_fence_signal(f, 0);
}

int mm_fence_add_callback(struct mm_fence *f, struct mm_fence_cb *cb, mm_fence_fn fn)
{
	int r = 0;

	mm_fence_enable(f);
	vkf_mutex_lock(&f->lock);
	cb->fn = fn;
	if (mm_fence_is_signalled(f))
		r = -ENOENT;
	else
		vkf_list_add_tail(&cb->link, &f->callbacks);
	vkf_mutex_unlock(&f->lock);
	return r;
}

bool mm_fence_remove_callback(struct mm_fence *f, struct mm_fence_cb *cb)
{
	bool waiting;

	vkf_mutex_lock(&f->lock);
	waiting = !mm_fence_is_signalled(f);
	if (waiting)
		vkf_list_del(&cb->link);
	vkf_mutex_unlock(&f->lock);
	return waiting;
}

static const char *const shown[] = {
	[VKF_TRACE_FENCE_WORK] = "work",
	[VKF_TRACE_FENCE_MOVE] = "a move",
	[VKF_TRACE_FENCE_EVICTION] = "eviction",
	[VKF_TRACE_FENCE_PAGE_TABLES] = "page tables",
};

static int sleep_for(struct mm_fence *f, uint64_t deadline_ns, bool interruptible)
{
	int r = 0;

	vkf_mutex_lock(&f->lock);
	while (!mm_fence_is_signalled(f) && !r)
		r = vkf_cond_wait(&f->done, &f->lock, deadline_ns, interruptible);
	if (mm_fence_is_signalled(f))
		r = 0;
	vkf_mutex_unlock(&f->lock);
	return r;
}

int mm_fence_wait(struct mm_fence *f, uint64_t deadline_ns, bool interruptible)
{
	struct vkf_wait_note *note;
	int r;

	if (mm_fence_poll(f))
		return 0;
	mm_fence_enable(f);
	note = vkf_wait_begin(shown[f->shown_as], f->client);
	vkf_trace_fence_wait_begin(f->context, f->seqno, f->client, (uint8_t)f->shown_as);
	r = sleep_for(f, deadline_ns, interruptible);
	vkf_trace_fence_wait_end(f->context, f->seqno, r);
	vkf_wait_end(note);
	return r;
}

int mm_fence_stub_create(uint64_t timestamp_ns, struct mm_fence **ret_fence)
{
	struct mm_fence *f = vkf_zalloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	mm_fence_init(f, NULL, 0, 0);
	mm_fence_signal_at(f, 0, timestamp_ns);
	*ret_fence = f;
	return 0;
}
