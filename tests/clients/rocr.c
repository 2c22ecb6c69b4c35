/* SPDX-License-Identifier: MIT */
/**
 * DOC: rocr: what a ROCm runtime asks of queues, without a kernel
 *
 *	rocr copies	every direction there is, sizes and offsets that fit nothing
 *	rocr rect	sub-windows of two and three dimensions
 *	rocr barriers	AQL barriers between queues, of both kinds
 *	rocr signals	thousands of signals, each waited for
 *	rocr queues N	N queues at once, used in turn
 *	rocr shutdown	the end, with work under way and work that waits for ever
 *	rocr busy	copies and barriers, from when it says where its memory is to the end of its input
 *	rocr gone	a copy out of memory that is unmapped meanwhile
 *
 * It looks at every byte, says "right" at the end, and knows nothing of vkfd.
 */
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <pthread.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_GPUS   4
#define MAX_QUEUES 128
#define QUEUE_SIZE 256
#define TIMEOUT_S  100
#define NOTHING    0xa5

static hsa_agent_t cpu, gpu[MAX_GPUS];
static hsa_amd_memory_pool_t host_pool, vram[MAX_GPUS];
static unsigned int n_gpus;
static uint64_t ticks_per_s;

static void check_at(hsa_status_t s, const char *what, int line)
{
	if (s == HSA_STATUS_SUCCESS)
		return;
	fprintf(stderr, "rocr.c:%d: %s: status 0x%x\n", line, what, (unsigned int)s);
	exit(1);
}

#define CHECK(call) check_at(call, #call, __LINE__)

static void expect_at(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "rocr.c:%d: not so: %s\n", line, what);
	exit(1);
}

#define EXPECT(cond) expect_at(cond, #cond, __LINE__)

/* ------------------------------------------------ the machine */

static hsa_status_t note_pool(hsa_amd_memory_pool_t pool, void *ret_pool)
{
	hsa_amd_segment_t segment;
	uint32_t flags;
	bool may;

	CHECK(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment));
	CHECK(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED,
					   &may));
	if (segment != HSA_AMD_SEGMENT_GLOBAL || !may)
		return HSA_STATUS_SUCCESS;
	CHECK(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, &flags));
	if (flags & HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_KERNARG_INIT)
		return HSA_STATUS_SUCCESS;
	*(hsa_amd_memory_pool_t *)ret_pool = pool;
	return HSA_STATUS_INFO_BREAK;
}

static hsa_status_t note_agent(hsa_agent_t agent, void *unused)
{
	hsa_device_type_t type;

	CHECK(hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type));
	if (type == HSA_DEVICE_TYPE_CPU && !cpu.handle) {
		cpu = agent;
		hsa_amd_agent_iterate_memory_pools(agent, note_pool, &host_pool);
	} else if (type == HSA_DEVICE_TYPE_GPU && n_gpus < MAX_GPUS) {
		gpu[n_gpus] = agent;
		hsa_amd_agent_iterate_memory_pools(agent, note_pool, &vram[n_gpus++]);
	}
	return HSA_STATUS_SUCCESS;
}

static void find_machine(void)
{
	CHECK(hsa_init());
	CHECK(hsa_iterate_agents(note_agent, NULL));
	CHECK(hsa_system_get_info(HSA_SYSTEM_INFO_TIMESTAMP_FREQUENCY, &ticks_per_s));
	EXPECT(n_gpus && cpu.handle);
}

static void *allocate(hsa_amd_memory_pool_t pool, size_t bytes)
{
	void *p;

	CHECK(hsa_amd_memory_pool_allocate(pool, bytes, 0, &p));
	CHECK(hsa_amd_agents_allow_access(n_gpus, gpu, NULL, p));
	return p;
}

static hsa_signal_t signal_of(hsa_signal_value_t v)
{
	hsa_signal_t s;

	CHECK(hsa_signal_create(v, 0, NULL, &s));
	return s;
}

