/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PT_H
#define VKFD_MM_PT_H

/**
 * DOC: Page tables
 *
 * A table has three parts: words in the client's page-table region, which the engine
 * walks; a page of VRAM of its GPU, which it is said to be in and which is counted;
 * and a node here, which knows its parent, its children and which of its entries are
 * in use.
 *
 * Nodes say how the tables will be once every submitted update has been executed, and
 * are protected by the VM's lock. Words follow when the update is executed, and belong
 * to the job that does it. The link of an entry that is not valid means nothing.
 */
#include "mm/pte.h"
#include "mm/resource.h"
#include "mm/vm_state.h"

struct mm_client;
struct mm_device;

#define MM_PT_SLOTS (1u << MM_PTE_LEVEL_BITS)
/* Empty tables of a VM that are kept: see pt_update.h. */
#define MM_PT_MAX_EMPTY 32

struct mm_pt_words {
	_Atomic uint64_t entry[MM_PT_SLOTS];
	_Atomic uint64_t link[MM_PT_SLOTS];
};

/* struct mm_pt_body - what a table is made of */
struct mm_pt_body {
	struct mm_pt_words *words;
	struct mm_resource page; /* its VRAM */
	uint32_t index;          /* in the client's region */
};

struct mm_pt {
	struct mm_pt_tree *tree;
	struct mm_pt *parent;    /* NULL: the root */
	struct mm_pt *next;      /* in the list of an update */
	struct vkf_list empty;   /* in the tree's, while it has no entry in use */
	struct mm_pt_body body;  /* its page: with the VM's reservation held */
	struct mm_vm_node state; /* in the VM's lists, if it has any */
	uint16_t slot;           /* in the parent */
	uint16_t n_live;         /* entries in use */
	uint16_t n_after;        /* the same, after the update that is planned just now */
	uint8_t level;           /* enum mm_pte_level */
	/* Made, left, or replaced by a copy by the update that is planned just now. */
	bool is_new, is_dying, is_copied;
	uint64_t live[MM_PT_SLOTS / 64]; /* which entries; a directory's, without a child: a leaf */
	struct mm_pt *child[];           /* of each slot; a table of MM_PTB has none */
};

/* struct mm_pt_tree - embedded in a VM */
struct mm_pt_tree {
	struct mm_client *client;
	struct mm_device *dev;
	struct mm_pt *root;
	uint64_t n_tables;  /* in the tree, root included */
	struct vkf_list empty; /* of mm_pt.empty: all that are, but the root; oldest first */
	uint64_t n_empty;
	bool can_leave;     /* it is a VM's, whose lists know each table; constant */
	uint64_t n_evicted; /* tables out of VRAM; protected by the VM's reservation */
};

/* Return: 0 or -ENOMEM. */
int mm_pt_init(struct mm_pt_tree *tree, struct mm_client *client, struct mm_device *dev);
/* The tree is a VM's, whose lists are made: its tables can leave VRAM from here on. */
void mm_pt_join_vm(struct mm_pt_tree *tree);
/* A table is in use, or is not any more: for the VM's lists and VRAM's. */
void mm_pt_enter(struct mm_pt *pt);
void mm_pt_leave(struct mm_pt *pt);
/* Clears and frees every table. All updates have been executed; engines are invalidated here. */
void mm_pt_fini(struct mm_pt_tree *tree);

/* An empty one. Return: 0 or -ENOMEM. */
int mm_pt_body_alloc(struct mm_pt_tree *tree, struct mm_pt_body *ret_body);
/* Leave no entry in it; no engine walks it. */
void mm_pt_body_clear(struct mm_pt_body *body);
/* It holds no entry. */
void mm_pt_body_free(struct mm_pt_tree *tree, struct mm_pt_body *body);

/* Move it, with what is in it. */
static inline void mm_pt_body_take(struct mm_pt_body *to, struct mm_pt_body *from)
{
	to->words = from->words;
	to->index = from->index;
	mm_resource_take(&to->page, &from->page);
}

/* An empty table below @parent, attached to it; its directory entry is for an update to write.
 * Return: 0 or -ENOMEM. */
int mm_pt_attach(struct mm_pt_tree *tree, struct mm_pt *parent, unsigned int slot,
		 struct mm_pt **ret_pt);
/* Entries of it were taken into use, or out of it. */
void mm_pt_note_use(struct mm_pt *pt);
/* Take it out of the tree. */
void mm_pt_detach(struct mm_pt_tree *tree, struct mm_pt *pt);
/* Give back all it is made of, with what is left in it; no engine walks it. */
void mm_pt_free(struct mm_pt_tree *tree, struct mm_pt *pt);

static inline struct mm_pt *mm_pt_child(const struct mm_pt *pt, unsigned int slot)
{
	return pt->level == MM_PTB ? NULL : pt->child[slot];
}

static inline bool mm_pt_is_live(const struct mm_pt *pt, unsigned int slot)
{
	return pt->live[slot / 64] >> (slot % 64) & 1;
}

static inline void mm_pt_set_live(struct mm_pt *pt, unsigned int slot, bool is_live)
{
	uint64_t bit = UINT64_C(1) << (slot % 64);

	pt->n_live = (uint16_t)(pt->n_live + is_live - mm_pt_is_live(pt, slot));
	pt->live[slot / 64] = is_live ? pt->live[slot / 64] | bit : pt->live[slot / 64] & ~bit;
}

static inline vkf_vram mm_pt_body_vram(const struct mm_pt_body *body)
{
	return (vkf_vram){ body->page.blocks->offset };
}

static inline vkf_vram mm_pt_vram(const struct mm_pt *pt)
{
	return mm_pt_body_vram(&pt->body);
}

/* What is told about each valid leaf. Return: what is wrong with it, or NULL. */
typedef const char *(*mm_pt_leaf_fn)(void *arg, uint64_t va, unsigned int level, uint64_t entry,
				     uint64_t link);

/* What does not hold, or NULL. Without @fn only the nodes are looked at: for when updates wait. */
const char *mm_pt_check(const struct mm_pt_tree *tree, mm_pt_leaf_fn fn, void *arg);

#endif
