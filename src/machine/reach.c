/* SPDX-License-Identifier: MIT */
/**
 * DOC: How a GPU reaches a buffer, and what the entries say about caching
 *
 * The rules are gmc_v9_0_get_coherence_flags() and kfd_mem_attach() of Linux 6.12:
 * where the memory is seen from (local, hive, bus, system) and which coherence the
 * program asked for decide MTYPE; memory that is not the GPU's own is snooped.
 * GFX8 has no MTYPE for the program to see; its entries use the same words.
 */
#include <errno.h>

#include "machine/machine.h"
#include "spec/pte_gfx9.h"

enum seen_from { SEEN_LOCAL, SEEN_HIVE, SEEN_BUS, SEEN_SYSTEM, N_SEEN };

/* MTYPE by place: without a wish, with COHERENT, with UNCACHED. */
struct mtype_row {
	uint8_t plain, coherent, uncached;
};

#define NC PTE_GFX9_MTYPE_NC
#define RW PTE_GFX9_MTYPE_RW
#define CC PTE_GFX9_MTYPE_CC
#define UC PTE_GFX9_MTYPE_UC

/* GC 9.4.1 and 9.4.2: caches of local memory are kept coherent by the hardware on request. */
static const struct mtype_row mtype_9_4[N_SEEN] = {
	[SEEN_LOCAL] = { RW, CC, UC },
	[SEEN_HIVE] = { NC, UC, UC },
	[SEEN_BUS] = { NC, UC, UC },
	[SEEN_SYSTEM] = { NC, UC, UC },
};

static const struct mtype_row mtype_other[N_SEEN] = {
	[SEEN_LOCAL] = { NC, UC, UC },
	[SEEN_HIVE] = { NC, UC, UC },
	[SEEN_BUS] = { NC, UC, UC },
	[SEEN_SYSTEM] = { NC, UC, UC },
};

static bool is_9_4(const struct machine_asic *asic)
{
	return asic->gfx_target == 90008 || asic->gfx_target == 90010;
}

static uint8_t mtype(const struct machine_asic *asic, enum seen_from from,
		     const struct machine_access *access)
{
	const struct mtype_row *row = &(is_9_4(asic) ? mtype_9_4 : mtype_other)[from];

	if (access->uncached)
		return row->uncached;
	return access->coherent || access->ext_coherent ? row->coherent : row->plain;
}

/* Where GPU @target sees a buffer of GPU @home. Return: enum seen_from or -EINVAL. */
static int seen_from(const struct machine *m, unsigned int home, unsigned int target,
		     enum mm_bo_kind kind)
{
	const struct machine_profile *p = machine_profile(m);

	if (kind == MM_BO_GTT || kind == MM_BO_USERPTR)
		return SEEN_SYSTEM;
	if (home == target)
		return kind == MM_BO_VRAM ? SEEN_LOCAL : SEEN_SYSTEM;
	if (kind == MM_BO_VRAM && machine_same_hive(p, home, target))
		return SEEN_HIVE;
	if (!machine_peer_accessible(p, home, target))
		return -EINVAL;
	return kind == MM_BO_VRAM ? SEEN_BUS : SEEN_SYSTEM;
}

int machine_reach(const struct machine *m, unsigned int home, unsigned int target,
		  const struct machine_access *access, struct mm_pte_attr *ret_attr)
{
	static const enum mm_reach reach[N_SEEN] = {
		[SEEN_LOCAL] = MM_REACH_LOCAL,
		[SEEN_HIVE] = MM_REACH_HIVE,
		[SEEN_BUS] = MM_REACH_BUS,
		[SEEN_SYSTEM] = MM_REACH_BUS,
	};
	const struct machine_asic *asic = &machine_profile(m)->gpus[target].asic;
	int from = seen_from(m, home, target, access->kind);

	if (from < 0)
		return from;
	*ret_attr = (struct mm_pte_attr){
		.writeable = access->writeable,
		.executable = access->executable,
		.snooped = from == SEEN_SYSTEM || (from == SEEN_HIVE && is_9_4(asic)),
		/* Doorbells and MMIO are registers: never cached. */
		.mtype = access->kind == MM_BO_BAR ? UC : mtype(asic, (enum seen_from)from, access),
		.mtype_system = mtype(asic, SEEN_SYSTEM, access),
		.reach = reach[from],
	};
	return 0;
}
