/* SPDX-License-Identifier: MIT */
/* A file that a call makes becomes a descriptor of the program, and says of itself what it is. */
#include "shim_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/kfd_ioctl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct export_args {
	uint64_t handle; /* becomes the inode; odd: writable; 2, 3: cannot be claimed */
	uint32_t flags, fd;
};

#define EXPORT    _IOWR('K', 0x24, struct export_args)
#define UNTOUCHED 0x5a5a5a5au

static uint32_t base_files;
static int kfd;

static int setup(void **state)
{
	kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	base_files = shim_counts().files;
	return kfd < 0;
}

static int teardown(void **state)
{
	int r = shim_files_become(base_files) ? 0 : -1;

	close(kfd);
	return r;
}

static int export(uint64_t handle, uint32_t flags)
{
	struct export_args args = { handle, flags, UNTOUCHED };

	if (ioctl(kfd, EXPORT, &args) < 0) {
		assert_int_equal(args.fd, UNTOUCHED);
		return -errno;
	}
	return (int)args.fd;
}

static void it_takes_the_lowest_number_and_close_on_exec_as_asked(void **state)
{
	int low = dup(0), fd;

	close(low);
	fd = export(1, 0);
	assert_int_equal(fd, low);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	close(fd);
	fd = export(1, O_CLOEXEC);
	assert_int_equal(fd, low);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	/* All else is no business of a descriptor's. */
	fd = export(1, ~(uint32_t)O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

/* Return: 0, or which question was answered otherwise than by the dma-buf of inode @inode. */
static int examine(int fd, uint64_t inode)
{
	struct pollfd pf = { fd, POLLIN | POLLOUT, 0 };
	struct stat st;
	struct statx stx;

	if (lseek(fd, 0, SEEK_END) != (off_t)FAKE_DMABUF_BYTES || lseek(fd, 0, SEEK_SET) != 0)
		return 10;
	if (lseek(fd, 0, SEEK_CUR) != -1 || errno != EINVAL || lseek(fd, 4, SEEK_SET) != -1)
		return 11;
	if (fstat(fd, &st) || st.st_ino != inode || st.st_size != (off_t)FAKE_DMABUF_BYTES ||
	    st.st_mode != 0600 || st.st_nlink != 1)
		return 12;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) || st.st_ino != inode)
		return 13;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) || stx.stx_ino != inode ||
	    stx.stx_size != FAKE_DMABUF_BYTES || stx.stx_mode != 0600)
		return 14;
	if (poll(&pf, 1, -1) != 1 || pf.revents != (POLLIN | POLLOUT))
		return 15;
	return 0;
}

static void it_is_no_socket_and_no_device(void **state)
{
	int fd = export(7, O_CLOEXEC), copy = dup(fd);
	uint32_t idents = shim_counts().idents;

	assert_int_equal(examine(fd, 7), 0);
	assert_int_equal(examine(copy, 7), 0);
	/* By what it says, and not by being asked. */
	assert_int_equal(shim_counts().idents, idents);
	close(fd);
	assert_int_equal(examine(copy, 7), 0);
	close(copy);
}

