/* SPDX-License-Identifier: MIT */
#ifndef VKFD_TESTS_BENCH_GPUS_H
#define VKFD_TESTS_BENCH_GPUS_H

/**
 * DOC: A program with GPUs
 *
 * The calls that a ROCm runtime makes, over bench_os: the system's own (os_libc.c),
 * or libvkfd's (bench_lib.c). Every function ends the program when its call fails.
 */
#include <drm/drm.h>
#include <linux/kfd_ioctl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_GPUS 16
#define MIB      (UINT64_C(1) << 20)
#define GIB      (UINT64_C(1) << 30)
/* Addresses for buffers that nobody else uses. */
#define VA(n) (UINT64_C(0x200000000000) + (n)*GIB)

#define F_VRAM  (1u << 0)
#define F_GTT   (1u << 1)
#define F_EXEC  (1u << 30)
#define F_WRITE (1u << 31)

/* struct bench_os - 0, a descriptor, or a negative errno */
struct bench_os {
	int (*open)(const char *path);
	int (*ioctl)(int fd, unsigned long cmd, void *arg);
	int (*mmap)(size_t len, int prot, int fd, uint64_t offset, void **ret);
};

extern const struct bench_os *bench_os;
extern const struct bench_os bench_libc;

struct gpus {
	int kfd;
	unsigned int n;
	uint32_t id[MAX_GPUS];
	int render[MAX_GPUS];
	void *doorbells[MAX_GPUS]; /* mapped with the first queue */
};

/* Opens everything, and acquires each GPU's VM. */
void gpus_open(struct gpus *g);

uint64_t gpus_alloc(struct gpus *g, unsigned int gpu, uint64_t va, uint64_t size, uint32_t flags,
		    uint64_t *ret_offset);
void gpus_free(struct gpus *g, uint64_t handle);
/* On GPUs @first ... @first + @n - 1, in one call. */
void gpus_map(struct gpus *g, uint64_t handle, unsigned int first, unsigned int n);
void gpus_unmap(struct gpus *g, uint64_t handle, unsigned int first, unsigned int n);
/* What the program sees of a buffer of @gpu. */
void *gpus_view(struct gpus *g, unsigned int gpu, uint64_t size, uint64_t offset);
/* A call whose number the driver does not know: it is refused at once, and says so. */
void gpus_refused(struct gpus *g);

/* struct gpus_event - of type signal: what an interrupt sets */
struct gpus_event {
	uint32_t id;
};

void gpus_event_create(struct gpus *g, struct gpus_event *ret);
/* The same, and with it the page at @va where GPU 0 says which events it means; the program's view
 * of it. Once, before any other event. */
void gpus_event_page(struct gpus *g, uint64_t va, uint64_t bytes, struct gpus_event *ret_event,
		     void **ret_cpu);
void gpus_event_set(struct gpus *g, const struct gpus_event *e);
void gpus_event_wait(struct gpus *g, const struct gpus_event *e);

/* What a tick of GPU 0's clock is in that of bench_now_ns(): both began together. */
double gpus_tick_ns(struct gpus *g);

/* What bench_calls and bench_lib measure alike. */
#define CYCLE_BYTES (2 * MIB)

/* struct cycle - alloc, map, unmap, free; @arg of the functions below */
struct cycle {
	struct gpus *g;
	uint64_t va, handle;
};

void cycle_all(void *cycle);
/* Print "@prefix.alloc" and so on: each step's median. */
void cycle_steps(struct cycle *c, const char *prefix, unsigned int runs);

/* GPUs that a buffer is mapped to at once. */
#define FAN_GPUS 8

/* Map @handle to GPUs, @n in a call and @calls calls; the median time of these calls. */
double fan_time(struct gpus *g, uint64_t handle, unsigned int n, unsigned int calls);
/* Print "map1", "map8" and "map8x1" after @prefix: one GPU; FAN_GPUS in one call; in as many. */
void fan_figures(struct gpus *g, const char *prefix);

#endif
