/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"
#include "mm/move.h"
#include "mm/vm_change.h"
#include "mm/vm_update.h"

#define VA VKF_GIB(4)
#define P  VKF_PAGE_SIZE

static struct mm_fixture f;
static struct mm_vm *vm;
static const struct mm_pte_attr rw = { .writeable = true, .mtype = 1, .mtype_system = 3 };

static int setup_with(struct mm_fixture_config config)
{
	config.n_gpus = 2;
	mm_fixture_init(&f, &config);
	vm = mm_fixture_vm(&f, 0);
	return 0;
}

static int setup(void **state)
{
	return setup_with((struct mm_fixture_config){ 0 });
}

static int setup_delayed(void **state)
{
	return setup_with((struct mm_fixture_config){ .delay = true });
}

static int teardown(void **state)
{
	mm_fixture_run_all(&f);
	mm_fixture_check(&f);
	mm_fixture_fini(&f);
	return 0;
}

static struct mm_bo *shared_bo(enum mm_bo_kind kind, uint64_t size)
{
	struct mm_bo_params params = { .kind = kind, .size = size, .vm = vm };
	struct mm_bo *bo = NULL;

	assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &params, &bo), 0);
	return bo;
}

static int try(enum mm_va_op op, uint64_t va, uint64_t bytes, struct mm_bo *bo, uint64_t offset,
	       bool later)
{
	const struct mm_vm_change change = {
		.op = op,
		.va = { va },
		.bytes = bytes,
		.bo = bo,
		.offset = offset,
		.attr = rw,
		.later = later,
	};

	return mm_vm_change(vm, &change, NULL);
}

static void map(uint64_t va, uint64_t bytes, struct mm_bo *bo, uint64_t offset)
{
	assert_int_equal(try(MM_VA_MAP, va, bytes, bo, offset, false), 0);
}

static void clear(uint64_t va, uint64_t bytes)
{
	assert_int_equal(try(MM_VA_CLEAR, va, bytes, NULL, 0, false), 0);
}

/* Where byte @offset of @bo is said to be, found block by block. */
static uint64_t place_of(const struct mm_bo *bo, uint64_t offset)
{
	const struct mm_buddy_block *block;

	for (block = bo->res.blocks; block; block = block->next) {
		uint64_t bytes = UINT64_C(1) << (block->order + bo->res.shift);

		if (offset < bytes)
			return bo->res.base + block->offset + offset;
		offset -= bytes;
	}
	fail_msg("a buffer is shorter than its size");
	return 0;
}

static void assert_leads(uint64_t va, struct mm_bo *bo, uint64_t offset)
{
	struct mm_fixture_found found = mm_fixture_walk(&f.a, vm, va);
	uint64_t inside = found.level == MM_PDB0 ? va & (VKF_HUGE_SIZE - 1) : 0;

	assert_true(found.entry & 1);
	assert_true((pte_gfx9_get_page(found.entry) << 12) + inside == place_of(bo, offset));
	assert_true(found.link + inside == ((mm_bo_arena(bo).v + offset) | MM_LINK_ARENA));
	assert_int_equal(pte_gfx9_get_system(found.entry), !mm_bo_in_vram(bo));
}

static void assert_nothing_at(uint64_t va)
{
	assert_int_equal(mm_fixture_walk(&f.a, vm, va).entry, 0);
}

static void move_to(struct mm_bo *bo, struct mm_manager *to)
{
	static const struct mm_placement anywhere;
	const struct mm_op op = { 0 };

	assert_int_equal(mm_resv_lock(bo->resv, false), 0);
	if (bo->res.man != to)
		assert_int_equal(mm_bo_move_locked(bo, to, &anywhere, &op, MM_MOVE_KEEP_OLD), 0);
	mm_resv_unlock(bo->resv);
}

/* ------------------------------------------------ ranges */

static void a_part_of_a_buffer_can_be_mapped(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(5));

	map(VA, VKF_MIB(2), bo, VKF_MIB(3));
	map(VA + VKF_MIB(2), 3 * P, bo, P);
	assert_leads(VA, bo, VKF_MIB(3));
	assert_leads(VA + VKF_MIB(2) - P, bo, VKF_MIB(5) - P);
	assert_leads(VA + VKF_MIB(2) + 2 * P, bo, 3 * P);
	assert_nothing_at(VA + VKF_MIB(2) + 3 * P);
	mm_fixture_check(&f);
	mm_bo_put(bo);
}

