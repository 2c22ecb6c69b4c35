/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_GUARD_H
#define VKFD_SHIM_GUARD_H

/**
 * DOC: Faults of an engine that is a thread of the program
 *
 * Signal actions belong to the whole process, so SIGSEGV and SIGBUS have a handler of
 * the shim's as long as such an engine lives: it mends the engine's accesses, and
 * everything else it hands on to what the program wants done, which the program sets
 * and reads as ever. The kernel is given the program's mask and flags with our handler,
 * so the program's runs as it would have run: on its stack, with its signals blocked.
 *
 * No program with the engine in a process of its own has any of this.
 *
 * Who sets the actions past libc's functions takes the handler away, and an access to
 * memory that is gone is a fault of the program until it sets one again.
 */
#include <signal.h>
#include <stdbool.h>

/* From here on the engine's thread may fault. May be called again. */
void guard_begin(void);
/* Whether guard_action() is to be asked about @sig. */
bool guard_wants(int sig);
/* sigaction() of a guarded signal. Return: 0 or -errno. */
int guard_action(int sig, const struct sigaction *act, struct sigaction *ret_old);

#endif
