/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ENGINE_THREAD_H
#define VKFD_SHIM_ENGINE_THREAD_H

/**
 * DOC: The engine as a thread of the program
 *
 * For sandboxes that allow no process in another's memory. The program sees the
 * thread, and stopping the program stops its GPU. The loop, the doorbells and the
 * accesses to memory are those of the process: its two descriptors are hidden from
 * the program (hidden.h), and its faults are told from the program's (guard.h).
 *
 * It never touches a doorbell through the program's mapping while that is protected:
 * nobody else could let the access through.
 */
#include <stdbool.h>
#include "shim/engine.h"

/* All signals are blocked. Return: 0 when there is a thread, which sets @e->status; or -errno. */
int engine_thread_start(struct engine *e);
/**
 * engine_thread_faulted() - a fault at *@ip of the calling thread, in its signal handler
 *
 * Return: true, when it was an access of the engine's to memory that is gone: it goes on at *@ip.
 * False: it is the program's. Does not return when it is the engine's thread that is broken.
 */
bool engine_thread_faulted(uint64_t *ip);

#endif
