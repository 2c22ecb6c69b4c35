/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include "gpu/dialect.h"
#include "gpu/ctrl.h"

#define BITS(n) ((UINT32_C(1) << (n)) - 1)

static const struct gpu_dialect_info dialects[] = {
	[GPU_DIALECT_GFX9] = { .bytes_mask = BITS(22),
			       .words_mask = BITS(20),
			       .entries_mask = BITS(20),
			       .count_less = 1,
			       .dma_mask = BITS(26),
			       .release_words = 8,
			       .gfx9_packets = true },
	[GPU_DIALECT_GFX90A] = { .bytes_mask = BITS(30),
				 .words_mask = BITS(20),
				 .entries_mask = BITS(20),
				 .count_less = 1,
				 .dma_mask = BITS(26),
				 .release_words = 8,
				 .gfx9_packets = true },
	[GPU_DIALECT_GFX8] = { .bytes_mask = BITS(22),
			       .words_mask = BITS(22),
			       .entries_mask = BITS(19),
			       .narrow_pitch = true,
			       .dma_mask = BITS(21),
			       .release_words = 7,
			       .narrow_pointers = true },
};

const struct gpu_dialect_info *gpu_dialect_find(uint32_t dialect)
{
	return dialect < VKF_ARRAY_SIZE(dialects) ? &dialects[dialect] : NULL;
}
