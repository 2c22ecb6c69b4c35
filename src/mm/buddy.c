/* SPDX-License-Identifier: MIT */
#include "mm/buddy.h"

#include <errno.h>
#include "base/env.h"
#include "mm/print.h"

#define MAX_SPARE 128

enum { BLOCK_FREE, BLOCK_USED, BLOCK_SPLIT, BLOCK_HOLE };

struct mm_buddy_pair {
	struct mm_buddy_block half[2]; /* lower, upper */
	struct mm_buddy_pair *next;    /* among the spare ones */
};

static struct mm_buddy_pair *pair_get(struct mm_buddy *b)
{
	struct mm_buddy_pair *pair = b->spare;

	if (!pair)
		return vkf_zalloc(sizeof(*pair));
	b->spare = pair->next;
	b->n_spare--;
	return pair;
}

static void pair_put(struct mm_buddy *b, struct mm_buddy_pair *pair)
{
	if (b->n_spare >= MAX_SPARE) {
		vkf_free(pair);
		return;
	}
	pair->next = b->spare;
	b->spare = pair;
	b->n_spare++;
}

static uint64_t order_bytes(const struct mm_buddy *b, unsigned int order)
{
	return UINT64_C(1) << (order + b->shift);
}

static uint64_t block_end(const struct mm_buddy *b, const struct mm_buddy_block *block)
{
	return block->offset + order_bytes(b, block->order);
}

/* Greatest order of a block not larger, and smallest of one not smaller, than @bytes. */
static int order_below(const struct mm_buddy *b, uint64_t bytes)
{
	return 63 - __builtin_clzll(bytes >> b->shift);
}

static int order_above(const struct mm_buddy *b, uint64_t bytes)
{
	int order = order_below(b, bytes);

	return order_bytes(b, (unsigned int)order) < bytes ? order + 1 : order;
}

static int8_t best_of_halves(const struct mm_buddy_block *block)
{
	return VKF_MAX(block->pair->half[0].best, block->pair->half[1].best);
}

/* What is free in @block has changed: tell the nodes above, of which those up to order @fresh have
 * never been right, and the others were. */
static void update_above(struct mm_buddy_block *block, unsigned int fresh)
{
	for (block = block->parent; block; block = block->parent) {
		int8_t best = best_of_halves(block);

		if (best == block->best && block->order > fresh)
			return;
		block->best = best;
	}
}

static void half_init(struct mm_buddy_block *half, struct mm_buddy_block *parent, uint64_t offset)
{
	half->offset = offset;
	half->next = NULL;
	half->parent = parent;
	half->pair = NULL;
	half->order = parent->order - 1;
	half->state = BLOCK_FREE;
	half->best = (int8_t)half->order;
}

static int split(struct mm_buddy *b, struct mm_buddy_block *block)
{
	struct mm_buddy_pair *pair = pair_get(b);

	if (!pair)
		return -ENOMEM;
	VKF_ASSERT(block->state == BLOCK_FREE && block->order > 0);
	half_init(&pair->half[0], block, block->offset);
	half_init(&pair->half[1], block,
		  block->offset + order_bytes(b, (unsigned int)block->order - 1));
	block->pair = pair;
	block->state = BLOCK_SPLIT;
	block->best = (int8_t)(block->order - 1);
	return 0;
}

/* @block is free: join it with its other half as long as that is free too. */
static void merge(struct mm_buddy *b, struct mm_buddy_block *block)
{
	struct mm_buddy_block *up = block->parent;

	while (up && up->pair->half[0].state == BLOCK_FREE &&
	       up->pair->half[1].state == BLOCK_FREE) {
		pair_put(b, up->pair);
		up->pair = NULL;
		up->state = BLOCK_FREE;
		block = up;
		up = block->parent;
	}
	block->best = (int8_t)block->order;
	update_above(block, block->order);
}

/* @block was split from a free one of order @fresh, if not itself. */
static void mark_used(struct mm_buddy *b, struct mm_buddy_block *block, unsigned int fresh)
{
	VKF_ASSERT(block->state == BLOCK_FREE);
	block->state = BLOCK_USED;
	block->best = -1;
	block->next = NULL;
	b->n_free -= order_bytes(b, block->order);
	update_above(block, fresh);
}

