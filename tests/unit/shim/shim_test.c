/* SPDX-License-Identifier: MIT */
#include "shim_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "wire/proto.h"

#define INSIDE   "SHIM_TEST_INSIDE"
#define MAX_ARGS 8

static const char *self;

void shim_sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

int shim_child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

pid_t shim_child_start(const struct fake_driver *driver, const char *name, ...)
{
	char *argv[MAX_ARGS + 4] = { (char *)self, "--child", (char *)name };
	unsigned int n = 3;
	va_list ap;
	pid_t pid;

	va_start(ap, name);
	while (n < MAX_ARGS + 3 && (argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	pid = fork();
	if (pid == 0) {
		if (driver)
			setenv(WIRE_ENV_RUNTIME, driver->dir, 1);
		execv(self, argv);
		_exit(127);
	}
	return pid;
}

int shim_child(const char *name)
{
	return shim_child_wait(shim_child_start(NULL, name, NULL));
}

struct fake_counts shim_counts(void)
{
	struct wire_hello hello = {
		.magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = WIRE_QUERY, .name = "counts"
	};
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct fake_counts counts = { 0 };
	char buf[CMSG_SPACE(sizeof(int))];
	struct wire_welcome w;
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf)
	};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/sock", getenv(WIRE_ENV_RUNTIME));
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    send(sock, &hello, sizeof(hello), 0) < 0 || recvmsg(sock, &msg, 0) < 0)
		fail_msg("no counts: %s", strerror(errno));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	if (read(fd, &counts, sizeof(counts)) != sizeof(counts))
		fail_msg("short counts");
	close(fd);
	close(sock);
	return counts;
}

int shim_files_become(uint32_t n)
{
	for (int i = 0; i < 500; i++) {
		if (shim_counts().files == n)
			return 1;
		shim_sleep_ms(10);
	}
	return 0;
}

int shim_engines_become(uint32_t n)
{
	for (int i = 0; i < 500; i++) {
		if (shim_counts().engines == n)
			return 1;
		shim_sleep_ms(10);
	}
	return 0;
}

/* The outer process: a driver, and this program again with the shim. */
static int run_inside(char **argv)
{
	struct fake_driver d;
	pid_t pid;
	int r;

	if (fake_driver_start(&d) < 0) {
		perror("fake driver");
		return 1;
	}
	pid = fork();
	if (pid == 0) {
		close(d.lifetime);
		setenv(INSIDE, "1", 1);
		setenv(WIRE_ENV_RUNTIME, d.dir, 1);
		setenv("LD_PRELOAD", SHIM_PATH, 1);
		/* A sanitizer's runtime wants to be first, and need not. */
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0:handle_segv=0", 1);
		execv(self, argv);
		_exit(127);
	}
	r = shim_child_wait(pid);
	fake_driver_stop(&d);
	return r > 255 ? 255 : r;
}

int shim_test_main(int argc, char **argv, const struct shim_suite *suite)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n < 0 ? 0 : n] = '\0';
	self = path;
	if (!getenv(INSIDE))
		return run_inside(argv);
	if (argc > 2 && !strcmp(argv[1], "--child")) {
		for (size_t i = 0; i < suite->n_children; i++)
			if (!strcmp(suite->children[i].name, argv[2]))
				return suite->children[i].run(argc - 3, argv + 3);
		return 126;
	}
	return _cmocka_run_group_tests(suite->name, suite->tests, suite->n_tests, NULL, NULL);
}
