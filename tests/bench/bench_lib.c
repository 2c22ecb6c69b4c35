/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_lib MACHINE.json [--mappings N]: the same calls in one process, over libvkfd
 *
 * No shim, no driver process, no sockets: what remains is the driver's own work.
 * MACHINE has at least eight GPUs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"
#include "gpus.h"
#include "vkfd/vkfd.h"

#define RUNS  40
#define STEPS 2001
#define SMALL 4096
#define MANY  1000000
#define FEW   1000

static struct vkfd_client *client;

static int lib_open(const char *path)
{
	return vkfd_open(client, path);
}

static int lib_ioctl(int fd, unsigned long cmd, void *arg)
{
	return vkfd_ioctl(client, fd, cmd, arg);
}

static int lib_mmap(size_t len, int prot, int fd, uint64_t offset, void **ret)
{
	return vkfd_mmap(client, NULL, len, prot, MAP_SHARED, fd, (off_t)offset, ret);
}

static const struct bench_os lib_os = { lib_open, lib_ioctl, lib_mmap };
const struct bench_os *bench_os = &lib_os;

static struct vkfd_machine *open_machine(const char *path)
{
	static char json[1 << 20];
	char err[256] = "cannot be opened";
	struct vkfd_machine *m;
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, json, sizeof(json));

	if (n < 0 || vkfd_machine_open(json, (size_t)n, NULL, 0, &m, err, sizeof(err)))
		bench_fail("%s: %s", path, err);
	close(fd);
	return m;
}

static void refused(void *arg)
{
	gpus_refused(arg);
}

/* ------------------------------------------------ many mappings */

static void add_mappings(struct gpus *g, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++) {
		uint64_t handle = gpus_alloc(g, 0, VA(16) + (uint64_t)i * SMALL, SMALL,
					     F_VRAM | F_WRITE, NULL);

		gpus_map(g, handle, 0, 1);
	}
}

static void many_mappings(struct gpus *g, unsigned int many)
{
	uint64_t handle = gpus_alloc(g, 0, VA(0), CYCLE_BYTES, F_VRAM | F_WRITE, NULL);

	add_mappings(g, 0, FEW);
	bench_print("lib.map.few", fan_time(g, handle, 1, 1));
	add_mappings(g, FEW, many);
	bench_print("lib.map.many", fan_time(g, handle, 1, 1));
	gpus_free(g, handle);
}

int main(int argc, char **argv)
{
	struct vkfd_machine *m = open_machine(argc > 1 ? argv[1] : "");
	struct gpus g;
	struct cycle c = { .g = &g, .va = VA(0) };
	int r = vkfd_client_open(m, getpid(), "bench", &client);

	bench_pin(bench_option(argc, argv, "--cpu", -1));
	if (r)
		bench_fail("no client: %s", strerror(-r));
	gpus_open(&g);
	if (g.n < FAN_GPUS)
		bench_fail("expected a machine of %d GPUs", FAN_GPUS);
	bench_print("lib.refused", bench_time(refused, &g, RUNS * 10));
	bench_print("lib.cycle", bench_time(cycle_all, &c, RUNS));
	cycle_steps(&c, "lib.cycle", STEPS);
	fan_figures(&g, "lib.");
	many_mappings(&g, (unsigned int)bench_option(argc, argv, "--mappings", MANY));
	vkfd_client_close(client);
	vkfd_machine_close(m);
	return 0;
}
