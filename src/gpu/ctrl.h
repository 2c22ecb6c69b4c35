/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_CTRL_H
#define VKFD_GPU_CTRL_H

/**
 * DOC: What the driver and the engine share
 *
 * One client process has one engine, which is the hardware of every GPU of the
 * machine as that client sees it. Between driver and engine lie three regions of
 * shared memory and nothing else:
 *
 * - the control block (struct gpu_ctrl): queues, generations, interrupts;
 * - the page tables (struct gpu_pt_table[]): written by the driver only;
 * - the BAR region: one doorbell slice and one MMIO page per GPU, as bytes.
 *
 * Each field says who writes it. Neither side trusts the other's words: the
 * engine checks every index before it uses it, and so does the driver, for the
 * client can scribble over the control block and the BAR.
 *
 * Quiescence: a worker makes its @seq odd before it translates an address and
 * even again when it holds no host pointer any more, at the latest after one
 * packet or GPU_CHUNK_BYTES of one. The driver clears entries, bumps the VM's
 * @generation, and waits until each worker is even or has moved on: from then on
 * no one can reach the old pages. A worker that finds a new generation drops its
 * TLB before it translates again.
 *
 * Stopping a queue: the driver sets @want, then bumps @want_seq and cmd_seq; the
 * engine acts at its next boundary and copies want_seq to @ack_seq. While no
 * engine is there (engine is not GPU_ENGINE_RUNNING or _ASLEEP) nothing runs and
 * nobody waits. Nor is an engine waited for that is ASLEEP: it runs nothing, and is
 * RUNNING before it looks at @want, which it does before it runs anything.
 *
 * Every change of @want bumps @want_seq, freeing a slot (NONE) too. A queue that is
 * stopped in the middle of a packet goes on inside that packet when RUN is the very
 * next change; after any other it begins the packet at @rptr anew. Who puts a new
 * queue into a slot clears the engine's fields (rptr, error, packets) before RUN.
 *
 * Sharing a GPU: clients know nothing of each other, so the driver says what of a
 * GPU each may use. @cp_queues is how many compute queues it may have on the hardware
 * at once. @grant is 0 while there is enough for all. Else the driver writes another
 * word whenever it changes its mind, with a number in the upper bits by which two of
 * them differ: with GPU_GRANT_OFF no queue of that GPU runs, as if it had no work;
 * with GPU_GRANT_WANTED it is the client's until it is idle there, and then it is
 * given back, without asking, until the next word. The engine looks at @grant before
 * every packet. In @answer it says with the number of the word that it has obeyed what
 * it would do, and when that may make a difference it raises GPU_IRQ_SHARE.
 *
 * Generations only grow. The bump, and the reading of a worker's @seq after it, are
 * sequentially consistent.
 */
#include <stdatomic.h>
#include <stdint.h>
#include "base/macro.h"

#define GPU_CTRL_MAGIC UINT32_C(0x564b4644) /* "VKFD" */
#define GPU_CTRL_VERSION 7

#define GPU_MAX_GPUS 16
#define GPU_MAX_QUEUES 1024 /* of one client, all GPUs together */
#define GPU_MAX_WORKERS 4
#define GPU_IRQ_ENTRIES 1024 /* a power of two */
#define GPU_MAX_TRAPS 32
#define GPU_MAX_ENGINES 8 /* shader engines of one GPU */
#define GPU_TRACE_ENTRIES 4096 /* a power of two */

#define GPU_CHUNK_BYTES (UINT32_C(1) << 20) /* the longest a worker stays odd */

/* A GPU's share of the BAR region: its doorbell slice, then its MMIO page. */
#define GPU_BAR_STRIDE UINT64_C(16384)
#define GPU_BAR_DOORBELLS UINT64_C(0)
#define GPU_BAR_MMIO UINT64_C(8192)

/**
 * struct gpu_pt_table - one page table (or directory) and where its entries lead
 * @pte: the hardware's words; see spec/pte_gfx9.bits
 * @link: for a directory entry the index of the next table in the region; for a
 *	leaf (a PTE, or a PDE0 with pde_pte) its backing, see GPU_BACKING_*
 *
 * Table 0 is never used: index 0 means none. The writer stores @link before it
 * sets valid in @pte (release), and the reader loads @pte first (acquire).
 */
struct gpu_pt_table {
	_Atomic uint64_t pte[512];
	_Atomic uint64_t link[512];
};

