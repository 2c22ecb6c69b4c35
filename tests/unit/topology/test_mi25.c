/* SPDX-License-Identifier: MIT */
/* A Vega10 machine like the real one of the dump, which an older kernel wrote: what is the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macro.h"
#include "capture.h"
#include "machine/sysfs.h"

#define REAL_NODES DATA_DIR "/mi25x2/topology/nodes"
#define OUR_NODES "/sys/devices/virtual/kfd/kfd/topology/nodes"

/* The real node 1, as far as a machine file says it. */
static const char machine_text[] =
	"{ \"name\": \"mi25\","
	"  \"sockets\": [ { \"cores\": 20, \"ram\": 67155521536, \"clock_mhz\": 3200,"
	"                   \"mem_clock_mhz\": 2666, \"mem_width_bits\": 64 } ],"
	"  \"gpus\": [ { \"asic\": \"vega10\", \"device\": \"0x6860\", \"pci\": \"0000:19:00.0\","
	"               \"vram\": 17163091968, \"clock_mhz\": 1500, \"fw_version\": 392,"
	"               \"sdma_fw_version\": 421, \"unique_id\": \"14073402507705256556\" } ] }";

static struct capture ours;

static char *read_real(const char *name)
{
	char path[512];
	size_t len = 0;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", REAL_NODES, name);
	text = capture_read_file(path, &len);
	if (!text)
		fail_msg("cannot read %s", path);
	return text;
}

static const char *our_text(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", OUR_NODES, name);
	return capture_text(&ours, path);
}

/* Keys whose meaning, or value for this chip, has changed since. */
static bool has_changed(const char *line)
{
	static const char *const keys[] = { "caches_count ", "local_mem_size ", "capability " };

	for (size_t i = 0; i < VKF_ARRAY_SIZE(keys); i++)
		if (!strncmp(line, keys[i], strlen(keys[i])))
			return true;
	return false;
}

/* Every other line of the real file is in ours, and in the same order. */
static void check_properties(const char *name, unsigned int expected)
{
	char *real = read_real(name), *save = NULL;
	const char *at = our_text(name);
	unsigned int n = 0;

	for (char *line = strtok_r(real, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char whole[128];

		if (has_changed(line))
			continue;
		snprintf(whole, sizeof(whole), "%s\n", line);
		at = strstr(at, whole);
		if (!at)
			fail_msg("%s: \"%s\" is missing or out of order", name, line);
		n++;
	}
	free(real);
	assert_int_equal(n, expected);
}

static void node_properties_agree(void **state)
{
	check_properties("0/properties", 21 - 1);
	check_properties("1/properties", 27 - 3);
}

static void memory_banks_are_the_same_to_the_letter(void **state)
{
	static const char *const names[] = { "0/mem_banks/0/properties",
					     "1/mem_banks/0/properties" };

	for (size_t i = 0; i < VKF_ARRAY_SIZE(names); i++) {
		char *real = read_real(names[i]);

		assert_string_equal(our_text(names[i]), real);
		free(real);
	}
}

/* "key " of each line: the values are another test's. */
static void keep_keys(const char *text, char *keys, size_t len)
{
	size_t n = 0;

	while (*text && n + 1 < len) {
		size_t key = strcspn(text, " ");

		n += (size_t)snprintf(keys + n, len - n, "%.*s ", (int)key, text);
		text = strchr(text, '\n') + 1;
	}
}

static void cache_files_have_the_same_keys_in_the_same_order(void **state)
{
	char *real = read_real("1/caches/0/properties"), theirs[512], mine[512];

	keep_keys(real, theirs, sizeof(theirs));
	keep_keys(our_text("1/caches/0/properties"), mine, sizeof(mine));
	assert_string_equal(mine, theirs);
	free(real);
}

/* The line of @key in @text, as a string of its own. */
static void line_of(const char *text, const char *key, char *line, size_t len)
{
	const char *at = strstr(text, key);

	assert_non_null(at);
	snprintf(line, len, "%.*s", (int)strcspn(at, "\n"), at);
}

static void vector_caches_are_numbered_and_sized_alike(void **state)
{
	static const char *const keys[] = { "processor_id_low ", "level ", "size ", "type " };

	for (unsigned int i = 0; i < 64; i++) {
		char name[64], *real;

		snprintf(name, sizeof(name), "1/caches/%u/properties", i);
		real = read_real(name);
		for (size_t k = 0; k < VKF_ARRAY_SIZE(keys); k++) {
			char theirs[64], mine[64];

			line_of(real, keys[k], theirs, sizeof(theirs));
			line_of(our_text(name), keys[k], mine, sizeof(mine));
			assert_string_equal(mine, theirs);
		}
		/* Only the length of the map has changed. */
		assert_non_null(strstr(real, "\nsibling_map 1,0,0,"));
		assert_non_null(strstr(our_text(name), "\nsibling_map 1,0,0,"));
		free(real);
	}
}

static int setup(void **state)
{
	static struct machine_profile m;
	char err[256];

	capture_init(&ours);
	if (machine_profile_load(machine_text, strlen(machine_text), NULL, 0, &m, err, sizeof(err)))
		fail_msg("%s", err);
	return machine_sysfs_build(&m, &ours.sink);
}

static int teardown(void **state)
{
	capture_fini(&ours);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_properties_agree),
		cmocka_unit_test(memory_banks_are_the_same_to_the_letter),
		cmocka_unit_test(cache_files_have_the_same_keys_in_the_same_order),
		cmocka_unit_test(vector_caches_are_numbered_and_sized_alike),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
