/* SPDX-License-Identifier: MIT */
/* What a program sees of the machine's files, by every function it may ask with. */
#include "shim_test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TOPOLOGY   "/sys/class/kfd/kfd/topology"
#define GENERATION TOPOLOGY "/generation_id"
#define VENDOR     "/sys/devices/pci0000:03/0000:03:00.0/vendor"

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
ssize_t __readlink_chk(const char *path, char *buf, size_t len, size_t size);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t len, size_t size);
char *__realpath_chk(const char *path, char *out, size_t size);

static void check_text(int fd, const char *text)
{
	char buf[64] = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf) - 1), strlen(text));
	assert_string_equal(buf, text);
	close(fd);
}

static void every_open_finds_a_file(void **state)
{
	check_text(open(GENERATION, O_RDONLY), "2\n");
	check_text(open64(GENERATION, O_RDONLY), "2\n");
	check_text(openat(AT_FDCWD, GENERATION, O_RDONLY), "2\n");
	check_text(openat64(5, GENERATION, O_RDONLY), "2\n");
	check_text(__open_2(GENERATION, O_RDONLY), "2\n");
	check_text(__open64_2(GENERATION, O_RDONLY), "2\n");
	check_text(__openat_2(AT_FDCWD, GENERATION, O_RDONLY), "2\n");
	check_text(__openat64_2(AT_FDCWD, GENERATION, O_RDONLY), "2\n");
}

static void streams_read_a_file(void **state)
{
	FILE *f = fopen(GENERATION, "r");
	int v = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &v), 1);
	assert_int_equal(v, 2);
	f = freopen(TOPOLOGY "/nodes/1/name", "r", f);
	assert_non_null(f);
	assert_int_equal(fgetc(f), 'g');
	f = freopen64("/sys/class/kfd/live", "r", f);
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &v), 1);
	fclose(f);
	f = fopen64("/proc/modules", "re");
	assert_non_null(f);
	assert_int_equal(fcntl(fileno(f), F_GETFD), FD_CLOEXEC);
	fclose(f);
	assert_null(freopen("/dev/kfd", "r", fopen("/dev/null", "r")));
	assert_int_equal(errno, ENXIO);
}

static void directories_are_listed(void **state)
{
	DIR *dir = opendir(TOPOLOGY "/nodes");
	struct dirent **names;
	struct dirent *e;
	unsigned int n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	assert_int_equal(n, 2);
	assert_int_equal(scandir("/dev/dri", &names, NULL, alphasort), 6);
	assert_string_equal(names[2]->d_name, "by-path");
	for (int i = 0; i < 6; i++)
		free(names[i]);
	free(names);
	assert_null(opendir("/dev/kfd"));
	assert_int_equal(errno, ENOTDIR);
	assert_null(opendir(TOPOLOGY "/nothing"));
	assert_int_equal(errno, ENOENT);
}

static void check_device(int r, const struct stat *st, unsigned int major, unsigned int minor)
{
	assert_int_equal(r, 0);
	assert_int_equal(st->st_mode, S_IFCHR | 0666);
	assert_int_equal(major(st->st_rdev), major);
	assert_int_equal(minor(st->st_rdev), minor);
}

