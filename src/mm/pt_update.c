/* SPDX-License-Identifier: MIT */
#include "mm/pt_update.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/private.h"
#include "mm/pt_evict.h"
#include "mm/pt_execute.h"

/* ------------------------------------------------ runs */

struct mm_pt_update *mm_pt_update_create(struct mm_pt_tree *tree)
{
	struct mm_pt_update *u = vkf_zalloc(sizeof(*u));

	if (!u)
		return NULL;
	mm_paging_job_init(&u->job, NULL, mm_pt_update_execute);
	mm_fence_show(&u->job.fence, VKF_TRACE_FENCE_PAGE_TABLES, tree->client->config.number);
	u->tree = tree;
	u->runs = u->few;
	u->room = MM_PT_FEW_RUNS;
	return u;
}

static int make_room(struct mm_pt_update *u)
{
	struct mm_pt_run *runs;

	if (u->n_runs < u->room)
		return 0;
	runs = vkf_calloc(2 * u->room + 2, sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	memcpy(runs, u->runs, u->n_runs * sizeof(*runs));
	if (u->runs != u->few)
		vkf_free(u->runs);
	u->runs = runs;
	u->room = 2 * u->room + 2;
	return 0;
}

/* The last run, when an entry in the next slot of the same table goes on with it. */
static struct mm_pt_run *run_to_extend(struct mm_pt_update *u, struct mm_pt *pt, unsigned int slot,
				 uint64_t entry, uint64_t link)
{
	struct mm_pt_run *last = u->n_runs ? &u->runs[u->n_runs - 1] : NULL;
	uint64_t along;

	if (!last || last->pt != pt || last->first + last->n != slot)
		return NULL;
	along = last->n * mm_pt_run_step(pt, last->entry);
	return entry == last->entry + along && link == last->link + along ? last : NULL;
}

/* Let a slot hold @entry; 0 clears it. It is a slot's only change in this update. */
static int add_entry(struct mm_pt_update *u, struct mm_pt *pt, unsigned int slot, uint64_t entry,
		     uint64_t link)
{
	struct mm_pt_run *last = run_to_extend(u, pt, slot, entry, link);
	int r = last ? 0 : make_room(u);

	if (r)
		return r;
	if (last)
		last->n++;
	else
		u->runs[u->n_runs++] = (struct mm_pt_run){
			.pt = pt,
			.entry = entry,
			.link = link,
			.first = (uint16_t)slot,
			.n = 1,
		};
	if (mm_pt_is_live(pt, slot))
		u->invalidates = true;
	pt->n_after = (uint16_t)(pt->n_after + (entry != 0) - mm_pt_is_live(pt, slot));
	return 0;
}

static void add_dying(struct mm_pt_update *u, struct mm_pt *pt)
{
	pt->is_dying = true;
	pt->next = u->dying;
	u->dying = pt;
}

/* ------------------------------------------------ ranges that lead somewhere */

/* struct fill - how far a plan to map has come */
struct fill {
	struct mm_pt_update *u;
	struct mm_pt_source at; /* what @va leads to */
	uint64_t va, end;
	unsigned int fragment;
	uint64_t fragment_end; /* address up to which it holds */
};

/* The VRAM of a new table may still be somebody's who is on the way out of it. */
static int wait_for_space(struct mm_pt_update *u)
{
	struct mm_fence *f = mm_manager_moving(&u->tree->dev->vram.man);
	int r = f ? mm_deps_add(&u->job.deps, f) : 0;

	mm_fence_put(f);
	return r;
}

/* Replace @pt by a copy: an entry that is in use is to become something of another kind. */
static int add_copy(struct mm_pt_update *u, struct mm_pt *pt)
{
	struct mm_pt_copy *copy;
	int r;

	VKF_ASSERT(mm_pt_is_home(u->tree));
	if (pt->is_copied)
		return 0;
	copy = vkf_zalloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	r = mm_pt_body_alloc(u->tree, &copy->body);
	if (r) {
		vkf_free(copy);
		return r;
	}
	copy->pt = pt;
	copy->next = u->copies;
	u->copies = copy;
	pt->is_copied = true;
	r = wait_for_space(u);
	return r ? r
		 : add_entry(u, pt->parent, pt->slot,
			     mm_pte_directory(mm_pt_body_vram(&copy->body)), copy->body.index);
}

static int fill_leaf(struct fill *f, struct mm_pt *pt, unsigned int slot)
{
	uint64_t span = mm_pte_span(pt->level);
	struct mm_pt *child = mm_pt_child(pt, slot);
	int r = child ? add_copy(f->u, pt) : 0;

	if (f->va >= f->fragment_end) {
		f->fragment = mm_pt_source_fragment(&f->at, f->va, f->end);
		f->fragment_end = f->va + (VKF_PAGE_SIZE << f->fragment);
	}
	if (!r)
		r = add_entry(
			f->u, pt, slot,
			mm_pte_leaf(f->at.flags, mm_pt_source_addr(&f->at), f->fragment, pt->level),
			f->at.link);
	if (r)
		return r;
	if (child)
		add_dying(f->u, child);
	f->va += span;
	mm_pt_source_skip(&f->at, span);
	return 0;
}

static int fill_table(struct fill *f, struct mm_pt *pt);

static int fill_below(struct fill *f, struct mm_pt *pt, unsigned int slot)
{
	struct mm_pt *child = pt->child[slot];
	int r;

	if (child)
		return fill_table(f, child);
	r = mm_pt_is_live(pt, slot) ? add_copy(f->u, pt) : 0;
	if (!r)
		r = mm_pt_attach(f->u->tree, pt, slot, &child);
	if (r)
		return r;
	child->is_new = true;
	child->next = f->u->new;
	f->u->new = child;
	r = wait_for_space(f->u);
	if (!r)
		r = fill_table(f, child);
	return r ? r
		 : add_entry(f->u, pt, slot, mm_pte_directory(mm_pt_vram(child)),
			     child->body.index);
}

static int fill_table(struct fill *f, struct mm_pt *pt)
{
	int r = 0;

	for (unsigned int slot = mm_pte_slot(f->va, pt->level);
	     slot < MM_PT_SLOTS && f->va < f->end && !r; slot++) {
		if (pt->level == MM_PTB ||
		    (pt->level == MM_PDB0 && mm_pt_source_fits_huge(&f->at, f->va, f->end)))
			r = fill_leaf(f, pt, slot);
		else
			r = fill_below(f, pt, slot);
	}
	return r;
}

int mm_pt_update_set(struct mm_pt_update *u, uint64_t va, uint64_t bytes,
		     const struct mm_pt_source *source)
{
	struct fill f = { .u = u, .at = *source, .va = va, .end = va + bytes };

	return bytes ? fill_table(&f, u->tree->root) : 0;
}

/* ------------------------------------------------ ranges that lead nowhere */

static int clear_table(struct mm_pt_update *u, struct mm_pt *pt, uint64_t va, uint64_t end);

static int clear_below(struct mm_pt_update *u, struct mm_pt *pt, uint64_t va, uint64_t end)
{
	struct mm_pt *parent = pt->parent;
	int r = clear_table(u, pt, va, end);

	if (r || end - va < mm_pte_span(parent->level))
		return r;
	VKF_ASSERT(!pt->n_after);
	add_dying(u, pt);
	return add_entry(u, parent, pt->slot, 0, 0);
}

static int clear_table(struct mm_pt_update *u, struct mm_pt *pt, uint64_t va, uint64_t end)
{
	uint64_t span = mm_pte_span(pt->level);
	int r = 0;

	while (va < end && !r) {
		uint64_t next = VKF_MIN(VKF_ALIGN_DOWN(va, span) + span, end);
		unsigned int slot = mm_pte_slot(va, pt->level);
		struct mm_pt *child = mm_pt_child(pt, slot);

		if (child)
			r = clear_below(u, child, va, next);
		else if (mm_pt_is_live(pt, slot))
			r = add_entry(u, pt, slot, 0, 0);
		va = next;
	}
	return r;
}

int mm_pt_update_clear(struct mm_pt_update *u, uint64_t va, uint64_t bytes)
{
	return clear_table(u, u->tree->root, va, va + bytes);
}

int mm_pt_update_directory(struct mm_pt_update *u, struct mm_pt *pt)
{
	int r = wait_for_space(u);

	return r ? r
		 : add_entry(u, pt->parent, pt->slot, mm_pte_directory(mm_pt_vram(pt)),
			     pt->body.index);
}

/* ------------------------------------------------ the end of a plan */

/* @pt, and above it what leads nowhere else. */
static int drop_empty(struct mm_pt_update *u, struct mm_pt *pt)
{
	int r = 0;

	for (; !r && pt->parent && !pt->n_after && !pt->is_dying; pt = pt->parent) {
		add_dying(u, pt);
		r = add_entry(u, pt->parent, pt->slot, 0, 0);
	}
	return r;
}

/* Of too many empty tables the oldest go, with an update that waits for the engine anyway. */
int mm_pt_update_finish(struct mm_pt_update *u)
{
	uint64_t n = u->tree->n_empty;
	struct mm_pt *pt;
	int r = 0;

	if (!u->invalidates)
		return 0;
	vkf_list_for_each(pt, &u->tree->empty, empty) {
		if (r || n <= MM_PT_MAX_EMPTY)
			break;
		r = drop_empty(u, pt);
		n--;
	}
	return r;
}

static int finish_plan(struct mm_pt_update *u, int r, struct mm_pt_update **ret_update)
{
	if (!r)
		r = mm_pt_update_finish(u);
	if (r)
		mm_pt_abandon(u);
	else
		*ret_update = u;
	return r;
}

int mm_pt_plan_map(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		   const struct mm_pt_source *source, struct mm_pt_update **ret_update)
{
	struct mm_pt_update *u = mm_pt_update_create(tree);

	if (!u)
		return -ENOMEM;
	return finish_plan(u, mm_pt_update_set(u, va, bytes, source), ret_update);
}

int mm_pt_plan_clear(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		     struct mm_pt_update **ret_update)
{
	struct mm_pt_update *u = mm_pt_update_create(tree);

	if (!u)
		return -ENOMEM;
	return finish_plan(u, mm_pt_update_clear(u, va, bytes), ret_update);
}

void mm_pt_abandon(struct mm_pt_update *u)
{
	for (size_t i = 0; i < u->n_runs; i++)
		u->runs[i].pt->n_after = u->runs[i].pt->n_live;
	for (struct mm_pt *pt = u->dying; pt; pt = pt->next)
		pt->is_dying = false;
	for (struct mm_pt *pt = u->new; pt; pt = pt->next)
		mm_pt_detach(u->tree, pt);
	for (struct mm_pt_copy *copy = u->copies; copy; copy = copy->next)
		copy->pt->is_copied = false;
	mm_pt_update_free_tables(u, u->new);
	mm_pt_update_free_copies(u, false);
	mm_pt_update_drop_runs(u);
	mm_paging_job_abandon(&u->job);
}

struct mm_deps *mm_pt_update_deps(struct mm_pt_update *u)
{
	return &u->job.deps;
}

static void apply_copies(struct mm_pt_update *u)
{
	for (struct mm_pt_copy *copy = u->copies; copy; copy = copy->next) {
		struct mm_pt_body old;

		mm_pt_make_unevictable(copy->pt);
		mm_pt_body_take(&old, &copy->pt->body);
		mm_pt_body_take(&copy->pt->body, &copy->body);
		mm_pt_body_take(&copy->body, &old);
		copy->to = copy->pt->body.words;
		mm_pt_make_evictable(copy->pt);
	}
}

/* The nodes become what the plan says. */
static void apply(struct mm_pt_update *u)
{
	apply_copies(u);
	for (size_t i = 0; i < u->n_runs; i++) {
		struct mm_pt_run *run = &u->runs[i];

		run->words = run->pt->body.words;
		run->is_early = run->pt->is_new || run->pt->is_copied;
		for (unsigned int j = 0; j < run->n; j++)
			mm_pt_set_live(run->pt, run->first + j, run->entry != 0);
		mm_pt_note_use(run->pt);
	}
	for (struct mm_pt *pt = u->new; pt; pt = pt->next) {
		pt->is_new = false;
		mm_pt_enter(pt);
	}
	for (struct mm_pt_copy *copy = u->copies; copy; copy = copy->next)
		copy->pt->is_copied = false;
	for (struct mm_pt *pt = u->dying; pt; pt = pt->next) {
		mm_pt_detach(u->tree, pt);
		mm_pt_leave(pt);
	}
}

struct mm_fence *mm_pt_commit(struct mm_pt_update *u, struct mm_timeline *timeline)
{
	apply(u);
	mm_timeline_submit(timeline, &u->job);
	return &u->job.fence;
}
