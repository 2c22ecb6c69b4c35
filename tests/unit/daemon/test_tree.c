/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "daemon/server.h"
#include "machine/sysfs.h"

#define PATH_LEN 512

static struct machine_profile profile;
static char root[128];

static int setup(void **state)
{
	snprintf(root, sizeof(root), "%s/tree", getenv("XDG_RUNTIME_DIR"));
	capture_load("mi210x2", NULL, 0, &profile);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void full(char *path, const char *name)
{
	snprintf(path, PATH_LEN, "%s%s", root, name);
}

static void expect_entry(const struct capture_entry *e)
{
	char path[PATH_LEN], text[PATH_LEN] = "", dev[64];
	struct stat st;
	ssize_t n;

	full(path, e->path);
	if (lstat(path, &st))
		fail_msg("%s is missing", e->path);
	switch (e->kind) {
	case CAPTURE_FILE:
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_mode & 01222, 0);
		/* The modules of the host stand below ours. */
		if (strcmp(e->path, "/proc/modules"))
			assert_int_equal(st.st_size, e->len);
		break;
	case CAPTURE_LIVE:
		assert_true(S_ISREG(st.st_mode));
		assert_true(st.st_mode & S_ISVTX);
		assert_int_equal(st.st_size, 0);
		break;
	case CAPTURE_LINK:
	case CAPTURE_DEV:
		assert_true(S_ISLNK(st.st_mode));
		n = readlink(path, text, sizeof(text) - 1);
		assert_true(n > 0);
		snprintf(dev, sizeof(dev), WIRE_CHARDEV_PREFIX "%u:%u", e->major, e->minor);
		assert_string_equal(text, e->kind == CAPTURE_LINK ? e->text : dev);
		break;
	case CAPTURE_DIR:
		assert_true(S_ISDIR(st.st_mode));
		break;
	}
}

static void every_entry_of_the_machine_is_there(void **state)
{
	struct capture c;

	assert_int_equal(tree_write(&profile, root), 0);
	capture_init(&c);
	assert_int_equal(machine_sysfs_build(&profile, &c.sink), 0);
	assert_true(c.n > 100);
	for (size_t i = 0; i < c.n; i++)
		expect_entry(&c.entries[i]);
	capture_fini(&c);
}

static void files_have_their_text(void **state)
{
	char path[PATH_LEN], *text;
	struct capture c;
	size_t len;

	assert_int_equal(tree_write(&profile, root), 0);
	capture_init(&c);
	assert_int_equal(machine_sysfs_build(&profile, &c.sink), 0);
	full(path, "/sys/devices/virtual/kfd/kfd/topology/nodes/1/properties");
	text = capture_read_file(path, &len);
	assert_non_null(text);
	assert_string_equal(
		text, capture_text(&c, "/sys/devices/virtual/kfd/kfd/topology/nodes/1/properties"));
	free(text);
	capture_fini(&c);
}

static void modules_of_the_host_stand_below_ours(void **state)
{
	char path[PATH_LEN], *text, *host;
	size_t len, host_len = 0;

	assert_int_equal(tree_write(&profile, root), 0);
	full(path, "/proc/modules");
	text = capture_read_file(path, &len);
	assert_non_null(text);
	assert_int_equal(strncmp(text, "amdgpu ", 7), 0);
	host = capture_read_file("/proc/modules", &host_len);
	if (host && host_len) {
		/* The first of its lines: counts change, names do not. */
		host[strcspn(host, " ")] = '\0';
		assert_non_null(strstr(strchr(text, '\n'), host));
	}
	free(host);
	free(text);
}

static void sockets_that_the_host_lacks_look_like_its_first(void **state)
{
	char path[PATH_LEN], text[64] = "";

	capture_load("mi210x8", NULL, 0, &profile); /* two sockets */
	assert_int_equal(tree_write(&profile, root), 0);
	full(path, "/sys/devices/system/node/node1");
	if (access("/sys/devices/system/node/node1", F_OK) == 0) {
		assert_int_equal(access(path, F_OK), -1);
		return;
	}
	assert_true(readlink(path, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "/sys/devices/system/node/node0");
	full(path, "/sys/devices/system/node/node0");
	assert_int_equal(access(path, F_OK), -1);
}

static void a_place_that_cannot_be_written_is_told(void **state)
{
	char longer[400];

	assert_int_equal(tree_write(&profile, "/nowhere/tree"), -ENOENT);
	assert_int_equal(tree_write(&profile, "/dev/null"), -ENOTDIR);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "/tmp/", 5);
	longer[399] = '\0';
	assert_int_equal(tree_write(&profile, longer), -ENAMETOOLONG);
	/* Written twice: links are in the way. */
	assert_int_equal(tree_write(&profile, root), 0);
	assert_true(tree_write(&profile, root) < 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(every_entry_of_the_machine_is_there),
		T(files_have_their_text),
		T(modules_of_the_host_stand_below_ours),
		T(sockets_that_the_host_lacks_look_like_its_first),
		T(a_place_that_cannot_be_written_is_told),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
