/* SPDX-License-Identifier: MIT */
/**
 * DOC: mm against a slow and obvious twin
 *
 * Random operations of two clients on three GPUs. The twin keeps what there should be
 * in flat arrays: which page of VRAM and of each arena is whose, which buffer is
 * mapped where. Before each operation it says what must come out, by counting; after
 * it, usage, tables and what the hardware finds at random addresses are compared,
 * and mm_check() looks at the rest.
 *
 * usage: test_mm_model [SEED [STEPS]], or VKFD_SEED in the environment
 */
#include "mm_fixture.h"
#include "mm/evict.h"

#include <stdio.h>

#define N_GPUS 3
#define N_CLIENTS 2
#define N_BOS 40
#define N_MAPS 60
#define ARENA VKF_MIB(96)
#define RAM VKF_GIB(1)
#define N_SEEDS 12

static const uint64_t gtt_limit = VKF_MIB(48), ttm_limit = VKF_MIB(64), system_limit = VKF_MIB(80);

struct twin_bo {
	struct mm_bo *bo; /* NULL: free slot */
	enum mm_bo_kind kind;
	unsigned int client, gpu, n_refs, n_pins;
	uint64_t size;
	bool as_gtt;
	bool held;    /* by us: the reference of its creation */
	bool pending; /* a job on it has not been executed */
};

struct twin_map {
	struct mm_mapping *m; /* NULL: free slot */
	unsigned int bo, gpu;
	uint64_t va;
};

static struct mm_fixture f;
static struct mm_fixture_client second;
static struct mm_vm *vm[N_CLIENTS][N_GPUS];
static struct twin_bo bos[N_BOS];
static struct twin_map maps[N_MAPS];
static uint64_t vram_bytes, visible_bytes;
static bool delayed, waiting; /* jobs are kept; some are kept just now */

static struct mm_fixture_client *client(unsigned int i)
{
	return i ? &second : &f.a;
}

/* ------------------------------------------------ what the twin knows */

static bool is_alive(const struct twin_bo *b)
{
	return b->bo != NULL;
}

static const struct mm_buddy_block *blocks_of(const struct twin_bo *b)
{
	return b->bo->res.blocks;
}

/* Mark the pages of GPU @gpu's VRAM that buffers have. */
static void vram_pages(unsigned int gpu, bool *taken)
{
	memset(taken, 0, vram_bytes / VKF_PAGE_SIZE);
	for (unsigned int i = 0; i < N_BOS; i++) {
		const struct mm_buddy_block *block;

		if (!is_alive(&bos[i]) || bos[i].kind != MM_BO_VRAM || bos[i].gpu != gpu)
			continue;
		for (block = blocks_of(&bos[i]); block; block = block->next) {
			uint64_t first = block->offset >> 12, n = UINT64_C(1) << block->order;

			assert_true(first + n <= vram_bytes / VKF_PAGE_SIZE);
			for (uint64_t p = first; p < first + n; p++) {
				if (taken[p])
					fail_msg("page %llu of GPU %u has two owners",
						 (unsigned long long)p, gpu);
				taken[p] = true;
			}
		}
	}
}

static void arena_pages(unsigned int c, bool *taken)
{
	memset(taken, 0, ARENA / VKF_PAGE_SIZE);
	for (unsigned int i = 0; i < N_BOS; i++) {
		uint64_t first;

		if (!is_alive(&bos[i]) || bos[i].client != c || bos[i].kind > MM_BO_GTT)
			continue;
		first = mm_bo_arena(bos[i].bo).v >> 12;
		for (uint64_t p = first; p < first + (bos[i].size >> 12); p++) {
			assert_false(taken[p]);
			taken[p] = true;
		}
	}
}

static uint64_t sum(bool (*what)(const struct twin_bo *b, unsigned int gpu), unsigned int gpu)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < N_BOS; i++) {
		if (is_alive(&bos[i]) && what(&bos[i], gpu))
			bytes += bos[i].size;
	}
	return bytes;
}

