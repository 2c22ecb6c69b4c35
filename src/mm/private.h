/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PRIVATE_H
#define VKFD_MM_PRIVATE_H

/**
 * DOC: The objects of mm, as its own files see them
 *
 * Only files of mm include this. Locks, outermost first: client.lock (rank
 * MM_CLIENT), vm.lock (VM), reservations (RESV), manager locks and
 * client.space_lock (LRU, never two at once), fences and timelines (FENCE), and
 * system.lock, quota, mm_bus and client.pt_lock (LEAF).
 *
 * Who holds whom: a VM and a buffer hold their client, a mapping holds its buffer.
 * Devices and the system outlive all of them.
 */
#include "base/lock.h"
#include "base/ref.h"
#include "base/tree.h"
#include "mm/bo.h"
#include "mm/client.h"
#include "mm/device.h"
#include "mm/eviction.h"
#include "mm/gtt.h"
#include "mm/pt_update.h"
#include "mm/quota.h"
#include "mm/resv.h"
#include "mm/swap.h"
#include "mm/system.h"
#include "mm/timeline.h"
#include "mm/userptr.h"
#include "mm/va.h"
#include "mm/vm.h"
#include "mm/vram.h"

struct mm_system {
	struct mm_quota quota;
	struct mm_bus bus;
	struct mm_gtt user;          /* pages of clients: counted, not limited */
	struct mm_swap swap;         /* what no GPU reaches: buffers out of GTT */
	uint64_t ram_bytes;          /* constant */
	_Atomic uint64_t n_contexts; /* fence contexts handed out */
	struct vkf_mutex lock;       /* rank LEAF */
	struct vkf_list devices;     /* of mm_device.link; protected by @lock */
	struct vkf_list clients;     /* of mm_client.link; protected by @lock */
};

/* A number no other fence of this system has as its context; never 0. */
uint64_t mm_system_new_context(struct mm_system *system);

struct mm_device {
	struct mm_system *system;
	struct mm_device_config config; /* constant */
	struct mm_vram vram;
	struct mm_gtt gtt;
	struct mm_quota_gpu quota;      /* protected by the system's quota.lock */
	struct mm_timeline moves;       /* of buffers whose home it is */
	_Atomic uint64_t n_tables;      /* page tables in VRAM */
	struct vkf_list link;           /* protected by system.lock */
};

struct mm_client {
	struct vkf_ref ref;
	struct mm_system *system;
	struct mm_client_config config;
	struct vkf_list link;           /* protected by system.lock */

	struct vkf_mutex lock;          /* rank MM_CLIENT */
	struct vkf_list vms;            /* of mm_vm.link; protected by @lock */

	uint64_t evict_context;         /* constant */
	atomic_ulong evict_seqno;
	struct mm_fence *eviction;      /* changed with @lock and @space_lock; a reference */
	atomic_bool evicted;            /* it has signalled, or is about to; no new one yet */
	_Atomic uint64_t restored_ns;   /* when it was made, or last restored */

	struct vkf_mutex space_lock;    /* rank LRU; protects what follows */
	struct mm_buddy arena;
	struct vkf_list bos;            /* of mm_bo.link: until they are freed */
	struct vkf_ranges userptrs;     /* of mm_userptr.range */
	uint64_t n_dying;               /* buffers without a reference, not yet freed */
	bool closed;                    /* config.ops must not be called any more */
	struct vkf_cond died;           /* n_dying has become 0 */

	struct vkf_mutex pt_lock;       /* rank LEAF; protects what follows */
	uint64_t *pt_used;              /* bitmap of tables */
	uint32_t pt_hint;               /* no free table below it */
	uint32_t n_pt_used;
};

void mm_client_get(struct mm_client *client);
void mm_client_put(struct mm_client *client);
/* A page table of the region. Return: 0 or -ENOMEM. */
int mm_client_alloc_table(struct mm_client *client, uint32_t *ret_index);
void mm_client_free_table(struct mm_client *client, uint32_t index);
struct mm_pt_words *mm_client_table(struct mm_client *client, uint32_t index);

