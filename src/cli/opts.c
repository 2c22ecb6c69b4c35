/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"

#define WORD_MAX 64
#define MAX_OPTIONS 16

void cli_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("vkfd: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

static const struct cli_option *find_option(const char *word, size_t len,
					    const struct cli_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(options[i].name) == len && !strncmp(options[i].name, word, len))
			return &options[i];
	return NULL;
}

static void unknown_option(const char *word, const struct cli_option *options, size_t n)
{
	const char *names[MAX_OPTIONS + 1] = { NULL };
	const char *near;
	char plain[WORD_MAX];

	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(word, "="), word);
	for (size_t i = 0; i < n && i < MAX_OPTIONS; i++)
		names[i] = options[i].name;
	near = vkf_nearest(plain, names);
	if (near)
		cli_error("unknown option '--%s': did you mean '--%s'?", plain, near);
	else
		cli_error("unknown option '--%s': expected --%s%s", plain, n ? options[0].name : "help",
			  n > 1 ? " or another of vkfd --help" : "");
}

static int store(const struct cli_option *o, const char *value)
{
	if (!o->list) {
		*o->ret = value;
		return 0;
	}
	if (*o->n_list == CLI_MAX_SETS) {
		cli_error("too many --%s: at most %d", o->name, CLI_MAX_SETS);
		return -1;
	}
	o->list[(*o->n_list)++] = value;
	return 0;
}

/* One option at argv[i]. Return: how many words it took, or -1. */
static int take_option(int argc, char **argv, int i, const struct cli_option *options, size_t n)
{
	const char *word = argv[i] + 2;
	size_t len = strcspn(word, "=");
	const struct cli_option *o = find_option(word, len, options, n);

	if (!o) {
		unknown_option(word, options, n);
		return -1;
	}
	if (!o->value) {
		if (word[len]) {
			cli_error("option '--%s' takes no value", o->name);
			return -1;
		}
		return store(o, o->name) ? -1 : 1;
	}
	if (word[len])
		return store(o, word + len + 1) ? -1 : 1;
	if (i + 1 >= argc) {
		cli_error("option '--%s' needs a value: %s", o->name, o->value);
		return -1;
	}
	return store(o, argv[i + 1]) ? -1 : 2;
}

/* "-o VALUE" or "-oVALUE" at argv[i]. Return: how many words it took, or -1. */
static int take_letter(int argc, char **argv, int i, const struct cli_option *options, size_t n)
{
	const char *word = argv[i] + 1;

	for (size_t k = 0; k < n; k++) {
		if (!options[k].letter || options[k].letter != word[0])
			continue;
		if (word[1])
			return store(&options[k], word + 1) ? -1 : 1;
		if (i + 1 < argc)
			return store(&options[k], argv[i + 1]) ? -1 : 2;
		cli_error("option '-%c' needs a value: %s", word[0], options[k].value);
		return -1;
	}
	cli_error("unknown option '%s': options begin with two dashes", argv[i]);
	return -1;
}

int cli_parse(int argc, char **argv, const struct cli_option *options, size_t n_options)
{
	int i = 1;

	while (i < argc && !strncmp(argv[i], "-", 1) && argv[i][1]) {
		int n;

		if (!strcmp(argv[i], "--"))
			return i + 1;
		if (strncmp(argv[i], "--", 2))
			n = take_letter(argc, argv, i, options, n_options);
		else
			n = take_option(argc, argv, i, options, n_options);
		if (n < 0)
			return -1;
		i += n;
	}
	return i;
}
