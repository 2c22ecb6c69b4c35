/* SPDX-License-Identifier: MIT */
/**
 * DOC: Wrappers for directories and for names
 *
 * Where the tree is must not show in an answer: a program that is told a name uses
 * it again, and compares it.
 */
#include "shim/wrap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "shim/file.h"

SHIM_EXPORT DIR *opendir(const char *path)
{
	struct route r;
	DIR *dir;

	if (SHIM_LIKELY(!route_maybe(path)) || route_lookup(path, true, &r) == ROUTE_PASS)
		return shim_real()->opendir(path);
	if (r.kind == ROUTE_CHAR) {
		errno = ENOTDIR;
		return NULL;
	}
	dir = shim_real()->opendir(r.full);
	if (dir)
		atomic_store_explicit(&route_dirs_open, true, memory_order_relaxed);
	return dir;
}

typedef int (*scan_filter)(const struct dirent *);
typedef int (*scan_compare)(const struct dirent **, const struct dirent **);

SHIM_EXPORT int scandir(const char *restrict path, struct dirent ***restrict names,
			scan_filter filter, scan_compare compare)
{
	struct route r;

	if (SHIM_LIKELY(!route_maybe(path)) || route_lookup(path, true, &r) == ROUTE_PASS)
		return shim_real()->scandir(path, names, filter, compare);
	return shim_real()->scandir(r.full, names, filter, compare);
}

SHIM_EXPORT int scandir64(const char *restrict path, struct dirent64 ***restrict names,
			  int (*filter)(const struct dirent64 *),
			  int (*compare)(const struct dirent64 **, const struct dirent64 **))
	__attribute__((alias("scandir")));

/* "/dev/kfd" and the like. Return: the length, not NUL-terminated. */
static size_t device_name(const struct shim_file *f, char *buf, size_t size)
{
	char text[40];
	size_t n;

	if (shim_file_dev(f) == WIRE_DEV_KFD)
		memcpy(text, "/dev/kfd", sizeof("/dev/kfd"));
	else
		snprintf(text, sizeof(text), "/dev/dri/%s%u", f->minor >= 128 ? "renderD" : "card",
			 f->minor);
	n = strlen(text);
	n = n < size ? n : size;
	memcpy(buf, text, n);
	return n;
}

/* The number in /proc/self/fd/N, or -1. */
static int proc_fd(const char *path)
{
	static const char prefix[] = "/proc/self/fd/";
	unsigned long v = 0;
	const char *p = path + sizeof(prefix) - 1;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || !*p)
		return -1;
	for (; *p >= '0' && *p <= '9' && v < FILE_HINTS; p++)
		v = v * 10 + (unsigned long)(*p - '0');
	return *p || v >= FILE_HINTS ? -1 : (int)v;
}

/* Of the tree: its own links, and no devices, which are none. */
static long readlink_routed(int dirfd, const char *path, char *buf, size_t size, bool *ret_routed)
{
	char text[PATH_MAX];
	struct route r;
	long n;

	*ret_routed = true;
	switch (wrap_route(dirfd, path, false, &r)) {
	case ROUTE_PASS:
		*ret_routed = false;
		return 0;
	case ROUTE_CHAR:
		return -EINVAL;
	default:
		n = SYS4(readlinkat, AT_FDCWD, r.full, text, sizeof(text));
		if (n < 0)
			return n;
		n = (long)route_strip(text, (size_t)n);
		n = n < (long)size ? n : (long)size;
		memcpy(buf, text, (size_t)n);
		return n;
	}
}

/* A link of /proc may say where the tree is, or that a device is a socket. @n: what the caller was
 * to get; it may have been cut off, so the link is read again. */
static __attribute__((noinline)) ssize_t fix_proc_link(int dirfd, const char *path, char *buf,
						       ssize_t n, size_t size)
{
	char text[PATH_MAX];
	struct shim_file f;
	long len = SYS4(readlinkat, dirfd, path, text, sizeof(text));
	size_t stripped;
	int fd;

	if (len <= 0)
		return n;
	fd = len > 7 && memcmp(text, "socket:", 7) == 0 ? proc_fd(path) : -1;
	if (fd >= 0 && shim_file_identify(fd, &f))
		return (ssize_t)device_name(&f, buf, size);
	stripped = route_strip(text, (size_t)len);
	if (stripped == (size_t)len)
		return n;
	stripped = stripped < size ? stripped : size;
	memcpy(buf, text, stripped);
	return (ssize_t)stripped;
}