static void wait_for_at(hsa_signal_t s, int line)
{
	hsa_signal_value_t v = hsa_signal_wait_scacquire(
		s, HSA_SIGNAL_CONDITION_LT, 1, TIMEOUT_S * ticks_per_s, HSA_WAIT_STATE_BLOCKED);

	expect_at(v == 0, "the signal is 0", line);
}

#define WAIT_FOR(s) wait_for_at(s, __LINE__)

/* ------------------------------------------------ copies */

static uint8_t byte_at(size_t i, unsigned int seed)
{
	return (uint8_t)((i * 2654435761u + seed * 40503u) >> 7);
}

static void copy(void *dst, hsa_agent_t dst_agent, const void *src, hsa_agent_t src_agent, size_t n)
{
	hsa_signal_t done = signal_of(1);

	CHECK(hsa_amd_memory_async_copy(dst, dst_agent, src, src_agent, n, 0, NULL, done));
	WAIT_FOR(done);
	CHECK(hsa_signal_destroy(done));
}

struct place {
	hsa_agent_t agent;
	hsa_amd_memory_pool_t pool;
};

/* From the host to @a, from there to @b, and back: all but the bytes between stay as they were. */
static void copy_round(const struct place *a, const struct place *b, size_t bytes, size_t off)
{
	static unsigned int seed;
	size_t room = bytes + off + 64;
	uint8_t *host = allocate(host_pool, 2 * room), *back = host + room;
	uint8_t *x = allocate(a->pool, room), *y = allocate(b->pool, room);

	seed++;
	for (size_t i = 0; i < bytes; i++)
		host[i] = byte_at(i, seed);
	memset(back, NOTHING, room);
	copy(x + off, a->agent, host, cpu, bytes);
	copy(y, b->agent, x + off, a->agent, bytes);
	copy(back + off, cpu, y, b->agent, bytes);
	for (size_t i = 0; i < room; i++)
		EXPECT(back[i] == (i < off || i >= off + bytes ? NOTHING : byte_at(i - off, seed)));
	CHECK(hsa_amd_memory_pool_free(x));
	CHECK(hsa_amd_memory_pool_free(y));
	CHECK(hsa_amd_memory_pool_free(host));
}

