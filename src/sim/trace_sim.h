/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SIM_TRACE_SIM_H
#define VKFD_SIM_TRACE_SIM_H

/**
 * DOC: What happened in a simulation, as text and as a hash
 *
 * The text is kept up to a limit, or until there is no memory for more; the hash
 * goes on over all of it.
 */
#include <stddef.h>
#include <stdint.h>

#define SIM_TRACE_KEEP ((size_t)64 << 20)

struct sim_trace_buf {
	char *text; /* with a NUL at the end; NULL while empty */
	size_t len, cap;
	int full; /* nothing more is kept */
	uint64_t hash;
};

void sim_trace_init(struct sim_trace_buf *b);
void sim_trace_fini(struct sim_trace_buf *b);
void sim_trace_append(struct sim_trace_buf *b, const char *bytes, size_t len);

#endif
