/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MACHINE_FIELDS_H
#define VKFD_MACHINE_FIELDS_H

/**
 * DOC: The keys of a machine file, as data
 *
 * One row per key: name, kind, place, range. A machine file and `--set` go through
 * the same rows, so that they accept the same and complain alike. Every complaint
 * is one line in struct machine_err; the first one stays.
 */
#include <jansson.h>

#include "base/macro.h"
#include "machine/profile.h"

/* struct machine_err - where the one line for the user goes */
struct machine_err {
	char *text;
	size_t len;
	bool set;
};

/* Record "@where: <message>" unless there is a complaint already. Return: -EINVAL, always. */
int machine_fail(struct machine_err *err, const char *where, const char *fmt, ...)
	VKF_PRINTF(3, 4);
/* As above, for a name that nobody knows: adds the nearest of @names, or all when none is near. */
int machine_fail_unknown(struct machine_err *err, const char *where, const char *what,
			 const char *name, const char *const *names);

enum machine_kind {
	MACHINE_UINT,  /* unsigned int */
	MACHINE_U8,
	MACHINE_U16,
	MACHINE_U64,   /* also as a string, "0x..." */
	MACHINE_BYTES, /* uint64_t from "64GiB" or a number */
	MACHINE_BOOL,
	MACHINE_TEXT,  /* char[], @max is its size */
	MACHINE_PCI,   /* "0000:63:00.0": of a struct machine_gpu */
	MACHINE_SPEED, /* "16" or "2.5": unsigned int, times ten */
	MACHINE_WORD,  /* char[], one of @words */
	MACHINE_MAP,   /* bool: "kernel" or "transactional" */
	MACHINE_CHOICE, /* unsigned int: the place of one of @words */
};

struct machine_field {
	const char *key;
	enum machine_kind kind;
	size_t offset;
	uint64_t min, max;
	const char *const *words;
};

extern const struct machine_field machine_gpu_fields[], machine_socket_fields[];
/* Of struct machine_profile, by the name that --set takes: "limit.system". */
extern const struct machine_field machine_knob_fields[];

/* Row @key of the table, or NULL. */
const struct machine_field *machine_field_find(const struct machine_field *table, const char *key);
/* Names of a table for messages, at most @max - 1 and a NULL. */
void machine_field_names(const struct machine_field *table, const char **names, size_t max);

/* Set row @f of @obj. Return: 0, or -EINVAL with @err filled and @obj untouched. */
int machine_field_set_text(const struct machine_field *f, void *obj, const char *text,
			   const char *where, struct machine_err *err);
int machine_field_set_json(const struct machine_field *f, void *obj, const json_t *value,
			   const char *where, struct machine_err *err);

/* Add the fault spec @spec, "point:key=value,..."; a second one for the same point is an error. */
int machine_fault_add(struct machine_knobs *knobs, const char *spec, const char *where,
		      struct machine_err *err);

/* The steps of machine_profile_load(), in this order. Return: 0, -EINVAL, -ENOMEM. */
int machine_json_read(const char *text, size_t len, struct machine_profile *m,
		      struct machine_err *err);
int machine_set_apply(struct machine_profile *m, const char *set, struct machine_err *err);
int machine_check(const struct machine_profile *m, struct machine_err *err);
/* What is computed: gpu ids, minors, apertures. Return: 0, or -EINVAL when apertures overlap. */
int machine_fill(struct machine_profile *m, struct machine_err *err);
void machine_fill_gpu_ids(struct machine_profile *m);

#endif
