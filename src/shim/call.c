/* SPDX-License-Identifier: MIT */
#include "shim/call.h"

#include <linux/futex.h>
#include <sched.h>
#include "shim/shim.h"

#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif

#define CLOCK_MONO     1
#define SPIN_NS        20000 /* what a sleep and a wake-up may cost */
#define SPIN_PAUSES    16
#define CLAIM_SLEEP_NS 100000

/* Where this thread found a slot last; only a place to begin looking. */
static __thread unsigned int last_slot __attribute__((tls_model("initial-exec")));
static _Atomic unsigned int next_thread;
/* The kernel has no futex_waitv(), or a filter forbids it. */
static atomic_bool no_waitv;

static bool claim(struct wire_slot *slot)
{
	uint32_t free = WIRE_FREE;

	return atomic_load_explicit(&slot->head.state, memory_order_relaxed) == WIRE_FREE &&
	       atomic_compare_exchange_strong(&slot->head.state, &free, WIRE_CLAIMED);
}

static int find_slot(struct session *s, unsigned int *ret_index)
{
	struct wire_slots *slots = session_slots(s);

	if (!last_slot)
		last_slot = 1 + atomic_fetch_add(&next_thread, 1) % WIRE_SLOTS;
	for (;;) {
		for (unsigned int i = 0; i < WIRE_SLOTS; i++) {
			unsigned int at = (last_slot - 1 + i) % WIRE_SLOTS;

			if (!claim(&slots->slot[at]))
				continue;
			last_slot = 1 + at;
			*ret_index = at;
			return 0;
		}
		/* As many calls as there are slots are under way. */
		if (session_is_dead(s))
			return -EIO;
		sys_sleep_ns(CLAIM_SLEEP_NS);
	}
}

int shim_call_begin(struct session *s, struct shim_call *ret_call)
{
	unsigned int i;
	int r;

	if (atomic_load_explicit(&s->dead, memory_order_relaxed))
		return -EIO;
	r = find_slot(s, &i);
	if (r)
		return r;
	*ret_call = (struct shim_call){ s, i, &session_slots(s)->slot[i], 0 };
	if (atomic_load(&s->opened) & UINT64_C(1) << i)
		return 0;
	r = session_say(s, WIRE_SLOT_OPEN, i, 0);
	if (r)
		return r;
	atomic_fetch_or(&s->opened, UINT64_C(1) << i);
	return 0;
}

uint32_t shim_call_room(struct shim_call *c, uint64_t len)
{
	uint32_t at = c->used;

	if (len > WIRE_SLOT_DATA_BYTES - at)
		return UINT32_MAX;
	c->used = (uint32_t)((at + len + 7) & ~UINT64_C(7));
	if (c->used > WIRE_SLOT_DATA_BYTES)
		c->used = WIRE_SLOT_DATA_BYTES;
	return at;
}

static bool answered(const struct wire_slot_head *h)
{
	return atomic_load_explicit(&h->state, memory_order_acquire) != WIRE_SUBMITTED;
}

/* The driver is awake on another CPU and answers before a sleep would have begun. */
static void spin(const struct wire_slot_head *h)
{
	uint64_t until = 0, now = 0;

	while (now <= until) {
		for (int i = 0; i < SPIN_PAUSES; i++) {
			if (answered(h))
				return;
			__builtin_ia32_pause();
		}
		now = sys_now_ns();
		if (!until)
			until = now + SPIN_NS;
	}
}

/* futex_waitv() with an absolute deadline is restarted by the kernel after a handler with
 * SA_RESTART, which a plain futex wait with a timeout is not. */
static long sleep_on(struct wire_slot_head *h)
{
	uint64_t at = sys_now_ns() + CALL_LOOK_NS;
	struct __kernel_timespec deadline = { (long long)(at / 1000000000),
					      (long long)(at % 1000000000) };
	struct futex_waitv w = {
		.val = WIRE_SUBMITTED,
		.uaddr = (uintptr_t)&h->state,
		.flags = FUTEX_32,
	};
	long r;

	if (!atomic_load_explicit(&no_waitv, memory_order_relaxed)) {
		r = SYS5(futex_waitv, &w, 1, 0, &deadline, CLOCK_MONO);
		if (r != -ENOSYS && r != -EPERM && r != -EACCES)
			return r;
		atomic_store(&no_waitv, true);
	}
	return sys_futex_wait(&h->state, WIRE_SUBMITTED, NULL);
}

/* -EINTR only when @interruptible. */
static int wait_answer(struct shim_call *c, bool interruptible)
{
	struct wire_slot_head *h = &c->slot->head;

	if (answered(h))
		return 0;
	atomic_store(&h->client_looks, 0);
	while (atomic_load(&h->state) == WIRE_SUBMITTED) {
		long r = sleep_on(h);

		/* A handler forked, and this is the child: the slots are not here. */
		if (!session_is_mine(c->session))
			return -EBADF;
		if (r == -EINTR && interruptible)
			return -EINTR;
		if (r == -ETIMEDOUT && session_is_dead(c->session) &&
		    atomic_load(&h->state) == WIRE_SUBMITTED)
			return -EIO;
	}
	return 0;
}

int shim_call_submit(struct shim_call *c, bool *ret_answered)
{
	struct wire_slot_head *h = &c->slot->head;
	uint32_t seq = h->seq + 1;
	int cpu = sched_getcpu();
	int r;

	*ret_answered = false;
	h->seq = seq;
	atomic_store_explicit(&h->client_cpu, cpu, memory_order_relaxed);
	atomic_store_explicit(&h->client_looks, 1, memory_order_relaxed);
	atomic_store(&h->state, WIRE_SUBMITTED);
	if (!atomic_load(&h->driver_looks))
		sys_futex_wake(&h->state, 1);
	else if (atomic_load_explicit(&h->driver_cpu, memory_order_relaxed) != cpu)
		spin(h);
	r = wait_answer(c, true);
	if (r == -EINTR) {
		/* If the driver does not hear it, it is gone, and the wait finds out. */
		session_say(c->session, WIRE_CANCEL, c->index, seq);
		r = wait_answer(c, false);
	}
	if (r)
		return r;
	*ret_answered = true;
	r = h->result;
	return r > 0 || r < -4095 ? -EIO : r;
}

void shim_call_end(struct shim_call *c)
{
	atomic_store_explicit(&c->slot->head.state, WIRE_FREE, memory_order_release);
}
