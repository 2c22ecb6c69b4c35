/* SPDX-License-Identifier: MIT */
#include "mm/buddy.h"

#include <errno.h>
#include "base/env.h"
#include "mm/buddy_private.h"

#define MAX_SPARE 128

static union mm_buddy_pair *pair_get(struct mm_buddy *b)
{
	union mm_buddy_pair *pair = b->spare;

	if (b->n_spare <= b->n_kept)
		return vkf_zalloc(sizeof(*pair));
	b->spare = pair->next;
	b->n_spare--;
	return pair;
}

static void pair_put(struct mm_buddy *b, union mm_buddy_pair *pair)
{
	if (b->n_spare >= MAX_SPARE + b->n_kept) {
		vkf_free(pair);
		return;
	}
	pair->next = b->spare;
	b->spare = pair;
	b->n_spare++;
}

static uint64_t block_end(const struct mm_buddy *b, const struct mm_buddy_block *block)
{
	return block->offset + mm_buddy_order_bytes(b, block->order);
}

/* Greatest order of a block not larger, and smallest of one not smaller, than @bytes. */
static int order_below(const struct mm_buddy *b, uint64_t bytes)
{
	return 63 - __builtin_clzll(bytes >> b->shift);
}

static int order_above(const struct mm_buddy *b, uint64_t bytes)
{
	int order = order_below(b, bytes);

	return mm_buddy_order_bytes(b, (unsigned int)order) < bytes ? order + 1 : order;
}

/* What is free in @block has changed: tell the nodes above, of which those up to order @fresh have
 * never been right, and the others were. */
