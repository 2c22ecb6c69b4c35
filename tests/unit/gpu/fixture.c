/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/mman.h>
#include "fixture.h"
#include "gpu/mem_direct.h"

#define BAR_BYTES (GPU_MAX_GPUS * GPU_BAR_STRIDE)
#define MAX_STEPS 100000

static void check_section(struct fixture *fx, size_t len)
{
	uint64_t seq = fx->ctrl->worker[0].seq;

	assert_true(seq & 1);
	if (fx->section != seq)
		fx->section_bytes = 0;
	fx->section = seq;
	fx->section_bytes += len;
	fx->section_max = VKF_MAX(fx->section_max, fx->section_bytes);
}

static bool is_lost(struct fixture *fx, const void *addr, size_t len, bool write)
{
	uintptr_t at = (uintptr_t)addr;

	return at < fx->lost_end && at + len > fx->lost && (write || !fx->lost_writes_only);
}

static int op_copy(void *cookie, void *dst, const void *src, size_t len)
{
	struct fixture *fx = cookie;

	/* What goes into the engine's own buffers comes out of them again: count it once. */
	check_section(fx, (uintptr_t)dst - (uintptr_t)fx->arena < FX_ARENA_BYTES ? len : 0);
	if (is_lost(fx, src, len, false) || is_lost(fx, dst, len, true))
		return -EFAULT;
	assert_true((uintptr_t)dst + len <= (uintptr_t)src ||
		    (uintptr_t)src + len <= (uintptr_t)dst);
	if (len >= 4096) {
		fx->copies++;
		if (fx->on_copy)
			fx->on_copy(fx);
	}
	return gpu_mem_direct.copy(NULL, dst, src, len);
}

static int op_fill(void *cookie, void *dst, uint32_t word, size_t len)
{
	struct fixture *fx = cookie;

	check_section(fx, len);
	return is_lost(fx, dst, len, true) ? -EFAULT : gpu_mem_direct.fill(NULL, dst, word, len);
}

/* The signal page is looked at outside of sections, too: it is no VM's. */
static void check_word(struct fixture *fx, const void *addr, size_t size)
{
	uintptr_t off = (uintptr_t)addr - (uintptr_t)fx->arena;

	assert_int_equal((uintptr_t)addr & (size - 1), 0);
	if (off >= FX_QUEUE)
		check_section(fx, size);
}

static int op_load32(void *cookie, const void *addr, uint32_t *ret)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(*ret));
	return is_lost(fx, addr, sizeof(*ret), false) ? -EFAULT
						      : gpu_mem_direct.load32(NULL, addr, ret);
}

static int op_load64(void *cookie, const void *addr, uint64_t *ret)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(*ret));
	return is_lost(fx, addr, sizeof(*ret), false) ? -EFAULT
						      : gpu_mem_direct.load64(NULL, addr, ret);
}

static int op_store32(void *cookie, void *addr, uint32_t v)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(v));
	return is_lost(fx, addr, sizeof(v), true) ? -EFAULT : gpu_mem_direct.store32(NULL, addr, v);
}

static int op_store64(void *cookie, void *addr, uint64_t v)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(v));
	return is_lost(fx, addr, sizeof(v), true) ? -EFAULT : gpu_mem_direct.store64(NULL, addr, v);
}

static int op_add64(void *cookie, void *addr, uint64_t v)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(v));
	return is_lost(fx, addr, sizeof(v), true) ? -EFAULT : gpu_mem_direct.add64(NULL, addr, v);
}

static int op_cas32(void *cookie, void *addr, uint32_t *expected, uint32_t desired)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(desired));
	return is_lost(fx, addr, sizeof(desired), true) ?
		       -EFAULT :
		       gpu_mem_direct.cas32(NULL, addr, expected, desired);
}

static int op_cas64(void *cookie, void *addr, uint64_t *expected, uint64_t desired)
{
	struct fixture *fx = cookie;

	check_word(fx, addr, sizeof(desired));
	return is_lost(fx, addr, sizeof(desired), true) ?
		       -EFAULT :
		       gpu_mem_direct.cas64(NULL, addr, expected, desired);
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
	return ((struct fixture *)cookie)->now_ns;
}

static void op_irq(void *cookie)
{
	((struct fixture *)cookie)->irq_calls++;
}

static void op_relax(void *cookie)
{
}

static const struct gpu_engine_ops engine_ops = {
	.mem = &mem_ops,
	.now_ns = op_now,
	.irq = op_irq,
	.relax = op_relax,
};

