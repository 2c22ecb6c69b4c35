/* SPDX-License-Identifier: MIT */
/**
 * DOC: oversubscribe MIB SECONDS [GPUS]: keep that much VRAM, and use all of it all the time
 *
 * Buffers of each GPU, and some of the host, are copied over one another by SDMA, a few copies at
 * a time and always from one place to another (inside one GPU the runtime would use a kernel), and
 * the host looks at every byte: each buffer holds what its tag says. Any number of these may run at
 * once, on less memory than they want together.
 * It says "right, N MiB copied in M copies" at the end, and knows nothing of vkfd.
 */
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_GPUS  8
#define MAX_BUFS  256
#define BUF_BYTES (8u << 20)
#define AT_ONCE   4
#define HOST_BUFS 8
#define TIMEOUT_S 60

struct buffer {
	uint64_t *data;
	unsigned int place; /* a GPU, or the host: n_gpus */
	uint64_t tag; /* every word is this one's hash of its index */
	bool busy;
};

static hsa_agent_t agent[MAX_GPUS + 1];
static hsa_amd_memory_pool_t pool[MAX_GPUS + 1];
static hsa_agent_t cpu;
static hsa_amd_memory_pool_t cpu_pool;
static unsigned int n_gpus, n_bufs;
static struct buffer bufs[MAX_BUFS];
static uint64_t dice = 88172645463325252u, n_copies, ticks_per_s;

#define CHECK(call)                                                                                \
	do {                                                                                       \
		hsa_status_t s_ = call;                                                            \
		if (s_ != HSA_STATUS_SUCCESS) {                                                    \
			fprintf(stderr, "%s:%d: %s: status 0x%x\n", __FILE__, __LINE__, #call,     \
				(unsigned int)s_);                                                 \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static uint64_t random_below(uint64_t bound)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice % bound;
}

static hsa_status_t note_pool(hsa_amd_memory_pool_t p, void *ret_pool)
{
	hsa_amd_segment_t segment;

	CHECK(hsa_amd_memory_pool_get_info(p, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment));
	if (segment != HSA_AMD_SEGMENT_GLOBAL)
		return HSA_STATUS_SUCCESS;
	*(hsa_amd_memory_pool_t *)ret_pool = p;
	return HSA_STATUS_INFO_BREAK;
}

static hsa_status_t note_agent(hsa_agent_t a, void *unused)
{
	hsa_device_type_t type;

	CHECK(hsa_agent_get_info(a, HSA_AGENT_INFO_DEVICE, &type));
	if (type == HSA_DEVICE_TYPE_CPU && !cpu.handle) {
		cpu = a;
		hsa_amd_agent_iterate_memory_pools(a, note_pool, &cpu_pool);
	} else if (type == HSA_DEVICE_TYPE_GPU && n_gpus < MAX_GPUS) {
		agent[n_gpus] = a;
		hsa_amd_agent_iterate_memory_pools(a, note_pool, &pool[n_gpus++]);
	}
	return HSA_STATUS_SUCCESS;
}

static uint64_t word(uint64_t tag, uint64_t i)
{
	return (tag + i) * 0x9e3779b97f4a7c15u;
}

static void fill(struct buffer *b, uint64_t tag)
{
	b->tag = tag;
	for (uint64_t i = 0; i < BUF_BYTES / sizeof(uint64_t); i++)
		b->data[i] = word(tag, i);
}

static void check(const struct buffer *b)
{
	for (uint64_t i = 0; i < BUF_BYTES / sizeof(uint64_t); i++) {
		if (b->data[i] == word(b->tag, i))
			continue;
		fprintf(stderr, "buffer %ld, word %llu: 0x%llx, not 0x%llx\n", (long)(b - bufs),
			(unsigned long long)i, (unsigned long long)b->data[i],
			(unsigned long long)word(b->tag, i));
		exit(1);
	}
}

static void create(struct buffer *b, unsigned int place)
{
	b->place = place;
	CHECK(hsa_amd_memory_pool_allocate(pool[place], BUF_BYTES, 0, (void **)&b->data));
	CHECK(hsa_amd_agents_allow_access(n_gpus + 1, agent, NULL, b->data));
	fill(b, random_below(UINT64_MAX));
}

/* One that nothing is being done with, and that is elsewhere. */
static struct buffer *pick(const struct buffer *other)
{
	struct buffer *b;

	do {
		b = &bufs[random_below(n_bufs)];
	} while (b->busy || (other && b->place == other->place));
	b->busy = true;
	return b;
}

static void copy_some(hsa_signal_t done)
{
	struct buffer *dst[AT_ONCE], *src[AT_ONCE];

	hsa_signal_store_relaxed(done, AT_ONCE);
	for (unsigned int i = 0; i < AT_ONCE; i++) {
		dst[i] = pick(NULL);
		src[i] = pick(dst[i]);
		if (!random_below(8))
			fill(src[i], random_below(UINT64_MAX));
		CHECK(hsa_amd_memory_async_copy(dst[i]->data, agent[dst[i]->place], src[i]->data,
						agent[src[i]->place], BUF_BYTES, 0, NULL, done));
	}
	if (hsa_signal_wait_scacquire(done, HSA_SIGNAL_CONDITION_LT, 1, TIMEOUT_S * ticks_per_s,
				      HSA_WAIT_STATE_BLOCKED)) {
		fprintf(stderr, "copies did not end in %u s\n", TIMEOUT_S);
		exit(1);
	}
	for (unsigned int i = 0; i < AT_ONCE; i++) {
		dst[i]->tag = src[i]->tag;
		check(dst[i]);
		dst[i]->busy = src[i]->busy = false;
		n_copies++;
	}
}

int main(int argc, char **argv)
{
	unsigned int mib = argc > 1 ? (unsigned int)atoi(argv[1]) : 64;
	unsigned int seconds = argc > 2 ? (unsigned int)atoi(argv[2]) : 5;
	unsigned int limit = argc > 3 ? (unsigned int)atoi(argv[3]) : MAX_GPUS;
	time_t end = time(NULL) + seconds;
	unsigned int each;
	hsa_signal_t done;

	CHECK(hsa_init());
	CHECK(hsa_iterate_agents(note_agent, NULL));
	CHECK(hsa_system_get_info(HSA_SYSTEM_INFO_TIMESTAMP_FREQUENCY, &ticks_per_s));
	n_gpus = n_gpus < limit ? n_gpus : limit;
	agent[n_gpus] = cpu;
	pool[n_gpus] = cpu_pool;
	each = mib / (BUF_BYTES >> 20);
	n_bufs = n_gpus * each + HOST_BUFS;
	if (each < 2 * AT_ONCE || n_bufs > MAX_BUFS) {
		fprintf(stderr, "oversubscribe: %u buffers on each of %u GPUs; expected %u to %u\n",
			each, n_gpus, 2 * AT_ONCE, (MAX_BUFS - HOST_BUFS) / n_gpus);
		return 2;
	}
	dice += (uint64_t)time(NULL) + (uint64_t)(uintptr_t)&end;
	for (unsigned int i = 0; i < n_bufs; i++)
		create(&bufs[i], i < HOST_BUFS ? n_gpus : i % n_gpus);
	CHECK(hsa_signal_create(0, 0, NULL, &done));
	while (time(NULL) < end)
		copy_some(done);
	for (unsigned int i = 0; i < n_bufs; i++)
		check(&bufs[i]);
	printf("right, %llu MiB copied in %llu copies\n",
	       (unsigned long long)(n_copies * (BUF_BYTES >> 20)), (unsigned long long)n_copies);
	CHECK(hsa_shut_down());
	return 0;
}
