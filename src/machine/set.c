/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/fields.h"

#define KEY_MAX 96

/* One row each of fields.c's tables, and the fault points: a test compares. */
const char *const machine_set_keys[] = {
	"gpu.vram",	    "gpu.visible_vram",	 "gpu.p2p",	     "gpu.atomics",
	"gpu.socket",	    "gpu.product",	 "gpu.pci",	     "gpu.bar",
	"gpu.vendor",	    "gpu.device",	 "gpu.subvendor",    "gpu.subdevice",
	"gpu.revision",	    "gpu.unique_id",	 "gpu.pcie_speed",   "gpu.pcie_lanes",
	"gpu.display",	    "gpu.cu_count",	 "gpu.clock_mhz",    "gpu.mem_clock_mhz",
	"gpu.mem_width_bits", "gpu.fw_version",	 "gpu.sdma_fw_version",
	"socket.ram",	    "socket.cores",	 "socket.clock_mhz", "socket.mem_clock_mhz",
	"socket.mem_width_bits",
	"socket_distance",  "kfd.map",		 "kfd.max_queues",   "kfd.hws_max_conc_proc",
	"engine",
	"limit.system",	    "limit.ttm",	 "policy.vram_limit", "policy.evict",
	"quota.buffers",    "quota.mappings",	 "quota.files",	     "quota.exports",
	"seed",
	"fault.<point>.<key>",
	NULL,
};

static bool is_point(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '_' &&
		    s[i] != '.')
			return false;
	return len && s[0] != '.' && s[len - 1] != '.';
}

/* One "key=value" of a fault spec: numbers, but an error has a name. */
static int check_fault_arg(const char *arg, size_t len, const char *where,
			   struct machine_err *err)
{
	static const char *const keys[] = { "arg", "after", "count", "errno", NULL };
	const char *eq = memchr(arg, '=', len);
	size_t n = eq ? (size_t)(eq - arg) : len, i = 0;
	char key[KEY_MAX];
	bool name;

	snprintf(key, sizeof(key), "%.*s", (int)n, arg);
	while (keys[i] && strcmp(keys[i], key))
		i++;
	if (!keys[i])
		return machine_fail_unknown(err, where, "key", key, keys);
	name = !strcmp(key, "errno");
	n = eq ? strspn(eq + 1, name ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" : "0123456789") : 0;
	if (!n || n > 18 || (size_t)(eq - arg) + 1 + n != len || (name && eq[1] != 'E'))
		return machine_fail(err, where, "expected %s for \"%s\"",
				    name ? "a name like ENOMEM" : "a number", key);
	return 0;
}

int machine_fault_add(struct machine_knobs *knobs, const char *spec, const char *where,
		      struct machine_err *err)
{
	const char *colon = strchr(spec, ':'), *arg = colon;
	size_t len = strlen(spec), point_len = colon ? (size_t)(colon - spec) : len;

