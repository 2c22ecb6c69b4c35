/* SPDX-License-Identifier: MIT */
#include "shim/ioctl.h"

#include <linux/fcntl.h>
#include <linux/ioctl.h>
#include <string.h>
#include "shim/call.h"
#include "shim/engine_start.h"
#include "shim/umem.h"

/* More than any call writes to one array; a larger count must not crowd out the others. */
#define OUT_MAX          (UINT32_C(56) << 10)
#define PAGE_MASK        UINT64_C(4095)
#define KFD_CREATE_QUEUE 0x02
#define KFD_SET_CU_MASK  0x1a

static uint64_t field(const uint8_t *block, unsigned int at, unsigned int bytes)
{
	uint32_t v32;
	uint64_t v64;

	if (bytes == 4) {
		memcpy(&v32, block + at, 4);
		return v32;
	}
	memcpy(&v64, block + at, 8);
	return v64;
}

/* A segment of @len bytes at @uptr: as much as there is to read of an input, all of an output. */
static void add_seg(struct shim_call *c, uint64_t uptr, uint64_t len, unsigned int dir)
{
	struct wire_slot_head *h = &c->slot->head;
	struct wire_seg *g = &h->seg[h->n_segs];
	uint32_t off, in = 0;

	if (dir == WIRE_OUT && len > OUT_MAX)
		len = OUT_MAX;
	if (!len || h->n_segs == WIRE_SLOT_SEGS)
		return;
	if ((dir & WIRE_IN) && len > WIRE_SLOT_DATA_BYTES - c->used)
		len = WIRE_SLOT_DATA_BYTES - c->used;
	off = shim_call_room(c, len);
	if (off == UINT32_MAX)
		return;
	if (dir & WIRE_IN) {
		in = (uint32_t)umem_read(c->slot->data + off, uptr, len);
		/* Unreadable, it may still be an output: the block of a call that only writes. */
		if (!in && dir == WIRE_IN)
			return;
	}
	len = in ? in : len;
	*g = (struct wire_seg){ .uptr = uptr, .len = (uint32_t)len, .off = off, .in = in };
	h->n_segs++;
}

static void add_fd(struct wire_slot_head *h, int fd)
{
	struct shim_file f;

	if (h->n_fds == WIRE_SLOT_FDS)
		return;
	h->fd[h->n_fds].fd = fd;
	h->fd[h->n_fds].file = shim_file_identify(fd, &f) ? f.number : 0;
	h->fd[h->n_fds].is_open = h->fd[h->n_fds].file || SYS2(fcntl, fd, F_GETFD) >= 0;
	h->n_fds++;
}

/* Pages are used whole: as many as @len fills, from the one that @uptr is in. */
static void add_probe(struct shim_call *c, uint64_t uptr, uint64_t len)
{
	struct wire_slot_head *h = &c->slot->head;
	uint64_t first = uptr & ~PAGE_MASK, bytes = (len + PAGE_MASK) & ~PAGE_MASK;

	if (!uptr || !bytes || first + bytes < first)
		return;
	h->probe_uptr = first;
	h->probe_error = umem_pages(first, first + bytes, &c->session->arena, &h->probe_len);
	h->n_probes = 1;
}

static void add_nested(struct shim_call *c, const struct wire_nested *n, uint32_t size)
{
	const uint8_t *block = c->slot->data; /* segment 0 */
	uint64_t uptr, count = 1, len;

	if (n->ptr + n->ptr_bytes > size ||
	    (n->count != WIRE_NO_COUNT && n->count + n->count_bytes > size))
		return;
	uptr = field(block, n->ptr, n->ptr_bytes);
	if (!n->dir) {
		add_fd(&c->slot->head, (int)uptr);
		return;
	}
	if (n->dir == WIRE_NEW_FD || n->dir == WIRE_NEW_STREAM)
		return;
	if (n->count != WIRE_NO_COUNT)
		count = field(block, n->count, n->count_bytes);
	/* Counted in bits, in whole words. */
	if (n->dev == WIRE_DEV_KFD && n->nr == KFD_SET_CU_MASK)
		count = (count + 31) / 32 * 4;
	if (n->dir == WIRE_PROBE) {
		add_probe(c, uptr, count);
		return;
	}
	len = count > UINT32_MAX ? UINT32_MAX : count * n->elem;
	if (uptr)
		add_seg(c, uptr, len, n->dir);
}

