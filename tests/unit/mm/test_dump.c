/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/dump.h"
#include "mm/print.h"

static struct mm_fixture f;
static struct mm_print p;
static char text[4000];

static void assert_has(const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void a_client_tells_its_vms_and_buffers(void **state)
{
	struct mm_bo *bo;
	struct mm_vm *vm;

	mm_fixture_init(&f, NULL);
	vm = mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(3));
	mm_fixture_map(vm, bo, VKF_GIB(1));
	mm_print_init(&p, text, sizeof(text));
	mm_dump_client(f.a.mm, &p);
	assert_string_equal(text, "evicted: no\n"
				  "vram: buffers 0, bytes 0 B\n"
				  "gtt: buffers 1, bytes 3 MiB\n"
				  "user: buffers 0, bytes 0 B\n"
				  "bar: buffers 0, bytes 0 B\n"
				  "arena: size 1 TiB, used 3 MiB\n"
				  "vms:\n"
				  "  gpu 0, mappings 1, page tables 4\n");
	mm_bo_put(bo);
	mm_fixture_fini(&f);
}

static void the_machine_tells_its_limits(void **state)
{
	struct mm_bo *bo;

	mm_fixture_init(&f, NULL);
	bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(3));
	mm_print_init(&p, text, sizeof(text));
	mm_dump_system(f.system, &p);
	assert_has("system memory: used 3 MiB, limit 62976 MiB, ttm used 3 MiB, ttm limit 32 GiB\n"
		   "bus addresses: base 0x100000000, size 64 GiB, used 3 MiB\n"
		   "user pages:\n"
		   "  usage: used 0 B, resources 0\n");
	assert_has("swapped out:\n  usage: used 0 B, resources 0\n");
	mm_bo_put(bo);
	mm_fixture_fini(&f);
}

static void a_gpu_tells_its_limit_and_its_managers(void **state)
{
	struct mm_bo *bo, *gtt;

	mm_fixture_init(&f, NULL);
	mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(3));
	gtt = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(1));
	assert_int_equal(mm_device_retire_page(f.dev[0], 0), 0);
	mm_print_init(&p, text, sizeof(text));
	mm_dump_device(f.dev[0], &p);
	assert_has("limit: charged 3 MiB, rest 250876 KiB, kept for tables 8 MiB, pinned 0 B, "
		   "bad 4 KiB\n"
		   "page tables: 4 KiB\n"
		   "vram:\n"
		   "  usage: size 256 MiB, used 3080 KiB, resources 2\n"
		   "  lru: discardable 0, user 1, kernel 1, evictable 3076 KiB\n"
		   "  visible: size 256 MiB, used 3080 KiB\n"
		   "  retired: bytes 4 KiB, still owned 0 B\n");
	assert_has("gtt:\n"
		   "  usage: size 32 GiB, used 1 MiB, resources 1\n"
		   "  lru: discardable 0, user 1, kernel 0, evictable 1 MiB\n");
	mm_fixture_check(&f);
	mm_bo_put(bo);
	mm_bo_put(gtt);
	mm_client_destroy(f.a.mm);
	f.a.mm = NULL;
	mm_device_destroy(f.dev[0]);
	mm_system_destroy(f.system);
	free(f.a.pt);
}

static void a_vm_tells_each_mapping_and_its_tables(void **state)
{
	const struct mm_pte_attr attr = {
		.writeable = true,
		.mtype = PTE_GFX9_MTYPE_RW,
		.reach = MM_REACH_LOCAL,
	};
	struct mm_mapping *m;
	struct mm_bo *vram, *user;
	struct mm_vm *vm;

	mm_fixture_init(&f, NULL);
	vm = mm_fixture_vm(&f, 0);
	vram = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(4));
	user = mm_fixture_bo(&f, MM_BO_USERPTR, VKF_PAGE_SIZE);
	assert_int_equal(mm_vm_map(vm, vram, (vkf_gpuva){ VKF_GIB(1) }, &attr, &m), 0);
	mm_mapping_use(m);
	mm_fixture_map(vm, user, VKF_GIB(2));
	mm_print_init(&p, text, sizeof(text));
	assert_int_equal(mm_dump_vm(f.a.mm, 0, &p), 0);
	mm_print_finish(&p);
	assert_has("gpu: 0\n"
		   "page tables: tables 5, bytes 20 KiB, pdb2 1, pdb1 1, pdb0 2, ptb 1, "
		   "leaves 4kib 1, leaves 2mib 2\n"
		   "n mappings: 2\n"
		   "mappings:\n"
		   "  address 0x40000000, size 4 MiB, kind VRAM, home 0, write yes, exec no, snoop no, "
		   "mtype RW, reach local, users 1, state valid, pinned 0, place VRAM, "
		   "blocks [(offset 0xf800000, size 4 MiB)]\n"
		   "  address 0x80000000, size 4 KiB, kind user pages, home 0, ");
	assert_has("place user pages, blocks [(offset 0x100000000, size 4 KiB)]\n");
	mm_mapping_unuse(m);
	mm_bo_put(vram);
	mm_bo_put(user);
	mm_fixture_fini(&f);
}

