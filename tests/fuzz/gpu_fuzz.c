/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "gpu_fuzz.h"
#include "gpu/engine_priv.h"
#include "gpu/mem_direct.h"
#include "spec/pte_gfx9.h"

#define PAGES       1024
#define ARENA_BYTES (PAGES * 4096u)
#define HUGE_PAGE   512 /* the second half is one leaf */
#define EVENTS      0x0000
#define QUEUE       0x8000
#define RING        0x10000
#define IB          0x14000
#define SIGNALS     0x18000
#define STEPS       400

#define CHECK(cond) check(cond, #cond, __LINE__)

/* struct world - all there is; made once, reset for each input */
struct world {
	struct gpu_ctrl *ctrl;
	struct gpu_pt_table *pt;
	unsigned char *arena, *bar;
	uint8_t rights[PAGES];
	void *storage;
	uint64_t section, moved;
	uint64_t now_ns;
	unsigned int lost_page; /* refuses, PAGES = none */
};

static struct world world;

static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "gpu_fuzz.c:%d: %s\n", line, what);
	abort();
}

uint32_t fuzz_next(struct fuzz_rng *rng)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return (uint32_t)(rng->state >> 16);
}

uint64_t fuzz_address(struct fuzz_rng *rng)
{
	uint64_t low = fuzz_next(rng) % (ARENA_BYTES + 0x4000);

	switch (fuzz_next(rng) % 64) {
	case 0:
		return low | (uint64_t)fuzz_next(rng) << 32;
	case 1:
		return low;
	case 2:
		return (low & ~UINT64_C(0xfff)) - 4;
	case 3:
		return low & ~UINT64_C(7);
	case 4 ... 12:
		return SIGNALS + (low & 0xff8);
	case 13 ... 16:
		return 0x20000 + (low & 0xfff8);
	case 17 ... 19: /* among pages of every right */
		return 0x40000 + low % (ARENA_BYTES / 2 - 0x40000) / 8 * 8;
	default:
		return ARENA_BYTES / 2 + low % (ARENA_BYTES / 4) / 8 * 8;
	}
}

static bool in(const void *p, size_t len, const void *base, size_t size)
{
	uintptr_t at = (uintptr_t)p, from = (uintptr_t)base;

	return at >= from && at - from <= size && len <= size - (at - from);
}

/* What of the engine's own memory a packet's bytes go through: its registers, and the buffer
 * between two addresses. All else there is nobody's to write. */
static bool in_engine(const void *p, size_t len)
{
	const struct gpu_engine *e = world.storage;

	return in(p, len, e->worker[0].bounce, sizeof(e->worker[0].bounce)) ||
	       in(p, len, e->uconfig[0], sizeof(e->uconfig[0])) ||
	       in(p, len, e->queue[0].sh, sizeof(e->queue[0].sh));
}

/* Check one side of an access. Return: whether its page is gone. */
static bool touch(const void *p, size_t len, unsigned int access)
{
	size_t page, last;

	if (!in(p, len, world.arena, ARENA_BYTES)) {
		/* Or its stack. */
		unsigned char here;

		CHECK(in_engine(p, len) || (uintptr_t)p - (uintptr_t)&here < 65536);
		return false;
	}
	page = ((uintptr_t)p - (uintptr_t)world.arena) / 4096;
	last = ((uintptr_t)p - (uintptr_t)world.arena + (len ? len - 1 : 0)) / 4096;
	for (; page <= last; page++) {
		CHECK((world.rights[page] & access) == access);
		if (page == world.lost_page)
			return true;
	}
	return false;
}

static void account(const void *dst, size_t len)
{
	uint64_t seq = world.ctrl->worker[0].seq;

	CHECK(seq & 1);
	if (seq != world.section)
		world.moved = 0;
	world.section = seq;
	if (in(dst, len, world.arena, ARENA_BYTES))
		world.moved += len;
	CHECK(world.moved <= GPU_CHUNK_BYTES + 4096);
}

