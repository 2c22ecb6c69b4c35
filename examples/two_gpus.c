/* SPDX-License-Identifier: MIT */
/**
 * DOC: Copies across two GPUs
 *
 * Memory of the host goes to GPU 0, from there to GPU 1, and back to the host; every
 * byte is then looked at, and the speed of each leg printed. This happens twice:
 * with ordinary malloc memory that is locked for the GPUs, each leg waited for; and
 * with memory of a host pool, the three legs handed over at once, each with the
 * signal of the one before as its dependency. It knows nothing of vkfd: it is an HSA
 * program that runs on any machine with two AMD GPUs.
 */
#include <getopt.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "two_gpus"
#define N_LEGS  3
/* A leg that takes longer has no GPU behind it. */
#define LEG_TIMEOUT_S 120
/* Odd, so that a word can be traced back to the place it was written for. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)
/* What the last buffer holds before anything arrives in it. */
#define NOTHING 0xa5

enum { EXIT_MISTAKE = 2 };

struct machine {
	hsa_agent_t cpu;
	hsa_agent_t gpu[2];
	char name[2][64];
	hsa_amd_memory_pool_t host_pool;
	hsa_amd_memory_pool_t vram[2];
	unsigned int n_gpus; /* all there are, more than two too */
	uint64_t ticks_per_s;
};

struct leg {
	const char *name;
	void *dst;
	hsa_agent_t dst_agent;
	const void *src;
	hsa_agent_t src_agent;
	double seconds; /* as the GPU's own clock has it */
};

/* The memory of one round trip; @from and @back are what the CPU sees, the others what GPUs see. */
struct trip {
	const char *kind;
	bool chained;
	uint64_t *from, *back;
	void *gpu_from, *gpu_back;
	void *vram[2];
	size_t bytes;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	fprintf(stderr, PROGRAM ": ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

static void check(hsa_status_t status, const char *what)
{
	const char *text = NULL;

	if (status == HSA_STATUS_SUCCESS)
		return;
	if (hsa_status_string(status, &text) != HSA_STATUS_SUCCESS || !text)
		fail("%s: status 0x%x", what, (unsigned int)status);
	fail("%s: %.*s", what, (int)strcspn(text, "\n"), text);
}

/* ------------------------------------------------ finding two GPUs and their memory */

static hsa_status_t note_agent(hsa_agent_t agent, void *cookie)
{
	struct machine *m = cookie;
	hsa_device_type_t type;
	hsa_status_t s = hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type);

	if (s != HSA_STATUS_SUCCESS)
		return s;
	if (type == HSA_DEVICE_TYPE_CPU && !m->cpu.handle)
		m->cpu = agent;
	if (type != HSA_DEVICE_TYPE_GPU)
		return HSA_STATUS_SUCCESS;
	if (m->n_gpus < 2) {
		m->gpu[m->n_gpus] = agent;
		s = hsa_agent_get_info(agent, HSA_AGENT_INFO_NAME, m->name[m->n_gpus]);
	}
	m->n_gpus++;
	return s;
}

/* The first pool of device-wide memory that one may allocate from, and that holds no kernel
 * arguments. */
static hsa_status_t note_pool(hsa_amd_memory_pool_t pool, void *cookie)
{
	hsa_amd_memory_pool_t *ret_pool = cookie;
	hsa_amd_segment_t segment;
	uint32_t flags;
	bool can_allocate;
	hsa_status_t s =
		hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment);

	if (s != HSA_STATUS_SUCCESS || segment != HSA_AMD_SEGMENT_GLOBAL)
		return s;
	s = hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_GLOBAL_FLAGS, &flags);
	if (s != HSA_STATUS_SUCCESS || (flags & HSA_AMD_MEMORY_POOL_GLOBAL_FLAG_KERNARG_INIT))
		return s;
	s = hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED,
					 &can_allocate);
	if (s != HSA_STATUS_SUCCESS || !can_allocate)
		return s;
	*ret_pool = pool;
	return HSA_STATUS_INFO_BREAK;
}