static bool in_vram(const struct twin_bo *b, unsigned int gpu)
{
	return b->kind == MM_BO_VRAM && b->gpu == gpu;
}

static bool charged_vram(const struct twin_bo *b, unsigned int gpu)
{
	return in_vram(b, gpu) && !b->as_gtt;
}

static bool pinned_vram(const struct twin_bo *b, unsigned int gpu)
{
	return in_vram(b, gpu) && b->n_pins;
}

static bool in_gtt(const struct twin_bo *b, unsigned int gpu)
{
	return b->kind == MM_BO_GTT && b->gpu == gpu;
}

static bool charged_ttm(const struct twin_bo *b, unsigned int gpu)
{
	return b->kind == MM_BO_GTT || (b->kind == MM_BO_VRAM && b->as_gtt);
}

static bool charged_system(const struct twin_bo *b, unsigned int gpu)
{
	return charged_ttm(b, gpu) || b->kind == MM_BO_USERPTR;
}

/* The address of byte @off, as the twin reckons it, and how long it goes on from there. */
static uint64_t place_of(const struct twin_bo *b, uint64_t off, uint64_t *ret_left)
{
	const struct mm_buddy_block *block;
	uint64_t at = 0;

	*ret_left = b->size - off;
	if (b->kind == MM_BO_BAR)
		return UINT64_C(0xd0000000) + off;
	for (block = blocks_of(b); block; block = block->next) {
		uint64_t bytes = VKF_PAGE_SIZE << block->order;

		if (off < at + bytes) {
			*ret_left = at + bytes - off;
			return block->offset + (off - at) +
			       (b->kind == MM_BO_VRAM ? 0 : VKF_GIB(4));
		}
		at += bytes;
	}
	fail_msg("a buffer is shorter than its size");
	return 0;
}

static uint64_t link_of(const struct twin_bo *b)
{
	switch (b->kind) {
	case MM_BO_USERPTR:
		return UINT64_C(0x40000000) | MM_LINK_USER;
	case MM_BO_BAR:
		return MM_LINK_BAR;
	default:
		return mm_bo_arena(b->bo).v | MM_LINK_ARENA;
	}
}

/* True when 2 MiB from @off on lie in one row; blocks may be neighbours. */
static bool is_row(const struct twin_bo *b, uint64_t off)
{
	uint64_t left, start = place_of(b, off, &left);

	for (uint64_t o = 0; o < VKF_HUGE_SIZE; o += VKF_PAGE_SIZE) {
		if (off + o >= b->size || place_of(b, off + o, &left) != start + o)
			return false;
	}
	return true;
}

static uint64_t base_of(const struct twin_map *m)
{
	const struct twin_bo *b = &bos[m->bo];

	if (b->kind != MM_BO_VRAM)
		return 0;
	return b->gpu != m->gpu ? VKF_GIB(1024) * (b->gpu + 1) : VKF_GIB(64) * b->gpu;
}

/* Whether the 2 MiB of @m around @va are one entry. */
static bool is_huge(const struct twin_map *m, uint64_t va)
{
	const struct twin_bo *b = &bos[m->bo];
	uint64_t start = VKF_ALIGN_DOWN(va, VKF_HUGE_SIZE), off = start - m->va, left;

	if (start < m->va || start + VKF_HUGE_SIZE > m->va + b->size || !is_row(b, off))
		return false;
	return VKF_IS_ALIGNED(base_of(m) + place_of(b, off, &left), VKF_HUGE_SIZE) &&
	       VKF_IS_ALIGNED((link_of(b) & ~UINT64_C(0xfff)) + off, VKF_HUGE_SIZE);
}

