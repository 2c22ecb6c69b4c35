/* SPDX-License-Identifier: MIT */
/*
 * Plain system calls, under `vkfd run --machine NAME -- TEST`. A process has one KFD process for
 * life, so each test gets a process of its own.
 */
#include "uapi_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "wire/proto.h"

#include <jansson.h>

#define SETTLE_STEP_US 2000
#define SETTLE_STEPS 5000

#define FIRST_RENDER_MINOR 128
#define DEFAULT_MACHINE "mi210x2"

static bool asked; /* this test has named the machine it wants */

static bool machine_is(const char *name)
{
	const char *have = getenv("UAPI_MACHINE");

	return !strcmp(name, have ? have : DEFAULT_MACHINE);
}

bool uapi_machine(const char *name, const char *const *sets, size_t n_sets)
{
	const char *have = getenv("UAPI_SETS");
	char want[256] = "";

	asked = true;
	for (size_t i = 0; i < n_sets; i++) {
		strcat(want, i ? " " : "");
		strcat(want, sets[i]);
	}
	return machine_is(name) && !strcmp(want, have ? have : "");
}

/* A test that names no machine wants the default one. */
static void check_machine(void)
{
	if (!asked && !machine_is(DEFAULT_MACHINE))
		skip();
}

static int or_errno(int r)
{
	return r < 0 ? -errno : r;
}

int uapi_open_kfd(void)
{
	check_machine();
	return or_errno(open("/dev/kfd", O_RDWR | O_CLOEXEC));
}

int uapi_open_render(unsigned int gpu)
{
	char path[64];

	check_machine();
	snprintf(path, sizeof(path), "/dev/dri/renderD%u", FIRST_RENDER_MINOR + gpu);
	return or_errno(open(path, O_RDWR | O_CLOEXEC));
}

int uapi_open_card(unsigned int gpu)
{
	char path[64];

	check_machine();
	snprintf(path, sizeof(path), "/dev/dri/card%u", gpu);
	return or_errno(open(path, O_RDWR | O_CLOEXEC));
}

int uapi_dup(int fd)
{
	return or_errno(dup(fd));
}

int uapi_close(int fd)
{
	return or_errno(close(fd));
}

int uapi_ioctl(int fd, unsigned long cmd, void *arg)
{
	return or_errno(ioctl(fd, cmd, arg));
}

int uapi_mmap(void *addr, size_t len, int prot, int flags, int fd, uint64_t offset, void **ret)
{
	void *p = mmap(addr, len, prot, flags, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

int64_t uapi_lseek(int fd, int64_t offset, int whence)
{
	off_t r = lseek(fd, (off_t)offset, whence);

	return r < 0 ? -errno : r;
}

void uapi_few_descriptors(void)
{
	struct rlimit few = { 200, 200 };

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

/* The answer fits in an exit status: errnos up to 255. */
int uapi_in_child(int (*fn)(int fd), int fd)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int r = fn(fd);

		_exit(r < 0 ? -r : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void on_alarm(int sig)
{
	(void)sig;
}

void uapi_signal_in(unsigned int ms)
{
	struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART */
	struct itimerval it = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

bool uapi_through_shim(void)
{
	return true;
}

bool uapi_fault(const char *spec)
{
	(void)spec;
	return false;
}

void uapi_run_engine(void)
{
}

/* A text of the driver's, by name: NULL when it does not answer. The caller frees it. */
static char *query(const char *name)
{
	struct wire_hello h = { .magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = WIRE_QUERY };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char *text = NULL;
	const char *dir = getenv(WIRE_ENV_RUNTIME);
	struct wire_welcome w;
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), answer;
	off_t len;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir ? dir : "", WIRE_SOCKET_NAME);
	snprintf(h.name, sizeof(h.name), "%s", name);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
	    send(fd, &h, sizeof(h), 0) == sizeof(h) && recvmsg(fd, &msg, 0) == sizeof(w) &&
	    CMSG_FIRSTHDR(&msg)) {
		memcpy(&answer, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(answer));
		len = lseek(answer, 0, SEEK_END);
		text = calloc(1, (size_t)len + 1);
		if (pread(answer, text, (size_t)len, 0) != len)
			text[0] = '\0';
		close(answer);
	}
	close(fd);
	return text;
}

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

bool uapi_usage(struct uapi_usage *ret_usage)
{
	char *text = query("status");
	json_t *status = text ? json_loads(text, 0, NULL) : NULL;
	json_t *system = json_object_get(status, "system");
	json_t *item;
	size_t i;

	free(text);
	if (!status)
		return false;
	*ret_usage = (struct uapi_usage){ .system = number(system, "used") +
						    number(system, "ttm_used") };
	json_array_foreach(json_object_get(status, "gpus"), i, item)
		ret_usage->vram += number(item, "vram_used") + number(item, "vram_charged") +
				   number(item, "page_tables");
	json_array_foreach(json_object_get(status, "clients"), i, item) {
		ret_usage->n_clients++;
		if (number(item, "pid") == (uint64_t)getpid())
			ret_usage->own_buffers = (unsigned int)number(item, "buffers");
	}
	json_decref(status);
	return true;
}

bool uapi_settle(unsigned int n_clients)
{
	struct uapi_usage u = { .n_clients = ~0u };

	for (unsigned int i = 0; i < SETTLE_STEPS; i++) {
		if (!uapi_usage(&u))
			return false;
		if (u.n_clients == n_clients && (n_clients || !(u.vram | u.system)))
			return true;
		usleep(SETTLE_STEP_US);
	}
	fprintf(stderr, "the driver knows of %u programs, %llu bytes of VRAM and %llu of the rest\n",
		u.n_clients, (unsigned long long)u.vram, (unsigned long long)u.system);
	return false;
}

static int run_one(const char *name, const struct CMUnitTest *test)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		exit(_cmocka_run_group_tests(name, test, 1, NULL, NULL) ? 1 : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

int uapi_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		fflush(NULL);
		failed += !uapi_settle(0);
		failed += run_one(name, &tests[i]);
	}
	failed += !uapi_settle(0);
	return failed != 0;
}