static void marshal(struct shim_call *c, const struct shim_file *f, uint32_t cmd, uint64_t arg)
{
	struct wire_slot_head *h = &c->slot->head;
	uint32_t size = _IOC_SIZE(cmd);

	h->call = WIRE_CALL_IOCTL;
	h->cmd = cmd;
	h->file = f->number;
	h->arg = arg;
	h->n_segs = 0;
	h->n_fds = 0;
	h->n_probes = 0;
	add_seg(c, arg, size, WIRE_INOUT);
	if (h->n_segs == 0 || h->seg[0].in != size)
		return;
	for (unsigned int i = 0; i < wire_n_nested; i++)
		if (wire_nested[i].dev == shim_file_dev(f) && wire_nested[i].nr == _IOC_NR(cmd))
			add_nested(c, &wire_nested[i], size);
}

/* Return: 0 or -EFAULT. */
static int copy_back(struct shim_call *c)
{
	struct wire_slot_head *h = &c->slot->head;
	int r = 0;

	for (unsigned int i = 0; i < h->n_segs && i < WIRE_SLOT_SEGS; i++) {
		struct wire_seg g = h->seg[i];

		if (g.written > g.len || g.off > WIRE_SLOT_DATA_BYTES ||
		    g.written > WIRE_SLOT_DATA_BYTES - g.off)
			return -EIO;
		if (g.written && umem_write(g.uptr, c->slot->data + g.off, g.written))
			r = -EFAULT;
	}
	return r;
}

static bool makes(const struct wire_nested *n, const struct shim_file *f, uint32_t cmd)
{
	uint32_t size = _IOC_SIZE(cmd);

	return n->dev == shim_file_dev(f) && n->nr == _IOC_NR(cmd) &&
	       (n->dir == WIRE_NEW_FD || n->dir == WIRE_NEW_STREAM) &&
	       n->ptr + n->ptr_bytes <= size &&
	       (n->count == WIRE_NO_COUNT || n->count + n->count_bytes <= size);
}

/* Take what the call has made, and put its descriptor where the program looks for it; a block that
 * ends before has no use for it. Return: 0 or -errno: it was not to be had. */
static int take_made(struct shim_call *c, const struct shim_file *f, uint32_t cmd, bool *ret_taken)
{
	uint8_t *block = c->slot->data;
	uint64_t made = c->slot->head.made_file;

	for (unsigned int i = 0; i < wire_n_nested; i++) {
		const struct wire_nested *n = &wire_nested[i];
		int fd;

		if (!makes(n, f, cmd))
			continue;
		if (n->dir == WIRE_NEW_STREAM)
			fd = shim_file_take_stream(c->session, c->index, made);
		else
			fd = shim_file_take(c->session, c->index, made,
					    (int)field(block, n->count, n->count_bytes));
		if (fd < 0)
			return fd;
		memcpy(block + n->ptr, &fd, sizeof(fd));
		*ret_taken = true;
		return 0;
	}
	return 0;
}

/* The slot's next call makes the driver drop it. False: the slot is lost. */
static bool drop_made(struct shim_call *c)
{
	bool answered;

	c->slot->head.call = WIRE_CALL_NOP;
	shim_call_submit(c, &answered);
	return answered;
}

static int session_of(const struct shim_file *f, struct session **ret)
{
	struct session *s = session_peek();

	/* As the kernel: only who opened /dev/kfd may use it; a render node is anybody's. */
	if (shim_file_dev(f) == WIRE_DEV_KFD) {
		*ret = s;
		return s && s->id == f->session ? 0 : -EBADF;
	}
	if (s) {
		*ret = s;
		return 0;
	}
	return session_get(ret) ? -EIO : 0;
}

int shim_ioctl(const struct shim_file *f, unsigned long cmd, uint64_t arg)
{
	struct shim_call c;
	struct session *s;
	bool answered, made, taken = false;
	int r = session_of(f, &s), fault;

	if (r)
		return r;
	if (shim_file_dev(f) == WIRE_DEV_KFD && _IOC_NR(cmd) == KFD_CREATE_QUEUE)
		engine_ensure(s);
	r = shim_call_begin(s, &c);
	if (r)
		return r;
	marshal(&c, f, (uint32_t)cmd, arg);
	r = shim_call_submit(&c, &answered);
	if (!answered)
		return r;
	made = r == 0 && c.slot->head.made_file;
	if (made)
		r = take_made(&c, f, (uint32_t)cmd, &taken);
	fault = copy_back(&c);
	if (made == taken || drop_made(&c))
		shim_call_end(&c);
	return fault ? fault : r;
}
