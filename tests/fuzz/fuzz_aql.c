/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "gpu_fuzz.h"

static void make_slot(struct fuzz_rng *rng, uint8_t *slot)
{
	static const uint32_t headers[] = { 3, 3 | 1u << 8, 5, 1u << 16, 2u << 16, 2u << 16, 3, 1 };
	uint32_t n = fuzz_next(rng), i, header = headers[n % 8];
	uint64_t q[8] = { 0 };

	if (n % 64 == 8)
		header = n >> 8 & 0x107;
	for (i = 1; i < 8; i++)
		q[i] = fuzz_next(rng) % 3 ? 0 : fuzz_address(rng);
	if (header == 1u << 16) { /* a jump to the buffer behind the ring */
		q[0] = (uint64_t)0xc0023f00 << 32;
		q[1] = fuzz_next(rng) % 8 ? 0x14000 : fuzz_address(rng);
		q[2] = fuzz_next(rng) % 32 | 1u << 23;
	}
	if (header == 2u << 16)
		q[4] = fuzz_next(rng) % 5;
	if (n % 64 == 9) { /* gfx8's: padding, a jump, packets of one word */
		header = 0xc0031000;
		q[2] = (uint64_t)0xc0023f00 << 32;
		q[3] = fuzz_next(rng) % 8 ? 0x14000 : fuzz_address(rng);
		for (i = 4; i < 8; i++)
			q[i] = UINT64_C(0x8000000080000000);
		q[4] = (q[4] & ~UINT64_C(0xffffffff)) | fuzz_next(rng) % 32;
	}
	memcpy(slot, q, 64);
	memcpy(slot, &header, 4);
}

size_t fuzz_generate(struct fuzz_rng *rng, uint8_t data[FUZZ_MAX])
{
	uint32_t i;

	for (i = 0; i < 64; i++)
		make_slot(rng, data + FUZZ_HEADER + i * 64);
	for (i = FUZZ_HEADER + 4096; i < FUZZ_MAX; i++)
		data[i] = fuzz_next(rng) % 4 ? 0 : (uint8_t)fuzz_next(rng);
	/* PM4 one-word NOPs, so that the buffer gets somewhere. */
	for (i = 0; i < 24; i++)
		memcpy(data + FUZZ_HEADER + 4096 + i * 4, &(uint32_t){ 0xffff1000 }, 4);
	for (i = 0; i < FUZZ_HEADER; i++)
		data[i] = (uint8_t)(fuzz_next(rng) & fuzz_next(rng));
	data[0] &= fuzz_next(rng) % 4 ? ~44 : ~0;
	return FUZZ_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_run(GPU_QUEUE_AQL, data, size);
	return 0;
}
