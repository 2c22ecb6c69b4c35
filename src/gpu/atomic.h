/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_ATOMIC_H
#define VKFD_GPU_ATOMIC_H

/**
 * DOC: Atomic operations that packets ask for
 *
 * SDMA and PM4 number them alike (spec/tc_op.bits): 32 or 64 bits wide, with the old
 * value kept or not. Each is one locked read-modify-write, atomic with whatever the
 * program's CPUs do to the same word.
 *
 * Of floating point there are FMIN, FMAX and FCMPSWAP, each also with denormal operands
 * taken as zeros. A comparison with a NaN holds for none of them.
 */
#include "gpu/engine_priv.h"

/* struct gpu_atomic - one operation; 32-bit ones use the low halves of @src and @cmp */
struct gpu_atomic {
	uint32_t op; /* as in the packet */
	uint64_t va;
	uint64_t src, cmp;
};

/* Whether there is an operation of this number. */
bool gpu_atomic_known(uint32_t op);
/* Whether it is 64 bits wide; its address must be a multiple of its width. */
bool gpu_atomic_wide(uint32_t op);
/* Whether it is a compare-and-swap, which alone can be repeated until it succeeds. */
bool gpu_atomic_compares(uint32_t op);
/* Whether such a one succeeded: @old is what it found. */
bool gpu_atomic_matched(const struct gpu_atomic *a, uint64_t old);

/**
 * gpu_atomic_run() - do it
 * @ret_old: what was there before
 *
 * Inside a section only. Return: 0; -EFAULT with w->fault filled; -EAGAIN: others
 * changed the word all the time, and nothing was done.
 */
int gpu_atomic_run(struct gpu_worker *w, unsigned int gpu, const struct gpu_atomic *a,
		   uint64_t *ret_old);

#endif
