/* SPDX-License-Identifier: MIT */
/* Each test breaks one thing, and the check must see exactly that; then it is mended again. */
#include "mm_fixture.h"

#define VA VKF_GIB(1)

static struct mm_fixture f;
static struct mm_vm *vm;
static struct mm_bo *bo, *gtt, *user;
static struct mm_mapping *map;

static int setup(void **state)
{
	mm_fixture_init(&f, NULL);
	vm = mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(2) + 3 * VKF_PAGE_SIZE);
	gtt = mm_fixture_bo(&f, MM_BO_GTT, 5 * VKF_PAGE_SIZE);
	user = mm_fixture_bo(&f, MM_BO_USERPTR, VKF_PAGE_SIZE);
	map = mm_fixture_map(vm, bo, VA);
	mm_fixture_map(vm, gtt, 2 * VA);
	mm_fixture_map(vm, user, 3 * VA);
	mm_fixture_map(vm, gtt, 4 * VA);
	mm_fixture_check(&f);
	return 0;
}

static int teardown(void **state)
{
	mm_bo_put(bo);
	mm_bo_put(gtt);
	mm_bo_put(user);
	mm_fixture_fini(&f);
	return 0;
}

static void sees(const char *what)
{
	char why[200];

	assert_int_equal(mm_check(f.system, why, sizeof(why)), -EUCLEAN);
	assert_string_equal(why, what);
}

/* Break @what by adding @delta, and mend it. */
#define BREAK(what, delta, text)                                                                   \
	do {                                                                                       \
		(what) += (delta);                                                                 \
		sees(text);                                                                        \
		(what) -= (delta);                                                                 \
		mm_fixture_check(&f);                                                              \
	} while (0)

static void charges_that_do_not_add_up(void **state)
{
	BREAK(f.dev[0]->quota.used, 4096, "VRAM charged is not the sum of the buffers");
	BREAK(f.dev[0]->quota.used_aligned, 4096, "aligned VRAM is not the sum of the buffers");
	BREAK(f.dev[0]->quota.pinned, 4096, "pinned VRAM is not the sum of the buffers");
	BREAK(f.system->quota.system_used, 4096, "system memory charged is not the sum");
	BREAK(f.system->quota.ttm_used, 4096, "TTM memory charged is not the sum");
}

static void managers_that_do_not_add_up(void **state)
{
	BREAK(f.dev[0]->vram.man.used, 4096, "VRAM in use is not the sum of buffers and tables");
	BREAK(f.dev[0]->vram.man.n_resources, 1, "a VRAM resource is lost");
	BREAK(f.dev[0]->vram.man.lru.n, 1, "VRAM's LRU list has something else in it");
	BREAK(f.dev[0]->gtt.man.used, 4096, "GTT in use is not the sum of the buffers");
	BREAK(f.dev[0]->gtt.man.lru.n, 1, "GTT's LRU list has something else in it");
	BREAK(f.dev[0]->n_tables, 1, "a page table in VRAM is lost");
	BREAK(f.dev[0]->vram.buddy.n_free, 4096, "free blocks do not add up to what is free");
	BREAK(f.system->user.man.used, 4096, "user pages in use are not the sum of the buffers");
	BREAK(f.a.mm->arena.n_free, 4096,
	      "the arena has given out more or less than its buffers' windows");
	BREAK(f.a.mm->n_pt_used, 1, "a page table of the region is lost");
	BREAK(f.dev[0]->quota.bad, 4096, "bad pages in the limit are not those of VRAM");
	BREAK(f.a.mm->buffers.used, 1, "buffers are not as many as were counted");
	BREAK(f.a.mm->mappings.used, 1, "mappings are not as many as were counted");
}

