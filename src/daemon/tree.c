/* SPDX-License-Identifier: MIT */
/**
 * DOC: The machine's files on disk
 *
 * A sink that makes real files below a directory: devices become links that say
 * which (wire/proto.h), live files empty ones with the sticky bit, and what the
 * host's own /proc/modules says goes below our line.
 */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host/write.h"
#include "machine/sysfs.h"

#define PATH_LEN 512

static int full_path(const char *root, const char *path, char *out)
{
	int n = snprintf(out, PATH_LEN, "%s%s", root, path);

	return n > 0 && n < PATH_LEN ? 0 : -ENAMETOOLONG;
}

/* Make the directory @path, after those above it that are missing: mostly none is. */
static int make_dir(char *path)
{
	char *slash;
	int r;

	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	slash = strrchr(path, '/');
	if (errno != ENOENT || !slash || slash == path)
		return -errno;
	*slash = '\0';
	r = make_dir(path);
	*slash = '/';
	if (r)
		return r;
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_dir_of(char *path)
{
	char *slash = strrchr(path, '/');
	int r;

	*slash = '\0';
	r = make_dir(path);
	*slash = '/';
	return r;
}

/* Append the host's modules, so that a program that looks for another one finds it. */
static int append_host_modules(int fd)
{
	char buf[4096];
	int in = open("/proc/modules", O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n;

	if (in < 0)
		return 0;
	while (!r && (n = read(in, buf, sizeof(buf))) > 0)
		r = host_write_all(fd, buf, (size_t)n);
	close(in);
	return r;
}

/* Most files lie in a directory that is there already, so it is made only when it is missed. */
static int create_file(char *full)
{
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);

	if (fd < 0 && errno == ENOENT) {
		int r = make_dir_of(full);

		if (r)
			return r;
		fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	}
	return fd < 0 ? -errno : fd;
}

static int tree_file(void *cookie, const char *path, const char *text, size_t len)
{
	char full[PATH_LEN];
	int r = full_path(cookie, path, full), fd;

	if (r)
		return r;
	fd = create_file(full);
	if (fd < 0)
		return fd;
	r = host_write_all(fd, text, len);
	if (!r && !strcmp(path, "/proc/modules"))
		r = append_host_modules(fd);
	close(fd);
	return r;
}

static int tree_live(void *cookie, const char *path)
{
	char full[PATH_LEN];
	int r = tree_file(cookie, path, "", 0);

	if (!r)
		r = full_path(cookie, path, full);
	return !r && chmod(full, 01444) < 0 ? -errno : r;
}

static int tree_dir(void *cookie, const char *path)
{
	char full[PATH_LEN];
	int r = full_path(cookie, path, full);

	return r ? r : make_dir(full);
}

static void proc_add(void *cookie, const char *path)
{
	char at[PATH_LEN];
	size_t len = (size_t)snprintf(at, sizeof(at), TREE_PROC "%s", path);

	if (at[len - 1] != '/') {
		(void)tree_live(cookie, at);
		return;
	}
	at[len - 1] = '\0';
	(void)tree_dir(cookie, at);
}

/* And its directory, if it was the last there; that of the process goes at last. */
static void proc_remove(void *cookie, const char *path)
{
	char at[PATH_LEN], full[PATH_LEN], *slash;

	snprintf(at, sizeof(at), TREE_PROC "%s", path);
	if (full_path(cookie, at, full))
		return;
	slash = strrchr(full, '/');
	if (slash[1])
		(void)unlink(full);
	*slash = '\0';
	(void)rmdir(full);
}

const struct kfd_procfs_ops tree_procfs = { .add = proc_add, .remove = proc_remove };

static int tree_symlink(void *cookie, const char *path, const char *target)
{
	char full[PATH_LEN];
	int r = full_path(cookie, path, full);

	if (r)
		return r;
	if (symlink(target, full) == 0)
		return 0;
	r = errno == ENOENT ? make_dir_of(full) : -errno;
	return !r && symlink(target, full) < 0 ? -errno : r;
}

static int tree_chardev(void *cookie, const char *path, unsigned int major, unsigned int minor)
{
	char target[64];

	snprintf(target, sizeof(target), WIRE_CHARDEV_PREFIX "%u:%u", major, minor);
	return tree_symlink(cookie, path, target);
}

#define NUMA_NODE "/sys/devices/system/node/node"

/*
 * The thunk looks for the caches of every socket's cores in the host's NUMA nodes, and gives up if
 * one is missing: sockets the host does not have look like its first one. The directory above stays
 * the host's, so who counts nodes sees the real ones.
 */
static int write_numa_nodes(const struct machine_profile *profile, const char *root)
{
	for (unsigned int i = 1; i < profile->n_sockets; i++) {
		char path[64];
		int r;

		snprintf(path, sizeof(path), NUMA_NODE "%u", i);
		if (access(path, F_OK) == 0)
			continue;
		r = tree_symlink((void *)root, path, NUMA_NODE "0");
		if (r)
			return r;
	}
	return 0;
}

int tree_write(const struct machine_profile *profile, const char *root)
{
	const struct topology_sink sink = {
		.cookie = (void *)root,
		.file = tree_file,
		.live = tree_live,
		.symlink = tree_symlink,
		.dir = tree_dir,
		.chardev = tree_chardev,
	};

	int r;

	if (mkdir(root, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = machine_sysfs_build(profile, &sink);
	return r ? r : write_numa_nodes(profile, root);
}
