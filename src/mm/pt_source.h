/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PT_SOURCE_H
#define VKFD_MM_PT_SOURCE_H

/**
 * DOC: What a range of address space leads to
 *
 * Memory in pieces, the bits that entries have besides an address, and a backing that
 * is contiguous; or, with bits that are not valid, a range that is there and leads to
 * no memory (PRT), of which addresses say nothing.
 *
 * The hardware reads many entries as one where addresses and memory are contiguous and
 * aligned alike: a fragment, as long as it can be without leaving the range. Whoever
 * changes a part of a fragment must write the rest of it anew, so mm_pt_block_at() says
 * how far it reaches. A large entry never reaches farther.
 */
#include "mm/pte.h"
#include "mm/resource.h"

struct mm_pt_source {
	uint64_t flags;      /* mm_pte_flags() */
	uint64_t addr_base;  /* added to what the walk gives */
	uint64_t link;       /* of the first page */
	struct mm_walk walk; /* at least as long as the range */
};

static inline bool mm_pt_source_is_valid(const struct mm_pt_source *source)
{
	return pte_gfx9_get_valid(source->flags);
}

/* Of its first page; 0 where there is no memory. */
uint64_t mm_pt_source_addr(const struct mm_pt_source *source);
/* Begin @bytes later. */
void mm_pt_source_skip(struct mm_pt_source *source, uint64_t bytes);
/* log2, in pages, of the fragment that begins at @va; @end is that of the range. */
unsigned int mm_pt_source_fragment(const struct mm_pt_source *source, uint64_t va, uint64_t end);
/* Whether one entry for 2 MiB may begin at @va. */
bool mm_pt_source_fits_huge(const struct mm_pt_source *source, uint64_t va, uint64_t end);
/*
 * Of a range from @va to @end that leads to @source, and of an address @at in it: the part around
 * @at whose entries may speak for one another.
 */
void mm_pt_block_at(const struct mm_pt_source *source, uint64_t va, uint64_t end, uint64_t at,
		    uint64_t *ret_start, uint64_t *ret_end);

#endif
