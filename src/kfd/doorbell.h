/* SPDX-License-Identifier: MIT */
#ifndef VKFD_KFD_DOORBELL_H
#define VKFD_KFD_DOORBELL_H

/**
 * DOC: Which doorbell a queue gets
 *
 * From SOC15 on a process's slice has 1024 doorbells of 8 bytes; SDMA engines
 * listen to fixed ones, the other engines' range and its mirror 512 further up
 * are kept free, and compute queues get the lowest that is left. Before that a
 * doorbell has 4 bytes, and its number is the queue's id.
 */
#include "kfd/process.h"

void kfd_doorbells_init(struct kfd_pdd *pdd, const struct machine_asic *asic);
/**
 * kfd_doorbell_take() - find the doorbell of a new queue
 * @sdma: where its SDMA queue is, NULL for a compute queue
 *
 * Needs the process's lock. Return: 0 with the number in @ret_id, or -EBUSY.
 */
int kfd_doorbell_take(struct kfd_pdd *pdd, const struct machine_asic *asic, unsigned int queue_id,
		      const struct kfd_sdma_slot *sdma, unsigned int *ret_id);
void kfd_doorbell_give(struct kfd_pdd *pdd, const struct machine_asic *asic, unsigned int id,
		       bool sdma);

static inline uint32_t kfd_doorbell_bytes(const struct machine_asic *asic)
{
	return asic->doorbell64 ? 8 : 4;
}

#endif