static void mark_free(struct mm_buddy *b, struct mm_buddy_block *block)
{
	VKF_ASSERT(block->state == BLOCK_USED);
	block->state = BLOCK_FREE;
	block->next = NULL;
	b->n_free += order_bytes(b, block->order);
	merge(b, block);
}

void mm_buddy_free(struct mm_buddy *b, struct mm_buddy_block *blocks)
{
	while (blocks) {
		struct mm_buddy_block *next = blocks->next;

		mark_free(b, blocks);
		blocks = next;
	}
}

/* Take the halves on one side until the block has @order; on failure it is as it was. */
static struct mm_buddy_block *split_down(struct mm_buddy *b, struct mm_buddy_block *block,
					 unsigned int order, bool upper)
{
	while (block->order > order) {
		if (split(b, block)) {
			merge(b, block);
			return NULL;
		}
		block = &block->pair->half[upper];
	}
	return block;
}

/* The outermost free block on one side in which @order fits, or NULL. */
static struct mm_buddy_block *find_free(struct mm_buddy *b, int order, bool upper)
{
	struct mm_buddy_block *block = &b->root;

	if (block->best < order)
		return NULL;
	while (block->state == BLOCK_SPLIT) {
		struct mm_buddy_block *near = &block->pair->half[upper];

		block = near->best >= order ? near : &block->pair->half[!upper];
	}
	return block;
}

static int take_block(struct mm_buddy *b, int order, const struct mm_buddy_request *req,
		      struct mm_buddy_block **ret_block)
{
	struct mm_buddy_block *block = find_free(b, order, req->top_down);
	unsigned int fresh;

	/* The lowest one is beyond the bound, so every one is. */
	if (!block || (req->end && block->offset + order_bytes(b, (unsigned int)order) > req->end))
		return -ENOSPC;
	fresh = block->order;
	block = split_down(b, block, (unsigned int)order, req->top_down);
	if (!block)
		return -ENOMEM;
	mark_used(b, block, fresh);
	*ret_block = block;
	return 0;
}

int mm_buddy_alloc(struct mm_buddy *b, const struct mm_buddy_request *req,
		   struct mm_buddy_block **ret_blocks)
{
	struct mm_buddy_block *head = NULL, **tail = &head;
	int min_order = order_below(b, req->min_block);
	int order = VKF_MIN(order_below(b, req->max_block), (int)b->root.order);
	uint64_t left = req->size;
	int r = 0;

	VKF_ASSERT(req->size && VKF_IS_ALIGNED(req->size, req->min_block));
	VKF_ASSERT(!req->end || !req->top_down);
	if (left > b->n_free)
		return -ENOSPC;
	while (left) {
		order = VKF_MIN(order, order_below(b, left));
		r = -ENOSPC;
		while (r == -ENOSPC && order >= min_order) {
			r = take_block(b, order, req, tail);
			if (r == -ENOSPC)
				order--;
		}
		if (r)
			break;
		left -= order_bytes(b, (unsigned int)order);
		tail = &(*tail)->next;
	}
	if (r)
		mm_buddy_free(b, head);
	else
		*ret_blocks = head;
	return r;
}

/* ------------------------------------------------ one piece */

/* struct carve - take exactly [start, end) out of free blocks */
struct carve {
	struct mm_buddy *b;
	uint64_t start, end;
	unsigned int fresh; /* order of what is carved from */
	struct mm_buddy_block *head, **tail;
};

static int carve_from(struct carve *c, struct mm_buddy_block *block)
{
	int r;

	if (block->offset >= c->end || block_end(c->b, block) <= c->start)
		return 0;
	if (block->state == BLOCK_FREE && block->offset >= c->start &&
	    block_end(c->b, block) <= c->end) {
		mark_used(c->b, block, c->fresh);
		*c->tail = block;
		c->tail = &block->next;
		return 0;
	}
	VKF_ASSERT(block->state == BLOCK_FREE || block->state == BLOCK_SPLIT);
	if (block->state == BLOCK_FREE && split(c->b, block)) {
		merge(c->b, block);
		return -ENOMEM;
	}
	r = carve_from(c, &block->pair->half[0]);
	return r ? r : carve_from(c, &block->pair->half[1]);
}

