/* SPDX-License-Identifier: MIT */
#include "mm/va_plan.h"

#include <errno.h>
#include <string.h>
#include "base/env.h"
#include "base/list.h"

/* ------------------------------------------------ what is there */

static struct mm_va_node *node_of(struct vkf_range *range)
{
	return range ? vkf_container_of(range, struct mm_va_node, range) : NULL;
}

static struct mm_va_node *node_at(const struct mm_va *va, uint64_t addr)
{
	return node_of(mm_va_find(va, (vkf_gpuva){ addr }));
}

/* The kernel divides the address by the page size before it compares. */
static struct mm_va_node *node_to_unmap(const struct mm_va *va, const struct mm_va_request *req)
{
	uint64_t first = VKF_ALIGN_DOWN(req->addr.v, VKF_PAGE_SIZE);
	struct mm_va_node *n = node_at(va, first);

	return n && n->range.first == first && n->bo == req->bo ? n : NULL;
}

/* True when @n says of an address, if it covers it, what @like says of it or would say. */
static bool says_the_same(const struct mm_va_node *n, const struct mm_va_node *like)
{
	if (n->bo != like->bo || n->flags != like->flags)
		return false;
	return !n->bo || n->offset - n->range.first == like->offset - like->range.first;
}

/* ------------------------------------------------ steps */

static struct mm_va_step *add_step(struct mm_va_plan *plan)
{
	struct mm_va_step *steps;

	if (plan->n_steps < plan->room)
		return &plan->steps[plan->n_steps++];
	steps = vkf_calloc(2 * plan->room, sizeof(*steps));
	if (!steps)
		return NULL;
	memcpy(steps, plan->steps, plan->n_steps * sizeof(*steps));
	if (plan->steps != plan->few)
		vkf_free(plan->steps);
	plan->steps = steps;
	plan->room *= 2;
	return &plan->steps[plan->n_steps++];
}

/* A node for @first..@last that says what @like says. */
static struct mm_va_node *new_node(const struct mm_va_plan *plan, const struct mm_va_node *like,
				   uint64_t first, uint64_t last)
{
	struct mm_va_node *n = vkf_zalloc(plan->node_bytes);

	if (!n)
		return NULL;
	n->range.first = first;
	n->range.last = last;
	n->bo = like->bo;
	n->offset = like->bo ? like->offset + (first - like->range.first) : 0;
	n->flags = like->flags;
	return n;
}

/* @old loses what of it is in @first..@last. */
static int add_cut(struct mm_va_plan *plan, struct mm_va_node *old, uint64_t first, uint64_t last,
		   bool keep)
{
	struct mm_va_step *s = add_step(plan);

	if (!s)
		return -ENOMEM;
	*s = (struct mm_va_step){ .kind = MM_VA_STEP_UNMAP, .keep = keep, .old = old };
	s->first = VKF_MAX(first, old->range.first);
	s->last = VKF_MIN(last, old->range.last);
	if (s->first > old->range.first) {
		s->kind = MM_VA_STEP_REMAP;
		s->prev = new_node(plan, old, old->range.first, s->first - 1);
		if (!s->prev)
			return -ENOMEM;
	}
	if (s->last < old->range.last) {
		s->kind = MM_VA_STEP_REMAP;
		s->next = new_node(plan, old, s->last + 1, old->range.last);
		if (!s->next)
			return -ENOMEM;
	}
	return 0;
}

/* Whatever is in @first..@last goes. @comes may be NULL. */
static int add_cuts(struct mm_va_plan *plan, uint64_t first, uint64_t last,
		    const struct mm_va_node *comes)
{
	struct vkf_range *range = vkf_ranges_first_overlap(&plan->va->ranges, first, last);
	int r = 0;

	for (; range && !r; range = vkf_ranges_next_overlap(range, first, last)) {
		struct mm_va_node *old = node_of(range);

		r = add_cut(plan, old, first, last, comes && says_the_same(old, comes));
	}
	return r;
}

static int add_node_step(struct mm_va_plan *plan, enum mm_va_step_kind kind, struct mm_va_node *old,
			 struct mm_va_node *node)
{
	const struct mm_va_node *n = old ? old : node;
	struct mm_va_step *s = add_step(plan);

	if (!s)
		return -ENOMEM;
	*s = (struct mm_va_step){ .kind = kind, .old = old, .node = node };
	s->first = n->range.first;
	s->last = n->range.last;
	return 0;
}

static int add_map(struct mm_va_plan *plan, const struct mm_va_node *want)
{
	struct mm_va_node *node = new_node(plan, want, want->range.first, want->range.last);
	int r;

	if (!node)
		return -ENOMEM;
	r = add_node_step(plan, MM_VA_STEP_MAP, NULL, node);
	if (r)
		vkf_free(node);
	return r;
}

/* ------------------------------------------------ requests */

/* Let @want reach as far as neighbours, overlapping or adjacent, go on saying the same. */
static void grow(const struct mm_va *va, struct mm_va_node *want)
{
	const struct mm_va_node *before = node_at(va, want->range.first - 1);
	const struct mm_va_node *behind = node_at(va, want->range.last + 1);
	bool joins_before = before && says_the_same(before, want);
	bool joins_behind = behind && says_the_same(behind, want);

	if (joins_before) {
		if (want->bo)
			want->offset -= want->range.first - before->range.first;
		want->range.first = before->range.first;
	}
	if (joins_behind)
		want->range.last = behind->range.last;
}