#define GPU_PT_TABLE_BYTES sizeof(struct gpu_pt_table)
/* Levels of a walk, root first: each takes 9 bits of the 48-bit address. */
enum { GPU_PT_PDB2, GPU_PT_PDB1, GPU_PT_PDB0, GPU_PT_PTB, GPU_PT_LEVELS };

/* A backing: a page-aligned address with its kind in the low bits. */
#define GPU_BACKING_KIND UINT64_C(0xfff)
#define GPU_BACKING_ARENA 1 /* offset in the client's arena */
#define GPU_BACKING_USER 2  /* address in the client's address space */
#define GPU_BACKING_BAR 3   /* offset in the BAR region */

enum gpu_queue_type {
	GPU_QUEUE_PM4 = 0, /* the numbers of KFD's uapi */
	GPU_QUEUE_SDMA = 1,
	GPU_QUEUE_AQL = 2,
	GPU_QUEUE_SDMA_XGMI = 3,
};

enum gpu_queue_want { GPU_WANT_NONE, GPU_WANT_STOP, GPU_WANT_RUN };

/* Why the engine gave a queue up; it stays stopped until it is created anew. */
enum gpu_queue_error { GPU_QERR_NONE, GPU_QERR_FAULT, GPU_QERR_PACKET };

/* For those who watch; nothing depends on it. */
enum gpu_queue_activity { GPU_QUEUE_IDLE, GPU_QUEUE_WORKS, GPU_QUEUE_WAITS };

/* struct gpu_ctrl_queue - one user queue; @want NONE means the slot is free */
struct gpu_ctrl_queue {
	/* driver */
	_Atomic uint32_t want;     /* enum gpu_queue_want */
	_Atomic uint32_t want_seq;
	uint32_t type;             /* enum gpu_queue_type; these stay as they are while want != NONE */
	uint32_t gpu;
	uint32_t queue_id;         /* KFD's */
	uint32_t doorbell;         /* byte offset in the BAR region, a multiple of its size */
	_Atomic uint64_t ring_va;  /* may be changed by UPDATE_QUEUE while stopped */
	_Atomic uint64_t ring_bytes;
	uint64_t rptr_va, wptr_va;
	_Atomic uint32_t priority; /* 0 to 15, KFD's; may change at any time */
	_Atomic uint32_t cu_mask[GPU_MAX_ENGINES]; /* of each shader engine; seen at the next RUN */
	uint32_t pad;
	/* engine */
	_Atomic uint32_t ack_seq;
	_Atomic uint32_t error;    /* enum gpu_queue_error */
	_Atomic uint64_t rptr;     /* progress in the queue's own unit; survives stop and run */
	_Atomic uint64_t packets;  /* how many were completed */
	_Atomic uint32_t activity; /* enum gpu_queue_activity, at the end of its last turn */
	_Atomic uint64_t busy_ns;  /* of an SDMA queue: how long its packets were worked on */
};

/* How a GPU's SDMA and PM4 packets are laid out. AQL's are the same for all. */
enum gpu_dialect {
	GPU_DIALECT_GFX9,
	GPU_DIALECT_GFX90A,
	GPU_DIALECT_GFX8,
	GPU_DIALECT_OTHER, /* not understood: every packet is a bad one */
};

/* Bits of gpu_ctrl_vm.grant; the others are its number. */
#define GPU_GRANT_OFF    1u
#define GPU_GRANT_WANTED 2u
#define GPU_GRANT_NUMBER (~UINT32_C(0xff))

/* The lower bits of gpu_ctrl_vm.answer; the others are the number of the grant that was obeyed. */
enum gpu_share {
	GPU_SHARE_IDLE, /* it has no work for this GPU */
	GPU_SHARE_USES, /* it has, and may do it */
	GPU_SHARE_ASKS, /* it has, and may not: it was told so, or has given the GPU back */
};

/* struct gpu_ctrl_vm - one GPU as this client sees it; written by the driver */
struct gpu_ctrl_vm {
	_Atomic uint32_t root;       /* index of the root table, 0 = no VM */
	_Atomic uint32_t generation;
	uint32_t clock_khz;          /* of timestamps: 100000 for 100 MHz */
	uint32_t dialect;            /* enum gpu_dialect */
	uint64_t va_limit;           /* highest address the VM can name */
	uint32_t doorbell_bytes;     /* 8; 4 before SOC15 */
	_Atomic uint32_t cp_queues;  /* how many compute queues the hardware runs at once */
	_Atomic uint32_t grant;      /* see "Sharing a GPU" */
	_Atomic uint32_t answer;     /* engine */
	uint32_t pad;
};

