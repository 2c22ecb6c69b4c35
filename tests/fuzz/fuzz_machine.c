/* SPDX-License-Identifier: MIT */
/*
 * Machine files and overrides from nowhere. An input is a machine file, then, each after a NUL, the
 * overrides. Whatever it is: it loads into a machine that holds together and can be shown, or it is
 * refused with one line and the result is untouched.
 *
 * With libFuzzer the inputs come from it. Otherwise main() makes them: the shipped files, changed by
 * a generator that gives the same sequence every time. Arguments: how many, and the seed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "machine/sysfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* ------------------------------------------------ what must hold */

static int ignore_file(void *cookie, const char *path, const char *text, size_t len)
{
	REQUIRE(path[0] == '/' && len < 4096);
	return 0;
}

static int ignore_path(void *cookie, const char *path)
{
	return 0;
}

static int ignore_symlink(void *cookie, const char *path, const char *target)
{
	REQUIRE(target[0] && target[0] != '/');
	return 0;
}

static int ignore_chardev(void *cookie, const char *path, unsigned int major, unsigned int minor)
{
	return 0;
}

static void check_pair(const struct machine_profile *m, unsigned int i, unsigned int j)
{
	const struct machine_gpu *a = &m->gpus[i], *b = &m->gpus[j];

	REQUIRE(a->gpu_id != b->gpu_id);
	REQUIRE(a->render_minor != b->render_minor);
	REQUIRE(a->bar_base + a->bar_bytes <= b->bar_base ||
		b->bar_base + b->bar_bytes <= a->bar_base);
	REQUIRE(machine_same_hive(m, i, j) == machine_same_hive(m, j, i));
	if (machine_peer_accessible(m, i, j))
		REQUIRE(a->visible_vram == a->vram);
}

static void check_machine(const struct machine_profile *m)
{
	static const struct topology_sink nowhere = { NULL,	   ignore_file, ignore_path,
						      ignore_symlink, ignore_path, ignore_chardev };

	REQUIRE(m->n_sockets >= 1 && m->n_sockets <= MACHINE_MAX_SOCKETS);
	REQUIRE(m->n_gpus >= 1 && m->n_gpus <= MACHINE_MAX_GPUS);
	REQUIRE(memchr(m->name, '\0', sizeof(m->name)));
	for (unsigned int i = 0; i < m->n_gpus; i++) {
		const struct machine_gpu *g = &m->gpus[i];

		REQUIRE(g->gpu_id && g->socket < m->n_sockets);
		REQUIRE(g->vram >= VKF_MIB(32) && g->visible_vram && g->visible_vram <= g->vram);
		REQUIRE(g->bar_bytes >= g->visible_vram && VKF_IS_POW2(g->bar_bytes));
		for (unsigned int j = 0; j < i; j++)
			check_pair(m, i, j);
	}
	REQUIRE(machine_sysfs_build(m, &nowhere) == 0);
}

static size_t n_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine_profile m, untouched;
	const char *sets[8], *end;
	char *copy = malloc(size + 1), err[200];
	size_t len, n_sets = 0;
	int e;

	REQUIRE(copy);
	memcpy(copy, data, size);
	copy[size] = '\0';
	end = copy + size;
	len = strlen(copy);
	for (const char *s = copy + len + 1; s < end && n_sets < VKF_ARRAY_SIZE(sets);
	     s += strlen(s) + 1)
		sets[n_sets++] = s;
	memset(err, 'x', sizeof(err));
	m = untouched;
	e = machine_profile_load(copy, len, sets, n_sets, &m, err, sizeof(err));
	if (e) {
		size_t line = strnlen(err, sizeof(err));

		REQUIRE(e == -EINVAL);
		REQUIRE(line > 0 && line < sizeof(err) && !strchr(err, '\n'));
		REQUIRE(!memcmp(&m, &untouched, sizeof(m)));
	} else {
		check_machine(&m);
		n_accepted++;
	}
	free(copy);
	return 0;
}

#ifndef VKFD_LIBFUZZER
/* ------------------------------------------------ where inputs come from without libFuzzer */

#define MAX_SEEDS 16
#define INPUT_LEN 8192

struct input {
	char bytes[INPUT_LEN];
	size_t len;
};

static struct input seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t rng_state;

static uint64_t rng(uint64_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return below ? rng_state % below : 0;
}

/* What a machine file is made of, and what it should not be made of. */
static const char *const words[] = {
	"\"vram\": \"1GiB\"", "\"vram\": 0", "\"visible_vram\": \"256MiB\"", "\"hives\"", "null", "{}",
	"[]", "true", "-1", "1e309", "0.1", "18446744073709551616", "\"0xffffffffffffffff\"", "4096",
	"\"asic\": \"fiji\"", "\"asic\": \"vega20\"", "\"asic\": 7", "\"board\"", "\"gpus\": []",
	"\"pci\": \"0000:03:00.0\"", "\"bar\": \"0x8000000000\"", "\"socket\": 1", "\"cu_count\": 9",
	"\"links\": 8", "\"p2p\": false", "\"atomics\": false", "\"faults\": [ \"mm.map:arg=1\" ]",
	"\\u0000", "\\n", "\"\xff\"", "[[[[[[[[[[", "\"ram\": \"16TiB\"", "\"pcie_speed\": 2.5",
};

