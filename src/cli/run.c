/* SPDX-License-Identifier: MIT */
/**
 * DOC: vkfd run
 *
 * Starts a driver of its own (or finds the one at --connect), runs the program with
 * the shim, passes signals on to it, and ends with its status. The driver leads a
 * session of its own, so that a terminal's signals reach the program alone; it ends
 * when this process has gone and no program is left on it.
 */
#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/nearest.h"
#include "daemon/daemon.h"
#include "wire/proto.h"

/* How long the driver may take to end after the program; programs it still serves keep it longer,
 * and it is then left to end by itself. */
#define LINGER_MS 2000

static volatile sig_atomic_t program_pid;

/* The terminal sends its signals to the program too: only what somebody sent to us is passed on. */
static void forward(int sig, siginfo_t *si, void *context)
{
	int saved = errno;

	(void)context;
	if (program_pid > 0 && si->si_code != SI_KERNEL)
		kill((pid_t)program_pid, sig);
	errno = saved;
}

static const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,
				 SIGCONT, SIGWINCH };

static void forward_signals(void)
{
	struct sigaction sa = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaction(forwarded[i], &sa, NULL);
}

static void reset_signals(void)
{
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		signal(forwarded[i], SIG_DFL);
}

/* In the driver's process. */
static void be_driver(const struct run *run, const struct machine_profile *profile, int lifetime,
		      int ready)
{
	struct daemon_config config = {
		.profile = profile,
		.runtime = run->runtime,
		.extra_listen_fd = -1,
		.lifetime_fd = lifetime,
		.ready_fd = ready,
	};
	int r;

	setsid();
	/* A program in the background may keep the driver after the rest of a pipeline has ended: its
	 * ends are not the driver's to hold. What it has to say goes to stderr while we live. */
	if (chdir("/") < 0 || daemon_null_fd(STDIN_FILENO) || daemon_null_fd(STDOUT_FILENO))
		_exit(CLI_FAILED);
	r = cli_prepare_driver(profile);
	if (!r) {
		r = daemon_run(&config);
		if (r)
			cli_error("the driver failed: %s", strerror(-r));
	}
	daemon_runtime_remove(run->runtime);
	_exit(r ? CLI_FAILED : CLI_OK);
}

static int wait_ready(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(fd);
	return n == 1 ? CLI_OK : CLI_FAILED;
}

static int start_driver(struct run *run, const struct machine_profile *profile)
{
	int lifetime[2], ready[2];
	int r = daemon_runtime_make(run->runtime, sizeof(run->runtime));

	if (r) {
		cli_error("cannot make a runtime directory: %s", strerror(-r));
		return CLI_FAILED;
	}
	if (pipe2(lifetime, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) {
		cli_error("cannot make a pipe: %s", strerror(errno));
		daemon_runtime_remove(run->runtime);
		return CLI_FAILED;
	}
	run->driver = fork();
	if (run->driver == 0) {
		close(lifetime[1]);
		close(ready[0]);
		be_driver(run, profile, lifetime[0], ready[1]);
	}
	close(lifetime[0]);
	close(ready[1]);
	run->lifetime_fd = lifetime[1];
	if (run->driver > 0 && wait_ready(ready[0]) == CLI_OK)
		return CLI_OK;
	if (run->driver > 0)
		waitpid(run->driver, NULL, 0);
	daemon_runtime_remove(run->runtime);
	return CLI_FAILED;
}

/* The driver has the time it needs to see that everybody is gone; then nothing of it is left. */
void run_end(struct run *run)
{
	struct pollfd pfd = { .events = POLLIN };

	if (run->driver <= 0)
		return;
	close(run->lifetime_fd);
	pfd.fd = (int)syscall(SYS_pidfd_open, run->driver, 0);
	if (pfd.fd >= 0 && poll(&pfd, 1, LINGER_MS) == 0) {
		close(pfd.fd);
		return;
	}
	waitpid(run->driver, NULL, 0);
	if (pfd.fd >= 0)
		close(pfd.fd);
	daemon_runtime_remove(run->runtime);
}

/* Ours first, and whatever was to be loaded before. */
static int set_preload(void)
{
	const char *before = getenv("LD_PRELOAD");
	char shim[PATH_MAX], all[2 * PATH_MAX];

	if (cli_find_shim(shim, sizeof(shim))) {
		cli_error("libvkfd-shim.so is not where it was installed");
		return CLI_FAILED;
	}
	snprintf(all, sizeof(all), "%s%s%s", shim, before && before[0] ? ":" : "",
		 before ? before : "");
	return setenv("LD_PRELOAD", all, 1) ? CLI_FAILED : CLI_OK;
}

static int set_environment(const struct run *run)
{
	if (set_preload())
		return CLI_FAILED;
	if (setenv(WIRE_ENV_RUNTIME, run->runtime, 1) ||
	    (run->engine && setenv(WIRE_ENV_ENGINE, run->engine, 1)))
		return CLI_FAILED;
	return CLI_OK;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_program(const struct run *run, char **argv)
{
	sigset_t all, before;
	int status;
	pid_t pid;

	if (set_environment(run))
		return CLI_FAILED;
	/* A signal that comes before the program's pid is known is passed on right after. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	forward_signals();
	pid = fork();
	if (pid == 0) {
		reset_signals();
		sigprocmask(SIG_SETMASK, &before, NULL);
		execvp(argv[0], argv);
		cli_error("cannot run '%s': %s", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	program_pid = pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		cli_error("cannot start a process: %s", strerror(errno));
		return CLI_FAILED;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CLI_FAILED;
	return exit_status(status);
}

static int check_engine(const char *engine)
{
	static const char *const modes[] = { "process", "thread", "none", NULL };
	const char *near;

	for (size_t i = 0; i < 3; i++)
		if (!engine || !strcmp(engine, modes[i]))
			return CLI_OK;
	near = vkf_nearest(engine, modes);
	cli_error("option '--engine' takes process, thread or none, not '%s'%s%s%s", engine,
		  near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
	return CLI_USAGE;
}

int run_prepare(struct run *run, struct machine_profile *profile)
{
	int r = check_engine(run->engine);

	if (r)
		return r;
	if (run->connect) {
		if (run->machine || run->n_sets) {
			cli_error("with --connect the machine is the driver's: --machine and --set "
				  "belong to 'vkfd serve'");
			return CLI_USAGE;
		}
		return cli_driver_runtime(run->connect, run->runtime, sizeof(run->runtime));
	}
	r = cli_load_machine(run->machine ? run->machine : CLI_DEFAULT_MACHINE, run->sets,
			     run->n_sets, profile);
	if (r)
		return r;
	if (!run->engine && profile->knobs.engine[0])
		run->engine = profile->knobs.engine;
	return start_driver(run, profile);
}

int cli_run(int argc, char **argv)
{
	static struct machine_profile profile;
	struct run run = { .lifetime_fd = -1 };
	const struct cli_option options[] = {
		RUN_OPTIONS(run),
	};
	int first = cli_parse(argc, argv, options, sizeof(options) / sizeof(options[0])), r;

	if (first < 0)
		return CLI_USAGE;
	if (first >= argc) {
		cli_error("nothing to run: expected vkfd run [OPTIONS] -- CMD [ARGS]");
		return CLI_USAGE;
	}
	r = run_prepare(&run, &profile);
	if (r)
		return r;
	r = run_program(&run, argv + first);
	run_end(&run);
	return r;
}
