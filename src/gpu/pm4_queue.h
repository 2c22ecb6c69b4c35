/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_PM4_QUEUE_H
#define VKFD_GPU_PM4_QUEUE_H

/**
 * DOC: PM4 user queues
 *
 * Positions are dwords. The write pointer is a 64-bit word that only grows (32 bits
 * and wrapped before gfx9), the read pointer a 32-bit word below the ring's size; both
 * are compared modulo the ring, so that equal means empty and a full ring has one
 * dword left.
 *
 * The read pointer is written once everything that a packet wrote can be seen, and
 * before the packet's interrupt is raised. An indirect buffer belongs to the packet
 * that named it: the read pointer stays there until the buffer has ended.
 */
#include "gpu/engine_priv.h"

int gpu_pm4_queue_step(struct gpu_worker *w, struct gpu_queue *q);

#endif
