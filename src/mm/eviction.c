/* SPDX-License-Identifier: MIT */
#include "mm/eviction.h"

#include <errno.h>
#include "base/env.h"
#include "base/trace.h"
#include "mm/private.h"

struct eviction {
	struct mm_fence fence;
	struct mm_client *client; /* a reference: somebody may wait for long */
};

_Static_assert(offsetof(struct eviction, fence) == 0, "freed as what its fence is");

/* Its owner is asked while it is the client's fence, and not after the client's end. */
static bool enable_signaling(struct mm_fence *f)
{
	struct mm_client *client = vkf_container_of(f, struct eviction, fence)->client;
	const struct mm_client_config *config = &client->config;
	bool r = false;

	vkf_mutex_lock(&client->space_lock);
	if (client->eviction == f && config->ops->evict)
		r = config->ops->evict(config->cookie);
	if (!r)
		atomic_store(&client->evicted, true);
	vkf_mutex_unlock(&client->space_lock);
	return r;
}

static void release(struct mm_fence *f)
{
	struct mm_client *client = vkf_container_of(f, struct eviction, fence)->client;

	vkf_free(f);
	mm_client_put(client);
}

static const struct mm_fence_ops ops = {
	.enable_signaling = enable_signaling,
	.release = release,
};

struct mm_fence *mm_eviction_prepare(struct mm_client *client)
{
	struct eviction *e = vkf_zalloc(sizeof(*e));

	if (!e)
		return NULL;
	mm_client_get(client);
	e->client = client;
	mm_fence_init(&e->fence, &ops, client->evict_context,
		      atomic_fetch_add(&client->evict_seqno, 1) + 1);
	mm_fence_set_owner(&e->fence, MM_FENCE_EVICTION, NULL, NULL);
	mm_fence_show(&e->fence, VKF_TRACE_FENCE_EVICTION, client->config.number);
	return &e->fence;
}

int mm_eviction_init(struct mm_client *client)
{
	client->evict_context = mm_system_new_context(client->system);
	atomic_init(&client->evict_seqno, 0);
	atomic_init(&client->evicted, false);
	atomic_init(&client->restored_ns, vkf_now_ns());
	client->eviction = mm_eviction_prepare(client);
	return client->eviction ? 0 : -ENOMEM;
}

static void replace(struct mm_client *client, struct mm_fence *next)
{
	struct mm_fence *f;

	vkf_mutex_lock(&client->space_lock);
	f = client->eviction;
	client->eviction = next;
	atomic_store(&client->evicted, !next);
	vkf_mutex_unlock(&client->space_lock);
	if (f)
		mm_fence_signal(f, 0);
	mm_fence_put(f);
}

void mm_eviction_fini(struct mm_client *client)
{
	replace(client, NULL);
}

void mm_eviction_renew(struct mm_client *client, struct mm_fence *next)
{
	replace(client, next);
}

void mm_client_evicted(struct mm_client *client)
{
	struct mm_fence *f;

	vkf_mutex_lock(&client->space_lock);
	f = client->eviction ? mm_fence_get(client->eviction) : NULL;
	atomic_store(&client->evicted, true);
	vkf_mutex_unlock(&client->space_lock);
	if (f)
		mm_fence_signal(f, 0);
	mm_fence_put(f);
}

bool mm_client_is_evicted(const struct mm_client *client)
{
	return atomic_load(&client->evicted);
}

/* Only who has the client's lock gives it another fence, or none when nobody else is left. */
VKF_NO_TS void mm_eviction_attach_locked(struct mm_client *client, struct mm_resv *resv)
{
	vkf_assert_held(&client->lock);
	if (client->eviction)
		mm_resv_add_locked(resv, client->eviction, MM_RESV_BOOKKEEP);
}

VKF_NO_TS void mm_eviction_detach_unshared(struct mm_bo *bo)
{
	bool mine = mm_resv_trylock(bo->resv);

	VKF_ASSERT(mine);
	(void)mine;
	mm_resv_replace_locked(bo->resv, bo->client->evict_context, NULL, MM_RESV_BOOKKEEP);
	mm_resv_unlock(bo->resv);
}
