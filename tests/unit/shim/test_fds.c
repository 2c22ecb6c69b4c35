/* SPDX-License-Identifier: MIT */
/* A device's descriptor behaves as a character device's does, whatever becomes of it. */
#include "shim_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kfd_ioctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <drm.h>

static int version(int fd)
{
	struct kfd_ioctl_get_version_args args = { 0 };

	if (ioctl(fd, AMDKFD_IOC_GET_VERSION, &args) < 0)
		return -errno;
	return (int)(args.major_version * 100 + args.minor_version);
}

static int drm_name(int fd)
{
	char name[8] = { 0 };
	struct drm_version v = { .name = name, .name_len = sizeof(name) };

	return ioctl(fd, DRM_IOCTL_VERSION, &v) < 0 ? -errno : strcmp(name, "fake");
}

static int open_kfd(void)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static uint32_t base_files;

static int setup(void **state)
{
	base_files = shim_counts().files;
	return 0;
}

static int teardown(void **state)
{
	return shim_files_become(base_files) ? 0 : -1;
}

static void an_open_takes_the_lowest_number_and_the_flags(void **state)
{
	int low = dup(0), fd;

	close(low);
	fd = open("/dev/kfd", O_RDWR);
	assert_int_equal(fd, low);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	close(fd);
	fd = open("/dev/kfd", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(fd, low);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

static void the_driver_may_refuse_an_open(void **state)
{
	assert_int_equal(open("/dev/dri/renderD200", O_RDWR), -1);
	assert_int_equal(errno, EBUSY);
}

static void fstat_says_device(void **state)
{
	int fd = open("/dev/dri/renderD128", O_RDWR);
	struct stat st;
	struct statx stx;
	int sock[2];

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFCHR | 0666);
	assert_int_equal(st.st_rdev, (226 << 8) | 128);
	assert_int_equal(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx), 0);
	assert_int_equal(stx.stx_rdev_minor, 128);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	assert_int_equal(fstat(sock[0], &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	close(sock[0]);
	close(sock[1]);
}

static void copies_are_the_same_file_until_the_last_is_closed(void **state)
{
	struct kfd_ioctl_acquire_vm_args a = { 0 }, b = { 0 };
	int kfd = open_kfd(), fd = open("/dev/dri/renderD128", O_RDWR);
	int copies[] = { dup(fd), dup2(fd, 100), dup3(fd, 101, O_CLOEXEC), fcntl(fd, F_DUPFD, 50),
			 fcntl(fd, F_DUPFD_CLOEXEC, 60) };

	a.drm_fd = (uint32_t)fd;
	assert_int_equal(ioctl(kfd, AMDKFD_IOC_ACQUIRE_VM, &a), 0);
	assert_int_not_equal(a.gpu_id, 0);
	close(fd);
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		assert_int_equal(shim_counts().files, base_files + 2);
		assert_int_equal(drm_name(copies[i]), 0);
		b.drm_fd = (uint32_t)copies[i];
		assert_int_equal(ioctl(kfd, AMDKFD_IOC_ACQUIRE_VM, &b), 0);
		assert_int_equal(a.gpu_id, b.gpu_id);
		close(copies[i]);
	}
	assert_true(shim_files_become(base_files + 1));
	close(kfd);
}

static void a_number_that_is_used_again_is_not_mistaken(void **state)
{
	int fd = open_kfd(), sock[2], n;

	assert_int_equal(version(fd), 117);
	close(fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	assert_int_equal(sock[0], fd);
	assert_int_equal(version(sock[0]), -ENOTTY);
	assert_int_equal(write(sock[1], "abc", 3), 3);
	assert_int_equal(ioctl(sock[0], FIONREAD, &n), 0);
	assert_int_equal(n, 3);
	close(sock[0]);
	close(sock[1]);
	fd = open_kfd();
	dup2(0, fd);
	assert_true(version(fd) < 0);
	close(fd);
}

static void foreign_descriptors_pass(void **state)
{
	int pipes[2], n = -1;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(write(pipes[1], "hello", 5), 5);
	assert_int_equal(ioctl(pipes[0], FIONREAD, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(version(pipes[0]), -ENOTTY);
	assert_int_equal(version(-1), -EBADF);
	assert_int_equal(version(1 << 30), -EBADF);
	close(pipes[0]);
	close(pipes[1]);
}

static void requests_that_the_kernel_serves_itself_work(void **state)
{
	int fd = open("/dev/kfd", O_RDWR), on = 1;

	assert_int_equal(ioctl(fd, FIOCLEX), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(ioctl(fd, FIONCLEX), 0);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(ioctl(fd, FIONBIO, &on), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	/* Not blocking does not mean that calls fail. */
	assert_int_equal(version(fd), 117);
	close(fd);
}

static int send_fd(int sock, int fd)
{
	char buf[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf)
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int recv_fd(int sock)
{
	char buf[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf)
	};
	int fd = -1;

	if (recvmsg(sock, &msg, 0) == 1)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Uses what it was given, in a process that never opened a device: argv[0] how. */
static int use_inherited(int argc, char **argv)
{
	struct stat st;
	int fd = atoi(argv[1]);

	if (!strcmp(argv[0], "socket"))
		fd = recv_fd(fd);
	if (!strcmp(argv[0], "closed"))
		return fcntl(fd, F_GETFD) == -1 && errno == EBADF ? 0 : 1;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
		return 2;
	if (!strcmp(argv[0], "kfd"))
		return version(fd) == -EBADF ? 0 : 3;
	if (drm_name(fd) != 0)
		return 4;
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES ? 0
											       : 5;
}

static void exec_keeps_what_is_not_close_on_exec(void **state)
{
	int kfd = open("/dev/kfd", O_RDWR), render = open("/dev/dri/renderD128", O_RDWR);
	int closed = open_kfd();
	char a[16], b[16], c[16];

	snprintf(a, sizeof(a), "%d", kfd);
	snprintf(b, sizeof(b), "%d", render);
	snprintf(c, sizeof(c), "%d", closed);
	assert_int_equal(shim_child_wait(shim_child_start(NULL, "use_inherited", "kfd", a, NULL)),
			 0);
	assert_int_equal(
		shim_child_wait(shim_child_start(NULL, "use_inherited", "render", b, NULL)), 0);
	assert_int_equal(
		shim_child_wait(shim_child_start(NULL, "use_inherited", "closed", c, NULL)), 0);
	close(kfd);
	close(render);
	close(closed);
}

static void a_descriptor_can_be_sent_to_another_program(void **state)
{
	int sock[2], render = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	uint32_t idents = shim_counts().idents;
	char arg[16];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	snprintf(arg, sizeof(arg), "%d", sock[1]);
	pid = shim_child_start(NULL, "use_inherited", "socket", arg, NULL);
	assert_int_equal(send_fd(sock[0], render), 0);
	close(render);
	assert_int_equal(shim_child_wait(pid), 0);
	assert_true(shim_counts().idents > idents);
	close(sock[0]);
	close(sock[1]);
}

/* In a child of fork or of a bare clone. */
static int check_forked(int kfd, int render)
{
	int fd;

	if (version(kfd) != -EBADF)
		return 1;
	if (drm_name(render) != 0)
		return 2;
	fd = open("/dev/kfd", O_RDWR);
	if (fd < 0 || version(fd) != 117)
		return 3;
	if (version(kfd) != -EBADF)
		return 4;
	close(fd);
	close(kfd);
	close(render);
	return 0;
}

static void a_forked_child_gets_ebadf_and_opens_anew(void **state)
{
	int kfd = open_kfd(), render = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	uint32_t sessions = shim_counts().sessions;
	pid_t pid;

	assert_int_equal(version(kfd), 117);
	pid = fork();
	if (pid == 0)
		_exit(check_forked(kfd, render));
	assert_int_equal(shim_child_wait(pid), 0);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(check_forked(kfd, render));
	assert_int_equal(shim_child_wait(pid), 0);
	assert_int_equal(version(kfd), 117);
	assert_int_equal(shim_counts().sessions, sessions);
	close(kfd);
	close(render);
}

/* Is killed by its child, which lives on for a while. */
static int leaver(int argc, char **argv)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	if (version(fd) != 117)
		return 1;
	if (fork() == 0) {
		close(fd);
		kill(getppid(), SIGKILL);
		shim_sleep_ms(2000);
		_exit(0);
	}
	for (;;)
		pause();
}

static void the_session_ends_with_its_process_though_a_child_lives(void **state)
{
	uint32_t sessions = shim_counts().sessions;
	pid_t pid = shim_child_start(NULL, "leaver", NULL);

	assert_int_equal(shim_child_wait(pid), 1000 + SIGKILL);
	for (int i = 0; i < 100 && shim_counts().sessions != sessions; i++)
		shim_sleep_ms(10);
	assert_int_equal(shim_counts().sessions, sessions);
}

/* Children of bare clones, one of the other, each with a session: no more is hidden each time. */
static int generations(int argc, char **argv)
{
	int left = atoi(argv[0]), fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	char next[8] = { (char)('0' + left - 1) };
	pid_t pid;

	if (fd < 0 || version(fd) != 117)
		return 1;
	if (!left)
		return 0;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		char *args[] = { next };

		_exit(generations(1, args));
	}
	return shim_child_wait(pid);
}

static void bare_clones_can_go_on_for_generations(void **state)
{
	assert_int_equal(shim_child_wait(shim_child_start(NULL, "generations", "8", NULL)), 0);
}

static void a_vfork_child_shares_the_session(void **state)
{
	int kfd = open_kfd(), status;
	volatile int seen = 0;
	pid_t pid;

	pid = vfork();
	if (pid == 0) {
		seen = version(kfd);
		close(kfd);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(seen, 117);
	assert_int_equal(version(kfd), 117);
	close(kfd);
}

/* Everything from @low up is closed, by @how; the session goes on. */
static int close_all_and_go_on(int argc, char **argv)
{
	int how = atoi(argv[0]), fd = open("/dev/kfd", O_RDWR), max;
	struct rlimit limit;

	if (version(fd) != 117)
		return 1;
	getrlimit(RLIMIT_NOFILE, &limit);
	max = (int)(limit.rlim_cur < 70000 ? limit.rlim_cur : 70000);
	if (how == 0 && close_range(3, ~0u, 0) < 0)
		return 2;
	if (how == 1)
		closefrom(3);
	for (int i = 3; how == 2 && i < max; i++)
		close(i);
	if (how == 3 && close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return 3;
	if (how == 4 && close_range(3, ~0u, CLOSE_RANGE_UNSHARE) < 0)
		return 4;
	if (how != 3 && (fcntl(fd, F_GETFD) != -1 || errno != EBADF))
		return 5;
	if (how == 3 && fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return 6;
	fd = open("/dev/kfd", O_RDWR);
	if (fd < 0 || version(fd) != 117)
		return 7;
	/* One session all the time: nothing hidden was lost. */
	return shim_counts().sessions == (uint32_t)atoi(argv[1]) + 1 ? 0 : 8;
}

static void closing_everything_spares_what_is_hidden(void **state)
{
	char sessions[16], how[2] = "0";

	snprintf(sessions, sizeof(sessions), "%u", shim_counts().sessions);
	for (; how[0] <= '4'; how[0]++)
		assert_int_equal(
			shim_child_wait(shim_child_start(NULL, "close_all", how, sessions, NULL)),
			0);
}

static void a_hidden_descriptor_is_not_there_for_close(void **state)
{
	int fd = open_kfd();
	unsigned int found = 0;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	for (int i = (int)limit.rlim_cur - 1; i > (int)limit.rlim_cur - 20; i--) {
		if (fcntl(i, F_GETFD) < 0)
			continue;
		found++;
		assert_int_equal(close(i), -1);
		assert_int_equal(errno, EBADF);
	}
	assert_int_equal(found, 1);
	assert_int_equal(version(fd), 117);
	close(fd);
}

/* Closed behind the shim's back: the driver ends the session; calls fail, and a new open works. */
static int raw_close(int argc, char **argv)
{
	int fd = open("/dev/kfd", O_RDWR);
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (version(fd) != 117)
		return 1;
	syscall(SYS_close_range, 100, ~0u, 0);
	close(fd);
	fd = open("/dev/kfd", O_RDWR);
	return fd >= 0 && version(fd) == 117 ? 0 : 2;
}

static void a_session_that_was_closed_is_replaced(void **state)
{
	assert_int_equal(shim_child("raw_close"), 0);
}

/* With a small limit there is no high number to hide at. */
static int few_descriptors(int argc, char **argv)
{
	struct rlimit limit = { 16, 16 };
	int fds[32], n = 0;

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	while (n < 32 && (fds[n] = open("/dev/kfd", O_RDWR)) >= 0)
		n++;
	if (errno != EMFILE || n < 4)
		return 2;
	if (version(fds[0]) != 117)
		return 3;
	close(fds[0]);
	fds[0] = open("/dev/dri/renderD128", O_RDWR);
	return drm_name(fds[0]) == 0 ? 0 : 4;
}

static void a_full_table_is_emfile(void **state)
{
	assert_int_equal(shim_child("few_descriptors"), 0);
}

static void mappings_are_shared_and_where_they_were_asked_for(void **state)
{
	int fd = open("/dev/dri/renderD128", O_RDWR);
	size_t len = 3 * 4096;
	uint32_t *a = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 1 << 20);
	uint32_t *hole = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *b =
		mmap64((char *)hole + 4096, len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 1 << 20);

	assert_ptr_not_equal(a, MAP_FAILED);
	assert_ptr_equal(b, (char *)hole + 4096);
	a[5] = 77;
	assert_int_equal(b[5], 77);
	assert_ptr_equal(mmap(b, 4096, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0),
			 MAP_FAILED);
	assert_int_equal(errno, EEXIST);
	/* Not a page's multiple long, far behind, and at an offset that is not aligned. */
	assert_ptr_not_equal(mmap(NULL, 100, PROT_READ, MAP_SHARED, fd, 1 << 30), MAP_FAILED);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 100), MAP_FAILED);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)(1ULL << 62)),
			 MAP_FAILED);
	assert_int_equal(errno, EINVAL);
	munmap(a, len);
	munmap(hole, 2 * len);
	close(fd);
}

static void a_private_mapping_without_rights_only_holds_addresses(void **state)
{
	int fd = open("/dev/dri/renderD128", O_RDWR);
	void *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_equal(mmap(hole, 8192, PROT_NONE, MAP_PRIVATE | MAP_FIXED, fd, 0), hole);
	assert_int_equal(mprotect(hole, 8192, PROT_READ | PROT_WRITE), 0);
	munmap(hole, 8192);
	close(fd);
}

static void fork_copies_buffers_and_not_doorbells(void **state)
{
	int kfd = open_kfd(), render = open("/dev/dri/renderD128", O_RDWR);
	volatile uint32_t *buf = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, render, 0);
	volatile uint32_t *bell =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, kfd, (off_t)(3ULL << 62));
	pid_t pid;

	assert_ptr_not_equal(bell, MAP_FAILED);
	buf[0] = 1;
	pid = fork();
	if (pid == 0) {
		buf[0] = 2;
		signal(SIGSEGV, SIG_DFL);
		bell[0] = 1;
		_exit(0);
	}
	assert_int_equal(shim_child_wait(pid), 1000 + SIGSEGV);
	assert_int_equal(buf[0], 2);
	munmap((void *)buf, 4096);
	munmap((void *)bell, 8192);
	close(kfd);
	close(render);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(an_open_takes_the_lowest_number_and_the_flags),
		TEST(the_driver_may_refuse_an_open),
		TEST(fstat_says_device),
		TEST(copies_are_the_same_file_until_the_last_is_closed),
		TEST(a_number_that_is_used_again_is_not_mistaken),
		TEST(foreign_descriptors_pass),
		TEST(requests_that_the_kernel_serves_itself_work),
		TEST(exec_keeps_what_is_not_close_on_exec),
		TEST(a_descriptor_can_be_sent_to_another_program),
		TEST(a_forked_child_gets_ebadf_and_opens_anew),
		TEST(the_session_ends_with_its_process_though_a_child_lives),
		TEST(bare_clones_can_go_on_for_generations),
		TEST(a_vfork_child_shares_the_session),
		TEST(closing_everything_spares_what_is_hidden),
		TEST(a_hidden_descriptor_is_not_there_for_close),
		TEST(a_session_that_was_closed_is_replaced),
		TEST(a_full_table_is_emfile),
		TEST(mappings_are_shared_and_where_they_were_asked_for),
		TEST(a_private_mapping_without_rights_only_holds_addresses),
		TEST(fork_copies_buffers_and_not_doorbells),
	};
	static const struct shim_child children[] = {
		{ "use_inherited", use_inherited }, { "leaver", leaver },
		{ "generations", generations },     { "close_all", close_all_and_go_on },
		{ "raw_close", raw_close },         { "few_descriptors", few_descriptors },
	};
	static const struct shim_suite suite = { "shim_fds", tests,
						 sizeof(tests) / sizeof(tests[0]), children,
						 sizeof(children) / sizeof(children[0]) };

	return shim_test_main(argc, argv, &suite);
}
