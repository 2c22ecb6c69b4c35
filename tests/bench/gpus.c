/* SPDX-License-Identifier: MIT */
#include "gpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "bench.h"

#define FIRST_RENDER_MINOR 128
#define UNKNOWN_CALL       _IO('K', 0x7f)
#define EVENT_SIGNAL       0
#define WAIT_MS            10000

/* @what is the call's name, for who has to find out why. */
static void call(int fd, unsigned long cmd, void *arg, const char *what)
{
	int r = bench_os->ioctl(fd, cmd, arg);

	if (r < 0)
		bench_fail("%s: %s", what, strerror(-r));
}

static int must_open(const char *path)
{
	int fd = bench_os->open(path);

	if (fd < 0)
		bench_fail("%s: %s", path, strerror(-fd));
	return fd;
}

static void find(struct gpus *g)
{
	struct kfd_process_device_apertures a[MAX_GPUS];
	struct kfd_ioctl_get_process_apertures_new_args args = { 0 };

	/* A count of 0 asks for the count. */
	call(g->kfd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args, "apertures");
	if (args.num_of_nodes > MAX_GPUS)
		bench_fail("more GPUs than this can take");
	memset(a, 0, sizeof(a));
	args.kfd_process_device_apertures_ptr = (uintptr_t)a;
	call(g->kfd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args, "apertures");
	g->n = args.num_of_nodes;
	for (unsigned int i = 0; i < g->n; i++)
		g->id[i] = a[i].gpu_id;
}

void gpus_open(struct gpus *g)
{
	memset(g, 0, sizeof(*g));
	g->kfd = must_open("/dev/kfd");
	find(g);
	for (unsigned int i = 0; i < g->n; i++) {
		struct kfd_ioctl_acquire_vm_args args = { .gpu_id = g->id[i] };
		char path[64];

		snprintf(path, sizeof(path), "/dev/dri/renderD%u", FIRST_RENDER_MINOR + i);
		g->render[i] = must_open(path);
		args.drm_fd = (uint32_t)g->render[i];
		call(g->kfd, AMDKFD_IOC_ACQUIRE_VM, &args, "acquire");
	}
}

uint64_t gpus_alloc(struct gpus *g, unsigned int gpu, uint64_t va, uint64_t size, uint32_t flags,
		    uint64_t *ret_offset)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = va,
		.size = size,
		.gpu_id = g->id[gpu],
		.flags = flags,
	};

	call(g->kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args, "alloc");
	if (ret_offset)
		*ret_offset = args.mmap_offset;
	return args.handle;
}

void gpus_free(struct gpus *g, uint64_t handle)
{
	struct kfd_ioctl_free_memory_of_gpu_args args = { .handle = handle };

	call(g->kfd, AMDKFD_IOC_FREE_MEMORY_OF_GPU, &args, "free");
}

void gpus_map(struct gpus *g, uint64_t handle, unsigned int first, unsigned int n)
{
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.handle = handle,
		.device_ids_array_ptr = (uintptr_t)&g->id[first],
		.n_devices = n,
	};

	call(g->kfd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args, "map");
}

void gpus_unmap(struct gpus *g, uint64_t handle, unsigned int first, unsigned int n)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args args = {
		.handle = handle,
		.device_ids_array_ptr = (uintptr_t)&g->id[first],
		.n_devices = n,
	};

	call(g->kfd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args, "unmap");
}

void *gpus_view(struct gpus *g, unsigned int gpu, uint64_t size, uint64_t offset)
{
	void *p;
	int r = bench_os->mmap(size, PROT_READ | PROT_WRITE, g->render[gpu], offset, &p);

	if (r < 0)
		bench_fail("mmap: %s", strerror(-r));
	return p;
}

void gpus_refused(struct gpus *g)
{
	int r = bench_os->ioctl(g->kfd, UNKNOWN_CALL, NULL);

	if (r != -ENOTTY)
		bench_fail("an unknown call: %s", r < 0 ? strerror(-r) : "accepted");
}

/* ------------------------------------------------ events */

void gpus_event_create(struct gpus *g, struct gpus_event *ret)
{
	struct kfd_ioctl_create_event_args args = { .event_type = EVENT_SIGNAL, .auto_reset = 1 };

	call(g->kfd, AMDKFD_IOC_CREATE_EVENT, &args, "create event");
	ret->id = args.event_id;
}

