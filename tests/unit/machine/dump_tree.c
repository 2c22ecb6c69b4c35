/* SPDX-License-Identifier: MIT */
/*
 * dump_tree MACHINE_FILE DIRECTORY [key=value]... - write a machine's whole tree below a directory.
 * Live files are written as of an idle machine; a character device becomes a file that says which.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/sysfs.h"

struct dump {
	const char *root;
	const struct machine_profile *m;
};

/* Make the directories that lead to @path below the root, and tell the full name. */
static int prepare(struct dump *d, const char *path, char *full, size_t len)
{
	if ((size_t)snprintf(full, len, "%s%s", d->root, path) >= len)
		return -ENAMETOOLONG;
	for (char *slash = full + strlen(d->root) + 1; (slash = strchr(slash, '/')); slash++) {
		int e;

		*slash = '\0';
		e = mkdir(full, 0755);
		*slash = '/';
		if (e && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int dump_file(void *cookie, const char *path, const char *text, size_t len)
{
	char full[1024];
	int e = prepare(cookie, path, full, sizeof(full)), fd;

	if (e)
		return e;
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return -errno;
	e = write(fd, text, len) == (ssize_t)len ? 0 : -EIO;
	close(fd);
	return e;
}

static int dump_live(void *cookie, const char *path)
{
	static const struct machine_usage idle;
	struct dump *d = cookie;
	char text[64];
	int n = machine_live_file(d->m, &idle, path, text, sizeof(text));

	return n < 0 ? n : dump_file(cookie, path, text, (size_t)n);
}

static int dump_symlink(void *cookie, const char *path, const char *target)
{
	char full[1024];
	int e = prepare(cookie, path, full, sizeof(full));

	if (!e && symlink(target, full))
		e = -errno;
	return e;
}

static int dump_dir(void *cookie, const char *path)
{
	char full[1024];
	int e = prepare(cookie, path, full, sizeof(full));

	if (!e && mkdir(full, 0755) && errno != EEXIST)
		e = -errno;
	return e;
}

static int dump_chardev(void *cookie, const char *path, unsigned int major, unsigned int minor)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "chardev %u:%u\n", major, minor);

	return dump_file(cookie, path, text, (size_t)n);
}

static char *read_all(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	long len;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END) && (len = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET)) {
		text = malloc((size_t)len + 1);
		if (text)
			*ret_len = fread(text, 1, (size_t)len, f);
	}
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	struct machine_profile m;
	struct dump d = { .m = &m };
	struct topology_sink sink = { &d, dump_file, dump_live, dump_symlink, dump_dir,
				      dump_chardev };
	char err[256], *text;
	size_t len = 0;
	int e;

	if (argc < 3) {
		fprintf(stderr, "usage: dump_tree MACHINE_FILE DIRECTORY [key=value]...\n");
		return 2;
	}
	text = read_all(argv[1], &len);
	if (!text) {
		perror(argv[1]);
		return 1;
	}
	e = machine_profile_load(text, len, (const char *const *)argv + 3, (size_t)argc - 3, &m, err,
				 sizeof(err));
	free(text);
	if (e) {
		fprintf(stderr, "%s: %s\n", argv[1], err);
		return 2;
	}
	d.root = argv[2];
	if (mkdir(d.root, 0755) && errno != EEXIST) {
		perror(d.root);
		return 1;
	}
	e = machine_sysfs_build(&m, &sink);
	if (e)
		fprintf(stderr, "%s: %s\n", argv[2], strerror(-e));
	return e ? 1 : 0;
}
