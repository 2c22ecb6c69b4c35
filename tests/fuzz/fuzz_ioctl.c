/* SPDX-License-Identifier: MIT */
/*
 * Any sequence of calls, from several processes, with whatever arguments and pointers: nothing
 * crashes, what the memory manager holds stays consistent, and when the processes have gone nothing
 * of them is left. Input bytes choose the calls; without libFuzzer a fixed generator writes them.
 *
 * Values come from what earlier calls returned as often as out of nothing, so that sequences get
 * somewhere.
 */
#include <drm/drm.h>
#include <linux/kfd_ioctl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "vkfd/vkfd.h"

#include <amdgpu_drm.h>

#define N_CLIENTS 3
#define N_GPUS 2
#define N_VALUES 64
#define MAX_CALLS 400
#define BLOCK 512
#define VA_BASE 0x200000000000ull
#define PAGE 4096ull
#define QUEUE_VA 0x300000000000ull
#define QUEUE_SLOTS 4
#define MEMORY_BYTES (64 * PAGE)
#define GUARDED_BYTES (16ull << 20) /* with what a length that lies would reach */

static atomic_ulong succeeded[256], called[256]; /* by number */

/* struct input - bytes that decide; zeros once it has run out */
struct input {
	const uint8_t *at, *end;
};

enum kind { HANDLES, EVENTS, QUEUES, OFFSETS, DMABUFS, N_KINDS };

struct program {
	struct vkfd_client *client;
	int kfd, render[N_GPUS];
	uint64_t known[N_KINDS][N_VALUES]; /* what calls have returned */
	unsigned int n_known[N_KINDS];
	void *memory;                      /* ordinary memory of it */
	uint32_t *gpu_ids;                 /* in it, so that a length may lie */
	bool steps_engine;
};

struct world {
	struct vkfd_machine *machine;
	struct program programs[N_CLIENTS];
};

static _Thread_local struct program *now; /* who calls */

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | (in->at < in->end ? *in->at++ : 0);
	return v;
}

static void die(const char *what)
{
	fprintf(stderr, "fuzz_ioctl: %s\n", what);
	abort();
}

static void learn(struct program *p, enum kind kind, uint64_t v)
{
	p->known[kind][p->n_known[kind]++ % N_VALUES] = v;
}

/* One of the last few, or 0. */
static uint64_t known(struct world *w, struct input *in, enum kind kind)
{
	unsigned int n = now->n_known[kind], back = (unsigned int)take(in, 1) % 16;

	return n ? now->known[kind][(n - 1 - back % n) % N_VALUES] : 0;
}

/* ------------------------------------------------ values */

static uint64_t edge(uint64_t n)
{
	static const uint64_t edges[] = {
		0, 1, 2, 7, 8, 15, 16, 100, 101, 127, 255, 1024, 4095, 4096, 4097, 8192, 32768,
		65536, 0x200000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 40,
		1ull << 47, 1ull << 48, 1ull << 62, 1ull << 63, UINT64_MAX - 4095, UINT64_MAX,
	};

	return edges[n % (sizeof(edges) / sizeof(edges[0]))];
}

static uint64_t any_value(struct world *w, struct input *in)
{
	switch (take(in, 1) % 8) {
	case 0:
	case 1:
		return known(w, in, take(in, 1) % N_KINDS);
	case 2:
		return now->gpu_ids[take(in, 1) % N_GPUS];
	case 3:
		return VA_BASE + (take(in, 1) % 64) * 16 * PAGE;
	case 4:
		return (uintptr_t)now->memory + take(in, 2);
	case 5:
		return edge(take(in, 1));
	case 6:
		return take(in, 1) * PAGE;
	default:
		return take(in, 8);
	}
}

/* A sanitizer's own memory is in this process, too, and a bad pointer must not hit it. */
static uint64_t value(struct world *w, struct input *in)
{
	uint64_t v = any_value(w, in);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(VKFD_LIBFUZZER)
	if (v >= 0x10000 && v < 0x700000000000)
		v &= 0xffff;
#endif
	return v;
}

/* A field that is what it should be more often than not. */
static uint64_t likely(struct world *w, struct input *in, uint64_t good)
{
	return take(in, 1) % 8 ? good : value(w, in);
}

