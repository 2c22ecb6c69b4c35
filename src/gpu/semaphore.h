/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_SEMAPHORE_H
#define VKFD_GPU_SEMAPHORE_H

/**
 * DOC: Semaphores in memory
 *
 * A 64-bit word that counts signals which nobody has waited for, as SDMA's SEM and
 * PM4's MEM_SEMAPHORE know it. The low 3 bits of its address are ignored.
 *
 * Inside a section only; -EFAULT with w->fault filled.
 */
#include "gpu/engine_priv.h"

/* @one: the word becomes 1, whatever it was; else it grows by 1. */
int gpu_semaphore_signal(struct gpu_worker *w, unsigned int gpu, uint64_t va, bool one);
/* Take one. Return: 0, or -EAGAIN while there is none. */
int gpu_semaphore_wait(struct gpu_worker *w, unsigned int gpu, uint64_t va);

#endif
