/* SPDX-License-Identifier: MIT */
/**
 * DOC: mm without memory
 *
 * For each public function that may allocate, the first allocation is refused, then
 * the second, and so on until it succeeds. Each refusal must be -ENOMEM, must leave
 * usage as it was and every invariant whole, and out-parameters untouched. What has
 * to work when there is no memory at all (unmapping for good, freeing) is done with
 * every allocation refused. In the end nothing is left.
 */
#include "mm_fixture.h"

#define VA (VKF_GIB(512) - VKF_MIB(3)) /* a change of every level is near */

static struct mm_fixture f;
static struct mm_vm *vm;

/* What a failed call must not change. */
struct state {
	struct mm_device_usage gpu;
	struct mm_system_usage system;
	uint64_t n_pt_used, arena_free, n_mapped;
};

static struct state take_state(void)
{
	struct state s;

	memset(&s, 0, sizeof(s));
	mm_device_usage(f.dev[0], &s.gpu);
	mm_system_usage(f.system, &s.system);
	s.n_pt_used = f.a.mm->n_pt_used;
	s.arena_free = f.a.mm->arena.n_free;
	s.n_mapped = vm->va.ranges.n;
	return s;
}

static bool always_fail;

static void *refusing_zalloc(size_t size)
{
	return always_fail ? NULL : counting_zalloc(size);
}

static const struct vkf_env_ops refusing_env = { refusing_zalloc, counting_free, no_fault };

static int setup(void **state)
{
	struct mm_fixture_config config = { .n_gpus = 2, .delay = *state != NULL };

	n_live_allocs = 0;
	always_fail = false;
	fail_alloc(0);
	mm_fixture_init(&f, &config);
	vm = mm_fixture_vm(&f, 0);
	return 0;
}

static int teardown(void **state)
{
	always_fail = false;
	vkf_env_set(&counting_env);
	f.delay = false;
	mm_fixture_run_all(&f);
	mm_fixture_fini(&f);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
	return 0;
}

/* struct attempt - one function under test; @arg is the test's */
struct attempt {
	int (*call)(void *arg);
	void (*undo)(void *arg); /* of the one that succeeded; may be NULL */
	void *arg;
	unsigned int at_least;   /* allocations there are to refuse */
};

static void refuse_each(const struct attempt *t)
{
	struct state before = take_state(), after;
	unsigned int n = 0;
	int r;

	do {
		fail_alloc(++n);
		r = t->call(t->arg);
		fail_alloc(0);
		mm_fixture_check(&f);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		after = take_state();
		assert_memory_equal(&before, &after, sizeof(before));
	} while (n < 10000);
	assert_int_equal(r, 0);
	if (n - 1 < t->at_least)
		fail_msg("only %u allocations to refuse, not %u", n - 1, t->at_least);
	if (t->undo)
		t->undo(t->arg);
}

/* ------------------------------------------------ system, device, client */

static void a_system(void **state)
{
	struct mm_system_config config = { .ram_bytes = VKF_GIB(7), .bus_base = VKF_GIB(4) };
	unsigned int n = 0;
	int r;

	n_live_allocs = 0;
	do {
		struct mm_system *system = (void *)&f;

		fail_alloc(++n);
		r = mm_system_create(&config, &system);
		fail_alloc(0);
		if (r)
			assert_ptr_equal(system, &f);
		else
			mm_system_destroy(system);
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(n_live_allocs, 0);
	} while (r);
	assert_true(n > 2);
	vkf_env_set(NULL);
}

static int try_fixture(void *arg)
{
	return mm_fixture_try_init(&f, arg);
}

static void a_whole_machine(void **state)
{
	struct mm_fixture_config config = { .n_gpus = 3, .vram = VKF_MIB(300) };
	unsigned int n = 0;
	int r;

	n_live_allocs = 0;
	host_sched_install();
	do {
		fail_alloc(++n);
		r = try_fixture(&config);
		fail_alloc(0);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true(!r || n_live_allocs == 0);
	} while (r);
	assert_true(n > 8);
	mm_fixture_fini(&f);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
}

static int call_client(void *arg)
{
	return mm_fixture_client_init(&f, arg);
}

static void undo_client(void *arg)
{
	mm_fixture_client_fini(arg);
}

static void a_client(void **state)
{
	struct mm_fixture_client b;

	refuse_each(&(struct attempt){ call_client, undo_client, &b, 2 });
}

/* ------------------------------------------------ buffers */

struct bo_case {
	struct mm_bo_params params;
	struct mm_bo *bo;
};

static int call_bo(void *arg)
{
	struct bo_case *c = arg;
	int r;

	c->bo = (void *)c;
	r = mm_bo_create(f.a.mm, f.dev[0], &c->params, &c->bo);
	if (r)
		assert_ptr_equal(c->bo, c);
	return r;
}

