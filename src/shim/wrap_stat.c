/* SPDX-License-Identifier: MIT */
/**
 * DOC: Wrappers that ask what a file is
 *
 * struct stat and struct stat64 are one on x86-64.
 */
#include "shim/wrap.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "shim/file.h"

#define DEVICE_MODE (S_IFCHR | 0666)
#define DMABUF_MODE 0600
/* What sysfs says of every attribute. */
#define ATTRIBUTE_SIZE 4096

static void be_device(struct stat *st, unsigned int major, unsigned int minor)
{
	st->st_mode = DEVICE_MODE;
	st->st_rdev = makedev(major, minor);
	st->st_size = 0;
	st->st_blocks = 0;
	st->st_nlink = 1;
}

static void be_devicex(struct statx *stx, unsigned int major, unsigned int minor)
{
	stx->stx_mode = DEVICE_MODE;
	stx->stx_rdev_major = major;
	stx->stx_rdev_minor = minor;
	stx->stx_size = 0;
	stx->stx_blocks = 0;
	stx->stx_nlink = 1;
}

/* An inode of its own filesystem, without a type. */
static void be_dmabuf(struct stat *st, const struct shim_file *f)
{
	st->st_mode = DMABUF_MODE;
	st->st_ino = f->inode;
	st->st_rdev = 0;
	st->st_size = (off_t)f->bytes;
	st->st_blocks = (blkcnt_t)(f->bytes / 512);
	st->st_nlink = 1;
}

static void be_dmabufx(struct statx *stx, const struct shim_file *f)
{
	stx->stx_mode = DMABUF_MODE;
	stx->stx_ino = f->inode;
	stx->stx_rdev_major = stx->stx_rdev_minor = 0;
	stx->stx_size = f->bytes;
	stx->stx_blocks = f->bytes / 512;
	stx->stx_nlink = 1;
}

static long stat_routed(const char *full, enum route_kind kind, const struct route *r,
			struct stat *st, int flags)
{
	long e;

	if (kind == ROUTE_CHAR)
		flags |= AT_SYMLINK_NOFOLLOW;
	e = SYS4(newfstatat, AT_FDCWD, full, st, flags);
	if (e < 0)
		return e;
	if (kind == ROUTE_CHAR)
		be_device(st, r->major, r->minor);
	if (kind == ROUTE_LIVE) {
		st->st_mode &= ~(mode_t)S_ISVTX;
		st->st_size = ATTRIBUTE_SIZE;
	}
	return 0;
}

/* Return: whether @path is the tree's, with the answer in @ret. */
static __attribute__((noinline)) bool try_stat(int dirfd, const char *path, struct stat *st,
					       int flags, int *ret)
{
	struct route r;
	enum route_kind kind = wrap_route(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), &r);

	if (kind == ROUTE_PASS)
		return false;
	*ret = (int)shim_ret(stat_routed(r.full, kind, &r, st, flags & AT_SYMLINK_NOFOLLOW));
	return true;
}

/* A socket that answers stat may be one of ours. */
static void fix_fd(int fd, struct stat *st)
{
	struct shim_file f;

	if (!S_ISSOCK(st->st_mode) || !shim_env()->active || !shim_file_identify(fd, &f))
		return;
	if (shim_file_is_dmabuf(&f))
		be_dmabuf(st, &f);
	else
		be_device(st, f.major, f.minor);
}

#define WRAP_STAT(name, real_name, flags)                                                          \
	SHIM_EXPORT int name(const char *path, struct stat *st);                                   \
	SHIM_EXPORT int name(const char *path, struct stat *st)                                    \
	{                                                                                          \
		int r;                                                                             \
                                                                                                   \
		if (SHIM_UNLIKELY(wrap_maybe(path)) && try_stat(AT_FDCWD, path, st, flags, &r))    \
			return r;                                                                  \
		return shim_real()->real_name(path, st);                                           \
	}

