/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PT_UPDATE_H
#define VKFD_MM_PT_UPDATE_H

/**
 * DOC: Changing page tables
 *
 * An update is planned first, which may fail and can be abandoned, and then
 * committed as one job on the VM's timeline, which cannot. It holds what to
 * write as runs of entries, so executing it looks at nothing but the tables.
 *
 * A plan to map makes the tables it needs. A plan to clear finds the tables that it
 * leaves empty; the job frees them after the engine has let go of them. So a VM costs
 * what it maps, its VRAM goes back to everybody, and one entry for 2 MiB never finds
 * an old table in its way. The price is that mapping at a cold address makes tables
 * again: an allocation or two.
 *
 * Where GPU address, memory and backing are all aligned to 2 MiB and contiguous, one
 * entry in PDB0 stands for the 2 MiB.
 *
 * All of it needs the VM's lock; one plan at a time.
 */
#include "mm/pt.h"
#include "mm/timeline.h"

struct mm_pt_update;

/* What a range of address space leads to; it is that long. */
struct mm_pt_source {
	uint64_t flags;      /* mm_pte_flags() */
	uint64_t addr_base;  /* added to what the walk gives */
	uint64_t link;       /* of the first page; the backing is contiguous */
	struct mm_walk walk;
};

/* Nothing is mapped there. Return: 0 or -ENOMEM, with no table made. */
int mm_pt_plan_map(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		   const struct mm_pt_source *source, struct mm_pt_update **ret_update);
/* All of it is mapped, by whole mappings; of 0 bytes it does nothing but wait its turn. Return: 0 or -ENOMEM. */
int mm_pt_plan_clear(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		     struct mm_pt_update **ret_update);
/* Instead of a commit. */
void mm_pt_abandon(struct mm_pt_update *update);
/* What it must wait for besides those before it: more may be added before the commit. */
struct mm_deps *mm_pt_update_deps(struct mm_pt_update *update);
/* Submit it. Return: its fence, a reference; the tree must stay until that has signalled. */
struct mm_fence *mm_pt_commit(struct mm_pt_update *update, struct mm_timeline *timeline);

#endif