/* How many different tables the mappings of one VM need, by listing them. */
static unsigned int count_tables(unsigned int c, unsigned int gpu)
{
	static uint64_t keys[65536];
	unsigned int n = 0;

	if (!vm[c][gpu])
		return 0;
	for (unsigned int i = 0; i < N_MAPS; i++) {
		if (!maps[i].m || maps[i].gpu != gpu || bos[maps[i].bo].client != c)
			continue;
		for (uint64_t va = VKF_ALIGN_DOWN(maps[i].va, VKF_HUGE_SIZE);
		     va < maps[i].va + bos[maps[i].bo].size; va += VKF_HUGE_SIZE) {
			uint64_t key[3] = { va >> 39 << 2, va >> 30 << 2 | 1, va >> 21 << 2 | 2 };
			unsigned int levels = is_huge(&maps[i], va) ? 2 : 3;

			for (unsigned int l = 0; l < levels; l++) {
				unsigned int k = 0;

				while (k < n && keys[k] != key[l])
					k++;
				keys[k] = key[l];
				n = VKF_MAX(n, k + 1);
				assert_true(n < VKF_ARRAY_SIZE(keys));
			}
		}
	}
	return n + 1;
}

/* Of the tables there are, those that lead to something. */
static unsigned int count_leading(const struct mm_pt *pt)
{
	unsigned int n = 0, n_children = 0;

	for (unsigned int i = 0; i < MM_PT_SLOTS; i++) {
		if (!mm_pt_child(pt, i))
			continue;
		n_children++;
		n += count_leading(mm_pt_child(pt, i));
	}
	return n || pt->n_live > n_children ? n + 1 : 0;
}

/* ------------------------------------------------ what must come out */

static void mark_tables(const struct mm_pt *pt, bool *taken)
{
	uint64_t page = mm_pt_vram(pt).v >> 12;

	assert_false(taken[page]);
	taken[page] = true;
	for (unsigned int i = 0; i < MM_PT_SLOTS; i++) {
		if (mm_pt_child(pt, i))
			mark_tables(mm_pt_child(pt, i), taken);
	}
}

/* A run of @n pages that nobody has. */
static bool has_run(const bool *taken, uint64_t end, uint64_t n)
{
	uint64_t run = 0;

	for (uint64_t p = 0; p < end && run < n; p++)
		run = taken[p] ? 0 : run + 1;
	return run == n;
}

/* True when enough units that nobody has a part of are left, or one range where that is wished;
 * nothing waits. */
static bool vram_fits(unsigned int gpu, uint64_t size, const struct mm_bo_params *params)
{
	static bool taken[VKF_MIB(256) / VKF_PAGE_SIZE];
	uint64_t unit = size >= VKF_HUGE_SIZE && VKF_IS_ALIGNED(size, VKF_HUGE_SIZE) ? 512 : 1;
	uint64_t end = (params->cpu_access ? visible_bytes : vram_bytes) >> 12, n_free = 0;
	uint64_t tables = 0;

	vram_pages(gpu, taken);
	for (unsigned int c = 0; c < N_CLIENTS; c++) {
		if (!vm[c][gpu])
			continue;
		tables += vm[c][gpu]->pt.n_tables;
		mark_tables(vm[c][gpu]->pt.root, taken);
	}
	if (sum(in_vram, gpu) + (tables << 12) + size > vram_bytes - VKF_MIB(8))
		return false;
	if (params->contiguous && has_run(taken, end, size >> 12))
		return true;
	for (uint64_t p = 0; p + unit <= end; p += unit) {
		uint64_t q = p;

		while (q < p + unit && !taken[q])
			q++;
		n_free += q == p + unit ? unit : 0;
	}
	return n_free >= size >> 12;
}

static bool arena_fits(unsigned int c, uint64_t size)
{
	static bool taken[ARENA / VKF_PAGE_SIZE];
	uint64_t unit = size >= VKF_HUGE_SIZE ? 512 : 1, n = size >> 12;

	arena_pages(c, taken);
	for (uint64_t p = 0; p + n <= ARENA / VKF_PAGE_SIZE; p += unit) {
		uint64_t q = p;

		while (q < p + n && !taken[q])
			q++;
		if (q == p + n)
			return true;
	}
	return false;
}