static void every_stat_says_device(void **state)
{
	int (*xstat)(int, const char *, struct stat *) = dlsym(RTLD_DEFAULT, "__xstat");
	int (*lxstat)(int, const char *, struct stat *) = dlsym(RTLD_DEFAULT, "__lxstat64");
	int (*fxstatat)(int, int, const char *, struct stat *, int) =
		dlsym(RTLD_DEFAULT, "__fxstatat");
	struct stat st;

	check_device(stat("/dev/kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_device(lstat("/dev/kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_device(stat64("/dev/dri/renderD128", (struct stat64 *)&st), &st, 226, 128);
	check_device(lstat64("/dev/dri/renderD128", (struct stat64 *)&st), &st, 226, 128);
	check_device(fstatat(AT_FDCWD, "/dev/dri/card0", &st, 0), &st, 226, 0);
	check_device(fstatat64(3, "/dev/dri/card0", (struct stat64 *)&st, AT_SYMLINK_NOFOLLOW), &st,
		     226, 0);
	check_device(xstat(1, "/dev/kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_device(lxstat(1, "/dev/kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_device(fxstatat(1, AT_FDCWD, "/dev/kfd", &st, 0), &st, FAKE_KFD_MAJOR, 0);
	/* By a link that leads to a device. */
	check_device(stat("/dev/dri/by-path/pci-0000:03:00.0-render", &st), &st, 226, 128);
	assert_int_equal(lstat("/dev/dri/by-path/pci-0000:03:00.0-render", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void statx_says_device(void **state)
{
	struct statx stx;

	assert_int_equal(statx(AT_FDCWD, "/dev/kfd", 0, STATX_BASIC_STATS, &stx), 0);
	assert_int_equal(stx.stx_mode, S_IFCHR | 0666);
	assert_int_equal(stx.stx_rdev_major, FAKE_KFD_MAJOR);
	assert_int_equal(statx(AT_FDCWD, GENERATION, 0, STATX_BASIC_STATS, &stx), 0);
	assert_true(S_ISREG(stx.stx_mode));
	assert_int_equal(stx.stx_size, 2);
}

static void a_live_file_is_an_attribute_and_never_stale(void **state)
{
	char a[16] = { 0 }, b[16] = { 0 };
	struct stat st;
	int fd;

	assert_int_equal(stat("/sys/class/kfd/live", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_equal(st.st_size, 4096);
	fd = open("/sys/class/kfd/live", O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, a, sizeof(a)) > 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = open("/sys/class/kfd/../kfd/live", O_RDONLY);
	assert_true(read(fd, b, sizeof(b)) > 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	close(fd);
	assert_int_equal(atoi(b), atoi(a) + 1);
}

static void access_follows_the_modes(void **state)
{
	assert_int_equal(access("/dev/kfd", R_OK | W_OK), 0);
	assert_int_equal(eaccess("/dev/kfd", R_OK | W_OK), 0);
	assert_int_equal(euidaccess(GENERATION, R_OK), 0);
	assert_int_equal(faccessat(AT_FDCWD, "/dev/dri", R_OK | X_OK, 0), 0);
	assert_int_equal(access("/dev/kfd", X_OK), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(access(GENERATION, W_OK), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(access("/dev/dri/card7", F_OK), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(access("/dev/kfd", 64), -1);
	assert_int_equal(errno, EINVAL);
}

static void links_do_not_show_the_tree(void **state)
{
	char buf[PATH_MAX], link[64];
	ssize_t n;
	int fd;

	n = readlink("/sys/class/drm/card0", buf, sizeof(buf));
	assert_memory_equal(buf, "../../devices/pci0000:03/0000:03:00.0/drm/card0", n);
	n = __readlink_chk("/sys/class/kfd/kfd", buf, 9, sizeof(buf));
	assert_int_equal(n, 9);
	n = readlinkat(AT_FDCWD, "/sys/class/kfd/kfd", buf, sizeof(buf));
	assert_memory_equal(buf, "../../devices/virtual/kfd/kfd", n);
	n = __readlinkat_chk(AT_FDCWD, "/sys/class/kfd/kfd", buf, sizeof(buf), sizeof(buf));
	assert_int_equal(n, strlen("../../devices/virtual/kfd/kfd"));
	assert_int_equal(readlink("/dev/kfd", buf, sizeof(buf)), -1);
	assert_int_equal(errno, EINVAL);
	fd = open(GENERATION, O_RDONLY);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, sizeof(buf));
	assert_int_equal(n, strlen("/sys/devices/virtual/kfd/kfd/topology/generation_id"));
	assert_memory_equal(buf, "/sys/devices/virtual/kfd/kfd/topology/generation_id", n);
	/* Also when there is no room for what the kernel says. */
	assert_int_equal(readlink(link, buf, 20), 20);
	assert_memory_equal(buf, "/sys/devices/virtual", 20);
	close(fd);
	fd = open("/dev/dri/renderD128", O_RDWR);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, sizeof(buf));
	assert_memory_equal(buf, "/dev/dri/renderD128", n);
	close(fd);
}

static void real_paths_do_not_show_the_tree(void **state)
{
	char buf[PATH_MAX];
	char *p;

	assert_ptr_equal(realpath("/sys/class/drm/card0/device/vendor", buf), buf);
	assert_string_equal(buf, VENDOR);
	p = realpath("/sys/class/kfd/kfd", NULL);
	assert_string_equal(p, "/sys/devices/virtual/kfd/kfd");
	free(p);
	assert_non_null(__realpath_chk("/dev/dri/by-path/pci-0000:03:00.0-render", buf, PATH_MAX));
	assert_string_equal(buf, "/dev/dri/renderD128");
	p = canonicalize_file_name("/dev/kfd");
	assert_string_equal(p, "/dev/kfd");
	free(p);
	assert_null(realpath("/dev/dri/card7", buf));
	assert_int_equal(errno, ENOENT);
	/* What is found by it can be opened by it. */
	check_text(open(VENDOR, O_RDONLY), "0x1002\n");
	check_text(open("/sys/bus/pci/devices/0000:03:00.0/vendor", O_RDONLY), "0x1002\n");
	/* Beside the host's own. */
	check_text(open("/sys/devices/system/node/node77/cpulist", O_RDONLY), "64-127\n");
	assert_int_equal(access("/sys/devices/system/cpu/online", R_OK), 0);
}

static void odd_spellings_lead_to_the_same(void **state)
{
	struct stat st;

	check_device(stat("//dev//kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_device(stat("/dev/./dri/../kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_device(stat("/./dev/kfd", &st), &st, FAKE_KFD_MAJOR, 0);
	check_text(open(TOPOLOGY "/nodes/0/../1/name", O_RDONLY), "gpu\n");
	check_text(open("/sys/class/drm/card0/device/../0000:03:00.0/vendor", O_RDONLY),
		   "0x1002\n");
	/* From outside into it. */
	check_device(stat("/dev/shm/../kfd", &st), &st, FAKE_KFD_MAJOR, 0);
}

static void writing_is_refused_as_sysfs_does(void **state)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_WRONLY | O_CREAT };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(open(GENERATION, flags[i], 0644), -1);
		assert_int_equal(errno, EACCES);
		assert_int_equal(open("/sys/class/kfd/live", flags[i], 0644), -1);
		assert_int_equal(errno, EACCES);
	}
	assert_null(fopen(GENERATION, "r+"));
	assert_int_equal(errno, EACCES);
	assert_int_equal(creat(TOPOLOGY "/new", 0644), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(creat64(GENERATION, 0644), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(open(TOPOLOGY, O_RDWR), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(open("/dev/kfd", O_RDWR | O_CREAT | O_EXCL, 0600), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(open("/dev/kfd", O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(open("/dev/dri/card9", O_RDWR), -1);
	assert_int_equal(errno, ENOENT);
}

static void names_relative_to_a_directory_work(void **state)
{
	int dir = open("/dev/dri", O_RDONLY | O_DIRECTORY), topo = open(TOPOLOGY, O_RDONLY);
	char buf[64];
	struct stat st;
	struct statx stx;
	int fd, class;

	check_device(fstatat(dir, "renderD128", &st, 0), &st, 226, 128);
	check_device(fstatat(dir, "card0", &st, AT_SYMLINK_NOFOLLOW), &st, 226, 0);
	assert_int_equal(statx(dir, "card0", 0, STATX_BASIC_STATS, &stx), 0);
	assert_int_equal(stx.stx_mode, S_IFCHR | 0666);
	assert_int_equal(faccessat(dir, "card0", R_OK | W_OK, 0), 0);
	assert_int_equal(readlinkat(dir, "card0", buf, sizeof(buf)), -1);
	assert_int_equal(errno, EINVAL);
	fd = openat(dir, "renderD128", O_RDWR);
	assert_true(fd >= 0);
	check_device(fstat(fd, &st), &st, 226, 128);
	close(fd);
	check_text(openat(topo, "nodes/1/name", O_RDONLY), "gpu\n");
	class = open("/sys/class/kfd", O_PATH | O_DIRECTORY);
	fd = openat(class, "live", O_RDONLY);
	assert_true(read(fd, buf, sizeof(buf)) > 0);
	close(fd);
	assert_int_equal(openat(class, "live", O_WRONLY), -1);
	assert_int_equal(errno, EACCES);
	close(class);
	close(dir);
	close(topo);
}

static void the_current_directory_may_be_in_the_tree(void **state)
{
	int here = open(".", O_RDONLY | O_DIRECTORY), dir = open("/dev/dri", O_RDONLY);
	struct stat st;

	assert_int_equal(fchdir(dir), 0);
	check_device(stat("renderD128", &st), &st, 226, 128);
	check_device(lstat("./card0", &st), &st, 226, 0);
	assert_int_equal(fchdir(here), 0);
	close(here);
	close(dir);
}

static void ls_finds_no_attributes(void **state)
{
	char buf[16];

	assert_int_equal(getxattr("/dev/kfd", "security.selinux", buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENODATA);
	assert_int_equal(lgetxattr("/dev/dri/card9", "security.selinux", buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENOENT);
}

static void other_paths_pass(void **state)
{
	char *dir = strdup("/tmp/vkfd-paths-XXXXXX"), path[64], buf[64];
	struct stat st;
	ssize_t n;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	close(fd);
	fd = openat(AT_FDCWD, dir, O_TMPFILE | O_RDWR, 0600);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
	unlink(path);
	rmdir(dir);
	free(dir);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_int_equal(major(st.st_rdev), 1);
	assert_int_equal(access("/dev/kfdx", F_OK), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(stat("/sys/class/net", &st), 0);
	n = readlink("/proc/self/exe", buf, sizeof(buf));
	assert_true(n > 0 && buf[0] == '/');
	assert_int_equal(stat("/sys/devices/pci9999:99", &st), -1);
	assert_int_equal(errno, ENOENT);
}

static void bad_names_are_errors(void **state)
{
	const char *volatile null = NULL;
	struct stat st;

	assert_int_equal(open(null, O_RDONLY), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(stat(null, &st), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(open("", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	assert_null(realpath(null, NULL));
	assert_int_equal(errno, EINVAL);
}

static void errno_is_kept_by_what_succeeds(void **state)
{
	char buf[PATH_MAX];
	struct stat st;
	int fd;

	errno = 4242;
	fd = open("/dev/kfd", O_RDWR);
	close(fd);
	close(open(GENERATION, O_RDONLY));
	close(open("/sys/class/kfd/live", O_RDONLY));
	stat("/dev/kfd", &st);
	access("/dev/kfd", R_OK);
	readlink("/sys/class/kfd/kfd", buf, sizeof(buf));
	realpath("/sys/class/kfd/kfd", buf);
	close(open("/dev/null", O_RDONLY));
	assert_int_equal(errno, 4242);
}

/* Without a driver nothing is routed. */
static int without_driver(int argc, char **argv)
{
	struct stat st;

	unsetenv("VKFD_RUNTIME");
	return access("/sys/class/kfd/live", F_OK) == 0 || stat("/dev/dri/renderD200", &st) == 0 ||
	       open("/dev/kfd", O_RDWR) >= 0;
}

static void without_a_driver_everything_passes(void **state)
{
	pid_t pid = fork();

	if (pid == 0) {
		unsetenv("VKFD_RUNTIME");
		execl("/proc/self/exe", "test", "--child", "without_driver", NULL);
	}
	assert_int_equal(shim_child_wait(pid), 0);
}

static void programs_find_the_devices(void **state)
{
	char line[256];
	FILE *p = popen("stat -c '%F %t %T' /dev/kfd; cat " GENERATION
			"; ls -l /dev/dri 2>&1 >/dev/null",
			"r");

	assert_non_null(fgets(line, sizeof(line), p));
	assert_string_equal(line, "character special file f0 0\n");
	assert_non_null(fgets(line, sizeof(line), p));
	assert_string_equal(line, "2\n");
	assert_null(fgets(line, sizeof(line), p));
	assert_int_equal(pclose(p), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_open_finds_a_file),
		cmocka_unit_test(streams_read_a_file),
		cmocka_unit_test(directories_are_listed),
		cmocka_unit_test(every_stat_says_device),
		cmocka_unit_test(statx_says_device),
		cmocka_unit_test(a_live_file_is_an_attribute_and_never_stale),
		cmocka_unit_test(access_follows_the_modes),
		cmocka_unit_test(links_do_not_show_the_tree),
		cmocka_unit_test(real_paths_do_not_show_the_tree),
		cmocka_unit_test(odd_spellings_lead_to_the_same),
		cmocka_unit_test(writing_is_refused_as_sysfs_does),
		cmocka_unit_test(names_relative_to_a_directory_work),
		cmocka_unit_test(the_current_directory_may_be_in_the_tree),
		cmocka_unit_test(ls_finds_no_attributes),
		cmocka_unit_test(other_paths_pass),
		cmocka_unit_test(bad_names_are_errors),
		cmocka_unit_test(errno_is_kept_by_what_succeeds),
		cmocka_unit_test(without_a_driver_everything_passes),
		cmocka_unit_test(programs_find_the_devices),
	};
	static const struct shim_child children[] = { { "without_driver", without_driver } };
	static const struct shim_suite suite = { "shim_paths", tests,
						 sizeof(tests) / sizeof(tests[0]), children, 1 };

	return shim_test_main(argc, argv, &suite);
}