static uint32_t some_gpu(struct world *w, struct input *in)
{
	return (uint32_t)likely(w, in, now->gpu_ids[take(in, 1) % N_GPUS]);
}

/* ------------------------------------------------ calls that can succeed */

/* struct shot - one ioctl: its number, its block and how much of that */
struct shot {
	uint32_t nr, size;
	uint64_t block[BLOCK / 8];
};

static void build_alloc(struct world *w, struct input *in, struct shot *s)
{
	static const uint32_t kinds[] = { 1, 2, 4, 8, 16, 3, 0x08000001, 0x08000002 };
	struct kfd_ioctl_alloc_memory_of_gpu_args *a = (void *)s->block;

	a->va_addr = likely(w, in, VA_BASE + (take(in, 1) % 64) * 16 * PAGE);
	a->size = likely(w, in, (1 + take(in, 1) % 40) * PAGE);
	a->mmap_offset = likely(w, in, (uintptr_t)now->memory);
	a->gpu_id = some_gpu(w, in);
	a->flags = (uint32_t)likely(w, in, kinds[take(in, 1) % 8] | (take(in, 1) << 24 & ~0x8000000u));
	s->nr = 0x16;
	s->size = sizeof(*a);
}

static void build_map(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_map_memory_to_gpu_args *a = (void *)s->block;

	a->handle = likely(w, in, known(w, in, HANDLES));
	a->device_ids_array_ptr = likely(w, in, (uintptr_t)now->gpu_ids);
	a->n_devices = (uint32_t)likely(w, in, 1 + take(in, 1) % N_GPUS);
	a->n_success = (uint32_t)likely(w, in, 0);
	s->nr = take(in, 1) % 2 ? 0x18 : 0x19;
	s->size = sizeof(*a);
}

static void build_free(struct world *w, struct input *in, struct shot *s)
{
	s->block[0] = likely(w, in, known(w, in, HANDLES));
	s->nr = 0x17;
	s->size = 8;
}

/* Ring and pointers where prepare_queue() puts them, or anywhere. */
static void build_queue(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_create_queue_args *a = (void *)s->block;
	uint64_t va = QUEUE_VA + (take(in, 1) % QUEUE_SLOTS) * 16 * PAGE;

	a->ring_base_address = likely(w, in, va);
	a->write_pointer_address = likely(w, in, va + 4 * PAGE);
	a->read_pointer_address = likely(w, in, va + 8 * PAGE + 64);
	a->ring_size = (uint32_t)likely(w, in, PAGE);
	a->gpu_id = some_gpu(w, in);
	a->queue_type = (uint32_t)likely(w, in, take(in, 1) % 2 ? 1 : 3);
	a->queue_percentage = (uint32_t)likely(w, in, 100);
	a->queue_priority = (uint32_t)likely(w, in, 7);
	a->eop_buffer_address = likely(w, in, 0);
	a->ctx_save_restore_address = likely(w, in, 0);
	s->nr = 0x02;
	s->size = 96;
}

static void build_queue_op(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_update_queue_args *u = (void *)s->block;
	uint32_t id = (uint32_t)likely(w, in, known(w, in, QUEUES));

	switch (take(in, 1) % 4) {
	case 0:
		u->ring_base_address = likely(w, in, QUEUE_VA + (take(in, 1) % 2) * 16 * PAGE);
		u->queue_id = id;
		u->ring_size = (uint32_t)likely(w, in, PAGE);
		u->queue_percentage = (uint32_t)take(in, 1) % 104;
		s->nr = 0x07;
		s->size = sizeof(*u);
		break;
	case 1:
		((struct kfd_ioctl_alloc_queue_gws_args *)u)->queue_id = id;
		((struct kfd_ioctl_alloc_queue_gws_args *)u)->num_gws = (uint32_t)take(in, 1) % 3;
		s->nr = 0x1e;
		s->size = 16;
		break;
	default:
		((struct kfd_ioctl_destroy_queue_args *)u)->queue_id = id;
		s->nr = 0x03;
		s->size = 8;
	}
}

static void build_event_op(struct world *w, struct input *in, struct shot *s)
{
	s->block[0] = likely(w, in, known(w, in, EVENTS));
	s->nr = 0x09 + (uint32_t)take(in, 1) % 3;
	s->size = 8;
}

