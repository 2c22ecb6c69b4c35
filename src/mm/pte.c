/* SPDX-License-Identifier: MIT */
#include "mm/pte.h"

#define MAX_FRAGMENT 31

uint64_t mm_pte_flags(const struct mm_pte_attr *attr, bool system)
{
	uint64_t e = 0;

	e = pte_gfx9_set_valid(e, 1);
	e = pte_gfx9_set_system(e, system);
	e = pte_gfx9_set_snooped(e, attr->snooped);
	e = pte_gfx9_set_executable(e, attr->executable);
	e = pte_gfx9_set_readable(e, 1);
	e = pte_gfx9_set_writeable(e, attr->writeable);
	return pte_gfx9_set_mtype(e, attr->mtype);
}

uint64_t mm_pte_leaf(uint64_t flags, uint64_t addr, unsigned int fragment, unsigned int level)
{
	uint64_t e = pte_gfx9_set_page(flags, addr >> VKF_PAGE_SHIFT);

	VKF_ASSERT(VKF_IS_ALIGNED(addr, mm_pte_span(level)));
	e = pte_gfx9_set_fragment(e, fragment);
	return level == MM_PTB ? e : pte_gfx9_set_pde_pte(e, 1);
}

uint64_t mm_pte_directory(vkf_vram table)
{
	return pte_gfx9_set_page(pte_gfx9_set_valid(0, 1), table.v >> VKF_PAGE_SHIFT);
}

unsigned int mm_pte_fragment(uint64_t va, uint64_t addr, uint64_t bytes)
{
	uint64_t pages = (va | addr) >> VKF_PAGE_SHIFT;
	unsigned int longest = 63 - (unsigned int)__builtin_clzll(bytes >> VKF_PAGE_SHIFT);
	unsigned int aligned = pages ? (unsigned int)__builtin_ctzll(pages) : MAX_FRAGMENT;

	return VKF_MIN(VKF_MIN(longest, aligned), MAX_FRAGMENT);
}