static void *guarded(size_t bytes)
{
	unsigned char *p = mmap(NULL, bytes + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_return_code(mprotect(p + 4096, bytes, PROT_READ | PROT_WRITE), 0);
	return p + 4096;
}

static void unguard(void *p, size_t bytes)
{
	munmap((unsigned char *)p - 4096, bytes + 8192);
}

static void init_ctrl(struct gpu_ctrl *ctrl)
{
	unsigned int i;

	ctrl->magic = GPU_CTRL_MAGIC;
	ctrl->version = GPU_CTRL_VERSION;
	ctrl->n_gpus = 2;
	ctrl->pt_tables = FX_TABLES;
	ctrl->arena_bytes = FX_ARENA_BYTES;
	ctrl->bar_bytes = BAR_BYTES;
	for (i = 0; i < 2; i++) {
		ctrl->vm[i].clock_khz = 100000;
		ctrl->vm[i].dialect = GPU_DIALECT_GFX90A;
		ctrl->vm[i].doorbell_bytes = 8;
		ctrl->vm[i].cp_queues = 24;
		ctrl->vm[i].va_limit = FX_VA_LIMIT;
	}
}

int fx_setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	struct gpu_engine_config config = { 0 };
	uint64_t off;

	fx->ctrl = aligned_alloc(64, VKF_ALIGN_UP(sizeof(*fx->ctrl), 64));
	memset(fx->ctrl, 0, sizeof(*fx->ctrl));
	init_ctrl(fx->ctrl);
	fx->pt = aligned_alloc(4096, FX_TABLES * sizeof(*fx->pt));
	memset(fx->pt, 0, FX_TABLES * sizeof(*fx->pt));
	fx->arena = guarded(FX_ARENA_BYTES);
	fx->bar = guarded(BAR_BYTES);
	fx->now_ns = 1000000;
	for (off = 0; off < FX_ARENA_BYTES; off += VKF_PAGE_SIZE)
		fx_map(fx, 0, FX_VA(off), off | GPU_BACKING_ARENA, FX_RW);
	fx->storage = aligned_alloc(64, VKF_ALIGN_UP(gpu_engine_size(), 64));
	memset(fx->storage, 0, gpu_engine_size());
	config =
		(struct gpu_engine_config){ fx->ctrl, fx->pt, fx->arena, fx->bar, &engine_ops, fx };
	assert_int_equal(gpu_engine_init(fx->storage, &config, &fx->engine), 0);
	*state = fx;
	return 0;
}

int fx_teardown(void **state)
{
	struct fixture *fx = *state;

	/* Whatever the test did: outside of a step no worker is in a section. */
	assert_int_equal(fx->ctrl->worker[0].seq & 1, 0);
	/* A chunk and what surrounds it: pointers, the packet, a second destination. */
	assert_true(fx->section_max <= GPU_CHUNK_BYTES + 4096);
	unguard(fx->arena, FX_ARENA_BYTES);
	unguard(fx->bar, BAR_BYTES);
	free(fx->ctrl);
	free(fx->pt);
	free(fx->storage);
	free(fx);
	return 0;
}

static uint32_t new_table(struct fixture *fx)
{
	assert_true(fx->tables_used + 1 < FX_TABLES);
	return ++fx->tables_used;
}

static unsigned int va_index(uint64_t va, unsigned int level)
{
	return (va >> (12 + 9 * (GPU_PT_PTB - level))) & 511;
}

/* The table of @level for @va, made if need be. */
static struct gpu_pt_table *table_at(struct fixture *fx, unsigned int gpu, uint64_t va,
				     unsigned int level)
{
	uint32_t table = fx->ctrl->vm[gpu].root;
	unsigned int i;

	if (!table)
		fx->ctrl->vm[gpu].root = table = new_table(fx);
	for (i = GPU_PT_PDB2; i < level; i++) {
		struct gpu_pt_table *t = &fx->pt[table];

		if (!t->pte[va_index(va, i)]) {
			t->link[va_index(va, i)] = new_table(fx);
			t->pte[va_index(va, i)] = PTE_GFX9_VALID_MASK;
		}
		table = (uint32_t)t->link[va_index(va, i)];
	}
	return &fx->pt[table];
}

void fx_map(struct fixture *fx, unsigned int gpu, uint64_t va, uint64_t backing, uint64_t flags)
{
	struct gpu_pt_table *t = table_at(fx, gpu, va, GPU_PT_PTB);

	t->link[va_index(va, GPU_PT_PTB)] = backing;
	t->pte[va_index(va, GPU_PT_PTB)] = flags;
}

void fx_map_huge(struct fixture *fx, unsigned int gpu, uint64_t va, uint64_t backing,
		 uint64_t flags)
{
	struct gpu_pt_table *t = table_at(fx, gpu, va, GPU_PT_PDB0);

	t->link[va_index(va, GPU_PT_PDB0)] = backing;
	t->pte[va_index(va, GPU_PT_PDB0)] = flags | PTE_GFX9_PDE_PTE_MASK;
}

void fx_unmap(struct fixture *fx, unsigned int gpu, uint64_t va)
{
	table_at(fx, gpu, va, GPU_PT_PTB)->pte[va_index(va, GPU_PT_PTB)] = 0;
}

void fx_invalidate(struct fixture *fx, unsigned int gpu)
{
	fx->ctrl->vm[gpu].generation++;
}

uint32_t *fx_words(struct fixture *fx, uint64_t off)
{
	return (uint32_t *)(fx->arena + off);
}

uint64_t *fx_u64(struct fixture *fx, uint64_t off)
{
	return (uint64_t *)(fx->arena + off);
}

