/* SPDX-License-Identifier: MIT */
/**
 * DOC: vkfd trace
 *
 * As vkfd run, with all that the driver and its engines tell written to a file for a
 * trace viewer; or, without a program, of a driver that serves, until a signal or the
 * end of the time that was given.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "cli/run.h"
#include "cli/trace_file.h"
#include "wire/proto.h"

/* How long the driver may take to clean up behind the program. */
#define LINGER_MS 2000
#define LOOK_MS   10

static void nap(void)
{
	poll(NULL, 0, LOOK_MS);
}

static int trace_program(struct run *run, struct trace_file *f, char **argv)
{
	static struct machine_profile profile;
	char socket[PATH_MAX];
	int r = run_prepare(run, &profile), n;

	if (r)
		return r;
	n = snprintf(socket, sizeof(socket), "%s/" WIRE_SOCKET_NAME, run->runtime);
	r = n < (int)sizeof(socket) ? trace_file_connect(f, socket) : CLI_FAILED;
	if (!r)
		r = run_program(run, argv);
	/* A driver that others use is not waited for. */
	for (n = 0; run->driver > 0 && n < LINGER_MS / LOOK_MS && trace_file_n_clients(f); n++)
		nap();
	return r;
}

static int wait_signal(const struct trace_file *f, const sigset_t *set, double seconds)
{
	const struct timespec look = { 0, LOOK_MS * 1000000 };
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!trace_file_is_over(f)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (seconds > 0 && (double)(now.tv_sec - begin.tv_sec) +
						   (double)(now.tv_nsec - begin.tv_nsec) / 1e9 >=
					   seconds)
			return CLI_OK;
		if (sigtimedwait(set, NULL, &look) > 0)
			return CLI_OK;
	}
	return CLI_OK;
}

static int trace_driver(const struct run *run, struct trace_file *f, double seconds)
{
	char socket[PATH_MAX];
	sigset_t set;
	int r = cli_find_driver(run->connect, socket, sizeof(socket));

	if (r)
		return r;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = trace_file_connect(f, socket);
	if (!r && seconds <= 0 && isatty(STDERR_FILENO))
		fprintf(stderr, "vkfd: tracing the driver at '%s', until Ctrl-C\n", socket);
	return r ? r : wait_signal(f, &set, seconds);
}

static int check(const struct run *run, const char *file, const char *duration, bool program,
		 double *ret_seconds)
{
	char *end;

	if (!file) {
		cli_error("where to write: expected vkfd trace -o FILE [OPTIONS] [-- CMD [ARGS]]");
		return CLI_USAGE;
	}
	if (!program && (run->machine || run->n_sets || run->engine)) {
		cli_error("nothing to run: --machine, --set and --engine belong to a program, "
			  "vkfd trace -o FILE [OPTIONS] -- CMD [ARGS]");
		return CLI_USAGE;
	}
	if (!duration)
		return CLI_OK;
	*ret_seconds = strtod(duration, &end);
	if (program || end == duration || *end || !isfinite(*ret_seconds) || *ret_seconds <= 0) {
		cli_error(program ? "--duration is for a driver, not for a program that ends by itself" :
				    "option '--duration' takes seconds, more than 0, not '%s'",
			  duration);
		return CLI_USAGE;
	}
	return CLI_OK;
}

int cli_trace(int argc, char **argv)
{
	const char *file = NULL, *duration = NULL;
	struct run run = { .lifetime_fd = -1 };
	const struct cli_option options[] = {
		{ "output", "the file to write", &file, NULL, NULL, 'o' },
		{ "duration", "seconds", &duration, NULL, NULL },
		RUN_OPTIONS(run),
	};
	int first = cli_parse(argc, argv, options, sizeof(options) / sizeof(options[0])), r, r2;
	struct trace_file *f;
	double seconds = 0;

	if (first < 0)
		return CLI_USAGE;
	r = check(&run, file, duration, first < argc, &seconds);
	if (!r)
		r = trace_file_open(file, &f);
	if (r)
		return r;
	r = first < argc ? trace_program(&run, f, argv + first) : trace_driver(&run, f, seconds);
	r2 = trace_file_close(f);
	if (first < argc)
		run_end(&run);
	return r ? r : r2;
}
