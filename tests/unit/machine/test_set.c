/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture.h"
#include "machine/fields.h"
#include "mm/evict.h"

static struct machine_profile m;
static char err[256];
static char *text;
static size_t text_len;

static int load(const char *const *sets, size_t n)
{
	return machine_profile_load(text, text_len, sets, n, &m, err, sizeof(err));
}

#define LOAD(...)                                                                                  \
	load((const char *const[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ }) /       \
							   sizeof(char *))

static void a_gpu_key_is_for_all_unless_it_has_a_number(void **state)
{
	assert_int_equal(LOAD("gpu.vram=1GiB", "gpu.1.vram=512MiB"), 0);
	assert_int_equal(m.gpus[0].vram, VKF_GIB(1));
	assert_int_equal(m.gpus[1].vram, VKF_MIB(512));
}

static void overrides_apply_in_order(void **state)
{
	assert_int_equal(LOAD("gpu.1.vram=512MiB", "gpu.vram=1GiB"), 0);
	assert_int_equal(m.gpus[1].vram, VKF_GIB(1));
}

static void a_large_bar_follows_vram(void **state)
{
	assert_int_equal(LOAD("gpu.vram=1GiB"), 0);
	assert_int_equal(m.gpus[0].visible_vram, VKF_GIB(1));
	assert_int_equal(m.gpus[0].bar_bytes, VKF_GIB(1));
	assert_int_equal(LOAD("gpu.vram=96GiB"), 0);
	assert_int_equal(m.gpus[0].visible_vram, VKF_GIB(96));
	assert_int_equal(m.gpus[0].bar_bytes, VKF_GIB(128));
}

static void a_small_bar_stays_but_is_never_more_than_vram(void **state)
{
	assert_int_equal(LOAD("gpu.visible_vram=256MiB", "gpu.vram=1GiB"), 0);
	assert_int_equal(m.gpus[0].visible_vram, VKF_MIB(256));
	assert_int_equal(LOAD("gpu.visible_vram=256MiB", "gpu.vram=64MiB"), 0);
	assert_int_equal(m.gpus[0].visible_vram, VKF_MIB(64));
}

static void every_kind_of_knob_can_be_set(void **state)
{
	assert_int_equal(LOAD("gpu.p2p=false", "gpu.0.atomics=off", "socket.ram=16GiB",
			      "socket.0.cores=2", "kfd.map=transactional", "engine=none",
			      "limit.system=1GiB", "limit.ttm=2GiB", "seed=0x2a", "gpu.pcie_speed=2.5",
			      "kfd.max_queues=12", "socket_distance=21",
			      "policy.vram_limit=overcommit", "quota.buffers=1", "quota.mappings=2",
			      "quota.files=3", "quota.exports=4"), 0);
	assert_false(m.gpus[0].p2p || m.gpus[1].p2p);
	assert_false(m.gpus[0].pcie_atomics);
	assert_true(m.gpus[1].pcie_atomics);
	assert_int_equal(m.sockets[0].ram, VKF_GIB(16));
	assert_int_equal(m.sockets[0].cores, 2);
	assert_true(m.knobs.map_transactional);
	assert_string_equal(m.knobs.engine, "none");
	assert_int_equal(m.knobs.system_limit, VKF_GIB(1));
	assert_int_equal(m.knobs.ttm_limit, VKF_GIB(2));
	assert_int_equal(m.knobs.seed, 42);
	assert_int_equal(m.gpus[1].pcie_gts_x10, 25);
	assert_int_equal(m.knobs.max_queues, 12);
	assert_int_equal(m.socket_distance, 21);
	assert_int_equal(m.knobs.vram_limit, MACHINE_VRAM_OVERCOMMIT);
	for (unsigned int i = 0; i < MACHINE_N_QUOTAS; i++)
		assert_int_equal(m.knobs.quota[i], i + 1);
	assert_int_equal(LOAD("policy.vram_limit=overcommit", "policy.vram_limit=kernel"), 0);
	assert_int_equal(m.knobs.vram_limit, MACHINE_VRAM_KERNEL);
}

