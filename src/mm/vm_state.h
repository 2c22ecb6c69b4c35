/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_VM_STATE_H
#define VKFD_MM_VM_STATE_H

/**
 * DOC: What of a VM is not as its page tables say
 *
 * Buffers move while programs that have them mapped know nothing of it. So that a VM
 * can be made right again at a cost that follows from what changed, and not from how
 * much is mapped, each mapping and each page table of a VM is a node in exactly one of
 * its lists:
 *
 *   evicted      shared buffer, or table, out of its place: to be validated
 *   relocated    table whose address changed: its parent's entry is stale
 *   moved        shared buffer whose entries are stale
 *   invalidated  buffer with a reservation of its own whose entries are stale
 *   idle         shared buffer or table, and all is right
 *   done         buffer with a reservation of its own, and all is right, or it is cleared
 *                until somebody wants it
 *   freed        no mapping any more, but its entries are still to be cleared
 *
 * A shared buffer is one that lives under its VM's reservation ("always valid"). What
 * happens to a node is an event, and where that takes it is a table, vm_state.c's.
 *
 * The lists have one lock of rank LEAF, so a move may tell any VM, whatever it holds.
 * A node's memory is its owner's, who takes it out before he frees it, and does so under
 * the VM's lock: that keeps what a walk finds. Who writes entries holds the reservation
 * of the buffer over the writing and its UPDATED, so that no move falls between the two.
 */
#include "base/list.h"
#include "base/lock.h"

enum mm_vm_kind { MM_VM_SHARED, MM_VM_OWN, MM_VM_TABLE, MM_VM_N_KINDS };

enum mm_vm_state {
	MM_VM_NOWHERE, /* in no list: not of this VM yet, or not any more */
	MM_VM_EVICTED,
	MM_VM_RELOCATED,
	MM_VM_MOVED,
	MM_VM_INVALIDATED,
	MM_VM_IDLE,
	MM_VM_DONE,
	MM_VM_FREED,
	MM_VM_N_STATES,
};

enum mm_vm_event {
	MM_VM_ADDED,         /* mapped, or made, and in its place; not yet written */
	MM_VM_ADDED_EVICTED, /* the same, and out of its place */
	MM_VM_ADDED_WRITTEN, /* mapped, or made, and in its place, and written */
	MM_VM_BO_MOVED,      /* to where it may stay; for a table too */
	MM_VM_BO_EVICTED,    /* to where it may not; for a table too */
	MM_VM_VALIDATED,     /* it is in its place */
	MM_VM_UPDATED,       /* entries written, or, of a freed one, cleared */
	MM_VM_CLEARED,       /* entries cleared, for want of the reservation */
	MM_VM_UNMAPPED,      /* and entries left as they are; a table: freed */
	MM_VM_N_EVENTS,
};

struct mm_vm_node {
	struct vkf_list link;     /* protected by the lists' lock, as all but @kind */
	uint64_t stamp;           /* when it came to this list */
	enum mm_vm_kind kind : 8; /* constant */
	enum mm_vm_state state : 8;
	bool is_stale; /* its entries do not say where it is; they may be cleared */
};

struct mm_vm_lists {
	struct vkf_mutex lock;                /* rank LEAF; protects what follows */
	struct vkf_list list[MM_VM_N_STATES]; /* of mm_vm_node.link, in order of @stamp */
	uint64_t n[MM_VM_N_STATES];
	uint64_t stamp; /* the last one given */
};

void mm_vm_lists_init(struct mm_vm_lists *l);
/* All nodes are out. */
void mm_vm_lists_fini(struct mm_vm_lists *l);
void mm_vm_node_init(struct mm_vm_node *node, enum mm_vm_kind kind);

/*
 * The table: where @event takes a node of @kind in @state. MM_VM_N_STATES: that does not happen,
 * and debug builds panic on it.
 */
enum mm_vm_state mm_vm_state_after(enum mm_vm_kind kind, enum mm_vm_state state,
				   enum mm_vm_event event);
/*
 * Tell @l what happened to @node. It goes to the end of its new list; one that stays in its state
 * keeps its place, so a walk that has not come to it yet still does. Return: its state now.
 */
enum mm_vm_state mm_vm_node_event(struct mm_vm_lists *l, struct mm_vm_node *node,
				  enum mm_vm_event event);
/* From any state, for good. */
void mm_vm_node_remove(struct mm_vm_lists *l, struct mm_vm_node *node);

/* Whether its entries, if it has any, may lead to where it is not. */
bool mm_vm_node_is_stale(struct mm_vm_lists *l, const struct mm_vm_node *node);
enum mm_vm_state mm_vm_node_state(struct mm_vm_lists *l, const struct mm_vm_node *node);
uint64_t mm_vm_lists_count(struct mm_vm_lists *l, enum mm_vm_state state);
/* True when somebody has to write entries, or validate, before the VM is right. */
bool mm_vm_lists_is_stale(struct mm_vm_lists *l);

/* struct mm_vm_walk - over the nodes that are in one list when it begins; @node is read only */
struct mm_vm_walk {
	enum mm_vm_state state;
	uint64_t until; /* stamp of the last one of it */
};

void mm_vm_walk_begin(struct mm_vm_walk *walk, struct mm_vm_lists *l, enum mm_vm_state state);
/*
 * The first that is still there, or NULL at the end. The same one again until an event or
 * mm_vm_walk_skip() takes it away; what comes to the list meanwhile is for the next walk.
 */
struct mm_vm_node *mm_vm_walk_next(const struct mm_vm_walk *walk, struct mm_vm_lists *l);
/* Leave @node for the next walk. */
void mm_vm_walk_skip(const struct mm_vm_walk *walk, struct mm_vm_lists *l, struct mm_vm_node *node);

/* What does not hold, or NULL. Takes no lock: nobody else is inside. */
const char *mm_vm_lists_check(const struct mm_vm_lists *l);

#endif
