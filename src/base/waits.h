/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_WAITS_H
#define VKFD_BASE_WAITS_H

/**
 * DOC: Who waits for whom, for those who watch
 *
 * Whoever is about to sleep for long leaves a note with the client it works for and,
 * where one is known, the client it waits for. There is room for VKF_WAITS notes at
 * once; a wait that finds none is not seen. No lock: a look from outside may see a note
 * half old and half new, and nothing but what is shown depends on it.
 */
#include "base/macro.h"

#define VKF_WAITS 256

struct vkf_wait_note;

/*
 * @what: a text that stays, "page tables", "an event"
 * @owner: the client that is waited for; 0: none
 *
 * Return: for vkf_wait_end(); NULL is fine.
 */
struct vkf_wait_note *vkf_wait_begin(const char *what, uint32_t owner);
void vkf_wait_end(struct vkf_wait_note *note);

struct vkf_wait_seen {
	const char *what;
	uint32_t client, owner;
	uint64_t since_ns;
};

/* Those that are there now, at most @n. Return: how many. */
unsigned int vkf_waits_look(struct vkf_wait_seen *ret, unsigned int n);

#endif
