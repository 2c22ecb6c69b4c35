/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_ENGINE_PRIV_H
#define VKFD_GPU_ENGINE_PRIV_H

/**
 * DOC: What the parts of the engine share
 *
 * The engine believes its own copy of everything: sizes are copied once at init,
 * a queue's parameters when it starts. What the client scribbles over the control
 * block later can stop or confuse its own queues, but no index or pointer of the
 * engine comes from it unchecked.
 *
 * A worker runs one queue at a time. Between gpu_worker_enter() and
 * gpu_worker_leave() (a section; ctrl.h says why) it may translate addresses and
 * hold host pointers; outside it holds none. One worker steps all queues today; the
 * arrays are there for more, which will need an owner per queue.
 *
 * Results of everything that touches a packet:
 *   0             the packet is complete
 *   -EINPROGRESS  a piece of it is: leave the section, then come again
 *   -EAGAIN       it waits for memory to change
 *   -ENODATA      there is no (whole) packet
 *   -EFAULT       it cannot reach memory; worker.fault says where
 *   -EINVAL       it is malformed or unknown; worker.bad says what
 */
#include <errno.h>
#include <string.h>
#include "gpu/dialect.h"
#include "gpu/engine.h"
#include "gpu/tlb.h"

/* Packets of one queue before the next one has its turn; a piece of a long one counts as four. */
#define GPU_STEP_BUDGET  16 /* of a queue of normal priority, see engine.c */
#define GPU_STEP_PIECE   4
#define GPU_BOUNCE_BYTES 4096
#define GPU_IB_DEPTH     4
#define GPU_SH_REGS      128
#define GPU_UCONFIG_REGS 8192
/* At most one for the packet, one for the refusal, one for the inactive signal. */
#define GPU_QUEUE_IRQS 3

struct gpu_fault_record {
	uint64_t va; /* of the first byte that could not be reached */
	uint32_t gpu;
	uint32_t status; /* enum gpu_fault bits */
};

struct gpu_bad_packet {
	uint32_t word; /* its first */
	uint32_t opcode;
	uint32_t aql; /* for queue_inactive_signal, AQL_ERROR_* */
};

/* struct gpu_ib - an indirect buffer being run */
struct gpu_ib {
	uint64_t va;
	uint32_t words;
	uint32_t pos;
};

/* How urgent a queue is: what the kernel makes of KFD's priorities. */
enum gpu_level { GPU_LEVEL_LOW, GPU_LEVEL_NORMAL, GPU_LEVEL_HIGH, GPU_LEVELS };

/* Where a compute queue is on its GPU's run list. */
enum gpu_place { GPU_PLACE_NOWHERE, GPU_PLACE_WAITING, GPU_PLACE_MAPPED };

/* struct gpu_queue - what the engine remembers of a slot of the control block */
struct gpu_queue {
	struct gpu_ctrl_queue *cq;
	uint32_t slot;
	uint32_t seen_seq; /* of want_seq; valid if @known */
	bool known;
	bool running;
	bool kept;    /* the slot was not free: the next RUN may go on with the packet */
	bool blocked; /* the last step ended in -EAGAIN, of a packet or of its interrupt */
	bool idle;    /* there was no packet, and the doorbell was at rest afterwards */
	/* as of its start */
	uint32_t type, gpu;
	uint64_t ring_va, ring_bytes;
	uint64_t rptr_va, wptr_va;
	const struct gpu_dialect_info *dialect; /* NULL: not understood */
	/* progress */
	uint64_t rptr;
	uint64_t done; /* of the packet at hand, in its own unit */
	uint64_t skip; /* SDMA: words behind the packet that belong to it, and are skipped */
	uint32_t call_words; /* PM4: of the ring's packet that runs @ib */
	uint64_t poll_ns; /* since when it polls with an end to it; 0: not */
	uint32_t depth; /* of @ib */
	struct gpu_ib ib[GPU_IB_DEPTH];
	uint32_t sh[GPU_SH_REGS]; /* COMPUTE_* registers as packets set them; 0 in a new queue */
	uint64_t atomic_old;      /* what the last ATOMIC_MEM found */
	uint64_t start_ts;
	uint32_t shown;       /* gpu_ctrl_queue.activity */
	uint32_t trace_op;    /* of the packet at hand: operation, sub-operation << 8 */
	uint32_t trace_epoch; /* see gpu/trace.h, as the next */
	uint64_t trace_begin_ns,
		trace_wait_ns; /* since when the packet is executed, or waits; 0: not */
	uint64_t trace_bytes;  /* that it has moved */
	/* the run list's */
	enum gpu_place place;
	bool counted;        /* in gpu_runlist.n_busy of @busy_gpu */
	uint32_t busy_gpu;
	uint32_t on_gpu;     /* whose list it is on */
	uint32_t turns;      /* since it was mapped */
	uint32_t prev, next; /* of those who wait: slots */
	uint32_t n_irqs;     /* raised by packets, but not in the interrupt ring yet */
	struct gpu_irq irq[GPU_QUEUE_IRQS];
};

