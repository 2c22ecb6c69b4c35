/* SPDX-License-Identifier: MIT */
/* vkfd inject: what programs see of a reset, and of bad memory. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kfd_calls.h"

#define SDMA     KFD_IOC_QUEUE_TYPE_SDMA
#define OP_FENCE 5u
#define PATIENCE 5000 /* ms */

/* The driver is that of this program's environment. */
static pid_t inject_begin(const char *a, const char *b, const char *c)
{
	const char *vkfd = getenv("UAPI_VKFD");
	pid_t pid;

	assert_non_null(vkfd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl(vkfd, vkfd, "inject", a, b, c, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Return: the exit status. */
static int inject_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int inject(const char *a, const char *b, const char *c)
{
	return inject_end(inject_begin(a, b, c));
}

static int smi_open(struct prog *p, unsigned int gpu)
{
	struct kfd_ioctl_smi_events_args args = { .gpuid = p->gpu[gpu] };
	uint64_t all = ~0ull;

	assert_int_equal(uapi_ioctl(p->kfd, K_SMI_EVENTS, &args), 0);
	assert_int_equal(write((int)args.anon_fd, &all, sizeof(all)), 8);
	return (int)args.anon_fd;
}

static void next_line(int fd, char *line, size_t len)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t n = 0;

	do {
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		assert_int_equal(read(fd, line + n, 1), 1);
	} while (line[n++] != '\n' && n < len - 1);
	line[n] = '\0';
}

static void wait_data(struct prog *p, uint32_t id, struct kfd_event_data *data)
{
	struct kfd_ioctl_wait_events_args args = { .events_ptr = (uintptr_t)data,
						   .num_events = 1,
						   .timeout = PATIENCE };

	*data = (struct kfd_event_data){ .event_id = id };
	assert_int_equal(uapi_ioctl(p->kfd, K_WAIT_EVENTS, &args), 0);
	assert_int_equal(args.wait_result, KFD_IOC_WAIT_RESULT_COMPLETE);
}

/* struct writer - a queue that writes one number */
struct writer {
	struct user_queue q;
	volatile uint32_t *m;
	uint32_t dw;
};

static void writer_start(struct prog *p, struct writer *w, unsigned int gpu)
{
	memset(w, 0, sizeof(*w));
	gtt(p, gpu, VA(5 + gpu), PAGE, &w->m);
	queue_start(p, gpu, SDMA, 1 + gpu, &w->q);
}

static void write_number(struct writer *w, unsigned int gpu, uint32_t v)
{
	const uint32_t packet[] = { OP_FENCE, (uint32_t)VA(5 + gpu), (uint32_t)(VA(5 + gpu) >> 32),
				    v };

	for (unsigned int i = 0; i < 4; i++)
		w->q.ring_cpu[w->dw++] = packet[i];
	__atomic_store_n((uint64_t *)w->q.wptr, w->dw * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)w->q.doorbell, w->dw * 4ull, __ATOMIC_RELEASE);
}

static bool is_written(struct writer *w, uint32_t v, unsigned int ms)
{
	for (; ms && *w->m != v; ms--)
		usleep(1000);
	return *w->m == v;
}

static int use_a_queue(int fd)
{
	struct writer w;
	struct prog p;

	(void)fd;
	prog_start(&p);
	writer_start(&p, &w, 1);
	write_number(&w, 1, 9);
	return is_written(&w, 9, PATIENCE) ? 0 : -EIO;
}

static void a_reset_stops_who_is_there_and_tells_them(void **state)
{
	struct kfd_event_data data;
	struct writer w[2];
	char line[128];
	struct prog p;
	uint32_t id;
	int fd;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_HW_EXCEPTION, false);
	for (unsigned int i = 0; i < 2; i++) {
		writer_start(&p, &w[i], i);
		write_number(&w[i], i, 7);
		assert_true(is_written(&w[i], 7, PATIENCE));
	}
	fd = smi_open(&p, 1);
	assert_int_equal(inject("reset", "1", NULL), 0);
	wait_data(&p, id, &data);
	assert_int_equal(data.hw_exception_data.reset_type, 0);
	assert_int_equal(data.hw_exception_data.reset_cause, 0);
	assert_int_equal(data.hw_exception_data.memory_lost, 1);
	assert_int_equal(data.hw_exception_data.gpu_id, p.gpu[1]);
	next_line(fd, line, sizeof(line));
	assert_string_equal(line, "3 1 user trigger\n");
	/* KFD_QUEUE_EVICTION_TRIGGER_SUSPEND */
	next_line(fd, line, sizeof(line));
	assert_memory_equal(line, "9 ", 2);
	assert_string_equal(strrchr(line, ' '), " 3\n");
	next_line(fd, line, sizeof(line));
	assert_string_equal(line, "4 1 \n");
	/* On every GPU, and for good; who comes later has a GPU that works. */
	for (unsigned int i = 0; i < 2; i++)
		write_number(&w[i], i, 8);
	assert_int_equal(uapi_in_child(use_a_queue, -1), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_false(is_written(&w[i], 8, 1));
}

/* Open a descriptor of SMI events of GPU 0 and send it over @sock. */
static int give_smi(int sock)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "", 1 };
	struct msghdr msg = { .msg_iov = &byte,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct kfd_ioctl_smi_events_args args = { 0 };
	struct prog p;
	int fd;

	prog_open(&p);
	args.gpuid = p.gpu[0];
	if (uapi_ioctl(p.kfd, K_SMI_EVENTS, &args))
		return -EIO;
	fd = (int)args.anon_fd;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_descriptor(int sock)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char c;
	struct iovec byte = { &c, 1 };
	struct msghdr msg = { .msg_iov = &byte,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fd;

	assert_int_equal(recvmsg(sock, &msg, 0), 1);
	assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* It hears as whoever opened it: of the GPU, and not of who reads. */
static void a_listener_outlives_its_process(void **state)
{
	const uint64_t of_its_own = ~(1ull << 63);
	char before[64], after[64];
	unsigned int seq[2];
	struct writer w;
	int ends[2], fd;
	struct prog p;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(uapi_in_child(give_smi, ends[1]), 0);
	fd = receive_descriptor(ends[0]);
	assert_int_equal(write(fd, &of_its_own, sizeof(of_its_own)), 8);
	prog_start(&p);
	writer_start(&p, &w, 0);
	assert_int_equal(inject("reset", "0", NULL), 0);
	next_line(fd, before, sizeof(before));
	next_line(fd, after, sizeof(after));
	assert_int_equal(sscanf(before, "3 %x user trigger", &seq[0]), 1);
	assert_int_equal(sscanf(after, "4 %x", &seq[1]), 1);
	assert_int_equal(seq[0], seq[1]);
	close(fd);
}

static volatile sig_atomic_t n_sigbus;

static void on_sigbus(int sig)
{
	(void)sig;
	n_sigbus++;
}

static void bad_memory_stops_the_gpu_that_has_it_and_is_a_sigbus(void **state)
{
	struct sigaction sa = { .sa_handler = on_sigbus, .sa_flags = SA_RESTART };
	struct kfd_event_data data;
	char pid[32], va[32];
	struct writer w[2];
	uint32_t memory, hw;
	struct prog p;

	prog_start(&p);
	event_page(&p);
	memory = event(&p, KFD_IOC_EVENT_MEMORY, false);
	hw = event(&p, KFD_IOC_EVENT_HW_EXCEPTION, false);
	for (unsigned int i = 0; i < 2; i++)
		writer_start(&p, &w[i], i);
	assert_int_equal(sigaction(SIGBUS, &sa, NULL), 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(va, sizeof(va), "0x%llx", VA(6) + 0x10);
	assert_int_equal(inject("poison", pid, va), 0);
	assert_int_equal(n_sigbus, 1);
	wait_data(&p, hw, &data);
	assert_int_equal(data.hw_exception_data.reset_cause, 1); /* ECC */
	assert_int_equal(data.hw_exception_data.memory_lost, 1);
	assert_int_equal(data.hw_exception_data.gpu_id, p.gpu[1]);
	wait_data(&p, memory, &data);
	assert_int_equal(data.memory_exception_data.ErrorType, 2); /* poison consumed */
	assert_int_equal(data.memory_exception_data.failure.imprecise, 1);
	assert_int_equal(data.memory_exception_data.gpu_id, p.gpu[1]);
	write_number(&w[1], 1, 8);
	write_number(&w[0], 0, 8);
	assert_true(is_written(&w[0], 8, PATIENCE));
	assert_false(is_written(&w[1], 8, 1));
	/* A program is told once. */
	assert_int_equal(inject("poison", pid, va), 0);
	assert_int_equal(n_sigbus, 1);
	snprintf(va, sizeof(va), "0x%llx", VA(5));
	assert_int_equal(inject("poison", pid, va), 0);
	assert_int_equal(n_sigbus, 1);
	write_number(&w[0], 0, 9);
	assert_true(is_written(&w[0], 9, PATIENCE));
}

static void the_signal_is_there_before_the_events_tell(void **state)
{
	struct kfd_event_data data;
	sigset_t set, pending;
	char pid[32], va[32];
	uint32_t memory;
	struct writer w;
	struct prog p;
	pid_t child;

	prog_start(&p);
	event_page(&p);
	memory = event(&p, KFD_IOC_EVENT_MEMORY, false);
	writer_start(&p, &w, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(va, sizeof(va), "0x%llx", VA(5));
	child = inject_begin("poison", pid, va);
	wait_data(&p, memory, &data);
	assert_int_equal(sigpending(&pending), 0);
	assert_true(sigismember(&pending, SIGBUS));
	assert_int_equal(inject_end(child), 0);
}

static void what_is_not_there_is_refused_and_changes_nothing(void **state)
{
	char pid[32], other[32];
	struct writer w;
	struct prog p;

	prog_start(&p);
	writer_start(&p, &w, 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(other, sizeof(other), "%d", getppid());
	assert_int_equal(inject("reset", "2", NULL), 1);
	assert_int_equal(inject("reset", "gpu0", NULL), 2);
	assert_int_equal(inject("reset", NULL, NULL), 2);
	assert_int_equal(inject("poison", pid, "0x7000000"), 1);
	assert_int_equal(inject("poison", other, "0x2000000000"), 1);
	assert_int_equal(inject("poison", pid, "here"), 2);
	assert_int_equal(inject("boredom", NULL, NULL), 2);
	write_number(&w, 0, 7);
	assert_true(is_written(&w, 7, PATIENCE));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_reset_stops_who_is_there_and_tells_them),
	cmocka_unit_test(a_listener_outlives_its_process),
	cmocka_unit_test(bad_memory_stops_the_gpu_that_has_it_and_is_a_sigbus),
	cmocka_unit_test(the_signal_is_there_before_the_events_tell),
	cmocka_unit_test(what_is_not_there_is_refused_and_changes_nothing),
};

UAPI_MAIN(tests)
