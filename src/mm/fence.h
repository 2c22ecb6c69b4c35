/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_FENCE_H
#define VKFD_MM_FENCE_H

/**
 * DOC: Fences
 *
 * A fence stands for work that will be finished: it is signalled once, with or
 * without an error, and never becomes unsignalled again. Its context and its
 * number within the context say which work; of two fences of one context the one
 * with the greater number is signalled last.
 *
 * Whoever publishes a fence promises that it signals in bounded time without the
 * help of any program, and that what leads to the signal allocates nothing and
 * takes no reservation. So a fence may be waited for with reservations held.
 *
 * Nobody may care about a fence for long; the first one who does (waits for it, or
 * adds a callback) causes enable_signaling() of its owner. An owner who has to do
 * something costly before it can signal, such as stopping queues, does it then.
 *
 * Callbacks and hooks run without the fence's lock, in whatever task causes them,
 * which may hold locks up to rank RESV: they may take LRU and inner ones.
 *
 * A fence also says whose work it is, so that a job can leave out what it need not
 * wait for (sync.h). Contexts come from mm_system_new_context(), so no two sources
 * share one; context 0 is that of fences which were never work.
 */
#include <stdatomic.h>
#include <stdint.h>
#include "base/lock.h"
#include "base/ref.h"

struct mm_fence;
struct mm_fence_cb;

typedef void (*mm_fence_fn)(struct mm_fence *fence, struct mm_fence_cb *cb);

/* struct mm_fence_cb - what to call when a fence signals; the caller's, kept until then */
struct mm_fence_cb {
	struct vkf_list link; /* protected by the fence's lock; in no list when it runs */
	mm_fence_fn fn;       /* protected by the fence's lock */
};

/* Whose work a fence stands for; sync.h says what follows from it. */
enum mm_fence_kind {
	MM_FENCE_OTHER,      /* a move or clear of the memory manager, or another driver's work */
	MM_FENCE_EVICTION,   /* signals when the queues of a compute process have stopped */
	MM_FENCE_UPDATE,     /* a change of page tables */
	MM_FENCE_SUBMISSION, /* a program's commands */
};

struct mm_vm;
struct mm_device;

/* struct mm_fence_owner - only compared; what it points at stays until the fence signals */
struct mm_fence_owner {
	enum mm_fence_kind kind;
	const struct mm_vm *vm;      /* of UPDATE and SUBMISSION, else NULL */
	const struct mm_device *dev; /* NULL: none of this machine */
};

struct mm_fence_ops {
	/* Called at most once, when somebody first cares. False: there is nothing left to wait
	 * for, and the fence is to be signalled at once. NULL: it signals by itself. */
	bool (*enable_signaling)(struct mm_fence *fence);
	/* The last reference is gone. NULL: vkf_free(). */
	void (*release)(struct mm_fence *fence);
	/* Whether it is done, looked at by mm_fence_poll() while unsignalled; true has it signalled
	 * without error, unless the hook has signalled it itself. NULL: one cannot tell. */
	bool (*signalled)(struct mm_fence *fence);
	/* It stands for other fences: an array, or a chain. */
	bool container;
};

/* struct mm_fence - embed it; only fence*.c look inside, but for context, seqno and owner */
struct mm_fence {
	struct vkf_ref ref;
	atomic_bool signalled;       /* written under @lock, with release order */
	bool enabled;                /* protected by @lock */
	int error;                   /* protected by @lock until @signalled, then constant */
	uint64_t timestamp_ns;       /* of signalling; as @error */
	uint64_t context, seqno;     /* constant once published */
	struct mm_fence_owner owner; /* constant once published */
	uint32_t client;             /* for those who watch: whose it is, 0: nobody's; as @owner */
	uint32_t shown_as;           /* enum vkf_trace_fence; as @owner */
	const struct mm_fence_ops *ops;
	struct vkf_mutex lock;     /* rank FENCE */
	struct vkf_cond done;      /* of @lock */
	struct vkf_list callbacks; /* protected by @lock */
};

