/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_CLOCK_H
#define VKFD_GPU_CLOCK_H

/**
 * DOC: The GPU's clock
 *
 * A GPU counts reference ticks since the driver's clock began. Driver and engine
 * both convert with this function, so that a timestamp which a packet wrote lies
 * between two that GET_CLOCK_COUNTERS returned around it.
 */
#include <stdint.h>

/* Does not overflow for any @ns as long as @khz is below 2^32. */
static inline uint64_t gpu_clock_ticks(uint64_t ns, uint32_t khz)
{
	return ns / 1000000 * khz + ns % 1000000 * khz / 1000000;
}

#endif
