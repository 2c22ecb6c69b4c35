/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_MEM_DIRECT_H
#define VKFD_GPU_MEM_DIRECT_H

/**
 * DOC: Memory that cannot vanish
 *
 * Plain accesses, for tests, the simulator and libvkfd: they never fail, and a page
 * that is gone is a SIGSEGV of the caller. The cookie is not used.
 */
#include "gpu/engine.h"

extern const struct gpu_mem_ops gpu_mem_direct;

#endif