static bool limits_allow(const struct mm_bo_params *params, unsigned int gpu, uint64_t size)
{
	struct twin_bo b = { .kind = params->kind, .as_gtt = params->charge_as_gtt, .gpu = gpu };
	/* RAM and all VRAM / 16384 is far below 8 MiB here. */
	uint64_t taken = sum(charged_vram, gpu) + sum(pinned_vram, gpu) + VKF_MIB(8);

	if (charged_system(&b, gpu) && sum(charged_system, 0) + size > system_limit)
		return false;
	if (charged_ttm(&b, gpu) && sum(charged_ttm, 0) + size > ttm_limit)
		return false;
	if (in_gtt(&b, gpu) && sum(in_gtt, gpu) + size > gtt_limit)
		return false;
	return !charged_vram(&b, gpu) || (taken < vram_bytes && size <= vram_bytes - taken);
}

static bool should_fit(const struct mm_bo_params *params, unsigned int c, unsigned int gpu,
		       uint64_t size)
{
	if (!limits_allow(params, gpu, size))
		return false;
	if (params->kind == MM_BO_VRAM && !vram_fits(gpu, size, params))
		return false;
	return params->kind > MM_BO_GTT || arena_fits(c, size);
}

/* ------------------------------------------------ operations */

/* Jobs run: what was dying is gone. */
static void drain(void)
{
	mm_fixture_run_all(&f);
	waiting = false;
	for (unsigned int i = 0; i < N_BOS; i++) {
		bos[i].pending = false;
		if (is_alive(&bos[i]) && !bos[i].n_refs)
			bos[i].bo = NULL;
	}
}

static void put_ref(struct twin_bo *b)
{
	b->n_refs--;
	if (!b->n_refs && !b->pending)
		b->bo = NULL;
}

static uint64_t odd_size(void)
{
	switch (rnd(6)) {
	case 0:
		return 1 + rnd(3 * VKF_PAGE_SIZE);
	case 1:
		return VKF_HUGE_SIZE * (1 + rnd(6));
	case 2:
		return VKF_HUGE_SIZE * (1 + rnd(6)) - VKF_PAGE_SIZE * rnd(3);
	case 3:
		return VKF_HUGE_SIZE * (1 + rnd(4)) + VKF_PAGE_SIZE * rnd(5);
	case 4:
		return VKF_PAGE_SIZE << rnd(12);
	default:
		return 1 + rnd(VKF_MIB(20));
	}
}

static void op_create(void)
{
	unsigned int slot = (unsigned int)rnd(N_BOS), c = (unsigned int)rnd(N_CLIENTS);
	unsigned int gpu = (unsigned int)rnd(N_GPUS);
	struct mm_bo_params params = {
		.kind = rnd(8) ? (enum mm_bo_kind)rnd(2) : (enum mm_bo_kind)(2 + rnd(2)),
		.size = odd_size(),
		.user_addr = 0x40000000,
		.bar_bus = 0xd0000000,
	};
	uint64_t size = VKF_ALIGN_UP(params.size, VKF_PAGE_SIZE);
	struct mm_bo *bo = NULL;
	bool fits;
	int r;

	if (is_alive(&bos[slot]))
		return;
	if (waiting)
		drain();
	params.contiguous = !rnd(4);
	params.cpu_access = params.kind == MM_BO_VRAM && !rnd(3);
	params.charge_as_gtt = params.kind == MM_BO_VRAM && !rnd(5);
	fits = should_fit(&params, c, gpu, size);
	r = mm_bo_create(client(c)->mm, f.dev[gpu], &params, &bo);
	if (r != (fits ? 0 : -ENOMEM))
		fail_msg("creating kind %u of %llu bytes on GPU %u gave %d, but it should %s",
			 params.kind, (unsigned long long)size, gpu, r, fits ? "fit" : "not fit");
	if (r)
		return;
	assert_int_equal(mm_bo_size(bo), size);
	bos[slot] = (struct twin_bo){ bo, params.kind, c, gpu, 1, 0, size,
				      params.charge_as_gtt, true, false };
}

