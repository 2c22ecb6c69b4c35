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
#include "base/budget.h"
#include "base/lock.h"
#include "base/ref.h"
#include "base/tree.h"
#include "mm/bo.h"
#include "mm/bo_place.h"
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
#include "mm/va_plan.h"
#include "mm/vm.h"
#include "mm/vm_state.h"
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
	_Atomic uint64_t n_evicted, evicted_bytes; /* buffers that had to leave VRAM */
	struct vkf_list link;           /* protected by system.lock */
};

struct mm_client {
	struct vkf_ref ref;
	struct mm_system *system;
	struct mm_client_config config;
	struct vkf_budget buffers;
	struct vkf_budget mappings;     /* taken with @lock held */
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

/* struct mm_bo_outside - where the bytes of a buffer without a window are */
struct mm_bo_outside {
	struct mm_userptr user; /* USERPTR; range protected by client.space_lock */
	vkf_bus bar_bus;        /* BAR */
	uint64_t bar_offset;    /* BAR */
};

struct mm_bo {
	struct vkf_ref ref;
	enum mm_bo_kind kind;          /* constant, as all up to @window */
	struct mm_client *client;      /* a reference */
	struct mm_device *home;
	uint64_t size;
	struct mm_placement placement; /* how, in VRAM */
	enum mm_charge charge;
	struct mm_places places;       /* where, of those with a window */
	struct mm_buddy_block *window; /* VRAM and GTT: where the bytes are */

	struct mm_vm *vm;              /* constant: whose reservation it shares, a reference; or NULL */
	struct mm_resv *resv;          /* whose lock protects what follows; constant until it dies */
	struct mm_resv own_resv;
	struct mm_resource res;        /* where the bytes are said to be */
	struct vkf_list mappings;      /* of mm_mapping.of_bo */
	unsigned int n_pinned;

