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

/* The same description for both. */
static void describe(struct mm_print *p)
{
	mm_print_u64(p, "count", 3);
	mm_print_object(p, "some_thing");
	mm_print_bytes(p, "size", VKF_MIB(3));
	mm_print_addr(p, "at", 0x1000);
	mm_print_row(p, "flags");
	mm_print_bool(p, "write", true);
	mm_print_bool(p, "exec", false);
	mm_print_row(p, "inner");
	mm_print_u64(p, "a", 1);
	mm_print_u64(p, "b", 2);
	mm_print_end(p);
	mm_print_list(p, "blocks");
	mm_print_u64(p, NULL, 7);
	mm_print_u64(p, NULL, 8);
	mm_print_end(p);
	mm_print_end(p);
	mm_print_end(p);
	mm_print_list(p, "rows");
	for (unsigned int i = 0; i < 2; i++) {
		mm_print_row(p, NULL);
		mm_print_u64(p, "i", i);
		mm_print_str(p, "name", "x");
		mm_print_end(p);
	}
	mm_print_end(p);
	mm_print_list(p, "objects");
	mm_print_object(p, NULL);
	mm_print_u64(p, "v", 1);
	mm_print_end(p);
	mm_print_end(p);
	mm_print_list(p, "none");
	mm_print_end(p);
	mm_print_u64(p, "last", UINT64_MAX);
	mm_print_finish(p);
}

static void one_description_is_text(void **state)
{
	struct mm_print p;
	char all[1000];

	mm_print_init(&p, all, sizeof(all));
	describe(&p);
	assert_string_equal(all, "count: 3\n"
				 "some thing:\n"
				 "  size: 3 MiB\n"
				 "  at: 0x1000\n"
				 "  flags: write yes, exec no, inner (a 1, b 2), blocks [7, 8]\n"
				 "rows:\n"
				 "  i 0, name x\n"
				 "  i 1, name x\n"
				 "objects:\n"
				 "    v: 1\n"
				 "none:\n"
				 "last: 18446744073709551615\n");
}

static void and_json(void **state)
{
	struct mm_print p;
	char all[1000];

	mm_print_init_json(&p, all, sizeof(all));
	describe(&p);
	assert_string_equal(all,
			    "{\n"
			    "  \"count\": 3,\n"
			    "  \"some_thing\": {\n"
			    "    \"size\": 3145728,\n"
			    "    \"at\": 4096,\n"
			    "    \"flags\": {\"write\": true, \"exec\": false, "
			    "\"inner\": {\"a\": 1, \"b\": 2}, \"blocks\": [7, 8]}\n"
			    "  },\n"
			    "  \"rows\": [\n"
			    "    {\"i\": 0, \"name\": \"x\"},\n"
			    "    {\"i\": 1, \"name\": \"x\"}\n"
			    "  ],\n"
			    "  \"objects\": [\n"
			    "    {\n      \"v\": 1\n    }\n"
			    "  ],\n"
			    "  \"none\": [],\n"
			    "  \"last\": 18446744073709551615\n"
			    "}\n");
}

static void sizes_are_in_the_largest_unit_that_is_exact(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "v: 0 B\n" },	      { 1023, "v: 1023 B\n" },
		{ 1024, "v: 1 KiB\n" },	      { 1025, "v: 1025 B\n" },
		{ VKF_MIB(5), "v: 5 MiB\n" }, { VKF_GIB(3) + 1024, "v: 3145729 KiB\n" },
		{ VKF_GIB(64), "v: 64 GiB\n" }, { VKF_GIB(4096), "v: 4 TiB\n" },
		{ UINT64_C(1) << 63, "v: 8388608 TiB\n" },
	};

	for (unsigned int i = 0; i < VKF_ARRAY_SIZE(cases); i++) {
		struct mm_print p;

		mm_print_init(&p, text, sizeof(text));
		mm_print_bytes(&p, "v", cases[i].bytes);
		assert_string_equal(text, cases[i].text);
	}
}

static void a_string_of_any_bytes_keeps_the_json_whole(void **state)
{
	struct mm_print p;

	mm_print_init_json(&p, text, sizeof(text));
	mm_print_str(&p, "s", "a\"b\\c\n\x01\xff~");
	mm_print_finish(&p);
	assert_string_equal(text, "{\n  \"s\": \"a\\\"b\\\\c\?\?\?~\"\n}\n");
}

static void what_is_left_open_dies(void **state)
{
#ifdef VKFD_DEBUG
	struct mm_print p;

	mm_print_init_json(&p, text, sizeof(text));
	EXPECT_PANIC("depth", mm_print_end(&p));
	mm_print_object(&p, "o");
	EXPECT_PANIC("depth", mm_print_finish(&p));
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_what_it_says_it_does),
		cmocka_unit_test(leaves_out_what_does_not_fit_and_counts_it),
		cmocka_unit_test(a_buffer_of_one_holds_nothing_but_the_end),
		cmocka_unit_test(one_description_is_text),
		cmocka_unit_test(and_json),
		cmocka_unit_test(sizes_are_in_the_largest_unit_that_is_exact),
		cmocka_unit_test(a_string_of_any_bytes_keeps_the_json_whole),
		cmocka_unit_test(what_is_left_open_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