struct mm_bo {
	struct vkf_ref ref;
	enum mm_bo_kind kind;          /* constant, as all up to @window */
	struct mm_client *client;      /* a reference */
	struct mm_device *home;
	uint64_t size;
	enum mm_charge charge;
	struct mm_placement placement;
	vkf_bus bar_bus;               /* BAR */
	uint64_t bar_offset;           /* BAR */
	struct mm_userptr user;        /* USERPTR; range protected by client.space_lock */
	struct mm_buddy_block *window; /* VRAM and GTT: where the bytes are */

	struct mm_resv *resv;          /* constant: whose lock protects what follows */
	struct mm_resv own_resv;
	struct mm_resource res;        /* where the bytes are said to be */
	unsigned int n_pinned;
	struct vkf_list mappings;      /* of mm_mapping.of_bo */

	atomic_bool cpu_access;        /* a hint that stands alone */
	struct mm_fence_cb idle;       /* once the last reference is gone */
	struct vkf_list link;          /* protected by client.space_lock */
};

/* What a page-table entry's link says of the first page. */
uint64_t mm_bo_link(const struct mm_bo *bo);
/* Whether its bytes are said to be in VRAM now; its reservation is held. */
bool mm_bo_in_vram(const struct mm_bo *bo);
/* Whether moves are for it: not for user pages and registers. */
bool mm_bo_has_window(const struct mm_bo *bo);
/*
 * Bring it to its own domain, with the reservation held; who uses it must wait for its KERNEL
 * fences. Return: as mm_place().
 */
int mm_bo_validate_locked(struct mm_bo *bo, const struct mm_op *op);
/* To GTT, when there is no room where it belongs. The same. */
int mm_bo_validate_fallback_locked(struct mm_bo *bo, const struct mm_op *op);

struct mm_vm {
	struct mm_client *client;      /* a reference */
	struct mm_device *dev;
	struct vkf_list link;          /* protected by client.lock */
	struct mm_resv resv;           /* fences of updates and eviction, as BOOKKEEP */
	struct mm_timeline paging;     /* of updates of its tables */
	struct vkf_mutex lock;         /* rank VM; protects what follows */
	struct mm_va va;
	struct mm_pt_tree pt;
	struct mm_fence *last_update;  /* a reference, or NULL when it has signalled */
};

/* Write the entries of @m anew. Its VM's lock and both reservations are held. Return: 0 or -ENOMEM. */
int mm_vm_rewrite_locked(struct mm_mapping *m);

/* What both ways of mapping have in common. The VM's lock is held; and both reservations, but for
 * the check. */
int mm_vm_check_map(const struct mm_vm *vm, const struct mm_bo *bo, vkf_gpuva va,
		    const struct mm_pte_attr *attr) VKF_REQUIRES(vm->lock);
void mm_mapping_init(struct mm_mapping *m, struct mm_vm *vm, struct mm_bo *bo,
		     const struct mm_pte_attr *attr);
/* Submit, and add the fence where it was reserved. Return: a reference to it. */
struct mm_fence *mm_vm_commit(struct mm_vm *vm, struct mm_bo *bo, struct mm_pt_update *update)
	VKF_REQUIRES(vm->lock);

struct mm_pt_source;
/* Where entries of this VM find @bo, which is placed; its reservation is held. */
void mm_vm_describe(const struct mm_vm *vm, const struct mm_bo *bo, const struct mm_pte_attr *attr,
		    struct mm_pt_source *ret_source);

/* What the entries of a mapping say, once every update has been executed. */
enum mm_entries {
	MM_ENTRIES_CURRENT, /* where the buffer is */
	MM_ENTRIES_STALE,   /* where it was; its client is evicted, or will be before it moves */
	MM_ENTRIES_NONE,    /* nothing: writing them anew failed half way */
};

struct mm_mapping {
	enum mm_entries entries;       /* protected by the buffer's reservation */
	struct vkf_range range;        /* protected by vm.lock */
	struct mm_vm *vm;              /* constant, as the next two */
	struct mm_bo *bo;              /* a reference */
	struct mm_pte_attr attr;
	struct vkf_list of_bo;         /* protected by the buffer's reservation */
	struct mm_fence *last_update;  /* as in mm_vm; protected by vm.lock */
	atomic_uint n_users;
};

#endif
