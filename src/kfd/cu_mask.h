/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_CU_MASK_H
#define VKFD_KFD_CU_MASK_H

/**
 * DOC: Which compute units a queue may use
 *
 * SET_CU_MASK counts units as if there were one row of them; the hardware has a mask
 * for each shader engine. The bits are dealt out in turn: to all engines of the first
 * shader array, then of the next, then their second units, and so on, passing over
 * what does not work. So any mask uses the engines as evenly as can be. The rule is
 * mqd_symmetrically_map_cu_mask() of Linux 6.12.
 */
#include "machine/profile.h"

#define KFD_MAX_SHADER_ENGINES 8

/**
 * kfd_cu_mask_deal() - the engines' masks
 * @mask: @bits bits; those beyond the units that work do not count
 * @ret: bit n is unit n of the engine's first array, bit 16 + n of its second
 *
 * Of partition 0. From gfx10 on units go in pairs.
 */
void kfd_cu_mask_deal(const struct machine_asic *asic, const uint32_t *mask, unsigned int bits,
		      uint32_t ret[KFD_MAX_SHADER_ENGINES]);

#endif
