/* SPDX-License-Identifier: MIT */
#ifndef VKFD_CLI_TOP_MODEL_H
#define VKFD_CLI_TOP_MODEL_H

/**
 * DOC: What vkfd top knows
 *
 * Two looks at a driver (the answers to the query "status") become its programs and
 * their queues, with what changed a second between the two. Nothing is copied: both
 * looks must live as long as the model.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum top_sort { TOP_BY_MEMORY, TOP_BY_PACKETS, TOP_BY_EVICTIONS, TOP_BY_PID, TOP_SORTS };

#define TOP_LETTERS 52 /* programs that have one of their own */

/* struct top_program - one client; what is a rate is a second's */
struct top_program {
	const json_t *now;
	char letter; /* A-Z, a-z, and '*' for all others */
	double packets, evictions;
	double out;      /* 0..1: how much of the time it was evicted */
	double resident; /* bytes of VRAM, of all GPUs */
};

struct top_queue {
	const json_t *now;
	const struct top_program *program;
	double packets;
};

struct top_model {
	const json_t *before, *now; /* @before may be NULL: then there are no rates */
	double seconds;             /* between the two */
	struct top_program *programs;
	struct top_queue *queues; /* those of one program follow one another */
	size_t n_programs, n_queues;
};

/* False without memory. */
bool top_model_make(struct top_model *m, const json_t *before, const json_t *now);
void top_model_drop(struct top_model *m);
/* All programs, ended by NULL, to be freed; NULL without memory. */
const struct top_program **top_model_sorted(const struct top_model *m, enum top_sort sort);
const char *top_sort_name(enum top_sort sort);

/* NULL: there is none of that number. */
const struct top_program *top_model_program(const struct top_model *m, int64_t client);
/* Bytes of VRAM of GPU @gpu. */
double top_resident(const struct top_program *p, size_t gpu);
/* "running", "idle", "evicted", or "lost" when it is so for good. */
const char *top_program_state(const struct top_program *p);
/* The wait of @p that says most, or NULL. */
const json_t *top_wait(const struct top_model *m, const struct top_program *p);
/* How much @key grew a second from @before to @now; what shrank began again. */
double top_growth(const struct top_model *m, const json_t *before, const json_t *now,
		  const char *key);

/* Of a JSON object; 0 and "" when it is not there. */
int64_t top_num(const json_t *o, const char *key);
const char *top_str(const json_t *o, const char *key);

#endif
