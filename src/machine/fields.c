/* SPDX-License-Identifier: MIT */
#include "machine/fields.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const engine_words[] = { "process", "thread", "none", NULL };
static const char *const vram_limit_words[] = { "kernel", "overcommit", NULL };
/* In the order of enum mm_evict_policy; a test compares. */
static const char *const evict_words[] = { "lru", "longest-run", "largest", "none", NULL };

#define GPU(key_, kind_, member, min_, max_)                                                       \
	{ .key = key_, .kind = kind_, .offset = offsetof(struct machine_gpu, member), .min = min_, \
	  .max = max_ }
#define SOCKET(key_, kind_, member, min_, max_)                                                    \
	{ .key = key_, .kind = kind_, .offset = offsetof(struct machine_socket, member),           \
	  .min = min_, .max = max_ }
#define KNOB(key_, kind_, member, min_, max_, ...)                                                 \
	{ .key = key_, .kind = kind_, .offset = offsetof(struct machine_profile, member),          \
	  .min = min_, .max = max_, ##__VA_ARGS__ }

#define MIN_VRAM VKF_MIB(32)
#define MAX_BYTES (UINT64_C(1) << 46)
#define MAX_QUOTA (UINT64_C(1) << 24)

const struct machine_field machine_gpu_fields[] = {
	GPU("vram", MACHINE_BYTES, vram, MIN_VRAM, MAX_BYTES),
	GPU("visible_vram", MACHINE_BYTES, visible_vram, VKF_MIB(1), MAX_BYTES),
	GPU("p2p", MACHINE_BOOL, p2p, 0, 1),
	GPU("atomics", MACHINE_BOOL, pcie_atomics, 0, 1),
	GPU("socket", MACHINE_UINT, socket, 0, MACHINE_MAX_SOCKETS - 1),
	GPU("product", MACHINE_TEXT, product, 0, MACHINE_NAME_MAX),
	GPU("pci", MACHINE_PCI, pci_domain, 0, 0),
	GPU("bar", MACHINE_U64, bar_base, VKF_MIB(1), UINT64_C(1) << 48),
	GPU("vendor", MACHINE_U16, vendor_id, 1, 0xffff),
	GPU("device", MACHINE_U16, device_id, 1, 0xffff),
	GPU("subvendor", MACHINE_U16, subvendor_id, 0, 0xffff),
	GPU("subdevice", MACHINE_U16, subdevice_id, 0, 0xffff),
	GPU("revision", MACHINE_U8, revision, 0, 0xff),
	GPU("unique_id", MACHINE_U64, unique_id, 0, UINT64_MAX),
	GPU("pcie_speed", MACHINE_SPEED, pcie_gts_x10, 25, 320),
	GPU("pcie_lanes", MACHINE_UINT, pcie_lanes, 1, 32),
	GPU("display", MACHINE_BOOL, display, 0, 1),
	GPU("cu_count", MACHINE_UINT, asic.cu_count, 1, 1024),
	GPU("clock_mhz", MACHINE_UINT, asic.max_clk_mhz, 1, 100000),
	GPU("mem_clock_mhz", MACHINE_UINT, asic.mem_clk_mhz, 1, 100000),
	GPU("mem_width_bits", MACHINE_UINT, asic.mem_width_bits, 1, 65536),
	GPU("fw_version", MACHINE_UINT, asic.fw_version, 0, 1000000),
	GPU("sdma_fw_version", MACHINE_UINT, asic.sdma_fw_version, 0, 1000000),
	{ NULL },
};

const struct machine_field machine_socket_fields[] = {
	SOCKET("ram", MACHINE_BYTES, ram, VKF_MIB(64), MAX_BYTES),
	SOCKET("cores", MACHINE_UINT, cores, 1, 1024),
	SOCKET("clock_mhz", MACHINE_UINT, max_clk_mhz, 1, 100000),
	SOCKET("mem_clock_mhz", MACHINE_UINT, mem_clk_mhz, 0, 100000),
	SOCKET("mem_width_bits", MACHINE_UINT, mem_width_bits, 0, 65536),
	{ NULL },
};

const struct machine_field machine_knob_fields[] = {
	KNOB("socket_distance", MACHINE_UINT, socket_distance, 11, 254),
	KNOB("kfd.map", MACHINE_MAP, knobs.map_transactional, 0, 1),
	KNOB("kfd.max_queues", MACHINE_UINT, knobs.max_queues, 1, 4096),
	KNOB("kfd.hws_max_conc_proc", MACHINE_UINT, knobs.hws_max_conc_proc, 1, 16),
	KNOB("engine", MACHINE_WORD, knobs.engine, 0, sizeof(((struct machine_knobs *)0)->engine),
	     .words = engine_words),
	KNOB("policy.vram_limit", MACHINE_CHOICE, knobs.vram_limit, 0, 1,
	     .words = vram_limit_words),
	KNOB("policy.evict", MACHINE_CHOICE, knobs.evict, 0, 3, .words = evict_words),
	KNOB("limit.system", MACHINE_BYTES, knobs.system_limit, VKF_MIB(1), MAX_BYTES),
	KNOB("limit.ttm", MACHINE_BYTES, knobs.ttm_limit, VKF_MIB(1), MAX_BYTES),
	KNOB("quota.buffers", MACHINE_U64, knobs.quota[MACHINE_QUOTA_BUFFERS], 1, MAX_QUOTA),
	KNOB("quota.mappings", MACHINE_U64, knobs.quota[MACHINE_QUOTA_MAPPINGS], 1, MAX_QUOTA),
	KNOB("quota.files", MACHINE_U64, knobs.quota[MACHINE_QUOTA_FILES], 1, MAX_QUOTA),
	KNOB("quota.exports", MACHINE_U64, knobs.quota[MACHINE_QUOTA_EXPORTS], 1, MAX_QUOTA),
	KNOB("seed", MACHINE_U64, knobs.seed, 0, UINT64_MAX),
	{ NULL },
};

int machine_fail(struct machine_err *err, const char *where, const char *fmt, ...)
{
	va_list args;
	int n;

	if (err->set || !err->len)
		return -EINVAL;
	err->set = true;
	n = *where ? snprintf(err->text, err->len, "%s: ", where) : 0;
	if (n < 0 || (size_t)n >= err->len)
		return -EINVAL;
	va_start(args, fmt);
	vsnprintf(err->text + n, err->len - (size_t)n, fmt, args);
	va_end(args);
	/* What the user wrote is quoted; the complaint stays one line all the same. */
	for (char *c = err->text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return -EINVAL;
}

const struct machine_field *machine_field_find(const struct machine_field *table, const char *key)
{
	for (; table->key; table++)
		if (!strcmp(table->key, key))
			return table;
	return NULL;
}

void machine_field_names(const struct machine_field *table, const char **names, size_t max)
{
	size_t n = 0;

	for (; table->key && n + 1 < max; table++)
		names[n++] = table->key;
	names[n] = NULL;
}

/* Decimal or 0x-hexadecimal, nothing else around it. */
static int parse_number(const char *text, uint64_t *ret)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (!isxdigit((unsigned char)*digits) || (!hex && !isdigit((unsigned char)*digits)))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(digits, &end, hex ? 16 : 10);
	return errno || *end ? -EINVAL : 0;
}

int machine_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct {
		const char *unit;
		unsigned int shift;
	} units[] = { { "", 0 },     { "B", 0 },    { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 },
		      { "TiB", 40 }, { "K", 10 },   { "M", 20 },   { "G", 30 },   { "T", 40 } };
	uint64_t value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < VKF_ARRAY_SIZE(units); i++) {
		if (strcasecmp(end, units[i].unit))
			continue;
		if (value > UINT64_MAX >> units[i].shift)
			return -EINVAL;
		*ret_bytes = value << units[i].shift;
		return 0;
	}
	return -EINVAL;
}