static void clearing_the_middle_leaves_both_ends(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(8));
	unsigned int n;

	map(VA, VKF_MIB(8), bo, 0);
	n = f.a.n_invalidated[0];
	clear(VA + VKF_MIB(3), P);
	assert_int_equal(f.a.n_invalidated[0], n + 1);
	assert_nothing_at(VA + VKF_MIB(3));
	assert_leads(VA + VKF_MIB(3) - P, bo, VKF_MIB(3) - P);
	assert_leads(VA + VKF_MIB(3) + P, bo, VKF_MIB(3) + P);
	assert_leads(VA, bo, 0);
	assert_leads(VA + VKF_MIB(8) - P, bo, VKF_MIB(8) - P);
	/* Only the two MiB around it became pages. */
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA + VKF_MIB(3) + P).level, MM_PTB);
	assert_int_equal(mm_fixture_walk(&f.a, vm, VA).level, MM_PDB0);
	mm_fixture_check(&f);
	clear(VA - VKF_MIB(1), VKF_MIB(16));
	assert_int_equal(vm->va.ranges.n, 0);
	assert_nothing_at(VA);
	assert_nothing_at(VA + VKF_MIB(3) + P);
	assert_nothing_at(VA + VKF_MIB(8) - P);
	mm_bo_put(bo);
}

static void replacing_cuts_what_is_there(void **state)
{
	struct mm_bo *a = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));
	struct mm_bo *b = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(4));

	map(VA, VKF_MIB(4), a, 0);
	assert_int_equal(try(MM_VA_REPLACE, VA + VKF_MIB(1), VKF_MIB(2), b, VKF_MIB(2), false), 0);
	assert_leads(VA + VKF_MIB(1) - P, a, VKF_MIB(1) - P);
	assert_leads(VA + VKF_MIB(1), b, VKF_MIB(2));
	assert_leads(VA + VKF_MIB(3), a, VKF_MIB(3));
	assert_int_equal(vm->va.ranges.n, 3);
	mm_fixture_check(&f);
	/* The same once more changes nothing. */
	assert_int_equal(try(MM_VA_REPLACE, VA + VKF_MIB(1), VKF_MIB(2), b, VKF_MIB(2), false), 0);
	assert_int_equal(vm->va.ranges.n, 3);
	mm_bo_put(a);
	mm_bo_put(b);
}

static void unmapping_wants_start_and_buffer(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(1));
	struct mm_bo *other = mm_fixture_bo(&f, MM_BO_VRAM, P);

	map(VA, VKF_MIB(1), bo, 0);
	assert_int_equal(try(MM_VA_UNMAP, VA + P, 0, bo, 0, false), -ENOENT);
	assert_int_equal(try(MM_VA_UNMAP, VA, 0, other, 0, false), -ENOENT);
	assert_leads(VA, bo, 0);
	assert_int_equal(try(MM_VA_UNMAP, VA, 0, bo, 0, false), 0);
	assert_nothing_at(VA);
	assert_int_equal(try(MM_VA_UNMAP, VA, 0, bo, 0, false), -ENOENT);
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void a_range_without_memory_is_there_and_leads_nowhere(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, P);
	uint64_t prt = pte_gfx9_set_prt(0, 1);

	map(VA, VKF_MIB(3), NULL, 0);
	assert_int_equal(try(MM_VA_MAP, VA + P, P, bo, 0, false), -EINVAL);
	assert_true(mm_fixture_walk(&f.a, vm, VA + VKF_MIB(3) - P).entry == prt);
	assert_int_equal(try(MM_VA_REPLACE, VA + P, P, bo, 0, false), 0);
	assert_true(mm_fixture_walk(&f.a, vm, VA).entry == prt);
	assert_leads(VA + P, bo, 0);
	assert_true(mm_fixture_walk(&f.a, vm, VA + 2 * P).entry == prt);
	mm_fixture_check(&f);
	clear(VA, VKF_MIB(3));
	assert_nothing_at(VA + P);
	assert_nothing_at(VA + VKF_MIB(3) - P);
	mm_bo_put(bo);
}

static void a_refusal_leaves_the_out_parameter(void **state)
{
	struct mm_fence *fence = (void *)&f;
	struct mm_vm_change change = { .op = MM_VA_CLEAR, .va = { 0 }, .bytes = P };

	assert_int_equal(mm_vm_change(vm, &change, &fence), -EINVAL);
	assert_ptr_equal(fence, &f);
	change.va.v = VA;
	assert_int_equal(mm_vm_change(vm, &change, &fence), 0);
	assert_null(fence); /* there was nothing */
}

/* ------------------------------------------------ who may */

