/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_SIM_PROGRAM_H
#define VKFD_TESTS_SIM_PROGRAM_H

/**
 * DOC: Programs for a simulated machine
 *
 * A program does what a runtime does, in an order that the seed chooses: it
 * acquires GPUs, allocates, maps, makes queues, writes packets, rings, waits,
 * looks at every byte, unmaps, frees. It keeps a model of what it has, so it knows
 * what each call must answer; an answer that the model forbids ends the run.
 *
 * struct prog is one thread's; what threads of a process share is struct prog_shared.
 */
#include <linux/kfd_ioctl.h>

#include "machine_sim.h"

#define PROG_BUFS    12
#define PROG_QUEUES  3
#define PROG_EVENTS  5
#define PROG_FLIGHTS 4
#define PROG_SIGNALS 64 /* one of each flight, one that may hold it up, and spare ones */

enum prog_kind { PROG_VRAM, PROG_GTT, PROG_USER, PROG_N_KINDS };

/* struct prog_content - what is known to be in [@at, @at + @len) of a buffer, in multiples of 8
 * but where there are @bytes: these, or the pattern of @seed */
struct prog_content {
	uint64_t seed, at, len;
	unsigned char *bytes; /* from malloc() */
};

/* struct prog_buf - a buffer, and what must be in it */
struct prog_buf {
	bool live, writable, aql;
	bool imported; /* from a dma-buf: not counted as its process's VRAM */
	bool charged;  /* its memory counts as wanted; of several handles on one buffer one is */
	enum prog_kind kind;
	unsigned int home;
	uint64_t handle, size, va;
	unsigned char *cpu;
	uint32_t mapped, unsynced; /* a bit for each GPU; where entries may not be written yet */
	unsigned int readers, writers; /* flights that read or write it */
	struct prog_content content;
};

struct prog_queue {
	bool live, broken, stopped;
	uint32_t type, id;
	unsigned int gpu;
	struct prog_buf *ring, *pointers, *cwsr, *eop;
	struct prog_buf bufs[4];
	uint32_t ring_bytes;
	uint64_t wptr; /* bytes for SDMA, packets for AQL, words for PM4 */
	bool has_gws;
	volatile uint64_t *doorbell;
	unsigned int n_flights;
};

/* struct prog_flight - packets that were submitted, with what will then be true */
struct prog_flight {
	struct prog_queue *q; /* NULL: free */
	unsigned int signal;
	unsigned int held; /* the signal that it waits for, or 0 */
	struct prog_batch *batch;
	struct prog_buf *src, *dst;
	uint64_t src_at, dst_at, len;
};

struct prog_event {
	bool live, auto_reset, signaled;
	uint32_t id;
};

enum prog_gpu_state { PROG_GPU_RUNS, PROG_GPU_FAULTING, PROG_GPU_STOPPED };

struct prog_shared {
	bool ready;
	int kfd, render[MACHINE_MAX_GPUS];
	enum prog_gpu_state gpu[MACHINE_MAX_GPUS]; /* after a VM fault nothing runs there */
	struct prog_buf page;                      /* of events */
	unsigned int n_buffers, n_queues, n_events;
	uint64_t vram[MACHINE_MAX_GPUS];
	/* its part of what struct msim counts */
	uint64_t wanted[MACHINE_MAX_GPUS], wanted_system;
	unsigned int wanted_sdma[MACHINE_MAX_GPUS];
};

struct prog {
	struct msim *m;
	struct msim_process *p;
	struct msim_thread *t;
	struct prog_shared *s;
	uint64_t va_base;
	struct prog_buf bufs[PROG_BUFS];
	struct prog_queue queues[PROG_QUEUES];
	struct prog_flight flights[PROG_FLIGHTS];
	struct prog_event events[PROG_EVENTS];
	struct prog_buf signals; /* AQL signals, 64 bytes each */
	uint32_t done_event, memory_event, hw_event;
	uint64_t n_patterns;
	bool told;  /* that the process was lost, or it need not be: that was before it could listen
		     */
	int smi_fd; /* plus one; 0: none */
	unsigned int smi_gpu;
	uint64_t n_flights; /* landed */
};

struct prog_config {
	unsigned int n_steps, n_threads;
	unsigned int fault_odds; /* one in so many steps makes a GPU or a queue fail, on purpose */
	unsigned int reset_odds; /* one in so many of these is a reset, of all; 0: none */
	unsigned int death_odds; /* one in so many steps is the last */
	uint32_t longest_ms;     /* of a wait that nobody need end; 0: an hour */
	bool pressure; /* most buffers are of some megabytes, and want to be in the VRAM of GPU 0 */
	unsigned int plant_step; /* not 0: a wild store of the program's own at this step */
};

/* For msim_start(); the thread's @arg is a struct prog_config. */
void prog_main(struct msim_thread *t);
/* The same, of a process that only waits for events. */
void prog_pingpong_main(struct msim_thread *t);

/* The pieces, for tests that have a plan of their own. First, in the first thread: */
void prog_share(struct msim_process *p);
void prog_begin(struct prog *pr, struct msim_thread *t);
/* Free all it has, in any order. */
void prog_end(struct prog *pr);
int prog_alloc(struct prog *pr, struct prog_buf *b, enum prog_kind kind, unsigned int home,
	       uint64_t size, uint32_t flags);
int prog_map(struct prog *pr, struct prog_buf *b, uint32_t gpus);
int prog_unmap(struct prog *pr, struct prog_buf *b, uint32_t gpus);
int prog_free(struct prog *pr, struct prog_buf *b);
/* A descriptor of @b's memory. Return: it, or a negative errno. */
int prog_export(struct prog *pr, struct prog_buf *b);
/* Another handle on @from's memory, with what is in it. */
int prog_import(struct prog *pr, struct prog_buf *b, const struct prog_buf *from, int fd);
/* Fill some part of @b, or this one, with a new pattern; nothing else of it is known then. */
void prog_fill(struct prog *pr, struct prog_buf *b);
void prog_fill_range(struct prog *pr, struct prog_buf *b, uint64_t at, uint64_t len);
/* What is known of @b is so. */
void prog_verify(struct prog *pr, const struct prog_buf *b);
int prog_queue_create(struct prog *pr, struct prog_queue *q, uint32_t type, unsigned int gpu);
int prog_queue_destroy(struct prog *pr, struct prog_queue *q);
/* Return: a flight, or NULL when the queue takes no more. */
struct prog_flight *prog_copy(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
			      struct prog_buf *src, uint64_t len);
/* Offsets and length are multiples of 8. */
struct prog_flight *prog_copy_range(struct prog *pr, struct prog_queue *q, struct prog_buf *dst,
				    uint64_t dst_at, struct prog_buf *src, uint64_t src_at,
				    uint64_t len);
/* True when its packets are done, and what they should have done is so. */
bool prog_land(struct prog *pr, struct prog_flight *f);
int prog_wait(struct prog *pr, const uint32_t *ids, unsigned int n, bool all, uint32_t timeout_ms,
	      uint32_t *ret_result);
int prog_event_create(struct prog *pr, uint32_t type, bool auto_reset, uint32_t *ret_id);
int prog_event_call(struct prog *pr, unsigned long cmd, uint32_t id);

#endif
