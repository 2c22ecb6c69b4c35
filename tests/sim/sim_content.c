/* SPDX-License-Identifier: MIT */
/**
 * DOC: What must be in a simulated program's buffers
 *
 * A part of each buffer is known: it holds the pattern of a seed, or, where packets
 * have computed it, exactly the bytes that were kept. Large buffers are known in a
 * small part only, for each page that is touched costs the host one; they are there to
 * be moved, not to be read.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sim_calls.h"

#define WINDOW   VKF_KIB(8) /* of a buffer that is larger; about */
#define ALL_ODDS 400        /* one in so many is known as a whole */

static uint64_t pattern(uint64_t seed, uint64_t word)
{
	return (seed + word) * UINT64_C(0x9e3779b97f4a7c15);
}

void prog_forget(struct prog_buf *b)
{
	free(b->content.bytes);
	b->content = (struct prog_content){ 0 };
}

void prog_fill_range(struct prog *pr, struct prog_buf *b, uint64_t at, uint64_t len)
{
	uint64_t seed = vkf_hash_u64(++pr->n_patterns ^ pr->va_base ^ (uint64_t)pr->p->pid << 16);
	uint64_t *words = (uint64_t *)(b->cpu + at);

	prog_forget(b);
	b->content = (struct prog_content){ .seed = seed, .at = at, .len = len };
	for (uint64_t i = 0; i < len / 8; i++)
		words[i] = pattern(seed, at / 8 + i);
}

void prog_fill(struct prog *pr, struct prog_buf *b)
{
	uint64_t len = b->size, at = 0;

	if (len > 2 * WINDOW && !msim_chance(pr->m, ALL_ODDS)) {
		len = 8 + 8 * msim_random(pr->m, 2 * WINDOW / 8 - 1);
		at = 8 * msim_random(pr->m, (b->size - len) / 8 + 1);
	}
	prog_fill_range(pr, b, at, len);
}

static void verify_bytes(struct prog *pr, const struct prog_buf *b)
{
	const struct prog_content *c = &b->content;

	if (!memcmp(b->cpu + c->at, c->bytes, c->len))
		return;
	for (uint64_t i = 0; i < c->len; i++) {
		if (b->cpu[c->at + i] != c->bytes[i])
			msim_fail(pr->m,
				  "%s: byte %" PRIu64 " of a buffer (kind %d on %u) is %02x, "
				  "packets have made it %02x",
				  pr->t->name, c->at + i, b->kind, b->home, b->cpu[c->at + i],
				  c->bytes[i]);
	}
}

void prog_verify(struct prog *pr, const struct prog_buf *b)
{
	const struct prog_content *c = &b->content;
	const uint64_t *words = (const uint64_t *)(b->cpu + c->at);

	if (c->bytes) {
		verify_bytes(pr, b);
		return;
	}
	for (uint64_t i = 0; i < c->len / 8; i++) {
		if (words[i] != pattern(c->seed, c->at / 8 + i))
			msim_fail(pr->m,
				  "%s: byte %" PRIu64 " of a buffer (kind %d on %u) is wrong",
				  pr->t->name, c->at + 8 * i, b->kind, b->home);
	}
}

/* Which part of [@at, @at + @len) is known. */
static bool clip(const struct prog_content *c, uint64_t *at, uint64_t *len)
{
	uint64_t start = VKF_MAX(*at, c->at), end = VKF_MIN(*at + *len, c->at + c->len);

	if (start >= end)
		return false;
	*at = start;
	*len = end - start;
	return true;
}

void prog_know_copy(struct prog_buf *dst, uint64_t dst_at, const struct prog_buf *src,
		    uint64_t src_at, uint64_t len)
{
	const struct prog_content *c = &src->content;
	uint64_t at = src_at;

	prog_forget(dst);
	if (!clip(c, &at, &len))
		return;
	dst->content.at = dst_at + (at - src_at);
	dst->content.len = len;
	/* The pattern goes by words of the buffer. */
	dst->content.seed = c->seed + (uint64_t)((int64_t)(src_at - dst_at) / 8);
	if (!c->bytes)
		return;
	dst->content.bytes = malloc(len);
	VKF_ASSERT(dst->content.bytes);
	memcpy(dst->content.bytes, c->bytes + (at - c->at), len);
}

void prog_know_bytes(struct prog_buf *b, uint64_t at, const unsigned char *bytes, uint64_t len)
{
	unsigned char *copy = malloc(len);

	VKF_ASSERT(copy);
	memcpy(copy, bytes, len);
	prog_forget(b);
	b->content = (struct prog_content){ .at = at, .len = len, .bytes = copy };
}
