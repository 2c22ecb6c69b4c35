/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include "base/nearest.h"

const struct cli_command cli_commands[] = {
	{ "run", "[--machine NAME] [--set KEY=VALUE]... [--connect PATH] [--engine MODE] -- CMD [ARGS]",
	  "run a program on a private machine, or on that of a driver that serves PATH", cli_run },
	{ "serve", "--socket PATH [--machine NAME] [--set KEY=VALUE]...",
	  "keep one machine for many programs", cli_serve },
	{ "status", "[--memory] [--connect PATH] [--json]",
	  "show a driver's clients, GPUs, memory and queues", cli_status },
	{ "dump", "vm PID GPU [--connect PATH] [--json]", "show what a process has mapped on a GPU",
	  cli_dump },
	{ "inject", "reset GPU | poison PID ADDRESS [--connect PATH]",
	  "reset a GPU, or let a process meet bad memory", cli_inject },
	{ "top", "[--connect PATH] [--once] [--interval MS]",
	  "watch a driver's GPUs, programs and queues on the whole screen", cli_top },
	{ "trace", "-o FILE [--connect PATH] [--duration SECONDS] [options of run] [-- CMD [ARGS]]",
	  "run a program, or watch a driver, and write what happens for a trace viewer", cli_trace },
	{ "machines", "[show NAME] [--json]", "list the machines, or print one", cli_machines },
	{ "features", "[--json] [--markdown]", "say what is faithful, partial or refused",
	  cli_features },
};

const size_t cli_n_commands = sizeof(cli_commands) / sizeof(cli_commands[0]);

static void usage(FILE *out)
{
	fprintf(out, "usage: vkfd COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < cli_n_commands; i++)
		fprintf(out, "  vkfd %s %s\n      %s\n", cli_commands[i].name, cli_commands[i].args,
			cli_commands[i].summary);
	fprintf(out, "\n  vkfd --version, vkfd --help, vkfd COMMAND --help. Manual: vkfd(1).\n");
}

static void usage_of(const struct cli_command *c)
{
	printf("usage: vkfd %s %s\n\n  %s\n\nManual: vkfd(1).\n", c->name, c->args, c->summary);
}

static const struct cli_command *find_command(const char *word)
{
	for (size_t i = 0; i < cli_n_commands; i++)
		if (!strcmp(word, cli_commands[i].name))
			return &cli_commands[i];
	return NULL;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static int unknown_command(const char *word)
{
	const char *names[16] = { NULL };
	const char *near;

	for (size_t i = 0; i < cli_n_commands; i++)
		names[i] = cli_commands[i].name;
	near = vkf_nearest(word, names);
	if (near)
		cli_error("unknown command '%s': did you mean '%s'?", word, near);
	else
		cli_error("unknown command '%s': expected run, serve, status, dump, inject, top, trace, machines or features",
			  word);
	return CLI_USAGE;
}

static int finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_error("cannot write the output");
		return CLI_FAILED;
	}
	return status;
}

/* "vkfd help", or "vkfd help COMMAND" */
static int help(const char *word)
{
	const struct cli_command *c = word ? find_command(word) : NULL;

	if (word && !c)
		return unknown_command(word);
	if (c)
		usage_of(c);
	else
		usage(stdout);
	return finish(CLI_OK);
}

int main(int argc, char **argv)
{
	const struct cli_command *c;

	if (argc < 2) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (is_help(argv[1]) || !strcmp(argv[1], "help"))
		return help(argc > 2 ? argv[2] : NULL);
	if (!strcmp(argv[1], "--version")) {
		printf("vkfd %s\n", VKFD_VERSION);
		return finish(CLI_OK);
	}
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	if (argc > 2 && is_help(argv[2]))
		return help(c->name);
	return finish(c->run(argc - 1, argv + 1));
}
