/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TRACE_TEXT_H
#define VKFD_TRACE_TEXT_H

/**
 * DOC: Text into a fixed buffer
 *
 * What does not fit is left out; whoever needs all of it looks at @full.
 */
#include <stddef.h>
#include "base/macro.h"

struct trace_text {
	char *at;
	size_t len, size; /* @size > 0; there always is a NUL at @len */
	bool full;
};

void trace_text_init(struct trace_text *t, char *buf, size_t size);
void trace_text_add(struct trace_text *t, const char *fmt, ...) VKF_PRINTF(2, 3);
/* As part of a JSON string: ASCII as it is, what a JSON string must not hold escaped, all else '?'.
 */
void trace_text_escaped(struct trace_text *t, const char *s, size_t max);

#endif