static hsa_amd_memory_pool_t find_pool(hsa_agent_t agent, const char *whose)
{
	hsa_amd_memory_pool_t pool = { 0 };
	hsa_status_t s = hsa_amd_agent_iterate_memory_pools(agent, note_pool, &pool);

	if (s != HSA_STATUS_INFO_BREAK)
		check(s, "hsa_amd_agent_iterate_memory_pools");
	if (!pool.handle)
		fail("%s has no memory to allocate from", whose);
	return pool;
}

/* That copies can go from one GPU's memory to the other's without passing through the host. */
static void check_reach(const struct machine *m, unsigned int from, unsigned int to)
{
	hsa_amd_memory_pool_access_t access;

	check(hsa_amd_agent_memory_pool_get_info(m->gpu[from], m->vram[to],
						 HSA_AMD_AGENT_MEMORY_POOL_INFO_ACCESS, &access),
	      "hsa_amd_agent_memory_pool_get_info");
	if (access == HSA_AMD_MEMORY_POOL_ACCESS_NEVER_ALLOWED)
		fail("GPU %u cannot reach the memory of GPU %u on this machine", from, to);
}

static void find_machine(struct machine *m)
{
	*m = (struct machine){ 0 };
	check(hsa_iterate_agents(note_agent, m), "hsa_iterate_agents");
	if (m->n_gpus < 2)
		fail("two GPUs are needed, %u found", m->n_gpus);
	m->host_pool = find_pool(m->cpu, "the CPU");
	m->vram[0] = find_pool(m->gpu[0], "GPU 0");
	m->vram[1] = find_pool(m->gpu[1], "GPU 1");
	check_reach(m, 0, 1);
	check_reach(m, 1, 0);
	check(hsa_system_get_info(HSA_SYSTEM_INFO_TIMESTAMP_FREQUENCY, &m->ticks_per_s),
	      "hsa_system_get_info");
}

/* ------------------------------------------------ what is written, and found again */

/* No two words of a round are equal, and no word is what it was in the round before. */
static uint64_t word_at(size_t i, uint64_t round)
{
	return ((uint64_t)i + (round << 40) + 1) * SPREAD;
}

/* The inverse of an odd number, modulo 2^64. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (int i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

static void write_pattern(uint64_t *words, size_t bytes, uint64_t round)
{
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = word_at(i, round);
}

/* What a wrong word says about how it came there. */
static void explain(size_t at, uint64_t word, uint64_t want, uint64_t round, size_t n_words)
{
	uint64_t place = word * inverse(SPREAD) - 1;
	uint64_t i = place & ((UINT64_C(1) << 40) - 1), of_round = place >> 40;
	uint64_t nothing;

	memset(&nothing, NOTHING, sizeof(nothing));
	if (word == nothing)
		fail("offset 0x%zx: nothing arrived", at);
	if (i < n_words && of_round <= round)
		fail("offset 0x%zx holds what belongs at 0x%" PRIx64 " of round %" PRIu64
		     " (this is round %" PRIu64 ")",
		     at, i * sizeof(word), of_round, round);
	fail("offset 0x%zx holds 0x%016" PRIx64 ", not 0x%016" PRIx64, at, word, want);
}

static void check_pattern(const uint64_t *words, size_t bytes, uint64_t round)
{
	size_t n = bytes / sizeof(*words);

	for (size_t i = 0; i < n; i++)
		if (words[i] != word_at(i, round))
			explain(i * sizeof(*words), words[i], word_at(i, round), round, n);
}

/* ------------------------------------------------ copies */

