/* SPDX-License-Identifier: MIT */
#include "uapi.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "host/env_host.h"
#include "kfd_calls.h"
#include "vkfd/vkfd.h"

#define FIRST_RENDER_MINOR 128
#define MACHINE_FILE_MAX 65536

static struct vkfd_machine *machine;
static struct vkfd_client *client; /* the address space that calls */
static pthread_t signal_thread;
static bool signal_pending;

/* The address space that ThreadSanitizer leaves is smaller than twice eight GPUs of 64 GiB. */
#ifdef __SANITIZE_THREAD__
static const char *const small[] = { "gpu.vram=1GiB", "socket.ram=8GiB" };
#define N_SMALL(name) (strcmp(name, "mi210x8") ? 0u : 2u)
#else
static const char *const small[] = { NULL };
#define N_SMALL(name) 0u
#endif
#define MAX_SETS 8

static int open_machine(const char *name, const char *const *sets, size_t n_sets)
{
	static char text[MACHINE_FILE_MAX];
	const char *all[MAX_SETS];
	char path[512], err[256];
	size_t len, n_small;
	FILE *f;
	int r;

	snprintf(path, sizeof(path), "%s/%s.json", MACHINES_DIR, name);
	f = fopen(path, "r");
	if (!f)
		return -ENOENT;
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	n_small = N_SMALL(name);
	memcpy(all, small, n_small * sizeof(*all));
	for (size_t i = 0; i < n_sets && n_small + i < MAX_SETS; i++)
		all[n_small + i] = sets[i];
	r = vkfd_machine_open(text, len, all, n_small + n_sets, &machine, err, sizeof(err));
	if (r)
		fprintf(stderr, "%s: %s\n", path, err);
	if (!r)
		r = vkfd_client_open(machine, getpid(), "uapi", &client);
	return r;
}

/* Everything that a test left must be gone with its address space, and add up. */
static void close_machine(void)
{
	char why[256] = "";

	if (signal_pending)
		pthread_join(signal_thread, NULL);
	signal_pending = false;
	vkfd_client_close(client);
	client = NULL;
	if (machine && vkfd_check(machine, why, sizeof(why)))
		fail_msg("after the test: %s", why);
	vkfd_machine_close(machine);
	machine = NULL;
}

bool uapi_machine(const char *name, const char *const *sets, size_t n_sets)
{
	close_machine();
	assert_int_equal(open_machine(name, sets, n_sets), 0);
	return true;
}

int uapi_open_kfd(void)
{
	return vkfd_open(client, "/dev/kfd");
}

int uapi_open_render(unsigned int gpu)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", FIRST_RENDER_MINOR + gpu);
	return vkfd_open(client, path);
}

int uapi_open_card(unsigned int gpu)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/dri/card%u", gpu);
	return vkfd_open(client, path);
}

int uapi_dup(int fd)
{
	return vkfd_dup(client, fd, client);
}

int uapi_close(int fd)
{
	return vkfd_close(client, fd);
}

int uapi_ioctl(int fd, unsigned long cmd, void *arg)
{
	return vkfd_ioctl(client, fd, cmd, arg);
}

int uapi_mmap(void *addr, size_t len, int prot, int flags, int fd, uint64_t offset, void **ret)
{
	return vkfd_mmap(client, addr, len, prot, flags, fd, (off_t)offset, ret);
}

int64_t uapi_lseek(int fd, int64_t offset, int whence)
{
	return vkfd_lseek(client, fd, offset, whence);
}

void uapi_few_descriptors(void)
{
}

int uapi_in_child(int (*fn)(int fd), int fd)
{
	struct vkfd_client *parent = client, *child;
	int r, inherited = -1;

	assert_int_equal(vkfd_client_open(machine, getpid() + 1, "child", &child), 0);
	if (fd >= 0) {
		inherited = vkfd_dup(parent, fd, child);
		assert_true(inherited >= 0);
	}
	client = child;
	r = fn(inherited);
	client = parent;
	vkfd_client_close(child);
	return r;
}

static void *send_signal(void *arg)
{
	struct timespec ts = { .tv_nsec = (long)(uintptr_t)arg * 1000000 };

	nanosleep(&ts, NULL);
	vkfd_interrupt(client);
	return NULL;
}

void uapi_signal_in(unsigned int ms)
{
	if (signal_pending)
		pthread_join(signal_thread, NULL);
	signal_pending = true;
	assert_int_equal(pthread_create(&signal_thread, NULL, send_signal,
					(void *)(uintptr_t)ms), 0);
}

void uapi_run_engine(void)
{
	assert_int_equal(vkfd_engine_start(client), 0);
}

bool uapi_through_shim(void)
{
	return false;
}

bool uapi_fault(const char *spec)
{
	char err[128];

	if (!spec)
		host_fault_clear();
	else if (host_fault_set(spec, err, sizeof(err)))
		fail_msg("%s: %s", spec, err);
	return true;
}

static int setup(void **state)
{
	(void)state;
	host_env_install();
	return open_machine("mi210x2", NULL, 0);
}

static int teardown(void **state)
{
	(void)state;
	host_fault_clear();
	close_machine();
	return 0;
}

int uapi_group(const char *name, const struct CMUnitTest *tests, size_t n)
{
	struct CMUnitTest *all = calloc(n, sizeof(*all));
	int r;

	memcpy(all, tests, n * sizeof(*all));
	for (size_t i = 0; i < n; i++) {
		all[i].setup_func = setup;
		all[i].teardown_func = teardown;
	}
	r = _cmocka_run_group_tests(name, all, n, NULL, NULL);
	free(all);
	return r;
}
