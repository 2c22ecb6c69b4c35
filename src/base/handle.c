/* SPDX-License-Identifier: MIT */
#include "base/handle.h"

#include <errno.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/env.h"

void vkf_handles_init(struct vkf_handles *h, unsigned int first, unsigned int limit)
{
	VKF_ASSERT(first <= limit);
	*h = (struct vkf_handles){ .first = first, .limit = limit };
}

void vkf_handles_fini(struct vkf_handles *h)
{
	vkf_free(h->slots);
	vkf_handles_init(h, h->first, h->limit);
}

static unsigned int handles_range(const struct vkf_handles *h)
{
	return h->limit - h->first;
}

/* Make slot @slot exist. */
static int handles_grow(struct vkf_handles *h, unsigned int slot)
{
	uint64_t n = VKF_MAX((uint64_t)h->n_slots * 2, (uint64_t)slot + 1);
	uint64_t *used;
	void **slots;

	if (slot < h->n_slots)
		return 0;
	n = VKF_MIN(n, (uint64_t)handles_range(h));
	n = VKF_ALIGN_UP(n, UINT64_C(64));
	if (n > UINT32_MAX)
		return -ENOMEM;
	slots = vkf_zalloc(n * sizeof(*slots) + n / 8);
	if (!slots)
		return -ENOMEM;
	used = (uint64_t *)(slots + n);
	if (h->n_slots) {
		memcpy(slots, h->slots, h->n_slots * sizeof(*slots));
		memcpy(used, h->used, h->n_slots / 8);
	}
	vkf_free(h->slots);
	h->slots = slots;
	h->used = used;
	h->n_slots = n;
	return 0;
}

/* The lowest free slot, perhaps one that does not exist yet. */
static unsigned int handles_lowest(const struct vkf_handles *h)
{
	unsigned int word = h->hint / 64;
	unsigned int base = word * 64;

	if (base >= h->n_slots)
		return h->hint;
	return base + vkf_bitmap_first_zero(h->used + word, h->n_slots - base);
}

static void handles_put(struct vkf_handles *h, void *obj, unsigned int slot)
{
	h->slots[slot] = obj;
	vkf_bit_set(h->used, slot);
	h->n_used++;
}

int vkf_handles_add(struct vkf_handles *h, void *obj, unsigned int *ret_id)
{
	unsigned int slot = handles_lowest(h);
	int r;

	VKF_ASSERT(obj);
	if (slot >= handles_range(h))
		return -ENOSPC;
	r = handles_grow(h, slot);
	if (r)
		return r;
	handles_put(h, obj, slot);
	h->hint = slot + 1;
	*ret_id = h->first + slot;
	return 0;
}

int vkf_handles_add_at(struct vkf_handles *h, void *obj, unsigned int id)
{
	int r;

	VKF_ASSERT(obj);
	if (id < h->first || id >= h->limit)
		return -EINVAL;
	if (vkf_handles_find(h, id))
		return -EBUSY;
	r = handles_grow(h, id - h->first);
	if (r)
		return r;
	handles_put(h, obj, id - h->first);
	return 0;
}

void *vkf_handles_find(const struct vkf_handles *h, unsigned int id)
{
	if (id < h->first || id - h->first >= h->n_slots)
		return NULL;
	return h->slots[id - h->first];
}

void *vkf_handles_remove(struct vkf_handles *h, unsigned int id)
{
	void *obj = vkf_handles_find(h, id);
	unsigned int slot;

	if (!obj)
		return NULL;
	slot = id - h->first;
	h->slots[slot] = NULL;
	vkf_bit_clear(h->used, slot);
	h->n_used--;
	h->hint = VKF_MIN(h->hint, slot);
	return obj;
}

void *vkf_handles_next(const struct vkf_handles *h, unsigned int *id)
{
	unsigned int from = *id > h->first ? *id - h->first : 0;
	unsigned int slot = vkf_bitmap_next_set(h->used, h->n_slots, from);

	if (slot >= h->n_slots)
		return NULL;
	*id = h->first + slot;
	return h->slots[slot];
}
