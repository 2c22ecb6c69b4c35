/* SPDX-License-Identifier: MIT */
#include "kfd/cu_mask.h"

#include <string.h>
#include "base/macro.h"
#include "machine/asics.h"

#define ARRAY_BITS 16u /* of one array in an engine's mask */

/* struct deal - what is left to be dealt out */
struct deal {
	const struct machine_asic *asic;
	const uint32_t *mask;
	unsigned int bits, next; /* next of @mask */
	unsigned int step;       /* units that go together, times partitions */
	uint32_t together;       /* as many low bits as units go together */
	uint32_t *ret;
};

/* Unit @cu of one array gets the next bit, if there is such a unit. */
static void deal_unit(struct deal *d, unsigned int engine, unsigned int array, unsigned int cu)
{
	uint32_t works = machine_asic_cu_mask(d->asic, engine, array);

	if ((unsigned int)__builtin_popcount(works) <= cu || d->next >= d->bits)
		return;
	if (d->mask[d->next / 32] >> (d->next % 32) & d->together)
		d->ret[engine] |= d->together << (cu + array * ARRAY_BITS);
	d->next += d->step;
}

void kfd_cu_mask_deal(const struct machine_asic *asic, const uint32_t *mask, unsigned int bits,
		      uint32_t ret[KFD_MAX_SHADER_ENGINES])
{
	unsigned int pair = asic->gfx_target >= 100000 ? 2 : 1;
	struct deal d = {
		.asic = asic,
		.mask = mask,
		.bits = VKF_MIN(bits, asic->cu_count),
		.step = pair * VKF_MAX(asic->xcc_count, 1u),
		.together = pair == 2 ? 3 : 1,
		.ret = ret,
	};

	memset(ret, 0, KFD_MAX_SHADER_ENGINES * sizeof(ret[0]));
	for (unsigned int cu = 0; cu < ARRAY_BITS; cu += pair) {
		for (unsigned int array = 0; array < asic->arrays_per_engine; array++) {
			for (unsigned int e = 0; e < asic->shader_engines; e++)
				deal_unit(&d, e, array, cu);
		}
	}
}
