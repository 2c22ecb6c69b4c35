/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_BO_H
#define VKFD_MM_BO_H

/**
 * DOC: Buffer objects
 *
 * A buffer has a size, a place (where its bytes are said to be: VRAM blocks of a
 * GPU, GTT, system, or none of ours), a backing (where they really are: a window
 * of the client's arena, the client's own pages, or the BAR), and a reservation
 * with its fences. Moving changes the place, page tables and fences; the backing
 * stays for life.
 *
 * Its charge against the limits is taken at creation and given back with the last
 * reference, which mappings, handles, exports and CPU mappings hold.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/macro.h"
#include "mm/places.h"

struct mm_bo;
struct mm_client;
struct mm_device;
struct mm_resv;
struct mm_vm;

enum mm_bo_kind {
	MM_BO_VRAM,
	MM_BO_GTT,
	MM_BO_USERPTR,  /* client's pages; never evicted, never pinned */
	MM_BO_BAR,      /* doorbells or MMIO of the home GPU; pinned, not charged */
};

struct mm_bo_params {
	enum mm_bo_kind kind;
	uint64_t size;          /* bytes; rounded up to pages */
	uint64_t user_addr;     /* USERPTR: page-aligned address in the client */
	uint64_t bar_offset;    /* BAR: offset in the client's BAR region */
	uint64_t bar_bus;       /* BAR: its bus address */
	bool contiguous;        /* VRAM: try one range first; pinned, it is in one range */
	bool cpu_access;        /* VRAM: prefer the visible part */
	bool charge_as_gtt;     /* VRAM|GTT asked for together: placed in VRAM, charged as GTT */
	struct mm_vm *vm;       /* share its reservation, for life ("always valid"); NULL: do not */
	struct mm_places places; /* VRAM and GTT: where it may be; none: where @kind says, only */
};

/**
 * mm_bo_create() - make, charge and place a buffer
 * @home: the GPU it was asked for on
 *
 * Return: 0; -EINVAL: size 0 or beyond the address range, an address that is no multiple of a
 * page, or a list of places that makes no sense; -EPERM: a VM of another client; -ENOMEM: over a
 * limit, no room in VRAM or in the arena, or out of memory; -EFAULT: client
 * addresses that no program has (looked at after the limits); -ERESTARTSYS (512): a signal came while
 * room was being made. Nothing is charged on failure, but what made room for it stays evicted.
 *
 * The place may still be on its way out for somebody else: the move's fence is KERNEL on the new
 * buffer, so creation waits for nobody's queues.
 */
int mm_bo_create(struct mm_client *client, struct mm_device *home,
		 const struct mm_bo_params *params, struct mm_bo **ret_bo);
struct mm_bo *mm_bo_get(struct mm_bo *bo);
/*
 * The last one frees it, once its fences have signalled: at once, or in whoever signals the last of
 * them. The caller holds no lock of rank LRU or inner. NULL is fine.
 */
void mm_bo_put(struct mm_bo *bo);

uint64_t mm_bo_size(const struct mm_bo *bo);
enum mm_bo_kind mm_bo_kind(const struct mm_bo *bo);
struct mm_device *mm_bo_home(const struct mm_bo *bo);
/* Whose it is, and in whose arena its window lies. Borrowed. */
struct mm_client *mm_bo_client(const struct mm_bo *bo);
/* Not one that shares a VM's reservation: its fences are nobody else's business. */
bool mm_bo_is_exportable(const struct mm_bo *bo);
struct mm_resv *mm_bo_resv(struct mm_bo *bo);
/* VRAM and GTT: where in the arena. For other kinds UINT64_MAX. */
vkf_arena mm_bo_arena(const struct mm_bo *bo);

/* The CPU, or a peer through the BAR, was let in, so that moving it out of sight would cost: what
 * amdgpu's CPU_ACCESS_REQUIRED says. Takes no lock. */
void mm_bo_note_cpu_access(struct mm_bo *bo);
bool mm_bo_has_cpu_access(const struct mm_bo *bo);

#endif