static void what_somebody_holds_is_not_touched(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));
	struct mm_bo *other = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));
	struct mm_mapping *m;

	assert_int_equal(mm_vm_map(vm, bo, (vkf_gpuva){ VA }, &rw, &m), 0);
	assert_int_equal(try(MM_VA_CLEAR, VA + P, P, NULL, 0, false), -EBUSY);
	assert_int_equal(try(MM_VA_CLEAR, VA - VKF_MIB(1), VKF_MIB(64), NULL, 0, true), -EBUSY);
	assert_int_equal(try(MM_VA_REPLACE, VA, P, other, 0, false), -EBUSY);
	assert_int_equal(try(MM_VA_UNMAP, VA, 0, bo, 0, false), -EBUSY);
	assert_leads(VA + P, bo, P);
	/* What it says already may be said again. */
	assert_int_equal(try(MM_VA_REPLACE, VA, VKF_MIB(4), bo, 0, false), 0);
	assert_int_equal(vm->va.ranges.n, 1);
	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_bo_put(bo);
	mm_bo_put(other);
}

static void a_shared_buffer_is_its_vms_alone(void **state)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = P, .vm = vm };
	struct mm_bo *bo = shared_bo(MM_BO_VRAM, VKF_MIB(1)), *none = (void *)&f;
	struct mm_vm *other = mm_fixture_vm(&f, 1);
	const struct mm_pte_attr far = { .reach = MM_REACH_BUS };
	const struct mm_vm_change change = {
		.op = MM_VA_MAP, .va = { VA }, .bytes = P, .bo = bo, .attr = far
	};
	struct mm_fixture_client c;
	struct mm_mapping *m;

	assert_false(mm_bo_is_exportable(bo));
	assert_ptr_equal(mm_bo_resv(bo), &vm->resv);
	assert_int_equal(mm_vm_change(other, &change, NULL), -EPERM);
	assert_int_equal(mm_vm_map(other, bo, (vkf_gpuva){ VA }, &far, &m), -EPERM);
	map(VA, VKF_MIB(1), bo, 0);
	assert_leads(VA + P, bo, P);
	assert_int_equal(mm_fixture_client_init(&f, &c), 0);
	assert_int_equal(mm_bo_create(c.mm, f.dev[0], &params, &none), -EPERM);
	assert_ptr_equal(none, &f);
	mm_fixture_client_fini(&c);
	mm_bo_put(bo);
}

static void a_shared_buffer_may_outlive_its_vm(void **state)
{
	struct mm_bo *bo = shared_bo(MM_BO_VRAM, VKF_MIB(1));

	map(VA, VKF_MIB(1), bo, 0);
	mm_vm_destroy(vm);
	vm = NULL;
	mm_fixture_check(&f);
	move_to(bo, &f.dev[0]->gtt.man);
	mm_bo_put(bo);
}

/* ------------------------------------------------ memory and time */

static uint64_t vram_used(void)
{
	struct mm_device_usage usage;

	mm_device_usage(f.dev[0], &usage);
	return usage.vram_managed - usage.page_tables;
}

static void memory_stays_until_its_entries_are_gone(void **state)
{
	for (unsigned int shared = 0; shared < 2; shared++) {
		struct mm_bo *bo = shared ? shared_bo(MM_BO_VRAM, VKF_MIB(4))
					  : mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));

		map(VA, VKF_MIB(4), bo, 0);
		mm_bo_put(bo);
		mm_fixture_run_all(&f);
		clear(VA + P, VKF_MIB(2));
		clear(VA, VKF_MIB(4));
		assert_true(mm_fixture_walk(&f.a, vm, VA).entry);
		assert_int_equal(vram_used(), VKF_MIB(4));
		mm_fixture_run(&f, 1);
		assert_int_equal(vram_used(), VKF_MIB(4));
		mm_fixture_run(&f, 1);
		assert_nothing_at(VA);
		assert_int_equal(vram_used(), 0);
	}
}

static void what_is_unmapped_for_later_stays_until_then(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4)), *other;
	struct mm_vm_work work;

	map(VA, VKF_MIB(4), bo, 0);
	mm_bo_put(bo);
	assert_int_equal(try(MM_VA_CLEAR, VA + VKF_MIB(1), VKF_MIB(1), NULL, 0, true), 0);
	assert_leads(VA + VKF_MIB(1), bo, VKF_MIB(1));
	mm_fixture_check(&f);
	assert_int_equal(try(MM_VA_CLEAR, VA, VKF_MIB(4), NULL, 0, true), 0);
	assert_int_equal(vm->va.ranges.n, 0);
	assert_int_equal(vram_used(), VKF_MIB(4));
	mm_fixture_check(&f);
	/* Somebody else is put there, for later too. */
	other = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(4));
	assert_int_equal(try(MM_VA_MAP, VA, VKF_MIB(4), other, 0, true), 0);
	mm_fixture_check(&f);
	assert_int_equal(mm_vm_prepare(vm, &work), 0);
	assert_int_equal(work.n_freed, 3);
	assert_int_equal(work.n_written, 1);
	assert_leads(VA + VKF_MIB(1), other, VKF_MIB(1));
	assert_int_equal(vram_used(), 0);
	mm_bo_put(other);
}

