/* SPDX-License-Identifier: MIT */
#include "topology/topology.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/macro.h"

#define PATH_LEN 160

/* One file's text. sysfs gives a file one page, and programs read one page. */
struct page {
	size_t len;
	bool full;
	char text[VKF_PAGE_SIZE];
};

struct writer {
	const struct topology_sink *sink;
	const char *root;
	struct page page;
};

static void put(struct page *p, const char *fmt, ...) VKF_PRINTF(2, 3);

static void put(struct page *p, const char *fmt, ...)
{
	size_t room = sizeof(p->text) - p->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(p->text + p->len, room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		p->full = true;
	else
		p->len += (size_t)n;
}

static void put_prop(struct page *p, const char *key, uint64_t value)
{
	put(p, "%s %" PRIu64 "\n", key, value);
}

/* Write the collected page to @path below the root, and begin a new one. */
static int flush(struct writer *w, const char *path)
{
	char full[PATH_LEN];
	int e = w->page.full ? -EFBIG : 0;

	snprintf(full, sizeof(full), "%s/%s", w->root, path);
	if (!e)
		e = w->sink->file(w->sink->cookie, full, w->page.text, w->page.len);
	w->page.len = 0;
	w->page.full = false;
	return e;
}

struct prop {
	const char *key;
	uint64_t value;
};

static void put_props(struct page *p, const struct prop *props, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_prop(p, props[i].key, props[i].value);
}

/* Keys that every node has, before those of a GPU. */
static void put_common(struct page *p, const struct topology_node *n)
{
	const struct prop props[] = {
		{ "cpu_cores_count", n->cpu_cores_count },
		{ "simd_count", n->simd_count },
		{ "mem_banks_count", n->n_banks },
		{ "caches_count", n->n_caches },
		{ "io_links_count", n->n_io_links },
		{ "p2p_links_count", n->n_p2p_links },
		{ "cpu_core_id_base", n->cpu_core_id_base },
		{ "simd_id_base", n->simd_id_base },
		{ "max_waves_per_simd", n->max_waves_per_simd },
		{ "lds_size_in_kb", n->lds_size_in_kb },
		{ "gds_size_in_kb", n->gds_size_in_kb },
		{ "num_gws", n->num_gws },
		{ "wave_front_size", n->wave_front_size },
		{ "array_count", n->array_count },
		{ "simd_arrays_per_engine", n->simd_arrays_per_engine },
		{ "cu_per_simd_array", n->cu_per_simd_array },
		{ "simd_per_cu", n->simd_per_cu },
		{ "max_slots_scratch_cu", n->max_slots_scratch_cu },
		{ "gfx_target_version", n->gfx_target_version },
		{ "vendor_id", n->vendor_id },
		{ "device_id", n->device_id },
		{ "location_id", n->location_id },
		{ "domain", n->domain },
		{ "drm_render_minor", n->drm_render_minor },
		{ "hive_id", n->hive_id },
		{ "num_sdma_engines", n->num_sdma_engines },
		{ "num_sdma_xgmi_engines", n->num_sdma_xgmi_engines },
		{ "num_sdma_queues_per_engine", n->num_sdma_queues_per_engine },
		{ "num_cp_queues", n->num_cp_queues },
	};

	put_props(p, props, VKF_ARRAY_SIZE(props));
}

static void put_gpu(struct page *p, const struct topology_node *n)
{
	const struct prop props[] = {
		{ "max_engine_clk_fcompute", n->max_engine_clk_fcompute },
		{ "local_mem_size", 0 }, /* memory is in the banks; the key stayed */
		{ "fw_version", n->fw_version },
		{ "capability", n->capability },
		{ "debug_prop", n->debug_prop },
		{ "sdma_fw_version", n->sdma_fw_version },
		{ "unique_id", n->unique_id },
		{ "num_xcc", n->num_xcc },
	};

	put_props(p, props, VKF_ARRAY_SIZE(props));
}

static int write_bank(struct writer *w, unsigned int node, unsigned int index,
		      const struct topology_bank *b)
{
	const struct prop props[] = {
		{ "heap_type", b->heap_type }, { "size_in_bytes", b->size },
		{ "flags", b->flags },	       { "width", b->width },
		{ "mem_clk_max", b->mem_clk_max },
	};
	char path[PATH_LEN];

	put_props(&w->page, props, VKF_ARRAY_SIZE(props));
	snprintf(path, sizeof(path), "nodes/%u/mem_banks/%u/properties", node, index);
	return flush(w, path);
}

/* Every bit of the map, lowest of each byte first: programs want this key last. */
static void put_siblings(struct page *p, const struct topology_cache *c)
{
	put(p, "sibling_map ");
	for (unsigned int bit = 0; bit < c->n_sibling_bytes * 8; bit++)
		put(p, "%s%u", bit ? "," : "", c->sibling_map[bit / 8] >> bit % 8 & 1u);
	put(p, "\n");
}

static int write_cache(struct writer *w, unsigned int node, unsigned int index,
		       const struct topology_cache *c)
{
	const struct prop props[] = {
		{ "processor_id_low", c->processor_id_low },
		{ "level", c->level },
		{ "size", c->size },
		{ "cache_line_size", c->line },
		{ "cache_lines_per_tag", 0 },
		{ "association", 0 },
		{ "latency", 0 },
		{ "type", c->type },
	};
	char path[PATH_LEN];

	put_props(&w->page, props, VKF_ARRAY_SIZE(props));
	put_siblings(&w->page, c);
	snprintf(path, sizeof(path), "nodes/%u/caches/%u/properties", node, index);
	return flush(w, path);
}

static int write_link(struct writer *w, const char *dir, unsigned int index,
		      const struct topology_link *l)
{
	const struct prop props[] = {
		{ "type", l->type },
		{ "version_major", 0 },
		{ "version_minor", 0 },
		{ "node_from", l->node_from },
		{ "node_to", l->node_to },
		{ "weight", l->weight },
		{ "min_latency", 0 },
		{ "max_latency", 0 },
		{ "min_bandwidth", l->min_bandwidth },
		{ "max_bandwidth", l->max_bandwidth },
		{ "recommended_transfer_size", 0 },
		{ "recommended_sdma_engine_id_mask", l->sdma_mask },
		{ "flags", l->flags },
	};
	char path[PATH_LEN];

	put_props(&w->page, props, VKF_ARRAY_SIZE(props));
	snprintf(path, sizeof(path), "nodes/%u/%s/%u/properties", l->node_from, dir, index);
	return flush(w, path);
}

static int write_dirs(struct writer *w, unsigned int index)
{
	static const char *const dirs[] = { "mem_banks", "caches", "io_links", "p2p_links",
					    "perf" };
	char path[PATH_LEN];
	int e = 0;

	for (size_t i = 0; !e && i < VKF_ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/nodes/%u/%s", w->root, index, dirs[i]);
		e = w->sink->dir(w->sink->cookie, path);
	}
	return e;
}

static int write_lists(struct writer *w, unsigned int index, const struct topology_node *n)
{
	int e = 0;

	for (unsigned int i = 0; !e && i < n->n_banks; i++)
		e = write_bank(w, index, i, &n->banks[i]);
	for (unsigned int i = 0; !e && i < n->n_caches; i++)
		e = write_cache(w, index, i, &n->caches[i]);
	for (unsigned int i = 0; !e && i < n->n_io_links; i++)
		e = write_link(w, "io_links", i, &n->io_links[i]);
	for (unsigned int i = 0; !e && i < n->n_p2p_links; i++)
		e = write_link(w, "p2p_links", i, &n->p2p_links[i]);
	return e;
}

static int write_node(struct writer *w, unsigned int index, const struct topology_node *n)
{
	char path[PATH_LEN];
	int e = write_dirs(w, index);

	if (e)
		return e;
	put(&w->page, "%u\n", n->gpu_id);
	snprintf(path, sizeof(path), "nodes/%u/gpu_id", index);
	e = flush(w, path);
	if (e)
		return e;
	put(&w->page, "%s\n", n->name);
	snprintf(path, sizeof(path), "nodes/%u/name", index);
	e = flush(w, path);
	if (e)
		return e;
	put_common(&w->page, n);
	if (n->gpu_id)
		put_gpu(&w->page, n);
	put_prop(&w->page, "max_engine_clk_ccompute", n->max_engine_clk_ccompute);
	snprintf(path, sizeof(path), "nodes/%u/properties", index);
	e = flush(w, path);
	return e ? e : write_lists(w, index, n);
}

static int write_system(struct writer *w, const struct topology *t)
{
	int e;

	put(&w->page, "%u\n", t->generation_id);
	e = flush(w, "generation_id");
	if (e)
		return e;
	put_prop(&w->page, "platform_oem", t->platform_oem);
	put_prop(&w->page, "platform_id", t->platform_id);
	put_prop(&w->page, "platform_rev", t->platform_rev);
	return flush(w, "system_properties");
}

int topology_write(const struct topology *t, const char *root, const struct topology_sink *sink)
{
	struct writer w = { .sink = sink, .root = root };
	int e = write_system(&w, t);

	for (unsigned int i = 0; !e && i < t->n_nodes; i++)
		e = write_node(&w, i, &t->nodes[i]);
	return e;
}

void topology_free(struct topology *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->n_nodes; i++)
		vkf_free(t->nodes[i].caches);
	vkf_free(t);
}
