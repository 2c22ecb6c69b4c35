/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USAGE     "vkfd inject reset GPU | poison PID ADDRESS [--connect PATH]"
#define MAX_WORDS 3

static bool is_number(const char *word, const char *digits)
{
	size_t n = strspn(word, digits);

	return n && n <= 16 && !word[n];
}

/* Options may stand before, between and after the words. */
static int parse(int argc, char **argv, const struct cli_option *options, size_t n_options,
		 const char *words[MAX_WORDS + 1])
{
	size_t n = 0;

	for (;;) {
		int first = cli_parse(argc, argv, options, n_options);

		if (first < 0)
			return -1;
		if (first >= argc)
			return (int)n;
		if (n == MAX_WORDS) {
			cli_error("'%s' is one word too many: expected " USAGE, argv[first]);
			return -1;
		}
		words[n++] = argv[first];
		argc -= first;
		argv += first;
	}
}

/* What to ask the driver. Return: 0 or CLI_USAGE, after having said why. */
static int compose(char *name, size_t len, const char *const *words, int n)
{
	const char *what = n ? words[0] : "";

	if (!strcmp(what, "reset") && n == 2) {
		if (!is_number(words[1], "0123456789")) {
			cli_error("'%s' is no GPU: expected the number that 'vkfd status' shows",
				  words[1]);
			return CLI_USAGE;
		}
		snprintf(name, len, "inject:reset:%s", words[1]);
		return 0;
	}
	if (!strcmp(what, "poison") && n == 3) {
		const char *va = words[2] + 2 * !strncmp(words[2], "0x", 2);

		if (!is_number(words[1], "0123456789")) {
			cli_error("'%s' is no process: expected the pid that 'vkfd status' shows",
				  words[1]);
			return CLI_USAGE;
		}
		if (!is_number(va, "0123456789abcdefABCDEF")) {
			cli_error("'%s' is no address: expected a hexadecimal number", words[2]);
			return CLI_USAGE;
		}
		snprintf(name, len, "inject:poison:%s:%s", words[1], va);
		return 0;
	}
	if (n && strcmp(what, "reset") && strcmp(what, "poison"))
		cli_error("cannot inject '%s': expected " USAGE, what);
	else
		cli_error("what to inject is not complete: expected " USAGE);
	return CLI_USAGE;
}

static void explain(const char *path, const char *const *words, int err)
{
	if (err == -ENODEV && !strcmp(words[0], "reset"))
		cli_error("there is no GPU %s: expected a number that 'vkfd status' shows",
			  words[1]);
	else if (err == -ESRCH)
		cli_error("process %s is no client of this driver that has opened /dev/kfd",
			  words[1]);
	else if (err == -EFAULT)
		cli_error("process %s has nothing mapped at %s on any GPU", words[1], words[2]);
	else
		cli_error("the driver at '%s' did not do it: %s", path, strerror(-err));
}

int cli_inject(int argc, char **argv)
{
	const char *connect = NULL, *words[MAX_WORDS + 1] = { NULL };
	const struct cli_option options[] = {
		{ "connect", "the socket of a driver", &connect, NULL, NULL },
	};
	char path[PATH_MAX], name[96], *text;
	int n = parse(argc, argv, options, sizeof(options) / sizeof(options[0]), words);
	int r, err = 0;

	if (n < 0)
		return CLI_USAGE;
	r = compose(name, sizeof(name), words, n);
	if (!r)
		r = cli_find_driver(connect, path, sizeof(path));
	if (r)
		return r;
	text = cli_query(path, name, &err);
	if (!text) {
		explain(path, words, err);
		return CLI_FAILED;
	}
	free(text);
	return CLI_OK;
}
