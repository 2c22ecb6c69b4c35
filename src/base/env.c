/* SPDX-License-Identifier: MIT */
#include "base/env.h"

#include <stdlib.h>

static void *default_zalloc(size_t size)
{
	return calloc(1, size);
}

static int default_fault(const char *point, uint64_t arg)
{
	return 0;
}

static const struct vkf_env_ops default_ops = {
	.zalloc = default_zalloc,
	.free = free,
	.fault = default_fault,
};

static const struct vkf_env_ops *env_ops = &default_ops;

void vkf_env_set(const struct vkf_env_ops *ops)
{
	env_ops = ops ? ops : &default_ops;
}

void *vkf_zalloc(size_t size)
{
	VKF_ASSERT(size > 0);
	return env_ops->zalloc(size);
}

void *vkf_calloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return vkf_zalloc(bytes);
}

void vkf_free(void *p)
{
	if (p)
		env_ops->free(p);
}

int vkf_fault(const char *point, uint64_t arg)
{
	return -env_ops->fault(point, arg);
}
