/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_CALL_H
#define VKFD_SHIM_CALL_H

/**
 * DOC: Calls
 *
 * A call claims a slot, is filled in by its owner, and waits as a system call would:
 * a signal handler without SA_RESTART makes it ask the driver to cancel, and then it
 * returns what the driver says; one with SA_RESTART is not noticed. A handler may
 * make calls of its own meanwhile. Nothing waits for a driver that is gone: it is
 * noticed within CALL_LOOK_NS, and the call is -EIO.
 *
 * A handler that leaves a call by longjmp() costs the session that slot.
 */
#include <stdint.h>
#include "shim/session.h"

#define CALL_LOOK_NS UINT64_C(1000000000)

struct shim_call {
	struct session *session;
	unsigned int index;
	struct wire_slot *slot;
	uint32_t used; /* bytes of the slot's data that are given out */
};

/* Claim a slot. Return: 0, or -EIO when the driver is gone. */
int shim_call_begin(struct session *s, struct shim_call *ret_call);
/* Room for @len bytes in the slot's data. Return: the offset, or UINT32_MAX when there is none. */
uint32_t shim_call_room(struct shim_call *c, uint64_t len);
/**
 * shim_call_submit() - send the request and wait for the answer
 *
 * Return: the driver's result, and the slot is the caller's to read until shim_call_end(); -EIO
 * when the driver is gone, -EBADF in a process that was forked meanwhile: the slot is lost then,
 * and the caller touches it no more (*ret_answered is false).
 */
int shim_call_submit(struct shim_call *c, bool *ret_answered);
void shim_call_end(struct shim_call *c);

#endif
