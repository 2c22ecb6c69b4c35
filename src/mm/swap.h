/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_SWAP_H
#define VKFD_MM_SWAP_H

/**
 * DOC: System memory that no GPU reaches
 *
 * Where a buffer goes when there is no GTT for it: it has no address there, and has to
 * come back before it is used. There is no limit but the one on what clients may have.
 */
#include "mm/resource.h"

struct mm_swap {
	struct mm_manager man;
};

void mm_swap_init(struct mm_swap *swap);
void mm_swap_fini(struct mm_swap *swap);

#endif
