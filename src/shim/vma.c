/* SPDX-License-Identifier: MIT */
#include "shim/vma.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include "shim/shim.h"

/* struct procmap_query - of <linux/fs.h>, Linux 6.11 */
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset;
	uint64_t inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};

_Static_assert(sizeof(struct procmap_query) == 104, "procmap_query");

#define PROCMAP_QUERY    _IOWR('f', 17, struct procmap_query)
#define VMA_READABLE     1u
#define VMA_WRITABLE     2u
#define COVERING_OR_NEXT 0x10u

int vma_open(struct vma_reader *r, bool as_text)
{
	long fd = SYS4(openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);

	r->fd = (int)fd;
	r->text = as_text;
	r->at = r->len = 0;
	r->last = (struct vma){ 0 };
	return sys_is_error(fd) ? (int)fd : 0;
}

void vma_close(struct vma_reader *r)
{
	sys_close(r->fd);
}

/* ------------------------------------------------ the text */

/* Return: the next character, -1 at the end. */
static int next_char(struct vma_reader *r)
{
	if (r->at == r->len) {
		long n = SYS3(read, r->fd, r->buf, sizeof(r->buf));

		r->at = 0;
		r->len = n > 0 ? (uint32_t)n : 0;
		if (!r->len)
			return -1;
	}
	return (unsigned char)r->buf[r->at++];
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* A number, and the one character behind it. */
static uint64_t number(struct vma_reader *r, unsigned int base, int *ret_last)
{
	uint64_t v = 0;
	int c = next_char(r);

	for (; c >= 0 && (unsigned int)digit(c) < base; c = next_char(r))
		v = v * base + (unsigned int)digit(c);
	*ret_last = c;
	return v;
}

/* "start-end rwxp offset major:minor inode name": what is not looked at has no digits' meaning. */
static int read_line(struct vma_reader *r, struct vma *ret)
{
	int c;

	ret->start = number(r, 16, &c);
	/* At the end; or the page that old programs call, which is not in the address space. */
	if (c < 0 || ret->start >> 63)
		return -ENOENT;
	ret->end = number(r, 16, &c);
	ret->readable = next_char(r) == 'r';
	ret->writable = next_char(r) == 'w';
	do
		c = next_char(r);
	while (c >= 0 && c != ' ');
	number(r, 16, &c);
	ret->major = (uint32_t)number(r, 16, &c);
	ret->minor = (uint32_t)number(r, 16, &c);
	ret->inode = number(r, 10, &c);
	while (c >= 0 && c != '\n')
		c = next_char(r);
	return c < 0 ? -EIO : 0;
}

static int find_text(struct vma_reader *r, uint64_t addr, struct vma *ret)
{
	while (r->last.end <= addr) {
		int e = read_line(r, &r->last);

		if (e)
			return e;
	}
	*ret = r->last;
	return 0;
}

/* ------------------------------------------------ the query */

static int find_query(struct vma_reader *r, uint64_t addr, struct vma *ret)
{
	struct procmap_query q = {
		.size = sizeof(q),
		.query_flags = COVERING_OR_NEXT,
		.query_addr = addr,
	};
	long e = SYS3(ioctl, r->fd, PROCMAP_QUERY, &q);

	if (e)
		return (int)e;
	*ret = (struct vma){
		.start = q.vma_start,
		.end = q.vma_end,
		.readable = q.vma_flags & VMA_READABLE,
		.writable = q.vma_flags & VMA_WRITABLE,
		.major = q.dev_major,
		.minor = q.dev_minor,
		.inode = q.inode,
	};
	return 0;
}

int vma_find(struct vma_reader *r, uint64_t addr, struct vma *ret)
{
	if (!r->text) {
		int e = find_query(r, addr, ret);

		/* An older kernel, or a filter: nothing has been read yet. */
		if (!e || e == -ENOENT)
			return e;
		r->text = true;
	}
	return find_text(r, addr, ret);
}
