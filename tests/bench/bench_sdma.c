/* SPDX-License-Identifier: MIT */
/**
 * DOC: bench_sdma: copies, doorbells, interrupts and stops
 *
 * Under `vkfd run --` on a machine of two GPUs, with an SDMA queue of its own; its
 * arguments are the parts to measure, none for all of them. The
 * floor of a copy is the best copy of the same bytes by this process; of a doorbell,
 * a userfaultfd that wakes a thread; of an interrupt, a round trip.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"
#include "gpus.h"
#include "sdma.h"

#define COPY_REPS    15
#define COPY_BYTES   (512 * MIB) /* in a repetition */
#define COPY_LOOK_NS 20000
#define DOOR_REPS    301
/* Long enough that an engine which has nothing to do is asleep. */
#define ASLEEP_NS        3000000
#define TIMEOUT_NS       UINT64_C(10000000000)
#define PAGE             4096
#define STAMP            64
#define EVENT_PAGE_BYTES 32768

const struct bench_os *bench_os = &bench_libc;

struct bench {
	struct gpus g;
	struct sdma q;
	struct shared flags; /* a word of fences, and at STAMP a timestamp */
	uint32_t n_fences;
	double tick_ns;
};

static void sleep_ns(long ns)
{
	struct timespec ts = { 0, ns };

	nanosleep(&ts, NULL);
}

static void wait_word(const volatile uint32_t *word, uint32_t value)
{
	uint64_t until = bench_now_ns() + TIMEOUT_NS;

	while (*word != value) {
		for (int i = 0; i < 64 && *word != value; i++)
			__builtin_ia32_pause();
		if (bench_now_ns() > until)
			bench_fail("the queue does not go on");
	}
}

/* Let the queue write the next fence behind what is in the ring, and wait for it. */
static void finish(struct bench *b)
{
	sdma_fence(&b->q, b->flags.va, ++b->n_fences);
	sdma_ring(&b->q);
	wait_word(b->flags.cpu, b->n_fences);
}

/* ------------------------------------------------ copies */

struct pair {
	uint64_t src_va, dst_va;
	void *src, *dst;
};

static void *vram(struct gpus *g, unsigned int gpu, uint64_t va, uint64_t bytes)
{
	uint64_t offset,
		handle = gpus_alloc(g, gpu, va, bytes, F_VRAM | F_WRITE | (1u << 29), &offset);
	void *p = gpus_view(g, gpu, bytes, offset);

	/* The copying GPU is GPU 0. */
	gpus_map(g, handle, 0, 1);
	memset(p, (int)gpu + 1, bytes);
	return p;
}

/* @n times the same bytes: a short copy's wake-up is the doorbell's figure, not the copy's. */
static void by_memcpy(struct bench *b, const struct pair *p, uint64_t bytes, unsigned int n)
{
	while (n--)
		memcpy(p->dst, p->src, bytes);
}

static void by_movsb(struct bench *b, const struct pair *p, uint64_t bytes, unsigned int n)
{
	while (n--) {
		void *dst = p->dst;
		const void *src = p->src;
		uint64_t left = bytes;

		__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(left) : : "memory");
	}
}

static void by_sdma(struct bench *b, const struct pair *p, uint64_t bytes, unsigned int n)
{
	while (n--)
		sdma_copy(&b->q, p->dst_va, p->src_va, bytes);
	sdma_fence(&b->q, b->flags.va, ++b->n_fences);
	sdma_ring(&b->q);
	/* Leave the CPU to the engine, should there be no other. */
	while (*(volatile uint32_t *)b->flags.cpu != b->n_fences)
		sleep_ns(COPY_LOOK_NS);
}

static const struct {
	const char *name;
	void (*copy)(struct bench *b, const struct pair *p, uint64_t bytes, unsigned int n);
} ways[] = { { "memcpy", by_memcpy }, { "movsb", by_movsb }, { "sdma", by_sdma } };

