/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/env.h"
#include "base/macro.h"
#include "capture.h"

static struct machine_profile m;
static char err[256];

static int load(const char *text)
{
	return machine_profile_load(text, strlen(text), NULL, 0, &m, err, sizeof(err));
}

#define SOCKET "\"sockets\": [ { \"cores\": 4, \"ram\": \"8GiB\" } ]"
#define GPU_REST "\"asic\": \"aldebaran\", \"device\": \"0x740f\""
#define GPU(pci, ...) "{ \"pci\": \"" pci "\", " GPU_REST ", \"vram\": \"1GiB\"" __VA_ARGS__ " }"
#define GPU0 GPU("0000:03:00.0")
#define GPU1 GPU("0000:04:00.0")
#define MACHINE(sockets, gpus, ...)                                                                \
	"{ \"name\": \"t\", " sockets ", \"gpus\": [ " gpus " ] " __VA_ARGS__ " }"

static void the_default_machine_is_what_its_file_says(void **state)
{
	const struct machine_gpu *g = m.gpus;

	capture_load("mi210x2", NULL, 0, &m);
	assert_string_equal(m.name, "mi210x2");
	assert_int_equal(m.n_sockets, 1);
	assert_int_equal(m.sockets[0].ram, VKF_GIB(128));
	assert_int_equal(m.n_gpus, 2);
	assert_string_equal(g[0].asic.name, "aldebaran");
	assert_string_equal(g[0].product, "AMD Instinct MI210");
	assert_int_equal(g[0].vendor_id, 0x1002);
	assert_int_equal(g[1].device_id, 0x740f);
	assert_int_equal(g[1].pci_bus, 0x43);
	assert_int_equal(g[1].vram, VKF_GIB(64));
	assert_int_equal(g[1].visible_vram, VKF_GIB(64));
	assert_int_equal(g[0].hive_id, 0);
	assert_int_equal(g[0].render_minor, 128);
	assert_int_equal(g[1].render_minor, 129);
	assert_int_equal(g[1].card_minor, 1);
	assert_string_equal(m.knobs.engine, "process");
	assert_false(m.knobs.map_transactional);
	assert_int_equal(m.knobs.vram_limit, MACHINE_VRAM_KERNEL);
}

static void an_entry_overrides_the_board_that_all_share(void **state)
{
	assert_int_equal(load(MACHINE(SOCKET, GPU0 ", { \"pci\": \"0000:04:00.0\" }",
				      ", \"board\": { " GPU_REST ", \"vram\": \"2GiB\", "
				      "\"cu_count\": 100 }")), 0);
	assert_int_equal(m.gpus[0].vram, VKF_GIB(1));
	assert_int_equal(m.gpus[1].vram, VKF_GIB(2));
	assert_int_equal(m.gpus[0].asic.cu_count, 100);
}

static void hives_join_the_gpus_they_name(void **state)
{
	assert_int_equal(load(MACHINE(SOCKET, GPU0 ", " GPU1,
				      ", \"hives\": [ { \"id\": \"0xfedcba9876543210\", "
				      "\"links\": 4, \"gpus\": [ 1, 0 ] } ]")), 0);
	assert_true(m.gpus[0].hive_id == UINT64_C(0xfedcba9876543210));
	assert_true(m.gpus[1].hive_id == m.gpus[0].hive_id);
	assert_int_equal(m.gpus[1].xgmi_links, 4);
}

static void driver_knobs_come_from_the_file(void **state)
{
	assert_int_equal(load(MACHINE(SOCKET, GPU0,
				      ", \"kfd\": { \"map\": \"transactional\", \"max_queues\": 7 }"
				      ", \"engine\": \"thread\", \"limit\": { \"ttm\": \"2MiB\" }"
				      ", \"policy\": { \"vram_limit\": \"overcommit\" }"
				      ", \"quota\": { \"buffers\": 7, \"exports\": \"0x10\" }"
				      ", \"faults\": [ \"mm.map:arg=1,errno=EIO\" ]"
				      ", \"seed\": \"0xffffffffffffffff\"")), 0);
	assert_true(m.knobs.map_transactional);
	assert_int_equal(m.knobs.max_queues, 7);
	assert_int_equal(m.knobs.vram_limit, MACHINE_VRAM_OVERCOMMIT);
	assert_int_equal(m.knobs.quota[MACHINE_QUOTA_BUFFERS], 7);
	assert_int_equal(m.knobs.quota[MACHINE_QUOTA_EXPORTS], 16);
	assert_int_equal(m.knobs.quota[MACHINE_QUOTA_FILES], 0);
	assert_string_equal(m.knobs.engine, "thread");
	assert_int_equal(m.knobs.ttm_limit, VKF_MIB(2));
	assert_int_equal(m.knobs.n_faults, 1);
	assert_string_equal(m.knobs.faults[0], "mm.map:arg=1,errno=EIO");
	assert_true(m.knobs.seed == UINT64_MAX);
}

