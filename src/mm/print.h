/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PRINT_H
#define VKFD_MM_PRINT_H

/**
 * DOC: Text into a buffer
 *
 * Managers print themselves into a buffer of the caller's. What does not fit is left
 * out and counted; the text always ends with a NUL.
 */
#include <inttypes.h>
#include <stddef.h>
#include "base/macro.h"

/* struct mm_print - on the stack of one task */
struct mm_print {
	char *buf;
	size_t len;  /* of @buf, > 0 */
	size_t used; /* characters there would be with room for all */
};

void mm_print_init(struct mm_print *p, char *buf, size_t len);
/* As printf() with %s, %u, %x, %PRIu64, %PRIx64 and %%, without width or flags. */
void mm_print(struct mm_print *p, const char *fmt, ...) VKF_PRINTF(2, 3);

#endif
