/* SPDX-License-Identifier: MIT */
/**
 * DOC: Runtime directories
 *
 * Named vkfd-XXXXXX, mode 0700, each with a file "lock" that its driver holds an
 * flock on from before it is of use to anybody until it is removed. A directory
 * whose lock can be taken has lost its driver, and is removed by whoever comes by.
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
#define LOCK "lock"
/* A directory this young may not have its lock yet. */
#define YOUNG_SECONDS 10

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

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	/* Files of the tree are read-only, their directories are not. */
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void daemon_runtime_remove(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Is @path a runtime directory of this user, and does its driver live? -1: not one, or too young. */
static int driver_lives(const char *path)
{
	char lock[PATH_MAX + sizeof("/" LOCK)];
	struct stat st;
	int fd, lives;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return -1;
	snprintf(lock, sizeof(lock), "%s/" LOCK, path);
	fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return time(NULL) - st.st_mtime < YOUNG_SECONDS ? -1 : 0;
	lives = flock(fd, LOCK_EX | LOCK_NB) < 0;
	close(fd);
	return lives;
}

static void for_each_runtime(void (*fn)(void *cookie, const char *path, int lives), void *cookie)
{
	const char *base = base_dir();
	DIR *dir = opendir(base);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		char path[PATH_MAX];
		int lives;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) ||
		    snprintf(path, sizeof(path), "%s/%s", base, e->d_name) >= (int)sizeof(path))
			continue;
		lives = driver_lives(path);
		if (lives >= 0)
			fn(cookie, path, lives);
	}
	closedir(dir);
}

static void remove_dead(void *cookie, const char *path, int lives)
{
	if (!lives)
		daemon_runtime_remove(path);
}

struct list_request {
	void (*fn)(void *cookie, const char *path);
	void *cookie;
};

static void list_living(void *cookie, const char *path, int lives)
{
	struct list_request *req = cookie;

	if (lives)
		req->fn(req->cookie, path);
}

void daemon_runtime_list(void (*fn)(void *cookie, const char *path), void *cookie)
{
	struct list_request req = { fn, cookie };

	for_each_runtime(list_living, &req);
}

/* The lock's descriptor stays open, and is inherited by the driver, for as long as it lives. */
static int take_lock(const char *path)
{
	char lock[PATH_MAX + sizeof("/" LOCK)];
	int fd;

	snprintf(lock, sizeof(lock), "%s/" LOCK, path);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return 0;
}

int daemon_runtime_make(char *path, size_t path_len)
{
	size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("/" WIRE_SOCKET_NAME);
	int n, r;

	for_each_runtime(remove_dead, NULL);
	n = snprintf(path, path_len, "%s/" PREFIX "XXXXXX", base_dir());
	if (n < 0 || (size_t)n >= path_len || (size_t)n > longest)
		return -ENAMETOOLONG;
	if (!mkdtemp(path))
		return -errno;
	r = take_lock(path);
	if (r)
		daemon_runtime_remove(path);
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