static void update_above(struct mm_buddy_block *block, unsigned int fresh)
{
	for (block = block->parent; block; block = block->parent) {
		int8_t best = mm_buddy_best_of_halves(block);

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
	union mm_buddy_pair *pair = pair_get(b);

	if (!pair)
		return -ENOMEM;
	VKF_ASSERT(block->state == BLOCK_FREE && block->order > 0);
	half_init(&pair->half[0], block, block->offset);
	half_init(&pair->half[1], block,
		  block->offset + mm_buddy_order_bytes(b, (unsigned int)block->order - 1));
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
	b->n_free -= mm_buddy_order_bytes(b, block->order);
	update_above(block, fresh);
}

static void mark_free(struct mm_buddy *b, struct mm_buddy_block *block)
{
	VKF_ASSERT(block->state == BLOCK_USED);
	block->state = BLOCK_FREE;
	block->next = NULL;
	b->n_free += mm_buddy_order_bytes(b, block->order);
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

/* Take the halves that hold @offset until the block has @order; on failure it is as it was. */
static struct mm_buddy_block *split_down(struct mm_buddy *b, struct mm_buddy_block *block,
					 unsigned int order, uint64_t offset)
{
	while (block->order > order) {
		if (split(b, block)) {
			merge(b, block);
			return NULL;
		}
		block = &block->pair->half[offset >= block->pair->half[1].offset];
	}
	return block;
}

/* struct place - where a block of @order bytes may lie, and where it will */
struct place {
	uint64_t start, end; /* multiples of @bytes */
	uint64_t bytes, at;
	int order;
	bool upper;
};

static struct place place_init(const struct mm_buddy *b, const struct mm_buddy_request *req,
			       int order)
{
	uint64_t bytes = mm_buddy_order_bytes(b, (unsigned int)order);
	uint64_t end = req->end ? VKF_MIN(req->end, b->size) : b->size;

	return (struct place){
		.start = VKF_ALIGN_UP(req->start, bytes),
		.end = VKF_ALIGN_DOWN(end, bytes),
		.bytes = bytes,
		.order = order,
		.upper = req->top_down,
	};
}

/* In a free block: at its outer end, as far as that is within bounds. */
static bool fit(const struct mm_buddy *b, const struct mm_buddy_block *block, struct place *p)
{
	uint64_t lo = VKF_MAX(block->offset, p->start), hi = VKF_MIN(block_end(b, block), p->end);

	if (hi < lo || hi - lo < p->bytes)
		return false;
	p->at = p->upper ? hi - p->bytes : lo;
	return true;
}

/* The outermost free block on one side that is large enough, in one that has any. */
static struct mm_buddy_block *descend(struct mm_buddy_block *block, const struct place *p)
{
	while (block->state != BLOCK_FREE) {
		struct mm_buddy_block *half = block->pair->half;
		bool outer = half[p->upper].best >= p->order;

		block = &half[outer ? p->upper : !p->upper];
	}
	return block;
}

/*
 * The outermost free block on one side in which it fits, or NULL. A block that is all within
 * bounds and has a free one large enough is never searched in vain, so only the paths along the
 * two bounds are.
 */
static struct mm_buddy_block *find_free(const struct mm_buddy *b, struct mm_buddy_block *block,
					struct place *p)
{
	struct mm_buddy_block *found;

	if (block->best < p->order || block->offset >= p->end || block_end(b, block) <= p->start)
		return NULL;
	if (block->offset >= p->start && block_end(b, block) <= p->end)
		block = descend(block, p);
	if (block->state == BLOCK_FREE)
		return fit(b, block, p) ? block : NULL;
	found = find_free(b, &block->pair->half[p->upper], p);
	return found ? found : find_free(b, &block->pair->half[!p->upper], p);
}

static int take_block(struct mm_buddy *b, int order, const struct mm_buddy_request *req,
		      struct mm_buddy_block **ret_block)
{
	struct place p = place_init(b, req, order);
	struct mm_buddy_block *block = find_free(b, &b->root, &p);
	unsigned int fresh;

	if (!block)
		return -ENOSPC;
	fresh = block->order;
	block = split_down(b, block, (unsigned int)order, p.at);
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
		left -= mm_buddy_order_bytes(b, (unsigned int)order);
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

	start = VKF_MAX(start, s->req->start);
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
	struct place p;

	VKF_ASSERT(req->size && VKF_IS_ALIGNED(req->size, UINT64_C(1) << b->shift));
	if (req->size > b->n_free)
		return -ENOSPC;
	p = place_init(b, req, order_above(b, VKF_MAX(req->size, req->min_block)));
	block = find_free(b, &b->root, &p);
	if (block)
		return carve(b, block, p.at, req->size, ret_blocks);
	/* No single block is large enough, but neighbours may be. */
	run_walk(&s, &b->root);
	return s.any ? carve(b, &b->root, s.found, req->size, ret_blocks) : -ENOSPC;
}

/* ------------------------------------------------ one chunk, for good */

static const struct mm_buddy_block *leaf_at(const struct mm_buddy *b, uint64_t offset)
{
	const struct mm_buddy_block *block = &b->root;

	while (block->state == BLOCK_SPLIT)
		block = &block->pair->half[offset >= block->pair->half[1].offset];
	return block;
}

bool mm_buddy_is_free(const struct mm_buddy *b, uint64_t offset)
{
	return offset < b->size && leaf_at(b, offset)->state == BLOCK_FREE;
}

int mm_buddy_keep(struct mm_buddy *b)
{
	/* A chunk is cut out of a block by one split for each order above it. */
	unsigned int n = b->n_kept + b->root.order;

	while (b->n_spare < n) {
		union mm_buddy_pair *pair = vkf_zalloc(sizeof(*pair));

		if (!pair)
			return -ENOMEM;
		pair->next = b->spare;
		b->spare = pair;
		b->n_spare++;
	}
	b->n_kept = n;
	return 0;
}

void mm_buddy_unkeep(struct mm_buddy *b)
{
	VKF_ASSERT(b->n_kept >= b->root.order);
	b->n_kept -= b->root.order;
}

struct mm_buddy_block *mm_buddy_withdraw(struct mm_buddy *b, uint64_t offset)
{
	struct mm_buddy_block *block;
	unsigned int fresh;

	if (!mm_buddy_is_free(b, offset))
		return NULL;
	mm_buddy_unkeep(b);
	block = (struct mm_buddy_block *)leaf_at(b, offset);
	fresh = block->order;
	block = split_down(b, block, 0, offset);
	VKF_ASSERT(block);
	mark_used(b, block, fresh);
	return block;
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
		union mm_buddy_pair *next = b->spare->next;

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
