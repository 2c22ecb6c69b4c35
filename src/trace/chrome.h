/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TRACE_CHROME_H
#define VKFD_TRACE_CHROME_H

/**
 * DOC: Records as a trace for viewers
 *
 * Writes the JSON array format that Chrome introduced and Perfetto reads, record by
 * record, in bounded memory. Groups ("processes") are the programs, one per GPU, and
 * the driver; in them lie tracks ("threads"), see tools/tracegen.py. The text that
 * was written, and TRACE_CHROME_END behind it, are one JSON array at any time. What
 * holds of it after trace_chrome_close(), whatever records came:
 *
 * - on each track, each E closes a B and each B is closed;
 * - an arrow has two ends, and each lies in a slice of its track.
 *
 * So an end without a beginning is left out (it began before the trace did), what is
 * open at the end is closed there, and an arrow is written when its second end comes.
 * When records were lost nobody knows what is open: all is closed.
 *
 * One task at a time.
 */
#include "trace/table.h"

#define TRACE_CHROME_END "\n]\n"

struct trace_chrome;

struct trace_chrome_config {
	/* Return: 0, or -errno: nothing more is written then. @text is whole events. */
	int (*write)(void *cookie, const char *text, size_t len);
	/* Name of an ioctl (device << 8 | number), or NULL. */
	const char *(*ioctl_name)(uint32_t call);
	void *cookie;
	uint64_t begin_ns; /* what the viewer shows as 0 */
};

/* Return: 0 or -ENOMEM. */
int trace_chrome_open(const struct trace_chrome_config *config, struct trace_chrome **ret_chrome);
/* Records that are no event's are left out. */
void trace_chrome_record(struct trace_chrome *c, const struct vkf_trace_record *rec);
/* So many records were lost before this time. */
void trace_chrome_lost(struct trace_chrome *c, uint64_t ns, uint64_t n);
/* Have all written that came so far. Return: 0, or the first error of write(). */
int trace_chrome_flush(struct trace_chrome *c);
/* Programs that have begun and not ended. */
unsigned int trace_chrome_n_clients(const struct trace_chrome *c);
/* Free @c; what has not been written is not. */
void trace_chrome_drop(struct trace_chrome *c);
/* Close what is open, have it written, and free @c. Return: 0, or the first error of write(). */
int trace_chrome_close(struct trace_chrome *c);

#endif
