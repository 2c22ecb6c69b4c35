/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_ENGINE_THREAD_H
#define VKFD_SHIM_ENGINE_THREAD_H

/**
 * DOC: The engine as a thread of the program
 *
 * For sandboxes that allow no process in another's memory. The program sees the
 * thread and one more hidden descriptor, stopping the program stops its GPU, and
 * doorbells are polled. Memory is copied by the kernel, which answers for pages that
 * are gone; words are probed first, so a page that is unmapped in that very moment
 * is a fault of the program's.
 */
#include "shim/engine.h"

extern const struct gpu_engine_ops engine_thread_ops;

/* All signals are blocked. Return: 0 when there is a thread, which sets @e->status; or -errno. */
int engine_thread_start(struct engine *e);

#endif