static void build_event(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_create_event_args *a = (void *)s->block;

	a->event_page_offset = take(in, 1) % 4 ? 0 : value(w, in);
	a->event_type = (uint32_t)take(in, 1) % 10;
	a->auto_reset = (uint32_t)take(in, 1) % 2;
	s->nr = 0x08;
	s->size = sizeof(*a);
}

/* Never for long: nobody comes to wake it. */
static void build_wait(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_wait_events_args *a = (void *)s->block;
	struct kfd_event_data *data = now->memory;

	for (unsigned int i = 0; i < 4; i++) {
		memset(&data[i], 0, sizeof(data[i]));
		data[i].event_id = (uint32_t)likely(w, in, known(w, in, EVENTS));
		*(uint64_t *)&data[i] = take(in, 1) % 4;
	}
	a->events_ptr = likely(w, in, (uintptr_t)data);
	a->num_events = (uint32_t)take(in, 1) % 5;
	a->wait_for_all = (uint32_t)take(in, 1) % 2;
	a->timeout = (uint32_t)take(in, 1) % 2;
	s->nr = 0x0c;
	s->size = sizeof(*a);
}

static void build_acquire(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_acquire_vm_args *a = (void *)s->block;
	unsigned int gpu = take(in, 1) % N_GPUS;

	a->drm_fd = (uint32_t)likely(w, in, 1 + gpu);
	a->gpu_id = (uint32_t)likely(w, in, now->gpu_ids[gpu]);
	s->nr = 0x15;
	s->size = sizeof(*a);
}

struct export_args {
	uint64_t handle;
	uint32_t flags, fd;
};

static void build_export(struct world *w, struct input *in, struct shot *s)
{
	struct export_args *a = (void *)s->block;

	a->handle = likely(w, in, known(w, in, HANDLES));
	a->flags = (uint32_t)value(w, in);
	s->nr = 0x24;
	s->size = sizeof(*a);
}

static void build_import(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_import_dmabuf_args *a = (void *)s->block;

	a->va_addr = likely(w, in, VA_BASE + (take(in, 1) % 64) * 16 * PAGE);
	a->gpu_id = some_gpu(w, in);
	a->dmabuf_fd = (uint32_t)likely(w, in, known(w, in, DMABUFS));
	s->nr = 0x1d;
	s->size = sizeof(*a);
}

static void build_info(struct world *w, struct input *in, struct shot *s)
{
	struct kfd_ioctl_get_dmabuf_info_args *a = (void *)s->block;

	a->metadata_ptr = take(in, 1) % 4 ? 0 : value(w, in);
	a->metadata_size = (uint32_t)value(w, in);
	a->dmabuf_fd = (uint32_t)likely(w, in, known(w, in, DMABUFS));
	s->nr = 0x1c;
	s->size = sizeof(*a);
}

/* Any number, any size, any contents; a wait must still end. */
static void build_wild(struct world *w, struct input *in, struct shot *s)
{
	s->nr = (uint32_t)take(in, 1) % 0x2a;
	s->size = (uint32_t)take(in, 2) % (BLOCK + 1);
	for (unsigned int i = 0; i < 16; i++)
		s->block[i] = value(w, in);
	if (s->nr == 0x0c) {
		struct kfd_ioctl_wait_events_args *a = (void *)s->block;

		a->timeout = 0;
		s->size = s->size < sizeof(*a) ? 0 : s->size;
		a->num_events %= 8;
	}
}

typedef void (*build_fn)(struct world *w, struct input *in, struct shot *s);

static const build_fn builders[] = {
	build_alloc, build_alloc, build_alloc, build_map, build_map, build_map, build_map,
	build_free, build_free, build_queue, build_queue, build_queue_op, build_event, build_event_op,
	build_export, build_export, build_import, build_import, build_info, build_wait, build_acquire,
	build_wild, build_wild, build_wild, build_wild,
};

/* ------------------------------------------------ one call */

