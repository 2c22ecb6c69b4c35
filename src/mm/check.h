/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_CHECK_H
#define VKFD_MM_CHECK_H

/**
 * DOC: Parts of mm_check() (system.h)
 *
 * Each gives what does not hold, or NULL. No lock is taken: nobody else is inside mm.
 */
#include "mm/private.h"

/* Return the reason when @cond does not hold. */
#define CHECK(cond, why)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return why;                                                                \
	} while (0)

/* check_vm.c: tables, mappings and lists. */
const char *mm_check_vm(struct mm_vm *vm);
/* check.c: of nobody who has it locked. */
const char *mm_check_resv(const struct mm_resv *r);
/* check.c: whoever may run must be stopped before what it has is moved. */
const char *mm_check_eviction(const struct mm_client *client, const struct mm_resv *r);

#endif
