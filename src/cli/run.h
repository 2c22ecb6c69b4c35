/* SPDX-License-Identifier: MIT */
#ifndef VKFD_CLI_RUN_H
#define VKFD_CLI_RUN_H

/**
 * DOC: Running a program on a machine, step by step
 *
 * For the commands that do it: prepare a driver (of its own, or find one), run the
 * program, let the driver go. Each says what is wrong, and returns an exit status.
 */
#include <limits.h>
#include <sys/types.h>
#include "cli/cli.h"

struct run {
	const char *machine, *connect, *engine;
	const char *sets[CLI_MAX_SETS];
	size_t n_sets;
	char runtime[PATH_MAX];
	pid_t driver;    /* 0: it is not ours */
	int lifetime_fd; /* closed: this process needs the driver no longer */
};

/* Rows of an option table that fill @r. */
#define RUN_OPTIONS(r)                                                                             \
	{ "machine", "a name of 'vkfd machines', or a path", &(r).machine, NULL, NULL },           \
		{ "set", "KEY=VALUE", NULL, (r).sets, &(r).n_sets },                               \
		{ "connect", "the socket of a driver that serves", &(r).connect, NULL, NULL },     \
	{                                                                                          \
		"engine", "process, thread or none", &(r).engine, NULL, NULL                       \
	}

int run_prepare(struct run *run, struct machine_profile *profile);
/* Return: the program's status, or that of a failure to start it. */
int run_program(const struct run *run, char **argv);
void run_end(struct run *run);

#endif