/*
 * All of [start, start + size) is free. When a split fails, the free block it was to split is
 * merged upwards again at once, and freeing what was taken merges the rest.
 */
static int carve(struct mm_buddy *b, struct mm_buddy_block *from, uint64_t start, uint64_t size,
		 struct mm_buddy_block **ret_blocks)
{
	struct carve c = { .b = b, .start = start, .end = start + size, .fresh = from->order };
	int r;

	c.tail = &c.head;
	r = carve_from(&c, from);
	if (r)
		mm_buddy_free(b, c.head);
	else
		*ret_blocks = c.head;
	return r;
}

/* struct run_search - the walk over free blocks, in order of offset, for a long enough run */
struct run_search {
	struct mm_buddy *b;
	const struct mm_buddy_request *req;
	uint64_t start, end; /* the run so far */
	uint64_t found;
	bool any;
};

static void run_extend(struct run_search *s, uint64_t start, uint64_t end)
{
	uint64_t size = s->req->size, at;

	if (s->req->end)
		end = VKF_MIN(end, s->req->end);
	if (start >= end)
		return;
	if (start != s->end)
		s->start = start;
	s->end = end;
	if (s->end < size)
		return;
	at = s->req->top_down ? VKF_ALIGN_DOWN(s->end - size, s->req->min_block) :
				VKF_ALIGN_UP(s->start, s->req->min_block);
	if (at >= s->start && at + size <= s->end) {
		s->found = at;
		s->any = true;
	}
}

static void run_walk(struct run_search *s, const struct mm_buddy_block *block)
{
	if (s->any && !s->req->top_down)
		return;
	if (block->state == BLOCK_FREE)
		run_extend(s, block->offset, block_end(s->b, block));
	if (block->state != BLOCK_SPLIT || block->best < 0)
		return;
	run_walk(s, &block->pair->half[0]);
	run_walk(s, &block->pair->half[1]);
}

int mm_buddy_alloc_contiguous(struct mm_buddy *b, const struct mm_buddy_request *req,
			      struct mm_buddy_block **ret_blocks)
{
	struct run_search s = { .b = b, .req = req, .end = UINT64_MAX };
	struct mm_buddy_block *block;
	int order;

	VKF_ASSERT(req->size && VKF_IS_ALIGNED(req->size, UINT64_C(1) << b->shift));
	if (req->size > b->n_free)
		return -ENOSPC;
	order = order_above(b, VKF_MAX(req->size, req->min_block));
	block = find_free(b, order, req->top_down);
	if (block && !(req->end && block->offset + req->size > req->end)) {
		uint64_t at = block->offset;

		if (req->top_down)
			at = block_end(b, block) - order_bytes(b, (unsigned int)order);
		return carve(b, block, at, req->size, ret_blocks);
	}
	/* No single block is large enough, but neighbours may be. */
	run_walk(&s, &b->root);
	return s.any ? carve(b, &b->root, s.found, req->size, ret_blocks) : -ENOSPC;
}

/* ------------------------------------------------ life */

/* Make what lies beyond the size a hole. */
static int dig_hole(struct mm_buddy *b, struct mm_buddy_block *block)
{
	int r;

	if (block_end(b, block) <= b->size)
		return 0;
	if (block->offset >= b->size) {
		block->state = BLOCK_HOLE;
		block->best = -1;
		update_above(block, b->root.order);
		return 0;
	}
	if (split(b, block))
		return -ENOMEM;
	r = dig_hole(b, &block->pair->half[1]);
	return r ? r : dig_hole(b, &block->pair->half[0]);
}

static void free_tree(struct mm_buddy_block *block)
{
	if (block->state != BLOCK_SPLIT)
		return;
	free_tree(&block->pair->half[0]);
	free_tree(&block->pair->half[1]);
	vkf_free(block->pair);
}

