/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PT_EXECUTE_H
#define VKFD_MM_PT_EXECUTE_H

/**
 * DOC: What an update of page tables writes, when its turn has come
 *
 * Only pt_update.c, which plans it, and the job itself look inside an update. The job
 * allocates nothing and takes no reservation: words, and tables that went, are its own.
 */
#include "mm/private.h"
#include "mm/pt_update.h"

#define MM_PT_FEW_RUNS 3

/* struct mm_pt_run - entries of one table that follow one another, and so does what they hold */
struct mm_pt_run {
	struct mm_pt *pt;
	struct mm_pt_words *words; /* once committed: of @pt, which a later update may copy */
	uint64_t entry, link; /* of the first; a leaf's grow by what an entry spans. 0: cleared */
	uint16_t first, n;
	bool is_early; /* in a table that nothing leads to yet */
};

/* struct mm_pt_copy - a directory that is replaced by a changed copy of itself */
struct mm_pt_copy {
	struct mm_pt *pt;
	struct mm_pt_body body; /* the new one; once committed, the old one */
	struct mm_pt_words *to; /* once committed: of the new one */
	struct mm_pt_copy *next;
};

struct mm_pt_update {
	struct mm_paging_job job;
	struct mm_pt_tree *tree;
	struct mm_pt *new, *dying; /* tables made, and tables that go */
	struct mm_pt_copy *copies;
	bool invalidates; /* something was in use before that is not any more */
	size_t n_runs, room;
	struct mm_pt_run *runs; /* @few, or allocated */
	struct mm_pt_run few[MM_PT_FEW_RUNS];
};

_Static_assert(offsetof(struct mm_pt_update, job.fence) == 0, "freed as what its fence is");

/* From one entry of a run to the next; what leads to no memory says the same everywhere. */
static inline uint64_t mm_pt_run_step(const struct mm_pt *pt, uint64_t entry)
{
	return pte_gfx9_get_valid(entry) ? mm_pte_span(pt->level) : 0;
}

/* The job. */
void mm_pt_update_execute(struct mm_paging_job *job);

/* The bodies that @u has: the old ones, full, or the new ones, empty. */
void mm_pt_update_free_copies(struct mm_pt_update *u, bool full);
void mm_pt_update_free_tables(struct mm_pt_update *u, struct mm_pt *tables);
void mm_pt_update_drop_runs(struct mm_pt_update *u);

#endif