static void op_put(void)
{
	struct twin_bo *b = &bos[rnd(N_BOS)];

	if (!is_alive(b) || !b->held)
		return;
	b->held = false;
	mm_bo_put(b->bo);
	put_ref(b);
}

static bool va_is_free(unsigned int c, unsigned int gpu, uint64_t va, uint64_t size)
{
	for (unsigned int i = 0; i < N_MAPS; i++) {
		const struct twin_bo *b = &bos[maps[i].bo];

		if (maps[i].m && maps[i].gpu == gpu && b->client == c &&
		    va < maps[i].va + b->size && maps[i].va < va + size)
			return false;
	}
	return true;
}

static uint64_t some_va(void)
{
	static const uint64_t base[] = { 0, VKF_GIB(1) - VKF_MIB(8), VKF_GIB(512) - VKF_MIB(4),
					 (UINT64_C(1) << 48) - VKF_MIB(24) };
	uint64_t va = base[rnd(4)] + VKF_HUGE_SIZE * rnd(12);

	return rnd(2) ? va : va + VKF_PAGE_SIZE * rnd(512);
}

static void op_map(void)
{
	unsigned int slot = (unsigned int)rnd(N_MAPS), i = (unsigned int)rnd(N_BOS);
	unsigned int gpu = (unsigned int)rnd(N_GPUS);
	struct twin_bo *b = &bos[i];
	struct mm_pte_attr attr = { .writeable = rnd(2), .executable = rnd(2), .snooped = rnd(2) };
	struct mm_mapping *m = NULL;
	uint64_t va = some_va();
	bool ok;
	int r;

	if (maps[slot].m || !is_alive(b) || !b->n_refs || !vm[b->client][gpu])
		return;
	attr.reach = b->kind == MM_BO_VRAM && b->gpu != gpu ? MM_REACH_BUS : MM_REACH_LOCAL;
	ok = va && va + b->size <= UINT64_C(1) << 48 && va_is_free(b->client, gpu, va, b->size);
	r = mm_vm_map(vm[b->client][gpu], b->bo, (vkf_gpuva){ va }, &attr, &m);
	assert_int_equal(r, ok ? 0 : -EINVAL);
	if (r)
		return;
	b->n_refs++;
	b->pending = waiting = delayed;
	maps[slot] = (struct twin_map){ m, i, gpu, va };
}

static void op_unmap(void)
{
	struct twin_map *m = &maps[rnd(N_MAPS)];
	struct mm_fence *fence = NULL;

	if (!m->m)
		return;
	assert_int_equal(mm_vm_unmap(m->m, &fence), 0);
	assert_int_equal(mm_fence_is_signalled(fence), !delayed);
	mm_fence_put(fence);
	m->m = NULL;
	bos[m->bo].pending = waiting = delayed;
	put_ref(&bos[m->bo]);
}

static void op_pin(void)
{
	struct twin_bo *b = &bos[rnd(N_BOS)];

	if (!is_alive(b) || !b->held)
		return;
	if (b->n_pins && b->kind != MM_BO_BAR) {
		mm_bo_unpin(b->bo);
		b->n_pins--;
	} else if (b->bo->placement.contiguous && !mm_resource_is_one_range(&b->bo->res)) {
		/* Pinned, it would be moved, and the twin does not move. */
		return;
	} else if (!rnd(4)) {
		assert_int_equal(mm_bo_pin(b->bo), b->kind == MM_BO_USERPTR ? -EPERM : 0);
		b->n_pins += b->kind != MM_BO_USERPTR;
	}
}