static void copies(void)
{
	static const size_t sizes[] = { 1, 3, 64, 4095, 4097, 1 << 20, (3 << 20) + 5, 9 << 20 };
	struct place place[MAX_GPUS + 1] = { { cpu, host_pool } };

	for (unsigned int i = 0; i < n_gpus; i++)
		place[i + 1] = (struct place){ gpu[i], vram[i] };
	for (unsigned int i = 0; i <= n_gpus; i++) {
		for (unsigned int j = 0; j <= n_gpus; j++) {
			/* The runtime copies within the host and within a GPU with kernels. */
			if (i == j)
				continue;
			for (unsigned int k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
				copy_round(&place[i], &place[j], sizes[k], k % 3 * 4);
		}
	}
}

/* ------------------------------------------------ rectangles */

#define PITCH 512u
#define ROWS  40u
#define SLICE (PITCH * ROWS)
#define DEPTH 5u

static void copy_rect(void *dst, hsa_dim3_t to, void *src, hsa_dim3_t from, hsa_dim3_t range,
		      hsa_amd_copy_direction_t dir)
{
	hsa_pitched_ptr_t d = { dst, PITCH, SLICE }, s = { src, PITCH, SLICE };
	hsa_signal_t done = signal_of(1);

	CHECK(hsa_amd_memory_async_copy_rect(&d, &to, &s, &from, &range, gpu[0], dir, 0, NULL,
					     done));
	WAIT_FOR(done);
	CHECK(hsa_signal_destroy(done));
}

static bool within(uint32_t v, uint32_t from, uint32_t n)
{
	return v >= from && v - from < n;
}

/* Whether @back holds @range of @host, moved from @from to @to, and else nothing. */
static void check_rect(const uint8_t *host, const uint8_t *back, hsa_dim3_t from, hsa_dim3_t to,
		       hsa_dim3_t range)
{
	for (uint32_t z = 0; z < DEPTH; z++) {
		for (uint32_t y = 0; y < ROWS; y++) {
			for (uint32_t x = 0; x < PITCH; x++) {
				bool in = within(x, to.x, range.x) && within(y, to.y, range.y) &&
					  within(z, to.z, range.z);
				size_t at = (z - to.z + from.z) * (size_t)SLICE +
					    (y - to.y + from.y) * (size_t)PITCH + x - to.x + from.x;

				EXPECT(back[z * SLICE + y * PITCH + x] ==
				       (in ? host[at] : NOTHING));
			}
		}
	}
}

static void rectangles(void)
{
	static const struct {
		hsa_dim3_t from, to, range;
	} t[] = {
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 64, 8, 1 } },
		{ { 16, 3, 0 }, { 128, 20, 0 }, { 256, 17, 1 } },
		{ { 4, 1, 1 }, { 12, 5, 2 }, { 100, 30, 3 } },
		{ { 1, 0, 0 }, { 3, 0, 0 }, { 7, 39, 5 } },
		{ { 0, 0, 0 }, { 0, 0, 0 }, { 512, 40, 5 } },
	};
	uint8_t *host = allocate(host_pool, DEPTH * SLICE),
		*back = allocate(host_pool, DEPTH * SLICE);
	uint8_t *device = allocate(vram[0], DEPTH * SLICE);

	for (size_t i = 0; i < DEPTH * SLICE; i++)
		host[i] = byte_at(i, 7);
	for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(back, NOTHING, DEPTH * SLICE);
		copy(device, gpu[0], back, cpu, DEPTH * SLICE);
		copy_rect(device, t[i].to, host, t[i].from, t[i].range, hsaHostToDevice);
		copy_rect(back, t[i].to, device, t[i].to, t[i].range, hsaDeviceToHost);
		check_rect(host, back, t[i].from, t[i].to, t[i].range);
		/* And that nothing around it was written on the device. */
		copy(back, cpu, device, gpu[0], DEPTH * SLICE);
		check_rect(host, back, t[i].from, t[i].to, t[i].range);
	}
}

/* ------------------------------------------------ queues */

static void on_error(hsa_status_t status, hsa_queue_t *queue, void *unused)
{
	fprintf(stderr, "rocr: a queue fails: 0x%x\n", (unsigned int)status);
	exit(1);
}

static hsa_queue_t *queue_on(unsigned int g)
{
	hsa_queue_t *q;

	CHECK(hsa_queue_create(gpu[g], QUEUE_SIZE, HSA_QUEUE_TYPE_MULTI, on_error, NULL, UINT32_MAX,
			       UINT32_MAX, &q));
	return q;
}

/* Wait until it has room, then put a barrier of @type with up to two dependencies. */
static void barrier(hsa_queue_t *q, hsa_packet_type_t type, hsa_signal_t dep0, hsa_signal_t dep1,
		    hsa_signal_t done)
{
	uint64_t at = hsa_queue_add_write_index_screlease(q, 1);
	hsa_barrier_and_packet_t *p = (hsa_barrier_and_packet_t *)q->base_address + at % q->size;
	uint16_t header =
		(uint16_t)(type << HSA_PACKET_HEADER_TYPE | 1 << HSA_PACKET_HEADER_BARRIER |
			   HSA_FENCE_SCOPE_SYSTEM << HSA_PACKET_HEADER_SCRELEASE_FENCE_SCOPE);

	while (at - hsa_queue_load_read_index_scacquire(q) >= q->size)
		;
	memset((char *)p + 4, 0, sizeof(*p) - 4);
	p->dep_signal[1] = dep0;
	p->dep_signal[4] = dep1;
	p->completion_signal = done;
	__atomic_store_n(&p->header, header, __ATOMIC_RELEASE);
	hsa_signal_store_screlease(q->doorbell_signal, (hsa_signal_value_t)at);
}

