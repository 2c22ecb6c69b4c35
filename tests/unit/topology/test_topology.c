/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/env.h"
#include "capture.h"

static struct topology *one_gpu(void)
{
	struct topology *t = vkf_zalloc(sizeof(*t));

	assert_non_null(t);
	t->n_nodes = 2;
	t->generation_id = 2;
	t->nodes[0].n_banks = 1;
	strcpy(t->nodes[1].name, "chip");
	t->nodes[1].gpu_id = 77;
	t->nodes[1].n_banks = 1;
	t->nodes[1].n_caches = 1;
	t->nodes[1].caches = vkf_calloc(1, sizeof(struct topology_cache));
	assert_non_null(t->nodes[1].caches);
	t->nodes[1].caches[0] =
		(struct topology_cache){ .level = 1, .n_sibling_bytes = 4, .sibling_map = { 5 } };
	t->nodes[1].n_io_links = 1;
	t->nodes[1].io_links[0] = (struct topology_link){ .type = 2, .node_from = 1 };
	return t;
}

static void a_cpu_node_has_an_empty_name_and_no_gpu_keys(void **state)
{
	struct topology *t = one_gpu();
	struct capture c;

	capture_init(&c);
	assert_int_equal(topology_write(t, "/t", &c.sink), 0);
	assert_string_equal(capture_text(&c, "/t/nodes/0/name"), "\n");
	assert_string_equal(capture_text(&c, "/t/nodes/0/gpu_id"), "0\n");
	assert_null(strstr(capture_text(&c, "/t/nodes/0/properties"), "capability"));
	assert_string_equal(capture_text(&c, "/t/nodes/1/name"), "chip\n");
	assert_string_equal(capture_text(&c, "/t/nodes/1/gpu_id"), "77\n");
	assert_non_null(strstr(capture_text(&c, "/t/nodes/1/properties"), "\ncapability 0\n"));
	assert_string_equal(capture_text(&c, "/t/generation_id"), "2\n");
	capture_fini(&c);
	topology_free(t);
}

static void directories_without_entries_exist_all_the_same(void **state)
{
	struct topology *t = one_gpu();
	struct capture c;

	capture_init(&c);
	assert_int_equal(topology_write(t, "/t", &c.sink), 0);
	assert_true(capture_exists(&c, "/t/nodes/0/caches"));
	assert_true(capture_exists(&c, "/t/nodes/0/io_links"));
	assert_true(capture_exists(&c, "/t/nodes/0/p2p_links"));
	assert_true(capture_exists(&c, "/t/nodes/1/perf"));
	capture_fini(&c);
	topology_free(t);
}

static void a_sibling_map_is_every_bit_lowest_first(void **state)
{
	struct topology *t = one_gpu();
	const char *map;
	struct capture c;

	capture_init(&c);
	assert_int_equal(topology_write(t, "/t", &c.sink), 0);
	map = strstr(capture_text(&c, "/t/nodes/1/caches/0/properties"), "sibling_map ");
	assert_string_equal(map, "sibling_map 1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,"
				 "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n");
	capture_fini(&c);
	topology_free(t);
}

static void what_the_sink_returns_ends_the_writing(void **state)
{
	struct topology *t = one_gpu();
	size_t refused = 0;

	for (size_t at = 1; at < 100; at++) {
		struct capture c;
		int e;

		capture_init(&c);
		c.fail_at = at;
		e = topology_write(t, "/t", &c.sink);
		if (e) {
			assert_int_equal(e, -EIO);
			assert_int_equal(c.n, at - 1);
			refused++;
		}
		capture_fini(&c);
	}
	/* 2 files of the system, 5 directories and 3 files a node, 2 banks, a cache, a link. */
	assert_int_equal(refused, 2 + 2 * 8 + 2 + 2);
	topology_free(t);
}

static void freeing_nothing_is_fine(void **state)
{
	topology_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cpu_node_has_an_empty_name_and_no_gpu_keys),
		cmocka_unit_test(directories_without_entries_exist_all_the_same),
		cmocka_unit_test(a_sibling_map_is_every_bit_lowest_first),
		cmocka_unit_test(what_the_sink_returns_ends_the_writing),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
