/* SPDX-License-Identifier: MIT */
#include "shim/map.h"

#include <linux/mman.h>
#include <sys/mman.h>
#include "gpu/ctrl.h"
#include "shim/call.h"
#include "shim/engine_start.h"

#define PAGE UINT64_C(4096)

struct place {
	uint32_t region;
	uint64_t offset;
	bool dont_copy;
};

static int ask(struct session *s, const struct shim_file *f, size_t len, int prot, int flags,
	       uint64_t offset, struct place *ret)
{
	struct wire_slot_head *h;
	struct shim_call c;
	bool answered;
	int r = shim_call_begin(s, &c);

	if (r)
		return r;
	h = &c.slot->head;
	h->call = WIRE_CALL_MMAP;
	h->file = f->number;
	h->arg = offset;
	h->len = len;
	h->prot = prot;
	h->flags = flags;
	h->n_segs = 0;
	h->n_fds = 0;
	r = shim_call_submit(&c, &answered);
	if (!answered)
		return r ? r : -EIO;
	*ret = (struct place){ h->map_region, h->map_offset, h->map_dont_copy != 0 };
	shim_call_end(&c);
	if (r)
		return r;
	if (ret->region >= WIRE_N_REGIONS || ret->offset % PAGE || len > s->bytes[ret->region] ||
	    ret->offset > s->bytes[ret->region] - len)
		return -EIO;
	return 0;
}

static long reserve(void *addr, size_t len, int flags)
{
	int keep = MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT;

	return SYS6(mmap, addr, len, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (flags & keep), -1, 0);
}

/* Put a second mapping of @p over the reserved range at @at. */
static int cover(struct session *s, const struct place *p, long at, size_t len, int prot)
{
	uint8_t *from = s->base[p->region] + p->offset;
	long r = SYS5(mremap, from, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, at);

	if (sys_is_error(r))
		return (int)r;
	if (!p->dont_copy)
		SYS3(madvise, at, len, MADV_DOFORK);
	if (prot != (PROT_READ | PROT_WRITE)) {
		r = SYS3(mprotect, at, len, prot);
		if (r < 0)
			return (int)r;
	}
	return 0;
}

static bool is_doorbell(const struct place *p)
{
	return p->region == WIRE_REGION_BAR && p->offset % GPU_BAR_STRIDE < GPU_BAR_MMIO;
}

static long map_place(struct session *s, const struct place *p, void *addr, size_t len, int prot,
		      int flags)
{
	long at = reserve(addr, len, flags);
	int r;

	if (sys_is_error(at))
		return at;
	/* An address range that is only held, not memory. */
	if (prot == PROT_NONE && (flags & MAP_TYPE) == MAP_PRIVATE)
		return at;
	r = cover(s, p, at, len, prot);
	if (r) {
		SYS2(munmap, at, len);
		return r;
	}
	if (is_doorbell(p))
		engine_trap(s, (uint64_t)at, len, p->offset);
	return at;
}

long shim_map(const struct shim_file *f, void *addr, size_t len, int prot, int flags,
	      uint64_t offset)
{
	struct session *s = session_peek();
	struct place p = { 0 };
	int r;

	if (!s || s->id != f->session)
		return shim_file_dev(f) == WIRE_DEV_KFD ? -EBADF : -EACCES;
	if (!len || offset % PAGE || len > SIZE_MAX - PAGE)
		return -EINVAL;
	len = (len + PAGE - 1) & ~(PAGE - 1);
	r = ask(s, f, len, prot, flags, offset, &p);
	if (r)
		return r;
	return map_place(s, &p, addr, len, prot, flags);
}