static void what_was_left_to_clear_does_not_clear_what_came_after(void **state)
{
	struct mm_bo *old = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));
	struct mm_bo *new = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));

	map(VA, VKF_MIB(4), old, 0);
	assert_int_equal(try(MM_VA_UNMAP, VA, 0, old, 0, true), 0);
	map(VA + VKF_MIB(1), VKF_MIB(1), new, 0);
	assert_leads(VA + VKF_MIB(1), new, 0);
	assert_nothing_at(VA);
	mm_fixture_check(&f);
	assert_int_equal(mm_vm_prepare(vm, NULL), 0);
	assert_leads(VA + VKF_MIB(1), new, 0);
	mm_bo_put(old);
	mm_bo_put(new);
}

static void what_was_cut_for_later_is_used_until_it_is_written(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(6));

	map(VA, VKF_MIB(6), bo, 0);
	assert_int_equal(try(MM_VA_CLEAR, VA + VKF_MIB(2), VKF_MIB(2), NULL, 0, true), 0);
	map(VA + VKF_MIB(64), P, bo, 0);
	assert_leads(VA, bo, 0);
	assert_nothing_at(VA + VKF_MIB(2));
	assert_leads(VA + VKF_MIB(4), bo, VKF_MIB(4));
	mm_bo_put(bo);
}

static void a_vm_ends_with_things_left_to_clear(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));

	map(VA, VKF_MIB(4), bo, 0);
	assert_int_equal(try(MM_VA_CLEAR, VA + P, P, NULL, 0, true), 0);
	mm_bo_put(bo);
	mm_vm_destroy(vm);
	assert_int_equal(vram_used(), 0);
}

static void without_memory_nothing_is_changed(void **state)
{
	struct mm_bo *a = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(8));
	struct mm_bo *b = shared_bo(MM_BO_GTT, VKF_MIB(8));
	unsigned int n = 0;
	int r;

	map(VA, VKF_MIB(4), a, 0);
	map(VA + VKF_MIB(4), VKF_MIB(4), a, VKF_MIB(4));
	do {
		uint64_t n_tables = vm->pt.n_tables;

		fail_alloc(++n);
		r = try(MM_VA_REPLACE, VA + VKF_MIB(1), VKF_MIB(6), b, VKF_MIB(1), false);
		vkf_env_set(NULL);
		mm_fixture_check(&f);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(vm->va.ranges.n, 2);
		assert_int_equal(vm->pt.n_tables, n_tables);
		assert_leads(VA + VKF_MIB(1), a, VKF_MIB(1));
	} while (n < 100);
	assert_int_equal(r, 0);
	assert_true(n > 8);
	assert_int_equal(vm->va.ranges.n, 3);
	assert_leads(VA + VKF_MIB(1), b, VKF_MIB(1));
	mm_bo_put(a);
	mm_bo_put(b);
}

/* ------------------------------------------------ against a page at a time */

#define PAGES 1536 /* six MiB, beginning in the middle of what a large entry covers */
#define START (VA + VKF_MIB(1))
#define N_BOS 6

struct page {
	struct mm_bo *bo; /* NULL with @prt; or nothing is there */
	uint64_t offset;
	bool prt;
};

static struct page pages[PAGES];
static struct mm_bo *bos[N_BOS];

static void make_bos(void)
{
	for (unsigned int i = 0; i < N_BOS; i++) {
		enum mm_bo_kind kind = i % 3 == 2 ? MM_BO_GTT : MM_BO_VRAM;
		uint64_t size = i == 1 ? VKF_MIB(1) + P : VKF_MIB(5);

		bos[i] = i < 3 ? mm_fixture_bo(&f, kind, size) : shared_bo(kind, size);
	}
}

static bool is_in_swap(const struct mm_bo *bo)
{
	return bo->res.man == &f.system->swap.man;
}