static void any_page_multiple_of_vram_is_accepted(void **state)
{
	assert_int_equal(load(MACHINE(SOCKET, GPU("0000:03:00.0", ", \"visible_vram\": \"32MiB\"")
				      )), 0);
	assert_int_equal(load(MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", " GPU_REST
				      ", \"vram\": 33558528 }")), 0);
	assert_int_equal(m.gpus[0].vram, 33558528);
	assert_int_equal(m.gpus[0].bar_bytes, VKF_MIB(64));
}

static void apertures_lie_above_ram_aligned_and_apart(void **state)
{
	capture_load("mi210x8", NULL, 0, &m);
	for (unsigned int i = 0; i < m.n_gpus; i++) {
		const struct machine_gpu *g = &m.gpus[i];

		assert_true(g->bar_base >= VKF_GIB(512));
		assert_int_equal(g->bar_bytes, VKF_GIB(64));
		assert_true(VKF_IS_ALIGNED(g->bar_base, g->bar_bytes));
		for (unsigned int j = 0; j < i; j++)
			assert_true(m.gpus[j].bar_base + m.gpus[j].bar_bytes <= g->bar_base ||
				    g->bar_base + g->bar_bytes <= m.gpus[j].bar_base);
	}
}

static void an_aperture_given_in_the_file_is_kept_and_avoided(void **state)
{
	assert_int_equal(load(MACHINE(SOCKET, GPU0 ", "
				      GPU("0000:04:00.0", ", \"bar\": \"0x300000000\"") ", "
				      GPU("0000:05:00.0"))), 0);
	assert_int_equal(m.gpus[1].bar_base, 0x300000000);
	assert_int_equal(m.gpus[0].bar_base, 0x340000000);
	assert_int_equal(m.gpus[2].bar_base, 0x380000000);
}

static void save_areas_are_what_the_kernel_computes(void **state)
{
	capture_load("mi210x2", NULL, 0, &m);
	assert_int_equal(m.gpus[0].asic.eop_bytes, 4096);
	assert_int_equal(m.gpus[0].asic.ctl_stack_bytes, 0x9000);
	assert_int_equal(m.gpus[0].asic.cwsr_bytes, 0x9000 + 104 * 0x95000);
	capture_load("vega20", NULL, 0, &m);
	/* 60 CUs have 2400 waves; four engines could have 2048. */
	assert_int_equal(m.gpus[0].asic.ctl_stack_bytes, 0x5000);
	assert_int_equal(m.gpus[0].asic.cwsr_bytes, 0x5000 + 60 * 0x55000);
}

struct refusal {
	const char *text;
	const char *says; /* in the complaint */
};

