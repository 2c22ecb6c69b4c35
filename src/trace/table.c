/* SPDX-License-Identifier: MIT */
#include "trace/table.h"

#include "spec/trace_table.h"

_Static_assert(VKF_ARRAY_SIZE(trace_descs) == VKF_TRACE_N_EVENTS, "a row per event");

const struct trace_desc *trace_desc(uint32_t event)
{
	return event < VKF_ARRAY_SIZE(trace_descs) ? &trace_descs[event] : NULL;
}

const char *trace_flow_name(int flow)
{
	return trace_flow_names[flow];
}

int64_t trace_value(const struct trace_field *f, const struct vkf_trace_record *rec)
{
	const unsigned char *at = rec->payload + f->offset;
	uint64_t v = 0;
	int32_t s;

	/* Little endian, as all that a GPU is told. */
	memcpy(&v, at, VKF_MIN(f->size, sizeof(v)));
	if (!f->is_signed)
		return (int64_t)v;
	memcpy(&s, at, sizeof(s));
	return s;
}

int64_t trace_value_of(const struct trace_desc *d, const struct vkf_trace_record *rec,
		       const char *name)
{
	for (unsigned int i = 0; i < d->n_fields; i++)
		if (!strcmp(d->field[i].name, name))
			return trace_value(&d->field[i], rec);
	return 0;
}