	atomic_bool cpu_access;        /* a hint that stands alone */
	struct mm_fence_cb idle;       /* once the last reference is gone */
	struct vkf_list link;          /* protected by client.space_lock */
	struct mm_bo_outside outside[]; /* one, of those without a window; constant */
};

/* What a page-table entry's link says of the first page. */
uint64_t mm_bo_link(const struct mm_bo *bo);

struct mm_vm {
	struct vkf_ref ref;            /* its creator's, and one of each buffer that shares @resv */
	struct mm_client *client;      /* a reference */
	struct mm_device *dev;
	struct vkf_list link;          /* protected by client.lock */
	struct mm_resv resv;           /* fences of updates and eviction, as BOOKKEEP */
	struct mm_timeline paging;     /* of updates of its tables */
	struct mm_vm_lists lists;      /* of mm_mapping.state */
	struct vkf_mutex lock;         /* rank VM; protects what follows */
	struct mm_va va;               /* of mm_mapping.node */
	struct mm_pt_tree pt;
	struct mm_fence *last_update;  /* a reference, or NULL when it has signalled */
};

void mm_vm_get(struct mm_vm *vm);
/* The memory goes with the last one; no lock of the VM is held. */
void mm_vm_put(struct mm_vm *vm);
/* A signalled fence still is the memory of a whole update: keep none as the last of a mapping. */
void mm_vm_forget_updates(struct mm_vm *vm);
/* The client's lock and the VM's: no other change of this VM, and no restore. Return: 0 or
 * -ERESTARTSYS (512). */
int mm_vm_lock(struct mm_vm *vm) VKF_TRY_ACQUIRE(0, vm->lock) VKF_MUST_CHECK;
void mm_vm_unlock(struct mm_vm *vm) VKF_RELEASE(vm->lock);

/*
 * struct mm_mapping - a range of a VM that leads into a buffer, or (PRT) to no memory
 *
 * It is in the VM's tree and, if it has a buffer, in the buffer's list. One that is freed is in no
 * tree any more, and in the buffer's list until its entries are cleared.
 */
struct mm_mapping {
	struct mm_va_node node;        /* protected by vm.lock; a reference to its buffer */
	struct mm_vm *vm;              /* constant */
	struct vkf_list of_bo;         /* protected by the buffer's reservation */
	struct mm_vm_node state;       /* in @vm's lists */
	struct mm_fence *last_update;  /* as in mm_vm; protected by vm.lock */
	atomic_uint n_users;
	bool is_held;                  /* constant: somebody has a pointer to it, see mm_vm_map() */
};

_Static_assert(offsetof(struct mm_mapping, node) == 0, "plans allocate mappings as nodes");

static inline struct mm_bo *mm_mapping_bo(const struct mm_mapping *m)
{
	return m->node.bo;
}

static inline struct mm_mapping *mm_mapping_of_range(struct vkf_range *range)
{
	return vkf_container_of(range, struct mm_mapping, node.range);
}

static inline struct mm_mapping *mm_mapping_of_state(struct mm_vm_node *node)
{
	return vkf_container_of(node, struct mm_mapping, state);
}

/* A new node, all of which is set but its range, becomes a mapping that is in no list yet. */
void mm_mapping_init(struct mm_mapping *m, struct mm_vm *vm);
/* It is in the VM's tree: enter it in the lists. @f: the update that writes its entries, which is
 * committed; or NULL, when they are for later. The reservation is held. */
void mm_mapping_enter_locked(struct mm_mapping *m, struct mm_fence *f);
/* It is in no tree and no list. Puts the buffer, so no lock of rank LRU or inner is held. */
void mm_mapping_free(struct mm_mapping *m);

/* Every buffer is described to the hardware by the bits of its mapping, and where it is now. */
uint64_t mm_vm_flags(const struct mm_pte_attr *attr);
void mm_vm_attr(uint64_t flags, struct mm_pte_attr *ret_attr);
struct mm_pt_source;
/* Where the entries of @node lead from its first page on. Its buffer is reachable, and reserved. */
void mm_vm_describe(const struct mm_vm *vm, const struct mm_va_node *node,
		    struct mm_pt_source *ret_source);
/* Whether a GPU can reach it where it is now: not in system memory. */
bool mm_vm_is_reachable(const struct mm_va_node *node);

/* Whether @bo, all of it, may be mapped at @va. Return: see mm_vm_map(). */
int mm_vm_check_map(const struct mm_vm *vm, const struct mm_bo *bo, vkf_gpuva va,
		    const struct mm_pte_attr *attr) VKF_REQUIRES(vm->lock);
/* Whose the updates of a VM are. */
struct mm_fence_owner mm_vm_update_owner(const struct mm_vm *vm);
/*
 * What an update waits for besides those before it: one that leads to @bo for the moves of it, one
 * that lets entries go for what was submitted in this VM, which may use a mapping without naming
 * it. The reservation of the one, or of the other, is held. Return: 0 or -ENOMEM.
 */
int mm_vm_sync_set_locked(struct mm_vm *vm, struct mm_bo *bo, struct mm_pt_update *update);
int mm_vm_sync_clear_locked(struct mm_vm *vm, struct mm_pt_update *update);
/* Past the point of no return: submit, and remember the fence in the VM, which has a slot for it. */
struct mm_fence *mm_vm_commit_locked(struct mm_vm *vm, struct mm_pt_update *update);
/* Let @*last, which stands for updates of a mapping or a VM, stand for @f too. */
void mm_vm_remember(struct mm_fence **last, struct mm_fence *f);

/* Have every table of @vm in VRAM, and led to. VM and its reservation are held, by @ctx; who cannot
 * be interrupted is nobody's asker. Return: as mm_place(). */
int mm_vm_validate_tables_locked(struct mm_vm *vm, struct mm_lock_ctx *ctx, bool interruptible);
/* A buffer has another place; its reservation is held. */
void mm_vm_bo_moved(struct mm_bo *bo);
/* Write the entries of @m anew. Its VM's lock and both reservations are held. Return: 0 or -ENOMEM. */
int mm_vm_rewrite_locked(struct mm_mapping *m);
/* What mm_vm_clear_freed_locked() needs of buffers. Return: 0, or as mm_lock_ctx_lock(). */
int mm_vm_reserve_freed_locked(struct mm_vm *vm, struct mm_lock_ctx *ctx);
/*
 * Clear the entries of what is freed: before any other entry is written. VM and reservations are
 * held. What is cleared goes to @done, by of_bo, to be freed with mm_vm_free_mappings() when they
 * are not. Return: 0 or -ENOMEM.
 */
int mm_vm_clear_freed_locked(struct mm_vm *vm, struct vkf_list *done);
void mm_vm_free_mappings(struct vkf_list *done);
struct mm_vm_work;
/* Write what of it is moved or invalidated, see vm_update.h. VM and its reservation are held.
 * @work may be NULL. Return: 0 or -ENOMEM. */
int mm_vm_write_stale_locked(struct mm_vm *vm, struct mm_vm_work *work);

#endif
