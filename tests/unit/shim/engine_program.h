/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_ENGINE_PROGRAM_H
#define VKFD_TESTS_ENGINE_PROGRAM_H

/**
 * DOC: A program with an engine
 *
 * What tests of the engine's surroundings do in a child: open the device, ring the
 * doorbells of the stub engine (stub_engine.h), and see what it did.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "gpu/ctrl.h"

#define BELLS 8192

struct program {
	int kfd;
	struct gpu_ctrl *ctrl;
	_Atomic uint64_t *bell;
};

int create_queue(int kfd);
/* Open the device, start the engine, map the doorbells and the control block. */
int program_start(struct program *p);
/* Store @v and wait until it was processed. False: five seconds were not enough. */
bool ring(struct program *p, unsigned int i, uint64_t v);
/* Have word @i do its access at @addr. Return: 1, or 2 on -EFAULT; 0: it was not processed. */
uint64_t load_result(struct program *p, unsigned int i, const volatile void *addr);
/* Wait for it. Return: what it is after five seconds at the latest. */
uint32_t state_becomes(struct program *p, uint32_t state);

#endif
