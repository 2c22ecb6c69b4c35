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
#include "machine/nodes.h"

static struct machine_profile m;

static struct topology *nodes_of(const char *name, const char *set)
{
	struct topology *t;

	capture_load(name, &set, set ? 1 : 0, &m);
	assert_int_equal(machine_nodes_create(&m, &t), 0);
	return t;
}

static const struct topology_link *link_to(const struct topology_link *links, unsigned int n,
					   unsigned int to)
{
	for (unsigned int i = 0; i < n; i++)
		if (links[i].node_to == to)
			return &links[i];
	return NULL;
}

static const struct topology_link *io_link(const struct topology *t, unsigned int from,
					   unsigned int to)
{
	return link_to(t->nodes[from].io_links, t->nodes[from].n_io_links, to);
}

static const struct topology_link *p2p_link(const struct topology *t, unsigned int from,
					    unsigned int to)
{
	return link_to(t->nodes[from].p2p_links, t->nodes[from].n_p2p_links, to);
}

static void a_small_bar_is_private_memory_without_a_link_from_the_cpu(void **state)
{
	struct topology *t = nodes_of("vega10-smallbar", NULL);

	assert_int_equal(t->nodes[1].banks[0].heap_type, 2);
	assert_int_equal(t->nodes[1].banks[0].size, VKF_GIB(8));
	assert_null(io_link(t, 0, 1));
	assert_non_null(io_link(t, 1, 0));
	/* Engines are recommended for pairs of links only. */
	assert_int_equal(io_link(t, 1, 0)->sdma_mask, 0);
	topology_free(t);
	t = nodes_of("vega10-smallbar", "gpu.visible_vram=8GiB");
	assert_int_equal(t->nodes[1].banks[0].heap_type, 1);
	assert_int_equal(io_link(t, 0, 1)->flags, 3);
	assert_int_equal(io_link(t, 1, 0)->sdma_mask, 3);
	topology_free(t);
}

static void without_pcie_atomics_the_way_out_says_so(void **state)
{
	struct topology *t = nodes_of("mi210x2", "gpu.0.atomics=false");

	assert_int_equal(io_link(t, 1, 0)->flags, 1 | 4 | 8);
	assert_int_equal(io_link(t, 0, 1)->flags, 1 | 2);
	assert_int_equal(io_link(t, 2, 0)->flags, 1);
	topology_free(t);
}

static void peers_on_one_socket_have_links_with_the_bandwidth_of_pcie(void **state)
{
	struct topology *t = nodes_of("mi210x2", NULL);
	const struct topology_link *new_to_old = p2p_link(t, 2, 1), *old_to_new = p2p_link(t, 1, 2);

	assert_non_null(new_to_old);
	assert_non_null(old_to_new);
	assert_int_equal(new_to_old->weight, 40);
	assert_int_equal(new_to_old->min_bandwidth, 312);
	assert_int_equal(new_to_old->max_bandwidth, 32000);
	assert_int_equal(new_to_old->flags, 3);
	assert_int_equal(old_to_new->flags, 3);
	/* Only the older GPU's engines were known when the links were made. */
	assert_int_equal(new_to_old->sdma_mask, 3);
	assert_int_equal(old_to_new->sdma_mask, 0);
	topology_free(t);
}

static void a_link_that_goes_one_way_only_stands_alone(void **state)
{
	struct topology *t = nodes_of("mi210x2", "gpu.1.visible_vram=256MiB");

	assert_null(p2p_link(t, 1, 2));
	assert_int_equal(p2p_link(t, 2, 1)->flags, 1);
	topology_free(t);
	/* The other way round nobody comes back to the older GPU's link: it is not even enabled. */
	t = nodes_of("mi210x2", "gpu.0.visible_vram=256MiB");
	assert_null(p2p_link(t, 2, 1));
	assert_int_equal(p2p_link(t, 1, 2)->flags, 0);
	topology_free(t);
}

static void gpus_that_may_not_talk_have_no_link(void **state)
{
	struct topology *t = nodes_of("mi210x2", "gpu.p2p=false");

	assert_int_equal(t->nodes[1].n_p2p_links, 0);
	assert_int_equal(t->nodes[2].n_p2p_links, 0);
	topology_free(t);
}

static void two_dies_of_a_board_have_four_links_between_them(void **state)
{
	struct topology *t = nodes_of("mi250x", NULL);

	assert_int_equal(io_link(t, 1, 2)->type, MACHINE_LINK_XGMI);
	assert_int_equal(io_link(t, 1, 2)->weight, 15);
	assert_int_equal(io_link(t, 1, 2)->min_bandwidth, 50000);
	assert_int_equal(io_link(t, 1, 2)->max_bandwidth, 200000);
	assert_int_equal(io_link(t, 2, 1)->sdma_mask, 0x1c);
	assert_int_equal(t->nodes[1].n_p2p_links, 0);
	topology_free(t);
}

