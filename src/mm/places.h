/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_PLACES_H
#define VKFD_MM_PLACES_H

/**
 * DOC: The places a buffer may be in, in order of preference
 *
 * A list is gone through twice: first without taking anything from anybody, then with
 * eviction. A place that is only desired is left out the second time: it is not worth
 * evicting for. A fallback is left out the first time: it is for when nothing else has
 * room, and a buffer that is there goes elsewhere as soon as there is some. These are
 * TTM_PL_FLAG_DESIRED and _FALLBACK of Linux 6.12.
 */
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

struct mm_bo;
struct mm_manager;
struct mm_op;
struct mm_resource;

enum mm_domain {
	MM_DOMAIN_VRAM,   /* of its home */
	MM_DOMAIN_GTT,    /* the same */
	MM_DOMAIN_SYSTEM, /* where no GPU reaches it */
	MM_DOMAINS
};

struct mm_place {
	uint8_t domain; /* enum mm_domain */
	bool desired, fallback;
};

struct mm_places {
	uint8_t n;
	struct mm_place place[MM_DOMAINS];
};

/* Whether there is one, each domain at most once, and none is both. */
bool mm_places_valid(const struct mm_places *places);
/* That one only. */
struct mm_places mm_places_of(enum mm_domain domain);

/* Whether @bo is in one of them already; @force: the second time. Its reservation is held. */
bool mm_places_hold(const struct mm_places *places, const struct mm_bo *bo, bool force);
/**
 * mm_places_alloc() - room for @bo in the first of them that has some
 * @force: the second time, with eviction
 *
 * Return: 0 with @res filled; -ENOSPC: nowhere; or what mm_place() gives besides.
 */
int mm_places_alloc(const struct mm_places *places, const struct mm_bo *bo, const struct mm_op *op,
		    bool force, struct mm_resource *res) VKF_MUST_CHECK;

#endif
