/* SPDX-License-Identifier: MIT */
#include "trace/text.h"

#include <stdarg.h>
#include <stdio.h>

void trace_text_init(struct trace_text *t, char *buf, size_t size)
{
	*t = (struct trace_text){ .at = buf, .size = size };
	buf[0] = '\0';
}

void trace_text_add(struct trace_text *t, const char *fmt, ...)
{
	size_t room = t->size - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		t->full = true;
		t->at[t->len] = '\0';
		return;
	}
	t->len += (size_t)n;
}

void trace_text_escaped(struct trace_text *t, const char *s, size_t max)
{
	for (size_t i = 0; i < max && s[i]; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			trace_text_add(t, "\\%c", c);
		else
			trace_text_add(t, "%c", c < 0x20 || c >= 0x7f ? '?' : c);
	}
}