static const struct refusal refusals[] = {
	/* JSON itself */
	{ "", "line 1, column 0" },
	{ "{", "line 1" },
	{ "[]", "expected an object" },
	{ "{ \"name\": \"a\", \"name\": \"b\" }", "duplicate" },
	{ "{ \"name\": \"a\\u0000b\" }", "line 1" },
	/* sections */
	{ "{}", "needs \"name\"" },
	{ "{ \"name\": \"t\" }", "needs \"sockets\"" },
	{ "{ \"nmae\": \"t\" }", "unknown key \"nmae\"; did you mean \"name\"?" },
	{ "{ \"name\": \"t\", " SOCKET " }", "needs \"gpus\"" },
	{ "{ \"name\": 3, " SOCKET ", \"gpus\": [" GPU0 "] }", "name: expected a string" },
	{ "{ \"name\": \"\", " SOCKET ", \"gpus\": [" GPU0 "] }", "name: must not be empty" },
	{ "{ \"name\": \"a\\nb\", " SOCKET ", \"gpus\": [" GPU0 "] }", "name: expected at most 63" },
	{ MACHINE("\"sockets\": []", GPU0), "sockets: expected a list of 1 to 8" },
	{ MACHINE("\"sockets\": {}", GPU0), "sockets: expected a list of 1 to 8" },
	{ MACHINE("\"sockets\": [ 1 ]", GPU0), "sockets[0]: expected an object" },
	{ MACHINE("\"sockets\": [ { \"cores\": 1 } ]", GPU0), "sockets[0]: needs" },
	{ MACHINE("\"sockets\": [ { \"core\": 1 } ]", GPU0), "did you mean \"cores\"?" },
	{ MACHINE("\"sockets\": [ { \"cores\": 0, \"ram\": \"1GiB\" } ]", GPU0),
	  "sockets[0].cores: expected 1 to 1024, got 0" },
	{ MACHINE("\"sockets\": [ { \"cores\": 1, \"ram\": 100000001 } ]", GPU0),
	  "sockets[0]: ram comes in 4 KiB pages" },
	{ MACHINE(SOCKET, ""), "gpus: expected a list of 1 to 16" },
	{ MACHINE(SOCKET, "7"), "gpus[0]: expected an object" },
	/* a GPU's keys */
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\" }"), "gpus[0].asic: expected the name" },
	{ MACHINE(SOCKET, "{ \"asic\": \"aldebran\" }"), "did you mean \"aldebaran\"?" },
	{ MACHINE(SOCKET, "{ \"asic\": \"zzzzzzzzzzzz\" }"),
	  "expected one of: aldebaran, arcturus, vega20, vega10, fiji" },
	{ MACHINE(SOCKET, "{ " GPU_REST ", \"vram\": \"1GiB\" }"), "gpus[0]: needs \"pci\"" },
	{ MACHINE(SOCKET, "{ \"asic\": \"fiji\", \"pci\": \"0000:03:00.0\" }"),
	  "gpus[0]: needs \"device\" and \"vram\"" },
	{ MACHINE(SOCKET, GPU0 ", " GPU("0000:04:00.0", ", \"vrma\": 1")),
	  "gpus[1]: unknown key \"vrma\"; did you mean \"vram\"?" },
	{ MACHINE(SOCKET, GPU("3:0.0")), "gpus[0].pci: expected a PCI address" },
	{ MACHINE(SOCKET, GPU("0000:03:20.0")), "gpus[0].pci: expected a PCI address" },
	{ MACHINE(SOCKET, GPU("0000:03:00.8")), "gpus[0].pci: expected a PCI address" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0x")), "gpus[0].pci: expected a PCI address" },
	{ MACHINE(SOCKET, GPU0, ", \"board\": { \"pci\": \"0000:01:00.0\" }"), "board.pci: " },
	{ MACHINE(SOCKET, GPU0, ", \"board\": 1"), "board: expected an object" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"vendor\": 65536")),
	  "gpus[0].vendor: expected 1 to 65535, got 65536" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"vendor\": -1")), "gpus[0].vendor: expected" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"vendor\": 1.5")),
	  "gpus[0].vendor: expected a number, got a fraction" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"p2p\": 1")),
	  "gpus[0].p2p: expected true or false, got a number" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"product\": null")),
	  "gpus[0].product: expected a string, got null" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"unique_id\": \"0x10000000000000000\"")),
	  "gpus[0].unique_id: expected a number" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"pcie_lanes\": 3")), "pcie_lanes: expected 1, 2" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"pcie_speed\": 3")), "pcie_speed: expected 2.5" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"pcie_speed\": 1e300")), "pcie_speed" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"socket\": 1")), "gpus[0]: socket: the machine" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"cu_count\": 113")),
	  "cu_count: aldebaran has 8 to 112, got 113" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"cu_count\": 7")), "has 8 to 112, got 7" },
	/* sizes */
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", " GPU_REST ", \"vram\": \"64XB\" }"),
	  "gpus[0].vram: expected a size like \"64GiB\"" },
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", " GPU_REST ", \"vram\": \"31MiB\" }"),
	  "gpus[0].vram: expected 32 to" },
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", " GPU_REST ", \"vram\": 67108865 }"),
	  "4 KiB pages" },
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", " GPU_REST ", \"vram\": \"32TiB\" }"),
	  "aldebaran has at most 16384 GiB" },
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", \"asic\": \"fiji\", \"device\": 1, "
			  "\"vram\": \"1TiB\" }"), "fiji has at most 512 GiB" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"visible_vram\": \"2GiB\"")), "is more than vram" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"visible_vram\": \"48MiB\"")), "power of two" },
	/* the machine as a whole */
	{ MACHINE(SOCKET, GPU0 ", " GPU0), "gpus[1]: has the PCI address of gpus[0]" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"unique_id\": 5") ", "
			  GPU("0000:04:00.0", ", \"unique_id\": 5")),
	  "gpus[1]: has the unique_id of gpus[0]" },
	{ MACHINE("\"sockets\": [ { \"cores\": 1, \"ram\": \"2TiB\" } ]",
		  "{ \"pci\": \"0000:03:00.0\", \"asic\": \"fiji\", \"device\": 1, "
		  "\"vram\": \"4GiB\" }"), "fiji reaches 40 bits" },
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", \"asic\": \"fiji\", \"device\": 1, "
			  "\"vram\": \"4GiB\", \"atomics\": false }"), "does not work without" },
	/* apertures */
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"bar\": \"0x300100000\"")),
	  "gpus[0].bar: must be a multiple of its size, 0x40000000" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"bar\": \"0x40000000\"")), "lies in RAM" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"bar\": \"0x1000000000000\"")), "above 48 bits" },
	{ MACHINE(SOCKET, GPU("0000:03:00.0", ", \"bar\": \"0x400000000\"") ", "
			  GPU("0000:04:00.0", ", \"bar\": \"0x400000000\"")),
	  "overlaps the one of gpus[1]" },
	/* hives */
	{ MACHINE(SOCKET, GPU0, ", \"hives\": [ { \"gpus\": [ 0 ] } ]"), "alone in its hive" },
	{ MACHINE(SOCKET, GPU0, ", \"hives\": [ { \"gpus\": [ 1 ] } ]"),
	  "hives[0].gpus: expected the number of a GPU, 0 to 0" },
	{ MACHINE(SOCKET, GPU0, ", \"hives\": [ { \"gpus\": [ \"0\" ] } ]"), "number of a GPU" },
	{ MACHINE(SOCKET, GPU0, ", \"hives\": [ { \"gpu\": [ 0 ] } ]"), "did you mean \"gpus\"?" },
	{ MACHINE(SOCKET, GPU0, ", \"hives\": [ 0 ]"), "hives[0]: expected an object" },
	{ MACHINE(SOCKET, GPU0, ", \"hives\": [ { } ]"), "hives[0].gpus: expected a list" },
	{ MACHINE(SOCKET, GPU0 ", " GPU1, ", \"hives\": [ { \"gpus\": [ 0, 0 ] } ]"),
	  "GPU 0 is in a hive already" },
	{ MACHINE(SOCKET, GPU0 ", " GPU1, ", \"hives\": [ { \"id\": 7, \"gpus\": [ 0 ] }, "
					  "{ \"id\": 7, \"gpus\": [ 1 ] } ]"),
	  "hives[1]: has the id of hives[0]" },
	{ MACHINE(SOCKET, GPU0 ", { \"pci\": \"0000:04:00.0\", \"asic\": \"arcturus\", "
			  "\"device\": 1, \"vram\": \"1GiB\" }",
		  ", \"hives\": [ { \"gpus\": [ 0, 1 ] } ]"), "another chip" },
	{ MACHINE(SOCKET, "{ \"pci\": \"0000:03:00.0\", \"asic\": \"vega10\", \"device\": 1, "
			  "\"vram\": \"1GiB\" }",
		  ", \"hives\": [ { \"gpus\": [ 0 ] } ]"), "vega10 has no XGMI" },
	/* the driver's knobs */
	{ MACHINE(SOCKET, GPU0, ", \"kfd\": { \"mpa\": \"kernel\" }"),
	  "kfd: unknown key \"mpa\"; did you mean \"map\"?" },
	{ MACHINE(SOCKET, GPU0, ", \"kfd\": { \"map\": \"transational\" }"),
	  "kfd.map: unknown value \"transational\"; did you mean \"transactional\"?" },
	{ MACHINE(SOCKET, GPU0, ", \"kfd\": 1"), "kfd: expected an object" },
	{ MACHINE(SOCKET, GPU0, ", \"engine\": \"proces\""), "did you mean \"process\"?" },
	{ MACHINE(SOCKET, GPU0, ", \"limit\": { \"system\": true }"), "limit.system: expected a size" },
	{ MACHINE(SOCKET, GPU0, ", \"policy\": { \"vram_limit\": 1 }"),
	  "policy.vram_limit: expected a string, got a number" },
	{ MACHINE(SOCKET, GPU0, ", \"policy\": { \"vram_limit\": \"kernle\" }"),
	  "policy.vram_limit: unknown value \"kernle\"; did you mean \"kernel\"?" },
	{ MACHINE(SOCKET, GPU0, ", \"policy\": { \"vram\": \"kernel\" }"), "unknown key" },
	{ MACHINE(SOCKET, GPU0, ", \"socket_distance\": 10"), "socket_distance: expected 11" },
	{ MACHINE(SOCKET, GPU0, ", \"faults\": [ 1 ]"), "faults[0]: expected a string" },
	{ MACHINE(SOCKET, GPU0, ", \"faults\": [ \"map\" ]"), "faults[0]: expected \"layer.step" },
	{ MACHINE(SOCKET, GPU0, ", \"faults\": [ \"mm.map:ar=1\" ]"), "did you mean \"arg\"?" },
	{ MACHINE(SOCKET, GPU0, ", \"faults\": [ \"mm.map:arg=x\" ]"), "expected a number for" },
	{ MACHINE(SOCKET, GPU0, ", \"faults\": [ \"mm.map:errno=5\" ]"), "expected a name like" },
	{ MACHINE(SOCKET, GPU0, ", \"faults\": [ \"mm.map:\" ]"), "faults[0]: unknown key" },
};

