/* SPDX-License-Identifier: MIT */
#include "base/tree.h"

/*
 * An AVL tree with parent pointers, ordered by first; level is a node's height
 * (a leaf has 1). Equal firsts stand in order of insertion. After each change
 * the path to the root is walked once, which mends height, balance and max_last
 * together.
 */

void vkf_ranges_init(struct vkf_ranges *t)
{
	*t = (struct vkf_ranges){ 0 };
}

static int range_height(const struct vkf_range *r)
{
	return r ? r->level : 0;
}

static int range_lean(const struct vkf_range *r)
{
	return range_height(r->left) - range_height(r->right);
}

/* What height and max_last of @r must be, given right children. */
static int range_want_height(const struct vkf_range *r)
{
	return 1 + VKF_MAX(range_height(r->left), range_height(r->right));
}

static uint64_t range_want_max(const struct vkf_range *r)
{
	uint64_t max = r->last;

	if (r->left)
		max = VKF_MAX(max, r->left->max_last);
	if (r->right)
		max = VKF_MAX(max, r->right->max_last);
	return max;
}

static void range_update(struct vkf_range *r)
{
	r->level = range_want_height(r);
	r->max_last = range_want_max(r);
}

/* Put @new, or nothing, where @parent (NULL: the root's place) had @old. */
static void ranges_replace(struct vkf_ranges *t, struct vkf_range *parent, struct vkf_range *old,
			   struct vkf_range *new)
{
	if (!parent)
		t->root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	if (new)
		new->parent = parent;
}

/* Lift the left child of @r above it. Return: that child. */
static struct vkf_range *ranges_lift_left(struct vkf_ranges *t, struct vkf_range *r)
{
	struct vkf_range *up = r->left;

	ranges_replace(t, r->parent, r, up);
	r->left = up->right;
	if (r->left)
		r->left->parent = r;
	up->right = r;
	r->parent = up;
	range_update(r);
	range_update(up);
	return up;
}

static struct vkf_range *ranges_lift_right(struct vkf_ranges *t, struct vkf_range *r)
{
	struct vkf_range *up = r->right;

	ranges_replace(t, r->parent, r, up);
	r->right = up->left;
	if (r->right)
		r->right->parent = r;
	up->left = r;
	r->parent = up;
	range_update(r);
	range_update(up);
	return up;
}

/* Return: the node that now stands where @r stood. */
static struct vkf_range *ranges_balance(struct vkf_ranges *t, struct vkf_range *r)
{
	int lean = range_lean(r);

	if (lean > 1) {
		if (range_lean(r->left) < 0)
			ranges_lift_right(t, r->left);
		return ranges_lift_left(t, r);
	}
	if (lean < -1) {
		if (range_lean(r->right) > 0)
			ranges_lift_left(t, r->right);
		return ranges_lift_right(t, r);
	}
	return r;
}

static void ranges_mend_upwards(struct vkf_ranges *t, struct vkf_range *r)
{
	while (r) {
		range_update(r);
		r = ranges_balance(t, r)->parent;
	}
}

void vkf_ranges_insert(struct vkf_ranges *t, struct vkf_range *r)
{
	struct vkf_range **link = &t->root;
	struct vkf_range *parent = NULL;

	VKF_ASSERT(r->first <= r->last);
	while (*link) {
		parent = *link;
		link = r->first < parent->first ? &parent->left : &parent->right;
	}
	r->left = r->right = NULL;
	r->parent = parent;
	*link = r;
	t->n++;
	ranges_mend_upwards(t, r);
}

static struct vkf_range *range_leftmost(struct vkf_range *r)
{
	while (r && r->left)
		r = r->left;
	return r;
}

void vkf_ranges_remove(struct vkf_ranges *t, struct vkf_range *r)
{
	struct vkf_range *heir, *mend;

	VKF_ASSERT(t->n > 0);
	t->n--;
	if (!r->left || !r->right) {
		mend = r->parent;
		ranges_replace(t, r->parent, r, r->left ? r->left : r->right);
		ranges_mend_upwards(t, mend);
		return;
	}
	/* The next in order has no left child: it takes over the place of @r. */
	heir = range_leftmost(r->right);
	mend = heir;
	if (heir != r->right) {
		mend = heir->parent;
		ranges_replace(t, heir->parent, heir, heir->right);
		heir->right = r->right;
		heir->right->parent = heir;
	}
	heir->left = r->left;
	heir->left->parent = heir;
	ranges_replace(t, r->parent, r, heir);
	ranges_mend_upwards(t, mend);
}

struct vkf_range *vkf_ranges_first(const struct vkf_ranges *t)
{
	return range_leftmost(t->root);
}

struct vkf_range *vkf_ranges_next(struct vkf_range *r)
{
	if (r->right)
		return range_leftmost(r->right);
	while (r->parent && r->parent->right == r)
		r = r->parent;
	return r->parent;
}

/* The first in order below @r, itself included, that overlaps. */
static struct vkf_range *range_search(struct vkf_range *r, uint64_t first, uint64_t last)
{
	while (r && r->max_last >= first) {
		if (r->left && r->left->max_last >= first) {
			/*
			 * Something on the left ends late enough. If that one starts too late,
			 * so does all that follows it in order.
			 */
			r = r->left;
			continue;
		}
		if (r->first > last)
			return NULL;
		if (r->last >= first)
			return r;
		r = r->right;
	}
	return NULL;
}

struct vkf_range *vkf_ranges_first_overlap(const struct vkf_ranges *t, uint64_t first,
					   uint64_t last)
{
	return range_search(t->root, first, last);
}

struct vkf_range *vkf_ranges_next_overlap(struct vkf_range *r, uint64_t first, uint64_t last)
{
	struct vkf_range *found, *child;

	for (;;) {
		found = range_search(r->right, first, last);
		if (found)
			return found;
		do {
			child = r;
			r = r->parent;
		} while (r && r->right == child);
		if (!r || r->first > last)
			return NULL;
		if (r->last >= first)
			return r;
	}
}

static bool range_ok(const struct vkf_range *r)
{
	if (r->left && (r->left->parent != r || r->left->first > r->first))
		return false;
	if (r->right && (r->right->parent != r || r->right->first < r->first))
		return false;
	return range_lean(r) >= -1 && range_lean(r) <= 1 && r->level == range_want_height(r) &&
	       r->max_last == range_want_max(r) && r->first <= r->last;
}

bool vkf_ranges_valid(const struct vkf_ranges *t)
{
	struct vkf_range *r, *prev = NULL;
	size_t n = 0;

	if (t->root && t->root->parent)
		return false;
	for (r = vkf_ranges_first(t); r; prev = r, r = vkf_ranges_next(r), n++) {
		if (!range_ok(r) || n >= t->n || (prev && prev->first > r->first))
			return false;
	}
	return n == t->n;
}