static int op_copy(void *cookie, void *dst, const void *src, size_t len)
{
	bool no_src = touch(src, len, GPU_READ), no_dst = touch(dst, len, GPU_WRITE);

	account(dst, len);
	if (no_src || no_dst)
		return -EFAULT;
	CHECK(!in(dst, 0, src, len ? len - 1 : 0) && !in(src, 0, dst, len ? len - 1 : 0));
	return gpu_mem_direct.copy(NULL, dst, src, len);
}

static int op_fill(void *cookie, void *dst, uint32_t word, size_t len)
{
	account(dst, len);
	if (touch(dst, len, GPU_WRITE))
		return -EFAULT;
	return gpu_mem_direct.fill(NULL, dst, word, len);
}

/* Words come naturally aligned. */
static bool touch_word(const void *p, size_t size, unsigned int access)
{
	CHECK(((uintptr_t)p & (size - 1)) == 0);
	return touch(p, size, access);
}

static int op_load32(void *cookie, const void *addr, uint32_t *ret)
{
	return touch_word(addr, 4, GPU_READ) ? -EFAULT : gpu_mem_direct.load32(NULL, addr, ret);
}

static int op_load64(void *cookie, const void *addr, uint64_t *ret)
{
	return touch_word(addr, 8, GPU_READ) ? -EFAULT : gpu_mem_direct.load64(NULL, addr, ret);
}

static int op_store32(void *cookie, void *addr, uint32_t v)
{
	return touch_word(addr, 4, GPU_WRITE) ? -EFAULT : gpu_mem_direct.store32(NULL, addr, v);
}

static int op_store64(void *cookie, void *addr, uint64_t v)
{
	return touch_word(addr, 8, GPU_WRITE) ? -EFAULT : gpu_mem_direct.store64(NULL, addr, v);
}

static int op_add64(void *cookie, void *addr, uint64_t v)
{
	return touch_word(addr, 8, GPU_WRITE) ? -EFAULT : gpu_mem_direct.add64(NULL, addr, v);
}

static int op_cas32(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	return touch_word(addr, sizeof(desired), GPU_WRITE)
		       ? -EFAULT
		       : gpu_mem_direct.cas32(NULL, addr, expected, desired);
}

static int op_cas64(void *cookie, void *addr, uint64_t *expected, uint64_t desired)
{
	return touch_word(addr, sizeof(desired), GPU_WRITE)
		       ? -EFAULT
		       : gpu_mem_direct.cas64(NULL, addr, expected, desired);
}

static const struct gpu_mem_ops mem_ops = {
	.copy = op_copy,
	.fill = op_fill,
	.load32 = op_load32,
	.load64 = op_load64,
	.store32 = op_store32,
	.store64 = op_store64,
	.add64 = op_add64,
	.cas32 = op_cas32,
	.cas64 = op_cas64,
};

static uint64_t op_now(void *cookie)
{
	return world.now_ns += 100;
}

static const struct gpu_engine_ops engine_ops = { .mem = &mem_ops, .now_ns = op_now };

static void *guarded(size_t bytes)
{
	unsigned char *p = mmap(NULL, bytes + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mprotect(p + 4096, bytes, PROT_READ | PROT_WRITE) == 0);
	return p + 4096;
}

/* Tables 1 to 3 down to PDB0, 4 the one PTB; the huge leaf beside it. */
static void build_tables(void)
{
	unsigned int i;

	for (i = 1; i < 4; i++) {
		world.pt[i].link[0] = i + 1;
		world.pt[i].pte[0] = PTE_GFX9_VALID_MASK;
	}
	for (i = 0; i < HUGE_PAGE; i++) {
		/* Of 64 pages 8 are absent and 8 read-only, far from what every test needs. */
		unsigned int kind = i < 64 ? 0 : i / 8 % 8;

		world.rights[i] = kind == 1 ? 0 : kind == 2 ? GPU_READ : GPU_READ | GPU_WRITE;
		world.pt[4].link[i] = (uint64_t)i * 4096 | GPU_BACKING_ARENA;
		world.pt[4].pte[i] = (world.rights[i] ? PTE_GFX9_VALID_MASK : 0) |
				     (world.rights[i] & GPU_READ ? PTE_GFX9_READABLE_MASK : 0) |
				     (world.rights[i] & GPU_WRITE ? PTE_GFX9_WRITEABLE_MASK : 0);
	}
	memset(world.rights + HUGE_PAGE, GPU_READ | GPU_WRITE, PAGES - HUGE_PAGE);
	world.pt[3].link[1] = HUGE_PAGE * 4096 | GPU_BACKING_ARENA;
	world.pt[3].pte[1] = PTE_GFX9_VALID_MASK | PTE_GFX9_READABLE_MASK |
			     PTE_GFX9_WRITEABLE_MASK | PTE_GFX9_PDE_PTE_MASK;
}