static void what_is_wrong_is_refused_with_a_line_that_says_where(void **state)
{
	for (size_t i = 0; i < VKF_ARRAY_SIZE(refusals); i++) {
		if (load(refusals[i].text) != -EINVAL)
			fail_msg("accepted: %s", refusals[i].text);
		if (!strstr(err, refusals[i].says) || strchr(err, '\n'))
			fail_msg("%s\ncomplaint: %s\nexpected: %s", refusals[i].text, err,
				 refusals[i].says);
	}
}

static void a_refusal_leaves_the_result_alone(void **state)
{
	static struct machine_profile before;

	memset(&m, 0x5a, sizeof(m));
	memcpy(&before, &m, sizeof(m));
	assert_int_equal(load(MACHINE(SOCKET, GPU0 ", " GPU0)), -EINVAL);
	assert_memory_equal(&m, &before, sizeof(m));
}

static void a_short_error_buffer_is_not_overrun(void **state)
{
	char small[8] = "1234567";

	assert_int_equal(machine_profile_load("{}", 2, NULL, 0, &m, small, 5), -EINVAL);
	assert_int_equal(strlen(small), 4);
	assert_string_equal(small + 5, "67");
	assert_int_equal(machine_profile_load("{}", 2, NULL, 0, &m, NULL, 0), -EINVAL);
}

