/* SPDX-License-Identifier: MIT */
#include "mm/evict.h"

#include <errno.h>
#include "base/trace.h"
#include "mm/lock_ctx.h"
#include "mm/move.h"
#include "mm/private.h"
#include "mm/pt_evict.h"

const char *mm_evict_policy_name(enum mm_evict_policy policy)
{
	static const char *const names[MM_EVICT_POLICIES] = {
		[MM_EVICT_LRU] = "lru",
		[MM_EVICT_LONGEST_RUN] = "longest-run",
		[MM_EVICT_LARGEST] = "largest",
		[MM_EVICT_NONE] = "none",
	};

	return policy < MM_EVICT_POLICIES ? names[policy] : NULL;
}

/* Of so many VMs tables are tried, in one search. */
#define MAX_VMS 8

/* struct search - one walk through a manager's candidates */
struct search {
	struct mm_manager *man;
	struct mm_lru_mark *passed; /* nothing before it is looked at; protected by @man's lock */
	const struct mm_placement *placement;
	const struct mm_op *op;
	enum mm_evict_policy policy;
	struct mm_bo *best;         /* while the manager is locked */
	uint64_t best_rank;         /* lower leaves earlier */
	struct mm_bo *busy;         /* somebody has it locked; while the manager is locked */
	bool dying;                 /* some space is about to be given back */
	struct mm_vm *vms[MAX_VMS]; /* references: whose tables could leave, if nothing else can */
	unsigned int n_vms;
	const struct mm_client *ranked; /* whose rank the next is */
	uint64_t ranked_as;
};

/* NULL: it is a page table. */
static struct mm_bo *bo_of_node(struct mm_lru_node *node)
{
	return vkf_container_of(node, struct mm_resource, lru)->bo;
}

/* Bytes of @man that the client has; the walk over its neighbours in the list is what it costs. */
static uint64_t bytes_of(const struct mm_manager *man, const struct mm_client *client)
{
	struct mm_lru_node *node = mm_lru_next(&man->lru, NULL);
	uint64_t sum = 0;

	for (; node; node = mm_lru_next(&man->lru, node)) {
		const struct mm_bo *bo = bo_of_node(node);

		if (bo && bo->client == client)
			sum += bo->size;
	}
	return sum;
}

static uint64_t rank_of_client(const struct search *s, struct mm_client *client)
{
	switch (s->policy) {
	case MM_EVICT_LONGEST_RUN:
		return atomic_load_explicit(&client->restored_ns, memory_order_relaxed);
	case MM_EVICT_LARGEST:
		return UINT64_MAX - bytes_of(s->man, client);
	default:
		return 0;
	}
}

/* Neighbours are often of one client. */
static uint64_t rank(struct search *s, const struct mm_bo *bo)
{
	if (bo->client != s->ranked) {
		s->ranked = bo->client;
		s->ranked_as = rank_of_client(s, bo->client);
	}
	return s->ranked_as;
}

/* Whether its leaving would help, and it may. */
static bool is_valuable(const struct search *s, const struct mm_bo *bo)
{
	const struct mm_op *op = s->op;

	if (op->asker == bo->client && !mm_client_is_evicted(bo->client))
		return false;
	if (vkf_wwlock_is_mine(&bo->resv->lock))
		return false;
	if (!mm_resource_is_within(&bo->res, s->placement))
		return false;
	return !s->placement->cpu_access || bo->res.visible;
}

static bool is_locked(const struct mm_bo *bo)
{
	return atomic_load_explicit(&bo->resv->lock.owner, memory_order_relaxed);
}

static void consider(struct search *s, struct mm_bo *bo)
{
	uint64_t r;

	if (!is_valuable(s, bo))
		return;
	if (!vkf_ref_read(&bo->ref)) {
		s->dying = true;
	} else if (is_locked(bo)) {
		if (!s->busy)
			s->busy = bo;
	} else {
		r = rank(s, bo);
		if (!s->best || r < s->best_rank) {
			s->best = bo;
			s->best_rank = r;
		}
	}
}

