/* SPDX-License-Identifier: MIT */
#include <errno.h>
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

static const char *const machines[] = { "fiji",	  "mi100x4", "mi210x2", "mi210x8",
					"mi250x", "vega20",  "vega10-smallbar" };

static struct capture c; /* of mi210x2 */

#define GPU0_DIR "/sys/devices/pci0000:03/0000:03:00.0"

/* What a relative link means, as a path of the same tree. */
static void resolve(const char *path, const char *target, char *out, size_t len)
{
	size_t n = (size_t)snprintf(out, len, "%.*s", (int)(strrchr(path, '/') - path), path);

	while (*target) {
		size_t part = strcspn(target, "/");

		if (part == 2 && !strncmp(target, "..", 2)) {
			if (!n)
				fail_msg("%s leaves the tree", path);
			n = (size_t)(strrchr(out, '/') - out);
			out[n] = '\0';
		} else {
			n += (size_t)snprintf(out + n, len - n, "/%.*s", (int)part, target);
		}
		target += part + (target[part] == '/');
	}
}

static void every_link_is_relative_and_leads_to_something(void **state)
{
	for (size_t i = 0; i < VKF_ARRAY_SIZE(machines); i++) {
		struct capture tree;
		size_t links = 0;

		capture_machine(machines[i], NULL, 0, &tree);
		for (size_t e = 0; e < tree.n; e++) {
			char where[512];

			if (tree.entries[e].kind != CAPTURE_LINK)
				continue;
			links++;
			assert_int_not_equal(tree.entries[e].text[0], '/');
			resolve(tree.entries[e].path, tree.entries[e].text, where, sizeof(where));
			if (!capture_exists(&tree, where))
				fail_msg("%s: %s -> %s leads nowhere", machines[i],
					 tree.entries[e].path, where);
		}
		assert_true(links > 10);
		capture_fini(&tree);
	}
}

static void every_topology_file_fits_the_page_that_programs_read(void **state)
{
	for (size_t i = 0; i < VKF_ARRAY_SIZE(machines); i++) {
		struct capture tree;

		capture_machine(machines[i], NULL, 0, &tree);
		for (size_t e = 0; e < tree.n; e++)
			assert_true(tree.entries[e].len < 4096);
		capture_fini(&tree);
	}
}

static void counts_in_properties_are_the_entries_that_exist(void **state)
{
	static const struct {
		const char *key, *dir;
	} lists[] = { { "mem_banks_count", "mem_banks" }, { "caches_count", "caches" },
		      { "io_links_count", "io_links" },	  { "p2p_links_count", "p2p_links" } };
	const char *nodes = "/sys/devices/virtual/kfd/kfd/topology/nodes";

	for (unsigned int node = 0; node < 3; node++) {
		for (size_t l = 0; l < VKF_ARRAY_SIZE(lists); l++) {
			char path[256];
			unsigned int n = 0;
			uint64_t count;

			snprintf(path, sizeof(path), "%s/%u/properties", nodes, node);
			count = capture_prop(&c, path, lists[l].key);
			for (; n < 1000; n++) {
				snprintf(path, sizeof(path), "%s/%u/%s/%u/properties", nodes, node,
					 lists[l].dir, n);
				if (!capture_find(&c, path))
					break;
			}
			assert_int_equal(count, n);
		}
	}
}

static void devices_have_the_numbers_that_sysfs_tells(void **state)
{
	const struct capture_entry *dev = capture_find(&c, "/dev/kfd");

	assert_int_equal(dev->kind, CAPTURE_DEV);
	assert_int_equal(dev->major, MACHINE_KFD_MAJOR);
	assert_string_equal(capture_text(&c, "/sys/devices/virtual/kfd/kfd/dev"), "240:0\n");
	dev = capture_find(&c, "/dev/dri/renderD129");
	assert_int_equal(dev->major, 226);
	assert_int_equal(dev->minor, 129);
	assert_string_equal(capture_text(&c, GPU0_DIR "/drm/renderD128/dev"), "226:128\n");
	dev = capture_find(&c, "/dev/dri/card1");
	assert_int_equal(dev->minor, 1);
	assert_non_null(capture_find(&c, "/sys/dev/char/226:129"));
	assert_non_null(capture_find(&c, "/sys/class/drm/card1"));
}

