/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "gpu_fuzz.h"

static const uint8_t ops[] = { 0, 1, 1, 1, 2, 4, 5, 6, 7, 8, 8, 9, 10, 10, 11, 11, 12, 13, 14, 16 };

/* Of a rectangle's words: what keeps it within some hundred KiB. */
static const uint32_t masks[13] = { [3] = 0x1f003f, [4] = 0x7e001, [5] = 0xfff,     [8] = 0x1f003f,
				    [9] = 0x7e001,  [10] = 0xfff,  [11] = 0x1f003f, [12] = 1 };

static uint32_t put(uint32_t *to, uint64_t v)
{
	to[0] = (uint32_t)v;
	to[1] = (uint32_t)(v >> 32);
	return 2;
}

/* A packet whose fields are right in kind, if not in value. Return: its words. */
static uint32_t make_packet(struct fuzz_rng *rng, uint32_t *p)
{
	uint32_t op = ops[fuzz_next(rng) % sizeof(ops)], n = fuzz_next(rng), i;

	memset(p, 0, 16 * 4);
	p[0] = op;
	switch (op) {
	case 0:
		p[0] |= (n % 5) << 16;
		return 1 + n % 5;
	case 1:
		if (n % 4 == 0) { /* a rectangle */
			p[0] |= 4u << 8 | (n >> 8) % 5 << 29;
			put(p + 1, fuzz_address(rng));
			put(p + 6, fuzz_address(rng));
			for (i = 3; i < 13; i += i == 5 ? 3 : 1)
				p[i] = fuzz_next(rng) & (n & 0xf0 ? masks[i] : 0xffffffff);
			return 13;
		}
		p[1] = fuzz_next(rng) % (n % 16 ? 0x3000 : 0x400000);
		put(p + 3, fuzz_address(rng));
		put(p + 5, fuzz_address(rng));
		put(p + 7, fuzz_address(rng));
		p[0] |= (n >> 8 & 1) << 27;
		return n >> 8 & 1 ? 9 : 7;
	case 2:
		put(p + 1, fuzz_address(rng));
		p[3] = n % 8;
		return 5 + n % 8;
	case 4:
		put(p + 1, n % 4 ? 0x14000 : fuzz_address(rng));
		p[3] = n % 64;
		return 6;
	case 7:
		p[0] |= (n & 7 ? n >> 3 & 3 : n >> 3 & 7) << 29;
		put(p + 1, fuzz_address(rng));
		return 3;
	case 12:
		put(p + 1, fuzz_address(rng));
		p[3] = n;
		p[7] = 0x1000;
		p[9] = n % (n >> 8 & 15 ? 0x400 : 0x100000);
		return 10;
	case 14:
		p[1] = n >> 8;
		p[2] = n;
		return 3;
	case 8:
		p[0] |= (n % 8 % 7) << 28 | (n >> 4 & 7 ? 1u : 0) << 31 | (n >> 7 & 1) << 26;
		put(p + 1, n >> 4 & 7 ? fuzz_address(rng) : UINT64_C(1) << 63);
		p[4] = n >> 8 & 1;
		p[5] = (n & 0x700 ? 2u : 0xfffu) << 16 | (n >> 12 & 0xff);
		return 6;
	case 10:
		p[0] |= (n % 8 ? 1 + (n >> 8) % 25 + (n >> 16 & 3) * 32 : n >> 8 & 0x7f) << 25;
		p[0] |= (n >> 18 & 15 ? 0u : 1u) << 16;
		put(p + 1, fuzz_address(rng));
		put(p + 3, UINT64_MAX);
		return 8;
	case 11:
		p[0] |= (n & 0xf0 ? n & 2 : n & 3) << 30;
		put(p + 1, fuzz_address(rng));
		p[3] = n;
		p[4] = fuzz_next(rng) % (n & 0xf00 ? 0x3000 : 0x400000);
		return 5;
	case 9:
		put(p + 1, fuzz_address(rng));
		p[3] = n & 1;
		p[4] = n >> 8 & 31;
		return 5;
	case 13:
		p[0] |= n % 3 << 8;
		put(p + 1, fuzz_address(rng));
		return 3;
	case 5:
		put(p + 1, fuzz_address(rng));
		p[3] = n;
		return 4;
	default:
		p[1] = n % 5000;
		return 2;
	}
}

size_t fuzz_generate(struct fuzz_rng *rng, uint8_t data[FUZZ_MAX])
{
	uint32_t words[(FUZZ_MAX - FUZZ_HEADER) / 4 + 16], n = 0, i;

	while (n < 2048)
		n += make_packet(rng, words + n);
	for (i = fuzz_next(rng) % 4; i; i--)
		words[fuzz_next(rng) % n] ^= 1u << (fuzz_next(rng) % 32);
	for (i = 0; i < FUZZ_HEADER; i++)
		data[i] = (uint8_t)(fuzz_next(rng) & fuzz_next(rng));
	data[0] &= fuzz_next(rng) % 4 ? ~44 : ~0;
	data[1] = fuzz_next(rng) % 4 ? 0 : data[1];
	memcpy(data + FUZZ_HEADER, words, 8192);
	return FUZZ_HEADER + 8192;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_run(GPU_QUEUE_SDMA, data, size);
	return 0;
}
