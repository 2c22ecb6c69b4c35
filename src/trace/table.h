/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TRACE_TABLE_H
#define VKFD_TRACE_TABLE_H

/**
 * DOC: What a record says, as data
 *
 * One row per event of spec/trace.events: its fields, how it is drawn, and which
 * arrows begin or end there. Whoever reads records needs no other knowledge of them.
 */
#include "base/trace.h"

enum trace_shape { TRACE_SHAPE_BEGIN, TRACE_SHAPE_END, TRACE_SHAPE_INSTANT, TRACE_SHAPE_SPAN };

enum trace_track {
	TRACE_TRACK_TASK,
	TRACE_TRACK_WORKER, /* a task that does what nobody has called for */
	TRACE_TRACK_PROCESS,
	TRACE_TRACK_QUEUE,
	TRACE_TRACK_MOVE,
	TRACE_TRACK_ENGINE,
	TRACE_TRACK_TRACE,
};

enum trace_format {
	TRACE_FORMAT_PLAIN, /* of 16 bytes: text, which need not end in a NUL */
	TRACE_FORMAT_HEX,
	TRACE_FORMAT_BYTES,
	TRACE_FORMAT_NS,
	TRACE_FORMAT_ERRNO,
	TRACE_FORMAT_IOCTL,  /* device << 8 | number */
	TRACE_FORMAT_PACKET, /* trace_packet() */
	TRACE_FORMAT_CLIENT,
	TRACE_FORMAT_ENUM,
};

#define TRACE_FIELDS 6

struct trace_field {
	const char *name;
	uint8_t offset, size;
	bool is_signed;
	enum trace_format format;
	const char *const *names; /* ENUM */
	unsigned int n_names;
	bool told; /* the viewer has it already: from the slice's beginning, or as its length */
};

/* struct trace_arrow - which arrow, and by which fields its ends find each other */
struct trace_arrow {
	int flow; /* 0: none */
	int a, b; /* indices of fields; b -1: there is none */
};

struct trace_desc {
	const char *name, *label; /* "{field}" in a label is the field's value */
	const char *colour;       /* one of the format's reserved names; NULL: the viewer's choice */
	enum trace_shape shape;
	enum trace_track track;
	unsigned int n_fields;
	struct trace_field field[TRACE_FIELDS];
	struct trace_arrow in, out;
};

/* NULL: no such event. */
const struct trace_desc *trace_desc(uint32_t event);
const char *trace_flow_name(int flow);
/* A number; of texts the first bytes. */
int64_t trace_value(const struct trace_field *f, const struct vkf_trace_record *rec);
/* The value of the field @name, or 0 when the event has none. */
int64_t trace_value_of(const struct trace_desc *d, const struct vkf_trace_record *rec,
		       const char *name);

/* A queue's packet as a field says it: enum gpu_queue_type, operation, sub-operation. */
static inline uint32_t trace_packet(uint32_t type, uint32_t op, uint32_t sub_op)
{
	return (type & 0xff) << 16 | (sub_op & 0xff) << 8 | (op & 0xff);
}

/* "COPY_LINEAR", or NULL. */
const char *trace_packet_name(uint32_t packet);

#endif