static hsa_signal_t submit(const struct leg *leg, size_t bytes, const hsa_signal_t *after)
{
	hsa_signal_t done;

	check(hsa_signal_create(1, 0, NULL, &done), "hsa_signal_create");
	check(hsa_amd_memory_async_copy(leg->dst, leg->dst_agent, leg->src, leg->src_agent, bytes,
					after ? 1 : 0, after, done),
	      "hsa_amd_memory_async_copy");
	return done;
}

static void wait_for(struct leg *leg, hsa_signal_t done, const struct machine *m)
{
	hsa_amd_profiling_async_copy_time_t time;
	hsa_signal_value_t left =
		hsa_signal_wait_scacquire(done, HSA_SIGNAL_CONDITION_LT, 1,
					  LEG_TIMEOUT_S * m->ticks_per_s, HSA_WAIT_STATE_BLOCKED);

	if (left > 0)
		fail("%s: not done after %d s", leg->name, LEG_TIMEOUT_S);
	if (left < 0)
		fail("%s: the copy failed", leg->name);
	check(hsa_amd_profiling_get_async_copy_time(done, &time),
	      "hsa_amd_profiling_get_async_copy_time");
	if (time.end <= time.start)
		fail("%s: ended at tick %" PRIu64 ", before its start at %" PRIu64, leg->name,
		     time.end, time.start);
	leg->seconds += (double)(time.end - time.start) / (double)m->ticks_per_s;
}

static void run_legs(struct leg *legs, const struct trip *t, const struct machine *m)
{
	hsa_signal_t done[N_LEGS];

	for (int i = 0; i < N_LEGS; i++) {
		done[i] = submit(&legs[i], t->bytes, t->chained && i ? &done[i - 1] : NULL);
		if (!t->chained)
			wait_for(&legs[i], done[i], m);
	}
	for (int i = 0; i < N_LEGS; i++) {
		if (t->chained)
			wait_for(&legs[i], done[i], m);
		check(hsa_signal_destroy(done[i]), "hsa_signal_destroy");
	}
}

static void travel(const struct trip *t, const struct machine *m, unsigned int repeat)
{
	/* The round goes into the pattern, and memory is used again from trip to trip. */
	static uint64_t round;
	struct leg legs[N_LEGS] = {
		{ "host -> GPU 0", t->vram[0], m->gpu[0], t->gpu_from, m->cpu, 0 },
		{ "GPU 0 -> GPU 1", t->vram[1], m->gpu[1], t->vram[0], m->gpu[0], 0 },
		{ "GPU 1 -> host", t->gpu_back, m->cpu, t->vram[1], m->gpu[1], 0 },
	};

	for (unsigned int n = 0; n < repeat; n++) {
		round++;
		write_pattern(t->from, t->bytes, round);
		memset(t->back, NOTHING, t->bytes);
		run_legs(legs, t, m);
		check_pattern(t->back, t->bytes, round);
		if (repeat > 1)
			printf("%s: round %u of %u right\n", t->kind, n + 1, repeat);
	}
	for (int i = 0; i < N_LEGS; i++)
		printf("%-14s %-16s %7.2f GB/s\n", i ? "" : t->kind, legs[i].name,
		       (double)t->bytes * repeat / legs[i].seconds / 1e9);
	printf("%-14s all %zu bytes right\n", "", t->bytes);
}

/* ------------------------------------------------ memory */

static void *allocate_vram(const struct machine *m, unsigned int gpu, size_t bytes)
{
	char what[64];
	void *p;

	snprintf(what, sizeof(what), "%zu MiB of VRAM on GPU %u", bytes >> 20, gpu);
	check(hsa_amd_memory_pool_allocate(m->vram[gpu], bytes, 0, &p), what);
	check(hsa_amd_agents_allow_access(2, m->gpu, NULL, p), "hsa_amd_agents_allow_access");
	return p;
}

