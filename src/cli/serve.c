/* SPDX-License-Identifier: MIT */
/**
 * DOC: vkfd serve
 *
 * One driver in the foreground, for many programs, until SIGTERM or SIGINT. Its
 * socket is --socket PATH, or the one a service manager passes.
 */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include "daemon/daemon.h"

static bool is_no_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

/* The socket to serve. *@ret_ours is set to @path when it is to be removed at the end. */
static int get_socket(const char *path, const char **ret_ours)
{
	int n = sd_listen_fds(1), fd;

	if (n > 0) {
		if (n == 1 && sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) > 0)
			return SD_LISTEN_FDS_START;
		cli_error("socket activation: expected one listening SOCK_SEQPACKET unix socket");
		return -EINVAL;
	}
	if (!path) {
		cli_error("where to serve: expected --socket PATH (or socket activation)");
		return -EINVAL;
	}
	fd = daemon_listen(path);
	if (fd < 0 && is_no_socket(path))
		cli_error("cannot serve at '%s': there is something else already", path);
	else if (fd == -EADDRINUSE)
		cli_error("cannot serve at '%s': a driver serves there already", path);
	else if (fd < 0)
		cli_error("cannot serve at '%s': %s", path, strerror(-fd));
	else
		*ret_ours = path;
	return fd;
}

/* To a person, who would see nothing of a driver that does what it should. */
static void say_where(const struct machine_profile *profile, const char *path)
{
	if (path && isatty(STDERR_FILENO))
		fprintf(stderr, "vkfd: %s at '%s', until Ctrl-C. Run programs with: "
			"vkfd run --connect %s -- CMD\n", profile->name, path, path);
}

static int serve(const struct machine_profile *profile, int fd)
{
	char runtime[PATH_MAX];
	struct daemon_config config = { .profile = profile, .runtime = runtime,
					.extra_listen_fd = fd, .lifetime_fd = -1, .ready_fd = -1,
					.notify = true };
	int r = daemon_runtime_make(runtime, sizeof(runtime));

	if (r) {
		cli_error("cannot make a runtime directory: %s", strerror(-r));
		return CLI_FAILED;
	}
	r = cli_prepare_driver(profile);
	if (!r) {
		r = daemon_run(&config);
		if (r)
			cli_error("the driver failed: %s", strerror(-r));
		r = r ? CLI_FAILED : CLI_OK;
	}
	daemon_runtime_remove(runtime);
	return r;
}

int cli_serve(int argc, char **argv)
{
	static struct machine_profile profile;
	const char *path = NULL, *machine = NULL, *ours = NULL;
	const char *sets[CLI_MAX_SETS];
	size_t n_sets = 0;
	const struct cli_option options[] = {
		{ "socket", "the path to serve at", &path, NULL, NULL },
		{ "machine", "a name of 'vkfd machines', or a path", &machine, NULL, NULL },
		{ "set", "KEY=VALUE", NULL, sets, &n_sets },
	};
	int first = cli_parse(argc, argv, options, sizeof(options) / sizeof(options[0])), fd, r;

	if (first < 0)
		return CLI_USAGE;
	if (first < argc) {
		cli_error("'%s' is one word too many: expected vkfd serve --socket PATH [OPTIONS]",
			  argv[first]);
		return CLI_USAGE;
	}
	r = cli_load_machine(machine ? machine : CLI_DEFAULT_MACHINE, sets, n_sets, &profile);
	if (r)
		return r;
	daemon_block_signals();
	fd = get_socket(path, &ours);
	if (fd < 0)
		return fd == -EINVAL ? CLI_USAGE : CLI_FAILED;
	say_where(&profile, ours);
	r = serve(&profile, fd);
	close(fd);
	if (ours)
		unlink(ours);
	return r;
}
