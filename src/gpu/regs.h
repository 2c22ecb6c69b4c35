/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_REGS_H
#define VKFD_GPU_REGS_H

/**
 * DOC: Registers that packets may set and read back
 *
 * Two ranges are kept: the persistent COMPUTE_* ones, which describe a dispatch and
 * belong to their queue, and the UCONFIG ones, which the queues of one GPU share (as
 * far as one client sees it). Nothing acts upon the second kind. All are 0 at first;
 * a queue's own are 0 again in a new queue, but for what the driver sets.
 *
 * All other registers are privileged: nothing that a user queue does reaches them. They
 * are read as 0, a wait for one is over at once (that is the HDP flush), and a packet
 * that would write one is a bad one.
 */
#include "gpu/engine_priv.h"

/* A new queue: its registers, and what an atomic returned, are 0. */
void gpu_regs_reset(struct gpu_queue *q);
/* A queue starts, anew or again: the registers that the driver sets, which are those that say what
 * compute units it may use. */
void gpu_regs_load(struct gpu_queue *q);
/* Of @n registers from @reg on, take from those that the driver sets what it does not allow. */
void gpu_regs_mask(struct gpu_queue *q, uint32_t reg, uint32_t n);
/* The place of register @reg, a word's number; NULL when it is not kept. */
uint32_t *gpu_reg_find(struct gpu_worker *w, struct gpu_queue *q, uint32_t reg);
/* The places of @n registers from @reg on, all of one kind; NULL when one of them is not kept. */
uint32_t *gpu_reg_range(struct gpu_worker *w, struct gpu_queue *q, uint32_t reg, uint32_t n);

#endif
