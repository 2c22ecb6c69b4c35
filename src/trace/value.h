/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TRACE_VALUE_H
#define VKFD_TRACE_VALUE_H

/**
 * DOC: Fields of a record as text
 */
#include "trace/table.h"
#include "trace/text.h"

/* What a record's numbers are called; each may be NULL, or answer NULL: then the number is. */
struct trace_names {
	const char *(*ioctl)(uint32_t call);
	/* "comm (pid)", escaped for JSON; valid until the next call. */
	const char *(*client)(void *cookie, uint32_t client);
	void *cookie;
};

/* The value for people. */
void trace_value_text(struct trace_text *t, const struct trace_field *f,
		      const struct vkf_trace_record *rec, const struct trace_names *names);
/* The event's label, its fields filled in. */
void trace_label_text(struct trace_text *t, const struct trace_desc *d,
		      const struct vkf_trace_record *rec, const struct trace_names *names);
/* {"field":value,...}, as JSON, without what is told elsewhere. */
void trace_args_json(struct trace_text *t, const struct trace_desc *d,
		     const struct vkf_trace_record *rec, const struct trace_names *names);

#endif
