/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_HANDLE_H
#define VKFD_BASE_HANDLE_H

/**
 * DOC: Small numbers for objects
 *
 * The lowest free number from @first is given out, and given again after its
 * removal, as the kernel's idr does. An object is never NULL. Not locked: the
 * owner does that. fini() frees the table, not the objects.
 */
#include "base/macro.h"

struct vkf_handles {
	void **slots;          /* grown on demand; slot 0 is number @first */
	uint64_t *used;        /* a bit for each slot, in the same allocation */
	unsigned int n_slots;  /* allocated, a multiple of 64 */
	unsigned int first;    /* lowest number */
	unsigned int limit;    /* one past the highest number */
	unsigned int n_used;
	unsigned int hint;     /* no free slot below it */
};

void vkf_handles_init(struct vkf_handles *h, unsigned int first, unsigned int limit);
void vkf_handles_fini(struct vkf_handles *h);
/* Return: 0, -ENOMEM, or -ENOSPC when every number is taken; @ret_id untouched on failure. */
int vkf_handles_add(struct vkf_handles *h, void *obj, unsigned int *ret_id) VKF_MUST_CHECK;
/* Add at exactly @id. Return: 0, -ENOMEM, -EBUSY when taken, -EINVAL when out of range. */
int vkf_handles_add_at(struct vkf_handles *h, void *obj, unsigned int id) VKF_MUST_CHECK;
/* Borrowed, or NULL. */
void *vkf_handles_find(const struct vkf_handles *h, unsigned int id);
/* The object that was there, or NULL. */
void *vkf_handles_remove(struct vkf_handles *h, unsigned int id);
/* The first object with a number >= *@id, which is written back; NULL at the end. */
void *vkf_handles_next(const struct vkf_handles *h, unsigned int *id);

#define vkf_handle_for_each(h, id, obj)                                                            \
	for (id = 0; (obj = vkf_handles_next((h), &(id))) != NULL; id++)

#endif