static int plan_map(struct mm_va_plan *plan, const struct mm_va_request *req)
{
	struct mm_va_node want = {
		.range = { .first = req->addr.v, .last = req->addr.v + req->bytes - 1 },
		.bo = req->bo,
		.offset = req->bo ? req->offset : 0,
		.flags = req->flags,
	};
	struct mm_va_node *there;
	int r;

	if (req->merge)
		grow(plan->va, &want);
	there = node_at(plan->va, want.range.first);
	if (there && there->range.first == want.range.first &&
	    there->range.last == want.range.last && says_the_same(there, &want))
		return add_node_step(plan, MM_VA_STEP_KEEP, there, NULL);
	r = add_cuts(plan, want.range.first, want.range.last, &want);
	return r ? r : add_map(plan, &want);
}

static int plan_any(struct mm_va_plan *plan, const struct mm_va_request *req)
{
	struct mm_va_node *old;

	switch (req->op) {
	case MM_VA_UNMAP:
		old = node_to_unmap(plan->va, req);
		return add_cut(plan, old, old->range.first, old->range.last, false);
	case MM_VA_CLEAR:
		return add_cuts(plan, req->addr.v, req->addr.v + req->bytes - 1, NULL);
	default:
		return plan_map(plan, req);
	}
}

static int check(const struct mm_va *va, const struct mm_va_request *req)
{
	int r;

	if (req->op == MM_VA_UNMAP)
		return node_to_unmap(va, req) ? 0 : -ENOENT;
	r = req->op == MM_VA_MAP ? mm_va_check(va, req->addr, req->bytes)
				 : mm_va_check_range(va, req->addr, req->bytes);
	if (r || req->op == MM_VA_CLEAR || !req->bo)
		return r;
	if (!VKF_IS_ALIGNED(req->offset, VKF_PAGE_SIZE))
		return -EINVAL;
	if (req->bytes > req->bo_bytes || req->offset > req->bo_bytes - req->bytes)
		return -EINVAL;
	return 0;
}

int mm_va_plan_make(struct mm_va_plan *plan, struct mm_va *va, const struct mm_va_request *req)
{
	int r = check(va, req);

	if (r)
		return r;
	VKF_ASSERT(!req->node_bytes || req->node_bytes >= sizeof(struct mm_va_node));
	plan->va = va;
	plan->steps = plan->few;
	plan->n_steps = 0;
	plan->room = MM_VA_FEW_STEPS;
	plan->node_bytes = req->node_bytes ? req->node_bytes : sizeof(struct mm_va_node);
	plan->applied = false;
	r = plan_any(plan, req);
	if (r)
		mm_va_plan_fini(plan);
	return r;
}

/* ------------------------------------------------ the end of a plan */

static void insert(struct mm_va_plan *plan, struct mm_va_node *node)
{
	if (node)
		vkf_ranges_insert(&plan->va->ranges, &node->range);
}

void mm_va_plan_apply(struct mm_va_plan *plan)
{
	VKF_ASSERT(!plan->applied);
	plan->applied = true;
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct mm_va_step *s = &plan->steps[i];

		if (s->kind == MM_VA_STEP_KEEP)
			continue;
		if (s->old)
			mm_va_remove(plan->va, &s->old->range);
		insert(plan, s->prev);
		insert(plan, s->next);
		insert(plan, s->node);
	}
}

void mm_va_plan_fini(struct mm_va_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps && !plan->applied; i++) {
		vkf_free(plan->steps[i].prev);
		vkf_free(plan->steps[i].next);
		vkf_free(plan->steps[i].node);
	}
	if (plan->steps != plan->few)
		vkf_free(plan->steps);
	plan->steps = plan->few;
	plan->n_steps = 0;
}

/* ------------------------------------------------ changes */

static struct mm_va_node *node_that_comes(const struct mm_va_plan *plan)
{
	return plan->n_steps ? plan->steps[plan->n_steps - 1].node : NULL;
}

/* What of @node no step keeps; the step before *@pos does, if there is one. What is cut is written
 * anew: large entries and fragments may reach across the cut. */
static bool next_gap(const struct mm_va_plan *plan, size_t *pos, struct mm_va_node *node,
		     struct mm_va_change *ret_change)
{
	uint64_t first = *pos ? plan->steps[*pos - 1].last + 1 : node->range.first;
	size_t i;

	for (i = *pos; i < plan->n_steps; i++) {
		const struct mm_va_step *s = &plan->steps[i];
		bool is_end = s->node == node;
		uint64_t next = is_end ? s->last + 1 : s->first;

		if (!is_end && !(s->keep && s->kind == MM_VA_STEP_UNMAP))
			continue;
		*pos = i + 1;
		if (next > first) {
			*ret_change = (struct mm_va_change){ first, next - 1, node };
			return true;
		}
		first = s->last + 1;
	}
	return false;
}

bool mm_va_plan_next_change(const struct mm_va_plan *plan, size_t *pos,
			    struct mm_va_change *ret_change)
{
	struct mm_va_node *node = node_that_comes(plan);
	const struct mm_va_step *s;

	if (node)
		return next_gap(plan, pos, node, ret_change);
	if (*pos >= plan->n_steps || plan->steps[*pos].kind == MM_VA_STEP_KEEP)
		return false;
	s = &plan->steps[(*pos)++];
	*ret_change = (struct mm_va_change){ s->first, s->last, NULL };
	return true;
}
