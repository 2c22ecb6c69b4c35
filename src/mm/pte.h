/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PTE_H
#define VKFD_MM_PTE_H

/**
 * DOC: What stands in a page table
 *
 * The words are the hardware's (spec/pte_gfx9.bits); beside each valid one is a link,
 * which the hardware does not have (client.h). Addresses are 4 KiB aligned and stand
 * at their own place in the word, so the entry of the next page is the entry plus the
 * page's size. An entry of 0 is not valid.
 *
 * Where memory is, as an entry says it, depends on who asks:
 *
 *	VRAM of the VM's own GPU         VRAM offset
 *	VRAM of another GPU of the hive  hive base of that GPU + offset
 *	VRAM of another GPU over PCIe    bus address: its BAR + offset, system bit
 *	system pages, doorbells, MMIO    bus address, system bit
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "mm/vm.h"
#include "spec/pte_gfx9.h"

#define MM_PTE_LEVEL_BITS 9

/* Walk levels, root first. */
enum mm_pte_level { MM_PDB2, MM_PDB1, MM_PDB0, MM_PTB, MM_PTE_LEVELS };

/* Bytes of address space that one entry of @level covers. */
static inline uint64_t mm_pte_span(unsigned int level)
{
	return VKF_PAGE_SIZE << (MM_PTE_LEVEL_BITS * (MM_PTB - level));
}

static inline unsigned int mm_pte_slot(uint64_t va, unsigned int level)
{
	return (unsigned int)(va / mm_pte_span(level)) & ((1u << MM_PTE_LEVEL_BITS) - 1);
}

/* The bits of a leaf besides address and fragment. @system: the address is a bus address. */
uint64_t mm_pte_flags(const struct mm_pte_attr *attr, bool system);
/* A leaf in a table of @level; the address is whole pages. */
uint64_t mm_pte_leaf(uint64_t flags, uint64_t addr, unsigned int fragment, unsigned int level);
/* A directory entry that leads to a table in VRAM of the same GPU. */
uint64_t mm_pte_directory(vkf_vram table);

/* log2, in pages, of the longest aligned range that begins at both addresses and is no longer than
 * @bytes: what the fragment field says. */
unsigned int mm_pte_fragment(uint64_t va, uint64_t addr, uint64_t bytes);

#endif
