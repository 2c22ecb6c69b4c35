/* SPDX-License-Identifier: MIT */
#include "mm/pt.h"

#include <errno.h>
#include "base/env.h"
#include "mm/private.h"
#include "mm/pt_evict.h"

/* How many slots a check takes in at a look; divides 64. */
#define SLOTS_AT_ONCE 8u

static size_t node_size(unsigned int level)
{
	size_t children = level == MM_PTB ? 0 : MM_PT_SLOTS;

	return sizeof(struct mm_pt) + children * sizeof(struct mm_pt *);
}

int mm_pt_body_alloc(struct mm_pt_tree *tree, struct mm_pt_body *ret_body)
{
	struct mm_placement placement = mm_placement_of_table();
	const struct mm_op op = { .asker = tree->client, .no_wait = true };
	struct mm_pt_body body = { 0 };
	int r = vkf_fault("mm.pt", tree->dev->config.index);

	if (!r)
		r = mm_client_alloc_table(tree->client, &body.index);
	if (r)
		return r;
	*ret_body = body;
	r = mm_place(&tree->dev->vram.man, &placement, VKF_PAGE_SIZE, &op, &ret_body->page);
	if (r) {
		mm_client_free_table(tree->client, body.index);
		return r;
	}
	ret_body->words = mm_client_table(tree->client, body.index);
	atomic_fetch_add_explicit(&tree->dev->n_tables, 1, memory_order_relaxed);
	return 0;
}

void mm_pt_body_clear(struct mm_pt_body *body)
{
	for (unsigned int i = 0; i < MM_PT_SLOTS; i++)
		atomic_store_explicit(&body->words->entry[i], 0, memory_order_release);
}

void mm_pt_body_free(struct mm_pt_tree *tree, struct mm_pt_body *body)
{
	if (body->page.man == &tree->dev->vram.man)
		atomic_fetch_sub_explicit(&tree->dev->n_tables, 1, memory_order_relaxed);
	mm_resource_free(&body->page);
	mm_client_free_table(tree->client, body->index);
}

static int create(struct mm_pt_tree *tree, unsigned int level, struct mm_pt **ret_pt)
{
	struct mm_pt *pt;
	int r;

	pt = vkf_zalloc(node_size(level));
	if (!pt)
		return -ENOMEM;
	pt->tree = tree;
	pt->level = (uint8_t)level;
	vkf_list_init(&pt->empty);
	mm_vm_node_init(&pt->state, MM_VM_TABLE);
	r = mm_pt_body_alloc(tree, &pt->body);
	if (r) {
		vkf_free(pt);
		return r;
	}
	*ret_pt = pt;
	return 0;
}

void mm_pt_free(struct mm_pt_tree *tree, struct mm_pt *pt)
{
	if (pt->n_live)
		mm_pt_body_clear(&pt->body);
	mm_pt_body_free(tree, &pt->body);
	vkf_free(pt);
}

int mm_pt_attach(struct mm_pt_tree *tree, struct mm_pt *parent, unsigned int slot,
		 struct mm_pt **ret_pt)
{
	struct mm_pt *pt;
	int r = create(tree, parent->level + 1u, &pt);

	if (r)
		return r;
	pt->parent = parent;
	pt->slot = (uint16_t)slot;
	parent->child[slot] = pt;
	tree->n_tables++;
	*ret_pt = pt;
	return 0;
}

/* The root stays whatever is in it. */
void mm_pt_note_use(struct mm_pt *pt)
{
	struct mm_pt_tree *tree = pt->tree;
	bool was_empty = !vkf_list_empty(&pt->empty), is_empty = !pt->n_live && pt->parent;

	if (is_empty == was_empty)
		return;
	if (is_empty)
		vkf_list_add_tail(&pt->empty, &tree->empty);
	else
		vkf_list_del(&pt->empty);
	tree->n_empty = tree->n_empty + is_empty - was_empty;
}

void mm_pt_detach(struct mm_pt_tree *tree, struct mm_pt *pt)
{
	if (!vkf_list_empty(&pt->empty)) {
		vkf_list_del(&pt->empty);
		tree->n_empty--;
	}
	pt->parent->child[pt->slot] = NULL;
	tree->n_tables--;
}

int mm_pt_init(struct mm_pt_tree *tree, struct mm_client *client, struct mm_device *dev)
{
	*tree = (struct mm_pt_tree){ .client = client, .dev = dev, .n_tables = 1 };
	vkf_list_init(&tree->empty);
	return create(tree, MM_PDB2, &tree->root);
}

static struct mm_vm_lists *lists_of(const struct mm_pt *pt)
{
	return &vkf_container_of(pt->tree, struct mm_vm, pt)->lists;
}

void mm_pt_enter(struct mm_pt *pt)
{
	if (!pt->tree->can_leave)
		return;
	mm_vm_node_event(lists_of(pt), &pt->state, MM_VM_ADDED_WRITTEN);
	mm_pt_make_evictable(pt);
}

