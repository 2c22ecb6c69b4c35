/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "machine/asics.h"
#include "machine/fields.h"

/* "hives[0].gpus", and a key behind it. */
#define WHERE_MAX 48
#define PATH_MAX_LEN 160

typedef int (*section_fn)(const json_t *root, const json_t *value, struct machine_profile *m,
			  struct machine_err *err);

/* Keys of a GPU that are no plain field. */
#define KEY_ASIC "asic"

static int apply_fields(const struct machine_field *table, const json_t *obj, void *dst,
			const char *skip, const char *where, struct machine_err *err)
{
	char path[PATH_MAX_LEN];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)obj, key, value) {
		const struct machine_field *f = machine_field_find(table, key);

		if (skip && !strcmp(key, skip))
			continue;
		if (!f) {
			const char *names[40];
			size_t n;

			machine_field_names(table, names, VKF_ARRAY_SIZE(names) - 1);
			for (n = 0; names[n]; n++)
				;
			names[n] = skip;
			names[n + !!skip] = NULL;
			return machine_fail_unknown(err, where, "key", key, names);
		}
		snprintf(path, sizeof(path), "%.48s.%.100s", where, key);
		if (machine_field_set_json(f, dst, value, path, err))
			return -EINVAL;
	}
	return 0;
}

/* A list of 1 to @max entries. */
static int check_list(const json_t *value, const char *where, size_t max, struct machine_err *err)
{
	if (!json_is_array(value) || json_array_size(value) < 1 || json_array_size(value) > max)
		return machine_fail(err, where, "expected a list of 1 to %zu entries", max);
	return 0;
}

static int check_object(const json_t *value, const char *where, struct machine_err *err)
{
	return json_is_object(value) ? 0 : machine_fail(err, where, "expected an object {...}");
}

static int read_sockets(const json_t *root, const json_t *value, struct machine_profile *m,
			struct machine_err *err)
{
	if (check_list(value, "sockets", MACHINE_MAX_SOCKETS, err))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *entry = json_array_get(value, i);
		struct machine_socket *s = &m->sockets[i];
		char where[WHERE_MAX];

		snprintf(where, sizeof(where), "sockets[%zu]", i);
		*s = (struct machine_socket){ .max_clk_mhz = 2450, .mem_width_bits = 64,
					      .mem_clk_mhz = 3200 };
		if (check_object(entry, where, err) ||
		    apply_fields(machine_socket_fields, entry, s, NULL, where, err))
			return -EINVAL;
		if (!s->cores || !s->ram)
			return machine_fail(err, where, "needs \"cores\" and \"ram\"");
	}
	m->n_sockets = (unsigned int)json_array_size(value);
	return 0;
}

/* The chip that an entry, or else the board that all share, names. */
static int find_asic(const json_t *entry, const json_t *board, const char *where,
		     const struct machine_asic **ret_asic, struct machine_err *err)
{
	const json_t *name = json_object_get(entry, KEY_ASIC);
	char path[PATH_MAX_LEN];

	if (!name)
		name = json_object_get(board, KEY_ASIC);
	snprintf(path, sizeof(path), "%.48s.%s", where, KEY_ASIC);
	if (!json_is_string(name))
		return machine_fail(err, path, "expected the name of a chip");
	*ret_asic = machine_asic_find(json_string_value(name));
	if (!*ret_asic)
		return machine_fail_unknown(err, path, "chip", json_string_value(name),
					    machine_asic_names);
	return 0;
}

static int read_gpu(const json_t *entry, const json_t *board, const char *where,
		    struct machine_gpu *gpu, struct machine_err *err)
{
	const struct machine_asic *asic;

	if (check_object(entry, where, err) || find_asic(entry, board, where, &asic, err))
		return -EINVAL;
	*gpu = (struct machine_gpu){
		.asic = *asic,
		.vendor_id = 0x1002,
		.subvendor_id = 0x1002,
		.pcie_gts_x10 = 160,
		.pcie_lanes = 16,
		.pcie_atomics = true,
		.p2p = true,
	};
	if (board && apply_fields(machine_gpu_fields, board, gpu, KEY_ASIC, "board", err))
		return -EINVAL;
	if (apply_fields(machine_gpu_fields, entry, gpu, KEY_ASIC, where, err))
		return -EINVAL;
	if (!json_object_get(entry, "pci"))
		return machine_fail(err, where, "needs \"pci\", its PCI address");
	if (!gpu->device_id || !gpu->vram)
		return machine_fail(err, where,
				    "needs \"device\" and \"vram\", here or in \"board\"");
	if (!gpu->visible_vram)
		gpu->visible_vram = gpu->vram;
	return 0;
}

