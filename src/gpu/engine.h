/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_ENGINE_H
#define VKFD_GPU_ENGINE_H

/**
 * DOC: The engine: a GPU's front end, one step at a time
 *
 * Pure code: it owns no thread, makes no call of the system and allocates nothing.
 * Whoever runs it (a process of its own beside the client, a thread of it, a
 * coroutine of the simulator, a test) calls gpu_engine_step() again and again, and
 * sleeps when it says that there is nothing to do.
 *
 * Memory that a packet names may vanish while it is used (the program unmaps it),
 * so every access to client memory goes through struct gpu_mem_ops, which turns
 * a host fault into -EFAULT; the engine makes a VM fault of it.
 */
#include <stddef.h>
#include "gpu/ctrl.h"

struct gpu_engine; /* engine_priv.h: embedded by those who provide the storage */

/* Every access to memory outside the engine. @addr is a host address, naturally aligned for the
 * sized ones. Return: 0, or -EFAULT when the page is gone. */
struct gpu_mem_ops {
	int (*copy)(void *cookie, void *dst, const void *src,
		    size_t len); /* both sides may fault */
	int (*fill)(void *cookie, void *dst, uint32_t word,
		    size_t len); /* len and dst of 4, or bytes alike */
	int (*load32)(void *cookie, const void *addr, uint32_t *ret); /* acquire */
	int (*load64)(void *cookie, const void *addr, uint64_t *ret);
	int (*store32)(void *cookie, void *addr, uint32_t v); /* release */
	int (*store64)(void *cookie, void *addr, uint64_t v);
	int (*add64)(void *cookie, void *addr, uint64_t v); /* locked, sequentially consistent */
	/* If *addr is *expected, store @desired; @expected becomes what was found. Locked. */
	int (*cas32)(void *cookie, void *addr, uint32_t *expected, uint32_t desired);
	int (*cas64)(void *cookie, void *addr, uint64_t *expected, uint64_t desired);
};

struct gpu_engine_ops {
	const struct gpu_mem_ops *mem;
	uint64_t (*now_ns)(void *cookie); /* the driver's clock: timestamps agree with it */
	uint64_t (*ticks)(
		void *cookie);       /* a counter of any constant rate that costs less; or NULL */
	void (*irq)(void *cookie);   /* an interrupt was queued: wake the driver's task */
	void (*relax)(void *cookie); /* waiting for another worker or for the driver */
};

struct gpu_engine_config {
	struct gpu_ctrl *ctrl;
	const struct gpu_pt_table *pt;
	void *arena; /* where the client's arena is mapped */
	void *bar;
	const struct gpu_engine_ops *ops;
	void *cookie;
};

/* What a step found; none set: nothing to do until a doorbell, cmd_seq or the poll timer. */
enum gpu_step {
	GPU_STEP_WORKED = 1,  /* at least one packet made progress: call again at once */
	GPU_STEP_WAITING = 2, /* some queue waits for memory to change: call again soon */
	GPU_STEP_QUIT = 4,
};

/* Bytes and alignment that the caller provides for one engine. */
size_t gpu_engine_size(void);
/* @storage: gpu_engine_size() zeroed bytes, 64-byte aligned. Return: 0, or -EINVAL when the
 * control block has another magic or version. */
int gpu_engine_init(void *storage, const struct gpu_engine_config *config,
		    struct gpu_engine **ret_engine);
/* One round over all queues that have work, a bounded number of packets each: the urgent ones
 * first, and more of theirs. A queue whose ring was empty is looked at when its doorbell has been
 * rung. */
unsigned int gpu_engine_step(struct gpu_engine *engine);
/* The same, but no queue goes on with a packet so long that it is done in pieces: somebody waits. */
unsigned int gpu_engine_begin(struct gpu_engine *engine);
/* Somebody is about to store to the doorbell at @bar_offset: as if it had. What it rings for is there
 * already. */
void gpu_engine_ring(struct gpu_engine *engine, uint64_t bar_offset);
/* How many doorbells were ever taken note of; wraps. */
uint32_t gpu_engine_rings(const struct gpu_engine *engine);
/* Whether a step would do anything: a change of want, a packet, a doorbell that was rung. The
 * re-read of the doorbell protocol, after write-protection and before sleeping. */
bool gpu_engine_pending(struct gpu_engine *engine);
/* Mark the control block: the driver stops waiting for this engine. */
void gpu_engine_set_state(struct gpu_engine *engine, enum gpu_engine_state state);

#endif
