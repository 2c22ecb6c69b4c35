/* SPDX-License-Identifier: MIT */
#include "mm/pt_update.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"
#include "mm/private.h"

#define LINK_KIND UINT64_C(0xfff)
#define FEW_RUNS 3

/* struct run - entries of one table that follow one another, and so does what they hold */
struct run {
	struct mm_pt *pt;
	uint64_t entry, link; /* of the first; a leaf's grow by what an entry spans */
	uint16_t first, n;
};

struct mm_pt_update {
	struct mm_paging_job job;
	struct mm_pt_tree *tree;
	struct mm_pt *tables; /* made by this map, or left empty by this clear */
	bool clears;
	size_t n_runs, room;
	struct run *runs;     /* @few, or allocated */
	struct run few[FEW_RUNS];
};

_Static_assert(offsetof(struct mm_pt_update, job.fence) == 0, "freed as what its fence is");

/* ------------------------------------------------ execution */

static void write_run(const struct run *run)
{
	uint64_t step = mm_pte_span(run->pt->level);
	struct mm_pt_words *words = run->pt->words;

	for (unsigned int i = 0; i < run->n; i++) {
		unsigned int slot = run->first + i;

		atomic_store_explicit(&words->link[slot], run->link + i * step,
				      memory_order_relaxed);
		atomic_store_explicit(&words->entry[slot], run->entry + i * step,
				      memory_order_release);
	}
}

static void clear_run(const struct run *run)
{
	for (unsigned int i = 0; i < run->n; i++)
		atomic_store_explicit(&run->pt->words->entry[run->first + i], 0,
				      memory_order_release);
}

static void free_tables(struct mm_pt_update *u)
{
	while (u->tables) {
		struct mm_pt *next = u->tables->next;

		mm_pt_free(u->tree, u->tables);
		u->tables = next;
	}
}

static void drop_runs(struct mm_pt_update *u)
{
	if (u->runs != u->few)
		vkf_free(u->runs);
	u->runs = u->few;
	u->n_runs = 0;
}

static void execute(struct mm_paging_job *job)
{
	struct mm_pt_update *u = vkf_container_of(job, struct mm_pt_update, job);
	const struct mm_client_config *config = &u->tree->client->config;

	for (size_t i = 0; i < u->n_runs; i++) {
		if (u->clears)
			clear_run(&u->runs[i]);
		else
			write_run(&u->runs[i]);
	}
	if (u->clears) {
		config->ops->invalidate(config->cookie, u->tree->dev->config.index);
		free_tables(u);
	}
	drop_runs(u);
}

/* ------------------------------------------------ plans */

static struct mm_pt_update *update_create(struct mm_pt_tree *tree, bool clears)
{
	struct mm_pt_update *u = vkf_zalloc(sizeof(*u));

	if (!u)
		return NULL;
	mm_paging_job_init(&u->job, NULL, execute);
	u->tree = tree;
	u->clears = clears;
	u->runs = u->few;
	u->room = FEW_RUNS;
	return u;
}

