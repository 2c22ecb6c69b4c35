/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include "gpu_fuzz.h"

/* The plain test: a fixed number of generated inputs, the same in each run. Arguments: a seed to
 * replay, or the first and the last of a range. */
int main(int argc, char **argv)
{
	static uint8_t data[FUZZ_MAX];
	uint64_t seed, first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t last = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? first : 10000;

	for (seed = first; seed <= last; seed++) {
		struct fuzz_rng rng = { seed * UINT64_C(0x9e3779b97f4a7c15) };

		LLVMFuzzerTestOneInput(data, fuzz_generate(&rng, data));
	}
	printf("%llu inputs\n", (unsigned long long)(last - first + 1));
	return 0;
}