/* While its client may run, and while something is to be done for its VM, a table stays. */
static void consider_table(struct search *s, struct mm_lru_node *node)
{
	struct mm_resource *page = vkf_container_of(node, struct mm_resource, lru);
	struct mm_vm *vm = mm_pt_vm(page);

	if (!mm_client_is_evicted(vm->client) || vkf_wwlock_is_mine(&vm->resv.lock))
		return;
	if (s->placement->cpu_access && !page->visible)
		return;
	for (unsigned int i = 0; i < s->n_vms; i++) {
		if (s->vms[i] == vm)
			return;
	}
	if (s->n_vms < MAX_VMS && vkf_ref_get_unless_zero(&vm->ref))
		s->vms[s->n_vms++] = vm;
}

static int evict_table(struct search *s)
{
	int r = -ENOSPC;

	for (unsigned int i = 0; r && i < s->n_vms; i++)
		r = mm_pt_evict_one(s->vms[i], s->man);
	return r ? -ENOSPC : 0;
}

static void put_vms(struct search *s)
{
	while (s->n_vms)
		mm_vm_put(s->vms[--s->n_vms]);
}

/* From the mark on, if that is anywhere. Only in order of age do the first ones stand for all. */
static void look(struct search *s)
{
	const struct mm_lru_node *from = mm_lru_has(&s->passed->node) ? &s->passed->node : NULL;
	struct mm_lru_node *node = mm_lru_next(&s->man->lru, from);

	s->best = NULL;
	s->busy = NULL;
	s->dying = false;
	for (; node; node = mm_lru_next(&s->man->lru, node)) {
		if (bo_of_node(node))
			consider(s, bo_of_node(node));
		else
			consider_table(s, node);
		if (!s->best || s->policy != MM_EVICT_LRU)
			continue;
		mm_lru_mark_before(s->passed, node);
		return;
	}
	if (from && !s->best) {
		mm_lru_mark_remove(s->passed);
		look(s);
	}
}

/* A reference to the first that should leave and can, or else to one that is locked, or NULL. */
static struct mm_bo *search(struct search *s)
{
	struct mm_bo *found;

	vkf_mutex_lock(&s->man->lock);
	look(s);
	found = s->best ? s->best : s->busy;
	if (found && !vkf_ref_get_unless_zero(&found->ref)) {
		s->dying = true;
		found = NULL;
	}
	vkf_mutex_unlock(&s->man->lock);
	return found;
}

/* Where it goes: what is out of GTT is reached by no GPU. */
static struct mm_manager *refuge(const struct mm_bo *bo)
{
	if (bo->res.man == &bo->home->vram.man)
		return &bo->home->gtt.man;
	return &bo->client->system->swap.man;
}

/* Out of the CPU's sight, if the CPU need not see it and that costs nobody his place, as
 * amdgpu_evict_flags() has it. */
static int move_aside(struct mm_bo *bo, const struct mm_op *op)
{
	const struct mm_placement hidden = { .start = bo->home->vram.visible };
	struct mm_manager *vram = &bo->home->vram.man;
	struct mm_resource res = { 0 };
	int r;

	if (bo->res.man != vram || !bo->res.visible || bo->placement.cpu_access ||
	    hidden.start >= vram->size)
		return -ENOSPC;
	r = mm_manager_alloc(vram, &hidden, bo->size, &res);
	return r ? r : mm_bo_move_into_locked(bo, &res, op, MM_MOVE_HAND_ON);
}