static void compare(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		uint64_t va = START + i * P, entry = mm_fixture_walk(&f.a, vm, va).entry;
		const struct page *p = &pages[i];

		if (p->prt)
			assert_true(pte_gfx9_get_prt(entry) && !(entry & 1));
		else if (!p->bo || is_in_swap(p->bo))
			assert_int_equal(entry, 0);
		else
			assert_leads(va, p->bo, p->offset);
	}
}

static void twin_change(enum mm_va_op op, unsigned int first, unsigned int end, struct mm_bo *bo,
			uint64_t offset)
{
	bool comes = op == MM_VA_MAP || op == MM_VA_REPLACE;

	for (unsigned int i = first; i < end; i++)
		pages[i] = (struct page){
			.bo = comes ? bo : NULL,
			.offset = comes ? offset + (i - first) * P : 0,
			.prt = comes && !bo,
		};
}

static void random_change(void)
{
	unsigned int first = (unsigned int)rnd(PAGES), n, end;
	enum mm_va_op op = rnd(3) ? MM_VA_REPLACE : MM_VA_CLEAR;
	struct mm_bo *bo = rnd(8) ? bos[rnd(N_BOS)] : NULL;
	uint64_t offset, max = bo ? bo->size / P : PAGES;
	int r;

	n = 1 + (unsigned int)rnd(rnd(2) ? 16 : VKF_MIN(max, (uint64_t)PAGES - first));
	end = VKF_MIN(first + n, (unsigned int)PAGES);
	offset = rnd(max - VKF_MIN(max - 1, (uint64_t)(end - first)) + 1) * P;
	/* Like things to like places, so that there are large entries and fragments to break. */
	if (bo && rnd(2) && (first + 256) % 1280 + (end - first) <= max)
		offset = (first + 256) % 1280 * P;
	r = try(op, START + first * P, (end - first) * P, bo, offset, rnd(4) == 0);
	if (op == MM_VA_REPLACE && bo && offset + (end - first) * P > bo->size)
		assert_int_equal(r, -EINVAL);
	else
		assert_int_equal(r, 0);
	if (!r)
		twin_change(op, first, end, bo, offset);
}

static void random_move(void)
{
	struct mm_bo *bo = bos[rnd(N_BOS)];
	struct mm_manager *const to[] = {
		bo->kind == MM_BO_VRAM ? &f.dev[0]->vram.man : &f.dev[0]->gtt.man,
		&f.dev[0]->gtt.man,
		&f.system->swap.man,
	};

	move_to(bo, to[rnd(3)]);
}

/* A shared buffer is brought back; another one may be anywhere, even where no GPU reaches it. */
static void prepare_and_compare(void)
{
	assert_int_equal(mm_vm_prepare(vm, NULL), 0);
	for (unsigned int i = 0; i < N_BOS; i++)
		assert_true(i < 3 || vkf_list_empty(&bos[i]->mappings) || mm_bo_is_home(bos[i]));
	compare();
}

static void random_changes_lead_where_a_page_at_a_time_says(void **state)
{
	for (unsigned int seed = 1; seed <= 6; seed++) {
		rnd_state = (uint64_t)seed << 32;
		memset(pages, 0, sizeof(pages));
		make_bos();
		for (unsigned int i = 0; i < 400; i++) {
			if (rnd(5))
				random_change();
			else
				random_move();
			mm_fixture_check(&f);
			if (rnd(8) == 0)
				prepare_and_compare();
		}
		prepare_and_compare();
		clear(START, PAGES * P);
		assert_true(vm->pt.n_tables <= 1 + 2 * (MM_PT_MAX_EMPTY + 1));
		for (unsigned int i = 0; i < N_BOS; i++)
			mm_bo_put(bos[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_part_of_a_buffer_can_be_mapped),
		TEST(clearing_the_middle_leaves_both_ends),
		TEST(replacing_cuts_what_is_there),
		TEST(unmapping_wants_start_and_buffer),
		TEST(a_range_without_memory_is_there_and_leads_nowhere),
		TEST(a_refusal_leaves_the_out_parameter),
		TEST(what_somebody_holds_is_not_touched),
		TEST(a_shared_buffer_is_its_vms_alone),
		TEST(a_shared_buffer_may_outlive_its_vm),
		cmocka_unit_test_setup_teardown(memory_stays_until_its_entries_are_gone,
						setup_delayed, teardown),
		TEST(what_is_unmapped_for_later_stays_until_then),
		TEST(what_was_left_to_clear_does_not_clear_what_came_after),
		TEST(what_was_cut_for_later_is_used_until_it_is_written),
		TEST(a_vm_ends_with_things_left_to_clear),
		TEST(without_memory_nothing_is_changed),
		TEST(random_changes_lead_where_a_page_at_a_time_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