static const char *const overrides[] = {
	"gpu.vram=1GiB", "gpu.vram=32MiB", "gpu.0.vram=33558528", "gpu.7.vram=1GiB", "gpu.vrma=1",
	"gpu.visible_vram=256MiB", "gpu.p2p=false", "gpu.1.bar=0x8000000000", "socket.ram=64MiB",
	"socket.3.cores=1", "kfd.map=transactional", "engine=thread", "engine=", "limit.ttm=1GiB",
	"fault.map.gpu=1", "fault.map.after=3", "fault.x", "seed=0xffffffffffffffff", "seed", "=",
	"gpu.cu_count=8", "gpu.unique_id=0", "gpu.pci=0000:01:00.0", "gpu.socket=1", "\x01=\x02",
	"gpu.product=\xff\xfe", "gpu.0.pcie_lanes=16", "gpu.atomics=0",
};

static void insert(struct input *in, size_t at, const char *what, size_t len)
{
	if (in->len + len > INPUT_LEN)
		return;
	memmove(in->bytes + at + len, in->bytes + at, in->len - at);
	memcpy(in->bytes + at, what, len);
	in->len += len;
}

static void erase(struct input *in, size_t at, size_t len)
{
	len = VKF_MIN(len, in->len - at);
	memmove(in->bytes + at, in->bytes + at + len, in->len - at - len);
	in->len -= len;
}

/* Where a value or a name starts: changes there keep the rest readable. */
static size_t token(const struct input *in)
{
	size_t at = (size_t)rng(in->len);

	for (size_t i = at; i < in->len; i++)
		if (strchr("\"0123456789[{:,", in->bytes[i]))
			return i;
	return at;
}

static void mutate(struct input *in)
{
	size_t at = in->len ? token(in) : 0;
	const char *word = words[rng(VKF_ARRAY_SIZE(words))];
	char piece[64];
	size_t len;

	switch (rng(8)) {
	case 0:
		if (in->len)
			in->bytes[at] ^= (char)(1u << rng(8));
		break;
	case 1:
		if (in->len)
			in->bytes[at] = (char)('0' + rng(10));
		break;
	case 2:
		erase(in, at, 1 + (size_t)rng(4));
		break;
	case 3:
		erase(in, at, 1 + (size_t)rng(200));
		break;
	case 4:
		insert(in, at, word, strlen(word));
		break;
	case 5: /* one more key, in front of another */
		for (; at < in->len && in->bytes[at] != '{'; at++)
			;
		len = (size_t)snprintf(piece, sizeof(piece), " %s,", word);
		insert(in, at < in->len ? at + 1 : at, piece, len);
		break;
	case 6: /* a piece of itself, elsewhere */
		len = VKF_MIN((size_t)rng(sizeof(piece)), in->len - at);
		memcpy(piece, in->bytes + at, len);
		insert(in, (size_t)rng(in->len + 1), piece, len);
		break;
	default:
		in->len = in->len && !rng(4) ? (size_t)rng(in->len) : in->len;
		break;
	}
}

static void add_overrides(struct input *in)
{
	for (uint64_t n = rng(4); n; n--) {
		const char *o = overrides[rng(VKF_ARRAY_SIZE(overrides))];

		insert(in, in->len, "", 1);
		insert(in, in->len, o, strlen(o));
	}
}

static void read_seeds(const char *dir_name)
{
	DIR *dir = opendir(dir_name);
	struct dirent *e;

	while (dir && (e = readdir(dir)) && n_seeds < MAX_SEEDS) {
		char path[512];
		FILE *f;

		if (!strstr(e->d_name, ".json"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir_name, e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		seeds[n_seeds].len = fread(seeds[n_seeds].bytes, 1, INPUT_LEN / 2, f);
		n_seeds++;
		fclose(f);
	}
	if (dir)
		closedir(dir);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : 10000;
	static struct input in;

	rng_state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	rng_state = rng_state * 2 + 1;
	read_seeds(MACHINES_DIR);
	REQUIRE(n_seeds >= 7);
	for (size_t i = 0; i < n_seeds; i++)
		LLVMFuzzerTestOneInput((const uint8_t *)seeds[i].bytes, seeds[i].len);
	REQUIRE(n_accepted == n_seeds);
	for (unsigned long i = 0; i < n; i++) {
		in = seeds[rng(n_seeds)];
		for (uint64_t m = rng(4); m; m--)
			mutate(&in);
		add_overrides(&in);
		LLVMFuzzerTestOneInput((const uint8_t *)in.bytes, in.len);
	}
	printf("%lu inputs, %zu accepted\n", n + n_seeds, n_accepted);
	/* A generator that only makes rubbish would test little. */
	REQUIRE(n_accepted > n / 50 && n_accepted < n);
	return 0;
}
#endif
