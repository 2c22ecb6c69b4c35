/* SPDX-License-Identifier: MIT */
/**
 * DOC: vkfd features: the fidelity report
 *
 * Ioctls come from the tables that dispatch them, files from the code that writes
 * the tree, so the report cannot say more than the driver does.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dmabuf/ioctl.h"
#include "drm/node.h"
#include "kfd/kfd.h"
#include "machine/sysfs.h"

static const char *const level_names[] = {
	[KFD_FAITHFUL] = "faithful",
	[KFD_PARTIAL] = "partial",
	[KFD_REFUSED] = "refused",
};

static void add(json_t *rows, const char *node, const char *name, int level, const char *note)
{
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "node", node, "name", name,
					      "level", level_names[level], "note", note ? note : ""));
}

static void add_ioctls(json_t *rows)
{
	char name[96];

	for (unsigned int i = 0; kfd_feature(i); i++) {
		const struct kfd_feature *f = kfd_feature(i);

		snprintf(name, sizeof(name), "0x%02x %s", f->nr, f->name);
		add(rows, "/dev/kfd", name, (int)f->level, f->note);
	}
	for (unsigned int i = 0; drm_feature(i); i++) {
		const struct drm_feature *f = drm_feature(i);

		snprintf(name, sizeof(name), "0x%02x %s", f->nr, f->name);
		add(rows, "/dev/dri", name, f->level, f->note);
	}
	for (unsigned int i = 0; dmabuf_feature(i); i++) {
		const struct dmabuf_feature *f = dmabuf_feature(i);

		snprintf(name, sizeof(name), "0x%02x %s", f->nr, f->name);
		add(rows, "dma-buf", name, f->level, f->note);
	}
}

/* Paths that differ in numbers only are one row: every run of digits, and of a bus address, is N. */
static void add_path(json_t *rows, const char *path, enum kfd_fidelity level, const char *note)
{
	char pattern[256];
	size_t n = 0, i;
	json_t *row;

	for (const char *p = path; *p && n + 2 < sizeof(pattern); p++) {
		bool number = isdigit((unsigned char)*p) && (p == path || !isalpha((unsigned char)p[-1]) ||
							    p[-1] == 'D' || p[-1] == 'd' || p[-1] == 'n');

		if (number || (n && pattern[n - 1] == 'N' && isdigit((unsigned char)*p))) {
			if (!n || pattern[n - 1] != 'N')
				pattern[n++] = 'N';
		} else {
			pattern[n++] = *p;
		}
	}
	pattern[n] = '\0';
	json_array_foreach(rows, i, row)
		if (!strcmp(json_string_value(json_object_get(row, "name")), pattern))
			return;
	add(rows, "files", pattern, (int)level, note);
}

/* Files whose values a real machine would change, and this one does not. */
static const struct {
	const char *part, *note;
} constants[] = {
	{ "/hwmon/hwmon", "a constant of the machine" },
	{ "/pp_dpm_", "a constant of the machine" },
	{ "busy_percent", "a constant" },
	{ "/ras/", "never an error" },
	{ "/pcie_replay_count", "a constant" },
	{ "/power_dpm_", "a constant; cannot be written" },
	{ "/fw_version/", "as in the machine file" },
	{ "/vbios_version", "made up" },
	{ "/config", "no capability list" },
	{ "/resource", "BAR 0 only" },
	{ "/amdgpu/version", "in-tree amdgpu has none" },
	{ "/amdgpu/parameters/", "a constant; cannot be written" },
	{ "system_properties", "platform names are made up" },
};

static const char *constant_note(const char *path)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		if (strstr(path, constants[i].part))
			return constants[i].note;
	return NULL;
}

static int sink_file(void *cookie, const char *path, const char *text, size_t len)
{
	const char *note = constant_note(path);

	add_path(cookie, path, note ? KFD_PARTIAL : KFD_FAITHFUL, note ? note : "");
	return 0;
}

static int sink_live(void *cookie, const char *path)
{
	add_path(cookie, path, KFD_FAITHFUL, "made at each open");
	return 0;
}

static int sink_symlink(void *cookie, const char *path, const char *target)
{
	add_path(cookie, path, KFD_FAITHFUL, "link");
	return 0;
}

static int sink_dir(void *cookie, const char *path)
{
	return 0;
}

static int sink_chardev(void *cookie, const char *path, unsigned int major, unsigned int minor)
{
	add_path(cookie, path, KFD_FAITHFUL, "device");
	return 0;
}

static int add_files(json_t *rows)
{
	static struct machine_profile profile;
	const struct topology_sink sink = { rows, sink_file, sink_live, sink_symlink, sink_dir,
					    sink_chardev };
	int r = cli_load_machine(CLI_DEFAULT_MACHINE, NULL, 0, &profile);

	return r ? r : machine_sysfs_build(&profile, &sink) ? CLI_FAILED : CLI_OK;
}

static void print_rows(const json_t *rows, bool markdown)
{
	size_t i;
	json_t *row;

	if (markdown)
		printf("| where | what | level | how |\n|---|---|---|---|\n");
	json_array_foreach(rows, i, row)
		printf(markdown ? "| %s | `%s` | %s | %s |\n" : "%-9s %-64s %-9s %s\n",
		       json_string_value(json_object_get(row, "node")),
		       json_string_value(json_object_get(row, "name")),
		       json_string_value(json_object_get(row, "level")),
		       json_string_value(json_object_get(row, "note")));
}

static void print_json(const json_t *rows)
{
	char *text = json_dumps(rows, JSON_INDENT(2));

	if (text)
		printf("%s\n", text);
	free(text);
}

int cli_features(int argc, char **argv)
{
	const char *as_json = NULL, *markdown = NULL;
	const struct cli_option options[] = {
		{ "json", NULL, &as_json, NULL, NULL },
		{ "markdown", NULL, &markdown, NULL, NULL },
	};
	int first = cli_parse(argc, argv, options, 2), r;
	json_t *rows;

	if (first < 0)
		return CLI_USAGE;
	if (first < argc) {
		cli_error("'%s' is one word too many: expected vkfd features [--json] [--markdown]",
			  argv[first]);
		return CLI_USAGE;
	}
	rows = json_array();
	add_ioctls(rows);
	r = add_files(rows);
	if (!r && as_json)
		print_json(rows);
	else if (!r)
		print_rows(rows, markdown != NULL);
	json_decref(rows);
	return r;
}
