/* SPDX-License-Identifier: MIT */
#include "mm/client.h"

#include <errno.h>
#include "base/bitmap.h"
#include "base/env.h"
#include "mm/private.h"

#define MAX_OBJECTS (UINT64_C(1) << 24)

static int init_spaces(struct mm_client *client)
{
	const struct mm_client_config *config = &client->config;
	int r;

	client->pt_used = vkf_calloc(VKF_BITMAP_WORDS((size_t)config->pt_tables), sizeof(uint64_t));
	if (!client->pt_used)
		return -ENOMEM;
	vkf_bit_set(client->pt_used, 0);
	client->pt_hint = 1;
	r = mm_buddy_init(&client->arena, config->arena_bytes, VKF_PAGE_SHIFT);
	if (r)
		vkf_free(client->pt_used);
	return r;
}

int mm_client_create(struct mm_system *system, const struct mm_client_config *config,
		     struct mm_client **ret_client)
{
	struct mm_client *client;
	int r;

	if (!config->pt_base || config->pt_tables < 2)
		return -EINVAL;
	client = vkf_zalloc(sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->config = *config;
	r = init_spaces(client);
	if (r) {
		vkf_free(client);
		return r;
	}
	vkf_budget_init(&client->buffers, config->max_buffers ? config->max_buffers : MAX_OBJECTS);
	vkf_budget_init(&client->mappings,
			config->max_mappings ? config->max_mappings : MAX_OBJECTS);
	vkf_ref_init(&client->ref);
	client->system = system;
	vkf_mutex_init(&client->lock, VKF_RANK_MM_CLIENT);
	vkf_list_init(&client->vms);
	vkf_mutex_init(&client->space_lock, VKF_RANK_LRU);
	vkf_list_init(&client->bos);
	vkf_ranges_init(&client->userptrs);
	vkf_cond_init(&client->died);
	vkf_mutex_init(&client->pt_lock, VKF_RANK_LEAF);
	vkf_mutex_lock(&system->lock);
	vkf_list_add_tail(&client->link, &system->clients);
	vkf_mutex_unlock(&system->lock);
	r = mm_eviction_init(client);
	if (r) {
		mm_client_put(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

void mm_client_get(struct mm_client *client)
{
	vkf_ref_get(&client->ref);
}

void mm_client_put(struct mm_client *client)
{
	struct mm_system *system = client->system;

	if (!vkf_ref_put(&client->ref))
		return;
	VKF_ASSERT(client->n_pt_used == 0 && vkf_list_empty(&client->bos));
	VKF_ASSERT(!vkf_budget_used(&client->buffers) && !vkf_budget_used(&client->mappings));
	vkf_mutex_lock(&system->lock);
	vkf_list_del(&client->link);
	vkf_mutex_unlock(&system->lock);
	mm_buddy_fini(&client->arena);
	vkf_free(client->pt_used);
	vkf_mutex_fini(&client->lock);
	vkf_mutex_fini(&client->space_lock);
	vkf_mutex_fini(&client->pt_lock);
	vkf_free(client);
}

static struct mm_vm *any_vm(struct mm_client *client)
{
	struct mm_vm *vm = NULL;

	vkf_mutex_lock(&client->lock);
	if (!vkf_list_empty(&client->vms))
		vm = vkf_list_first(&client->vms, struct mm_vm, link);
	vkf_mutex_unlock(&client->lock);
	return vm;
}

void mm_client_destroy(struct mm_client *client)
{
	struct mm_vm *vm;

	if (!client)
		return;
	/* Nothing of it runs any more, and nobody needs to be asked to see to that. */
	mm_eviction_fini(client);
	while ((vm = any_vm(client)))
		mm_vm_destroy(vm);
	vkf_mutex_lock(&client->space_lock);
	while (client->n_dying)
		vkf_cond_wait(&client->died, &client->space_lock, VKF_FOREVER, false);
	client->closed = true;
	vkf_mutex_unlock(&client->space_lock);
	mm_client_put(client);
}

int mm_client_alloc_table(struct mm_client *client, uint32_t *ret_index)
{
	unsigned int n = client->config.pt_tables, word, i;

	vkf_mutex_lock(&client->pt_lock);
	word = client->pt_hint / 64;
	i = word * 64;
	if (i < n)
		i += vkf_bitmap_first_zero(client->pt_used + word, n - i);
	if (i < n) {
		vkf_bit_set(client->pt_used, i);
		client->pt_hint = i + 1;
		client->n_pt_used++;
	}
	vkf_mutex_unlock(&client->pt_lock);
	if (i >= n)
		return -ENOMEM;
	*ret_index = i;
	return 0;
}

void mm_client_free_table(struct mm_client *client, uint32_t index)
{
	vkf_mutex_lock(&client->pt_lock);
	VKF_ASSERT(index && vkf_bit_test(client->pt_used, index));
	vkf_bit_clear(client->pt_used, index);
	client->pt_hint = VKF_MIN(client->pt_hint, index);
	client->n_pt_used--;
	vkf_mutex_unlock(&client->pt_lock);
}

struct mm_pt_words *mm_client_table(struct mm_client *client, uint32_t index)
{
	return (struct mm_pt_words *)client->config.pt_base + index;
}

_Static_assert(sizeof(struct mm_pt_words) == MM_PT_BYTES, "a table is entries and links");