static int parse_bool(const char *text, uint64_t *ret)
{
	static const char *const yes[] = { "true", "on", "yes", "1" };
	static const char *const no[] = { "false", "off", "no", "0" };

	for (size_t i = 0; i < VKF_ARRAY_SIZE(yes); i++) {
		if (!strcmp(text, yes[i]) || !strcmp(text, no[i])) {
			*ret = !strcmp(text, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

/* "16", "16.0", "2.5": in tenths. */
static int parse_speed(const char *text, uint64_t *ret)
{
	unsigned int whole, tenth = 0;
	int n = 0;

	if (!isdigit((unsigned char)*text) || sscanf(text, "%3u%n", &whole, &n) != 1)
		return -EINVAL;
	text += n;
	if (*text == '.') {
		if (!isdigit((unsigned char)text[1]) || text[2])
			return -EINVAL;
		tenth = (unsigned int)(text[1] - '0');
	} else if (*text) {
		return -EINVAL;
	}
	*ret = whole * 10 + tenth;
	return 0;
}

static int set_pci(struct machine_gpu *gpu, const char *text)
{
	unsigned int domain, bus, dev, fn;
	int n = 0;

	if (strspn(text, "0123456789abcdefABCDEF:.") != strlen(text) ||
	    sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &dev, &fn, &n) != 4 || text[n] ||
	    n != 12 || dev > 31 || fn > 7)
		return -EINVAL;
	gpu->pci_domain = (uint16_t)domain;
	gpu->pci_bus = (uint8_t)bus;
	gpu->pci_devfn = (uint8_t)(dev << 3 | fn);
	return 0;
}

/* Text ends up in files that are read line by line. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static int set_string(const struct machine_field *f, char *dst, const char *text,
		      const char *where, struct machine_err *err)
{
	size_t len = strlen(text);

	if (f->words) {
		size_t i = 0;

		while (f->words[i] && strcmp(f->words[i], text))
			i++;
		if (!f->words[i])
			return machine_fail_unknown(err, where, "value", text, f->words);
	}
	if (len >= f->max || !is_printable(text))
		return machine_fail(err, where, "expected at most %" PRIu64
				    " printable characters on one line", f->max - 1);
	memcpy(dst, text, len + 1);
	return 0;
}

/* The place of @text among the words. Return: 0, or -EINVAL with @err filled. */
static int parse_choice(const struct machine_field *f, const char *text, const char *where,
			struct machine_err *err, uint64_t *ret)
{
	for (size_t i = 0; f->words[i]; i++) {
		if (!strcmp(f->words[i], text)) {
			*ret = i;
			return 0;
		}
	}
	return machine_fail_unknown(err, where, "value", text, f->words);
}

static void store(const struct machine_field *f, void *obj, uint64_t value)
{
	char *p = (char *)obj + f->offset;

	switch (f->kind) {
	case MACHINE_U64:
	case MACHINE_BYTES:
		*(uint64_t *)(void *)p = value;
		break;
	case MACHINE_U16:
		*(uint16_t *)(void *)p = (uint16_t)value;
		break;
	case MACHINE_U8:
		*(uint8_t *)p = (uint8_t)value;
		break;
	case MACHINE_BOOL:
	case MACHINE_MAP:
		*(bool *)p = value;
		break;
	default:
		*(unsigned int *)(void *)p = (unsigned int)value;
		break;
	}
}

static int fail_range(const struct machine_field *f, uint64_t value, const char *where,
		      struct machine_err *err)
{
	if (f->kind == MACHINE_BYTES)
		return machine_fail(err, where,
				    "expected %" PRIu64 " to %" PRIu64 " MiB, got %" PRIu64 " B",
				    f->min >> 20, f->max >> 20, value);
	if (f->kind == MACHINE_SPEED)
		return machine_fail(err, where, "expected 2.5 to 32 GT/s");
	return machine_fail(err, where, "expected %" PRIu64 " to %" PRIu64 ", got %" PRIu64, f->min,
			    f->max, value);
}

int machine_field_set_text(const struct machine_field *f, void *obj, const char *text,
			   const char *where, struct machine_err *err)
{
	static const char *const map_words[] = { "kernel", "transactional", NULL };
	const char *expected = "a number";
	uint64_t value = 0;
	int e;

	switch (f->kind) {
	case MACHINE_TEXT:
	case MACHINE_WORD:
		return set_string(f, (char *)obj + f->offset, text, where, err);
	case MACHINE_PCI:
		e = set_pci(obj, text);
		return e ? machine_fail(err, where, "expected a PCI address like \"0000:63:00.0\", "
					"got \"%.40s\"", text) : 0;
	case MACHINE_BYTES:
		expected = "a size like \"64GiB\" or a number of bytes";
		e = machine_parse_size(text, &value);
		break;
	case MACHINE_BOOL:
		expected = "true or false";
		e = parse_bool(text, &value);
		break;
	case MACHINE_SPEED:
		expected = "a speed in GT/s like 16 or 2.5";
		e = parse_speed(text, &value);
		break;
	case MACHINE_MAP:
		value = !strcmp(text, map_words[1]);
		if (!value && strcmp(text, map_words[0]))
			return machine_fail_unknown(err, where, "value", text, map_words);
		e = 0;
		break;
	case MACHINE_CHOICE:
		if (parse_choice(f, text, where, err, &value))
			return -EINVAL;
		e = 0;
		break;
	default:
		e = parse_number(text, &value);
		break;
	}
	if (e)
		return machine_fail(err, where, "expected %s, got \"%.40s\"", expected, text);
	if (value < f->min || value > f->max)
		return fail_range(f, value, where, err);
	store(f, obj, value);
	return 0;
}

static const char *type_name(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",   [JSON_STRING] = "a string",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",      [JSON_NULL] = "null",
	};

	return names[json_typeof(value)];
}

/* Which JSON type a kind is written as; a number may also be a string, for hexadecimal. */
static bool type_fits(const struct machine_field *f, const json_t *value)
{
	switch (f->kind) {
	case MACHINE_BOOL:
		return json_is_boolean(value);
	case MACHINE_TEXT:
	case MACHINE_PCI:
	case MACHINE_WORD:
	case MACHINE_MAP:
	case MACHINE_CHOICE:
		return json_is_string(value);
	case MACHINE_SPEED:
		return json_is_number(value);
	default:
		return json_is_integer(value) || json_is_string(value);
	}
}

int machine_field_set_json(const struct machine_field *f, void *obj, const json_t *value,
			   const char *where, struct machine_err *err)
{
	static const char *const expected[] = {
		[MACHINE_BYTES] = "a size like \"64GiB\" or a number of bytes",
		[MACHINE_BOOL] = "true or false",
		[MACHINE_TEXT] = "a string",
		[MACHINE_PCI] = "a PCI address like \"0000:63:00.0\"",
		[MACHINE_SPEED] = "a speed in GT/s like 16 or 2.5",
		[MACHINE_WORD] = "a string",
		[MACHINE_MAP] = "\"kernel\" or \"transactional\"",
		[MACHINE_CHOICE] = "a string",
	};
	char text[64];

	if (!type_fits(f, value)) {
		const char *want = f->kind < VKF_ARRAY_SIZE(expected) ? expected[f->kind] : NULL;

		return machine_fail(err, where, "expected %s, got %s", want ? want : "a number",
				    type_name(value));
	}
	if (json_is_string(value))
		return machine_field_set_text(f, obj, json_string_value(value), where, err);
	if (json_is_boolean(value))
		return machine_field_set_text(f, obj, json_is_true(value) ? "true" : "false", where,
					      err);
	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%g", json_real_value(value));
	return machine_field_set_text(f, obj, text, where, err);
}
