/* SPDX-License-Identifier: MIT */
#include "machine_fixture.h"

#include "spec/pte_gfx9.h"

#define NC PTE_GFX9_MTYPE_NC
#define RW PTE_GFX9_MTYPE_RW
#define CC PTE_GFX9_MTYPE_CC
#define UC PTE_GFX9_MTYPE_UC

/* A machine without a client. */
static void open_machine(const char *name, const char *const *sets)
{
	fx_open(name, sets);
}

static struct mm_pte_attr reach(unsigned int home, unsigned int target, struct machine_access a)
{
	struct mm_pte_attr attr;

	assert_int_equal(machine_reach(fx.m, home, target, &a, &attr), 0);
	return attr;
}

static void expect_refused(unsigned int home, unsigned int target, enum mm_bo_kind kind)
{
	struct machine_access a = { .kind = kind };
	struct mm_pte_attr attr, before;

	memset(&attr, 0x5a, sizeof(attr));
	before = attr;
	assert_int_equal(machine_reach(fx.m, home, target, &a, &attr), -EINVAL);
	assert_memory_equal(&attr, &before, sizeof(attr));
}

/* One row of the table: without a wish, COHERENT, EXT_COHERENT, UNCACHED, and both. */
static void expect_row(unsigned int home, unsigned int target, enum mm_bo_kind kind,
		       unsigned int plain, unsigned int coherent, unsigned int uncached,
		       bool snooped, enum mm_reach how)
{
	const struct {
		struct machine_access access;
		unsigned int mtype;
	} cases[] = {
		{ { .kind = kind }, plain },
		{ { .kind = kind, .coherent = true }, coherent },
		{ { .kind = kind, .ext_coherent = true }, coherent },
		{ { .kind = kind, .uncached = true }, uncached },
		{ { .kind = kind, .uncached = true, .coherent = true }, uncached },
	};

	for (size_t i = 0; i < VKF_ARRAY_SIZE(cases); i++) {
		struct mm_pte_attr attr = reach(home, target, cases[i].access);

		if (attr.mtype != cases[i].mtype)
			fail_msg("case %zu: MTYPE %u, not %u", i, attr.mtype, cases[i].mtype);
		assert_int_equal(attr.snooped, snooped);
		assert_int_equal(attr.reach, how);
		assert_false(attr.writeable);
		assert_false(attr.executable);
	}
}

static void gfx90a_keeps_local_memory_in_its_caches(void **state)
{
	open_machine("mi250x", NULL);
	expect_row(0, 0, MM_BO_VRAM, RW, CC, UC, false, MM_REACH_LOCAL);
	expect_row(1, 0, MM_BO_VRAM, NC, UC, UC, true, MM_REACH_HIVE);
	expect_row(0, 0, MM_BO_GTT, NC, UC, UC, true, MM_REACH_BUS);
	expect_row(1, 0, MM_BO_GTT, NC, UC, UC, true, MM_REACH_BUS);
	expect_row(0, 0, MM_BO_USERPTR, NC, UC, UC, true, MM_REACH_BUS);
	fx_close();
}

static void gfx90a_over_pcie_is_not_snooped(void **state)
{
	open_machine("mi210x2", NULL);
	expect_row(1, 0, MM_BO_VRAM, NC, UC, UC, false, MM_REACH_BUS);
	expect_row(0, 1, MM_BO_VRAM, NC, UC, UC, false, MM_REACH_BUS);
	fx_close();
}

static void gfx908_follows_the_same_table(void **state)
{
	open_machine("mi100x4", NULL);
	expect_row(2, 2, MM_BO_VRAM, RW, CC, UC, false, MM_REACH_LOCAL);
	expect_row(3, 0, MM_BO_VRAM, NC, UC, UC, true, MM_REACH_HIVE);
	expect_row(0, 3, MM_BO_GTT, NC, UC, UC, true, MM_REACH_BUS);
	fx_close();
}

static void older_chips_have_no_coherent_caches(void **state)
{
	static const char *const names[] = { "vega20", "vega10-smallbar", "fiji" };

	for (size_t i = 0; i < VKF_ARRAY_SIZE(names); i++) {
		open_machine(names[i], NULL);
		expect_row(0, 0, MM_BO_VRAM, NC, UC, UC, false, MM_REACH_LOCAL);
		expect_row(0, 0, MM_BO_GTT, NC, UC, UC, true, MM_REACH_BUS);
		expect_row(0, 0, MM_BO_USERPTR, NC, UC, UC, true, MM_REACH_BUS);
		fx_close();
	}
}

static void a_mixed_machine_goes_by_the_gpu_that_reaches(void **state)
{
	/* Two nodes of four; between the hives only PCIe. */
	open_machine("mi210x8", NULL);
	expect_row(1, 0, MM_BO_VRAM, NC, UC, UC, true, MM_REACH_HIVE);
	expect_row(7, 0, MM_BO_VRAM, NC, UC, UC, false, MM_REACH_BUS);
	fx_close();
}

static void rights_are_passed_on(void **state)
{
	struct mm_pte_attr attr;

	open_machine("mi210x2", NULL);
	attr = reach(0, 0, (struct machine_access){ .kind = MM_BO_VRAM, .writeable = true });
	assert_true(attr.writeable);
	assert_false(attr.executable);
	attr = reach(0, 1, (struct machine_access){ .kind = MM_BO_VRAM, .executable = true });
	assert_false(attr.writeable);
	assert_true(attr.executable);
	fx_close();
}

