/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE "vkfd dump vm PID GPU [--connect PATH] [--json]"

/* struct wanted - a VM, and where to ask for it */
struct wanted {
	const char *path, *pid, *gpu;
};

static bool is_number(const char *word)
{
	size_t n = strspn(word, "0123456789");

	return n && n <= 10 && !word[n];
}

/* "12, 45": the numbers @key of @list; "" for none. */
static void list_numbers(char *text, size_t len, const json_t *list, const char *key)
{
	size_t i, used = 0;
	json_t *o;

	text[0] = '\0';
	json_array_foreach(list, i, o) {
		int n = snprintf(text + used, len - used, "%s%" JSON_INTEGER_FORMAT, i ? ", " : "",
				 json_integer_value(json_object_get(o, key)));

		if (n < 0 || (size_t)n >= len - used)
			return;
		used += (size_t)n;
	}
}

/* The driver has not found it: say what there is. */
static void explain(const struct wanted *w, int err)
{
	int e = 0;
	char *text = cli_query(w->path, "status", &e), pids[400], gpus[200], ids[200];
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;

	list_numbers(pids, sizeof(pids), json_object_get(root, "clients"), "pid");
	list_numbers(gpus, sizeof(gpus), json_object_get(root, "gpus"), "gpu");
	list_numbers(ids, sizeof(ids), json_object_get(root, "gpus"), "gpu_id");
	if (err == -ENODEV)
		cli_error("there is no GPU %s: expected a number (%s) or a gpu_id (%s)", w->gpu,
			  gpus, ids);
	else if (err == -ESRCH && pids[0])
		cli_error("process %s is no client of this driver: expected one of %s", w->pid,
			  pids);
	else if (err == -ESRCH)
		cli_error("process %s is no client of this driver, which has none", w->pid);
	else if (err == -ENXIO)
		cli_error("process %s has no VM on GPU %s: expected a GPU that it has opened", w->pid,
			  w->gpu);
	else
		cli_error("no driver answers at '%s': %s", w->path, strerror(-err));
	json_decref(root);
	free(text);
}

static int dump_vm(const struct wanted *w, const char *as_json)
{
	char name[64], *text;
	int err = 0;

	snprintf(name, sizeof(name), "vm:%s:%s:%s", as_json ? "json" : "text", w->pid, w->gpu);
	text = cli_query(w->path, name, &err);
	if (!text) {
		explain(w, err);
		return CLI_FAILED;
	}
	fputs(text, stdout);
	free(text);
	return CLI_OK;
}

/* Options may stand before, between and after the words. */
static int parse(int argc, char **argv, const struct cli_option *options, size_t n_options,
		 const char *words[3])
{
	unsigned int n = 0;

	for (;;) {
		int first = cli_parse(argc, argv, options, n_options);

		if (first < 0)
			return CLI_USAGE;
		if (first >= argc)
			break;
		if (n == 3) {
			cli_error("'%s' is one word too many: expected " USAGE, argv[first]);
			return CLI_USAGE;
		}
		words[n++] = argv[first];
		argc -= first;
		argv += first;
	}
	if (n && strcmp(words[0], "vm")) {
		cli_error("cannot dump '%s': expected " USAGE, words[0]);
		return CLI_USAGE;
	}
	if (n < 3) {
		cli_error("%s missing: expected " USAGE,
			  n == 0 ? "what to dump is" : n == 1 ? "PID and GPU are" : "GPU is");
		return CLI_USAGE;
	}
	return CLI_OK;
}

int cli_dump(int argc, char **argv)
{
	const char *connect = NULL, *as_json = NULL, *words[3];
	const struct cli_option options[] = {
		{ "connect", "the socket of a driver", &connect, NULL, NULL },
		{ "json", NULL, &as_json, NULL, NULL },
	};
	char path[PATH_MAX];
	struct wanted w;
	int r = parse(argc, argv, options, sizeof(options) / sizeof(options[0]), words);

	if (r)
		return r;
	w = (struct wanted){ .path = path, .pid = words[1], .gpu = words[2] };
	if (!is_number(w.pid) || !is_number(w.gpu)) {
		cli_error("'%s' is no number: expected the %s that 'vkfd status' shows",
			  is_number(w.pid) ? w.gpu : w.pid, is_number(w.pid) ? "GPU" : "PID");
		return CLI_USAGE;
	}
	r = cli_find_driver(connect, path, sizeof(path));
	return r ? r : dump_vm(&w, as_json);
}