/* libdrm takes the bus type from the last part, rocm-smi the address from the link itself. */
static void drm_finds_the_pci_device(void **state)
{
	assert_string_equal(capture_find(&c, GPU0_DIR "/subsystem")->text + 9, "bus/pci");
	assert_non_null(strstr(capture_text(&c, GPU0_DIR "/uevent"),
			       "\nPCI_SLOT_NAME=0000:03:00.0\n"));
	assert_string_equal(capture_find(&c, "/sys/class/drm/card0")->text,
			    "../../devices/pci0000:03/0000:03:00.0/drm/card0");
	assert_string_equal(capture_text(&c, GPU0_DIR "/vendor"), "0x1002\n");
	assert_string_equal(capture_text(&c, GPU0_DIR "/device"), "0x740f\n");
	assert_string_equal(capture_text(&c, GPU0_DIR "/subsystem_vendor"), "0x1002\n");
	assert_string_equal(capture_text(&c, GPU0_DIR "/subsystem_device"), "0x0c34\n");
	assert_string_equal(capture_text(&c, GPU0_DIR "/revision"), "0x02\n");
}

static void configuration_space_agrees_with_the_files(void **state)
{
	const struct capture_entry *e = capture_find(&c, GPU0_DIR "/config");
	const uint8_t *b = (const uint8_t *)e->text;
	uint64_t bar = (uint64_t)b[0x17] << 56 | (uint64_t)b[0x16] << 48 | (uint64_t)b[0x15] << 40 |
		       (uint64_t)b[0x14] << 32 | (uint64_t)b[0x13] << 24 | (b[0x10] & 0xf0u);
	struct machine_profile m;

	capture_load("mi210x2", NULL, 0, &m);
	assert_int_equal(e->len, 256);
	assert_int_equal(b[0] | b[1] << 8, 0x1002);
	assert_int_equal(b[2] | b[3] << 8, 0x740f);
	assert_int_equal(b[0xb], 3);
	assert_int_equal(b[0x2e] | b[0x2f] << 8, 0x0c34);
	assert_int_equal(b[0x10] & 0xf, 0xc);
	assert_int_equal(bar, m.gpus[0].bar_base);
	assert_int_equal(strtoull(capture_text(&c, GPU0_DIR "/resource"), NULL, 16), bar);
}

static void the_module_is_loaded(void **state)
{
	assert_string_equal(capture_text(&c, "/proc/modules"), "amdgpu 13000000 0 - Live 0x0\n");
	assert_string_equal(capture_text(&c, "/sys/module/amdgpu/initstate"), "live\n");
	assert_true(capture_exists(&c, "/sys/module/amdgpu/holders"));
	assert_string_equal(capture_text(&c, "/sys/module/amdgpu/parameters/noretry"), "-1\n");
}

static void the_gart_is_half_of_ram_unless_limited(void **state)
{
	static const char *const sets[] = { "limit.ttm=3GiB" };
	struct capture tree;

	assert_string_equal(capture_text(&c, GPU0_DIR "/mem_info_gtt_total"), "68719476736\n");
	capture_machine("mi210x2", sets, 1, &tree);
	assert_string_equal(capture_text(&tree, GPU0_DIR "/mem_info_gtt_total"), "3221225472\n");
	capture_fini(&tree);
}

