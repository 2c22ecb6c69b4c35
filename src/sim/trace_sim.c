/* SPDX-License-Identifier: MIT */
#include "sim/trace_sim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

void sim_trace_init(struct sim_trace_buf *b)
{
	*b = (struct sim_trace_buf){ .hash = VKF_HASH_SEED };
}

void sim_trace_fini(struct sim_trace_buf *b)
{
	free(b->text);
	sim_trace_init(b);
}

static bool trace_reserve(struct sim_trace_buf *b, size_t len)
{
	size_t cap = VKF_MAX(b->cap * 2, (size_t)4096);
	char *p;

	if (b->len + len + 1 <= b->cap)
		return true;
	while (cap < b->len + len + 1)
		cap *= 2;
	p = cap <= SIM_TRACE_KEEP ? realloc(b->text, cap) : NULL;
	if (!p)
		return false;
	b->text = p;
	b->cap = cap;
	return true;
}

/* By words, for all that happens comes through here; where one call ends and the next begins
 * counts. */
static uint64_t mix(uint64_t h, const char *bytes, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	word = len;
	memcpy((char *)&word + 1, bytes, len);
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

void sim_trace_append(struct sim_trace_buf *b, const char *bytes, size_t len)
{
	b->hash = mix(b->hash, bytes, len);
	if (b->full || !trace_reserve(b, len)) {
		b->full = 1;
		return;
	}
	memcpy(b->text + b->len, bytes, len);
	b->len += len;
	b->text[b->len] = '\0';
}