static void learn_from(struct program *p, const struct shot *s)
{
	const struct kfd_ioctl_alloc_memory_of_gpu_args *alloc = (const void *)s->block;
	const struct kfd_ioctl_create_event_args *ev = (const void *)s->block;
	const struct kfd_ioctl_create_queue_args *q = (const void *)s->block;
	const struct kfd_ioctl_import_dmabuf_args *import = (const void *)s->block;
	const struct export_args *export = (const void *)s->block;

	if (s->nr == 0x16) {
		learn(p, HANDLES, alloc->handle);
		learn(p, OFFSETS, alloc->mmap_offset);
	} else if (s->nr == 0x1d) {
		learn(p, HANDLES, import->handle);
	} else if (s->nr == 0x24) {
		learn(p, DMABUFS, export->fd);
	} else if (s->nr == 0x08) {
		learn(p, EVENTS, ev->event_id);
	} else if (s->nr == 0x02) {
		learn(p, QUEUES, q->queue_id);
		learn(p, OFFSETS, q->doorbell_offset);
	}
}

static void fire_kfd(struct world *w, struct program *p, struct input *in)
{
	struct shot s = { 0 };
	void *arg = s.block;
	int r;

	builders[take(in, 1) % (sizeof(builders) / sizeof(builders[0]))](w, in, &s);
	if (take(in, 1) % 32 == 0)
		arg = (void *)(uintptr_t)value(w, in);
	/* Only the number selects; the rest of the word may be anything but the size. */
	r = vkfd_ioctl(p->client, p->kfd, _IOC(take(in, 1) % 4, 'K', s.nr, s.size), arg);
	if (r > 0)
		die("a call returned more than 0");
	called[s.nr & 0xff]++;
	succeeded[s.nr & 0xff] += r == 0;
	if (r == 0 && arg == s.block)
		learn_from(p, &s);
}

static void fire_drm(struct world *w, struct program *p, struct input *in)
{
	uint64_t block[BLOCK / 8];
	uint32_t nr = (uint32_t)take(in, 1), size = (uint32_t)take(in, 2) % (BLOCK + 1);

	for (unsigned int i = 0; i < 8; i++)
		block[i] = value(w, in);
	vkfd_ioctl(p->client, p->render[take(in, 1) % N_GPUS],
		   _IOC(take(in, 1) % 4, 'd', take(in, 1) % 2 ? 0x45 : nr, size), block);
}

static void fire_mmap(struct world *w, struct program *p, struct input *in)
{
	uint64_t offset = likely(w, in, known(w, in, OFFSETS)) & ~(PAGE - 1), len = (1 + take(in, 1) % 16) * PAGE;
	bool kfd = take(in, 1) % 2;
	void *m;

	if (vkfd_mmap(p->client, NULL, len, PROT_READ | PROT_WRITE,
		      take(in, 1) % 4 ? MAP_SHARED : MAP_PRIVATE,
		      kfd ? p->kfd : p->render[take(in, 1) % N_GPUS], (off_t)offset, &m) == 0)
		munmap(m, len);
}

/* A device stays open: the rest of the sequence needs it. */
static int some_dmabuf(struct world *w, struct input *in)
{
	int fd = (int)known(w, in, DMABUFS);

	return fd > now->render[N_GPUS - 1] ? fd : -1;
}

static void fire_dmabuf(struct world *w, struct program *p, struct input *in)
{
	uint64_t block[4] = { take(in, 1) % 10, value(w, in), value(w, in), value(w, in) };
	uint64_t len = (1 + take(in, 1) % 64) * PAGE;
	struct program *other = &w->programs[take(in, 1) % N_CLIENTS];
	int fd = some_dmabuf(w, in), copy;
	void *m;

	switch (take(in, 1) % 6) {
	case 0:
		vkfd_close(p->client, fd);
		break;
	case 1:
		vkfd_lseek(p->client, fd, (int64_t)(take(in, 1) % 2), (int)take(in, 1) % 4);
		break;
	case 2:
		if (vkfd_mmap(p->client, NULL, len, take(in, 1) % 4, take(in, 1) % 2 ? MAP_SHARED : MAP_PRIVATE,
			      fd, (off_t)(take(in, 1) % 8 * PAGE), &m) == 0)
			munmap(m, len);
		break;
	case 3:
		/* Another process gets one, and does with it what it does. */
		copy = vkfd_dup(p->client, fd, other->client);
		if (copy >= 0 && other == p)
			learn(p, DMABUFS, (uint64_t)copy);
		else if (copy >= 0 && take(in, 1) % 2)
			vkfd_close(other->client, copy);
		break;
	default:
		vkfd_ioctl(p->client, fd, _IOC(take(in, 1) % 4, 'b', take(in, 1) % 5, take(in, 1) % 2 ? 8 : 4),
			   take(in, 1) % 8 ? block : NULL);
	}
}