static void registers_are_never_cached(void **state)
{
	open_machine("mi210x2", NULL);
	assert_int_equal(reach(0, 0, (struct machine_access){ .kind = MM_BO_BAR }).mtype, UC);
	assert_int_equal(reach(0, 1, (struct machine_access){ .kind = MM_BO_BAR }).mtype, UC);
	assert_int_equal(reach(0, 1, (struct machine_access){ .kind = MM_BO_BAR }).reach,
			 MM_REACH_BUS);
	fx_close();
}

static void a_small_bar_hides_its_vram_and_registers_from_others(void **state)
{
	static const char *const sets[] = { "gpu.1.visible_vram=256MiB", NULL };

	open_machine("mi210x2", sets);
	expect_refused(1, 0, MM_BO_VRAM);
	expect_refused(1, 0, MM_BO_BAR);
	reach(0, 1, (struct machine_access){ .kind = MM_BO_VRAM });
	reach(1, 1, (struct machine_access){ .kind = MM_BO_VRAM });
	reach(1, 0, (struct machine_access){ .kind = MM_BO_GTT });
	reach(1, 0, (struct machine_access){ .kind = MM_BO_USERPTR });
	fx_close();
}

static void no_peer_traffic_leaves_system_memory(void **state)
{
	static const char *const sets[] = { "gpu.p2p=false", NULL };

	open_machine("mi210x2", sets);
	expect_refused(0, 1, MM_BO_VRAM);
	expect_refused(1, 0, MM_BO_VRAM);
	expect_refused(0, 1, MM_BO_BAR);
	reach(0, 1, (struct machine_access){ .kind = MM_BO_GTT });
	fx_close();
}

static void a_hive_needs_no_pcie(void **state)
{
	static const char *const sets[] = { "gpu.p2p=false", NULL };

	open_machine("mi250x", sets);
	assert_int_equal(reach(0, 1, (struct machine_access){ .kind = MM_BO_VRAM }).reach,
			 MM_REACH_HIVE);
	/* Registers are behind the BAR, hive or not. */
	expect_refused(0, 1, MM_BO_BAR);
	fx_close();
}

/* ------------------------------------------------ as the entries say it */

static uint64_t entry_at(unsigned int gpu, uint64_t va)
{
	const struct gpu_ctrl *ctrl = fx.a.regions.ctrl;
	uint32_t table = ctrl->vm[gpu].root;

	for (unsigned int level = 0;; level++) {
		unsigned int slot = (unsigned int)(va >> (39 - 9 * level)) & 511;
		uint64_t pte = fx.a.regions.pt[table].pte[slot];

		assert_true(pte & PTE_GFX9_VALID_MASK);
		if (level == 3 || pte >> 54 & 1)
			return pte;
		table = (uint32_t)fx.a.regions.pt[table].link[slot];
	}
}

/* Map one page of VRAM of @home on @target and give its entry. */
static uint64_t map_and_look(unsigned int home, unsigned int target)
{
	struct mm_vm *vm = fx_vm(target);
	struct mm_bo *bo = fx_bo(home, MM_BO_VRAM, VKF_PAGE_SIZE);
	struct mm_mapping *m = fx_map(vm, target, bo, VKF_GIB(1));
	uint64_t pte = entry_at(target, VKF_GIB(1));

	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_bo_put(bo);
	machine_client_set_vm(fx.a.mc, target, NULL);
	mm_vm_destroy(vm);
	return pte;
}

static void entries_name_vram_as_the_reaching_gpu_sees_it(void **state)
{
	static const char *const sets[] = { "gpu.vram=3GiB", NULL };
	uint64_t addr = UINT64_C(0x0000fffffffff000), local, hive, bus;
	const struct machine_gpu *g;

	open_machine("mi210x8", sets);
	g = machine_profile(fx.m)->gpus;
	local = map_and_look(1, 1);
	assert_false(local & PTE_GFX9_SYSTEM_MASK);
	/* Where the others of its hive see it, too. */
	assert_true((local & addr) >= VKF_GIB(4) && (local & addr) < VKF_GIB(4) + g[1].vram);
	/* The second member's segment: 3 GiB, rounded up to 4. */
	hive = map_and_look(1, 0);
	assert_false(hive & PTE_GFX9_SYSTEM_MASK);
	assert_true((hive & addr) >= VKF_GIB(4) && (hive & addr) < VKF_GIB(4) + g[1].vram);
	/* The first of each hive begins at 0. */
	assert_true((map_and_look(0, 1) & addr) < g[0].vram);
	assert_true((map_and_look(4, 5) & addr) < g[4].vram);
	bus = map_and_look(7, 0);
	assert_true(bus & PTE_GFX9_SYSTEM_MASK);
	assert_true((bus & addr) >= g[7].bar_base && (bus & addr) < g[7].bar_base + g[7].vram);
	fx_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gfx90a_keeps_local_memory_in_its_caches),
		cmocka_unit_test(gfx90a_over_pcie_is_not_snooped),
		cmocka_unit_test(gfx908_follows_the_same_table),
		cmocka_unit_test(older_chips_have_no_coherent_caches),
		cmocka_unit_test(a_mixed_machine_goes_by_the_gpu_that_reaches),
		cmocka_unit_test(rights_are_passed_on),
		cmocka_unit_test(registers_are_never_cached),
		cmocka_unit_test(a_small_bar_hides_its_vram_and_registers_from_others),
		cmocka_unit_test(no_peer_traffic_leaves_system_memory),
		cmocka_unit_test(a_hive_needs_no_pcie),
		cmocka_unit_test(entries_name_vram_as_the_reaching_gpu_sees_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
