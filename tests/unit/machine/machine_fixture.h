/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_UNIT_MACHINE_FIXTURE_H
#define VKFD_TESTS_UNIT_MACHINE_FIXTURE_H

/**
 * DOC: A running machine with one client and the real engine, in one thread
 *
 * Regions are plain memory. Time is virtual: it moves when the driver naps. While
 * @engine_runs, the engine makes a step whenever the driver waits, so that what
 * needs an acknowledgement gets one; otherwise a test steps it by hand, or lets the
 * driver run into its timeouts, which cost nothing.
 */
#include "../base/support.h"

#include <errno.h>
#include "gpu/engine.h"
#include "machine/machine.h"
#include "mm/client.h"
#include "mm/device.h"
#include "mm/system.h"

#define FX_PT_TABLES   512
#define FX_ARENA_BYTES VKF_GIB(2)

/* What one client of the machine has. */
struct fx_client {
	struct machine_client *mc;
	struct machine_regions regions;
	unsigned char *arena, *bar;
	struct gpu_engine *engine;
	void *engine_storage;
	unsigned int n_punched, n_wakes;
	uint64_t filled_off, filled_len; /* the last fill */
};

struct machine_fixture {
	struct machine *m;
	struct fx_client a;
	bool engine_runs; /* of client a, whenever the driver waits */
	unsigned int n_irq_calls;
	void (*on_wait)(struct machine_fixture *fx); /* or this, whenever the driver waits */
};

/* The fixture of the test that runs; there is one at a time. */
extern struct machine_fixture fx;

/* Virtual now. */
uint64_t fx_now(void);

/* Make machines/@name.json, with @sets (NULL at the end, or NULL), and a client of it. */
void fx_open(const char *name, const char *const *sets);
/* Fails the test when anything is left. */
void fx_close(void);
void fx_client_open(struct fx_client *c);
void fx_client_close(struct fx_client *c);
/* The engine of client a runs from now on. */
void fx_engine_start(void);

/* mi210x2 with 256 MiB of VRAM each. */
int fx_setup(void **state);
int fx_teardown(void **state);
#define FX_TEST(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

/* Client a's VM on @gpu, seen by its engine. */
struct mm_vm *fx_vm(unsigned int gpu);
struct mm_bo *fx_bo(unsigned int home, enum mm_bo_kind kind, uint64_t size);
/* Map it as the driver does. */
struct mm_mapping *fx_map(struct mm_vm *vm, unsigned int gpu, struct mm_bo *bo, uint64_t va);
/* The bytes of a VRAM or GTT buffer of client a. */
void *fx_bytes(const struct mm_bo *bo);

/* A queue with its ring, pointers and doorbell in one buffer that is mapped at FX_QUEUE_VA. */
#define FX_QUEUE_VA   UINT64_C(0x100000000)
#define FX_RING_BYTES UINT64_C(4096)
struct fx_queue {
	struct mm_bo *bo;
	struct mm_mapping *mapping;
	struct machine_queue q;
	uint32_t *ring;
	uint64_t *rptr, *wptr;
	uint64_t written; /* bytes appended */
};

void fx_queue_open(struct fx_queue *fq, struct mm_vm *vm, unsigned int gpu);
void fx_queue_close(struct fx_queue *fq);
/* Append SDMA words and move the write pointer. */
void fx_queue_put(struct fx_queue *fq, const uint32_t *words, unsigned int n);
#define FX_PUT(fq, ...)                                                                            \
	fx_queue_put(fq, (const uint32_t[]){ __VA_ARGS__ },                                        \
		     sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define FX_ADDR(va)          (uint32_t)(va), (uint32_t)((uint64_t)(va) >> 32)
#define FX_FENCE(va, v)      5, FX_ADDR(va), (v)
#define FX_COPY(src, dst, n) 1, (uint32_t)(n)-1, 0, FX_ADDR(src), FX_ADDR(dst)
#define FX_TRAP(ctx)         6, (ctx)
/* Step the engine until it has nothing to do. */
void fx_run(void);

#endif
