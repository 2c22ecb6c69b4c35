/* SPDX-License-Identifier: MIT */
#ifndef VKFD_HOST_ENV_HOST_H
#define VKFD_HOST_ENV_HOST_H

/**
 * DOC: Memory, faults and last words on a real machine
 *
 * host_env_install() makes base/env.h allocate with calloc() and answer
 * vkf_fault() from the table below, and makes a panic print one line on stderr
 * before it aborts.
 *
 * A fault is written
 *
 *     POINT[:KEY=VALUE[,KEY=VALUE]...]
 *
 * with POINT as the driver names it ("mm.map") and the keys
 *
 *     arg=N      only for object number N (the GPU's index); default: any
 *     errno=E    a name from errno(3), or ERESTARTSYS; default: ENOMEM
 *     after=N    let the first N matching calls pass; default: 0
 *     count=N    then fail N of them, and no more; default: all
 *
 * Several faults may name one point: each counts its own matching calls, and the
 * first in order of setting that is due decides.
 *
 * Set faults before other threads run; the counters may be used by many.
 */
#include <stddef.h>

void host_env_install(void);

/*
 * The names of all fault points, NULL at the end; the array must live on. From then on
 * host_fault_set() refuses others. NULL: any well-formed name is accepted.
 */
void host_fault_known(const char *const *points);

/**
 * host_fault_set() - add one fault
 * @err: at most @errlen bytes of one line, without newline, that says what was wrong and what is
 *       expected; written on failure only
 *
 * Return: 0, -EINVAL, or -ENOSPC when the table (64 faults) is full; nothing is added then.
 */
int host_fault_set(const char *spec, char *err, size_t errlen);

/* Forget all faults. */
void host_fault_clear(void);

#endif
