/* SPDX-License-Identifier: MIT */
#ifndef VKFD_CLI_CLI_H
#define VKFD_CLI_CLI_H

/**
 * DOC: The command line
 *
 * Every command is one file and one row of the table in main.c. A mistake of the
 * user is one line on stderr that says what was expected, and exit status 2; a
 * failure of the world is one line and exit status 1.
 */
#include <stdbool.h>
#include <stddef.h>
#include "machine/profile.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name, *args, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit status */
};

extern const struct cli_command cli_commands[];
extern const size_t cli_n_commands;

/* struct cli_option - one row of a command's option table */
struct cli_option {
	const char *name;     /* without the dashes */
	const char *value;    /* what its value is, for messages; NULL: a flag */
	const char **ret;     /* where the value goes (a flag: its own name) */
	const char **list;    /* or: appended here ... */
	size_t *n_list;       /* ... up to CLI_MAX_SETS */
	char letter;          /* of one with a value: -o VALUE means the same */
};

#define CLI_MAX_SETS 64

/**
 * cli_parse() - take the options out of @argv
 *
 * Stops at the first word that is no option, or after "--". Return: index of the first word left,
 * or -1 after having said what was wrong.
 */
int cli_parse(int argc, char **argv, const struct cli_option *options, size_t n_options);
/* "vkfd: ..." and a newline on stderr. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------ where things are (paths.c) */

/* The shim, and the directory of machine files: beside the program in the build tree, or installed.
 * Return: 0, or -ENOENT. */
int cli_find_shim(char *path, size_t len);
int cli_find_machines(char *path, size_t len);

/* ------------------------------------------------ machines (machine_arg.c) */

#define CLI_DEFAULT_MACHINE "mi210x2"

/* Load a machine by name or by path (with a slash or ending in .json), with overrides; says what is
 * wrong. Return: 0 or an exit status. */
int cli_load_machine(const char *name, const char *const *sets, size_t n_sets,
		     struct machine_profile *ret_profile);
/* The text of a machine file, to be freed, or NULL after having said why. */
char *cli_read_machine(const char *name, size_t *ret_len);
/* Names of all machines, sorted, NULL at the end; to be freed with cli_free_names(). */
char **cli_machine_names(size_t *ret_n);
void cli_free_names(char **names);

/* ------------------------------------------------ talking to a driver (query.c) */

/* Open a connection of enum wire_kind @kind; it is kept in *@ret_conn, if that is wanted. Return: the
 * descriptor that the answer carries, or a negative errno. */
int cli_ask(const char *path, unsigned int kind, const char *name, int *ret_conn);
/**
 * cli_query() - ask the driver behind socket @path for a text
 *
 * Return: the text, to be freed; NULL with *@ret_err a negative errno.
 */
char *cli_query(const char *path, const char *name, int *ret_err);
/* The socket to ask: @connect if given, else the one of $VKFD_RUNTIME, else the only driver of this
 * user. Says what is wrong. Return: 0 or an exit status. */
int cli_find_driver(const char *connect, char *path, size_t len);
/* The runtime directory of the driver behind @socket. As above. */
int cli_driver_runtime(const char *socket, char *path, size_t len);

/* ------------------------------------------------ the driver (driver_start.c) */

/* Scheduler, memory and the machine's faults, as the driver needs them. Return: 0 or an exit status. */
int cli_prepare_driver(const struct machine_profile *profile);

int cli_run(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_dump(int argc, char **argv);
int cli_inject(int argc, char **argv);
int cli_machines(int argc, char **argv);
int cli_features(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_trace(int argc, char **argv);

#endif