static unsigned char pattern(uint64_t i, uint32_t seed)
{
	return (unsigned char)((i * 2654435761u + seed * 40503u) >> 11);
}

void fx_pattern(struct fixture *fx, uint64_t off, uint64_t len, uint32_t seed)
{
	uint64_t i;

	for (i = 0; i < len; i++)
		fx->arena[off + i] = pattern(i, seed);
}

void fx_check_pattern(struct fixture *fx, uint64_t off, uint64_t len, uint32_t seed)
{
	uint64_t i;

	for (i = 0; i < len; i++) {
		if (fx->arena[off + i] != pattern(i, seed))
			fail_msg("byte %llu of %llu differs", (unsigned long long)i,
				 (unsigned long long)len);
	}
}

struct gpu_ctrl_queue *fx_queue_at(struct fixture *fx, uint32_t slot, enum gpu_queue_type type,
				   uint64_t queue_off, uint64_t ring_off, uint64_t ring_bytes)
{
	struct gpu_ctrl_queue *cq = &fx->ctrl->queue[slot];

	cq->type = type;
	cq->gpu = 0;
	cq->queue_id = slot;
	cq->doorbell = slot * 8;
	cq->priority = 7;
	cq->ring_va = FX_VA(ring_off);
	cq->ring_bytes = ring_bytes;
	cq->wptr_va = FX_VA(queue_off + FX_WPTR - FX_QUEUE);
	cq->rptr_va = FX_VA(queue_off + FX_RPTR - FX_QUEUE);
	fx->ctrl->n_queues = VKF_MAX(fx->ctrl->n_queues, slot + 1);
	fx_want(fx, cq, GPU_WANT_RUN);
	return cq;
}

struct gpu_ctrl_queue *fx_queue(struct fixture *fx, enum gpu_queue_type type)
{
	uint64_t off;

	/* Slots of an AQL ring are born INVALID. */
	for (off = 0; type == GPU_QUEUE_AQL && off < FX_RING_BYTES; off += 64)
		*fx_words(fx, FX_RING + off) = 1;
	return fx_queue_at(fx, 0, type, FX_QUEUE, FX_RING, FX_RING_BYTES);
}

void fx_want(struct fixture *fx, struct gpu_ctrl_queue *cq, enum gpu_queue_want want)
{
	cq->want = want;
	cq->want_seq++;
	fx->ctrl->cmd_seq++;
}

void fx_sdma(struct fixture *fx, const uint32_t *words, unsigned int n)
{
	uint64_t wptr = *fx_u64(fx, FX_WPTR), ring = FX_RING_BYTES;
	unsigned int i;

	for (i = 0; i < n; i++)
		*fx_words(fx, FX_RING + (wptr + i * 4) % ring) = words[i];
	*fx_u64(fx, FX_WPTR) = wptr + n * 4;
	fx_ring(fx, 0);
}

void fx_ring(struct fixture *fx, uint32_t slot)
{
	*(volatile uint64_t *)(fx->bar + fx->ctrl->queue[slot].doorbell) = 0;
}

unsigned int fx_run(struct fixture *fx)
{
	unsigned int found, i;

	for (i = 0; i < VKF_MIN(fx->ctrl->n_queues, GPU_MAX_QUEUES); i++)
		fx_ring(fx, i);
	for (i = 0; i < MAX_STEPS; i++) {
		found = gpu_engine_step(fx->engine);
		if (!(found & GPU_STEP_WORKED))
			return found;
	}
	fail_msg("the engine does not come to rest");
	return 0;
}

bool fx_irq(struct fixture *fx, struct gpu_irq *ret)
{
	if (fx->ctrl->irq_rptr == fx->ctrl->irq_wptr)
		return false;
	*ret = fx->ctrl->irq[fx->ctrl->irq_rptr++ % GPU_IRQ_ENTRIES];
	return true;
}

void fx_expect_irq(struct fixture *fx, enum gpu_irq_type type, uint32_t ctx)
{
	struct gpu_irq irq;

	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, type);
	assert_int_equal(irq.gpu, 0);
	assert_int_equal(irq.ctx, ctx);
}

void fx_expect_fault(struct fixture *fx, uint64_t va, uint32_t status)
{
	struct gpu_irq irq;

	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, GPU_IRQ_VM_FAULT);
	assert_int_equal(irq.va, va);
	assert_int_equal(irq.status, status);
	assert_int_equal(irq.slot, 0);
	assert_int_equal(fx->ctrl->queue[0].error, GPU_QERR_FAULT);
}

void fx_expect_bad(struct fixture *fx, uint32_t word, uint32_t opcode)
{
	struct gpu_irq irq;

	assert_true(fx_irq(fx, &irq));
	assert_int_equal(irq.type, GPU_IRQ_BAD_PACKET);
	assert_int_equal(irq.ctx, word);
	assert_int_equal(irq.status, opcode);
	assert_int_equal(fx->ctrl->queue[0].error, GPU_QERR_PACKET);
}

void fx_expect_no_irq(struct fixture *fx)
{
	assert_int_equal(fx->ctrl->irq_rptr, fx->ctrl->irq_wptr);
}