/* @bo is locked. 0 also when it has left already, or may not leave any more: look again. */
static int move_out(const struct search *s, struct mm_bo *bo)
{
	static const struct mm_placement anywhere;
	const struct mm_op op = { .asker = s->op->asker, .no_wait = true };
	int r;

	mm_resv_assert_held(bo->resv);
	if (bo->res.man != s->man || bo->n_pinned)
		return 0;
	vkf_trace_evict_want(bo->client->config.number, mm_bo_arena(bo).v, bo->size,
			     (uint8_t)bo->home->config.index);
	r = move_aside(bo, &op);
	if (r)
		r = mm_bo_move_locked(bo, refuge(bo), &anywhere, &op, MM_MOVE_HAND_ON);
	/* GTT is full of what cannot leave: then further out. */
	if (r == -ENOMEM && refuge(bo) != &bo->client->system->swap.man)
		r = mm_bo_move_locked(bo, &bo->client->system->swap.man, &anywhere, &op,
				      MM_MOVE_HAND_ON);
	if (!r && s->man == &bo->home->vram.man) {
		atomic_fetch_add_explicit(&bo->home->n_evicted, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&bo->home->evicted_bytes, bo->size, memory_order_relaxed);
	}
	return r;
}

/*
 * With other reservations held. An older task may have it, and wait for one of ours: then all of
 * ours are released and it alone is waited for, and the asker begins again.
 */
VKF_NO_TS static int evict_among(const struct search *s, struct mm_lock_ctx *locks,
				 struct mm_bo *bo)
{
	int r = mm_lock_ctx_lock(locks, bo->resv, 0), r2;
	bool again = mm_lock_ctx_retry(locks, r);

	if (r && !again)
		return r;
	r2 = move_out(s, bo);
	mm_lock_ctx_unlock(locks, bo->resv);
	return r2 ? r2 : r;
}

/* Somebody else may have it locked: wait for him, in the order that wait-die allows. */
VKF_NO_TS static int evict(const struct search *s, struct mm_bo *bo)
{
	int r = mm_resv_trylock(bo->resv) ? 0 : -EBUSY;

	if (r && s->op->no_wait)
		return -ENOSPC;
	if (r && s->op->locks)
		return evict_among(s, s->op->locks, bo);
	if (r)
		r = mm_resv_lock(bo->resv, s->op->interruptible);
	if (r)
		return r;
	r = move_out(s, bo);
	mm_resv_unlock(bo->resv);
	return r;
}

static int wait_for_dying(const struct search *s)
{
	struct mm_manager *man = s->man;
	struct mm_lru_node *node;
	bool dying = false;
	int r = 0;

	vkf_mutex_lock(&man->lock);
	for (node = mm_lru_next(&man->lru, NULL); node && !dying;
	     node = mm_lru_next(&man->lru, node))
		dying = bo_of_node(node) && !vkf_ref_read(&bo_of_node(node)->ref);
	if (dying)
		r = vkf_cond_wait(&man->freed, &man->lock, VKF_FOREVER, s->op->interruptible);
	vkf_mutex_unlock(&man->lock);
	return r;
}

void mm_evict_begin(struct mm_evict_walk *walk, struct mm_manager *man)
{
	walk->man = man;
	mm_lru_mark_init(&walk->passed);
}

void mm_evict_end(struct mm_evict_walk *walk)
{
	vkf_mutex_lock(&walk->man->lock);
	mm_lru_mark_remove(&walk->passed);
	vkf_mutex_unlock(&walk->man->lock);
}

int mm_evict_one(struct mm_evict_walk *walk, const struct mm_placement *placement,
		 const struct mm_op *op)
{
	struct search s = {
		.man = walk->man,
		.passed = &walk->passed,
		.placement = placement,
		.op = op,
		.policy = walk->man->policy,
	};
	struct mm_bo *bo;
	int r;

	if (s.policy == MM_EVICT_NONE)
		return -ENOSPC;
	bo = search(&s);
	r = bo ? evict(&s, bo) : evict_table(&s);
	put_vms(&s);
	mm_bo_put(bo);
	if (!bo && r && s.dying && !op->no_wait)
		r = wait_for_dying(&s);
	return r;
}
