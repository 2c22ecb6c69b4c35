/* SPDX-License-Identifier: MIT */
/**
 * DOC: Wrappers that open
 */
#include "shim/wrap.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include "shim/conn.h"
#include "shim/file.h"

enum route_kind wrap_route(int dirfd, const char *path, bool follow, struct route *r)
{
	if (path[0] == '/')
		return route_lookup(path, follow, r);
	return route_relative(dirfd, path, follow, r);
}

/* The name by which the driver knows the file: without links, and without the tree before it. */
static int live_name(const char *full, char *name, size_t size)
{
	char real[PATH_MAX];
	long fd = SYS4(openat, AT_FDCWD, full, O_PATH | O_CLOEXEC, 0);
	size_t n;

	if (sys_is_error(fd))
		return (int)fd;
	n = route_fd_name((int)fd, real, sizeof(real));
	sys_close((int)fd);
	n = route_strip(real, n);
	if (n == 0 || n + sizeof("file:") > size)
		return -ENOENT;
	memcpy(name, "file:", 5);
	memcpy(name + 5, real, n);
	name[5 + n] = '\0';
	return 0;
}

int wrap_open_live(const char *full, int flags)
{
	char name[WIRE_NAME_MAX], link[ROUTE_FD_LINK];
	int r = live_name(full, name, sizeof(name)), fd;
	long ro;

	if (r)
		return r;
	fd = conn_query(name);
	if (fd < 0)
		return fd;
	/* The memfd itself is writable; a second opening of it need not be. */
	route_fd_link(fd, link);
	ro = SYS4(openat, AT_FDCWD, link, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK)), 0);
	if (!sys_is_error(ro)) {
		sys_close(fd);
		return (int)ro;
	}
	if (!(flags & O_CLOEXEC))
		SYS3(fcntl, fd, F_SETFD, 0);
	return fd;
}

/* As sysfs refuses, whoever asks: these files have no way to be written. */
static bool wants_write(int flags)
{
	return !(flags & O_PATH) && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC));
}

static long open_device(const struct route *r, int flags)
{
	if (flags & O_PATH)
		return SYS4(openat, AT_FDCWD, r->full, (flags & O_CLOEXEC) | O_PATH | O_NOFOLLOW,
			    0);
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	return shim_file_open(r->major, r->minor, flags);
}

static long open_file(const struct route *r, int flags)
{
	struct stat st;
	long fd, e = SYS4(newfstatat, AT_FDCWD, r->full, &st,
			  flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);

	if (e < 0)
		return e == -ENOENT && (flags & O_CREAT) ? -EACCES : e;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if (wants_write(flags))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
	fd = SYS4(openat, AT_FDCWD, r->full, flags & ~(O_CREAT | O_EXCL), 0);
	if (fd >= 0 && S_ISDIR(st.st_mode))
		atomic_store_explicit(&route_dirs_open, true, memory_order_relaxed);
	return fd;
}

__attribute__((noinline)) long wrap_open_routed(int dirfd, const char *path, int flags,
						bool *ret_routed)
{
	struct route r;

	*ret_routed = true;
	switch (wrap_route(dirfd, path, !(flags & O_NOFOLLOW), &r)) {
	case ROUTE_CHAR:
		return open_device(&r, flags);
	case ROUTE_LIVE:
		if (flags & (O_PATH | O_DIRECTORY))
			return open_file(&r, flags);
		if ((flags & O_CREAT) && (flags & O_EXCL))
			return -EEXIST;
		return wants_write(flags) ? -EACCES : wrap_open_live(r.full, flags);
	case ROUTE_FILE:
		return open_file(&r, flags);
	case ROUTE_PASS:
		break;
	}
	*ret_routed = false;
	return 0;
}

static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
	if (SHIM_UNLIKELY(wrap_maybe(path))) {
		bool routed;
		long fd = wrap_open_routed(dirfd, path, flags, &routed);

		if (routed)
			return (int)shim_ret(fd);
	}
	if (dirfd == AT_FDCWD)
		return shim_real()->open(path, flags, mode);
	return shim_real()->openat(dirfd, path, flags, mode);
}

static bool has_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

#define GET_MODE(flags, mode)                                                                      \
	do {                                                                                       \
		va_list ap_;                                                                       \
		va_start(ap_, flags);                                                              \
		mode = has_mode(flags) ? va_arg(ap_, mode_t) : 0;                                  \
		va_end(ap_);                                                                       \
	} while (0)

#define WRAP_OPEN(name)                                                                            \
	SHIM_EXPORT int name(const char *path, int flags, ...);                                    \
	SHIM_EXPORT int name(const char *path, int flags, ...)                                     \
	{                                                                                          \
		mode_t mode;                                                                       \
                                                                                                   \
		GET_MODE(flags, mode);                                                             \
		return open_any(AT_FDCWD, path, flags, mode);                                      \
	}

