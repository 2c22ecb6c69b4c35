/* SPDX-License-Identifier: MIT */
#ifndef VKFD_MM_EVICTION_H
#define VKFD_MM_EVICTION_H

/**
 * DOC: A client's eviction fence
 *
 * The queues of a program run without anybody knowing what they touch. So all of its
 * buffers that can move, and the tables of its VMs, carry one fence that stands for
 * "the queues of this client are stopped": as BOOKKEEP, which only moves wait for.
 * It costs nothing until somebody waits; then the queues are stopped, it signals,
 * and the client counts as evicted until it is restored, with a new fence of the same
 * context (amdgpu_amdkfd_fence.c of Linux 6.12).
 */
#include <stdbool.h>
#include "base/macro.h"

struct mm_bo;
struct mm_client;
struct mm_fence;
struct mm_resv;

/* The first fence of a new client. Return: 0 or -ENOMEM. */
int mm_eviction_init(struct mm_client *client);
/* Nothing runs any more: the fence signals, and its owner is not asked again. */
void mm_eviction_fini(struct mm_client *client);
/* A fence for after the next restore; nobody's yet. NULL: out of memory. */
struct mm_fence *mm_eviction_prepare(struct mm_client *client);
/* @next, from prepare, is the client's from now on: it takes the reference, and is not evicted. */
void mm_eviction_renew(struct mm_client *client, struct mm_fence *next);
/* Attach the client's fence. Its lock and @resv's are held, with a slot. */
void mm_eviction_attach_locked(struct mm_client *client, struct mm_resv *resv);
/* @bo is dying: nothing of its client can reach it. Nobody else knows it. */
void mm_eviction_detach_unshared(struct mm_bo *bo);

#endif
