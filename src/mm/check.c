/* SPDX-License-Identifier: MIT */
/**
 * DOC: Every invariant, verified
 *
 * Nothing here changes anything or takes a lock: nobody else is inside mm. Sums are
 * made anew from the buffers and tables there are and compared with what managers,
 * limits and trees have counted; then each VM is looked at (check_vm.c).
 *
 * While updates wait on a timeline, words lag behind nodes, and tables and windows of
 * what was unmapped are still there; while moves wait, so are places that were left.
 * Then only what holds all the time is checked.
 */
#include "mm/system.h"

#include <errno.h>
#include "mm/buddy_report.h"
#include "mm/check.h"
#include "mm/print.h"
#include "mm/private.h"

/* struct sums - of one device, or of the system, over all buffers and tables */
struct sums {
	uint64_t vram_charged, vram_aligned, pinned;
	uint64_t system_charged, ttm_charged;
	uint64_t vram, gtt, user, swap; /* placed */
	uint64_t n_vram, n_gtt, n_user, n_swap;
	uint64_t lru_vram, lru_gtt, lru_swap;
	uint64_t tables;
};

/* ------------------------------------------------ reservations */

const char *mm_check_resv(const struct mm_resv *r)
{
	CHECK(r->n <= r->n_slots, "a reservation has more fences than slots");
	CHECK(!r->n_reserved, "an unlocked reservation has slots reserved");
	CHECK(!atomic_load(&r->lock.owner), "a reservation is locked");
	for (unsigned int i = 0; i < r->n; i++)
		CHECK(r->slots[i].fence && vkf_ref_read(&r->slots[i].fence->ref) > 0,
		      "a reservation holds a fence without a reference");
	return NULL;
}

const char *mm_check_eviction(const struct mm_client *client, const struct mm_resv *r)
{
	if (mm_client_is_evicted(client) || !client->eviction)
		return NULL;
	for (unsigned int i = 0; i < r->n; i++) {
		if (r->slots[i].fence == client->eviction)
			return NULL;
	}
	return "what a running client uses does not carry its eviction fence";
}

/* ------------------------------------------------ buffers */

static void add_charge(struct sums *s, const struct mm_bo *bo)
{
	switch (bo->charge) {
	case MM_CHARGE_VRAM:
		s->vram_charged += bo->size;
		s->vram_aligned += VKF_ALIGN_UP(bo->size, MM_QUOTA_ALIGN);
		break;
	case MM_CHARGE_TTM:
		s->ttm_charged += bo->size;
		s->system_charged += bo->size;
		break;
	case MM_CHARGE_SYSTEM:
		s->system_charged += bo->size;
		break;
	case MM_CHARGE_NONE:
		break;
	}
	if (bo->kind == MM_BO_VRAM && bo->n_pinned)
		s->pinned += bo->size;
}

static void add_place(struct sums *s, const struct mm_bo *bo)
{
	const struct mm_manager *man = bo->res.man;

	if (man == &bo->home->vram.man) {
		s->vram += bo->res.bytes;
		s->n_vram++;
		s->lru_vram += mm_lru_has(&bo->res.lru);
	} else if (man == &bo->home->gtt.man) {
		s->gtt += bo->res.bytes;
		s->n_gtt++;
		s->lru_gtt += mm_lru_has(&bo->res.lru);
	} else if (man == &bo->client->system->swap.man) {
		s->swap += bo->res.bytes;
		s->n_swap++;
		s->lru_swap += mm_lru_has(&bo->res.lru);
	} else if (man) {
		s->user += bo->res.bytes;
		s->n_user++;
	}
}

static uint64_t blocks_bytes(const struct mm_buddy_block *block)
{
	uint64_t sum = 0;

	for (; block; block = block->next)
		sum += VKF_PAGE_SIZE << block->order;
	return sum;
}

static const char *check_window(const struct mm_bo *bo)
{
	const struct mm_buddy_block *block;
	uint64_t next;

	if (bo->kind != MM_BO_VRAM && bo->kind != MM_BO_GTT)
		return bo->window ? "a buffer has a window it does not need" : NULL;
	CHECK(bo->window, "a buffer has no window");
	CHECK(blocks_bytes(bo->window) == bo->size, "a window is not as large as its buffer");
	next = bo->window->offset;
	for (block = bo->window; block; block = block->next) {
		CHECK(block->offset == next, "a window has a gap");
		next += VKF_PAGE_SIZE << block->order;
	}
	CHECK(bo->size < VKF_HUGE_SIZE || VKF_IS_ALIGNED(bo->window->offset, VKF_HUGE_SIZE),
	      "a large window is not aligned to 2 MiB");
	return NULL;
}

/* No entry leads to where a buffer was once its queues may run and the move is over. */
static const char *check_mappings(const struct mm_bo *bo)
{
	const struct mm_mapping *m;

	vkf_list_for_each(m, &bo->mappings, of_bo) {
		CHECK(mm_mapping_bo(m) == bo, "a buffer's list has a mapping of another");
		CHECK(!m->is_held || !m->state.is_stale || mm_client_is_evicted(bo->client) ||
			      mm_resv_busy_unshared(bo->resv),
		      "a client may run that has entries which lead to where a buffer was");
	}
	return NULL;
}