static void fire(struct world *w, struct input *in)
{
	struct program *p = now;

	switch (take(in, 1) % 16) {
	case 0:
		fire_drm(w, p, in);
		break;
	case 1:
		fire_mmap(w, p, in);
		break;
	case 2:
		if (p->steps_engine)
			vkfd_engine_step(p->client);
		break;
	case 3:
		fire_dmabuf(w, p, in);
		break;
	default:
		fire_kfd(w, p, in);
	}
}

/* ------------------------------------------------ the world */

static void acquire(struct world *w, struct program *p)
{
	for (unsigned int i = 0; i < N_GPUS; i++) {
		struct kfd_ioctl_acquire_vm_args a = {
			.drm_fd = (uint32_t)p->render[i], .gpu_id = now->gpu_ids[i]
		};

		if (vkfd_ioctl(p->client, p->kfd, AMDKFD_IOC_ACQUIRE_VM, &a))
			die("ACQUIRE_VM");
	}
}

/* What a queue lives on, at each slot's addresses, on both GPUs: to be used, unmapped and freed. */
static void prepare_queue(struct world *w, struct program *p, uint64_t va)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args a = {
		.va_addr = va, .size = PAGE, .gpu_id = now->gpu_ids[0], .flags = 0xc0000002
	};
	struct kfd_ioctl_map_memory_to_gpu_args m = {
		.device_ids_array_ptr = (uintptr_t)now->gpu_ids, .n_devices = N_GPUS
	};

	if (vkfd_ioctl(p->client, p->kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &a))
		die("ALLOC");
	m.handle = a.handle;
	if (vkfd_ioctl(p->client, p->kfd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &m))
		die("MAP");
	learn(p, HANDLES, a.handle);
}

static void prepare_queues(struct world *w, struct program *p)
{
	for (unsigned int i = 0; i < QUEUE_SLOTS; i++)
		for (unsigned int page = 0; page <= 8; page += 4)
			prepare_queue(w, p, QUEUE_VA + (i * 16 + page) * PAGE);
}

static void give_memory(struct program *p, const uint32_t *gpu_ids)
{
	p->memory = mmap(NULL, GUARDED_BYTES, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->memory == MAP_FAILED || mprotect(p->memory, MEMORY_BYTES, PROT_READ | PROT_WRITE))
		die("mmap");
	p->gpu_ids = (uint32_t *)((char *)p->memory + MEMORY_BYTES / 2);
	if (gpu_ids)
		memcpy(p->gpu_ids, gpu_ids, N_GPUS * sizeof(*gpu_ids));
}

static void start_program(struct world *w, struct program *p, unsigned int n)
{
	struct kfd_process_device_apertures a[N_GPUS];
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a, .num_of_nodes = N_GPUS
	};

	now = p;
	p->steps_engine = true;
	give_memory(p, NULL);
	if (vkfd_client_open(w->machine, 1000 + (int)n, "fuzz", &p->client))
		die("client");
	p->kfd = vkfd_open(p->client, "/dev/kfd");
	p->render[0] = vkfd_open(p->client, "/dev/dri/renderD128");
	p->render[1] = vkfd_open(p->client, "/dev/dri/renderD129");
	if (p->kfd < 0 || p->render[0] < 0 || p->render[1] < 0)
		die("open");
	if (vkfd_ioctl(p->client, p->kfd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args))
		die("apertures");
	for (unsigned int i = 0; i < N_GPUS; i++)
		now->gpu_ids[i] = a[i].gpu_id;
	/* The last one has to find out by itself. */
	if (n + 1 < N_CLIENTS) {
		acquire(w, p);
		prepare_queues(w, p);
	}
}

static void check(struct world *w)
{
	char why[256] = "";

	if (vkfd_check(w->machine, why, sizeof(why)))
		die(why);
}

static const char *machine_text(size_t *ret_len)
{
	static char text[65536];
	static size_t len;
	FILE *f;

	if (!len) {
		f = fopen(MACHINES_DIR "/mi210x2.json", "r");
		len = f ? fread(text, 1, sizeof(text), f) : 0;
		if (f)
			fclose(f);
	}
	*ret_len = len;
	return text;
}

