/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PT_H
#define VKFD_MM_PT_H

/**
 * DOC: Page tables
 *
 * A table has three parts: words in the client's page-table region, which the engine
 * walks; a page of VRAM of its GPU, which it is said to be in and which is counted;
 * and a node here, which knows its parent, its children and how many of its entries
 * are in use.
 *
 * Nodes say how the tables will be once every submitted update has been executed, and
 * are protected by the VM's lock. Words follow when the update is executed, and belong
 * to the job that does it. The link of an entry that is not valid means nothing.
 */
#include "mm/pte.h"
#include "mm/resource.h"

struct mm_client;
struct mm_device;

#define MM_PT_SLOTS (1u << MM_PTE_LEVEL_BITS)

struct mm_pt_words {
	_Atomic uint64_t entry[MM_PT_SLOTS];
	_Atomic uint64_t link[MM_PT_SLOTS];
};

struct mm_pt {
	struct mm_pt *parent;      /* NULL: the root */
	struct mm_pt *next;        /* in the list of an update */
	struct mm_pt_words *words;
	struct mm_resource page;   /* its VRAM */
	uint32_t index;            /* in the client's region */
	uint16_t slot;             /* in the parent */
	uint16_t n_live;           /* entries in use */
	uint8_t level;             /* enum mm_pte_level */
	struct mm_pt *child[];     /* of each slot; a table of MM_PTB has none */
};

/* struct mm_pt_tree - embedded in a VM */
struct mm_pt_tree {
	struct mm_client *client;
	struct mm_device *dev;
	struct mm_pt *root;
	uint64_t n_tables; /* in the tree, root included */
};

/* Return: 0 or -ENOMEM. */
int mm_pt_init(struct mm_pt_tree *tree, struct mm_client *client, struct mm_device *dev);
/* Clears and frees every table. All updates have been executed; engines are invalidated here. */
void mm_pt_fini(struct mm_pt_tree *tree);

/* An empty table below @parent, attached to it; its directory entry is for an update to write.
 * Return: 0 or -ENOMEM. */
int mm_pt_attach(struct mm_pt_tree *tree, struct mm_pt *parent, unsigned int slot,
		 struct mm_pt **ret_pt);
/* Take it out of the tree. */
void mm_pt_detach(struct mm_pt_tree *tree, struct mm_pt *pt);
/* Give back all it is made of. Its words hold no entry, and no engine walks it. */
void mm_pt_free(struct mm_pt_tree *tree, struct mm_pt *pt);

static inline struct mm_pt *mm_pt_child(const struct mm_pt *pt, unsigned int slot)
{
	return pt->level == MM_PTB ? NULL : pt->child[slot];
}

static inline vkf_vram mm_pt_vram(const struct mm_pt *pt)
{
	return (vkf_vram){ pt->page.blocks->offset };
}

/* What is told about each valid leaf. Return: what is wrong with it, or NULL. */
typedef const char *(*mm_pt_leaf_fn)(void *arg, uint64_t va, unsigned int level, uint64_t entry,
				     uint64_t link);

/* What does not hold, or NULL. Without @fn only the nodes are looked at: for when updates wait. */
const char *mm_pt_check(const struct mm_pt_tree *tree, mm_pt_leaf_fn fn, void *arg);

#endif
