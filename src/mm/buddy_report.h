/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_BUDDY_REPORT_H
#define VKFD_MM_BUDDY_REPORT_H

/**
 * DOC: A buddy allocator's space, looked at
 *
 * Each walks over all nodes.
 */
#include "mm/buddy.h"

struct mm_print;

#define MM_BUDDY_ORDERS 64

/* What does not hold, or NULL. */
const char *mm_buddy_check(const struct mm_buddy *b);

/* struct mm_buddy_report - how what is free is cut up; all sizes are in bytes */
struct mm_buddy_report {
	uint64_t n_free[MM_BUDDY_ORDERS]; /* free blocks of each order */
	unsigned int n_orders;            /* that this space can have */
	uint64_t free;
	uint64_t largest_block;
	uint64_t largest_run;             /* free bytes without a gap, of whatever blocks */
};

void mm_buddy_report(const struct mm_buddy *b, struct mm_buddy_report *ret_report);
/* How much of what is free lies in blocks smaller than @block bytes, a power of two. */
uint64_t mm_buddy_unusable(const struct mm_buddy *b, const struct mm_buddy_report *report,
			   uint64_t block);
/* The report, as fields of the object that is being printed. */
void mm_buddy_print(const struct mm_buddy *b, struct mm_print *p);

#endif