	if (!is_point(spec, point_len) || !memchr(spec, '.', point_len))
		return machine_fail(err, where, "expected \"layer.step:key=value\", got \"%.40s\"",
				    spec);
	while (arg) {
		const char *next = strchr(++arg, ',');

		if (check_fault_arg(arg, next ? (size_t)(next - arg) : strlen(arg), where, err))
			return -EINVAL;
		arg = next;
	}
	if (len >= sizeof(knobs->faults[0]))
		return machine_fail(err, where, "a fault spec has at most %zu characters",
				    sizeof(knobs->faults[0]) - 1);
	if (knobs->n_faults == VKF_ARRAY_SIZE(knobs->faults))
		return machine_fail(err, where, "at most %zu faults can be set",
				    VKF_ARRAY_SIZE(knobs->faults));
	memcpy(knobs->faults[knobs->n_faults++], spec, len + 1);
	return 0;
}

/* An earlier --set for the same point is continued: fault.map.gpu=1 fault.map.after=3. */
static char *find_fault(struct machine_knobs *knobs, const char *point)
{
	size_t len = strlen(point);

	for (unsigned int i = 0; i < knobs->n_faults; i++)
		if (!strncmp(knobs->faults[i], point, len) &&
		    (knobs->faults[i][len] == ':' || !knobs->faults[i][len]))
			return knobs->faults[i];
	return NULL;
}

/* "map.gpu" with "1": point "mm.map", arg=1. A point without a layer is the memory manager's. */
static int set_fault(struct machine_profile *m, const char *name, const char *value,
		     const char *where, struct machine_err *err)
{
	const char *dot = strrchr(name, '.');
	char point[KEY_MAX], spec[2 * KEY_MAX + 32], *old;
	int n;

	if (!dot || !is_point(name, (size_t)(dot - name)))
		return machine_fail(err, where, "expected fault.<point>.<key>=<value>, as in "
						"fault.map.gpu=1");
	if (strchr(value, ','))
		return machine_fail(err, where, "expected one value, got \"%.40s\"", value);
	n = (int)(dot - name);
	snprintf(point, sizeof(point), "%s%.*s", memchr(name, '.', (size_t)n) ? "" : "mm.", n,
		 name);
	old = find_fault(&m->knobs, point);
	n = snprintf(spec, sizeof(spec), "%s%s%s=%s", old ? old : point,
		     old && strchr(old, ':') ? "," : ":", strcmp(dot + 1, "gpu") ? dot + 1 : "arg",
		     value);
	if (n < 0 || (size_t)n >= sizeof(m->knobs.faults[0]))
		return machine_fail(err, where, "too long");
	if (old) {
		struct machine_knobs scratch = { .n_faults = 0 };

		if (machine_fault_add(&scratch, spec, where, err))
			return -EINVAL;
		memcpy(old, spec, (size_t)n + 1);
		return 0;
	}
	return machine_fault_add(&m->knobs, spec, where, err);
}

/* The BAR of a board with large BAR grows and shrinks with its VRAM, and is never larger. */
static void follow_vram(struct machine_gpu *gpu, uint64_t old_vram)
{
	if (gpu->visible_vram == old_vram || gpu->visible_vram > gpu->vram)
		gpu->visible_vram = gpu->vram;
}

static int set_one(const struct machine_field *f, void *obj, const char *value, const char *where,
		   struct machine_err *err)
{
	uint64_t old_vram = 0;
	bool vram = f == machine_field_find(machine_gpu_fields, "vram");
	int e;

	if (vram)
		old_vram = ((struct machine_gpu *)obj)->vram;
	e = machine_field_set_text(f, obj, value, where, err);
	if (!e && vram)
		follow_vram(obj, old_vram);
	return e;
}

static int fail_key(const char *key, struct machine_err *err)
{
	return machine_fail_unknown(err, "", "key", key, machine_set_keys);
}

/* "gpu.vram" is every GPU, "gpu.1.vram" the second one; the same for sockets. */
static int set_member(const struct machine_field *table, const char *key, const char *name,
		      char *objs, size_t size, unsigned int n_objs, const char *value,
		      struct machine_err *err)
{
	unsigned int first = 0, last = n_objs;
	const struct machine_field *f;

	if (isdigit((unsigned char)*name)) {
		char *end;
		unsigned long index = strtoul(name, &end, 10);

		if (*end != '.' || end - name > 4)
			return fail_key(key, err);
		if (index >= n_objs)
			return machine_fail(err, key, "this machine has only numbers 0 to %u",
					    n_objs - 1);
		first = (unsigned int)index;
		last = first + 1;
		name = end + 1;
	}
	f = machine_field_find(table, name);
	if (!f) {
		char plain[KEY_MAX];

		snprintf(plain, sizeof(plain), "%.*s%s", (int)(strchr(key, '.') + 1 - key), key,
			 name);
		return fail_key(plain, err);
	}
	for (; first < last; first++)
		if (set_one(f, objs + first * size, value, key, err))
			return -EINVAL;
	return 0;
}

int machine_set_apply(struct machine_profile *m, const char *set, struct machine_err *err)
{
	const char *eq = strchr(set, '='), *value = eq + 1;
	const struct machine_field *f;
	char key[KEY_MAX];

	if (!eq || eq == set)
		return machine_fail(err, "", "expected key=value, got \"%.40s\"", set);
	if ((size_t)(eq - set) >= sizeof(key))
		return machine_fail(err, "", "unknown key \"%.40s...\"", set);
	snprintf(key, sizeof(key), "%.*s", (int)(eq - set), set);
	if (!strncmp(key, "fault.", 6))
		return set_fault(m, key + 6, value, key, err);
	if (!strncmp(key, "gpu.", 4))
		return set_member(machine_gpu_fields, key, key + 4, (char *)m->gpus,
				  sizeof(m->gpus[0]), m->n_gpus, value, err);
	if (!strncmp(key, "socket.", 7))
		return set_member(machine_socket_fields, key, key + 7, (char *)m->sockets,
				  sizeof(m->sockets[0]), m->n_sockets, value, err);
	f = machine_field_find(machine_knob_fields, key);
	return f ? set_one(f, m, value, key, err) : fail_key(key, err);
}