static int read_gpus(const json_t *root, const json_t *value, struct machine_profile *m,
		     struct machine_err *err)
{
	const json_t *board = json_object_get(root, "board");

	if (board && check_object(board, "board", err))
		return -EINVAL;
	if (board && json_object_get(board, "pci"))
		return machine_fail(err, "board.pci", "a PCI address belongs to one GPU only");
	if (check_list(value, "gpus", MACHINE_MAX_GPUS, err))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		char where[WHERE_MAX];

		snprintf(where, sizeof(where), "gpus[%zu]", i);
		if (read_gpu(json_array_get(value, i), board, where, &m->gpus[i], err))
			return -EINVAL;
	}
	m->n_gpus = (unsigned int)json_array_size(value);
	return 0;
}

struct hive {
	uint64_t id;
	unsigned int links;
};

static int join_hive(struct machine_profile *m, const json_t *member, const struct hive *hive,
		     const char *where, struct machine_err *err)
{
	json_int_t index = json_integer_value(member);
	struct machine_gpu *gpu;

	if (!json_is_integer(member) || index < 0 || index >= (json_int_t)m->n_gpus)
		return machine_fail(err, where, "expected the number of a GPU, 0 to %u",
				    m->n_gpus - 1);
	gpu = &m->gpus[index];
	if (gpu->hive_id)
		return machine_fail(err, where, "GPU %d is in a hive already", (int)index);
	gpu->hive_id = hive->id;
	gpu->xgmi_links = hive->links;
	return 0;
}

static int read_hive(struct machine_profile *m, const json_t *value, const char *where,
		     struct hive *hive, struct machine_err *err)
{
	static const struct machine_field fields[] = {
		{ "id", MACHINE_U64, offsetof(struct hive, id), 1, UINT64_MAX },
		{ "links", MACHINE_UINT, offsetof(struct hive, links), 1, 8 },
		{ NULL },
	};
	const json_t *gpus = json_object_get(value, "gpus");
	char path[PATH_MAX_LEN];

	if (check_object(value, where, err) ||
	    apply_fields(fields, value, hive, "gpus", where, err))
		return -EINVAL;
	snprintf(path, sizeof(path), "%.48s.gpus", where);
	if (check_list(gpus, path, MACHINE_MAX_GPUS, err))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(gpus); i++)
		if (join_hive(m, json_array_get(gpus, i), hive, path, err))
			return -EINVAL;
	return 0;
}

static int read_hives(const json_t *root, const json_t *value, struct machine_profile *m,
		      struct machine_err *err)
{
	uint64_t ids[MACHINE_MAX_GPUS];

	if (check_list(value, "hives", MACHINE_MAX_GPUS, err))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		struct hive hive = { .id = i + 1, .links = 1 };
		char where[WHERE_MAX];

		snprintf(where, sizeof(where), "hives[%zu]", i);
		if (read_hive(m, json_array_get(value, i), where, &hive, err))
			return -EINVAL;
		for (size_t j = 0; j < i; j++)
			if (ids[j] == hive.id)
				return machine_fail(err, where, "has the id of hives[%zu]", j);
		ids[i] = hive.id;
	}
	return 0;
}

static int read_text(const json_t *value, char *dst, size_t len, const char *where,
		     struct machine_err *err)
{
	const struct machine_field f = { where, MACHINE_TEXT, 0, 0, len };

	return machine_field_set_json(&f, dst, value, where, err);
}

static int read_name(const json_t *root, const json_t *value, struct machine_profile *m,
		     struct machine_err *err)
{
	return read_text(value, m->name, sizeof(m->name), "name", err);
}

static int read_summary(const json_t *root, const json_t *value, struct machine_profile *m,
			struct machine_err *err)
{
	return read_text(value, m->summary, sizeof(m->summary), "summary", err);
}

static int read_faults(const json_t *root, const json_t *value, struct machine_profile *m,
		       struct machine_err *err)
{
	if (check_list(value, "faults", VKF_ARRAY_SIZE(m->knobs.faults), err))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *spec = json_string_value(json_array_get(value, i));
		char where[WHERE_MAX];

