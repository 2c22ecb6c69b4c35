/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "gpu_fuzz.h"

/* The input without its header is the indirect buffer that one AQL slot jumps to; or, where
 * USER_QUEUE is set, the ring of a PM4 queue and then an indirect buffer. */
#define USER_QUEUE 128

static const struct {
	uint8_t op, words;
} ops[] = {
	{ 0x10, 3 }, { 0x1e, 9 }, { 0x23, 2 }, { 0x76, 4 }, { 0x37, 6 }, { 0x37, 5 },  { 0x3c, 7 },
	{ 0x3f, 4 }, { 0x40, 6 }, { 0x46, 2 }, { 0x49, 8 }, { 0x50, 7 }, { 0x50, 7 },  { 0x22, 5 },
	{ 0x79, 4 }, { 0x15, 5 }, { 0x16, 4 }, { 0x58, 7 }, { 0x58, 7 }, { 0x39, 4 },  { 0x45, 9 },
	{ 0x59, 2 }, { 0x5d, 5 }, { 0x93, 9 }, { 0x95, 2 }, { 0x9b, 4 }, { 0x3f, 14 }, { 0x49, 7 },
};

static void put(uint32_t *to, uint64_t v)
{
	to[0] = (uint32_t)v;
	to[1] = (uint32_t)(v >> 32);
}

static uint32_t make_packet(struct fuzz_rng *rng, uint32_t *p)
{
	uint32_t n = fuzz_next(rng), i, which = n % (sizeof(ops) / sizeof(ops[0]) * 8 - 7) / 8;
	uint32_t words = ops[which].words;

	p[0] = 3u << 30 | (words - 2) << 16 |
	       (uint32_t)(n >> 26 ? ops[which].op : n >> 8 & 0xff) << 8;
	for (i = 1; i < words; i++)
		p[i] = fuzz_next(rng) & fuzz_next(rng) & 0xff;
	switch (ops[which].op) {
	case 0x1e:
		p[1] = (n & 0xf00 ? 1 + (n >> 12) % 25 + (n >> 4 & 3) * 32 : n >> 12 & 0x7f) |
		       (n & 0xf0000 ? 0u : n >> 20 & 15) << 8;
		put(p + 2, fuzz_address(rng));
		break;
	case 0x15:
		p[1 + n % 3] = n >> 8 & 31 ? 0 : 1;
		break;
	case 0x16:
	case 0x22:
		put(p + 1, fuzz_address(rng));
		break;
	case 0x79:
		p[1] = n & 0xf00 ? n >> 12 & 0xff : n >> 12 & 0xffff;
		break;
	case 0x23:
		p[1] = (n >> 8 & 15) | (n >> 12 & 3) << 24;
		break;
	case 0x76:
		p[1] = 0x200 + (n >> 8 & 0x7f) + (n >> 16 & 15 ? 0 : n >> 20 & 0x3ff);
		break;
	case 0x37:
		p[1] = (n & 0xf00 ? 5u : n >> 12 & 7) << 8 | (n >> 15 & 1) << 16;
		put(p + 2, n >> 16 & 7 ? fuzz_address(rng) : 0xc000 + (n >> 20 & 0xff));
		break;
	case 0x3c:
		p[1] = (n >> 8 & 7) % 6 | (n >> 11 & 1) << 4 | (n >> 12 & 15 ? 0u : 1u) << 6;
		p[5] &= n >> 16;
		put(p + 2, fuzz_address(rng));
		break;
	case 0x39:
		put(p + 1, fuzz_address(rng));
		p[3] = (n >> 8 & 15 ? 6 + (n >> 12 & 1) : n >> 12 & 7) << 29 | (n >> 16 & 1) << 20;
		break;
	case 0x45:
		p[1] = (n >> 8 & 7) | (n >> 11 & 7 ? 1u : 0) << 4 |
		       (n >> 14 & 7 ? 1u : n >> 17 & 3) << 8;
		put(p + 2, fuzz_address(rng));
		put(p + 6, n >> 14 & 7 ? fuzz_address(rng) : 0xc000 + (n >> 20 & 0xff));
		break;
	case 0x59:
		p[1] = n >> 8 & 7 ? 1u << 31 : 0;
		break;
	case 0x93:
		p[1] = (n >> 8 & 7) % 7 | (n >> 11 & 1) << 4;
		put(p + 2, fuzz_address(rng));
		p[6] &= n >> 16;
		p[7] &= n >> 24;
		break;
	case 0x9b:
		p[1] = 0x210 + (n >> 8 & 15) + (n >> 16 & 1) * (3u << 28);
		break;
	case 0x3f:
		if (words == 14) {
			p[1] = (n >> 8 & 3) | (n >> 10 & 7) << 8;
			put(p + 2, fuzz_address(rng));
			put(p + 8, 0x14000 + (n >> 14 & 0xff) * 4);
			put(p + 11, 0x14000 + (n >> 22 & 0xff) * 4);
			p[10] = n >> 13 & 31;
			p[13] = n >> 18 & 31;
			break;
		}
		put(p + 1, 0x14000 + (n >> 8 & 0xfff));
		p[3] = (n >> 20 & 31) | (n >> 26 & 1) << 20;
		break;
	case 0x40:
		p[1] = (n & 0xf00 ? n % 3 * 4 + 1 : n >> 12 & 15) |
		       (n & 0xf0000 ? 5u : n >> 20 & 15) << 8 | (n >> 24 & 1) << 16;
		put(p + 2, fuzz_address(rng));
		put(p + 4, fuzz_address(rng));
		break;
	case 0x49:
		p[2] = (n >> 8 & 7) % 4 << 29 | (n >> 12 & 15 ? n >> 12 & 3 : 5) << 24;
		put(p + 3, fuzz_address(rng));
		break;
	case 0x50:
		p[1] = (n & 0xf00 ? n >> 8 & 2 : 1) << 29 | (n >> 12 & 15 ? 0 : n >> 16 & 3) << 20;
		put(p + 2, fuzz_address(rng));
		put(p + 4, fuzz_address(rng));
		p[6] = fuzz_next(rng) % (n & 0xf000 ? 0x3000 : 0x200000) & ~3u;
		break;
	}
	return words;
}