#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

/* In turn, so that what disturbs one disturbs the others. Prints bytes per nanosecond. */
static void copies(struct bench *b, const struct pair *p, uint64_t bytes, const char *name)
{
	unsigned int n = (unsigned int)(bytes < COPY_BYTES ? COPY_BYTES / bytes : 1);
	double took[N_WAYS][COPY_REPS];

	for (unsigned int i = 0; i < COPY_REPS; i++) {
		for (unsigned int k = 0; k < N_WAYS; k++) {
			uint64_t from = bench_now_ns();

			ways[k].copy(b, p, bytes, n);
			took[k][i] = (double)(bench_now_ns() - from);
		}
	}
	for (unsigned int k = 0; k < N_WAYS; k++) {
		char line[64];

		snprintf(line, sizeof(line), "copy.%s.%s", name, ways[k].name);
		bench_print(line, (double)(n * bytes) / bench_median(took[k], COPY_REPS));
	}
}

static void measure_copies(struct bench *b)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} size[] = { { "1m", MIB }, { "16m", 16 * MIB }, { "64m", 64 * MIB }, { "1024m", GIB } };
	struct pair p = { .src_va = VA(20), .dst_va = VA(21) };

	p.src = vram(&b->g, 0, p.src_va, GIB);
	p.dst = vram(&b->g, 1, p.dst_va, GIB);
	by_sdma(b, &p, GIB, 1);
	if (memcmp(p.src, p.dst, GIB))
		bench_fail("a copy is not what was copied");
	for (unsigned int i = 0; i < sizeof(size) / sizeof(size[0]); i++)
		copies(b, &p, size[i].bytes, size[i].name);
}

/* ------------------------------------------------ doorbells */

static double stamp_ns(const struct bench *b)
{
	return (double)*(const volatile uint64_t *)((const char *)b->flags.cpu + STAMP) *
	       b->tick_ns;
}

/* From the store to the first packet, which notes the time, and until the program sees the fence
 * that is the second; with the engine asleep before or still looking. */
static void ring_times(struct bench *b, const char *name, long pause_ns)
{
	double first[DOOR_REPS], seen[DOOR_REPS];
	char line[64];

	for (unsigned int i = 0; i < DOOR_REPS; i++) {
		uint64_t from;

		if (pause_ns)
			sleep_ns(pause_ns);
		sdma_timestamp(&b->q, b->flags.va + STAMP);
		sdma_fence(&b->q, b->flags.va, ++b->n_fences);
		from = bench_now_ns();
		sdma_ring(&b->q);
		wait_word(b->flags.cpu, b->n_fences);
		seen[i] = (double)(bench_now_ns() - from);
		first[i] = stamp_ns(b) - (double)from;
	}
	snprintf(line, sizeof(line), "door.%s.first", name);
	bench_print(line, bench_median(first, DOOR_REPS));
	snprintf(line, sizeof(line), "door.%s.seen", name);
	bench_print(line, bench_median(seen, DOOR_REPS));
}

/* struct trap - a page whose next store wakes a thread, which lets it through and says so */
struct trap {
	int fd;
	uint32_t *page;
	uint64_t woken_ns;
	_Atomic uint32_t seen;
	atomic_bool end;
};

static int protect(struct trap *t, bool on)
{
	struct uffdio_writeprotect w = { .range = { (uintptr_t)t->page, PAGE },
					 .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };

	return ioctl(t->fd, UFFDIO_WRITEPROTECT, &w);
}

static void *catch (void *arg)
{
	struct trap *t = arg;
	struct uffd_msg m;

	while (!atomic_load(&t->end)) {
		struct pollfd p = { t->fd, POLLIN, 0 };

		if (poll(&p, 1, 100) <= 0 || read(t->fd, &m, sizeof(m)) != sizeof(m))
			continue;
		t->woken_ns = bench_now_ns();
		protect(t, false);
		atomic_fetch_add(&t->seen, 1);
	}
	return NULL;
}

