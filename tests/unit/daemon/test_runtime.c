/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>
#include "daemon/daemon.h"

#define PATH_LEN 512

static const char *base(void)
{
	return getenv("XDG_RUNTIME_DIR");
}

static void at(char *path, const char *name)
{
	snprintf(path, PATH_LEN, "%s/%s", base(), name);
}

static bool there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A directory that looks like a runtime directory, with a lock that nobody holds. */
static void make_dead(char *path, const char *name)
{
	char file[PATH_LEN + 16];

	at(path, name);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(file, sizeof(file), "%s/lock", path);
	write_file(file, "", 0600);
	snprintf(file, sizeof(file), "%s/root", path);
	assert_int_equal(mkdir(file, 0755), 0);
	snprintf(file, sizeof(file), "%s/root/text", path);
	write_file(file, "x", 0444);
	snprintf(file, sizeof(file), "%s/root/link", path);
	assert_int_equal(symlink("/etc", file), 0);
}

/* In a child, whose lock goes with it. Return: its exit status. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static unsigned int n_listed;
static char listed[PATH_LEN];

static void count(void *cookie, const char *path)
{
	n_listed++;
	snprintf(listed, sizeof(listed), "%s", path);
}

static unsigned int list(void)
{
	n_listed = 0;
	daemon_runtime_list(count, NULL);
	return n_listed;
}

static int make_one(void)
{
	char path[PATH_LEN];

	return daemon_runtime_make(path, sizeof(path)) != 0;
}

static unsigned int n_dirs(void)
{
	DIR *dir = opendir(base());
	struct dirent *e;
	unsigned int n = 0;

	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static int empty_base(void **state)
{
	char cmd[PATH_LEN];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'/* '%s'/.[a-z]*", base(), base());
	return system(cmd);
}

/* ------------------------------------------------ making */

