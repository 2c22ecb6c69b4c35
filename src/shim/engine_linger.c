/* SPDX-License-Identifier: MIT */
#include "shim/engine_linger.h"

#include <fcntl.h>
#include "shim/sys_raw.h"

#define CREDIT 8 /* so often in vain, after it was worth it once */
#define TRY    32
/* To ask where a thread is costs about as much as a wake-up. */
#define ASK_NS     UINT64_C(2000000)
#define ASK_MAX_NS UINT64_C(128000000)
/* /proc/TID/stat: how many fields after the name the CPU comes */
#define CPU_FIELD  37
#define STAT_BYTES 1024
#define SLICE_NS   UINT64_C(100000)

/* struct attr - sched_setattr()'s first version, which no header declares */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

void engine_linger_init(void)
{
	struct attr attr = { 0 };

	/* What else there is (niceness) stays; policy 0 is the normal one. */
	if (SYS4(sched_getattr, 0, &attr, sizeof(attr), 0) < 0 || attr.policy != 0)
		return;
	attr.runtime = SLICE_NS;
	SYS3(sched_setattr, 0, &attr, 0);
}

static int write_number(char *to, uint32_t v)
{
	char digits[10];
	int n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (int i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	return n;
}

static long open_stat(int32_t tid)
{
	char path[32] = "/proc/";
	const char *end = "/stat";
	int n = 6;

	n += write_number(path + n, (uint32_t)tid);
	while ((path[n++] = *end++))
		;
	return SYS4(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

/* The number in field CPU_FIELD behind the last ')', or -1. */
static int parse_cpu(const char *stat, long len)
{
	long at = len;
	int field = 0, cpu = 0;

	while (at > 0 && stat[at - 1] != ')')
		at--;
	for (; at < len && at > 0; at++) {
		if (stat[at] == ' ') {
			if (++field > CPU_FIELD)
				return cpu;
		} else if (field == CPU_FIELD) {
			if (stat[at] < '0' || stat[at] > '9' || cpu >= ENGINE_CPU_BYTES * 8)
				return -1;
			cpu = cpu * 10 + stat[at] - '0';
		}
	}
	return -1;
}

/* Where thread @tid last ran, or -1. */
static int cpu_of(int32_t tid)
{
	char stat[STAT_BYTES];
	long fd, n;

	if (tid <= 0)
		return -1;
	fd = open_stat(tid);
	if (fd < 0)
		return -1;
	n = SYS3(read, fd, stat, sizeof(stat));
	sys_close((int)fd);
	return n > 0 ? parse_cpu(stat, n) : -1;
}

static int current_cpu(void)
{
	unsigned int cpu;

	return SYS3(getcpu, &cpu, 0, 0) < 0 ? -1 : (int)cpu;
}

static bool learn_cpus(struct engine_linger *l)
{
	if (l->place == ENGINE_ANYWHERE)
		l->cpus_bytes = SYS3(sched_getaffinity, 0, sizeof(l->cpus), l->cpus);
	return l->cpus_bytes > 0;
}

static bool is_allowed(const struct engine_linger *l, int cpu)
{
	return cpu >= 0 && cpu / 8 < l->cpus_bytes && l->cpus[cpu / 8] & 1u << cpu % 8;
}

static bool bind_to(struct engine_linger *l, const uint8_t *cpus, enum engine_place place)
{
	if (SYS3(sched_setaffinity, 0, l->cpus_bytes, cpus) < 0)
		return false;
	l->place = place;
	return true;
}

/* Anywhere but on @cpu. */
static void go_away(struct engine_linger *l, int cpu)
{
	uint8_t others[ENGINE_CPU_BYTES];
	unsigned int left = 0;

	if (!learn_cpus(l) || !is_allowed(l, cpu))
		return;
	for (long i = 0; i < l->cpus_bytes; i++) {
		others[i] = l->cpus[i];
		if (i == cpu / 8)
			others[i] &= (uint8_t) ~(1u << cpu % 8);
		left |= others[i];
	}
	if (left)
		bind_to(l, others, ENGINE_AWAY);
}

static void go_to(struct engine_linger *l, int cpu)
{
	uint8_t one[ENGINE_CPU_BYTES] = { 0 };

	if (!learn_cpus(l) || !is_allowed(l, cpu))
		return;
	one[cpu / 8] = (uint8_t)(1u << cpu % 8);
	bind_to(l, one, ENGINE_HOME);
}

void engine_linger_go_anywhere(struct engine_linger *l)
{
	if (l->place != ENGINE_ANYWHERE)
		bind_to(l, l->cpus, ENGINE_ANYWHERE);
}

/* Seldom, as long as it is where it was. */
static void ask(struct engine_linger *l, uint64_t now)
{
	int cpu = cpu_of(l->ringer);
	uint64_t pause = 2 * l->ask_pause_ns;

	if (cpu != l->home || !pause)
		pause = ASK_NS;
	l->home = cpu;
	l->ask_pause_ns = pause < ASK_MAX_NS ? pause : ASK_MAX_NS;
	l->ask_at_ns = now + l->ask_pause_ns;
}

void engine_linger_go_home(struct engine_linger *l, uint64_t now)
{
	int was = l->home;

	if (!l->ringer)
		return;
	if (now >= l->ask_at_ns)
		ask(l, now);
	if (l->place == ENGINE_HOME && l->home == was)
		return;
	if (l->home >= 0)
		go_to(l, l->home);
	else
		engine_linger_go_anywhere(l);
}

bool engine_linger_begin(struct engine_linger *l)
{
	l->on = l->credit || ++l->n_hurries % TRY == 0;
	if (l->on && l->place != ENGINE_AWAY)
		go_away(l, l->ringer ? cpu_of(l->ringer) : current_cpu());
	return l->on;
}

void engine_linger_end(struct engine_linger *l, bool worth_it)
{
	if (!l->on)
		return;
	if (worth_it)
		l->credit = CREDIT;
	else if (l->credit)
		l->credit--;
	l->on = false;
}