static void start_world(struct world *w)
{
	const char *const sets[] = { "gpu.vram=256MiB", "limit.system=64MiB" };
	char err[256] = "";
	size_t len;
	const char *text = machine_text(&len);

	memset(w, 0, sizeof(*w));
	if (vkfd_machine_open(text, len, sets, 2, &w->machine, err, sizeof(err)))
		die(err);
	for (unsigned int i = 0; i < N_CLIENTS; i++)
		start_program(w, &w->programs[i], i);
}

/* The machine itself panics when it is closed with something left in it. */
static void end_world(struct world *w)
{
	for (unsigned int i = 0; i < N_CLIENTS; i++) {
		vkfd_client_close(w->programs[i].client);
		munmap(w->programs[i].memory, GUARDED_BYTES);
		check(w);
	}
	vkfd_machine_close(w->machine);
}

static void run(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct world w;

	start_world(&w);
	for (unsigned int i = 0; i < MAX_CALLS && in.at < in.end; i++) {
		now = &w.programs[take(&in, 1) % N_CLIENTS];
		fire(&w, &in);
		if (i % 64 == 63)
			check(&w);
	}
	end_world(&w);
}

#ifdef VKFD_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(data, size);
	return 0;
}
#else

/* Lengths lie, so a call may read what another thread writes: user memory is like that. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race:lib_copy_from_user\nrace:lib_copy_to_user\n";
}

/* struct runner - a program with a thread of its own, or half of one */
struct runner {
	pthread_t thread;
	struct world *w;
	struct program program; /* knows what this thread has learnt */
	struct input in;
};

static void *runner_main(void *arg)
{
	struct runner *r = arg;

	now = &r->program;
	for (unsigned int i = 0; i < MAX_CALLS && r->in.at < r->in.end; i++)
		fire(r->w, &r->in);
	return NULL;
}

/* All programs at once, two threads each: what one does to the other must be the other's own errno.
 * An engine is one thread's: only the first of a program's steps it. */
static void run_threads(const uint8_t *data, size_t size)
{
	struct runner r[2 * N_CLIENTS];
	size_t share = size / (2 * N_CLIENTS);
	struct world w;

	start_world(&w);
	for (unsigned int i = 0; i < 2 * N_CLIENTS; i++) {
		r[i].w = &w;
		r[i].program = w.programs[i % N_CLIENTS];
		r[i].program.steps_engine = i < N_CLIENTS;
		if (i >= N_CLIENTS)
			give_memory(&r[i].program, w.programs[i % N_CLIENTS].gpu_ids);
		r[i].in = (struct input){ data + i * share, data + (i + 1) * share };
		if (pthread_create(&r[i].thread, NULL, runner_main, &r[i]))
			die("pthread_create");
	}
	for (unsigned int i = 0; i < 2 * N_CLIENTS; i++) {
		pthread_join(r[i].thread, NULL);
		if (i >= N_CLIENTS)
			munmap(r[i].program.memory, GUARDED_BYTES);
	}
	check(&w);
	end_world(&w);
}

#define DEFAULT_RUNS 500
#define BYTES_OF_A_RUN 16384

/* Sequences in which nothing ever succeeds would prove little. */
static int report(void)
{
	static const uint8_t must[] = { 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0c, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1c, 0x1d, 0x1e, 0x24 };
	int r = 0;

	for (unsigned int nr = 0; nr < 256; nr++)
		if (called[nr])
			printf("0x%02x: %lu of %lu succeeded\n", nr, atomic_load(&succeeded[nr]),
			       atomic_load(&called[nr]));
	for (unsigned int i = 0; i < sizeof(must); i++) {
		if (!succeeded[must[i]]) {
			fprintf(stderr, "fuzz_ioctl: 0x%02x never succeeded\n", must[i]);
			r = 1;
		}
	}
	return r;
}

/* Arguments: how many sequences, the first seed, and "threads" for all programs at once. */
int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : DEFAULT_RUNS;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	bool threads = argc > 3 && !strcmp(argv[3], "threads");
	static uint8_t data[BYTES_OF_A_RUN];

	for (unsigned long i = 0; i < runs; i++, seed++) {
		uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15);

		for (size_t b = 0; b < sizeof(data); b++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			data[b] = (uint8_t)(x >> 32);
		}
		if (threads)
			run_threads(data, sizeof(data));
		else
			run(data, sizeof(data));
	}
	return report();
}
#endif