static const char *check_place(const struct mm_bo *bo)
{
	bool evictable = mm_bo_has_window(bo) && !bo->n_pinned;

	if (bo->kind == MM_BO_BAR)
		return bo->res.man ? "a BAR buffer is placed" : NULL;
	CHECK(bo->res.man, "a buffer is placed nowhere");
	CHECK(bo->res.man == &bo->client->system->swap.man ||
		      blocks_bytes(bo->res.blocks) == bo->size,
	      "a buffer's blocks are not its size");
	CHECK(mm_lru_has(&bo->res.lru) == evictable,
	      "a buffer is not in the LRU list it should be in");
	CHECK(!evictable || bo->res.bo == bo, "an LRU list leads to another buffer");
	return NULL;
}

static const char *check_bo(const struct mm_client *client, const struct mm_bo *bo)
{
	const char *why = check_window(bo);

	if (!why)
		why = mm_check_resv(bo->resv);
	if (!why && mm_bo_has_window(bo) && vkf_ref_read(&bo->ref))
		why = mm_check_eviction(client, bo->resv);
	if (!why)
		why = check_mappings(bo);
	if (why)
		return why;
	CHECK(bo->client == client, "a buffer is in another client's list");
	return check_place(bo);
}

/* ------------------------------------------------ clients */

/* struct idle - which timelines have nothing left to do */
struct idle {
	bool updates, moves;
};

static struct idle what_is_idle(struct mm_system *system)
{
	struct idle idle = { true, true };
	struct mm_client *client;
	struct mm_device *dev;
	struct mm_vm *vm;

	vkf_list_for_each(dev, &system->devices, link)
		idle.moves &= mm_timeline_is_idle(&dev->moves);
	vkf_list_for_each(client, &system->clients, link) {
		vkf_list_for_each(vm, &client->vms, link)
			idle.updates &= mm_timeline_is_idle(&vm->paging);
	}
	return idle;
}

/* Whether what is in use is what is known, and what is known to be on its way out. */
static bool adds_up(uint64_t in_use, uint64_t known, bool idle)
{
	return idle ? in_use == known : in_use >= known;
}

static const char *check_bos(const struct mm_client *client, uint64_t *ret_n_mappings)
{
	uint64_t windows = 0, n_users = 0, n = 0;
	const struct mm_bo *bo;
	const struct mm_mapping *m;

	vkf_list_for_each(bo, &client->bos, link) {
		const char *why = check_bo(client, bo);

		if (why)
			return why;
		windows += blocks_bytes(bo->window);
		n_users += bo->kind == MM_BO_USERPTR;
		n++;
		vkf_list_for_each(m, &bo->mappings, of_bo)
			(*ret_n_mappings)++;
	}
	CHECK(n == vkf_budget_used(&client->buffers), "buffers are not as many as were counted");
	CHECK(windows == client->arena.size - client->arena.n_free,
	      "the arena has given out more or less than its buffers' windows");
	CHECK(n_users == client->userptrs.n && vkf_ranges_valid(&client->userptrs),
	      "the tree of user ranges is not that of the buffers");
	return mm_buddy_check(&client->arena);
}

/* Mappings that a buffer knows of: those in the tree, and those still to be cleared. */
static uint64_t count_with_bo(const struct mm_vm *vm)
{
	struct vkf_range *range = vkf_ranges_first(&vm->va.ranges);
	struct mm_vm_node *node;
	uint64_t n = 0;

	for (; range; range = vkf_ranges_next(range))
		n += mm_mapping_bo(mm_mapping_of_range(range)) != NULL;
	vkf_list_for_each(node, &vm->lists.list[MM_VM_FREED], link)
		n += mm_mapping_bo(mm_mapping_of_state(node)) != NULL;
	return n;
}

static const char *check_client(const struct mm_client *client, bool idle)
{
	uint64_t of_bos = 0, of_vms = 0, tables = 0, n = 0;
	const char *why = check_bos(client, &of_bos);
	struct mm_vm *vm;

	vkf_list_for_each(vm, &client->vms, link) {
		if (!why)
			why = mm_check_vm(vm);
		of_vms += count_with_bo(vm);
		n += vm->va.ranges.n + vm->lists.n[MM_VM_FREED];
		tables += vm->pt.n_tables;
	}
	if (why)
		return why;
	CHECK(of_bos == of_vms, "buffers and VMs have not the same mappings");
	CHECK(n == vkf_budget_used(&client->mappings),
	      "mappings are not as many as were counted");
	CHECK(idle ? tables == client->n_pt_used : tables <= client->n_pt_used,
	      "a page table of the region is lost");
	return NULL;
}

/* ------------------------------------------------ devices and the system */

