/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_AQL_H
#define VKFD_GPU_AQL_H

/**
 * DOC: AQL queues
 *
 * Positions are packet indices, wptr is write_dispatch_id. A packet is there when
 * its index is below it and the slot's type is not INVALID: the doorbell is only a
 * wake-up. Packets run and complete in order, so the barrier bit always holds; a
 * shader engine that overlaps them will have to wait for it here.
 *
 * On gfx8 a slot may hold PM4 packets instead, sixteen words of them: there are no
 * vendor packets to name an indirect buffer. When they have run, the slot is over like
 * any other.
 *
 * The pointers of a queue that ROCr made lie in an amd_queue_t; it is recognised by
 * their distance, and then its profiling bit and queue_inactive_signal are
 * respected. Of other queues all packets get timestamps.
 */
#include "gpu/engine_priv.h"

int gpu_aql_step(struct gpu_worker *w, struct gpu_queue *q);
/* Tell the queue's owner of a packet that was refused: queue_inactive_signal, if there is one. */
void gpu_aql_refuse(struct gpu_worker *w, struct gpu_queue *q, uint32_t error);

#endif