static void entries_that_lead_elsewhere(void **state)
{
	struct mm_pt *pdb0 = vm->pt.root->child[0]->child[1];
	struct mm_pt *ptb = pdb0->child[1];

	BREAK(ptb->body.words->entry[1], 4096, "an entry does not say what its mapping says");
	BREAK(ptb->body.words->entry[1], UINT64_C(1) << 57,
	      "an entry does not say what its mapping says");
	BREAK(ptb->body.words->link[1], 4096, "a link is not the backing");
	BREAK(ptb->body.words->entry[2], UINT64_C(1) << 7, "a fragment is longer than its mapping");
	BREAK(ptb->body.words->entry[3], 1, "an entry is valid where nothing is mapped");
	BREAK(pdb0->body.words->link[1], 1, "a directory entry's link is not its table");
	BREAK(pdb0->body.words->entry[1], 4096, "a directory entry does not hold its table's address");
	BREAK(ptb->n_live, 1, "a page table has not as many entries as it counts");
}

static void entries_that_are_missing(void **state)
{
	struct mm_pt *ptb = vm->pt.root->child[0]->child[1]->child[1];
	uint64_t was = ptb->body.words->entry[1];

	ptb->body.words->entry[1] = 0;
	sees("an entry in the middle of a mapping is missing");
	ptb->body.words->entry[1] = was;
	/* Nothing comes after the last page of the last mapping, so only the sum tells. */
	ptb = vm->pt.root->child[0]->child[4]->child[0];
	was = ptb->body.words->entry[4];
	ptb->body.words->entry[4] = 0;
	sees("a page table has not the entries it knows of");
	mm_pt_set_live(ptb, 4, false);
	ptb->n_after--;
	sees("a mapping has no entries, or not all");
	ptb->body.words->entry[4] = was;
	mm_pt_set_live(ptb, 4, true);
	ptb->n_after++;
	mm_fixture_check(&f);
}

static void mappings_that_are_lost(void **state)
{
	vkf_list_del(&map->of_bo);
	sees("buffers and VMs have not the same mappings");
	vkf_list_add(&map->of_bo, &gtt->mappings);
	sees("a buffer's list has a mapping of another");
	vkf_list_del(&map->of_bo);
	vkf_list_add(&map->of_bo, &bo->mappings);
	mm_fixture_check(&f);
}

static void reservations_that_are_not_at_rest(void **state)
{
	BREAK(bo->own_resv.n_reserved, 1, "an unlocked reservation has slots reserved");
	BREAK(bo->own_resv.n, 3, "a reservation has more fences than slots");
	assert_int_equal(mm_resv_lock(&vm->resv, false), 0);
	sees("a reservation is locked");
	mm_resv_unlock(&vm->resv);
	mm_fixture_check(&f);
}

static void buffers_in_no_lru_list_or_the_wrong_one(void **state)
{
	struct mm_lru *lru = &f.dev[0]->vram.man.lru;

	mm_lru_remove(lru, &bo->res.lru);
	sees("a buffer is not in the LRU list it should be in");
	mm_lru_add(lru, &bo->res.lru, MM_LRU_USER);
	bo->res.bo = gtt;
	sees("an LRU list leads to another buffer");
	bo->res.bo = bo;
	mm_fixture_check(&f);
}

static void the_reason_is_cut_where_the_buffer_ends(void **state)
{
	char why[6] = "xxxxx";

	f.dev[0]->quota.used++;
	assert_int_equal(mm_check(f.system, why, 5), -EUCLEAN);
	assert_string_equal(why, "VRAM");
	assert_int_equal(mm_check(f.system, NULL, 0), -EUCLEAN);
	f.dev[0]->quota.used--;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(charges_that_do_not_add_up),
		TEST(managers_that_do_not_add_up),
		TEST(entries_that_lead_elsewhere),
		TEST(entries_that_are_missing),
		TEST(mappings_that_are_lost),
		TEST(reservations_that_are_not_at_rest),
		TEST(buffers_in_no_lru_list_or_the_wrong_one),
		TEST(the_reason_is_cut_where_the_buffer_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