#define WRAP_XSTAT(name, real_name, flags)                                                         \
	SHIM_EXPORT int name(int ver, const char *path, struct stat *st);                          \
	SHIM_EXPORT int name(int ver, const char *path, struct stat *st)                           \
	{                                                                                          \
		int r;                                                                             \
                                                                                                   \
		if (SHIM_UNLIKELY(wrap_maybe(path)) && try_stat(AT_FDCWD, path, st, flags, &r))    \
			return r;                                                                  \
		return shim_real()->real_name(ver, path, st);                                      \
	}

static int fstatat_any(int dirfd, const char *path, struct stat *st, int flags, int ver)
{
	int r;

	if (SHIM_UNLIKELY(wrap_maybe(path)) && try_stat(dirfd, path, st, flags, &r))
		return r;
	r = ver < 0 ? shim_real()->fstatat(dirfd, path, st, flags)
		    : shim_real()->__fxstatat(ver, dirfd, path, st, flags);
	if (r == 0 && (flags & AT_EMPTY_PATH) && S_ISSOCK(st->st_mode))
		fix_fd(dirfd, st);
	return r;
}

#define WRAP_FSTAT(name)                                                                           \
	SHIM_EXPORT int name(int fd, struct stat *st);                                             \
	SHIM_EXPORT int name(int fd, struct stat *st)                                              \
	{                                                                                          \
		int r = shim_real()->fstat(fd, st);                                                \
                                                                                                   \
		if (r == 0)                                                                        \
			fix_fd(fd, st);                                                            \
		return r;                                                                          \
	}

#define WRAP_FXSTAT(name)                                                                          \
	SHIM_EXPORT int name(int ver, int fd, struct stat *st);                                    \
	SHIM_EXPORT int name(int ver, int fd, struct stat *st)                                     \
	{                                                                                          \
		int r = shim_real()->__fxstat(ver, fd, st);                                        \
                                                                                                   \
		if (r == 0)                                                                        \
			fix_fd(fd, st);                                                            \
		return r;                                                                          \
	}

#define WRAP_FSTATAT(name)                                                                         \
	SHIM_EXPORT int name(int dirfd, const char *path, struct stat *st, int flags);             \
	SHIM_EXPORT int name(int dirfd, const char *path, struct stat *st, int flags)              \
	{                                                                                          \
		return fstatat_any(dirfd, path, st, flags, -1);                                    \
	}

#define WRAP_FXSTATAT(name)                                                                        \
	SHIM_EXPORT int name(int ver, int dirfd, const char *path, struct stat *st, int flags);    \
	SHIM_EXPORT int name(int ver, int dirfd, const char *path, struct stat *st, int flags)     \
	{                                                                                          \
		return fstatat_any(dirfd, path, st, flags, ver);                                   \
	}

WRAP_STAT(stat, stat, 0)
WRAP_STAT(lstat, lstat, AT_SYMLINK_NOFOLLOW)
WRAP_FSTAT(fstat)
WRAP_FSTATAT(fstatat)
WRAP_XSTAT(__xstat, __xstat, 0)
WRAP_XSTAT(__lxstat, __lxstat, AT_SYMLINK_NOFOLLOW)
WRAP_FXSTAT(__fxstat)
WRAP_FXSTATAT(__fxstatat)