static void every_eviction_policy_has_its_word(void **state)
{
	for (enum mm_evict_policy p = 0; p < MM_EVICT_POLICIES; p++) {
		char set[64];

		snprintf(set, sizeof(set), "policy.evict=%s", mm_evict_policy_name(p));
		assert_int_equal(LOAD(set), 0);
		assert_int_equal(m.knobs.evict, p);
	}
}

static void a_fault_becomes_a_spec(void **state)
{
	assert_int_equal(LOAD("fault.map.gpu=1"), 0);
	assert_int_equal(m.knobs.n_faults, 1);
	assert_string_equal(m.knobs.faults[0], "mm.map:arg=1");
	assert_int_equal(LOAD("fault.kfd.queue_create.errno=EIO"), 0);
	assert_string_equal(m.knobs.faults[0], "kfd.queue_create:errno=EIO");
}

static void keys_of_one_fault_point_are_joined(void **state)
{
	assert_int_equal(LOAD("fault.map.gpu=1", "fault.alloc.after=2", "fault.map.after=3",
			      "fault.mm.map.count=4"), 0);
	assert_int_equal(m.knobs.n_faults, 2);
	assert_string_equal(m.knobs.faults[0], "mm.map:arg=1,after=3,count=4");
	assert_string_equal(m.knobs.faults[1], "mm.alloc:after=2");
}

static void what_is_wrong_is_refused_with_a_line_that_says_where(void **state)
{
	static const struct {
		const char *set, *says;
	} refusals[] = {
		{ "", "expected key=value" },
		{ "gpu.vram", "expected key=value, got \"gpu.vram\"" },
		{ "=1", "expected key=value" },
		{ "gpu.vrma=1GiB", "unknown key \"gpu.vrma\"; did you mean \"gpu.vram\"?" },
		{ "gpu.1.vrma=1GiB", "did you mean \"gpu.vram\"?" },
		{ "gpus.vram=1GiB", "did you mean \"gpu.vram\"?" },
		{ "gpu.=1", "unknown key" },
		{ "gpu.1=1", "unknown key" },
		{ "gpu.1.=1", "unknown key" },
		{ "gpu.2.vram=1GiB", "gpu.2.vram: this machine has only numbers 0 to 1" },
		{ "gpu.99999999999999999999.vram=1GiB", "unknown key" },
		{ "gpu.asic=fiji", "unknown key" },
		{ "socket.1.cores=1", "numbers 0 to 0" },
		{ "gpu.vram=", "gpu.vram: expected a size" },
		{ "gpu.vram=lots", "gpu.vram: expected a size like \"64GiB\"" },
		{ "gpu.vram=4097", "gpu.vram: expected 32 to" },
		{ "gpu.p2p=maybe", "gpu.p2p: expected true or false" },
		{ "gpu.unique_id=7", "gpus[1]: has the unique_id of gpus[0]" },
		{ "gpu.pci=0000:01:00.0", "gpus[1]: has the PCI address of gpus[0]" },
		{ "gpu.product=a\nb", "gpu.product: expected at most 63 printable" },
		{ "engine=x", "engine: unknown value \"x\"; expected one of: process, thread, none" },
		{ "policy.vram_limit=0",
		  "policy.vram_limit: unknown value \"0\"; expected one of: kernel, overcommit" },
		{ "policy.evict=oldest", "expected one of: lru, longest-run, largest, none" },
		{ "quota.files=0", "quota.files: expected 1 to 16777216, got 0" },
		{ "quota.file=1", "did you mean \"quota.files\"?" },
		{ "kfd.mpa=kernel", "did you mean \"kfd.map\"?" },
		{ "sede=1", "did you mean \"seed\"?" },
		{ "seed=-1", "seed: expected a number" },
		{ "fault.map=1", "fault.map: expected fault.<point>.<key>" },
		{ "fault.map.gup=1", "unknown key" },
		{ "fault.map.gpu=", "expected a number for \"arg\"" },
		{ "fault.map.gpu=1,after=2", "expected one value" },
		{ "fault..gpu=1", "expected fault.<point>.<key>" },
		{ "fault.Map.gpu=1", "expected fault.<point>.<key>" },
	};

	for (size_t i = 0; i < VKF_ARRAY_SIZE(refusals); i++) {
		if (LOAD(refusals[i].set) != -EINVAL)
			fail_msg("accepted: %s", refusals[i].set);
		if (!strstr(err, refusals[i].says) || strchr(err, '\n'))
			fail_msg("%s\ncomplaint: %s\nexpected: %s", refusals[i].set, err,
				 refusals[i].says);
	}
}