/* One reference, the caller's. @ops may be NULL. Its owner is OTHER, of no device. */
void mm_fence_init(struct mm_fence *f, const struct mm_fence_ops *ops, uint64_t context,
		   uint64_t seqno);
/* Before it is published. @vm and @dev as in struct mm_fence_owner. */
void mm_fence_set_owner(struct mm_fence *f, enum mm_fence_kind kind, const struct mm_vm *vm,
			const struct mm_device *dev);
/* Before it is published: what those who watch see of it, enum vkf_trace_fence and whose it is. */
void mm_fence_show(struct mm_fence *f, uint32_t shown_as, uint32_t client);
/* Without a last reference: a fence that was never published. */
void mm_fence_fini(struct mm_fence *f);
struct mm_fence *mm_fence_get(struct mm_fence *f);
/* NULL is fine. Dropped while somebody still waits to be called, it is signalled with -EDEADLK. */
void mm_fence_put(struct mm_fence *f);
/* For a release() that drops another fence of its kind without calling itself: as mm_fence_put(),
 * but true when it was the last reference, and the caller releases what is finished by then. */
bool mm_fence_put_last(struct mm_fence *f);

/**
 * mm_fence_signal() - the work is done
 * @error: 0, or a negative errno that the work ended with
 *
 * The caller holds a reference, and no lock of rank LRU or inner. Return: 0; -EINVAL when it was
 * signalled before, and nothing is changed.
 */
int mm_fence_signal(struct mm_fence *f, int error);
/* As above; it says that it was done at @timestamp_ns, not now. */
int mm_fence_signal_at(struct mm_fence *f, int error, uint64_t timestamp_ns);

/* Look only: any task, whatever it holds. */
static inline bool mm_fence_is_signalled(const struct mm_fence *f)
{
	return atomic_load_explicit(&f->signalled, memory_order_acquire);
}

/* As above, but ask its owner too, and signal it when that says so. Locks as mm_fence_signal(). */
bool mm_fence_poll(struct mm_fence *f);
/* 0: not signalled; 1: without error; else the errno it was signalled with. Polls. */
int mm_fence_status(struct mm_fence *f);
/* 0 while unsignalled or without error, else the errno it was signalled with. */
int mm_fence_error(const struct mm_fence *f);
/* vkf_now_ns() when it was signalled, or 0. */
uint64_t mm_fence_timestamp(const struct mm_fence *f);

static inline bool mm_fence_is_container(const struct mm_fence *f)
{
	return f->ops && f->ops->container;
}

/* True when @a is signalled after @b; both of one context. */
static inline bool mm_fence_is_later(const struct mm_fence *a, const struct mm_fence *b)
{
	VKF_ASSERT(a->context == b->context);
	return a->seqno > b->seqno;
}

/* Care about it, without waiting yet. */
void mm_fence_enable(struct mm_fence *f);

/**
 * mm_fence_add_callback() - have @fn called when @f signals
 *
 * The fence, and @cb, must stay until it has run or was removed.
 *
 * Return: 0; -ENOENT: it has signalled already, and @fn will not be called.
 */
int mm_fence_add_callback(struct mm_fence *f, struct mm_fence_cb *cb, mm_fence_fn fn);
/* True when it was still waiting, and will not run; else it has run, or runs in this moment. */
bool mm_fence_remove_callback(struct mm_fence *f, struct mm_fence_cb *cb);

/**
 * mm_fence_wait() - sleep until @f is signalled
 * @deadline_ns: absolute, or VKF_FOREVER; one that has passed makes it a test
 *
 * Return: 0 (see mm_fence_error() for how it ended), -ETIMEDOUT, or -ERESTARTSYS (512).
 */
int mm_fence_wait(struct mm_fence *f, uint64_t deadline_ns, bool interruptible);

/* Of context and number 0, signalled at @timestamp_ns without error. Return: 0 or -ENOMEM. */
int mm_fence_stub_create(uint64_t timestamp_ns, struct mm_fence **ret_fence) VKF_MUST_CHECK;

#endif
