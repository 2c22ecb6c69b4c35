/* SPDX-License-Identifier: MIT */
#include "mm/buddy_report.h"

#include "mm/buddy_private.h"
#include "mm/print.h"

/* ------------------------------------------------ what does not hold */

/* What a check has added up below a node. */
struct tally {
	uint64_t free, used, hole;
};

static const char *check_leaf(const struct mm_buddy *b, const struct mm_buddy_block *block,
			      struct tally *t)
{
	uint64_t bytes = mm_buddy_order_bytes(b, block->order);

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
	if (half->offset != block->offset + i * mm_buddy_order_bytes(b, half->order))
		return "a half is not where it should be";
	return NULL;
}

static const char *check_node(const struct mm_buddy *b, const struct mm_buddy_block *block,
			      struct tally *t)
{
	const char *why = NULL;

	if (block->state != BLOCK_SPLIT)
		return check_leaf(b, block, t);
	if (block->best != mm_buddy_best_of_halves(block))
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

	if (!why && b->n_spare < b->n_kept)
		why = "fewer pairs are spare than are kept";
	if (!why && t.free != b->n_free)
		why = "free blocks do not add up to what is free";
	if (!why && t.free + t.used != b->size)
		why = "free and used blocks do not add up to the size";
	return why;
}

/* ------------------------------------------------ how it is cut up */

/* struct report_walk - over free blocks, in order of offset */
struct report_walk {
	const struct mm_buddy *b;
	struct mm_buddy_report *report;
	uint64_t run, run_end; /* the free run so far, and where it ends */
};

static void report_free(struct report_walk *w, const struct mm_buddy_block *block)
{
	uint64_t bytes = mm_buddy_order_bytes(w->b, block->order);

	w->report->n_free[block->order]++;
	w->report->free += bytes;
	w->report->largest_block = VKF_MAX(w->report->largest_block, bytes);
	w->run = block->offset == w->run_end ? w->run + bytes : bytes;
	w->run_end = block->offset + bytes;
	w->report->largest_run = VKF_MAX(w->report->largest_run, w->run);
}

static void report_block(struct report_walk *w, const struct mm_buddy_block *block)
{
	if (block->best < 0)
		return;
	if (block->state == BLOCK_FREE) {
		report_free(w, block);
		return;
	}
	report_block(w, &block->pair->half[0]);
	report_block(w, &block->pair->half[1]);
}

void mm_buddy_report(const struct mm_buddy *b, struct mm_buddy_report *ret_report)
{
	struct report_walk w = { .b = b, .report = ret_report };

	*ret_report = (struct mm_buddy_report){ .n_orders = b->root.order + 1u };
	report_block(&w, &b->root);
}

uint64_t mm_buddy_unusable(const struct mm_buddy *b, const struct mm_buddy_report *report,
			   uint64_t block)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < report->n_orders && mm_buddy_order_bytes(b, i) < block; i++)
		sum += report->n_free[i] << (i + b->shift);
	return sum;
}

void mm_buddy_print(const struct mm_buddy *b, struct mm_print *p)
{
	struct mm_buddy_report report;

	mm_buddy_report(b, &report);
	mm_print_row(p, "fragmentation");
	mm_print_bytes(p, "free", report.free);
	mm_print_bytes(p, "largest_block", report.largest_block);
	mm_print_bytes(p, "largest_run", report.largest_run);
	mm_print_bytes(p, "unusable_for_2mib", mm_buddy_unusable(b, &report, VKF_HUGE_SIZE));
	mm_print_list(p, "blocks");
	for (unsigned int i = 0; i < report.n_orders; i++) {
		if (!report.n_free[i])
			continue;
		mm_print_row(p, NULL);
		mm_print_bytes(p, "size", mm_buddy_order_bytes(b, i));
		mm_print_u64(p, "n", report.n_free[i]);
		mm_print_end(p);
	}
	mm_print_end(p);
	mm_print_end(p);
}
