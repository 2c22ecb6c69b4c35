/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_HASH_H
#define VKFD_BASE_HASH_H

/**
 * DOC: Hashes of numbers and bytes
 *
 * The same on every machine and in every run, so they may stand in traces and
 * golden files. Not for input that an adversary picks to make them collide.
 */
#include "base/macro.h"

#define VKF_HASH_SEED UINT64_C(0xcbf29ce484222325)

/* A bijection in which every input bit moves about half of the output bits (splitmix64's end). */
static inline uint64_t vkf_hash_u64(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* FNV-1a over @len bytes, going on from @h (at first VKF_HASH_SEED). */
static inline uint64_t vkf_hash_bytes(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

#endif