		snprintf(where, sizeof(where), "faults[%zu]", i);
		if (!spec)
			return machine_fail(err, where, "expected a string like \"mm.map:arg=1\"");
		if (machine_fault_add(&m->knobs, spec, where, err))
			return -EINVAL;
	}
	return 0;
}

/* "kfd": {"map": ...} is the knob "kfd.map". */
static int read_group(const char *group, const json_t *value, struct machine_profile *m,
		      struct machine_err *err)
{
	struct machine_field fields[8];
	size_t n = 0, len = strlen(group);

	for (const struct machine_field *f = machine_knob_fields; f->key; f++) {
		if (strncmp(f->key, group, len) || f->key[len] != '.')
			continue;
		fields[n] = *f;
		fields[n++].key += len + 1;
	}
	fields[n] = (struct machine_field){ NULL };
	return check_object(value, group, err) ? -EINVAL :
	       apply_fields(fields, value, m, NULL, group, err);
}

static int read_kfd(const json_t *root, const json_t *value, struct machine_profile *m,
		    struct machine_err *err)
{
	return read_group("kfd", value, m, err);
}

static int read_limit(const json_t *root, const json_t *value, struct machine_profile *m,
		      struct machine_err *err)
{
	return read_group("limit", value, m, err);
}

static int read_policy(const json_t *root, const json_t *value, struct machine_profile *m,
		       struct machine_err *err)
{
	return read_group("policy", value, m, err);
}

static int read_quota(const json_t *root, const json_t *value, struct machine_profile *m,
		      struct machine_err *err)
{
	return read_group("quota", value, m, err);
}

/* Read in this order, whatever the order in the file: hives name GPUs. */
static const struct {
	const char *key;
	section_fn read;
	bool required;
} sections[] = {
	{ "name", read_name, true },   { "summary", read_summary, false },
	{ "sockets", read_sockets, true }, { "board", NULL, false },
	{ "gpus", read_gpus, true },   { "hives", read_hives, false },
	{ "kfd", read_kfd, false },    { "limit", read_limit, false },
	{ "policy", read_policy, false }, { "quota", read_quota, false },
	 { "faults", read_faults, false },
};

/* Every key is a section or a knob without a dot. */
static int check_keys(const json_t *root, struct machine_err *err)
{
	const char *names[VKF_ARRAY_SIZE(sections) + 8], *key;
	json_t *value;
	size_t n = 0;

	for (; n < VKF_ARRAY_SIZE(sections); n++)
		names[n] = sections[n].key;
	for (const struct machine_field *f = machine_knob_fields; f->key; f++)
		if (!strchr(f->key, '.'))
			names[n++] = f->key;
	names[n] = NULL;
	json_object_foreach((json_t *)root, key, value) {
		size_t i = 0;

		while (i < n && strcmp(names[i], key))
			i++;
		if (i == n)
			return machine_fail_unknown(err, "", "key", key, names);
	}
	return 0;
}

static int read_root(const json_t *root, struct machine_profile *m, struct machine_err *err)
{
	if (!json_is_object(root))
		return machine_fail(err, "", "expected an object {...}");
	if (check_keys(root, err))
		return -EINVAL;
	for (size_t i = 0; i < VKF_ARRAY_SIZE(sections); i++) {
		const json_t *value = json_object_get(root, sections[i].key);

		if (!value && sections[i].required)
			return machine_fail(err, "", "needs \"%s\"", sections[i].key);
		if (value && sections[i].read && sections[i].read(root, value, m, err))
			return -EINVAL;
	}
	for (const struct machine_field *f = machine_knob_fields; f->key; f++) {
		const json_t *value = strchr(f->key, '.') ? NULL : json_object_get(root, f->key);

		if (value && machine_field_set_json(f, m, value, f->key, err))
			return -EINVAL;
	}
	return 0;
}

int machine_json_read(const char *text, size_t len, struct machine_profile *m,
		      struct machine_err *err)
{
	json_error_t je;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	int e;

	if (!root && json_error_code(&je) == json_error_out_of_memory)
		return -ENOMEM;
	if (!root)
		return machine_fail(err, "", "line %d, column %d: %s", je.line, je.column, je.text);
	e = read_root(root, m, err);
	json_decref(root);
	return e;
}
