/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Call @row for each machine that loads; one that does not is the user's to see. */
static int for_each_machine(void (*row)(void *cookie, const struct machine_profile *p), void *cookie)
{
	static struct machine_profile profile;
	size_t n = 0;
	char **names = cli_machine_names(&n);
	int status = names ? CLI_OK : CLI_FAILED;

	if (!names)
		cli_error("the machine files are not where they were installed");
	for (size_t i = 0; i < n; i++) {
		int r = cli_load_machine(names[i], NULL, 0, &profile);

		if (r)
			status = CLI_FAILED;
		else
			row(cookie, &profile);
	}
	cli_free_names(names);
	return status;
}

static void print_row(void *cookie, const struct machine_profile *p)
{
	(void)cookie;
	printf("%-16s %s%s\n", p->name, p->summary,
	       strcmp(p->name, CLI_DEFAULT_MACHINE) ? "" : " (default)");
}

static void add_row(void *cookie, const struct machine_profile *p)
{
	json_array_append_new(cookie, json_pack("{s:s, s:s, s:i, s:I}", "name", p->name, "summary",
						p->summary, "gpus", p->n_gpus, "vram",
						(json_int_t)p->gpus[0].vram));
}

static int list_json(void)
{
	json_t *rows = json_array();
	int r = for_each_machine(add_row, rows);
	char *text = json_dumps(rows, JSON_INDENT(2));

	if (text)
		printf("%s\n", text);
	free(text);
	json_decref(rows);
	return r;
}

static int show(const char *name)
{
	static struct machine_profile profile;
	size_t len;
	char *text;
	int r = cli_load_machine(name, NULL, 0, &profile);

	if (r)
		return r;
	text = cli_read_machine(name, &len);
	if (!text)
		return CLI_FAILED;
	fwrite(text, 1, len, stdout);
	free(text);
	return CLI_OK;
}

int cli_machines(int argc, char **argv)
{
	const char *as_json = NULL;
	const struct cli_option options[] = { { "json", NULL, &as_json, NULL, NULL } };
	int first = cli_parse(argc, argv, options, 1);

	if (first < 0)
		return CLI_USAGE;
	if (first == argc)
		return as_json ? list_json() : for_each_machine(print_row, NULL);
	if (!strcmp(argv[first], "show") && argc == first + 2)
		return show(argv[first + 1]);
	cli_error("'%s': expected vkfd machines, or vkfd machines show NAME", argv[first]);
	return CLI_USAGE;
}