static void live_files_tell_the_present_use_by_every_name(void **state)
{
	struct machine_usage usage = { .vram_used = { 1, 22 },
				       .visible_used = { 3, 44 },
				       .gtt_used = { 5, UINT64_MAX } };
	static const struct {
		const char *path, *text;
	} files[] = {
		{ GPU0_DIR "/mem_info_vram_used", "1\n" },
		{ "/sys/devices/pci0000:43/0000:43:00.0/mem_info_vram_used", "22\n" },
		{ "/sys/class/drm/card1/device/mem_info_vis_vram_used", "44\n" },
		{ "/sys/class/drm/renderD128/device/mem_info_gtt_used", "5\n" },
		{ "/sys/bus/pci/devices/0000:43:00.0/mem_info_gtt_used",
		  "18446744073709551615\n" },
	};
	struct machine_profile m;
	char buf[32];

	capture_load("mi210x2", NULL, 0, &m);
	for (size_t i = 0; i < VKF_ARRAY_SIZE(files); i++) {
		int n = machine_live_file(&m, &usage, files[i].path, buf, sizeof(buf));

		assert_int_equal(n, strlen(files[i].text));
		assert_memory_equal(buf, files[i].text, (size_t)n);
	}
}

static void every_live_entry_of_the_tree_can_be_read(void **state)
{
	static const struct machine_usage idle;
	struct machine_profile m;
	size_t n = 0;

	capture_load("mi210x2", NULL, 0, &m);
	for (size_t i = 0; i < c.n; i++) {
		char buf[32];

		if (c.entries[i].kind != CAPTURE_LIVE)
			continue;
		assert_int_equal(machine_live_file(&m, &idle, c.entries[i].path, buf, sizeof(buf)),
				 2);
		n++;
	}
	assert_int_equal(n, 6);
}

static void other_paths_and_short_buffers_are_refused(void **state)
{
	static const struct machine_usage idle;
	static const char *const others[] = { "", "/", GPU0_DIR, GPU0_DIR "/", GPU0_DIR "/vendor",
					      GPU0_DIR "/mem_info_vram_used/x",
					      "/sys/class/drm/card2/device/mem_info_vram_used",
					      "/sys/class/drm/card0/mem_info_vram_used" };
	struct machine_profile m;
	char buf[2];

	capture_load("mi210x2", NULL, 0, &m);
	for (size_t i = 0; i < VKF_ARRAY_SIZE(others); i++)
		assert_int_equal(machine_live_file(&m, &idle, others[i], buf, sizeof(buf)), -ENOENT);
	assert_int_equal(machine_live_file(&m, &idle, GPU0_DIR "/mem_info_vram_used", buf, 1),
			 -ENOSPC);
	assert_int_equal(machine_live_file(&m, &idle, GPU0_DIR "/mem_info_vram_used", buf, 2), 2);
}

static void what_the_sink_returns_ends_the_writing(void **state)
{
	struct machine_profile m;

	capture_load("vega20", NULL, 0, &m);
	for (size_t at = 1;; at += 7) {
		struct capture tree;
		int e;

		capture_init(&tree);
		tree.fail_at = at;
		e = machine_sysfs_build(&m, &tree.sink);
		if (e) {
			assert_int_equal(e, -EIO);
			assert_int_equal(tree.n, at - 1);
		}
		capture_fini(&tree);
		if (!e)
			break;
		assert_true(at < 2000);
	}
}

static int setup(void **state)
{
	capture_machine("mi210x2", NULL, 0, &c);
	return 0;
}

static int teardown(void **state)
{
	capture_fini(&c);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_is_relative_and_leads_to_something),
		cmocka_unit_test(every_topology_file_fits_the_page_that_programs_read),
		cmocka_unit_test(counts_in_properties_are_the_entries_that_exist),
		cmocka_unit_test(devices_have_the_numbers_that_sysfs_tells),
		cmocka_unit_test(drm_finds_the_pci_device),
		cmocka_unit_test(configuration_space_agrees_with_the_files),
		cmocka_unit_test(the_module_is_loaded),
		cmocka_unit_test(the_gart_is_half_of_ram_unless_limited),
		cmocka_unit_test(live_files_tell_the_present_use_by_every_name),
		cmocka_unit_test(every_live_entry_of_the_tree_can_be_read),
		cmocka_unit_test(other_paths_and_short_buffers_are_refused),
		cmocka_unit_test(what_the_sink_returns_ends_the_writing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