void mm_pt_leave(struct mm_pt *pt)
{
	struct mm_pt_tree *tree = pt->tree;

	if (!tree->can_leave)
		return;
	mm_vm_node_remove(lists_of(pt), &pt->state);
	if (pt->body.page.man == &tree->dev->vram.man)
		mm_pt_make_unevictable(pt);
	else
		tree->n_evicted--;
}

void mm_pt_join_vm(struct mm_pt_tree *tree)
{
	tree->can_leave = true;
	mm_pt_enter(tree->root);
}

static void free_below(struct mm_pt_tree *tree, struct mm_pt *pt)
{
	for (unsigned int i = 0; pt->level != MM_PTB && i < MM_PT_SLOTS; i++) {
		struct mm_pt *child = pt->child[i];

		if (!child)
			continue;
		free_below(tree, child);
		mm_pt_leave(child);
		mm_pt_free(tree, child);
	}
}

void mm_pt_fini(struct mm_pt_tree *tree)
{
	const struct mm_client_config *config = &tree->client->config;

	mm_pt_body_clear(&tree->root->body);
	config->ops->invalidate(config->cookie, tree->dev->config.index);
	free_below(tree, tree->root);
	mm_pt_leave(tree->root);
	mm_pt_free(tree, tree->root);
}

/* ------------------------------------------------ check */

struct check {
	mm_pt_leaf_fn fn;
	void *arg;
	uint64_t n_tables, n_empty;
};

static const char *check_table(struct check *c, const struct mm_pt *pt, uint64_t va);

static const char *check_child(struct check *c, const struct mm_pt *pt, unsigned int slot,
			       uint64_t va)
{
	const struct mm_pt *child = pt->child[slot];

	if (child->parent != pt || child->slot != slot || child->level != pt->level + 1)
		return "a page table does not belong where it hangs";
	if (!child->n_live == vkf_list_empty(&child->empty))
		return "an empty page table is in no list, or one in use is";
	if (c->fn && !child->state.is_stale &&
	    pt->body.words->entry[slot] != mm_pte_directory(mm_pt_vram(child)))
		return "a directory entry does not hold its table's address";
	if (c->fn && pt->body.words->link[slot] != child->body.index)
		return "a directory entry's link is not its table";
	return check_table(c, child, va);
}

/* Whether nothing at all is in the @SLOTS_AT_ONCE slots from @first on, so that there is nothing to check. */
static bool is_blank(const struct check *c, const struct mm_pt *pt, unsigned int first)
{
	uint64_t any = pt->live[first / 64] >> (first % 64) & ((1u << SLOTS_AT_ONCE) - 1);

	for (unsigned int i = first; i < first + SLOTS_AT_ONCE && !any; i++) {
		any = c->fn ? atomic_load_explicit(&pt->body.words->entry[i], memory_order_relaxed)
			    : 0;
		any |= mm_pt_child(pt, i) != NULL;
	}
	return !any;
}

static const char *check_table(struct check *c, const struct mm_pt *pt, uint64_t va)
{
	unsigned int n_live = 0;
	const char *why = NULL;
	bool differs = false;

	c->n_tables++;
	c->n_empty += !pt->n_live && pt->parent;
	for (unsigned int i = 0; i < MM_PT_SLOTS && !why; i++) {
		uint64_t at = va + i * mm_pte_span(pt->level);
		uint64_t entry;

		if (i % SLOTS_AT_ONCE == 0 && is_blank(c, pt, i)) {
			i += SLOTS_AT_ONCE - 1;
			continue;
		}
		entry = c->fn ? pt->body.words->entry[i] : 0;
		n_live += mm_pt_is_live(pt, i);
		if (mm_pt_child(pt, i) && !mm_pt_is_live(pt, i))
			return "a page table hangs in a slot that is not in use";
		differs = differs || (c->fn && !entry != !mm_pt_is_live(pt, i));
		if (mm_pt_child(pt, i))
			why = check_child(c, pt, i, at);
		else if (entry)
			why = c->fn(c->arg, at, pt->level, entry, pt->body.words->link[i]);
	}
	if (!why && differs)
		why = "a page table has not the entries it knows of";
	if (!why && (n_live != pt->n_live || pt->n_after != n_live || pt->is_new || pt->is_dying ||
		     pt->is_copied))
		why = "a page table has not as many entries as it counts";
	return why;
}

const char *mm_pt_check(const struct mm_pt_tree *tree, mm_pt_leaf_fn fn, void *arg)
{
	struct check c = { .fn = fn, .arg = arg };
	const char *why = check_table(&c, tree->root, 0);

	if (!why && c.n_tables != tree->n_tables)
		why = "a VM has not as many page tables as it counts";
	if (!why && c.n_empty != tree->n_empty)
		why = "a VM has not as many empty page tables as it counts";
	return why;
}
