/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_MACHINE_H
#define VKFD_MACHINE_MACHINE_H

/**
 * DOC: A running machine, and one client's hardware on it
 *
 * struct machine binds a profile to the memory manager: one mm_device per GPU.
 * struct machine_client is what one address space has of it: its control block,
 * page tables and BAR (shared with its engine, gpu/ctrl.h), its mm_client, its
 * queue slots. This is the only layer that sees both mm and gpu.
 *
 * kfd and drm are written against this header and mm's; they never see regions.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "gpu/ctrl.h"
#include "machine/profile.h"
#include "mm/bo.h"
#include "mm/vm.h"

struct machine;
struct machine_client;
struct machine_render;
struct mm_client;
struct mm_device;
struct mm_system;

/* Return: 0 or -ENOMEM. @profile is copied. */
int machine_create(const struct machine_profile *profile, struct machine **ret_machine);
/* No client and no open render node is left. */
void machine_destroy(struct machine *m);
const struct machine_profile *machine_profile(const struct machine *m);
struct mm_system *machine_system(struct machine *m);
struct mm_device *machine_device(struct machine *m, unsigned int gpu);
/* The GPU's number, or -ENODEV. 0 never matches. */
int machine_gpu_by_id(const struct machine *m, uint32_t gpu_id);
/* GPU clock: ticks of 10 ns, and their frequency in kHz. */
uint64_t machine_gpu_clock(const struct machine *m);
#define MACHINE_GPU_CLOCK_KHZ 100000

/* ------------------------------------------------ how a GPU reaches a buffer */

/* What ALLOC_MEMORY_OF_GPU's flags say that decides about entries. */
struct machine_access {
	enum mm_bo_kind kind : 8;
	bool writeable, executable, coherent, uncached, ext_coherent;
};

/**
 * machine_reach() - entries for a buffer of GPU @home in a VM of GPU @target
 *
 * MTYPE and snooping by the table of Linux 6.12 (gmc_v9_0_get_coherence_flags()).
 *
 * Return: 0 with @ret_attr filled, or -EINVAL when @target cannot reach it: VRAM, doorbells and
 * MMIO of another GPU that is neither in its hive nor accessible as a peer.
 */
int machine_reach(const struct machine *m, unsigned int home, unsigned int target,
		  const struct machine_access *access, struct mm_pte_attr *ret_attr);

/* ------------------------------------------------ one client's hardware */

struct machine_regions {
	struct gpu_ctrl *ctrl;       /* zeroed */
	struct gpu_pt_table *pt;     /* zeroed, sparse */
	uint32_t pt_tables;
	uint64_t arena_bytes;        /* sparse; the driver does not map it */
	uint64_t bar_bytes;          /* n_gpus * GPU_BAR_STRIDE at least */
	void (*punch)(void *cookie, uint64_t arena_off, uint64_t len);
	/* Every byte of a window becomes @byte: what the driver would do through its own mapping. */
	void (*fill)(void *cookie, uint64_t arena_off, uint64_t len, uint8_t byte);
	void (*wake_engine)(void *cookie); /* cmd_seq has moved and the engine is asleep */
	void *cookie;
	uint32_t number;             /* by which traces know this client; 0: by none */
};

/* Return: 0, -ENOMEM, or -EINVAL when a region is too small for the machine. */
int machine_client_create(struct machine *m, const struct machine_regions *regions,
			  struct machine_client **ret_client);
/* Stops nothing: the engine is gone, or told to quit, by now. Frees all that is left. */
void machine_client_destroy(struct machine_client *mc);
/* The engine is gone, or not to be waited for any more: it is told to quit, and every wait for it
 * ends, now and later, whatever the control block says. For good. Any task. */
void machine_client_engine_gone(struct machine_client *mc);
struct mm_client *machine_client_mm(struct machine_client *mc);
/* As machine_regions.number. */
uint32_t machine_client_number(const struct machine_client *mc);
/* While somebody traces: tell on at most @max of the records of its engine, which learns by this call
 * that it is to make some, or no more. Any task. */
void machine_client_trace(struct machine_client *mc, unsigned int max);
/*
 * Who is asked to stop the client's queues when its memory is wanted: see struct mm_client_ops.evict.
 * NULL: nobody, nothing runs; waits for a call that is under way.
 */
void machine_client_set_evict(struct machine_client *mc, bool (*evict)(void *cookie), void *cookie);
/*
 * Who is told when the engine is given up by a call that cannot say so: it did not leave an instruction
 * in time when entries had to go. Called with locks held; must not wait. NULL: nobody; waits as above.
 */
void machine_client_set_lost(struct machine_client *mc, void (*lost)(void *cookie), void *cookie);
struct machine *machine_client_machine(struct machine_client *mc);
/* The engine sees this VM from now on: GPU @gpu's root table. */
void machine_client_set_vm(struct machine_client *mc, unsigned int gpu, struct mm_vm *vm);
/* Where in the BAR region, and at which bus address, lie GPU @gpu's doorbell slice and MMIO page. */
uint64_t machine_doorbell_offset(unsigned int gpu);
uint64_t machine_mmio_offset(unsigned int gpu);
uint64_t machine_doorbell_bus(const struct machine *m, unsigned int gpu);
uint64_t machine_mmio_bus(const struct machine *m, unsigned int gpu);
/* The signal slots that interrupts are matched with, all of them unsignalled (ones) from now on;
 * @bo NULL: none. */
