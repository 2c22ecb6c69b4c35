/* SPDX-License-Identifier: MIT */
#include "trace_catch.h"

struct vkf_trace_record caught;

static void keep(const struct vkf_trace_record *rec)
{
	caught = *rec;
}

static const struct vkf_trace_ops keeping = { keep };

void catch_begin(void)
{
	vkf_trace_set(&keeping);
}

void catch_end(void)
{
	vkf_trace_set(NULL);
}