static void travel_malloc(struct trip *t, struct machine *m, unsigned int repeat)
{
	t->kind = "malloc memory";
	t->chained = false;
	t->from = malloc(t->bytes);
	t->back = malloc(t->bytes);
	if (!t->from || !t->back)
		fail("not enough memory for 2 x %zu MiB", t->bytes >> 20);
	check(hsa_amd_memory_lock(t->from, t->bytes, m->gpu, 2, &t->gpu_from),
	      "hsa_amd_memory_lock");
	check(hsa_amd_memory_lock(t->back, t->bytes, m->gpu, 2, &t->gpu_back),
	      "hsa_amd_memory_lock");
	travel(t, m, repeat);
	check(hsa_amd_memory_unlock(t->from), "hsa_amd_memory_unlock");
	check(hsa_amd_memory_unlock(t->back), "hsa_amd_memory_unlock");
	free(t->from);
	free(t->back);
}

static void travel_pool(struct trip *t, struct machine *m, unsigned int repeat)
{
	t->kind = "host pool";
	t->chained = true;
	check(hsa_amd_memory_pool_allocate(m->host_pool, t->bytes, 0, &t->gpu_from),
	      "memory of the host pool");
	check(hsa_amd_memory_pool_allocate(m->host_pool, t->bytes, 0, &t->gpu_back),
	      "memory of the host pool");
	check(hsa_amd_agents_allow_access(2, m->gpu, NULL, t->gpu_from),
	      "hsa_amd_agents_allow_access");
	check(hsa_amd_agents_allow_access(2, m->gpu, NULL, t->gpu_back),
	      "hsa_amd_agents_allow_access");
	t->from = t->gpu_from;
	t->back = t->gpu_back;
	travel(t, m, repeat);
	check(hsa_amd_memory_pool_free(t->gpu_from), "hsa_amd_memory_pool_free");
	check(hsa_amd_memory_pool_free(t->gpu_back), "hsa_amd_memory_pool_free");
}

/* ------------------------------------------------ options */

static void usage(FILE *out)
{
	fprintf(out, "usage: " PROGRAM " [--mib N] [--repeat N]\n"
		     "  --mib N     copy N MiB (256)\n"
		     "  --repeat N  N times each way of doing it (1)\n");
}

static unsigned long number(const char *name, const char *text, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > max) {
		fprintf(stderr, PROGRAM ": --%s takes a number from 1 to %lu, not '%s'\n", name,
			max, text);
		exit(EXIT_MISTAKE);
	}
	return n;
}

static void parse(int argc, char **argv, size_t *ret_bytes, unsigned int *ret_repeat)
{
	static const struct option options[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			*ret_bytes = (size_t)number("mib", optarg, 1ul << 20) << 20;
			break;
		case 'r':
			*ret_repeat = (unsigned int)number("repeat", optarg, 1000000);
			break;
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			exit(EXIT_MISTAKE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, PROGRAM ": '%s' is one word too many\n", argv[optind]);
		exit(EXIT_MISTAKE);
	}
}

int main(int argc, char **argv)
{
	struct trip t = { .bytes = (size_t)256 << 20 };
	unsigned int repeat = 1;
	struct machine m;

	parse(argc, argv, &t.bytes, &repeat);
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(hsa_init(), "hsa_init");
	check(hsa_amd_profiling_async_copy_enable(true), "hsa_amd_profiling_async_copy_enable");
	find_machine(&m);
	printf("%zu MiB over GPU 0 (%s) and GPU 1 (%s)\n", t.bytes >> 20, m.name[0], m.name[1]);
	t.vram[0] = allocate_vram(&m, 0, t.bytes);
	t.vram[1] = allocate_vram(&m, 1, t.bytes);
	travel_malloc(&t, &m, repeat);
	travel_pool(&t, &m, repeat);
	check(hsa_amd_memory_pool_free(t.vram[0]), "hsa_amd_memory_pool_free");
	check(hsa_amd_memory_pool_free(t.vram[1]), "hsa_amd_memory_pool_free");
	check(hsa_shut_down(), "hsa_shut_down");
	return EXIT_SUCCESS;
}
