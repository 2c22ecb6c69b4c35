/* SPDX-License-Identifier: MIT */
#include "machine/profile.h"

bool machine_peer_accessible(const struct machine_profile *m, unsigned int owner,
			     unsigned int accessor)
{
	const struct machine_gpu *o = &m->gpus[owner], *a = &m->gpus[accessor];
	uint64_t last = o->bar_base + o->bar_bytes - 1;

	if (owner == accessor || !o->p2p || !a->p2p)
		return false;
	return o->visible_vram == o->vram && !(last >> a->asic.dma_bits);
}

bool machine_same_hive(const struct machine_profile *m, unsigned int a, unsigned int b)
{
	return a != b && m->gpus[a].hive_id && m->gpus[a].hive_id == m->gpus[b].hive_id;
}