static void make_world(void)
{
	if (world.ctrl)
		return;
	world.ctrl = guarded(VKF_ALIGN_UP(sizeof(*world.ctrl), (size_t)4096));
	world.pt = guarded(5 * sizeof(*world.pt));
	world.arena = guarded(ARENA_BYTES);
	world.bar = guarded(GPU_BAR_STRIDE);
	world.storage = guarded(VKF_ALIGN_UP(gpu_engine_size(), (size_t)4096));
	build_tables();
}

static struct gpu_engine *reset_world(void)
{
	struct gpu_engine_config config = { world.ctrl, world.pt,    world.arena,
					    world.bar,  &engine_ops, NULL };
	struct gpu_engine *engine;

	memset(world.ctrl, 0, sizeof(*world.ctrl));
	world.ctrl->magic = GPU_CTRL_MAGIC;
	world.ctrl->version = GPU_CTRL_VERSION;
	world.ctrl->n_gpus = 1;
	world.ctrl->pt_tables = 5;
	world.ctrl->arena_bytes = ARENA_BYTES;
	world.ctrl->bar_bytes = GPU_BAR_STRIDE;
	world.ctrl->vm[0].root = 1;
	world.ctrl->vm[0].va_limit = UINT64_C(0xffffffffffff);
	world.ctrl->vm[0].clock_khz = 100000;
	world.ctrl->vm[0].doorbell_bytes = 8;
	world.lost_page = PAGES;
	world.moved = 0;
	world.now_ns = 1000000;
	memset(world.arena, 0, 0x20000);
	memset(world.arena + EVENTS, 0xff, 0x8000);
	memset(world.storage, 0, gpu_engine_size());
	CHECK(gpu_engine_init(world.storage, &config, &engine) == 0);
	return engine;
}

static void place(uint32_t off, uint32_t room, const uint8_t **data, size_t *size)
{
	size_t n = *size < room ? *size : room;

	memcpy(world.arena + off, *data, n);
	*data += n;
	*size -= n;
}

static void set_want(enum gpu_queue_want want)
{
	world.ctrl->queue[0].want = want;
	world.ctrl->queue[0].want_seq++;
	world.ctrl->cmd_seq++;
}

static struct gpu_ctrl_queue *make_queue(enum gpu_queue_type type, const uint8_t *header)
{
	struct gpu_ctrl_queue *cq = &world.ctrl->queue[0];
	uint64_t ahead = header[2] | (uint64_t)header[3] << 8;

	cq->type = type;
	cq->ring_va = RING + (header[0] & 8 ? 1 : 0);
	cq->ring_bytes = UINT64_C(256) << (header[0] & 3);
	if (header[0] & 4)
		cq->ring_bytes = header[1] * 16u;
	cq->wptr_va = QUEUE + 0x38;
	cq->rptr_va = QUEUE + (header[0] & 16 ? 0x88 : 0x80);
	cq->rptr = header[0] & 32 ? UINT64_MAX - header[1] : header[1];
	*(uint64_t *)(world.arena + QUEUE + 0x38) =
		cq->rptr + (type == GPU_QUEUE_AQL ? ahead % 80 : ahead);
	*(uint64_t *)(world.arena + QUEUE + 0xc0) = header[0] & 64 ? SIGNALS : 0;
	world.ctrl->n_queues = 1;
	set_want(GPU_WANT_RUN);
	return cq;
}