static ssize_t readlink_any(int dirfd, const char *path, char *buf, size_t size)
{
	ssize_t n;

	if (SHIM_UNLIKELY(wrap_maybe(path))) {
		bool routed;
		long r = readlink_routed(dirfd, path, buf, size, &routed);

		if (routed)
			return shim_ret(r);
	}
	n = dirfd == AT_FDCWD ? shim_real()->readlink(path, buf, size)
			      : shim_real()->readlinkat(dirfd, path, buf, size);
	if (SHIM_UNLIKELY(n > 0 && route_maybe(path)) && strncmp(path, "/proc/", 6) == 0)
		return fix_proc_link(dirfd, path, buf, n, size);
	return n;
}

SHIM_EXPORT ssize_t readlink(const char *restrict path, char *restrict buf, size_t size)
{
	return readlink_any(AT_FDCWD, path, buf, size);
}

SHIM_EXPORT ssize_t readlinkat(int dirfd, const char *restrict path, char *restrict buf,
			       size_t size)
{
	return readlink_any(dirfd, path, buf, size);
}

/* What the compiler calls with _FORTIFY_SOURCE; an overflow ends the program there. */
SHIM_EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t buf_size);
SHIM_EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t buf_size)
{
	if (size > buf_size)
		abort();
	return readlink_any(AT_FDCWD, path, buf, size);
}

SHIM_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size,
				     size_t buf_size);
SHIM_EXPORT ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size,
				     size_t buf_size)
{
	if (size > buf_size)
		abort();
	return readlink_any(dirfd, path, buf, size);
}

/* @out has PATH_MAX bytes. A device is what its directory's real name and its own say. */
static char *realpath_tree(struct route *r, char *out)
{
	char *slash = strrchr(r->full, '/');
	size_t n, len;

	if (r->kind != ROUTE_CHAR) {
		if (!shim_real()->realpath(r->full, out))
			return NULL;
		out[route_strip(out, strlen(out))] = '\0';
		return out;
	}
	*slash = '\0';
	if (!shim_real()->realpath(r->full, out))
		return NULL;
	n = route_strip(out, strlen(out));
	len = strlen(slash + 1);
	if (n + len + 2 > PATH_MAX) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	out[n] = '/';
	memcpy(out + n + 1, slash + 1, len + 1);
	return out;
}

static __attribute__((noinline)) char *realpath_routed(const char *path, char *out,
						       bool *ret_routed)
{
	char buf[PATH_MAX];
	struct route r;
	int saved = errno;

	*ret_routed = route_lookup(path, true, &r) != ROUTE_PASS;
	if (!*ret_routed)
		return NULL;
	if (!realpath_tree(&r, buf))
		return NULL;
	errno = saved;
	if (!out)
		return strdup(buf);
	memcpy(out, buf, strlen(buf) + 1);
	return out;
}

static char *realpath_any(const char *path, char *out)
{
	if (SHIM_UNLIKELY(route_maybe(path))) {
		bool routed;
		char *p = realpath_routed(path, out, &routed);

		if (routed)
			return p;
	}
	return shim_real()->realpath(path, out);
}

SHIM_EXPORT char *realpath(const char *restrict path, char *restrict out)
{
	return realpath_any(path, out);
}

SHIM_EXPORT char *__realpath_chk(const char *path, char *out, size_t size);
SHIM_EXPORT char *__realpath_chk(const char *path, char *out, size_t size)
{
	if (size < PATH_MAX)
		abort();
	return realpath_any(path, out);
}

SHIM_EXPORT char *canonicalize_file_name(const char *path)
{
	return realpath_any(path, NULL);
}

/* No file of the machine has any: ls asks for every one it lists. */
static ssize_t xattr_routed(const char *path, bool follow, bool *ret_routed)
{
	struct route r;
	struct stat st;
	long e = -ENODATA;

	*ret_routed = route_lookup(path, follow, &r) != ROUTE_PASS;
	if (*ret_routed && r.kind == ROUTE_FILE &&
	    SYS4(newfstatat, AT_FDCWD, r.full, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		e = -ENOENT;
	return *ret_routed ? shim_ret(e) : 0;
}

#define WRAP_GETXATTR(name, follow)                                                                \
	SHIM_EXPORT ssize_t name(const char *path, const char *attr, void *value, size_t size);    \
	SHIM_EXPORT ssize_t name(const char *path, const char *attr, void *value, size_t size)     \
	{                                                                                          \
		if (SHIM_UNLIKELY(route_maybe(path))) {                                            \
			bool routed;                                                               \
			ssize_t n = xattr_routed(path, follow, &routed);                           \
                                                                                                   \
			if (routed)                                                                \
				return n;                                                          \
		}                                                                                  \
		return shim_real()->name(path, attr, value, size);                                 \
	}

WRAP_GETXATTR(getxattr, true)
WRAP_GETXATTR(lgetxattr, false)