/* Return: false where the system has no userfaultfd for us. */
static bool trap_open(struct trap *t)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      UFFD_FEATURE_WP_HUGETLBFS_SHMEM };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };

	t->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (t->fd < 0 || ioctl(t->fd, UFFDIO_API, &api) < 0)
		return false;
	t->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->page == MAP_FAILED)
		return false;
	t->page[0] = 0;
	reg.range.start = (uintptr_t)t->page;
	reg.range.len = PAGE;
	return ioctl(t->fd, UFFDIO_REGISTER, &reg) == 0;
}

/* The floor of an idle doorbell: nothing but the wake-up, and the way back. */
static void measure_fault(void)
{
	static struct trap t;
	double woken[DOOR_REPS], seen[DOOR_REPS];
	pthread_t thread;

	if (!trap_open(&t))
		return;
	if (pthread_create(&thread, NULL, catch, &t))
		bench_fail("no thread");
	for (uint32_t i = 0; i < DOOR_REPS; i++) {
		uint64_t from;

		if (protect(&t, true))
			bench_fail("userfaultfd: %s", strerror(errno));
		sleep_ns(ASLEEP_NS);
		from = bench_now_ns();
		*(volatile uint32_t *)t.page = i;
		wait_word((const volatile uint32_t *)&t.seen, i + 1);
		seen[i] = (double)(bench_now_ns() - from);
		woken[i] = (double)(t.woken_ns - from);
	}
	bench_print("uffd.wake", bench_median(woken, DOOR_REPS));
	bench_print("uffd.seen", bench_median(seen, DOOR_REPS));
	atomic_store(&t.end, true);
	pthread_join(thread, NULL);
}

/* ------------------------------------------------ interrupts */

/* Their floor: one round trip, when everybody has been asleep. */
static void measure_round_trip(void)
{
	double took[DOOR_REPS];
	struct bench_echo e;

	bench_echo_start(&e, -1, 0);
	for (unsigned int i = 0; i < DOOR_REPS; i++) {
		uint64_t from;

		sleep_ns(ASLEEP_NS);
		from = bench_now_ns();
		bench_echo_call(&e);
		took[i] = (double)(bench_now_ns() - from);
	}
	bench_echo_stop(&e);
	bench_print("echo.idle", bench_median(took, DOOR_REPS));
}

struct waiter {
	struct gpus *g;
	struct gpus_event event;
	uint64_t woken_ns;
	_Atomic uint32_t turns;
	atomic_bool end;
};

static void *wait_for_event(void *arg)
{
	struct waiter *w = arg;

	while (!atomic_load(&w->end)) {
		gpus_event_wait(w->g, &w->event);
		w->woken_ns = bench_now_ns();
		atomic_fetch_add(&w->turns, 1);
	}
	return NULL;
}

/* The GPU notes the time, writes the event's slot, and interrupts. */
static void raise_event(struct bench *b, const struct waiter *w, const struct shared *slots)
{
	sdma_timestamp(&b->q, b->flags.va + STAMP);
	sdma_fence(&b->q, slots->va + 8 * w->event.id, w->event.id);
	sdma_trap(&b->q, w->event.id);
	sdma_ring(&b->q);
}

/* From the packet before the interrupt to the return of WAIT_EVENTS in another thread. */
static void measure_interrupts(struct bench *b)
{
	struct waiter w = { .g = &b->g };
	double took[DOOR_REPS];
	struct shared slots;
	pthread_t thread;

	measure_round_trip();
	gpus_event_page(&b->g, VA(30), EVENT_PAGE_BYTES, &w.event, &slots.cpu);
	slots.va = VA(30);
	if (pthread_create(&thread, NULL, wait_for_event, &w))
		bench_fail("no thread");
	for (uint32_t i = 0; i < DOOR_REPS; i++) {
		sleep_ns(ASLEEP_NS);
		raise_event(b, &w, &slots);
		while (atomic_load(&w.turns) == i)
			sleep_ns(ASLEEP_NS / 10);
		took[i] = (double)w.woken_ns - stamp_ns(b);
	}
	bench_print("irq.wake", bench_median(took, DOOR_REPS));
	atomic_store(&w.end, true);
	raise_event(b, &w, &slots);
	pthread_join(thread, NULL);
}

