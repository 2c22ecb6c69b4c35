/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_QUEUE_H
#define VKFD_GPU_QUEUE_H

/**
 * DOC: One queue's turn
 *
 * A queue runs while the driver wants it to and it has no error. What the driver
 * wants is looked at before every packet and every piece of one; a queue that is
 * stopped in the middle of a packet goes on there if it is started again by the
 * next change of want_seq, and else begins the packet anew.
 *
 * A queue that cannot go on is given up: its error is set, the driver is told by an
 * interrupt, and nothing of it runs until the slot holds a new queue.
 */
#include "gpu/engine_priv.h"

/* Run some packets of @q. Return: enum gpu_step bits. */
unsigned int gpu_queue_service(struct gpu_worker *w, struct gpu_queue *q);

#endif
