/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_PM4_H
#define VKFD_GPU_PM4_H

/**
 * DOC: PM4 packets
 *
 * They come from the ring of a PM4 queue (pm4_queue.h) or from an indirect buffer,
 * which a packet of such a ring or an AQL vendor packet names: a buffer that may call
 * others (GPU_IB_DEPTH deep) or go on in another (chain). One call runs one packet, so
 * an endless chain can be stopped like everything else.
 *
 * Registers: regs.h. There is one XCC, number 0.
 */
#include "gpu/ring.h"

/**
 * gpu_pm4_packet() - run the packet at the position of @s
 * @ret_words: its length, when it is complete
 *
 * A ring's packet that is not all there yet is -ENODATA, an indirect buffer's is bad.
 * An INDIRECT_BUFFER packet takes up its buffer (q->depth) and is -EINPROGRESS: what
 * follows is gpu_pm4_step()'s, and the packet is complete when that says so.
 */
int gpu_pm4_packet(struct gpu_worker *w, struct gpu_queue *q, const struct gpu_stream *s,
		   uint32_t *ret_words);
/* Take up the indirect buffer that the INDIRECT_BUFFER packet @p names; q->depth stays 0 when it
 * is empty. Return: 0 or -EINVAL. */
int gpu_pm4_begin(struct gpu_worker *w, struct gpu_queue *q, const uint32_t *p);
/* One packet of the innermost buffer; q->depth is not 0. Return: 0 when the outermost buffer has
 * ended, else as in engine_priv.h. */
int gpu_pm4_step(struct gpu_worker *w, struct gpu_queue *q);

#endif
