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
 * What is planned is what ranges lead to afterwards, whatever they lead to now: those
 * that lead somewhere first, then those that lead nowhere, none of them twice. What an
 * update does not change can be used while it is executed. So a new table is filled
 * before anything leads to it; and because an engine reads entry and link one after the
 * other, a large entry does not become a table where it stands, nor a table a large
 * entry: the directory is copied, changed, and takes the place of the old one, and of
 * two directories either link is good with either entry.
 *
 * Tables are made where they are needed. One that a range without memory, or a large
 * entry, covers as a whole is freed by the job, after the engine has let go of it; one
 * that is left empty otherwise is kept, for who maps there again
 * (amdgpu_vm_ptes_update() of Linux 6.12). The kernel keeps them all; here the oldest go
 * when there are more than MM_PT_MAX_EMPTY, so a VM costs what it maps and little else.
 *
 * Where GPU address, memory and backing are all aligned to 2 MiB and contiguous, one
 * entry in PDB0 stands for the 2 MiB. An update that changes a part of what such an
 * entry covers must say where the rest leads, or it leads nowhere (pt_source.h).
 *
 * All of it needs the VM's lock; one plan at a time.
 */
#include "mm/pt.h"
#include "mm/pt_source.h"
#include "mm/timeline.h"

struct mm_pt_update;

/* An update that changes nothing yet; NULL: out of memory. */
struct mm_pt_update *mm_pt_update_create(struct mm_pt_tree *tree);
/* Let @va..@va+@bytes lead to @source. Return: 0 or -ENOMEM, and it can only be abandoned. */
int mm_pt_update_set(struct mm_pt_update *update, uint64_t va, uint64_t bytes,
		     const struct mm_pt_source *source) VKF_MUST_CHECK;
/* Let it lead nowhere, and free what tables it covers. No set follows. The same. */
int mm_pt_update_clear(struct mm_pt_update *update, uint64_t va, uint64_t bytes) VKF_MUST_CHECK;
/* Let the entry above @pt lead to where it is now. The same. */
int mm_pt_update_directory(struct mm_pt_update *update, struct mm_pt *pt) VKF_MUST_CHECK;
/* All is planned. The same. */
int mm_pt_update_finish(struct mm_pt_update *update) VKF_MUST_CHECK;

/* An update with one range. Return: 0 or -ENOMEM, with no table made. */
int mm_pt_plan_map(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		   const struct mm_pt_source *source, struct mm_pt_update **ret_update);
int mm_pt_plan_clear(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		     struct mm_pt_update **ret_update);
/* Instead of a commit. */
void mm_pt_abandon(struct mm_pt_update *update);
/* What it must wait for besides those before it: more may be added before the commit. */
struct mm_deps *mm_pt_update_deps(struct mm_pt_update *update);
/* Submit what is finished. Return: its fence, a reference; the tree must stay until that has
 * signalled. */
struct mm_fence *mm_pt_commit(struct mm_pt_update *update, struct mm_timeline *timeline);

#endif