enum gpu_irq_type {
	GPU_IRQ_NONE,
	GPU_IRQ_EVENT,      /* @ctx: event id that a TRAP or end-of-pipe names */
	GPU_IRQ_VM_FAULT,   /* @va, @status: enum gpu_fault bits; the queue is given up, but with
			     * GPU_FAULT_HOST it waits for STOP and RUN, and tries again */
	GPU_IRQ_BAD_PACKET, /* @ctx: first word of the packet, @status: its opcode; queue given up */
	GPU_IRQ_SHARE,      /* gpu_ctrl_vm.answer is another one; of no slot */
};

enum gpu_fault {
	GPU_FAULT_NOT_PRESENT = 1,
	GPU_FAULT_WRITE = 2,      /* the access was a write */
	GPU_FAULT_READ_ONLY = 4,  /* present, but not writeable */
	GPU_FAULT_NO_EXECUTE = 8,
	GPU_FAULT_HOST = 16,      /* translated, but the host page was gone: a userptr unmapped */
};

struct gpu_irq {
	uint32_t type; /* enum gpu_irq_type */
	uint32_t gpu;
	uint32_t slot; /* index in gpu_ctrl.queue */
	uint32_t ctx;
	uint64_t va;
	uint32_t status;
	uint32_t pad;
};

struct gpu_ctrl_worker {
	_Atomic uint64_t seq; /* engine: odd inside an instruction */
	uint64_t pad[7];
};

enum gpu_engine_state { GPU_ENGINE_NONE, GPU_ENGINE_RUNNING, GPU_ENGINE_ASLEEP, GPU_ENGINE_DEAD };

/* Where the program has mapped doorbells, so that the engine can write-protect them. */
struct gpu_ctrl_trap {
	_Atomic uint64_t addr; /* shim; 0 = free */
	_Atomic uint64_t len;
};

enum gpu_trace_kind {
	GPU_TRACE_PACKETS, /* packets of one operation that were executed */
	GPU_TRACE_WAIT,    /* a packet waited for memory to change */
	GPU_TRACE_TURN,    /* the engine worked on this queue: @packets counts the pieces, too */
};

/* struct gpu_trace_record - a span of a queue's time, on the driver's clock */
struct gpu_trace_record {
	uint64_t begin_ns, end_ns;
	uint32_t kind;     /* enum gpu_trace_kind */
	uint32_t slot;
	uint32_t queue_id; /* as the slot said then */
	uint16_t gpu, type;
	uint32_t op;       /* of the packets: operation, sub-operation << 8 */
	uint32_t packets;
	uint64_t bytes;    /* that they copied, wrote or filled */
};

struct gpu_ctrl_trace {
	_Atomic uint32_t on;   /* driver: somebody wants records */
	_Atomic uint32_t lock; /* workers */
	_Atomic uint32_t wptr; /* engine */
	_Atomic uint32_t rptr; /* driver */
	_Atomic uint32_t lost; /* engine: records that found no room, or no lock */
	struct gpu_trace_record record[GPU_TRACE_ENTRIES];
};

struct gpu_ctrl {
	/* driver, once */
	uint32_t magic, version;
	uint32_t n_gpus;
	uint32_t pt_tables;          /* capacity of the table region */
	uint64_t arena_bytes, bar_bytes;
	/* driver */
	_Atomic uint32_t quit;       /* the engine ends */
	_Atomic uint32_t cmd_seq;    /* bumped after every change the engine should see */
	_Atomic uint64_t event_page; /* arena offset of the signal slots plus one; 0 = none */
	_Atomic uint32_t event_slots;
	/* engine */
	_Atomic uint32_t engine;     /* enum gpu_engine_state */
	_Atomic uint32_t n_queues;   /* driver: one past the highest slot ever used */
	_Atomic uint32_t irq_lock;   /* workers */
	_Atomic uint32_t irq_wptr;   /* engine; the driver's interrupt task sleeps on it (futex) */
	_Atomic uint32_t irq_rptr;   /* driver */
	struct gpu_ctrl_trap trap[GPU_MAX_TRAPS];
	struct gpu_ctrl_vm vm[GPU_MAX_GPUS];
	struct gpu_ctrl_worker worker[GPU_MAX_WORKERS];
	struct gpu_irq irq[GPU_IRQ_ENTRIES];
	struct gpu_ctrl_queue queue[GPU_MAX_QUEUES];
	struct gpu_ctrl_trace trace;
};

#endif