static void drop_nodes(struct mm_buddy *b)
{
	free_tree(&b->root);
	while (b->spare) {
		struct mm_buddy_pair *next = b->spare->next;

		vkf_free(b->spare);
		b->spare = next;
	}
}

int mm_buddy_init(struct mm_buddy *b, uint64_t size, unsigned int shift)
{
	int order;

	size = VKF_ALIGN_DOWN(size, UINT64_C(1) << shift);
	if (!size)
		return -EINVAL;
	*b = (struct mm_buddy){ .size = size, .n_free = size, .shift = shift };
	order = order_above(b, size);
	b->root.order = (uint8_t)order;
	b->root.best = (int8_t)order;
	if (dig_hole(b, &b->root)) {
		drop_nodes(b);
		return -ENOMEM;
	}
	return 0;
}

void mm_buddy_fini(struct mm_buddy *b)
{
	VKF_ASSERT(b->n_free == b->size);
	drop_nodes(b);
}

/* ------------------------------------------------ seeing */

/* What a check has added up below a node. */
struct tally {
	uint64_t free, used, hole;
};

static const char *check_leaf(const struct mm_buddy *b, const struct mm_buddy_block *block,
			      struct tally *t)
{
	uint64_t bytes = order_bytes(b, block->order);

	if (block->best != (block->state == BLOCK_FREE ? block->order : -1))
		return "a block's best order is not its own";
	if ((block->state == BLOCK_HOLE) != (block->offset >= b->size))
		return "a hole is not beyond the size";
	t->free += block->state == BLOCK_FREE ? bytes : 0;
	t->used += block->state == BLOCK_USED ? bytes : 0;
	t->hole += block->state == BLOCK_HOLE ? bytes : 0;
	return NULL;
}

static const char *check_half(const struct mm_buddy *b, const struct mm_buddy_block *block,
			      unsigned int i)
{
	const struct mm_buddy_block *half = &block->pair->half[i];

	if (half->parent != block || half->order + 1 != block->order)
		return "a half does not belong to its block";
	if (half->offset != block->offset + i * order_bytes(b, half->order))
		return "a half is not where it should be";
	return NULL;
}

static const char *check_node(const struct mm_buddy *b, const struct mm_buddy_block *block,
			      struct tally *t)
{
	const char *why = NULL;

	if (block->state != BLOCK_SPLIT)
		return check_leaf(b, block, t);
	if (block->best != best_of_halves(block))
		return "a split block's best order is stale";
	if (block->pair->half[0].state == BLOCK_FREE && block->pair->half[1].state == BLOCK_FREE)
		return "two free halves are not merged";
	for (unsigned int i = 0; i < 2 && !why; i++) {
		why = check_half(b, block, i);
		if (!why)
			why = check_node(b, &block->pair->half[i], t);
	}
	return why;
}

const char *mm_buddy_check(const struct mm_buddy *b)
{
	struct tally t = { 0 };
	const char *why = check_node(b, &b->root, &t);

	if (!why && t.free != b->n_free)
		why = "free blocks do not add up to what is free";
	if (!why && t.free + t.used != b->size)
		why = "free and used blocks do not add up to the size";
	return why;
}

static void count_orders(const struct mm_buddy_block *block, uint64_t *n_free)
{
	if (block->state == BLOCK_FREE)
		n_free[block->order]++;
	if (block->state != BLOCK_SPLIT)
		return;
	count_orders(&block->pair->half[0], n_free);
	count_orders(&block->pair->half[1], n_free);
}

void mm_buddy_print(const struct mm_buddy *b, struct mm_print *p)
{
	uint64_t n_free[64] = { 0 };

	count_orders(&b->root, n_free);
	for (unsigned int i = 0; i <= b->root.order; i++) {
		if (n_free[i])
			mm_print(p, "  %" PRIu64 " free of %" PRIu64 " KiB\n", n_free[i],
				 order_bytes(b, i) >> 10);
	}
}
