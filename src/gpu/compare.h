/* SPDX-License-Identifier: MIT */
#ifndef VKFD_GPU_COMPARE_H
#define VKFD_GPU_COMPARE_H

/**
 * DOC: The comparisons of polls and waits
 *
 * SDMA's POLL_REGMEM and PM4's WAIT_REG_MEM number them alike; all are unsigned.
 */
#include "base/macro.h"

#define GPU_COMPARE_FUNCS 7

/* @func: below GPU_COMPARE_FUNCS: always, <, <=, ==, !=, >=, > */
static inline bool gpu_compare(uint32_t func, uint64_t value, uint64_t ref)
{
	const bool holds[GPU_COMPARE_FUNCS] = {
		true,           (value < ref),  (value <= ref), (value == ref),
		(value != ref), (value >= ref), (value > ref),
	};

	return holds[func];
}

#endif