static const hsa_signal_t none;

/* A token goes round through all queues, and each of them waits for two others. */
static void barriers(void)
{
	enum { N = 6, ROUNDS = 200 };
	hsa_signal_t step[ROUNDS][N], open = signal_of(1), never = signal_of(1);
	hsa_queue_t *q[N];

	for (unsigned int i = 0; i < N; i++)
		q[i] = queue_on(i % n_gpus);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		for (unsigned int i = 0; i < N; i++)
			step[r][i] = signal_of(1);
	}
	for (unsigned int r = 0; r < ROUNDS; r++) {
		for (unsigned int i = N; i--;) {
			hsa_signal_t a = i ? step[r][i - 1] : r ? step[r - 1][N - 1] : open;
			hsa_signal_t b = i > 1 ? step[r][i - 2] : none;

			barrier(q[i], HSA_PACKET_TYPE_BARRIER_AND, a, b, step[r][i]);
		}
	}
	for (unsigned int r = 0; r < ROUNDS; r++)
		EXPECT(hsa_signal_load_relaxed(step[r][r % N]) == 1);
	hsa_signal_store_screlease(open, 0);
	WAIT_FOR(step[ROUNDS - 1][N - 1]);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		for (unsigned int i = 0; i < N; i++)
			EXPECT(hsa_signal_load_scacquire(step[r][i]) == 0);
	}
	/* One of two is enough for the other kind. */
	hsa_signal_store_relaxed(step[0][0], 1);
	barrier(q[0], HSA_PACKET_TYPE_BARRIER_OR, never, open, step[0][0]);
	WAIT_FOR(step[0][0]);
	for (unsigned int i = 0; i < N; i++)
		CHECK(hsa_queue_destroy(q[i]));
	for (unsigned int r = 0; r < ROUNDS; r++) {
		for (unsigned int i = 0; i < N; i++)
			CHECK(hsa_signal_destroy(step[r][i]));
	}
	CHECK(hsa_signal_destroy(open));
	CHECK(hsa_signal_destroy(never));
}

/* ------------------------------------------------ signals */

#define N_SIGNALS 3000
#define N_THREADS 8

static hsa_signal_t many[N_SIGNALS];

static void *wait_for_share(void *first)
{
	for (size_t i = (size_t)first; i < N_SIGNALS; i += N_THREADS)
		WAIT_FOR(many[i]);
	return NULL;
}

/* Each is completed by a packet while some thread waits for it or for one before it. */
static void signals(void)
{
	pthread_t thread[N_THREADS];
	hsa_queue_t *q = queue_on(0);

	for (unsigned int i = 0; i < N_SIGNALS; i++)
		many[i] = signal_of(1);
	for (size_t i = 0; i < N_THREADS; i++)
		EXPECT(!pthread_create(&thread[i], NULL, wait_for_share, (void *)i));
	for (unsigned int i = 0; i < N_SIGNALS; i++)
		barrier(q, HSA_PACKET_TYPE_BARRIER_AND, i ? many[i - 1] : none, none, many[i]);
	for (size_t i = 0; i < N_THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned int i = 0; i < N_SIGNALS; i++)
		CHECK(hsa_signal_destroy(many[i]));
	CHECK(hsa_queue_destroy(q));
}

/* ------------------------------------------------ many queues, and the end */

