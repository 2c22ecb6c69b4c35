/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_FUZZ_GPU_FUZZ_H
#define VKFD_TESTS_FUZZ_GPU_FUZZ_H

/**
 * DOC: Any ring at all
 *
 * A world of one GPU and one queue, whose ring, indirect buffer and signals are the
 * fuzzer's bytes. Address and arena offset are the same, so that bytes easily name
 * mapped memory. Checked, by aborting:
 *
 * - every access lies in the arena, in a page that is mapped with the right it needs;
 * - a section moves no more than a chunk; outside of a step no worker is in one;
 * - whatever is in the ring, a stop is acknowledged by the next step;
 * - an error of the queue comes with the interrupt that tells of it.
 *
 * The first FUZZ_HEADER bytes choose the ring's size, the pointers, and what
 * goes wrong meanwhile.
 */
#include <stddef.h>
#include <stdint.h>
#include "gpu/ctrl.h"

#define FUZZ_HEADER 8
#define FUZZ_MAX    (FUZZ_HEADER + 3 * 4096)

/* struct fuzz_rng - the plain tests' source of bytes; libFuzzer has its own */
struct fuzz_rng {
	uint64_t state;
};

uint32_t fuzz_next(struct fuzz_rng *rng);
/* An address: most often one that is mapped, at times one beside it, at times anything. */
uint64_t fuzz_address(struct fuzz_rng *rng);
void fuzz_run(enum gpu_queue_type type, const uint8_t *data, size_t size);

/* Of each target: an input that is likely to mean something. Return: its size. */
size_t fuzz_generate(struct fuzz_rng *rng, uint8_t data[FUZZ_MAX]);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