static void seeking_elsewhere_is_as_it_was(void **state)
{
	FILE *f = tmpfile();
	int sock[2];

	fprintf(f, "12345");
	fflush(f);
	assert_int_equal(lseek(fileno(f), -2, SEEK_END), 3);
	assert_int_equal(lseek64(fileno(f), 1, SEEK_CUR), 4);
	fclose(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	assert_int_equal(lseek(sock[0], 0, SEEK_END), -1);
	assert_int_equal(errno, ESPIPE);
	close(sock[0]);
	close(sock[1]);
	assert_int_equal(lseek(sock[0], 0, SEEK_END), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(lseek(kfd, 0, SEEK_END), -1);
	assert_int_equal(errno, ESPIPE);
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

/* In a process that never opened a device: argv[0] how it came, argv[1] where. */
static int use_given(int argc, char **argv)
{
	struct dma_buf_sync sync = { DMA_BUF_SYNC_READ };
	int fd = atoi(argv[1]), r;

	if (!strcmp(argv[0], "socket"))
		fd = recv_fd(fd);
	r = examine(fd, 9);
	if (r)
		return r;
	/* Asked of the driver, which does not know how. */
	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) != -1 || errno != ENOTTY)
		return 20;
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES ? 0
											       : 21;
}

static void it_is_known_wherever_it_goes(void **state)
{
	int fd = export(9, 0), sock[2];
	uint32_t idents = shim_counts().idents;
	char arg[16];
	pid_t pid;

	snprintf(arg, sizeof(arg), "%d", fd);
	assert_int_equal(shim_child_wait(shim_child_start(NULL, "use_given", "exec", arg, NULL)),
			 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	snprintf(arg, sizeof(arg), "%d", sock[1]);
	pid = shim_child_start(NULL, "use_given", "socket", arg, NULL);
	assert_int_equal(send_fd(sock[0], fd), 0);
	close(fd);
	assert_int_equal(shim_child_wait(pid), 0);
	fd = export(9, O_CLOEXEC);
	pid = fork();
	if (pid == 0)
		_exit(examine(fd, 9));
	close(fd);
	assert_int_equal(shim_child_wait(pid), 0);
	assert_int_equal(shim_counts().idents, idents);
	close(sock[0]);
	close(sock[1]);
}

/* Read by a program that reads from whatever it has: it does not wait, and afterwards who knows it
 * still does. */
static void reading_it_ends_at_once(void **state)
{
	int fd = export(11, O_CLOEXEC);
	char bytes[4096];

	assert_true(read(fd, bytes, sizeof(bytes)) > 0);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 0);
	assert_int_equal(examine(fd, 11), 0);
	close(fd);
}

static void a_mapping_is_the_drivers_to_say(void **state)
{
	int fd = export(1, O_CLOEXEC);
	volatile uint32_t *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(m, MAP_FAILED);
	m[0] = 5;
	assert_int_equal(m[0], 5);
	munmap((void *)m, 8192);
	close(fd);
}

/* The driver must not keep what it has made for nobody: the shim calls once more in that slot. */
static void what_cannot_be_claimed_is_given_up(void **state)
{
	struct fake_counts before = shim_counts();

	assert_int_equal(export(2, O_CLOEXEC), -ENFILE);
	assert_int_equal(shim_counts().nops, before.nops + 1);
	assert_int_equal(export(3, O_CLOEXEC), -ENFILE);
	assert_int_equal(shim_counts().nops, before.nops + 2);
	close(export(1, O_CLOEXEC));
	assert_int_equal(shim_counts().nops, before.nops + 2);
}

static int full_table(int argc, char **argv)
{
	struct rlimit few = { 40, 40 };
	int fd, n = 0, last[2] = { -1, -1 };

	kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	if (kfd < 0 || setrlimit(RLIMIT_NOFILE, &few))
		return 1;
	while ((fd = export(1, O_CLOEXEC)) >= 0) {
		last[n++ % 2] = fd;
	}
	if (fd != -EMFILE || n < 20)
		return 2;
	/* To ask the driver takes two. */
	close(last[0]);
	close(last[1]);
	if (shim_counts().nops != 1)
		return 3;
	fd = last[0] < last[1] ? last[0] : last[1];
	return export(1, O_CLOEXEC) == fd ? 0 : 4;
}

static void without_a_number_it_is_given_up_too(void **state)
{
	struct fake_driver own;
	pid_t pid;

	assert_int_equal(fake_driver_start(&own), 0);
	pid = shim_child_start(&own, "full_table", NULL);
	assert_int_equal(shim_child_wait(pid), 0);
	fake_driver_stop(&own);
}

/* Too small for where the number goes: there is nobody to have it. */
static void a_block_without_room_for_it_gets_none(void **state)
{
	struct export_args args = { 1, O_CLOEXEC, UNTOUCHED };
	struct fake_counts before = shim_counts();

	assert_int_equal(ioctl(kfd, _IOC(_IOC_READ | _IOC_WRITE, 'K', 0x24, 12), &args), 0);
	assert_int_equal(args.fd, UNTOUCHED);
	assert_int_equal(shim_counts().opened, before.opened);
	assert_int_equal(shim_counts().nops, before.nops + 1);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(it_takes_the_lowest_number_and_close_on_exec_as_asked),
		TEST(it_is_no_socket_and_no_device),
		TEST(seeking_elsewhere_is_as_it_was),
		TEST(it_is_known_wherever_it_goes),
		TEST(reading_it_ends_at_once),
		TEST(a_mapping_is_the_drivers_to_say),
		TEST(what_cannot_be_claimed_is_given_up),
		TEST(without_a_number_it_is_given_up_too),
		TEST(a_block_without_room_for_it_gets_none),
	};
	static const struct shim_child children[] = {
		{ "use_given", use_given },
		{ "full_table", full_table },
	};
	static const struct shim_suite suite = { "shim_dmabuf", tests,
						 sizeof(tests) / sizeof(tests[0]), children,
						 sizeof(children) / sizeof(children[0]) };

	return shim_test_main(argc, argv, &suite);
}
