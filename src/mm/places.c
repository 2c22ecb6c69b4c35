/* SPDX-License-Identifier: MIT */
#include "mm/places.h"

#include <errno.h>
#include "mm/private.h"

bool mm_places_valid(const struct mm_places *places)
{
	unsigned int seen = 0;

	for (unsigned int i = 0; i < places->n; i++) {
		const struct mm_place *p = &places->place[i];

		if (i == MM_DOMAINS || p->domain >= MM_DOMAINS || seen & 1u << p->domain)
			return false;
		if (p->desired && p->fallback)
			return false;
		seen |= 1u << p->domain;
	}
	return places->n;
}

struct mm_places mm_places_of(enum mm_domain domain)
{
	return (struct mm_places){ .n = 1, .place = { { .domain = (uint8_t)domain } } };
}

static struct mm_manager *manager(const struct mm_bo *bo, enum mm_domain domain)
{
	switch (domain) {
	case MM_DOMAIN_VRAM:
		return &bo->home->vram.man;
	case MM_DOMAIN_GTT:
		return &bo->home->gtt.man;
	default:
		return &bo->client->system->swap.man;
	}
}

static bool left_out(const struct mm_place *p, bool force)
{
	return force ? p->desired : p->fallback;
}

bool mm_places_hold(const struct mm_places *places, const struct mm_bo *bo, bool force)
{
	for (unsigned int i = 0; i < places->n; i++) {
		const struct mm_place *p = &places->place[i];

		if (!left_out(p, force) && bo->res.man == manager(bo, p->domain))
			return true;
	}
	return false;
}

/* Only VRAM is asked for in a certain way. */
static int alloc_in(const struct mm_bo *bo, enum mm_domain domain, const struct mm_op *op,
		    bool force, struct mm_resource *res)
{
	static const struct mm_placement anyhow;
	const struct mm_placement *how = domain == MM_DOMAIN_VRAM ? &bo->placement : &anyhow;
	struct mm_manager *man = manager(bo, domain);
	int r;

	if (!force)
		return bo->size > man->size ? -ENOSPC :
					      mm_manager_alloc(man, how, bo->size, res);
	r = mm_place(man, how, bo->size, op, res);
	return r == -ENOMEM ? -ENOSPC : r;
}

int mm_places_alloc(const struct mm_places *places, const struct mm_bo *bo, const struct mm_op *op,
		    bool force, struct mm_resource *res)
{
	for (unsigned int i = 0; i < places->n; i++) {
		const struct mm_place *p = &places->place[i];
		int r = left_out(p, force) ? -ENOSPC : alloc_in(bo, p->domain, op, force, res);

		if (r != -ENOSPC)
			return r;
	}
	return -ENOSPC;
}