/* The large-file names, by which headers know another struct with the same bytes. */
#define WRAP_ALIAS(ret, name64, name, ...)                                                         \
	SHIM_EXPORT ret name64(__VA_ARGS__) __attribute__((alias(#name)))

WRAP_ALIAS(int, stat64, stat, const char *, struct stat64 *);
WRAP_ALIAS(int, lstat64, lstat, const char *, struct stat64 *);
WRAP_ALIAS(int, fstat64, fstat, int, struct stat64 *);
WRAP_ALIAS(int, fstatat64, fstatat, int, const char *, struct stat64 *, int);
WRAP_ALIAS(int, __xstat64, __xstat, int, const char *, struct stat64 *);
WRAP_ALIAS(int, __lxstat64, __lxstat, int, const char *, struct stat64 *);
WRAP_ALIAS(int, __fxstat64, __fxstat, int, int, struct stat64 *);
WRAP_ALIAS(int, __fxstatat64, __fxstatat, int, int, const char *, struct stat64 *, int);

static long statx_routed(enum route_kind kind, const struct route *r, int flags, unsigned int mask,
			 struct statx *stx)
{
	long e;

	if (kind == ROUTE_CHAR)
		flags |= AT_SYMLINK_NOFOLLOW;
	e = SYS5(statx, AT_FDCWD, r->full, flags, mask, stx);
	if (e < 0)
		return e;
	if (kind == ROUTE_CHAR)
		be_devicex(stx, r->major, r->minor);
	if (kind == ROUTE_LIVE) {
		stx->stx_mode &= (uint16_t)~S_ISVTX;
		stx->stx_size = ATTRIBUTE_SIZE;
	}
	return 0;
}

static __attribute__((noinline)) bool try_statx(int dirfd, const char *path, int flags,
						unsigned int mask, struct statx *stx, int *ret)
{
	struct route r;
	enum route_kind kind = wrap_route(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), &r);

	if (kind == ROUTE_PASS)
		return false;
	*ret = (int)shim_ret(statx_routed(kind, &r, flags, mask, stx));
	return true;
}

static void fix_fdx(int fd, struct statx *stx)
{
	struct shim_file f;

	if (!shim_env()->active || !shim_file_identify(fd, &f))
		return;
	if (shim_file_is_dmabuf(&f))
		be_dmabufx(stx, &f);
	else
		be_devicex(stx, f.major, f.minor);
}

SHIM_EXPORT int statx(int dirfd, const char *restrict path, int flags, unsigned int mask,
		      struct statx *restrict stx)
{
	int r;

	if (SHIM_UNLIKELY(wrap_maybe(path)) && try_statx(dirfd, path, flags, mask, stx, &r))
		return r;
	r = shim_real()->statx(dirfd, path, flags, mask, stx);
	if (r == 0 && (flags & AT_EMPTY_PATH) && S_ISSOCK(stx->stx_mode))
		fix_fdx(dirfd, stx);
	return r;
}

/* Return: whether @path is the tree's, with the answer in @ret. */
static __attribute__((noinline)) bool try_access(int dirfd, const char *path, int mode, int flags,
						 int *ret)
{
	struct route r;
	enum route_kind kind = wrap_route(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), &r);
	struct stat st;
	long e;

	if (kind == ROUTE_PASS)
		return false;
	e = stat_routed(r.full, kind, &r, &st, flags & AT_SYMLINK_NOFOLLOW);
	if (e == 0 && (mode & ~(R_OK | W_OK | X_OK)))
		e = -EINVAL;
	/* Devices are for everybody; the rest is read-only, and only directories can be entered. */
	if (e == 0 && kind != ROUTE_CHAR && (mode & W_OK))
		e = -EACCES;
	if (e == 0 && !S_ISDIR(st.st_mode) && (mode & X_OK))
		e = -EACCES;
	*ret = (int)shim_ret(e);
	return true;
}

#define WRAP_ACCESS(name, real_name)                                                               \
	SHIM_EXPORT int name(const char *path, int mode);                                          \
	SHIM_EXPORT int name(const char *path, int mode)                                           \
	{                                                                                          \
		int r;                                                                             \
                                                                                                   \
		if (SHIM_UNLIKELY(wrap_maybe(path)) && try_access(AT_FDCWD, path, mode, 0, &r))    \
			return r;                                                                  \
		return shim_real()->real_name(path, mode);                                         \
	}

WRAP_ACCESS(access, access)
WRAP_ACCESS(euidaccess, euidaccess)
WRAP_ACCESS(eaccess, euidaccess)

SHIM_EXPORT int faccessat(int dirfd, const char *path, int mode, int flags)
{
	int r;

	if (SHIM_UNLIKELY(wrap_maybe(path)) && try_access(dirfd, path, mode, flags, &r))
		return r;
	return shim_real()->faccessat(dirfd, path, mode, flags);
}
