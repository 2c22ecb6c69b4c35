/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_ENV_H
#define VKFD_BASE_ENV_H

/**
 * DOC: Memory and faults come in from outside
 *
 * All of the driver allocates through these, so that a test can refuse the n-th
 * allocation, and names the places where a fault may be injected. The tables are
 * process-wide and set before any other thread runs.
 */
#include "base/macro.h"

struct vkf_env_ops {
	/* Zeroed memory of @size > 0 bytes, or NULL. */
	void *(*zalloc)(size_t size);
	void (*free)(void *p);
	/* The errno (positive) to fail with at fault point @point for object number @arg, or 0. */
	int (*fault)(const char *point, uint64_t arg);
};

/* NULL restores the default: calloc, free, no faults. */
void vkf_env_set(const struct vkf_env_ops *ops);

void *vkf_zalloc(size_t size) VKF_MUST_CHECK;
/* NULL also when @n * @size overflows. */
void *vkf_calloc(size_t n, size_t size) VKF_MUST_CHECK;
void vkf_free(void *p); /* NULL is fine */

/**
 * vkf_fault() - should this step fail now?
 * @point: name, "layer.step" ("mm.map", "kfd.queue_create"): listed in vkfd(1)
 * @arg: which object (the GPU's index, where there is one)
 *
 * Return: 0, or a negative errno to fail with.
 */
int vkf_fault(const char *point, uint64_t arg);

#endif
