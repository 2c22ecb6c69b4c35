/* SPDX-License-Identifier: MIT */
/*
 * chrome_random SEED: the trace of records that nobody would make, on standard output. The times of
 * one task do not go back, and a span is no longer than what has passed; nothing else is sane.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"
#include "trace/chrome.h"

#define RECORDS 3000

static uint64_t state;

static uint64_t dice(uint64_t bound)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(state) % bound;
}

static int print(void *cookie, const char *text, size_t len)
{
	return fwrite(text, 1, len, stdout) == len ? 0 : -EIO;
}

static void set(struct vkf_trace_record *rec, const struct trace_field *f, uint64_t v)
{
	if (f->size <= sizeof(v))
		memcpy(rec->payload + f->offset, &v, f->size);
	else
		for (unsigned int i = 0; i < f->size; i++)
			rec->payload[f->offset + i] = (unsigned char)dice(256);
}

static void make(struct vkf_trace_record *rec, uint64_t now)
{
	const struct trace_desc *d;

	*rec = (struct vkf_trace_record){ .ns = now, .event = (uint32_t)dice(VKF_TRACE_N_EVENTS) };
	rec->task = (uint32_t)dice(6);
	rec->client = (uint32_t)dice(4);
	d = trace_desc(rec->event);
	/* Few values, so that things meet. */
	for (unsigned int i = 0; i < d->n_fields; i++)
		set(rec, &d->field[i], dice(4));
	if (d->shape == TRACE_SHAPE_SPAN)
		rec->ns -= 4;
}

int main(int argc, char **argv)
{
	const struct trace_chrome_config config = { .write = print, .begin_ns = 1000 };
	struct vkf_trace_record rec;
	struct trace_chrome *c;
	uint64_t now = 2000;

	state = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	if (trace_chrome_open(&config, &c))
		return 1;
	for (unsigned int i = 0; i < RECORDS; i++) {
		now += dice(3) ? dice(5000) : 0;
		make(&rec, now);
		trace_chrome_record(c, &rec);
		if (!dice(300))
			trace_chrome_lost(c, now, dice(9));
		if (!dice(50) && trace_chrome_flush(c))
			return 1;
	}
	if (trace_chrome_close(c))
		return 1;
	fputs(TRACE_CHROME_END, stdout);
	return 0;
}
