/* SPDX-License-Identifier: MIT */
#include "mm_fixture.h"

#include "mm/print.h"

static char text[64];

static void formats_what_it_says_it_does(void **state)
{
	struct mm_print p;

	mm_print_init(&p, text, sizeof(text));
	mm_print(&p, "%s=%u %x%% ", "a", 4294967295u, 0xbeefu);
	mm_print(&p, "%" PRIu64 " %" PRIx64, UINT64_MAX, UINT64_C(0));
	assert_string_equal(text, "a=4294967295 beef% 18446744073709551615 0");
	assert_int_equal(p.used, strlen(text));
}

static void leaves_out_what_does_not_fit_and_counts_it(void **state)
{
	struct mm_print p;

	memset(text, 'x', sizeof(text));
	mm_print_init(&p, text, 5);
	mm_print(&p, "%s", "123");
	mm_print(&p, "%u", 4567u);
	assert_string_equal(text, "1234");
	assert_int_equal(p.used, 7);
	assert_int_equal(text[5], 'x');
}

static void a_buffer_of_one_holds_nothing_but_the_end(void **state)
{
	struct mm_print p;

	text[1] = 'x';
	mm_print_init(&p, text, 1);
	mm_print(&p, "abc");
	assert_string_equal(text, "");
	assert_int_equal(text[1], 'x');
}

static void a_client_and_its_machine_print_themselves(void **state)
{
	struct mm_fixture f;
	struct mm_print p;
	struct mm_bo *bo;
	struct mm_vm *vm;
	char all[2000];

	mm_fixture_init(&f, NULL);
	vm = mm_fixture_vm(&f, 0);
	bo = mm_fixture_bo(&f, MM_BO_GTT, VKF_MIB(3));
	mm_fixture_map(vm, bo, VKF_GIB(1));
	mm_print_init(&p, all, sizeof(all));
	mm_client_print(f.a.mm, &p);
	assert_string_equal(all,
			    "VM on GPU 0: 1 mappings, 4 page tables\nGTT: 1 buffers, 3072 KiB\n"
			    "arena: 3072 of 1073741824 KiB\n");
	mm_print_init(&p, all, sizeof(all));
	mm_system_print(f.system, &p);
	assert_string_equal(all, "system memory: 3072 of 64487424 KiB, TTM 3072 of 33554432 KiB\n"
				 "bus addresses: from 0x100000000, 3072 of 67108864 KiB\n");
	mm_print_init(&p, all, sizeof(all));
	mm_device_print(f.dev[0], &p);
	assert_non_null(
		strstr(all, "GPU 0: 4 page tables\nVRAM: 16 of 262144 KiB in 4, 0 evictable\n"));
	assert_non_null(strstr(all, "GTT: 3072 of 33554432 KiB in 1, 1 evictable\n"));
	mm_bo_put(bo);
	mm_fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_what_it_says_it_does),
		cmocka_unit_test(leaves_out_what_does_not_fit_and_counts_it),
		cmocka_unit_test(a_buffer_of_one_holds_nothing_but_the_end),
		cmocka_unit_test(a_client_and_its_machine_print_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