static int make_room(struct mm_pt_update *u)
{
	struct run *runs;

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

static int add_run(struct mm_pt_update *u, struct mm_pt *pt, unsigned int slot, uint64_t entry,
		   uint64_t link)
{
	int r = make_room(u);

	if (r)
		return r;
	u->runs[u->n_runs++] = (struct run){
		.pt = pt,
		.entry = entry,
		.link = link,
		.first = (uint16_t)slot,
		.n = 1,
	};
	return 0;
}

/* The last run, when the next slot of the same table could be added to it. */
static struct run *last_run_before(struct mm_pt_update *u, struct mm_pt *pt, unsigned int slot)
{
	struct run *last = u->n_runs ? &u->runs[u->n_runs - 1] : NULL;

	return last && last->pt == pt && last->first + last->n == slot ? last : NULL;
}

static int add_leaf(struct mm_pt_update *u, struct mm_pt *pt, unsigned int slot, uint64_t entry,
		    uint64_t link)
{
	struct run *last = last_run_before(u, pt, slot);
	uint64_t along = last ? last->n * mm_pte_span(pt->level) : 0;

	if (last && entry == last->entry + along && link == last->link + along) {
		last->n++;
		return 0;
	}
	return add_run(u, pt, slot, entry, link);
}

static int add_clear(struct mm_pt_update *u, struct mm_pt *pt, unsigned int slot)
{
	struct run *last = last_run_before(u, pt, slot);

	if (last) {
		last->n++;
		return 0;
	}
	return add_run(u, pt, slot, 0, 0);
}

/* struct fill - how far a plan to map has come */
struct fill {
	struct mm_pt_update *u;
	struct mm_walk walk;
	uint64_t va, end;
	uint64_t flags, addr_base, link;
	unsigned int fragment;
	uint64_t fragment_end; /* address up to which it holds */
};

static bool fits_huge(const struct fill *f)
{
	uint64_t all = f->va | (f->addr_base + f->walk.addr) | (f->link & ~LINK_KIND);

	return VKF_IS_ALIGNED(all, VKF_HUGE_SIZE) && f->walk.left >= VKF_HUGE_SIZE &&
	       f->end - f->va >= VKF_HUGE_SIZE;
}

static int fill_leaf(struct fill *f, struct mm_pt *pt, unsigned int slot)
{
	uint64_t addr = f->addr_base + f->walk.addr, span = mm_pte_span(pt->level);
	int r;

	if (f->va >= f->fragment_end) {
		f->fragment = mm_pte_fragment(f->va, addr, VKF_MIN(f->walk.left, f->end - f->va));
		f->fragment_end = f->va + (VKF_PAGE_SIZE << f->fragment);
	}
	r = add_leaf(f->u, pt, slot, mm_pte_leaf(f->flags, addr, f->fragment, pt->level), f->link);
	if (r)
		return r;
	f->va += span;
	f->link += span;
	mm_walk_advance(&f->walk, span);
	return 0;
}

/* The VRAM of a new table may still be somebody's who is on the way out of it. */
static int wait_for_space(struct mm_pt_update *u)
{
	struct mm_fence *f = mm_manager_moving(&u->tree->dev->vram.man);
	int r = f ? mm_deps_add(&u->job.deps, f) : 0;

	mm_fence_put(f);
	return r;
}

static int fill_table(struct fill *f, struct mm_pt *pt);

static int fill_below(struct fill *f, struct mm_pt *pt, unsigned int slot)
{
	struct mm_pt *child = pt->child[slot];
	int r;

	if (child)
		return fill_table(f, child);
	r = mm_pt_attach(f->u->tree, pt, slot, &child);
	if (r)
		return r;
	child->next = f->u->tables;
	f->u->tables = child;
	r = wait_for_space(f->u);
	if (!r)
		r = fill_table(f, child);
	return r ? r : add_run(f->u, pt, slot, mm_pte_directory(mm_pt_vram(child)), child->index);
}

static int fill_table(struct fill *f, struct mm_pt *pt)
{
	int r = 0;

	for (unsigned int slot = mm_pte_slot(f->va, pt->level);
	     slot < MM_PT_SLOTS && f->va < f->end && !r; slot++) {
		if (pt->level == MM_PTB || (pt->level == MM_PDB0 && fits_huge(f)))
			r = fill_leaf(f, pt, slot);
		else
			r = fill_below(f, pt, slot);
	}
	return r;
}

int mm_pt_plan_map(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		   const struct mm_pt_source *source, struct mm_pt_update **ret_update)
{
	struct fill f = {
		.u = update_create(tree, false),
		.walk = source->walk,
		.va = va,
		.end = va + bytes,
		.flags = source->flags,
		.addr_base = source->addr_base,
		.link = source->link,
	};
	int r;

	if (!f.u)
		return -ENOMEM;
	r = fill_table(&f, tree->root);
	if (r) {
		mm_pt_abandon(f.u);
		return r;
	}
	*ret_update = f.u;
	return 0;
}

/* @ret_empty: whether nothing is left in @pt, which is then on the update's list. */
static int clear_table(struct mm_pt_update *u, struct mm_pt *pt, uint64_t va, uint64_t end,
		       bool *ret_empty)
{
	uint64_t span = mm_pte_span(pt->level);
	unsigned int n = 0;

	while (va < end) {
		uint64_t next = VKF_MIN(VKF_ALIGN_DOWN(va, span) + span, end);
		unsigned int slot = mm_pte_slot(va, pt->level);
		struct mm_pt *child = mm_pt_child(pt, slot);
		bool gone = true;
		int r = child ? clear_table(u, child, va, next, &gone) : 0;

		if (!r && gone) {
			r = add_clear(u, pt, slot);
			n++;
		}
		if (r)
			return r;
		va = next;
	}
	*ret_empty = n == pt->n_live && pt->parent;
	if (*ret_empty) {
		pt->next = u->tables;
		u->tables = pt;
	}
	return 0;
}

int mm_pt_plan_clear(struct mm_pt_tree *tree, uint64_t va, uint64_t bytes,
		     struct mm_pt_update **ret_update)
{
	struct mm_pt_update *u = update_create(tree, true);
	bool empty;
	int r;

	if (!u)
		return -ENOMEM;
	r = bytes ? clear_table(u, tree->root, va, va + bytes, &empty) : 0;
	if (r) {
		mm_pt_abandon(u);
		return r;
	}
	*ret_update = u;
	return 0;
}

void mm_pt_abandon(struct mm_pt_update *u)
{
	if (!u->clears) {
		for (struct mm_pt *pt = u->tables; pt; pt = pt->next)
			mm_pt_detach(u->tree, pt);
		free_tables(u);
	}
	drop_runs(u);
	mm_paging_job_abandon(&u->job);
}

struct mm_deps *mm_pt_update_deps(struct mm_pt_update *u)
{
	return &u->job.deps;
}

struct mm_fence *mm_pt_commit(struct mm_pt_update *u, struct mm_timeline *timeline)
{
	for (size_t i = 0; i < u->n_runs; i++) {
		struct run *run = &u->runs[i];

		if (u->clears)
			run->pt->n_live -= run->n;
		else
			run->pt->n_live += run->n;
	}
	if (!u->clears)
		u->tables = NULL;
	for (struct mm_pt *pt = u->tables; pt; pt = pt->next)
		mm_pt_detach(u->tree, pt);
	mm_timeline_submit(timeline, &u->job);
	return &u->job.fence;
}
