/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_RESV_H
#define VKFD_MM_RESV_H

/**
 * DOC: Reservation objects
 *
 * A reservation holds what must be true of a buffer while a GPU may touch it: who
 * may change it now (the lock), and which unfinished work still uses it (the
 * fences). Every buffer and every VM points at one; buffers private to a VM can
 * share the VM's, so one lock covers them all.
 *
 * Order of work: lock, reserve slots, do all that can fail, add fences, unlock.
 * Reserving may fail; adding may not. Reserved slots are counted, so callers who do
 * not know of each other may reserve on one reservation; unlocking takes back what
 * was not used.
 *
 * Signalled fences mean nothing and may be dropped at any time. Containers are not
 * added: whoever has one unwraps it (fence_merge.h) and adds what it holds.
 *
 * Whoever holds the lock reads the fences as he likes; resv_iter.h reads without it.
 */
#include <stdbool.h>
#include "base/guard.h"
#include "base/wwlock.h"
#include "mm/fence.h"

/* Asking for one usage also finds those above it in this list: see mm_resv_usage_rw(). */
enum mm_resv_usage {
	MM_RESV_KERNEL,   /* the memory manager's own copy or clear: everyone waits */
	MM_RESV_WRITE,    /* work that writes, for implicit sync */
	MM_RESV_READ,     /* work that reads, for implicit sync */
	MM_RESV_BOOKKEEP, /* page-table update, eviction fence: only move and free wait */
};

/* What one waits for before reading, or before writing, by implicit sync. */
static inline enum mm_resv_usage mm_resv_usage_rw(bool write)
{
	return write ? MM_RESV_READ : MM_RESV_WRITE;
}

struct mm_resv_slot {
	struct mm_fence *fence; /* a reference */
	enum mm_resv_usage usage;
};

#define MM_RESV_INLINE_SLOTS 2 /* no allocation for a buffer mapped on one GPU */

/*
 * struct mm_resv - embed it; only resv.c and resv_iter.c look inside
 *
 * What is protected by both locks is changed with both held, and so read with either.
 */
struct mm_resv {
	struct vkf_wwlock lock;
	struct mm_resv_slot *slots; /* @few, or allocated; protected by @lock and @guard */
	unsigned int n;             /* slots used; @lock and @guard */
	unsigned int n_slots;       /* that there are; @lock */
	unsigned int n_reserved;    /* adds that must still find room; @lock */
	uint32_t change;            /* grows when a slot gets another meaning; @lock and @guard */
	atomic_flag guard;          /* see base/guard.h */
	struct mm_resv_slot few[MM_RESV_INLINE_SLOTS];
};

void mm_resv_init(struct mm_resv *r);
/* Unlocked and unshared by now. Drops the fences, signalled or not. */
void mm_resv_fini(struct mm_resv *r);

/**
 * mm_resv_lock() - lock @r alone; many at once: see lock_ctx.h
 *
 * Return: 0, or -ERESTARTSYS (512) when @interruptible.
 */
int mm_resv_lock(struct mm_resv *r, bool interruptible) VKF_TRY_ACQUIRE(0, r->lock) VKF_MUST_CHECK;
bool mm_resv_trylock(struct mm_resv *r) VKF_TRY_ACQUIRE(true, r->lock) VKF_MUST_CHECK;
void mm_resv_unlock(struct mm_resv *r) VKF_RELEASE(r->lock);
/* Debug builds panic when this task does not hold it; the compiler takes our word from here on. */
void mm_resv_assert_held(const struct mm_resv *r) VKF_ATTR_TS(assert_capability(r->lock));

/* Make sure of room for @n more adds. Return: 0 or -ENOMEM, with nothing changed. */
int mm_resv_reserve_locked(struct mm_resv *r, unsigned int n) VKF_REQUIRES(r->lock) VKF_MUST_CHECK;
/**
 * mm_resv_add_locked() - attach a fence, with a reference of its own
 *
 * Uses one reserved slot up. It takes the place of a fence of the same context that is not later
 * and whose usage is not stronger, so a usage is never weakened.
 */
void mm_resv_add_locked(struct mm_resv *r, struct mm_fence *f, enum mm_resv_usage usage)
	VKF_REQUIRES(r->lock);
/**
 * mm_resv_replace_locked() - let @substitute stand for every fence of @context
 * @substitute: NULL: they are forgotten
 *
 * Right only when, once the substitute has signalled, the old work cannot reach the memory any
 * more. Needs no slot.
 */
void mm_resv_replace_locked(struct mm_resv *r, uint64_t context, struct mm_fence *substitute,
			    enum mm_resv_usage usage) VKF_REQUIRES(r->lock);

/*
 * Let @r have the @n fences of @slots and no others; the references and the array, which has room
 * for @n and what is reserved in @r, are taken over. @slots may be NULL where there is none.
 */
void mm_resv_take_slots_locked(struct mm_resv *r, struct mm_resv_slot *slots, unsigned int n,
			       unsigned int n_slots) VKF_REQUIRES(r->lock);

/*
 * Next unsignalled fence of @usage or above it, borrowed until unlock, or NULL at the end; start
 * with *@pos 0.
 */
struct mm_fence *mm_resv_next_locked(const struct mm_resv *r, enum mm_resv_usage usage,
				     unsigned int *pos) VKF_REQUIRES(r->lock);
/* True when there is none. */
bool mm_resv_is_idle_locked(const struct mm_resv *r, enum mm_resv_usage usage)
	VKF_REQUIRES(r->lock);
/* Wait for all of them, with @r held: none is added meanwhile. Return: 0 or -ERESTARTSYS (512). */
int mm_resv_wait_locked(struct mm_resv *r, enum mm_resv_usage usage, bool interruptible)
	VKF_REQUIRES(r->lock);
/* Wait for those there are, without holding @r. Return: 0, -ETIMEDOUT or -ERESTARTSYS (512). */
int mm_resv_wait(struct mm_resv *r, enum mm_resv_usage usage, uint64_t deadline_ns,
		 bool interruptible);

/* Any unsignalled fence, or NULL, of a reservation nobody else can reach any more. */
struct mm_fence *mm_resv_busy_unshared(const struct mm_resv *r);

#endif
