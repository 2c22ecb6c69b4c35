/* SPDX-License-Identifier: MIT */
/**
 * DOC: Doorbells that cost nothing
 *
 * While the engine has nothing to do, the program's doorbell pages are
 * write-protected by userfaultfd, so the next store wakes it. The order makes sure
 * that none is lost: write-protect, then look whether anything was rung, then
 * sleep. Who waits in a store has written already what it rings for, so that is begun
 * first: a thread that is let go may want this CPU, and look there for what comes of
 * its doorbell. The other pages stay as they are, for what wakes the engine is mostly
 * over soon, until it is clear that it will be looking for a while.
 *
 * A store that faulted happens only when its thread runs again. To protect the page
 * before that would make it fault again and again, so what was let go is remembered
 * until its word has changed, a doorbell was taken, which puts its word back as it was,
 * or a scheduling slice has passed. To take one for another costs no more than a fault.
 *
 * Only pages that truly are doorbells may be protected: the kernel would refuse to
 * read a file into them. A mapping may have been replaced by something else since it
 * was noted, so it is looked at through both of its addresses first.
 */
#include "shim/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include "shim/sys_raw.h"

#define PAGE     UINT64_C(4096)
#define SLICE_NS UINT64_C(4000000)
#define LOOKS    3
#define EVENTS   4 /* read at once */
/* Two values that no doorbell has both of by chance. */
#define PATTERN_A UINT64_C(0x5aa5c33c96690ff0)
#define PATTERN_B UINT64_C(0xc3965a0f3c69f0a5)

static int api(int fd, uint64_t features)
{
	struct uffdio_api a = { .api = UFFD_API, .features = features };

	return (int)SYS3(ioctl, fd, UFFDIO_API, &a);
}

static int watch(struct engine *e, uint64_t addr, uint64_t len)
{
	struct uffdio_register r = { .range = { addr, len }, .mode = UFFDIO_REGISTER_MODE_WP };

	return (int)SYS3(ioctl, e->uffd, UFFDIO_REGISTER, &r);
}

/* Return: 0, or -errno: -ENOENT when the range is no longer what was registered. */
static int protect(struct engine *e, uint64_t addr, uint64_t len, bool on)
{
	struct uffdio_writeprotect w = { .range = { addr, len },
					 .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };
	int r;

	do
		r = (int)SYS3(ioctl, e->uffd, UFFDIO_WRITEPROTECT, &w);
	while (r == -EAGAIN);
	return r;
}

static int make_uffd(struct engine *e)
{
	uint64_t need = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			UFFD_FEATURE_THREAD_ID;
	int flags = O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY;
	int fd = (int)SYS1(userfaultfd, flags), r;

	if (fd < 0)
		return fd;
	e->exact = true;
	if (api(fd, need | UFFD_FEATURE_EXACT_ADDRESS) == 0)
		return fd;
	sys_close(fd);
	e->exact = false;
	fd = (int)SYS1(userfaultfd, flags);
	r = fd < 0 ? fd : api(fd, need);
	if (r < 0 && fd >= 0)
		sys_close(fd);
	return r < 0 ? r : fd;
}

int engine_door_open(struct engine *e)
{
	int r;

	e->uffd = make_uffd(e);
	if (e->uffd < 0)
		return e->uffd;
	r = watch(e, (uintptr_t)e->poke, PAGE);
	if (r) {
		sys_close(e->uffd);
		e->uffd = -1;
	}
	return r;
}

/* Change a doorbell through our mapping, see it change in the program's, change it back. A store of
 * the program meanwhile makes this fail, and wins. */
static bool mirrors(struct engine *e, _Atomic uint64_t *ours, const void *theirs, uint64_t pattern)
{
	uint64_t old = atomic_load(ours), changed = old ^ pattern, seen = 0;
	int r;

	if (!atomic_compare_exchange_strong(ours, &old, changed))
		return false;
	r = e->mem->load64(e, theirs, &seen);
	atomic_compare_exchange_strong(ours, &changed, old);
	return !r && seen == (old ^ pattern);
}

static bool is_doorbell(struct engine *e, uint64_t addr, uint64_t len, uint64_t offset)
{
	_Atomic uint64_t *ours = (_Atomic uint64_t *)(e->bar + offset + len - 8);
	const void *theirs = (const void *)(addr + len - 8);

	if (addr % PAGE || len % PAGE || len == 0 || offset % PAGE || len > e->ctrl->bar_bytes ||
	    offset > e->ctrl->bar_bytes - len)
		return false;
	for (int i = 0; i < LOOKS; i++)
		if (mirrors(e, ours, theirs, PATTERN_A) && mirrors(e, ours, theirs, PATTERN_B))
			return true;
	return false;
}

/* The mapping of @generation is gone; its entry is free, unless a new one came meanwhile. */
static void forget(struct engine *e, unsigned int i, uint64_t addr, uint32_t generation)
{
	uint64_t expected = addr;

	e->registered[i] = 0;
	e->armed[i] = false;
	if (!atomic_compare_exchange_strong(&e->ctrl->trap[i].addr, &expected, 0))
		return;
	expected = 0;
	if (atomic_load(&e->traps->trap[i].generation) != generation)
		atomic_compare_exchange_strong(&e->ctrl->trap[i].addr, &expected, addr);
}

