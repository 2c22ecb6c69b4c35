/* SPDX-License-Identifier: MIT */
#include "kfd/doorbell.h"

#include <errno.h>

#define MIRROR 512u /* a routed doorbell's twin, for the odd queues of an engine */

/* What the bus interface routes to engines other than the command processor. */
struct routing {
	unsigned int sdma_first, sdma_stride, non_cp_last;
};

static const struct routing vega10 = { .sdma_first = 0xf0, .sdma_stride = 2, .non_cp_last = 0xff };
static const struct routing vega20 = { .sdma_first = 0x100,
				       .sdma_stride = 0xa,
				       .non_cp_last = 0x18f };

static const struct routing *routing_of(const struct machine_asic *asic)
{
	return asic->gfx_target < 90006 ? &vega10 : &vega20;
}

void kfd_doorbells_init(struct kfd_pdd *pdd, const struct machine_asic *asic)
{
	const struct routing *r = routing_of(asic);

	if (!asic->doorbell64)
		return;
	for (unsigned int i = r->sdma_first; i <= r->non_cp_last; i++) {
		vkf_bit_set(pdd->doorbells, i);
		vkf_bit_set(pdd->doorbells, i + MIRROR);
	}
}

int kfd_doorbell_take(struct kfd_pdd *pdd, const struct machine_asic *asic, unsigned int queue_id,
		      const struct kfd_sdma_slot *sdma, unsigned int *ret_id)
{
	const struct routing *r = routing_of(asic);
	unsigned int id = queue_id;

	if (asic->doorbell64 && sdma) {
		id = r->sdma_first + sdma->engine * r->sdma_stride + (sdma->queue & 1) * MIRROR +
		     sdma->queue / 2;
	} else if (asic->doorbell64) {
		id = vkf_bitmap_first_zero(pdd->doorbells, KFD_MAX_QUEUES);
		if (id == KFD_MAX_QUEUES)
			return -EBUSY;
		vkf_bit_set(pdd->doorbells, id);
	}
	*ret_id = id;
	return 0;
}

void kfd_doorbell_give(struct kfd_pdd *pdd, const struct machine_asic *asic, unsigned int id,
		       bool sdma)
{
	if (asic->doorbell64 && !sdma)
		vkf_bit_clear(pdd->doorbells, id);
}