static void undo_bo(void *arg)
{
	struct bo_case *c = arg;

	mm_bo_put(c->bo);
}

static void a_buffer_of_each_kind(void **state)
{
	static const struct mm_bo_params params[] = {
		{ .kind = MM_BO_VRAM, .size = VKF_MIB(7) + 4096 },
		{ .kind = MM_BO_VRAM, .size = VKF_MIB(5), .contiguous = true },
		{ .kind = MM_BO_VRAM, .size = 4096, .cpu_access = true },
		{ .kind = MM_BO_GTT, .size = VKF_MIB(3) + 4096 },
		{ .kind = MM_BO_USERPTR, .size = VKF_MIB(3), .user_addr = 0x10000000 },
		{ .kind = MM_BO_BAR, .size = 8192, .bar_bus = 0xd0000000 },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(params); i++) {
		struct bo_case c = { params[i], NULL };

		refuse_each(&(struct attempt){ call_bo, undo_bo, &c, 1 });
	}
}

static void freeing_needs_no_memory(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(7) + 4096);

	assert_int_equal(mm_bo_pin(bo), 0);
	vkf_env_set(&refusing_env);
	always_fail = true;
	mm_bo_unpin(bo);
	assert_int_equal(mm_bo_validate(bo, false), 0);
	assert_int_equal(mm_bo_pin(bo), 0);
	mm_bo_put(bo);
	mm_fixture_check(&f);
}

/* ------------------------------------------------ VMs */

static int call_vm(void *arg)
{
	struct mm_vm **other = arg;
	int r;

	*other = NULL;
	r = mm_vm_create(f.a.mm, f.dev[1], other);
	assert_true(!r || !*other);
	return r;
}

static void undo_vm(void *arg)
{
	struct mm_vm **other = arg;

	mm_vm_destroy(*other);
}

static void a_vm(void **state)
{
	struct mm_vm *other;

	refuse_each(&(struct attempt){ call_vm, undo_vm, &other, 2 });
}

struct map_case {
	struct mm_bo *bo;
	uint64_t va;
	struct mm_mapping *m;
};

static int call_map(void *arg)
{
	struct mm_pte_attr attr = { .writeable = true };
	struct map_case *c = arg;
	int r;

	c->m = (void *)c;
	r = mm_vm_map(vm, c->bo, (vkf_gpuva){ c->va }, &attr, &c->m);
	if (r)
		assert_ptr_equal(c->m, c);
	return r;
}

static int call_unmap(void *arg)
{
	struct map_case *c = arg;

	return mm_vm_unmap(c->m, NULL);
}

static void map_and_unmap(enum mm_bo_kind kind, uint64_t size, uint64_t va, unsigned int at_least)
{
	struct map_case c = { mm_fixture_bo(&f, kind, size), va, NULL };

	refuse_each(&(struct attempt){ call_map, NULL, &c, at_least });
	refuse_each(&(struct attempt){ call_unmap, NULL, &c, 1 });
	mm_bo_put(c.bo);
}

/* Each where no table is left from another. */
static void a_map_and_an_unmap(void **state)
{
	map_and_unmap(MM_BO_VRAM, 4096, VA, 5);
	map_and_unmap(MM_BO_VRAM, VKF_MIB(2), VKF_GIB(1024), 4);
	map_and_unmap(MM_BO_GTT, VKF_MIB(9) + 4096, VA + VKF_GIB(2048), 12);
	map_and_unmap(MM_BO_USERPTR, VKF_MIB(5), VKF_GIB(3072), 5);
	map_and_unmap(MM_BO_BAR, 8192, VKF_GIB(4096), 5);
}

/* Fences of many mappings wait on one buffer, so its slots must grow. */
static void a_map_of_a_buffer_with_many_fences(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, 4096);
	struct mm_fence *fence[8];
	struct map_case c = { bo, VA, NULL };

	for (unsigned int i = 0; i < 8; i++) {
		fence[i] = calloc(1, sizeof(*fence[i]));
		n_live_allocs++;
		mm_fence_init(fence[i], NULL, 1000 + i, 1);
		assert_int_equal(mm_resv_lock(bo->resv, false), 0);
		assert_int_equal(mm_resv_reserve_locked(bo->resv, 1), 0);
		mm_resv_add_locked(bo->resv, fence[i], MM_RESV_READ);
		mm_resv_unlock(bo->resv);
	}
	refuse_each(&(struct attempt){ call_map, NULL, &c, 6 });
	refuse_each(&(struct attempt){ call_unmap, NULL, &c, 1 });
	mm_bo_put(bo);
	for (unsigned int i = 0; i < 8; i++) {
		mm_fence_signal(fence[i], 0);
		mm_fence_put(fence[i]);
	}
}

