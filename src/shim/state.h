/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_STATE_H
#define VKFD_SHIM_STATE_H

/**
 * DOC: State of one address space
 *
 * One mapping holds all that is true of this address space only, and the kernel
 * wipes it in the child of a fork: no session, no locks held, no files known. The
 * child of a vfork shares it, and is right to.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "shim/shim.h"

/* A lock that lives in shared or wiped memory; zero is unlocked. Taken with all signals
 * blocked, so that no handler meets its own thread's lock. */
struct shim_lock {
	_Atomic uint32_t word; /* 0 free, 1 held, 2 held and waited for */
};

void shim_lock(struct shim_lock *l, uint64_t *ret_signals);
void shim_unlock(struct shim_lock *l, const uint64_t *signals);

#define STATE_FILES 512 /* a power of two */

/* struct state_file - an open file that was seen, by its socket's cookie; seq is odd while it
 * is written (under files_lock) */
struct state_file {
	_Atomic uint32_t seq;
	_Atomic uint32_t major, minor;
	_Atomic uint64_t cookie, number, session, bytes, inode;
	atomic_bool writable;
};

struct session;

struct shim_state {
	_Atomic(struct session *) session; /* written under session_lock */
	struct shim_lock session_lock;
	struct shim_lock files_lock;
	struct shim_lock guard_lock; /* what the program does about faults (guard.c) */
	struct state_file file[STATE_FILES];
};

/* Return: the state, made if need be; NULL when there is no memory for it, or the kernel
 * cannot wipe it. */
struct shim_state *state_get(void);
/* Return: the state, or NULL as long as nobody needed it. */
struct shim_state *state_peek(void);

#endif