/* What goes wrong while the queue runs. */
static void disturb(const uint8_t *header, unsigned int step)
{
	if (header[6] && step % header[6] == 0) {
		set_want(GPU_WANT_STOP);
		set_want(GPU_WANT_RUN);
	}
	if (step % 3 == 0)
		*(uint64_t *)world.bar = step;
	if (header[7] && step % header[7] == 0)
		world.ctrl->vm[0].generation++;
	/* The driver takes the interrupts, late. */
	if (!(header[4] & 2) || step % 16 == 0)
		world.ctrl->irq_rptr = world.ctrl->irq_wptr;
}

/* @told: set when one says that the queue is given up. At a page that the host has taken away it
 * only pauses. */
static void check_irqs(uint32_t from, bool *told)
{
	for (; from != world.ctrl->irq_wptr; from++) {
		const struct gpu_irq *irq = &world.ctrl->irq[from % GPU_IRQ_ENTRIES];

		CHECK(irq->slot == 0 && irq->gpu == 0);
		CHECK(irq->type == GPU_IRQ_EVENT || irq->type == GPU_IRQ_VM_FAULT ||
		      irq->type == GPU_IRQ_BAD_PACKET);
		CHECK(irq->type != GPU_IRQ_VM_FAULT || (irq->status && !(irq->va & 0xfff)));
		*told |= irq->type == GPU_IRQ_BAD_PACKET ||
			 (irq->type == GPU_IRQ_VM_FAULT && !(irq->status & GPU_FAULT_HOST));
	}
}

void fuzz_run(enum gpu_queue_type type, const uint8_t *data, size_t size)
{
	const uint8_t *header = data;
	struct gpu_ctrl_queue *cq;
	struct gpu_engine *engine;
	bool told = false;
	unsigned int i;

	if (size < FUZZ_HEADER)
		return;
	make_world();
	engine = reset_world();
	data += FUZZ_HEADER;
	size -= FUZZ_HEADER;
	place(RING, 4096, &data, &size);
	place(IB, 4096, &data, &size);
	place(SIGNALS, 4096, &data, &size);
	cq = make_queue(type, header);
	world.ctrl->event_page = header[4] & 1 ? EVENTS + 1 : 0;
	world.ctrl->event_slots = 4096;
	/* One of them is not understood. */
	world.ctrl->vm[0].dialect = header[4] >> 2 & 3;
	if (header[5])
		world.lost_page = 32 + header[5];
	for (i = 0; i < STEPS; i++) {
		uint32_t irqs = world.ctrl->irq_wptr;
		unsigned int found = gpu_engine_step(engine);

		CHECK(!(world.ctrl->worker[0].seq & 1));
		check_irqs(irqs, &told);
		if (!found && !gpu_engine_pending(engine))
			break;
		disturb(header, i + 1);
	}
	set_want(GPU_WANT_STOP);
	world.ctrl->irq_rptr = world.ctrl->irq_wptr;
	i = world.ctrl->irq_wptr;
	gpu_engine_step(engine);
	check_irqs(i, &told);
	CHECK(cq->ack_seq == cq->want_seq);
	CHECK(told == (cq->error != GPU_QERR_NONE));
	CHECK(!gpu_engine_pending(engine) || !(world.ctrl->worker[0].seq & 1));
}

#ifdef VKFD_LIBFUZZER
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* Now and then an input that is likely to mean something, or its header only, rather than a change.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct fuzz_rng rng = { (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) };
	uint32_t choice = fuzz_next(&rng) % 16;

	if (max >= FUZZ_MAX && (choice < 2 || size < FUZZ_HEADER))
		return fuzz_generate(&rng, data);
	if (choice < 4 && size >= FUZZ_HEADER) {
		LLVMFuzzerMutate(data, FUZZ_HEADER, FUZZ_HEADER);
		return size;
	}
	return LLVMFuzzerMutate(data, size, max);
}
#endif
