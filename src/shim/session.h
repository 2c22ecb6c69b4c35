/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_SESSION_H
#define VKFD_SHIM_SESSION_H

/**
 * DOC: Sessions
 *
 * What the driver knows of this address space, from the first open of a device on.
 * Its regions are mapped whole and kept from fork's child; parts of them are what
 * the program's own mappings are made of. Its connection is a descriptor that the
 * program does not know of: as high as the limit allows, close-on-exec, and guarded
 * by hidden.h. A session is never freed, so a pointer to one stays good; whether it
 * is still this address space's is for session_is_mine() to say.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "shim/engine.h"
#include "shim/state.h"
#include "shim/umem.h"
#include "wire/proto.h"
#include "wire/slot.h"

struct session {
	uint64_t id, token;
	uint8_t *base[WIRE_N_REGIONS];
	uint64_t bytes[WIRE_N_REGIONS];
	struct umem_device arena; /* the file that mappings of buffers are of */
	int fd;
	uint64_t cookie;         /* of @fd */
	_Atomic uint64_t opened; /* a bit per slot that the driver serves */
	atomic_bool dead;        /* the driver is gone */
	struct shim_lock engine_lock;
	_Atomic(struct engine *) engine; /* written under engine_lock */
	atomic_bool engine_tried;        /* written under engine_lock */
	struct engine_traps traps;       /* written under engine_lock, with gpu_ctrl.trap */
	struct engine_poke *poke;
};

/* The session of this address space, or NULL. */
struct session *session_peek(void);
/**
 * session_get() - the session of this address space, made if there is none
 *
 * One whose driver has died is replaced by one of the driver that is there now.
 *
 * Return: 0; -ENODEV without a driver; -ENOMEM, -EMFILE; what the driver says.
 */
int session_get(struct session **ret_session);
/* False in the child of a fork, for a session that it remembers. */
bool session_is_mine(const struct session *s);
/* Look whether the driver still is there; remembers that it is not. */
bool session_is_dead(struct session *s);
/* Say @op about @slot's call @seq. Return: 0 or -EIO. */
int session_say(struct session *s, enum wire_op op, uint32_t slot, uint32_t seq);

static inline struct wire_slots *session_slots(const struct session *s)
{
	return (struct wire_slots *)s->base[WIRE_REGION_SLOTS];
}

#endif