struct gpu_worker {
	struct gpu_engine *engine;
	unsigned int index;
	uint64_t seq;   /* odd inside a section */
	uint32_t fresh; /* bit per GPU: its @generation was read in this section */
	uint32_t generation[GPU_MAX_GPUS];
	struct gpu_fault_record fault;
	struct gpu_bad_packet bad;
	bool brief; /* see gpu_engine_begin() */
	bool tracing;
	uint32_t trace_epoch;                              /* how often that has changed */
	struct gpu_trace_record trace_packets, trace_turn; /* kept back; 0 packets: none */
	struct gpu_tlb tlb;
	_Alignas(64) unsigned char bounce[GPU_BOUNCE_BYTES];
};

/* struct gpu_door - where a queue's doorbell is */
struct gpu_door {
	uint64_t word; /* host address; 0: nowhere */
	bool narrow;   /* of 4 bytes */
};

/* struct gpu_runlist - one GPU's, see runlist.h */
struct gpu_runlist {
	uint32_t n_mapped, n_waiting;
	uint32_t first, last; /* of those who wait: slots; valid if there are any */
	uint32_t n_busy;      /* queues of any kind that have work */
	uint32_t grant;       /* as it was looked at last, as the next */
	uint32_t answer;
	bool given_back;      /* nothing runs until the next grant */
	bool to_be_told;      /* the driver has still to hear of @answer */
};

/* struct gpu_busy - what a tick of gpu_engine_ops.ticks is, see busy.h */
struct gpu_busy {
	uint64_t first_ns, first_ticks;
	uint64_t ns_per_tick; /* times 2^32; 0: not known, or there is no such counter */
};

#define GPU_SLOT_WORDS (GPU_MAX_QUEUES / 64)

struct gpu_engine {
	struct gpu_ctrl *ctrl;
	const struct gpu_pt_table *pt;
	uint64_t arena, bar; /* host addresses */
	uint64_t arena_bytes, bar_bytes;
	uint32_t pt_tables, n_gpus;
	const struct gpu_engine_ops *ops;
	const struct gpu_mem_ops *mem;
	void *cookie;
	unsigned int n_workers;
	uint32_t cmd_seq;  /* every change of want before this one was obeyed */
	bool cmd_known;    /* @cmd_seq is valid */
	bool mapped_ready; /* the run list has let somebody in since the step began */
	bool shared;       /* some grant is not 0 */
	uint32_t look_at;  /* word of @idle to be looked at next */
	uint32_t rings;    /* doorbells taken */
	uint64_t active[GPU_LEVELS][GPU_SLOT_WORDS]; /* slots to be served */
	uint64_t idle[GPU_SLOT_WORDS];               /* slots that wait for their doorbell */
	struct gpu_runlist runlist[GPU_MAX_GPUS];
	struct gpu_busy busy;
	struct gpu_door door[GPU_MAX_QUEUES];
	struct gpu_worker worker[GPU_MAX_WORKERS];
	struct gpu_queue queue[GPU_MAX_QUEUES];
	uint32_t uconfig[GPU_MAX_GPUS][GPU_UCONFIG_REGS]; /* registers as packets set them */
	uint64_t sdma_ahead[GPU_MAX_GPUS]; /* of SDMA's local clock before the global one: ticks */
};

void gpu_worker_enter(struct gpu_worker *w);
void gpu_worker_leave(struct gpu_worker *w);
/* The GPU's clock now, in its own ticks. */
uint64_t gpu_worker_clock(struct gpu_worker *w, unsigned int gpu);

static inline int gpu_bad(struct gpu_worker *w, uint32_t word, uint32_t opcode, uint32_t aql)
{
	w->bad = (struct gpu_bad_packet){ .word = word, .opcode = opcode, .aql = aql };
	return -EINVAL;
}

#endif