static void a_mapping_whose_entries_are_not_written_says_so(void **state)
{
	struct mm_fixture_config config = { .delay = true };
	struct mm_bo *bo;
	struct mm_vm *vm;

	mm_fixture_init(&f, &config);
	vm = mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_PAGE_SIZE);
	mm_fixture_map(vm, bo, VKF_GIB(1));
	mm_print_init(&p, text, sizeof(text));
	assert_int_equal(mm_dump_vm(f.a.mm, 0, &p), 0);
	assert_has("state updating");
	mm_fixture_run_all(&f);
	mm_print_init(&p, text, sizeof(text));
	assert_int_equal(mm_dump_vm(f.a.mm, 0, &p), 0);
	assert_has("state valid");
	mm_bo_put(bo);
	mm_fixture_run_all(&f);
	atomic_store(&f.delay, false);
	mm_fixture_fini(&f);
}

static struct mm_bo *take_vram(struct mm_client *client, uint64_t size)
{
	struct mm_bo_params params = { .kind = MM_BO_VRAM, .size = size };
	struct mm_bo *bo = NULL;

	assert_int_equal(mm_bo_create(client, f.dev[0], &params, &bo), 0);
	return bo;
}

/* The buffer moved to GTT for another client's; nobody has told the tables. */
static void a_mapping_of_an_evicted_buffer_is_stale_and_names_its_place(void **state)
{
	struct mm_fixture_config config = { .vram = VKF_MIB(32), .overcommit = true };
	struct mm_fixture_client b;
	struct mm_bo *bo, *other;
	struct mm_vm *vm;

	mm_fixture_init(&f, &config);
	assert_int_equal(mm_fixture_client_init(&f, &b), 0);
	vm = mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(16));
	mm_fixture_map(vm, bo, VKF_GIB(1));
	other = take_vram(b.mm, VKF_MIB(16));
	mm_print_init(&p, text, sizeof(text));
	assert_int_equal(mm_dump_vm(f.a.mm, 0, &p), 0);
	assert_has("kind VRAM, home 0, ");
	assert_has("state stale, pinned 0, place GTT, blocks [(offset 0x100000000, size 16 MiB)]");
	mm_print_init(&p, text, sizeof(text));
	mm_dump_client(f.a.mm, &p);
	assert_has("evicted: yes\n");
	mm_bo_put(other);
	mm_bo_put(bo);
	mm_fixture_client_fini(&b);
	mm_fixture_fini(&f);
}

static void a_vm_that_is_not_there_is_enoent(void **state)
{
	struct mm_fixture_config config = { .n_gpus = 2 };

	mm_fixture_init(&f, &config);
	mm_fixture_vm(&f, 1);
	mm_print_init(&p, text, sizeof(text));
	assert_int_equal(mm_dump_vm(f.a.mm, 0, &p), -ENOENT);
	assert_int_equal(mm_dump_vm(f.a.mm, 7, &p), -ENOENT);
	assert_string_equal(text, "");
	assert_int_equal(mm_dump_vm(f.a.mm, 1, &p), 0);
	mm_fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_tells_its_vms_and_buffers),
		cmocka_unit_test(the_machine_tells_its_limits),
		cmocka_unit_test(a_gpu_tells_its_limit_and_its_managers),
		cmocka_unit_test(a_vm_tells_each_mapping_and_its_tables),
		cmocka_unit_test(a_mapping_whose_entries_are_not_written_says_so),
		cmocka_unit_test(a_mapping_of_an_evicted_buffer_is_stale_and_names_its_place),
		cmocka_unit_test(a_vm_that_is_not_there_is_enoent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
