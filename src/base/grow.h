/* SPDX-License-Identifier: MIT */
#ifndef VKFD_BASE_GROW_H
#define VKFD_BASE_GROW_H

/**
 * DOC: Arrays that grow
 *
 * An array is a pointer and a capacity of the owner's; the owner counts what is
 * used, locks, and frees with vkf_free().
 */
#include "base/macro.h"

/**
 * vkf_grow() - make room for at least @need elements
 * @array: address of the pointer to the elements (NULL pointer: none yet)
 * @cap: elements there is room for; at least doubled when it must grow
 * @elem: size of one
 *
 * New elements are zero. Pointers into the old array are stale afterwards.
 *
 * Return: 0 or -ENOMEM, with nothing changed.
 */
int vkf_grow(void *array, size_t *cap, size_t need, size_t elem) VKF_MUST_CHECK;

#endif
