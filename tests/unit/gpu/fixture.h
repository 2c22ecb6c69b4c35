/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_GPU_FIXTURE_H
#define VKFD_TESTS_UNIT_GPU_FIXTURE_H

/**
 * DOC: A machine of two GPUs for the engine's tests
 *
 * Tables are built by hand, without the driver. The arena lies between guard
 * pages and is mapped page by page at FX_BASE of GPU 0, so that arena offset
 * and address differ by a constant; the tests map the rest as they need it. The
 * memory operations count, can refuse a range as if its page had been unmapped,
 * and check that they are called inside a section, of no more than a chunk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "gpu/engine_priv.h"
#include "spec/pte_gfx9.h"

#define FX_ARENA_BYTES VKF_MIB(16)
#define FX_TABLES      64
#define FX_BASE        UINT64_C(0x7f0000000000)
#define FX_VA(off)     (FX_BASE + (off))
#define FX_VA_LIMIT    UINT64_C(0x7fffffffffff)

/* The arena as the tests use it; above FX_DATA it is theirs. */
#define FX_EVENTS     UINT64_C(0x0)
#define FX_QUEUE      UINT64_C(0x8000) /* an amd_queue_t: pointers at their places */
#define FX_WPTR       (FX_QUEUE + 0x38)
#define FX_RPTR       (FX_QUEUE + 0x80)
#define FX_RING       UINT64_C(0x10000)
#define FX_RING_BYTES UINT64_C(4096)
#define FX_SIGNALS    UINT64_C(0x20000)
#define FX_IB         UINT64_C(0x30000)
#define FX_DATA       UINT64_C(0x100000)

#define FX_RW                                                                                      \
	(PTE_GFX9_VALID_MASK | PTE_GFX9_READABLE_MASK | PTE_GFX9_WRITEABLE_MASK |                  \
	 PTE_GFX9_EXECUTABLE_MASK)
#define FX_RO (PTE_GFX9_VALID_MASK | PTE_GFX9_READABLE_MASK)

struct fixture {
	struct gpu_ctrl *ctrl;
	struct gpu_pt_table *pt;
	uint32_t tables_used;
	unsigned char *arena, *bar;
	struct gpu_engine *engine;
	void *storage;
	uint64_t now_ns;
	unsigned int irq_calls;
	/* memory operations */
	unsigned int copies;
	uint64_t section, section_bytes, section_max;
	uintptr_t lost, lost_end; /* host range that refuses */
	bool lost_writes_only;
	void (*on_copy)(struct fixture *fx); /* called before each copy of a page or more */
};

int fx_setup(void **state);
int fx_teardown(void **state);

/* Map one leaf; tables are made on the way. @backing: with its kind. */
void fx_map(struct fixture *fx, unsigned int gpu, uint64_t va, uint64_t backing, uint64_t flags);
void fx_map_huge(struct fixture *fx, unsigned int gpu, uint64_t va, uint64_t backing,
		 uint64_t flags);
void fx_unmap(struct fixture *fx, unsigned int gpu, uint64_t va);
void fx_invalidate(struct fixture *fx, unsigned int gpu);

uint32_t *fx_words(struct fixture *fx, uint64_t off);
uint64_t *fx_u64(struct fixture *fx, uint64_t off);
/* Fill with bytes that tell their place. */
void fx_pattern(struct fixture *fx, uint64_t off, uint64_t len, uint32_t seed);
void fx_check_pattern(struct fixture *fx, uint64_t off, uint64_t len, uint32_t seed);

/* Slot 0: a running queue of GPU 0 with the pointers and the ring above. */
struct gpu_ctrl_queue *fx_queue(struct fixture *fx, enum gpu_queue_type type);
/* Another one, with pointers and ring at other places of the arena. */
struct gpu_ctrl_queue *fx_queue_at(struct fixture *fx, uint32_t slot, enum gpu_queue_type type,
				   uint64_t queue_off, uint64_t ring_off, uint64_t ring_bytes);
void fx_want(struct fixture *fx, struct gpu_ctrl_queue *cq, enum gpu_queue_want want);
/* Append words to the SDMA ring of slot 0 and move its write pointer. */
void fx_sdma(struct fixture *fx, const uint32_t *words, unsigned int n);
/* Store to the doorbell of a slot. */
void fx_ring(struct fixture *fx, uint32_t slot);
/* Ring all doorbells, then step until nothing works any more (a bounded number of times). Return: the last step's bits. */
unsigned int fx_run(struct fixture *fx);
/* Take the oldest interrupt; false: there is none. */
bool fx_irq(struct fixture *fx, struct gpu_irq *ret);
void fx_expect_irq(struct fixture *fx, enum gpu_irq_type type, uint32_t ctx);
void fx_expect_fault(struct fixture *fx, uint64_t va, uint32_t status);
void fx_expect_bad(struct fixture *fx, uint32_t word, uint32_t opcode);
void fx_expect_no_irq(struct fixture *fx);

#define FX_SDMA(fx, ...)                                                                           \
	fx_sdma(fx, (const uint32_t[]){ __VA_ARGS__ },                                             \
		sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define FX_LO(va)   (uint32_t)(va)
#define FX_HI(va)   (uint32_t)((uint64_t)(va) >> 32)
#define FX_ADDR(va) FX_LO(va), FX_HI(va)
#define FX_TEST(f)  cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

#endif