static void too_many_faults_are_refused(void **state)
{
	const char *sets[17];
	char buf[17][32];

	for (int i = 0; i < 17; i++) {
		snprintf(buf[i], sizeof(buf[i]), "fault.p%d.gpu=1", i);
		sets[i] = buf[i];
	}
	assert_int_equal(load(sets, 16), 0);
	assert_int_equal(m.knobs.n_faults, 16);
	assert_int_equal(load(sets, 17), -EINVAL);
	assert_non_null(strstr(err, "at most 16 faults"));
}

static bool is_listed(const char *prefix, const char *key)
{
	char whole[96];

	snprintf(whole, sizeof(whole), "%s%s", prefix, key);
	for (size_t i = 0; machine_set_keys[i]; i++)
		if (!strcmp(machine_set_keys[i], whole))
			return true;
	return false;
}

static void the_list_of_keys_is_what_is_accepted(void **state)
{
	static const struct {
		const struct machine_field *table;
		const char *prefix;
	} tables[] = { { machine_gpu_fields, "gpu." },
		       { machine_socket_fields, "socket." },
		       { machine_knob_fields, "" } };
	size_t n = 0, listed = 0;

	for (size_t t = 0; t < VKF_ARRAY_SIZE(tables); t++) {
		for (const struct machine_field *f = tables[t].table; f->key; f++, n++)
			if (!is_listed(tables[t].prefix, f->key))
				fail_msg("%s%s is not listed", tables[t].prefix, f->key);
	}
	while (machine_set_keys[listed])
		listed++;
	/* And the fault points. */
	assert_int_equal(listed, n + 1);
}

/* In vkfd-machine(5) a GPU's key is listed without "gpu.", a knob as it is. */
static void every_key_is_in_the_manual(void **state)
{
	char *manual = capture_read_file(MANUAL, &(size_t){ 0 }), *overrides;

	assert_non_null(manual);
	overrides = strstr(manual, "\n# OVERRIDES\n");
	assert_non_null(overrides);
	*strstr(overrides, "\n# MACHINES\n") = '\0';
	for (size_t i = 0; machine_set_keys[i]; i++) {
		const char *key = machine_set_keys[i];
		char bold[96];

		if (strchr(key, '<'))
			continue;
		if (!strncmp(key, "gpu.", 4) || !strncmp(key, "socket.", 7))
			key = strchr(key, '.') + 1;
		snprintf(bold, sizeof(bold), "*%s*", key);
		if (!strstr(overrides, bold))
			fail_msg("%s is not in vkfd-machine(5)", machine_set_keys[i]);
	}
	free(manual);
}

static int setup(void **state)
{
	text = capture_read_file(MACHINES_DIR "/mi210x2.json", &text_len);
	return text ? 0 : -1;
}

static int teardown(void **state)
{
	free(text);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gpu_key_is_for_all_unless_it_has_a_number),
		cmocka_unit_test(overrides_apply_in_order),
		cmocka_unit_test(a_large_bar_follows_vram),
		cmocka_unit_test(a_small_bar_stays_but_is_never_more_than_vram),
		cmocka_unit_test(every_kind_of_knob_can_be_set),
		cmocka_unit_test(every_eviction_policy_has_its_word),
		cmocka_unit_test(a_fault_becomes_a_spec),
		cmocka_unit_test(keys_of_one_fault_point_are_joined),
		cmocka_unit_test(what_is_wrong_is_refused_with_a_line_that_says_where),
		cmocka_unit_test(too_many_faults_are_refused),
		cmocka_unit_test(the_list_of_keys_is_what_is_accepted),
		cmocka_unit_test(every_key_is_in_the_manual),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
