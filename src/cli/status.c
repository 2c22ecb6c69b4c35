/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int64_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static double mib(const json_t *o, const char *key)
{
	return (double)num(o, key) / (1 << 20);
}

static void print_gpus(const json_t *root)
{
	size_t i;
	json_t *g;

	printf("%-4s %-7s %-12s %-6s %14s %14s %14s\n", "GPU", "ID", "NAME", "RENDER", "VRAM MiB",
	       "USED MiB", "AVAILABLE MiB");
	json_array_foreach(json_object_get(root, "gpus"), i, g)
		printf("%-4" PRId64 " %-7" PRId64 " %-12s D%-5" PRId64 " %14.1f %14.1f %14.1f\n",
		       num(g, "gpu"), num(g, "gpu_id"), str(g, "name"), num(g, "render_minor"),
		       mib(g, "vram_total"), mib(g, "vram_used"), mib(g, "available"));
}

static void print_client(const json_t *c)
{
	size_t i;
	json_t *g;

	printf("%-8" PRId64 " %-16s %7" PRId64 " %7" PRId64 " %8" PRId64 " %8" PRId64 "  ",
	       num(c, "pid"), str(c, "comm"), num(c, "queues"), num(c, "events"),
	       num(c, "buffers"), num(c, "dmabufs"));
	json_array_foreach(json_object_get(c, "gpus"), i, g)
		printf(" %.1f", mib(g, "vram"));
	printf("\n");
}

static void print_status(const json_t *root)
{
	const json_t *clients = json_object_get(root, "clients");
	size_t i;
	json_t *c;

	printf("machine %s, driver %" PRId64 "\n\n", str(root, "machine"), num(root, "pid"));
	print_gpus(root);
	if (!json_array_size(clients)) {
		printf("\nno clients\n");
		return;
	}
	printf("\n%-8s %-16s %7s %7s %8s %8s   %s\n", "PID", "PROGRAM", "QUEUES", "EVENTS", "BUFFERS",
	       "DMA-BUFS", "VRAM MiB PER GPU");
	json_array_foreach(clients, i, c)
		print_client(c);
}

/* All of it, as the driver prints it. */
static int show_memory(const char *path, const char *as_json)
{
	int err = 0;
	char *text = cli_query(path, as_json ? "memory:json" : "memory:text", &err);

	if (!text) {
		cli_error("no driver answers at '%s': %s", path, strerror(-err));
		return CLI_FAILED;
	}
	fputs(text, stdout);
	free(text);
	return CLI_OK;
}

static int show_status(const char *path, const char *as_json)
{
	int err = 0;
	char *text = cli_query(path, "status", &err);
	json_t *root = text ? json_loads(text, 0, NULL) : NULL;

	if (!root) {
		cli_error("no driver answers at '%s': %s", path, strerror(text ? EPROTO : -err));
		free(text);
		return CLI_FAILED;
	}
	if (as_json)
		printf("%s\n", text);
	else
		print_status(root);
	json_decref(root);
	free(text);
	return CLI_OK;
}

int cli_status(int argc, char **argv)
{
	const char *connect = NULL, *as_json = NULL, *memory = NULL;
	const struct cli_option options[] = {
		{ "connect", "the socket of a driver", &connect, NULL, NULL },
		{ "json", NULL, &as_json, NULL, NULL },
		{ "memory", NULL, &memory, NULL, NULL },
	};
	int first = cli_parse(argc, argv, options, sizeof(options) / sizeof(options[0])), r;
	char path[PATH_MAX];

	if (first < 0)
		return CLI_USAGE;
	if (first < argc) {
		cli_error("'%s' is one word too many: expected vkfd status [--memory] [--connect PATH] "
			  "[--json]", argv[first]);
		return CLI_USAGE;
	}
	r = cli_find_driver(connect, path, sizeof(path));
	if (r)
		return r;
	return memory ? show_memory(path, as_json) : show_status(path, as_json);
}