static void many_queues(unsigned int n)
{
	hsa_queue_t *q[MAX_QUEUES];
	hsa_signal_t done = signal_of(0);

	EXPECT(n <= MAX_QUEUES);
	for (unsigned int i = 0; i < n; i++)
		q[i] = queue_on(i % n_gpus);
	for (unsigned int round = 0; round < 50; round++) {
		hsa_signal_store_relaxed(done, n);
		for (unsigned int i = 0; i < n; i++)
			barrier(q[i], HSA_PACKET_TYPE_BARRIER_AND, none, none, done);
		WAIT_FOR(done);
	}
	for (unsigned int i = 0; i < n; i++)
		CHECK(hsa_queue_destroy(q[i]));
	CHECK(hsa_signal_destroy(done));
}

/* Copies that go on, a copy and a barrier that never begin. */
static void shutdown_in_flight(void)
{
	size_t bytes = 64u << 20;
	hsa_signal_t never = signal_of(1), done = signal_of(20);
	char *host = allocate(host_pool, bytes), *device = allocate(vram[0], bytes);

	barrier(queue_on(0), HSA_PACKET_TYPE_BARRIER_AND, never, none, none);
	for (unsigned int i = 0; i < 20; i++)
		CHECK(hsa_amd_memory_async_copy(device, gpu[0], host, cpu, bytes, 0, NULL, done));
	CHECK(hsa_amd_memory_async_copy(host, cpu, device, gpu[0], bytes, 1, &never, done));
	EXPECT(hsa_signal_load_relaxed(done) > 0);
}

/* ------------------------------------------------ until something happens */

static bool input_ended(void)
{
	struct pollfd p = { 0, POLLIN, 0 };
	char c;

	return poll(&p, 1, 0) > 0 && read(0, &c, 1) == 0;
}

static void busy(void)
{
	struct place host = { cpu, host_pool };
	uint8_t *device = allocate(vram[0], 1 << 20);
	hsa_signal_t done = signal_of(0);
	hsa_queue_t *q = queue_on(0);
	unsigned int rounds = 0;

	do {
		for (unsigned int i = 0; i < n_gpus; i++) {
			struct place there = { gpu[i], vram[i] };

			copy_round(&host, &there, 300000, 4);
		}
		hsa_signal_store_relaxed(done, 1);
		barrier(q, HSA_PACKET_TYPE_BARRIER_AND, none, none, done);
		WAIT_FOR(done);
		if (!rounds++) {
			printf("%d %p\n", getpid(), (void *)device);
			fflush(stdout);
		}
	} while (!input_ended());
	CHECK(hsa_amd_memory_pool_free(device));
	CHECK(hsa_queue_destroy(q));
	CHECK(hsa_signal_destroy(done));
}

/* The program's mistake: the runtime is to say where, and end it. */
static void gone(void)
{
	size_t bytes = 4 << 20;
	hsa_signal_t go = signal_of(1), done = signal_of(1);
	char *device = allocate(vram[0], bytes);
	char *mine = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *locked;

	EXPECT(mine != MAP_FAILED);
	CHECK(hsa_amd_memory_lock(mine, bytes, gpu, 1, &locked));
	CHECK(hsa_amd_memory_async_copy(device, gpu[0], locked, cpu, bytes, 1, &go, done));
	EXPECT(!munmap(mine + (1 << 20), 1 << 20));
	printf("%p\n", (void *)((char *)locked + (1 << 20)));
	fflush(stdout);
	hsa_signal_store_screlease(go, 0);
	WAIT_FOR(done);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	find_machine();
	if (!strcmp(what, "copies"))
		copies();
	else if (!strcmp(what, "rect"))
		rectangles();
	else if (!strcmp(what, "barriers"))
		barriers();
	else if (!strcmp(what, "signals"))
		signals();
	else if (!strcmp(what, "queues") && argc > 2)
		many_queues((unsigned int)atoi(argv[2]));
	else if (!strcmp(what, "shutdown"))
		shutdown_in_flight();
	else if (!strcmp(what, "busy"))
		busy();
	else if (!strcmp(what, "gone"))
		gone();
	else
		return 2;
	CHECK(hsa_shut_down());
	puts("right");
	return 0;
}