static void op_vm(void)
{
	unsigned int c = (unsigned int)rnd(N_CLIENTS), gpu = (unsigned int)rnd(N_GPUS);

	if (vm[c][gpu] && rnd(8))
		return;
	drain();
	if (!vm[c][gpu]) {
		assert_int_equal(mm_vm_create(client(c)->mm, f.dev[gpu], &vm[c][gpu]), 0);
		return;
	}
	mm_vm_destroy(vm[c][gpu]);
	vm[c][gpu] = NULL;
	for (unsigned int i = 0; i < N_MAPS; i++) {
		if (maps[i].m && maps[i].gpu == gpu && bos[maps[i].bo].client == c) {
			maps[i].m = NULL;
			put_ref(&bos[maps[i].bo]);
		}
	}
}

/* A client goes, with all it has, and another comes. */
static void op_client(void)
{
	if (rnd(20))
		return;
	drain();
	for (unsigned int i = 0; i < N_BOS; i++) {
		if (is_alive(&bos[i]) && bos[i].client == 1 && bos[i].held) {
			mm_bo_put(bos[i].bo);
			bos[i].held = false;
			put_ref(&bos[i]);
		}
	}
	mm_fixture_client_fini(&second);
	for (unsigned int i = 0; i < N_MAPS; i++) {
		if (maps[i].m && bos[maps[i].bo].client == 1) {
			maps[i].m = NULL;
			put_ref(&bos[maps[i].bo]);
		}
	}
	for (unsigned int i = 0; i < N_BOS; i++)
		assert_false(is_alive(&bos[i]) && bos[i].client == 1);
	memset(vm[1], 0, sizeof(vm[1]));
	assert_int_equal(mm_fixture_client_init(&f, &second), 0);
}

/* ------------------------------------------------ comparing */

/* All that are needed are there; others are few. Return: how many there are. */
static uint64_t compare_tables(unsigned int c, unsigned int gpu)
{
	const struct mm_pt_tree *tree;

	if (!vm[c][gpu])
		return 0;
	tree = &vm[c][gpu]->pt;
	assert_int_equal(VKF_MAX(count_leading(tree->root), 1u), count_tables(c, gpu));
	assert_true(tree->n_empty <= MM_PT_MAX_EMPTY + 6);
	return tree->n_tables;
}

static void compare_usage(void)
{
	struct mm_system_usage system;

	mm_system_usage(f.system, &system);
	assert_int_equal(system.system_used, sum(charged_system, 0));
	assert_int_equal(system.ttm_used, sum(charged_ttm, 0));
	for (unsigned int gpu = 0; gpu < N_GPUS; gpu++) {
		struct mm_device_usage usage;
		uint64_t tables = 0;

		mm_device_usage(f.dev[gpu], &usage);
		assert_int_equal(usage.vram_used, sum(charged_vram, gpu));
		assert_int_equal(usage.gtt_used, sum(in_gtt, gpu));
		assert_int_equal(usage.vram_managed - usage.page_tables, sum(in_vram, gpu));
		if (waiting)
			continue;
		for (unsigned int c = 0; c < N_CLIENTS; c++)
			tables += compare_tables(c, gpu);
		assert_int_equal(usage.page_tables, tables * VKF_PAGE_SIZE);
	}
}