#define WRAP_OPENAT(name)                                                                          \
	SHIM_EXPORT int name(int dirfd, const char *path, int flags, ...);                         \
	SHIM_EXPORT int name(int dirfd, const char *path, int flags, ...)                          \
	{                                                                                          \
		mode_t mode;                                                                       \
                                                                                                   \
		GET_MODE(flags, mode);                                                             \
		return open_any(dirfd, path, flags, mode);                                         \
	}

/* What the compiler calls for open() with _FORTIFY_SOURCE, when no mode is given. */
#define WRAP_OPEN_2(name)                                                                          \
	SHIM_EXPORT int name(const char *path, int flags);                                         \
	SHIM_EXPORT int name(const char *path, int flags)                                          \
	{                                                                                          \
		return open_any(AT_FDCWD, path, flags, 0);                                         \
	}

#define WRAP_OPENAT_2(name)                                                                        \
	SHIM_EXPORT int name(int dirfd, const char *path, int flags);                              \
	SHIM_EXPORT int name(int dirfd, const char *path, int flags)                               \
	{                                                                                          \
		return open_any(dirfd, path, flags, 0);                                            \
	}

#define WRAP_CREAT(name)                                                                           \
	SHIM_EXPORT int name(const char *path, mode_t mode);                                       \
	SHIM_EXPORT int name(const char *path, mode_t mode)                                        \
	{                                                                                          \
		return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);               \
	}

WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPEN(__open)
WRAP_OPEN(__open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)
WRAP_OPEN_2(__open_2)
WRAP_OPEN_2(__open64_2)
WRAP_OPENAT_2(__openat_2)
WRAP_OPENAT_2(__openat64_2)
WRAP_CREAT(creat)
WRAP_CREAT(creat64)

/* The open() flags of an fopen() mode; -1 for none. */
static int mode_flags(const char *mode)
{
	int flags;

	if (mode[0] == 'r')
		flags = O_RDONLY;
	else if (mode[0] == 'w')
		flags = O_WRONLY | O_CREAT | O_TRUNC;
	else if (mode[0] == 'a')
		flags = O_WRONLY | O_CREAT | O_APPEND;
	else
		return -1;
	if (strchr(mode, '+'))
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	if (strchr(mode, 'x'))
		flags |= O_EXCL;
	if (strchr(mode, 'e'))
		flags |= O_CLOEXEC;
	return flags;
}

static FILE *fopen_routed(const char *path, const char *mode, bool *ret_routed)
{
	int flags = mode_flags(mode);
	FILE *file;
	long fd;

	*ret_routed = true;
	if (flags < 0) {
		errno = EINVAL;
		return NULL;
	}
	fd = wrap_open_routed(AT_FDCWD, path, flags, ret_routed);
	if (!*ret_routed || shim_ret(fd) < 0)
		return NULL;
	file = fdopen((int)fd, mode);
	if (!file)
		sys_close((int)fd);
	return file;
}

#define WRAP_FOPEN(name)                                                                           \
	SHIM_EXPORT FILE *name(const char *path, const char *mode);                                \
	SHIM_EXPORT FILE *name(const char *path, const char *mode)                                 \
	{                                                                                          \
		if (SHIM_UNLIKELY(wrap_maybe(path))) {                                             \
			bool routed;                                                               \
			FILE *file = fopen_routed(path, mode, &routed);                            \
                                                                                                   \
			if (routed)                                                                \
				return file;                                                       \
		}                                                                                  \
		return shim_real()->fopen(path, mode);                                             \
	}

WRAP_FOPEN(fopen)
WRAP_FOPEN(fopen64)

/* The stream keeps its identity, so the file is opened by a name that leads to it. */
static FILE *freopen_routed(const char *path, const char *mode, FILE *stream, bool *ret_routed)
{
	char link[ROUTE_FD_LINK];
	int flags = mode_flags(mode);
	struct route r;
	FILE *file;
	long fd;

	*ret_routed = true;
	if (flags < 0)
		flags = O_RDONLY;
	if (wrap_route(AT_FDCWD, path, true, &r) == ROUTE_CHAR) {
		errno = ENXIO;
		return NULL;
	}
	fd = wrap_open_routed(AT_FDCWD, path, flags, ret_routed);
	if (!*ret_routed || shim_ret(fd) < 0)
		return NULL;
	route_fd_link((int)fd, link);
	file = shim_real()->freopen(link, mode, stream);
	sys_close((int)fd);
	return file;
}

#define WRAP_FREOPEN(name)                                                                         \
	SHIM_EXPORT FILE *name(const char *path, const char *mode, FILE *stream);                  \
	SHIM_EXPORT FILE *name(const char *path, const char *mode, FILE *stream)                   \
	{                                                                                          \
		if (SHIM_UNLIKELY(wrap_maybe(path))) {                                             \
			bool routed;                                                               \
			FILE *file = freopen_routed(path, mode, stream, &routed);                  \
                                                                                                   \
			if (routed)                                                                \
				return file;                                                       \
		}                                                                                  \
		return shim_real()->freopen(path, mode, stream);                                   \
	}

WRAP_FREOPEN(freopen)
WRAP_FREOPEN(freopen64)
