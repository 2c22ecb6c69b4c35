/* SPDX-License-Identifier: MIT */
#include "shim/umem.h"

#include <linux/futex.h>
#include <string.h>
#include "shim/shim.h"
#include "shim/vma.h"

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
	/* Most argument blocks are on the stack, a little above. The page that we stand on is good.
	 */
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

/* Only what is mapped can be asked which of it is resident. Return: how much is, in bytes. */
static uint64_t mapped(uint64_t first, uint64_t end)
{
	unsigned char resident[RESIDENT_PAGES];
	uint64_t most = RESIDENT_PAGES * PAGE, at = first;

	while (at < end) {
		uint64_t n = end - at < most ? end - at : most;

		if (SYS3(mincore, at, n, resident) == 0)
			at += n;
		else if (n == PAGE)
			break;
		else
			most = (n / 2 + PAGE - 1) & ~(PAGE - 1);
	}
	return at - first;
}

/* The way without /proc. */
static int pages_by_touch(uint64_t first, uint64_t end, uint64_t *ret_good)
{
	*ret_good = 0;
	if (!page_writable(first))
		return page_readable(first) ? -EPERM : -EFAULT;
	*ret_good = mapped(first, end);
	if (*ret_good < end - first)
		return -EFAULT;
	if (page_writable(end - PAGE))
		return 0;
	*ret_good -= PAGE;
	return page_readable(end - PAGE) ? -EPERM : -EFAULT;
}

static bool is_of_device(const struct vma *v, const struct umem_device *dev)
{
	return v->inode && v->inode == dev->inode && v->major == dev->major &&
	       v->minor == dev->minor;
}

/* As hmm_range_fault() looks at areas when it is to fault pages in for writing. */
static int check_area(const struct vma *v, uint64_t at, const struct umem_device *dev)
{
	if (v->start > at || !v->readable || is_of_device(v, dev))
		return -EFAULT;
	return v->writable ? 0 : -EPERM;
}

int umem_pages(uint64_t first, uint64_t end, const struct umem_device *dev, uint64_t *ret_good)
{
	struct vma_reader reader;
	uint64_t at = first;
	struct vma v;
	int r = 0;

	if (vma_open(&reader, false))
		return pages_by_touch(first, end, ret_good);
	while (!r && at < end) {
		r = vma_find(&reader, at, &v);
		if (!r)
			r = check_area(&v, at, dev);
		if (!r)
			at = v.end;
	}
	vma_close(&reader);
	if (r && r != -EPERM && r != -EFAULT && r != -ENOENT)
		return pages_by_touch(first, end, ret_good);
	*ret_good = (at < end ? at : end) - first;
	return r == -ENOENT ? -EFAULT : r;
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