/* One address: what the twin says is there, and what the hardware finds. */
static void compare_walk(void)
{
	unsigned int c = (unsigned int)rnd(N_CLIENTS), gpu = (unsigned int)rnd(N_GPUS);
	const struct twin_map *m = &maps[rnd(N_MAPS)];
	uint64_t va = some_va(), left, off;
	struct mm_fixture_found found;

	if (m->m && rnd(4)) {
		c = bos[m->bo].client;
		gpu = m->gpu;
		va = m->va + VKF_PAGE_SIZE * rnd(bos[m->bo].size >> 12);
	}
	if (!vm[c][gpu] || waiting)
		return;
	found = mm_fixture_walk(client(c), vm[c][gpu], va);
	for (m = maps; m < maps + N_MAPS; m++) {
		if (m->m && m->gpu == gpu && bos[m->bo].client == c && va >= m->va &&
		    va < m->va + bos[m->bo].size)
			break;
	}
	assert_int_equal(found.entry & 1, m < maps + N_MAPS);
	assert_ptr_equal(mm_vm_find(vm[c][gpu], (vkf_gpuva){ va }, NULL, NULL),
			 m < maps + N_MAPS ? m->m : NULL);
	if (m == maps + N_MAPS)
		return;
	assert_int_equal(found.level == MM_PDB0, is_huge(m, va));
	if (found.level == MM_PDB0)
		va = VKF_ALIGN_DOWN(va, VKF_HUGE_SIZE);
	off = va - m->va;
	assert_true((found.entry & PTE_GFX9_PAGE_MASK) ==
		    base_of(m) + place_of(&bos[m->bo], off, &left));
	assert_true(found.link == link_of(&bos[m->bo]) + off);
}

static void step(void)
{
	static void (*const ops[])(void) = { op_create, op_create, op_create, op_put,
					     op_map,    op_map,    op_map,    op_unmap,
					     op_unmap,  op_pin,    op_vm,     op_client };

	ops[rnd(VKF_ARRAY_SIZE(ops))]();
	if (waiting && !rnd(6))
		drain();
	mm_fixture_check(&f);
	compare_usage();
	compare_walk();
}

/* ------------------------------------------------ runs */

static unsigned int n_steps = 1500;
static uint64_t seeds[N_SEEDS];

static void start(uint64_t seed)
{
	struct mm_fixture_config config = {
		.n_gpus = N_GPUS,
		.ram = RAM,
		.system_limit = system_limit,
		.ttm_limit = ttm_limit,
		.gtt = gtt_limit,
		.arena = ARENA,
		.pt_tables = 2048,
		.policy = MM_EVICT_NONE,
	};

	rnd_state = seed;
	memset(bos, 0, sizeof(bos));
	memset(maps, 0, sizeof(maps));
	memset(vm, 0, sizeof(vm));
	waiting = false;
	delayed = config.delay = rnd(2);
	vram_bytes = config.vram = VKF_MIB(24) + VKF_PAGE_SIZE * rnd(10000);
	visible_bytes = config.visible =
		rnd(2) ? vram_bytes : VKF_MIB(9) + VKF_PAGE_SIZE * rnd(700);
	mm_fixture_init(&f, &config);
	assert_int_equal(mm_fixture_client_init(&f, &second), 0);
}

static void end(void)
{
	drain();
	f.delay = false;
	for (unsigned int i = 0; i < N_BOS; i++) {
		if (is_alive(&bos[i]) && bos[i].held)
			mm_bo_put(bos[i].bo);
	}
	mm_fixture_client_fini(&second);
	mm_fixture_fini(&f);
}

static void follows_its_twin(void **state)
{
	uint64_t seed = *(uint64_t *)*state;

	print_message("seed %llu, %u steps\n", (unsigned long long)seed, n_steps);
	start(seed);
	for (unsigned int i = 0; i < n_steps; i++)
		step();
	end();
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[N_SEEDS];
	const char *given = argc > 1 ? argv[1] : getenv("VKFD_SEED");
	size_t n = given ? 1 : N_SEEDS;

	if (argc > 2)
		n_steps = (unsigned int)strtoul(argv[2], NULL, 0);
	for (size_t i = 0; i < n; i++) {
		seeds[i] = given ? strtoull(given, NULL, 0) : i + 1;
		tests[i] =
			(struct CMUnitTest)cmocka_unit_test_prestate(follows_its_twin, &seeds[i]);
	}
	return _cmocka_run_group_tests("mm model", tests, n, NULL, NULL);
}