void gpus_event_page(struct gpus *g, uint64_t va, uint64_t bytes, struct gpus_event *ret_event,
		     void **ret_cpu)
{
	struct kfd_ioctl_create_event_args args = { .event_type = EVENT_SIGNAL, .auto_reset = 1 };
	uint64_t offset;

	args.event_page_offset = gpus_alloc(g, 0, va, bytes, F_GTT | F_WRITE, &offset);
	gpus_map(g, args.event_page_offset, 0, 1);
	*ret_cpu = gpus_view(g, 0, bytes, offset);
	/* No event is meant. */
	memset(*ret_cpu, 0xff, bytes);
	call(g->kfd, AMDKFD_IOC_CREATE_EVENT, &args, "create an event page");
	ret_event->id = args.event_id;
}

void gpus_event_set(struct gpus *g, const struct gpus_event *e)
{
	struct kfd_ioctl_set_event_args args = { .event_id = e->id };

	call(g->kfd, AMDKFD_IOC_SET_EVENT, &args, "set event");
}

void gpus_event_wait(struct gpus *g, const struct gpus_event *e)
{
	struct kfd_event_data data = { .event_id = e->id };
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)&data,
		.num_events = 1,
		.wait_for_all = 1,
		.timeout = WAIT_MS,
	};

	call(g->kfd, AMDKFD_IOC_WAIT_EVENTS, &args, "wait for an event");
	if (args.wait_result != 0)
		bench_fail("an event did not come within %d ms", WAIT_MS);
}

double gpus_tick_ns(struct gpus *g)
{
	struct kfd_ioctl_get_clock_counters_args args = { .gpu_id = g->id[0] };

	call(g->kfd, AMDKFD_IOC_GET_CLOCK_COUNTERS, &args, "clock counters");
	return (double)args.cpu_clock_counter / (double)args.gpu_clock_counter;
}

/* ------------------------------------------------ the cycle */

static void do_alloc(struct cycle *c)
{
	c->handle = gpus_alloc(c->g, 0, c->va, CYCLE_BYTES, F_VRAM | F_WRITE, NULL);
}

static void do_map(struct cycle *c)
{
	gpus_map(c->g, c->handle, 0, 1);
}

static void do_unmap(struct cycle *c)
{
	gpus_unmap(c->g, c->handle, 0, 1);
}

static void do_free(struct cycle *c)
{
	gpus_free(c->g, c->handle);
}

void cycle_all(void *cycle)
{
	do_alloc(cycle);
	do_map(cycle);
	do_unmap(cycle);
	do_free(cycle);
}

void cycle_steps(struct cycle *c, const char *prefix, unsigned int runs)
{
	static const struct {
		const char *name;
		void (*fn)(struct cycle *c);
	} step[] = {
		{ "alloc", do_alloc }, { "map", do_map }, { "unmap", do_unmap }, { "free", do_free }
	};
	double *took[4];

	for (unsigned int i = 0; i < 4; i++)
		if (!(took[i] = calloc(runs, sizeof(double))))
			bench_fail("no memory");
	for (unsigned int n = 0; n < runs; n++) {
		for (unsigned int i = 0; i < 4; i++) {
			uint64_t from = bench_now_ns();

			step[i].fn(c);
			took[i][n] = (double)(bench_now_ns() - from);
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s.%s", prefix, step[i].name);
		bench_print(name, bench_median(took[i], runs));
		free(took[i]);
	}
}

/* ------------------------------------------------ many GPUs */

#define FAN_RUNS 10

static double fan_out(struct gpus *g, uint64_t handle, unsigned int n, unsigned int calls)
{
	uint64_t from = bench_now_ns();
	double took;

	for (unsigned int i = 0; i < calls; i++)
		gpus_map(g, handle, i * n, n);
	took = (double)(bench_now_ns() - from);
	gpus_unmap(g, handle, 0, n * calls);
	return took;
}

double fan_time(struct gpus *g, uint64_t handle, unsigned int n, unsigned int calls)
{
	double rep[BENCH_REPS];

	for (unsigned int i = 0; i < BENCH_REPS; i++) {
		rep[i] = 0;
		for (unsigned int k = 0; k < FAN_RUNS; k++)
			rep[i] += fan_out(g, handle, n, calls) / FAN_RUNS;
	}
	return bench_median(rep, BENCH_REPS);
}

void fan_figures(struct gpus *g, const char *prefix)
{
	static const struct {
		const char *name;
		unsigned int n, calls;
	} way[] = { { "map1", 1, 1 }, { "map8", FAN_GPUS, 1 }, { "map8x1", 1, FAN_GPUS } };
	uint64_t handle = gpus_alloc(g, 0, VA(0), CYCLE_BYTES, F_GTT | F_WRITE, NULL);

	for (unsigned int i = 0; i < 3; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s", prefix, way[i].name);
		bench_print(name, fan_time(g, handle, way[i].n, way[i].calls));
	}
	gpus_free(g, handle);
}
