/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_DOORBELL_H
#define VKFD_GPU_DOORBELL_H

/**
 * DOC: Doorbells
 *
 * A doorbell is a word of the BAR. To ring is to store to it: whatever is stored but
 * GPU_DOORBELL_REST (which no ring's position is) makes its queue look at its write
 * pointer in memory; the value itself is not used. Taking a doorbell puts the word to
 * rest again, so that the same value rings a second time.
 *
 * No ring is lost: a queue is idle only when its word was at rest after the look that
 * found nothing. Who rings has moved the write pointer before; so either that look
 * saw it, or the store to the word came after it, and stays there until it is taken.
 *
 * A doorbell has 8 bytes, before SOC15 (gpu_ctrl_vm.doorbell_bytes) 4.
 */
#include "gpu/engine_priv.h"

#define GPU_DOORBELL_REST UINT64_MAX

/* Find the doorbell of the queue in @slot, as the control block has it now. One that lies nowhere
 * is never rung. */
void gpu_doorbell_bind(struct gpu_engine *engine, uint32_t slot);
/* Whether it was rung since it was taken. */
bool gpu_doorbell_rung(const struct gpu_engine *engine, uint32_t slot);
/* Put it to rest. Return: whether it had been rung. */
bool gpu_doorbell_take(struct gpu_engine *engine, uint32_t slot);

#endif
