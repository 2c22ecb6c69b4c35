/* SPDX-License-Identifier: MIT */
/**
 * DOC: Runtime directories
 *
 * Named vkfd-XXXXXX, mode 0700, each with an empty file "lock", mode 0600, that its
 * driver holds an flock on from before it is of use to anybody until it is removed.
 * A directory whose lock can be taken has lost its driver, and is removed by whoever
 * comes by, with the lock held: so a driver that is just beginning either has it
 * first, or finds its lock removed and begins again. Anything of another shape is
 * somebody else's, whatever its name.
 */
#include "daemon/daemon.h"

#include <dirent.h>
#include <limits.h>
#include <time.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "wire/proto.h"

#define PREFIX "vkfd-"
#define RANDOM "XXXXXX"
#define LOCK   "lock"
/* An empty directory this young may be about to get its lock. */
#define YOUNG_SECONDS 10
#define TRIES         10

static bool usable(const char *dir)
{
	struct stat st;

	return dir && dir[0] == '/' && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	       access(dir, W_OK | X_OK) == 0;
}

static const char *base_dir(void)
{
	/* In memory where possible: a tree of a thousand small files is slow to make on a disk. */
	const char *places[] = { getenv("XDG_RUNTIME_DIR"), "/dev/shm", getenv("TMPDIR") };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (usable(places[i]))
			return places[i];
	return "/tmp";
}

/* All but the directory itself and its lock. */
static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	if (ftw->level == 0 || (ftw->level == 1 && !strcmp(path + ftw->base, LOCK)))
		return 0;
	/* Files of the tree are read-only, their directories are not. */
	return (flag == FTW_DP ? rmdir(path) : unlink(path)) < 0 && errno != ENOENT ? -1 : 0;
}

void daemon_runtime_remove(const char *path)
{
	char lock[PATH_MAX + sizeof("/" LOCK)];

	snprintf(lock, sizeof(lock), "%s/" LOCK, path);
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	/* Last: without it nobody would know a half removed one for what it is. */
	unlink(lock);
	rmdir(path);
}

enum found { NOT_OURS, LIVES, DEAD };

static bool is_mine(const struct stat *st, mode_t type_and_mode)
{
	return st->st_uid == geteuid() && st->st_mode == type_and_mode;
}

/* Whether its driver lives; if not, its lock is held in *@ret_lock. */
static enum found probe_lock(const char *lock, int *ret_lock)
{
	int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum found found = NOT_OURS;
	struct stat st;

	if (fd < 0)
		return NOT_OURS;
	/* Shared: two who look at once do not take each other for the driver. */
	if (fstat(fd, &st) == 0 && is_mine(&st, S_IFREG | 0600) && st.st_size == 0)
		found = flock(fd, LOCK_SH | LOCK_NB) < 0 ? LIVES : DEAD;
	if (found == DEAD)
		*ret_lock = fd;
	else
		close(fd);
	return found;
}

static enum found probe(const char *path, int *ret_lock)
{
	char lock[PATH_MAX + sizeof("/" LOCK)];
	struct stat st;

	if (lstat(path, &st) < 0 || !is_mine(&st, S_IFDIR | 0700))
		return NOT_OURS;
	snprintf(lock, sizeof(lock), "%s/" LOCK, path);
	if (access(lock, F_OK) == 0)
		return probe_lock(lock, ret_lock);
	/* Begun, and never finished; nothing is lost with it. */
	if (time(NULL) - st.st_mtime >= YOUNG_SECONDS)
		rmdir(path);
	return NOT_OURS;
}

static bool is_name(const char *name)
{
	const char *random = name + strlen(PREFIX);

	return !strncmp(name, PREFIX, strlen(PREFIX)) && strlen(random) == strlen(RANDOM) &&
	       strspn(random, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
		       strlen(RANDOM);
}

/* Calls @fn, if any, for those that live, and removes those that are dead. */
static void for_each_runtime(void (*fn)(void *cookie, const char *path), void *cookie)
{
	const char *base = base_dir();
	DIR *dir = opendir(base);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		enum found found;
		char path[PATH_MAX];
		int lock;

		if (!is_name(e->d_name) ||
		    snprintf(path, sizeof(path), "%s/%s", base, e->d_name) >= (int)sizeof(path))
			continue;
		found = probe(path, &lock);
		if (found == LIVES && fn)
			fn(cookie, path);
		if (found == DEAD) {
			daemon_runtime_remove(path);
			close(lock);
		}
	}
	closedir(dir);
}

void daemon_runtime_list(void (*fn)(void *cookie, const char *path), void *cookie)
{
	for_each_runtime(fn, cookie);
}

/* The lock's descriptor stays open, and is inherited by the driver, for as long as it lives.
 * -ENOENT: somebody took the directory for a dead one, before it had its lock. */
static int take_lock(const char *path)
{
	char lock[PATH_MAX + sizeof("/" LOCK)];
	struct stat st;
	int fd, r = 0;

	snprintf(lock, sizeof(lock), "%s/" LOCK, path);
	fd = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0600) < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		r = -errno;
	else if (!st.st_nlink)
		r = -ENOENT;
	if (r && fd >= 0)
		close(fd);
	return r;
}

int daemon_runtime_make(char *path, size_t path_len)
{
	size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("/" WIRE_SOCKET_NAME);
	int n, r = -ENOENT;

	for_each_runtime(NULL, NULL);
	for (unsigned int i = 0; i < TRIES && r == -ENOENT; i++) {
		n = snprintf(path, path_len, "%s/" PREFIX RANDOM, base_dir());
		if (n < 0 || (size_t)n >= path_len || (size_t)n > longest)
			return -ENAMETOOLONG;
		if (!mkdtemp(path))
			return -errno;
		/* Whatever the umask is: it is told by its mode, as is its lock. */
		r = chmod(path, 0700) < 0 ? -errno : take_lock(path);
		if (r)
			daemon_runtime_remove(path);
	}
	return r;
}

int daemon_null_fd(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), r;

	if (null < 0)
		return -errno;
	r = dup2(null, fd) < 0 ? -errno : 0;
	close(null);
	return r;
}