static void make_page(struct fuzz_rng *rng, uint8_t *to)
{
	uint32_t words[1024 + 16], n = 0, i;

	while (n < 1024)
		n += make_packet(rng, words + n);
	for (i = fuzz_next(rng) % 4; i; i--)
		words[fuzz_next(rng) % n] ^= 1u << (fuzz_next(rng) % 32);
	memcpy(to, words, 4096);
}

size_t fuzz_generate(struct fuzz_rng *rng, uint8_t data[FUZZ_MAX])
{
	uint32_t i;

	make_page(rng, data + FUZZ_HEADER);
	make_page(rng, data + FUZZ_HEADER + 4096);
	for (i = 0; i < FUZZ_HEADER; i++)
		data[i] = (uint8_t)(fuzz_next(rng) & fuzz_next(rng));
	if (fuzz_next(rng) & 1)
		data[0] ^= USER_QUEUE;
	/* A packet most often begins where the read pointer is. */
	if (fuzz_next(rng) % 8)
		data[0] &= (uint8_t)~32, data[1] = 0;
	return FUZZ_HEADER + 8192;
}

static void run_jump(const uint8_t *data, size_t n)
{
	static uint8_t input[FUZZ_MAX];
	const uint32_t slot[] = { 1u << 16, 0xc0023f00, 0x14000, 0, 1024 | 1u << 23, 10 };

	memset(input, 0, sizeof(input));
	/* What goes wrong is the input's choice; where the slot is, is not. */
	memcpy(input + 4, data + 4, 4);
	input[2] = 1;
	memcpy(input + FUZZ_HEADER, slot, sizeof(slot));
	memcpy(input + FUZZ_HEADER + 4096, data + FUZZ_HEADER, n < 4096 ? n : 4096);
	fuzz_run(GPU_QUEUE_AQL, input, sizeof(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < FUZZ_HEADER)
		return 0;
	if (data[0] & USER_QUEUE)
		fuzz_run(GPU_QUEUE_PM4, data, size);
	else
		run_jump(data, size - FUZZ_HEADER);
	return 0;
}
