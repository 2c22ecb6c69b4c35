/* SPDX-License-Identifier: MIT */
#include "host/env_host.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/nearest.h"

#define N_FAULTS  64
#define POINT_LEN 48
#define ERRNO_MAX 133 /* the highest that errno.h names, EHWPOISON */

/* struct fault - constant once set, but for @n_hits */
struct fault {
	char point[POINT_LEN];
	bool any_arg;
	uint64_t arg;
	int error; /* positive */
	uint64_t after;
	uint64_t count;
	_Atomic uint64_t n_hits; /* matching calls so far */
};

static struct fault faults[N_FAULTS];
static unsigned int n_faults;
static const char *const *known_points;

/* struct spec_err - where a refusal's words go */
struct spec_err {
	char *text;
	size_t len;
};

VKF_PRINTF(2, 3) static int refuse(const struct spec_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err->len)
		vsnprintf(err->text, err->len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_number(const char *key, const char *value, uint64_t *ret,
			const struct spec_err *err)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)*value) || *end || errno)
		return refuse(err, "fault %s=%s: expected a number from 0 to %" PRIu64, key, value,
			      UINT64_MAX);
	*ret = n;
	return 0;
}

static int parse_errno(const char *value, int *ret, const struct spec_err *err)
{
	const char *name;
	int e;

	if (strcmp(value, "ERESTARTSYS") == 0) {
		*ret = VKF_ERESTARTSYS;
		return 0;
	}
	for (e = 1; e <= ERRNO_MAX; e++) {
		name = strerrorname_np(e);
		if (name && strcmp(name, value) == 0) {
			*ret = e;
			return 0;
		}
	}
	return refuse(err, "fault errno=%s: expected a name from errno(3) such as ENOMEM", value);
}

/* @pair is "key=value" and is cut in two. */
static int parse_pair(struct fault *f, char *pair, const struct spec_err *err)
{
	char *value = strchr(pair, '=');

	if (!value)
		return refuse(err, "fault option '%s': expected KEY=VALUE", pair);
	*value++ = '\0';
	if (strcmp(pair, "arg") == 0) {
		f->any_arg = false;
		return parse_number(pair, value, &f->arg, err);
	}
	if (strcmp(pair, "errno") == 0)
		return parse_errno(value, &f->error, err);
	if (strcmp(pair, "after") == 0)
		return parse_number(pair, value, &f->after, err);
	if (strcmp(pair, "count") == 0)
		return parse_number(pair, value, &f->count, err);
	return refuse(err, "fault option '%s': expected arg, errno, after or count", pair);
}

/* "layer.step": two words of small letters, digits and underscores. */
static bool point_is_well_formed(const char *point)
{
	const char *word = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t n = strspn(point, word);

	if (n == 0 || point[n] != '.')
		return false;
	point += n + 1;
	n = strspn(point, word);
	return n > 0 && point[n] == '\0';
}

static int check_point(const char *point, const struct spec_err *err)
{
	const char *near;

	if (!point_is_well_formed(point))
		return refuse(err, "fault point '%s': expected LAYER.STEP such as mm.map", point);
	if (!known_points || !*known_points)
		return 0;
	near = vkf_nearest(point, known_points);
	if (near && strcmp(near, point) == 0)
		return 0;
	if (!near)
		near = *known_points;
	return refuse(err, "fault point '%s' does not exist; the nearest is %s", point, near);
}

static int parse_fault(struct fault *f, char *spec, const struct spec_err *err)
{
	char *rest = strchr(spec, ':');
	char *pair;
	int r;

	if (rest)
		*rest++ = '\0';
	r = check_point(spec, err);
	if (r)
		return r;
	snprintf(f->point, sizeof(f->point), "%s", spec);
	while (rest) {
		pair = strsep(&rest, ",");
		r = parse_pair(f, pair, err);
		if (r)
			return r;
	}
	return 0;
}

int host_fault_set(const char *spec, char *err, size_t errlen)
{
	const struct spec_err to = { err, errlen };
	struct fault *f = &faults[n_faults];
	char copy[256];
	size_t point_len = strcspn(spec, ":");
	int r;

	if (strlen(spec) >= sizeof(copy) || point_len >= POINT_LEN)
		return refuse(&to, "fault: expected at most %zu bytes, %d of them the point",
			      sizeof(copy) - 1, POINT_LEN - 1);
	if (n_faults == N_FAULTS) {
		refuse(&to, "fault %s: there are %d already", spec, N_FAULTS);
		return -ENOSPC;
	}
	strcpy(copy, spec);
	*f = (struct fault){ .any_arg = true, .error = ENOMEM, .count = UINT64_MAX };
	r = parse_fault(f, copy, &to);
	if (!r)
		n_faults++;
	return r;
}

void host_fault_clear(void)
{
	n_faults = 0;
}

void host_fault_known(const char *const *points)
{
	known_points = points;
}

/* Count this call. Return: whether it is one to fail. */
static bool fault_is_due(struct fault *f)
{
	uint64_t hit = atomic_fetch_add_explicit(&f->n_hits, 1, memory_order_relaxed);

	return hit >= f->after && hit - f->after < f->count;
}

static int host_fault(const char *point, uint64_t arg)
{
	struct fault *f;
	int error = 0;

	for (f = faults; f < faults + n_faults; f++) {
		if (strcmp(f->point, point) != 0 || (!f->any_arg && f->arg != arg))
			continue;
		if (fault_is_due(f) && !error)
			error = f->error;
	}
	return error;
}

#define SMALL 1024

/* What is small is often had from a cache, which this libc's calloc() passes by; what is large may
 * be fresh pages, which only calloc() knows to be zeroed. */
static void *host_zalloc(size_t size)
{
	void *p;

	if (size > SMALL)
		return calloc(1, size);
	p = malloc(size);
	return p ? memset(p, 0, size) : NULL;
}

static const struct vkf_env_ops host_ops = {
	.zalloc = host_zalloc,
	.free = free,
	.fault = host_fault,
};

static void host_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "vkfd: broken invariant at %s:%d: %s\n", file, line, what);
	abort();
}

void host_env_install(void)
{
	vkf_env_set(&host_ops);
	vkf_panic_hook = host_panic;
}