static void tearing_down_needs_no_memory(void **state)
{
	struct mm_vm *other;

	for (unsigned int i = 0; i < 10; i++) {
		struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_VRAM, 1 + i * VKF_MIB(1));

		mm_fixture_map(vm, bo, VA + i * VKF_GIB(300));
		mm_bo_put(bo);
	}
	assert_int_equal(mm_vm_create(f.a.mm, f.dev[1], &other), 0);
	mm_fixture_run_all(&f);
	vkf_env_set(&refusing_env);
	always_fail = true;
	mm_vm_destroy(other);
	mm_fixture_check(&f);
	mm_client_destroy(f.a.mm);
	free(f.a.pt);
	mm_fixture_check(&f);
	always_fail = false;
	assert_int_equal(mm_fixture_client_init(&f, &f.a), 0);
}

static void executing_jobs_needs_no_memory(void **state)
{
	struct mm_bo *bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(9) + 4096);
	struct mm_mapping *m = mm_fixture_map(vm, bo, VA);

	assert_int_equal(mm_vm_unmap(m, NULL), 0);
	mm_bo_put(bo);
	vkf_env_set(&refusing_env);
	always_fail = true;
	mm_fixture_run_all(&f);
	assert_int_equal(f.a.n_punched, 1);
	mm_fixture_check(&f);
}

/* ------------------------------------------------ eviction */

/* What a refused call has already moved stays moved; all else must be as it was. Return: how many
 * were refused. */
static unsigned int refuse_until_done(int (*call)(void *arg), void *arg)
{
	unsigned int n = 0;
	int r;

	do {
		fail_alloc(++n);
		r = call(arg);
		fail_alloc(0);
		mm_fixture_check(&f);
		assert_true(r == 0 || r == -ENOMEM);
	} while (r && n < 10000);
	assert_int_equal(r, 0);
	return n - 1;
}

static struct mm_bo_params half_of_vram = {
	.kind = MM_BO_VRAM, .size = VKF_MIB(120), .charge_as_gtt = true
};

struct guest {
	struct mm_fixture_client c;
	struct mm_bo *bo;
};

static int create_for_guest(void *arg)
{
	struct guest *g = arg;

	return mm_bo_create(g->c.mm, f.dev[0], &half_of_vram, &g->bo);
}

static int restore_host(void *arg)
{
	return mm_client_restore(f.a.mm);
}

static void an_eviction_and_the_way_back(void **state)
{
	struct mm_pte_attr attr = { .writeable = true };
	struct mm_mapping *m[2];
	struct mm_bo *bo[2];
	struct guest g;

	f.a.runs = true;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(mm_bo_create(f.a.mm, f.dev[0], &half_of_vram, &bo[i]), 0);
		assert_int_equal(mm_vm_map(vm, bo[i], (vkf_gpuva){ VA + VKF_MIB(256) * i }, &attr,
					   &m[i]), 0);
	}
	mm_fixture_run_all(&f);
	assert_int_equal(mm_fixture_client_init(&f, &g.c), 0);
	/* Once room is to be made, what is refused on the way to GTT goes further out instead. */
	assert_true(refuse_until_done(create_for_guest, &g) >= 1);
	mm_client_evicted(f.a.mm);
	mm_fixture_run_all(&f);
	assert_false(mm_bo_in_vram(bo[0]) && mm_bo_in_vram(bo[1]));
	assert_true(mm_client_is_evicted(f.a.mm));

	assert_true(refuse_until_done(restore_host, NULL) >= 2);
	assert_false(mm_client_is_evicted(f.a.mm));
	for (unsigned int i = 0; i < 2; i++)
		assert_false(m[i]->state.is_stale);
	mm_fixture_run_all(&f);
	mm_fixture_check(&f);
	mm_bo_put(g.bo);
	mm_fixture_client_fini(&g.c);
	for (unsigned int i = 0; i < 2; i++)
		mm_bo_put(bo[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_DELAYED(name) cmocka_unit_test_prestate_setup_teardown(name, setup, teardown, &f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_system),
		cmocka_unit_test(a_whole_machine),
		TEST(an_eviction_and_the_way_back),
		TEST(a_client),
		TEST(a_buffer_of_each_kind),
		TEST(freeing_needs_no_memory),
		TEST(a_vm),
		TEST(a_map_and_an_unmap),
		TEST(a_map_of_a_buffer_with_many_fences),
		TEST(tearing_down_needs_no_memory),
		TEST_DELAYED(tearing_down_needs_no_memory),
		TEST_DELAYED(executing_jobs_needs_no_memory),
		TEST_DELAYED(a_map_of_a_buffer_with_many_fences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