/* ------------------------------------------------ packets */

#define PACKET_REPS 51
#define N_PACKETS   2000 /* less than a ring holds */
#define SMALL_BYTES 64

static void nops(struct bench *b, unsigned int n)
{
	while (n--)
		sdma_nop(&b->q);
}

static void small_copies(struct bench *b, unsigned int n)
{
	while (n--)
		sdma_copy(&b->q, b->flags.va + 2048, b->flags.va + 1024, SMALL_BYTES);
}

/* Packets a second of one queue, between two of its own timestamps. */
static double packet_rate(struct bench *b, void (*put)(struct bench *b, unsigned int n))
{
	const volatile uint64_t *from, *to;
	double took[PACKET_REPS];

	from = (const volatile uint64_t *)((const char *)b->flags.cpu + STAMP);
	to = from + 4;
	for (unsigned int i = 0; i < PACKET_REPS; i++) {
		sdma_timestamp(&b->q, b->flags.va + STAMP);
		put(b, N_PACKETS);
		sdma_timestamp(&b->q, b->flags.va + STAMP + 32);
		finish(b);
		took[i] = b->tick_ns * (double)(*to - *from);
	}
	return N_PACKETS / bench_median(took, PACKET_REPS) * 1e9;
}

static void measure_packets(struct bench *b)
{
	bench_print("packets.nop", packet_rate(b, nops));
	bench_print("packets.copy", packet_rate(b, small_copies));
}

/* ------------------------------------------------ stops */

static void stop_and_run(void *arg)
{
	struct bench *b = arg;

	sdma_update(&b->q, 0);
	sdma_update(&b->q, 100);
}

/* Its time alone, with an engine that just worked or that sleeps. */
static double stop_time(struct bench *b, long pause_ns)
{
	double took[DOOR_REPS];

	for (unsigned int i = 0; i < DOOR_REPS; i++) {
		uint64_t from;

		finish(b);
		if (pause_ns)
			sleep_ns(pause_ns);
		from = bench_now_ns();
		sdma_update(&b->q, 0);
		took[i] = (double)(bench_now_ns() - from);
		sdma_update(&b->q, 100);
	}
	return bench_median(took, DOOR_REPS);
}

static void measure_stops(struct bench *b)
{
	stop_and_run(b);
	bench_print("stop.busy", stop_time(b, 0));
	bench_print("stop.idle", stop_time(b, ASLEEP_NS));
}

static void measure_doors(struct bench *b)
{
	ring_times(b, "busy", 0);
	measure_fault();
	ring_times(b, "idle", ASLEEP_NS);
}

static const struct {
	const char *name;
	void (*measure)(struct bench *b);
} parts[] = {
	{ "copies", measure_copies },   { "packets", measure_packets },
	{ "doorbells", measure_doors }, { "interrupts", measure_interrupts },
	{ "stops", measure_stops },
};

static bool is_wanted(const char *part, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], part))
			return true;
	}
	return argc < 2;
}

int main(int argc, char **argv)
{
	static struct bench b;

	gpus_open(&b.g);
	b.tick_ns = gpus_tick_ns(&b.g);
	if (b.g.n < 2)
		bench_fail("expected a machine of two GPUs");
	sdma_create(&b.g, 0, 0, &b.q);
	shared_create(&b.g, 0, VA(10), PAGE, &b.flags);
	finish(&b);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (is_wanted(parts[i].name, argc, argv))
			parts[i].measure(&b);
	}
	sdma_destroy(&b.q);
	return 0;
}
