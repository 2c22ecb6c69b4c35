/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_PM4_SYNC_H
#define VKFD_GPU_PM4_SYNC_H

/**
 * DOC: PM4 packets that wait, and those that others wait for
 *
 * WAIT_REG_MEM and WAIT_REG_MEM64, REWIND, COND_WRITE, MEM_SEMAPHORE, EVENT_WRITE and
 * RELEASE_MEM. Called by pm4.c, which has fetched the packet and knows it to be whole;
 * results as in engine_priv.h: -EAGAIN is a wait that is not over.
 */
#include "gpu/pm4_data.h"

int gpu_pm4_wait(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_wait64(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_rewind(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_cond_write(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_semaphore(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_event_write(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);
int gpu_pm4_release_mem(struct gpu_worker *w, struct gpu_queue *q, struct gpu_pm4_packet *packet);

#endif