void machine_client_set_event_page(struct machine_client *mc, struct mm_bo *bo,
				   unsigned int n_slots);
bool machine_client_has_event_page(const struct machine_client *mc);

struct machine_queue {
	enum gpu_queue_type type;
	unsigned int gpu;
	uint32_t queue_id;
	uint32_t doorbell;           /* byte offset in the GPU's doorbell slice */
	uint64_t ring_va, ring_bytes, rptr_va, wptr_va;
	uint32_t priority;           /* KFD's, 0 to 15 */
};

/* Load a queue into a hardware slot, running or stopped. Return: the slot, or -ENOSPC. */
int machine_queue_load(struct machine_client *mc, const struct machine_queue *q, bool run);
/* Stop or run it; a stop returns when the engine has acknowledged it (bounded), so that nothing of
 * the queue is executing. Return: 0, or -ETIME when the engine did not answer. */
int machine_queue_run(struct machine_client *mc, int slot, bool run);
/* The same for @n at once: all are told before the first is waited for, so that a stop takes no
 * longer than that of the slowest, and the engine is given up once for all of them. */
int machine_queues_run(struct machine_client *mc, const int *slots, unsigned int n, bool run);
/* Another ring; only while stopped. */
void machine_queue_set_ring(struct machine_client *mc, int slot, uint64_t va, uint64_t bytes);
/* What it may use of each shader engine (GPU_MAX_ENGINES masks), from now on; all, if never told. */
void machine_queue_set_cu_mask(struct machine_client *mc, int slot, const uint32_t *mask);
/* How urgent it is from now on; running or not. */
void machine_queue_set_priority(struct machine_client *mc, int slot, uint32_t priority);
/* Stop it and free its slot. Return: as machine_queue_run(); the slot is freed in any case. */
int machine_queue_unload(struct machine_client *mc, int slot);
/* enum gpu_queue_error, and how many packets it has completed. */
unsigned int machine_queue_error(struct machine_client *mc, int slot);
uint64_t machine_queue_packets(struct machine_client *mc, int slot);
/* How long its packets were worked on, of an SDMA queue. */
uint64_t machine_queue_busy_ns(struct machine_client *mc, int slot);
/* What its last turn ended with, as the engine says. */
enum gpu_queue_activity machine_queue_activity(struct machine_client *mc, int slot);

/* What GPU @gpu is to this client from now on: a word as in gpu_ctrl_vm.grant, and how many compute
 * queues it may have on the hardware at once. Must not be called with a lock of rank LEAF. */
void machine_client_grant(struct machine_client *mc, unsigned int gpu, uint32_t grant);
void machine_client_set_slots(struct machine_client *mc, unsigned int gpu, uint32_t slots);
/* gpu_ctrl_vm.answer: what the client says, whoever it is. */
uint32_t machine_client_answer(struct machine_client *mc, unsigned int gpu);
/* Only one that is RUNNING has to obey a grant before it is obeyed, and has to be waited for. */
enum gpu_engine_state machine_client_engine(struct machine_client *mc);

/* Take the oldest interrupt out of the ring, its GPU and slot checked. False: none, or nothing but
 * such that name no GPU or slot in as many as the ring holds. One task at a time. */
bool machine_irq_next(struct machine_client *mc, struct gpu_irq *ret_irq);

/* ------------------------------------------------ render nodes and CPU mappings */

/**
 * DOC: struct machine_render - one open of a render node
 *
 * KFD takes its VM once (ACQUIRE_VM) and keeps the file; its buffers may be mapped
 * through it. Counted: the open file holds one reference, a KFD process another.
 */
int machine_render_open(struct machine *m, unsigned int gpu, struct machine_render **ret_render);
struct machine_render *machine_render_get(struct machine_render *r);
void machine_render_put(struct machine_render *r);
unsigned int machine_render_gpu(const struct machine_render *r);
struct machine *machine_render_machine(const struct machine_render *r);
/* Make its VM a compute VM. Return: 0, or -EINVAL when it is one already, or the render node has
 * mapped something. */
int machine_render_take_vm(struct machine_render *r);
/* The taker has gone. */
void machine_render_drop_vm(struct machine_render *r);

/* Give @bo a fake offset for mmap() of a render node of GPU @gpu, usable by @r only. Holds no
 * reference: the caller removes it before @bo goes. Return: 0, -ENOMEM. */
int machine_vma_add(struct machine *m, unsigned int gpu, struct machine_render *r,
		    struct mm_bo *bo, uint64_t *ret_offset);
void machine_vma_remove(struct machine *m, unsigned int gpu, uint64_t offset);

/* What a mapping of a device shows. */
enum machine_map_kind { MACHINE_MAP_ARENA, MACHINE_MAP_BAR };

struct machine_map {
	enum machine_map_kind kind;
	uint64_t offset;      /* in that region */
	bool dont_copy;       /* not inherited by fork */
	struct mm_client *owner; /* ARENA of a render node's mapping: whose; borrowed, only to compare */
};

/**
 * machine_render_mmap() - what mmap() of a render node shows
 * @prot, @flags: mmap's
 *
 * Return: 0 with @ret_map filled (a PROT_NONE private mapping is fine as well: the thunk does that);
 * -EINVAL: no buffer is exactly there, or a private mapping that could be written; -EACCES: the
 * buffer is not this file's; -EPERM: it has no CPU mapping (USERPTR).
 */
int machine_render_mmap(struct machine_render *r, uint64_t offset, uint64_t len, int prot,
			int flags, struct machine_map *ret_map);

#endif