/* The numbers of a real MI100, kernel of the 6.12 kind. */
static void an_mi100_has_what_a_real_one_has(void **state)
{
	struct topology *t = nodes_of("mi100x4", NULL);
	const struct topology_node *n = &t->nodes[1];

	assert_int_equal(n->simd_count, 480);
	assert_int_equal(n->n_caches, 217);
	assert_int_equal(n->simd_id_base, 2147487744u);
	assert_int_equal(n->max_waves_per_simd, 10);
	assert_int_equal(n->array_count, 8);
	assert_int_equal(n->cu_per_simd_array, 16);
	assert_int_equal(n->num_sdma_xgmi_engines, 6);
	assert_int_equal(n->capability, 749970048);
	assert_int_equal(n->debug_prop, 1494);
	assert_int_equal(n->fw_version, 65);
	/* The driver knows no XGMI bandwidth before Aldebaran. */
	assert_int_equal(io_link(t, 1, 2)->max_bandwidth, 0);
	assert_int_equal(io_link(t, 1, 2)->min_bandwidth, 0);
	assert_int_equal(io_link(t, 1, 2)->flags, 1);
	topology_free(t);
}

static void fiji_has_old_doorbells_and_no_debugger(void **state)
{
	struct topology *t = nodes_of("fiji", NULL);

	assert_int_equal(t->nodes[1].capability, 0x1280);
	assert_int_equal(t->nodes[1].debug_prop, 0);
	assert_int_equal(t->nodes[1].num_gws, 0);
	assert_int_equal(t->nodes[1].gfx_target_version, 80003);
	/* 64 vector caches, 16 and 16 of four CUs. */
	assert_int_equal(t->nodes[1].n_caches, 96);
	topology_free(t);
}

static void firmware_that_a_debugger_cannot_trust_is_not_promised(void **state)
{
	struct topology *t = nodes_of("mi210x2", "gpu.0.fw_version=50");

	assert_int_equal(t->nodes[1].capability >> 29 & 1, 0);
	assert_int_equal(t->nodes[2].capability >> 29 & 1, 1);
	topology_free(t);
}

static void what_the_driver_refuses_can_be_hidden(void **state)
{
	struct topology *t;

	capture_load("mi210x2", NULL, 0, &m);
	m.knobs.hidden_capability = 1u << 27;
	assert_int_equal(machine_nodes_create(&m, &t), 0);
	assert_int_equal(t->nodes[1].capability, 746037888 & ~(1u << 27));
	topology_free(t);
}

static void a_cache_starts_at_its_first_working_cu(void **state)
{
	struct topology *t = nodes_of("mi210x2", NULL);
	const struct topology_node *n = &t->nodes[1];
	const struct topology_cache *last_pair = &n->caches[104 + 6], *l2 = &n->caches[216];

	/* The next to last CU of each array of 14 is fused off: the last pair has its second only. */
	assert_int_equal(n->caches[12].processor_id_low, n->simd_id_base + 13);
	assert_int_equal(last_pair->processor_id_low, n->simd_id_base + 13);
	assert_int_equal(last_pair->sibling_map[0], 1);
	assert_int_equal(l2->level, 2);
	assert_int_equal(l2->size, 8192);
	assert_int_equal(l2->n_sibling_bytes, 32);
	assert_int_equal(l2->sibling_map[0], 0xff);
	assert_int_equal(l2->sibling_map[1], 0x2f);
	topology_free(t);
}

static void cores_and_memory_devices_are_counted_like_the_kernel_does(void **state)
{
	struct topology *t = nodes_of("mi210x8", NULL);

	assert_int_equal(t->generation_id, 9);
	assert_int_equal(t->nodes[1].cpu_core_id_base, 64);
	assert_int_equal(t->nodes[0].banks[0].width, 64);
	/* Memory devices are looked up for the first node only. */
	assert_int_equal(t->nodes[1].banks[0].width, 0);
	assert_int_equal(t->nodes[1].banks[0].mem_clk_max, 0);
	assert_int_equal(t->nodes[1].banks[0].size, VKF_GIB(256));
	topology_free(t);
}

static unsigned int allocations_left;

static void *count_down(size_t size)
{
	return allocations_left-- ? calloc(1, size) : NULL;
}

static void no_memory_is_enomem_and_leaks_nothing(void **state)
{
	static const struct vkf_env_ops ops = { .zalloc = count_down, .free = free };
	struct topology *t = NULL;

	capture_load("mi210x8", NULL, 0, &m);
	vkf_env_set(&ops);
	/* The topology, and the caches of eight GPUs. */
	for (unsigned int n = 0; n < 9; n++) {
		allocations_left = n;
		assert_int_equal(machine_nodes_create(&m, &t), -ENOMEM);
		assert_null(t);
	}
	allocations_left = 9;
	assert_int_equal(machine_nodes_create(&m, &t), 0);
	topology_free(t);
	vkf_env_set(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_bar_is_private_memory_without_a_link_from_the_cpu),
		cmocka_unit_test(without_pcie_atomics_the_way_out_says_so),
		cmocka_unit_test(peers_on_one_socket_have_links_with_the_bandwidth_of_pcie),
		cmocka_unit_test(a_link_that_goes_one_way_only_stands_alone),
		cmocka_unit_test(gpus_that_may_not_talk_have_no_link),
		cmocka_unit_test(two_dies_of_a_board_have_four_links_between_them),
		cmocka_unit_test(an_mi100_has_what_a_real_one_has),
		cmocka_unit_test(fiji_has_old_doorbells_and_no_debugger),
		cmocka_unit_test(firmware_that_a_debugger_cannot_trust_is_not_promised),
		cmocka_unit_test(what_the_driver_refuses_can_be_hidden),
		cmocka_unit_test(a_cache_starts_at_its_first_working_cu),
		cmocka_unit_test(cores_and_memory_devices_are_counted_like_the_kernel_does),
		cmocka_unit_test(no_memory_is_enomem_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