/* Those in VRAM can leave it, and those that did are in GTT. */
static void add_tables(struct sums *s, const struct mm_vm *vm)
{
	uint64_t out = vm->pt.n_evicted;

	s->tables += vm->pt.n_tables - out;
	s->lru_vram += vm->pt.n_tables - out;
	s->gtt += out * VKF_PAGE_SIZE;
	s->n_gtt += out;
}

/* Over the buffers whose home is @dev, or over all of them for NULL. */
static void sum_up(struct mm_system *system, const struct mm_device *dev, struct sums *ret_sums)
{
	struct mm_client *client;
	struct mm_bo *bo;
	struct mm_vm *vm;

	*ret_sums = (struct sums){ 0 };
	vkf_list_for_each(client, &system->clients, link) {
		vkf_list_for_each(bo, &client->bos, link) {
			if (dev && bo->home != dev)
				continue;
			add_charge(ret_sums, bo);
			add_place(ret_sums, bo);
		}
		vkf_list_for_each(vm, &client->vms, link) {
			if (!dev || vm->dev == dev)
				add_tables(ret_sums, vm);
		}
	}
}

static const char *check_device(struct mm_device *dev, const struct idle *idle)
{
	uint64_t n_tables = atomic_load(&dev->n_tables);
	const struct mm_manager *vram = &dev->vram.man, *gtt = &dev->gtt.man;
	const char *why;
	struct sums s;

	sum_up(dev->system, dev, &s);
	CHECK(dev->quota.used == s.vram_charged, "VRAM charged is not the sum of the buffers");
	CHECK(dev->quota.used_aligned == s.vram_aligned,
	      "aligned VRAM is not the sum of the buffers");
	CHECK(dev->quota.pinned == s.pinned, "pinned VRAM is not the sum of the buffers");
	CHECK(adds_up(n_tables, s.tables, idle->updates), "a page table in VRAM is lost");
	CHECK(adds_up(vram->used, s.vram + (n_tables + dev->vram.n_retired) * VKF_PAGE_SIZE,
		      idle->moves),
	      "VRAM in use is not the sum of buffers and tables");
	CHECK(dev->quota.bad == (dev->vram.n_retired + dev->vram.n_retiring) * VKF_PAGE_SIZE,
	      "bad pages in the limit are not those of VRAM");
	CHECK(adds_up(vram->n_resources, s.n_vram + n_tables, idle->moves),
	      "a VRAM resource is lost");
	CHECK(vram->lru.n == s.lru_vram, "VRAM's LRU list has something else in it");
	CHECK(adds_up(gtt->used, s.gtt, idle->moves) &&
		      adds_up(gtt->n_resources, s.n_gtt, idle->moves),
	      "GTT in use is not the sum of the buffers");
	CHECK(gtt->lru.n == s.lru_gtt, "GTT's LRU list has something else in it");
	why = vram->ops->check(&dev->vram.man);
	return why ? why : gtt->ops->check(&dev->gtt.man);
}

static const char *check_system(struct mm_system *system, const struct idle *idle)
{
	const struct mm_manager *user = &system->user.man, *swap = &system->swap.man;
	const struct mm_quota *q = &system->quota;
	struct sums s;

	sum_up(system, NULL, &s);
	CHECK(q->system_used == s.system_charged, "system memory charged is not the sum");
	CHECK(q->ttm_used == s.ttm_charged, "TTM memory charged is not the sum");
	CHECK(q->system_used <= q->system_limit && q->ttm_used <= q->ttm_limit,
	      "a limit is exceeded");
	CHECK(user->used == s.user && user->n_resources == s.n_user,
	      "user pages in use are not the sum of the buffers");
	CHECK(adds_up(swap->used, s.swap, idle->moves) &&
		      adds_up(swap->n_resources, s.n_swap, idle->moves),
	      "system memory in use is not the sum of the buffers");
	CHECK(swap->lru.n == s.lru_swap, "system memory's LRU list has something else in it");
	CHECK(adds_up(system->bus.buddy.size - system->bus.buddy.n_free, s.gtt + s.user,
		      idle->moves),
	      "bus addresses in use are not the sum of GTT and user pages");
	return mm_buddy_check(&system->bus.buddy);
}

static const char *check_all(struct mm_system *system)
{
	struct idle idle = what_is_idle(system);
	const char *why = check_system(system, &idle);
	struct mm_client *client;
	struct mm_device *dev;

	vkf_list_for_each(dev, &system->devices, link) {
		if (!why)
			why = check_device(dev, &idle);
	}
	vkf_list_for_each(client, &system->clients, link) {
		if (!why)
			why = check_client(client, idle.updates);
	}
	return why;
}

int mm_check(struct mm_system *system, char *why, size_t why_len)
{
	const char *reason = check_all(system);
	struct mm_print p;

	if (!reason)
		return 0;
	if (why_len) {
		mm_print_init(&p, why, why_len);
		mm_print(&p, "%s", reason);
	}
	return -EUCLEAN;
}