static int look_at_ours(void)
{
	char path[PATH_LEN], file[PATH_LEN + 16];
	struct stat st;
	int fd;

	umask(0377);
	if (daemon_runtime_make(path, sizeof(path)) || stat(path, &st))
		return 1;
	if (strncmp(path, base(), strlen(base())) || (st.st_mode & 07777) != 0700)
		return 2;
	snprintf(file, sizeof(file), "%s/lock", path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 3;
	if (list() != 1 || strcmp(listed, path))
		return 4;
	daemon_runtime_remove(path);
	return there(path) ? 5 : 0;
}

static void a_fresh_directory_is_private_and_locked(void **state)
{
	assert_int_equal(in_child(look_at_ours), 0);
	assert_int_equal(n_dirs(), 0);
}

static void a_base_too_long_for_a_socket_is_told(void **state)
{
	char path[PATH_LEN] = "untouched", longer[PATH_LEN], *was = strdup(base());
	struct stat st;
	int n = snprintf(longer, sizeof(longer), "%s/", was);

	while (n < 91)
		longer[n++] = 'x';
	longer[n] = '\0';
	assert_int_equal(mkdir(longer, 0700), 0);
	setenv("XDG_RUNTIME_DIR", longer, 1);
	assert_int_equal(daemon_runtime_make(path, sizeof(path)), -ENAMETOOLONG);
	/* Nor does a caller's buffer overflow. */
	setenv("XDG_RUNTIME_DIR", was, 1);
	assert_int_equal(daemon_runtime_make(path, 8), -ENAMETOOLONG);
	assert_int_equal(stat(longer, &st), 0);
	rmdir(longer);
	free(was);
}

static int make_elsewhere(void)
{
	char path[PATH_LEN];

	setenv("XDG_RUNTIME_DIR", "/nowhere/at/all", 1);
	if (daemon_runtime_make(path, sizeof(path)))
		return 1;
	daemon_runtime_remove(path);
	return strncmp(path, "/nowhere", 8) == 0 || there(path);
}

static void without_a_usable_place_there_is_another(void **state)
{
	assert_int_equal(in_child(make_elsewhere), 0);
}

/* ------------------------------------------------ what the dead left */

static void what_a_dead_driver_left_is_removed_by_the_next(void **state)
{
	char dead[PATH_LEN];

	make_dead(dead, "vkfd-Dead01");
	assert_int_equal(in_child(make_one), 0);
	assert_false(there(dead));
	/* That child left one, too, when it ended. */
	assert_int_equal(n_dirs(), 1);
	assert_int_equal(list(), 0);
	assert_int_equal(n_dirs(), 0);
	/* What a link led to is still there. */
	assert_true(there("/etc/passwd"));
}

static void a_living_drivers_is_left_alone(void **state)
{
	char alive[PATH_LEN], lock[PATH_LEN + 16];
	int fd;

	make_dead(alive, "vkfd-Alive1");
	snprintf(lock, sizeof(lock), "%s/lock", alive);
	fd = open(lock, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(list(), 1);
	assert_string_equal(listed, alive);
	assert_int_equal(in_child(make_one), 0);
	assert_true(there(alive));
	assert_int_equal(list(), 1);
	close(fd);
	assert_int_equal(list(), 0);
	assert_false(there(alive));
}

static void two_who_look_at_once_do_not_hide_a_dead_one(void **state)
{
	char dead[PATH_LEN], lock[PATH_LEN + 16];
	int fd;

	make_dead(dead, "vkfd-Dead02");
	snprintf(lock, sizeof(lock), "%s/lock", dead);
	/* Another one is just looking: with a shared lock. */
	fd = open(lock, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(list(), 0);
	assert_false(there(dead));
	close(fd);
}

/* Of any name and shape that is not exactly ours. */
static void strangers_are_not_removed(void **state)
{
	static const char *const names[] = { "vkfd-",        "vkfd-1.0.0",  "vkfd-Dead0",
					     "vkfd-Dead001", "vkfd-De-d01", "vkfd",
					     "xvkfd-Dead01", "vkfd-De d01" };
	char path[PATH_LEN], file[PATH_LEN + 16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		make_dead(path, names[i]);
	assert_int_equal(list(), 0);
	assert_int_equal(n_dirs(), sizeof(names) / sizeof(names[0]));
	empty_base(state);

	make_dead(path, "vkfd-Other1");
	assert_int_equal(chmod(path, 0755), 0);
	list();
	assert_true(there(path));
	make_dead(path, "vkfd-Other2");
	snprintf(file, sizeof(file), "%s/lock", path);
	write_file(file, "something that somebody keeps", 0600);
	list();
	assert_true(there(path));
	make_dead(path, "vkfd-Other3");
	snprintf(file, sizeof(file), "%s/lock", path);
	assert_int_equal(chmod(file, 0644), 0);
	list();
	assert_true(there(path));
	make_dead(path, "vkfd-Other4");
	snprintf(file, sizeof(file), "%s/lock", path);
	unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	list();
	assert_true(there(path));
	make_dead(path, "vkfd-Other5");
	snprintf(file, sizeof(file), "%s/lock", path);
	unlink(file);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	list();
	assert_true(there(path));
	at(path, "vkfd-Other6");
	write_file(path, "", 0700);
	list();
	assert_true(there(path));
}

static void a_directory_without_a_lock_goes_only_if_old_and_empty(void **state)
{
	struct utimbuf long_ago = { 1000000, 1000000 };
	char young[PATH_LEN], old[PATH_LEN], full[PATH_LEN], file[PATH_LEN + 16];

	at(young, "vkfd-Young1");
	at(old, "vkfd-Old001");
	at(full, "vkfd-Full01");
	assert_int_equal(mkdir(young, 0700) | mkdir(old, 0700) | mkdir(full, 0700), 0);
	snprintf(file, sizeof(file), "%s/thesis.tex", full);
	write_file(file, "all of it", 0600);
	assert_int_equal(utime(old, &long_ago) | utime(full, &long_ago), 0);
	assert_int_equal(list(), 0);
	assert_true(there(young));
	assert_false(there(old));
	assert_true(there(file));
}

static void a_removal_that_was_cut_off_is_finished_by_the_next(void **state)
{
	char dead[PATH_LEN], dir[PATH_LEN + 16];

	make_dead(dead, "vkfd-Half01");
	snprintf(dir, sizeof(dir), "%s/root", dead);
	/* Something is in the way, at first (unless we are root, whom nothing stops). */
	assert_int_equal(chmod(dir, 0500), 0);
	list();
	if (there(dead)) {
		chmod(dir, 0700);
		assert_int_equal(list(), 0);
	}
	assert_false(there(dead));
}

/* Many begin at once, while many clean up: each gets its own, and keeps it. */
static int make_and_keep(void)
{
	char path[PATH_LEN], lock[PATH_LEN + 16];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "none");
		if (daemon_runtime_make(path, sizeof(path)))
			return 1;
		snprintf(lock, sizeof(lock), "%s/lock", path);
		usleep(500);
		if (!there(lock))
			return 2;
		daemon_runtime_remove(path);
		if (there(path))
			return 3;
	}
	return 0;
}

static void many_may_begin_at_once(void **state)
{
	pid_t pids[8];
	int status;

	for (int i = 0; i < 8; i++) {
		fflush(NULL);
		pids[i] = fork();
		if (!pids[i])
			_exit(make_and_keep());
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_int_equal(list(), 0);
	assert_int_equal(n_dirs(), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, empty_base, empty_base)
		T(a_fresh_directory_is_private_and_locked),
		T(a_base_too_long_for_a_socket_is_told),
		T(without_a_usable_place_there_is_another),
		T(what_a_dead_driver_left_is_removed_by_the_next),
		T(a_living_drivers_is_left_alone),
		T(two_who_look_at_once_do_not_hide_a_dead_one),
		T(strangers_are_not_removed),
		T(a_directory_without_a_lock_goes_only_if_old_and_empty),
		T(a_removal_that_was_cut_off_is_finished_by_the_next),
		T(many_may_begin_at_once),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
