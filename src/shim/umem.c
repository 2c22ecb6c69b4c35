/* SPDX-License-Identifier: MIT */
#include "shim/umem.h"

#include <linux/futex.h>
#include <string.h>
#include "shim/shim.h"

#define PAGE UINT64_C(4096)
/* No "how" of sigprocmask(): the kernel reads the set first, then refuses. */
#define HOW_NONE 99
/* Where a page is touched: the very first byte of all is NULL, which means no set. */
#define TOUCH          8
#define RESIDENT_PAGES 4096

static bool page_readable(uint64_t page)
{
	return SYS4(rt_sigprocmask, HOW_NONE, page + TOUCH, 0, 8) != -EFAULT;
}

/* Adds 0 to a word of the page, which is a write like any other. */
static bool page_writable(uint64_t page)
{
	static uint32_t nobody_waits_here;
	uint32_t op = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, 0x800);

	return SYS6(futex, &nobody_waits_here, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0,
		    page + TOUCH, op) != -EFAULT;
}

static size_t probe(uint64_t uptr, size_t len, bool (*good)(uint64_t page))
{
	/* Most argument blocks are on the stack, a little above. The page that we stand on is good. */
	uint64_t ours = (uint64_t)__builtin_frame_address(0) & ~(PAGE - 1);
	uint64_t end = uptr + len;

	if (len == 0 || end < uptr)
		return 0;
	for (uint64_t page = uptr & ~(PAGE - 1); page < end; page += PAGE)
		if (page != ours && !good(page))
			return page <= uptr ? 0 : page - uptr;
	return len;
}

size_t umem_readable(uint64_t uptr, size_t len)
{
	return probe(uptr, len, page_readable);
}

bool umem_writable(uint64_t uptr, size_t len)
{
	return probe(uptr, len, page_writable) == len;
}

/* Only what is mapped can be asked which of it is resident. */
static bool is_mapped(uint64_t first, uint64_t end)
{
	unsigned char resident[RESIDENT_PAGES];
	uint64_t most = RESIDENT_PAGES * PAGE;

	for (uint64_t n; first < end; first += n) {
		n = end - first < most ? end - first : most;
		if (SYS3(mincore, first, n, resident) < 0)
			return false;
	}
	return true;
}

bool umem_is_memory(uint64_t uptr, uint64_t len)
{
	uint64_t first = uptr & ~(PAGE - 1), end = (uptr + len + PAGE - 1) & ~(PAGE - 1);

	return len && end > first && is_mapped(first, end) && page_writable(first) &&
	       page_writable(end - PAGE);
}

size_t umem_read(void *dst, uint64_t uptr, size_t len)
{
	size_t n = umem_readable(uptr, len);

	memcpy(dst, (const void *)uptr, n);
	return n;
}

int umem_write(uint64_t uptr, const void *src, size_t len)
{
	size_t n = probe(uptr, len, page_writable);

	memcpy((void *)uptr, src, n);
	return n == len ? 0 : -EFAULT;
}
