/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SIM_REGION_SIM_H
#define VKFD_SIM_REGION_SIM_H

/**
 * DOC: Memory of a simulated machine
 *
 * The shape of host/memfd.h's regions over private anonymous memory: there is one
 * process, so there is no fd to pass on and nothing to seal. Sparse, zero at
 * first, 2 MiB aligned.
 */
#include <stdint.h>

struct sim_region {
	int fd;        /* always -1 */
	void *base;
	uint64_t size; /* bytes, a multiple of the page */
};

/* Return: 0, -EINVAL for a size of 0 or a senseless one, or -ENOMEM; @ret untouched on failure. */
int sim_region_create(uint64_t size, struct sim_region *ret);
void sim_region_destroy(struct sim_region *r);
/* [off, off + len) reads as zero and costs nothing. Return: 0, or -EINVAL as host_region_punch(). */
int sim_region_punch(struct sim_region *r, uint64_t off, uint64_t len);

#endif
