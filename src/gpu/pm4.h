/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_PM4_H
#define VKFD_GPU_PM4_H

/**
 * DOC: PM4 indirect buffers
 *
 * What an AQL vendor packet names: a buffer of PM4 packets, which may call others
 * (GPU_IB_DEPTH deep) or go on in another (chain). One call runs one packet, so an
 * endless chain can be stopped like everything else.
 *
 * Registers are not memory we have: packets that would write one are bad, reads of
 * one give 0, waits for one pass.
 */
#include "gpu/engine_priv.h"

/* Take up the indirect buffer that the INDIRECT_BUFFER packet @p names; q->depth stays 0 when it
 * is empty. Return: 0 or -EINVAL. */
int gpu_pm4_begin(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p);
/* One packet. Return: 0 when the outermost buffer has ended, else as in engine_priv.h. */
int gpu_pm4_step(struct gpu_worker *w, struct gpu_queue *q);

#endif
