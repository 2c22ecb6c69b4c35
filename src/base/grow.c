/* SPDX-License-Identifier: MIT */
#include "base/grow.h"

#include <errno.h>
#include <string.h>

#include "base/env.h"

#define GROW_MIN 8

int vkf_grow(void *array, size_t *cap, size_t need, size_t elem)
{
	size_t n = VKF_MAX(need, (size_t)GROW_MIN);
	void *old, *new;

	if (need <= *cap)
		return 0;
	if (*cap <= SIZE_MAX / 2)
		n = VKF_MAX(n, *cap * 2);
	new = vkf_calloc(n, elem);
	if (!new)
		return -ENOMEM;
	/* The caller's pointer has a type of its own; only its bytes may be taken. */
	memcpy(&old, array, sizeof(old));
	if (*cap)
		memcpy(new, old, *cap * elem);
	vkf_free(old);
	memcpy(array, &new, sizeof(new));
	*cap = n;
	return 0;
}
