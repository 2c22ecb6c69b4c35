/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PRINT_H
#define VKFD_MM_PRINT_H

/**
 * DOC: One description, as text or as JSON
 *
 * An object says what it is once, in fields, rows, objects and lists; what it looks
 * like is decided by who asks. It goes into a buffer of the caller's. What does not
 * fit is left out and counted; the text always ends with a NUL.
 *
 *	                text                            JSON
 *	object          its name, what is in it below   an object
 *	row             one line: "name: a 1, b 2"      an object
 *	  in a row      "name (a 1, b 2)"
 *	list            its name, what is in it below   an array
 *	  in a row      "name [7, 8]"
 *	number, string  "name 7"                        7, "..."
 *	bytes           "name 2 MiB"                    2097152
 *	address         "name 0x1000"                   4096
 *
 * Names are those of JSON, with '_' for a blank in the text. What is in a list has
 * no name (NULL). Objects are not in rows.
 */
#include <inttypes.h>
#include <stddef.h>
#include "base/macro.h"

#define MM_PRINT_DEPTH 16

/* struct mm_print - on the stack of one task */
struct mm_print {
	char *buf;
	size_t len;  /* of @buf, > 0 */
	size_t used; /* characters there would be with room for all */
	bool json;
	bool any;              /* something was printed at this level */
	unsigned int depth;    /* how many are open */
	unsigned int row_depth; /* of the outermost open row; 0: none */
	char close[MM_PRINT_DEPTH]; /* how each open one ends */
};

void mm_print_init(struct mm_print *p, char *buf, size_t len);
/* JSON: one object, which mm_print_finish() ends. */
void mm_print_init_json(struct mm_print *p, char *buf, size_t len);
/* All that was begun has been ended. */
void mm_print_finish(struct mm_print *p);
/* As printf() with %s, %u, %x, %PRIu64, %PRIx64 and %%, without width or flags: text, as it is. */
void mm_print(struct mm_print *p, const char *fmt, ...) VKF_PRINTF(2, 3);

void mm_print_object(struct mm_print *p, const char *name);
void mm_print_row(struct mm_print *p, const char *name);
void mm_print_list(struct mm_print *p, const char *name);
/* Of the innermost open one. */
void mm_print_end(struct mm_print *p);
void mm_print_u64(struct mm_print *p, const char *name, uint64_t value);
void mm_print_bytes(struct mm_print *p, const char *name, uint64_t value);
void mm_print_addr(struct mm_print *p, const char *name, uint64_t value);
void mm_print_bool(struct mm_print *p, const char *name, bool value);
/* Any bytes: what is no printable ASCII is shown as '?'. */
void mm_print_str(struct mm_print *p, const char *name, const char *value);

#endif