static void *refuse_memory(size_t size)
{
	return NULL;
}

static void no_memory_is_enomem(void **state)
{
	static const struct vkf_env_ops ops = { .zalloc = refuse_memory, .free = free };

	vkf_env_set(&ops);
	assert_int_equal(load(MACHINE(SOCKET, GPU0)), -ENOMEM);
	vkf_env_set(NULL);
	assert_int_equal(load(MACHINE(SOCKET, GPU0)), 0);
}

static void sizes_have_binary_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "0", 0 }, { "4096", 4096 }, { "64GiB", VKF_GIB(64) }, { "64 GiB", VKF_GIB(64) },
		     { "1kib", 1024 }, { "3M", VKF_MIB(3) }, { "7B", 7 }, { "2TiB", VKF_GIB(2048) },
		     { "18446744073709551615", UINT64_MAX } };
	static const char *const bad[] = { "", "GiB", "-1", "1.5GiB", "64GB", "1GiBx", " 1", "0x10",
					   "18446744073709551616", "16777216TiB" };
	uint64_t bytes = 1;

	for (size_t i = 0; i < VKF_ARRAY_SIZE(good); i++) {
		assert_int_equal(machine_parse_size(good[i].text, &bytes), 0);
		assert_true(bytes == good[i].bytes);
	}
	bytes = 1;
	for (size_t i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		if (machine_parse_size(bad[i], &bytes) != -EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_int_equal(bytes, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_machine_is_what_its_file_says),
		cmocka_unit_test(an_entry_overrides_the_board_that_all_share),
		cmocka_unit_test(hives_join_the_gpus_they_name),
		cmocka_unit_test(driver_knobs_come_from_the_file),
		cmocka_unit_test(any_page_multiple_of_vram_is_accepted),
		cmocka_unit_test(apertures_lie_above_ram_aligned_and_apart),
		cmocka_unit_test(an_aperture_given_in_the_file_is_kept_and_avoided),
		cmocka_unit_test(save_areas_are_what_the_kernel_computes),
		cmocka_unit_test(what_is_wrong_is_refused_with_a_line_that_says_where),
		cmocka_unit_test(a_refusal_leaves_the_result_alone),
		cmocka_unit_test(a_short_error_buffer_is_not_overrun),
		cmocka_unit_test(no_memory_is_enomem),
		cmocka_unit_test(sizes_have_binary_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
