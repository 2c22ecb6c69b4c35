/* SPDX-License-Identifier: MIT */
#ifndef VKFD_SHIM_REAL_H
#define VKFD_SHIM_REAL_H

/**
 * DOC: The functions behind the wrappers
 *
 * Whatever comes next in the search order: usually libc, maybe another preloaded
 * library. All are looked up at once, at the first call of any, because dlsym() is
 * no call to make in the child of a threaded program's fork. ioctl, mmap, fstat of
 * nothing but a number and the like go to the kernel (sys_raw.h) instead.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#define SHIM_REAL_FUNCTIONS(X)                                                                     \
	X(int, open, (const char *, int, ...))                                                     \
	X(int, openat, (int, const char *, int, ...))                                              \
	X(int, close, (int))                                                                       \
	X(FILE *, fopen, (const char *, const char *))                                             \
	X(FILE *, freopen, (const char *, const char *, FILE *))                                   \
	X(DIR *, opendir, (const char *))                                                          \
	X(int, scandir,                                                                            \
	  (const char *, struct dirent ***, int (*)(const struct dirent *),                        \
	   int (*)(const struct dirent **, const struct dirent **)))                               \
	X(int, stat, (const char *, struct stat *))                                                \
	X(int, lstat, (const char *, struct stat *))                                               \
	X(int, fstat, (int, struct stat *))                                                        \
	X(int, fstatat, (int, const char *, struct stat *, int))                                   \
	X(int, __xstat, (int, const char *, struct stat *))                                        \
	X(int, __lxstat, (int, const char *, struct stat *))                                       \
	X(int, __fxstat, (int, int, struct stat *))                                                \
	X(int, __fxstatat, (int, int, const char *, struct stat *, int))                           \
	X(int, statx, (int, const char *, int, unsigned int, struct statx *))                      \
	X(int, access, (const char *, int))                                                        \
	X(int, euidaccess, (const char *, int))                                                    \
	X(int, faccessat, (int, const char *, int, int))                                           \
	X(ssize_t, readlink, (const char *, char *, size_t))                                       \
	X(ssize_t, readlinkat, (int, const char *, char *, size_t))                                \
	X(char *, realpath, (const char *, char *))                                                \
	X(ssize_t, getxattr, (const char *, const char *, void *, size_t))                         \
	X(ssize_t, lgetxattr, (const char *, const char *, void *, size_t))                        \
	X(int, sigaction, (int, const struct sigaction *, struct sigaction *))                     \
	X(sighandler_t, signal, (int, sighandler_t))                                               \
	X(sighandler_t, sysv_signal, (int, sighandler_t))

struct shim_real {
#define SHIM_REAL_FIELD(ret, name, args) ret(*name) args;
	SHIM_REAL_FUNCTIONS(SHIM_REAL_FIELD)
#undef SHIM_REAL_FIELD
};

/* Never NULL, and neither is any field: what libc lacks answers ENOSYS. Keeps errno. */
const struct shim_real *shim_real(void);

#endif