static void arm_trap(struct engine *e, unsigned int i)
{
	uint32_t generation = atomic_load(&e->traps->trap[i].generation);
	uint64_t addr = atomic_load(&e->ctrl->trap[i].addr);
	uint64_t len = atomic_load(&e->ctrl->trap[i].len);

	if (!addr) {
		e->armed[i] = false;
		return;
	}
	if (e->registered[i] != generation) {
		e->armed[i] = false;
		if (!is_doorbell(e, addr, len, atomic_load(&e->traps->trap[i].offset))) {
			forget(e, i, addr, generation);
			return;
		}
		if (watch(e, addr, len)) {
			e->blind = true;
			return;
		}
		e->registered[i] = generation;
	}
	if (e->armed[i])
		return;
	e->armed[i] = true;
	if (protect(e, addr, len, true))
		forget(e, i, addr, generation);
}

void engine_door_arm(struct engine *e)
{
	e->blind = atomic_load(&e->traps->lost);
	if (e->uffd < 0)
		return;
	for (unsigned int i = 0; i < GPU_MAX_TRAPS; i++)
		arm_trap(e, i);
	if (!e->poke_armed)
		protect(e, (uintptr_t)e->poke, PAGE, true);
	e->poke_armed = true;
}

static void note_landing(struct engine *e, uint64_t addr, uint64_t now)
{
	struct engine_landing *l = &e->landing[0];
	uint64_t old = 0;

	for (unsigned int i = 0; i < ENGINE_LANDINGS; i++)
		if (!e->landing[i].addr)
			l = &e->landing[i];
	addr &= ~UINT64_C(7);
	/* Without the exact address only time will tell. */
	if (!e->exact || e->mem->load64(e, (const void *)addr, &old))
		addr = 1;
	*l = (struct engine_landing){ addr, old, now + SLICE_NS };
}

/* The trap that @addr is in, or GPU_MAX_TRAPS. */
static unsigned int trap_of(const struct engine *e, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < GPU_MAX_TRAPS; i++) {
		uint64_t begin = atomic_load(&e->ctrl->trap[i].addr);

		if (begin && addr >= begin && addr - begin < atomic_load(&e->ctrl->trap[i].len))
			break;
	}
	return i;
}

static void release_trap(struct engine *e, unsigned int i)
{
	uint64_t addr = atomic_load(&e->ctrl->trap[i].addr);
	uint64_t len = atomic_load(&e->ctrl->trap[i].len);

	e->armed[i] = false;
	e->awaited[i] = false;
	if (e->registered[i] && addr)
		protect(e, addr, len, false);
}

static void release_poke(struct engine *e)
{
	e->poke_armed = false;
	protect(e, (uintptr_t)e->poke, PAGE, false);
}

/* A page that is none of ours any more: whoever waits there goes on, and faults again if he must.
 */
static void release_page(struct engine *e, uint64_t addr)
{
	struct uffdio_range r = { addr & ~(PAGE - 1), PAGE };

	if (protect(e, r.start, r.len, false))
		SYS3(ioctl, e->uffd, UFFDIO_WAKE, &r);
}

static void take_fault(struct engine *e, uint64_t addr, uint64_t now)
{
	unsigned int i = trap_of(e, addr);

	note_landing(e, addr, now);
	if (i == GPU_MAX_TRAPS) {
		if (addr - (uintptr_t)e->poke < PAGE)
			release_poke(e);
		else
			release_page(e, addr);
		return;
	}
	e->awaited[i] = true;
	e->anybody_waits = true;
	if (e->exact)
		gpu_engine_ring(e->gpu, atomic_load(&e->traps->trap[i].offset) + addr -
						atomic_load(&e->ctrl->trap[i].addr));
}

void engine_door_take(struct engine *e)
{
	struct uffd_msg m[EVENTS];
	uint64_t now;
	long n;

	if (e->uffd < 0)
		return;
	now = sys_now_ns();
	do {
		n = SYS3(read, e->uffd, m, sizeof(m)) / (long)sizeof(m[0]);
		for (long i = 0; i < n; i++) {
			if (m[i].event != UFFD_EVENT_PAGEFAULT)
				continue;
			take_fault(e, m[i].arg.pagefault.address, now);
			e->linger.ringer = (int32_t)m[i].arg.pagefault.feat.ptid;
		}
	} while (n == EVENTS);
}

void engine_door_let_go(struct engine *e)
{
	for (unsigned int i = 0; i < GPU_MAX_TRAPS; i++) {
		if (e->awaited[i])
			release_trap(e, i);
	}
	e->anybody_waits = false;
}

void engine_door_disarm(struct engine *e)
{
	engine_door_take(e);
	engine_door_let_go(e);
	for (unsigned int i = 0; i < GPU_MAX_TRAPS; i++) {
		if (e->armed[i])
			release_trap(e, i);
	}
	if (e->poke_armed)
		release_poke(e);
}

bool engine_door_landed(struct engine *e, uint64_t now)
{
	uint32_t taken = gpu_engine_rings(e->gpu) - e->rings;
	bool all = true;

	for (unsigned int i = 0; i < ENGINE_LANDINGS; i++) {
		struct engine_landing *l = &e->landing[i];
		uint64_t v;

		if (!l->addr)
			continue;
		if (now >= l->until_ns ||
		    (l->addr > 1 &&
		     (e->mem->load64(e, (const void *)l->addr, &v) || v != l->old))) {
			l->addr = 0;
		} else if (taken) {
			l->addr = 0;
			taken--;
		} else {
			all = false;
		}
	}
	e->rings = gpu_engine_rings(e->gpu);
	return all;
}
