/* SPDX-License-Identifier: MIT */
#include "daemon_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kfd_ioctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "daemon/daemon.h"
#include "host/env_host.h"
#include "host/sched_host.h"

#define PATIENCE_MS 20000

static char runtime_base[64];

uint64_t dx_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void dx_nap(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&ts, NULL);
}

/* ------------------------------------------------ as the daemon */

#define REPORT_FD   3
#define LIFETIME_FD 4

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 16))
		exit(40);
	return fd;
}

/* PROGRAM daemon MACHINE LIFETIME MAX_FILES LISTEN [SET]... */
static void be_daemon(int argc, char **argv)
{
	static struct machine_profile profile;
	char runtime[108], line[128];
	struct daemon_config config = {
		.profile = &profile, .runtime = runtime, .extra_listen_fd = -1, .lifetime_fd = -1
	};
	unsigned int max_files = (unsigned int)atoi(argv[4]);
	struct rlimit lim = { max_files, max_files };
	int r;

	host_env_install();
	host_sched_install();
	capture_load(argv[2], (const char *const *)argv + 6, (size_t)(argc - 6), &profile);
	r = daemon_runtime_make(runtime, sizeof(runtime));
	if (r)
		exit(41);
	if (max_files && setrlimit(RLIMIT_NOFILE, &lim))
		exit(42);
	if (atoi(argv[3]))
		config.lifetime_fd = LIFETIME_FD;
	if (argv[5][0])
		config.extra_listen_fd = listen_at(argv[5]);
	r = snprintf(line, sizeof(line), "%s\n", runtime);
	if (write(REPORT_FD, line, (size_t)r) != r)
		exit(43);
	config.ready_fd = REPORT_FD;
	r = daemon_run(&config);
	if (r)
		fprintf(stderr, "daemon_run: %s\n", strerror(-r));
	daemon_runtime_remove(runtime);
	exit(r ? 44 : 0);
}

void dx_main(int argc, char **argv)
{
	if (argc > 5 && !strcmp(argv[1], "daemon"))
		be_daemon(argc, argv);
}

/* ------------------------------------------------ around it */

int dx_group_setup(void **state)
{
	/* In memory where possible: a machine is a thousand small files. */
	snprintf(runtime_base, sizeof(runtime_base), "%s/daemon-test-XXXXXX",
		 access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(runtime_base))
		return -1;
	return setenv("XDG_RUNTIME_DIR", runtime_base, 1);
}

int dx_group_teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", runtime_base);
	return system(cmd);
}

static void exec_daemon(const struct dx_options *o, int report, int lifetime)
{
	char files[16], *argv[12];
	int n = 0;

	snprintf(files, sizeof(files), "%u", o->max_files);
	argv[n++] = (char *)"daemon";
	argv[n++] = (char *)"daemon";
	argv[n++] = (char *)(o->machine ? o->machine : "mi210x2");
	argv[n++] = (char *)(o->lifetime ? "1" : "0");
	argv[n++] = files;
	argv[n++] = (char *)(o->listen_at ? o->listen_at : "");
	for (int i = 0; i < 4 && o->sets[i]; i++)
		argv[n++] = (char *)o->sets[i];
	argv[n] = NULL;
	/* Above both targets first: one may be the other's. */
	report = fcntl(report, F_DUPFD, 10);
	lifetime = lifetime >= 0 ? fcntl(lifetime, F_DUPFD, 10) : -1;
	dup2(report, REPORT_FD);
	if (lifetime >= 0)
		dup2(lifetime, LIFETIME_FD);
	syscall(SYS_close_range, o->lifetime ? 5 : 4, ~0u, 0);
	execv("/proc/self/exe", argv);
	_exit(45);
}

static void read_report(struct dx_daemon *d, int fd)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(d->runtime) - 1 && (got = read(fd, d->runtime + n, 1)) == 1 &&
	       d->runtime[n] != '\n')
		n++;
	d->runtime[n] = '\0';
	/* One byte more when it serves. */
	if (read(fd, &(char){ 0 }, 1) != 1)
		fail_msg("the daemon did not start");
	close(fd);
	snprintf(d->sock, sizeof(d->sock), "%s/sock", d->runtime);
}

/* The entries of a directory of its /proc; with @prefix those whose comm begins so. */
static unsigned int count_dir(const struct dx_daemon *d, const char *what, const char *prefix)
{
	unsigned int n = 0;
	char path[320];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", d->pid, what);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		char comm[16] = "";
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/%s/%s/comm", d->pid, what, e->d_name);
		f = prefix ? fopen(path, "r") : NULL;
		if (f && !fgets(comm, sizeof(comm), f))
			comm[0] = '\0';
		if (f)
			fclose(f);
		n += !prefix || !strncmp(comm, prefix, strlen(prefix));
	}
	closedir(dir);
	return n;
}

unsigned int dx_n_fds(const struct dx_daemon *d)
{
	return count_dir(d, "fd", NULL);
}

/* Its tasks: a sanitizer may have threads of its own. */
static unsigned int n_tasks(const struct dx_daemon *d)
{
	return count_dir(d, "task", "vkfd-");
}

void dx_wait_small(const struct dx_daemon *d, unsigned int fds)
{
	uint64_t until = dx_now_ms() + PATIENCE_MS;

	while (dx_n_fds(d) > fds || n_tasks(d)) {
		if (dx_now_ms() > until)
			fail_msg("%u descriptors, not %u; %u tasks", dx_n_fds(d), fds, n_tasks(d));
		dx_nap(2);
	}
}

void dx_start(struct dx_daemon *d, const struct dx_options *o)
{
	static const struct dx_options none;
	int report[2], lifetime[2] = { -1, -1 };

	o = o ? o : &none;
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	if (o->lifetime)
		assert_int_equal(pipe2(lifetime, O_CLOEXEC), 0);
	fflush(NULL);
	d->pid = fork();
	assert_true(d->pid >= 0);
	if (!d->pid) {
		/* A test that dies takes its daemon along. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exec_daemon(o, report[1], lifetime[0]);
	}
	close(report[1]);
	if (o->lifetime)
		close(lifetime[0]);
	d->lifetime = lifetime[1];
	read_report(d, report[0]);
}

int dx_wait(struct dx_daemon *d)
{
	uint64_t until = dx_now_ms() + PATIENCE_MS;
	int status = 0;

	while (waitpid(d->pid, &status, WNOHANG) == 0) {
		if (dx_now_ms() > until) {
			kill(d->pid, SIGKILL);
			waitpid(d->pid, &status, 0);
			break;
		}
		dx_nap(2);
	}
	d->pid = 0;
	if (d->lifetime >= 0)
		close(d->lifetime);
	d->lifetime = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void dx_stop(struct dx_daemon *d)
{
	kill(d->pid, SIGTERM);
	assert_int_equal(dx_wait(d), 0);
	assert_int_equal(access(d->runtime, F_OK), -1);
}

struct dx_daemon dx;

int dx_setup(void **state)
{
	dx_start(&dx, NULL);
	return 0;
}

int dx_teardown(void **state)
{
	if (dx.pid)
		dx_stop(&dx);
	return 0;
}

/* ------------------------------------------------ the wire */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

int dx_connect(const struct dx_daemon *d)
{
	int fd = connect_to(d->sock);

	assert_true(fd >= 0);
	return fd;
}

struct wire_hello dx_hello(enum wire_kind kind)
{
	return (struct wire_hello){ .magic = WIRE_MAGIC, .version = WIRE_VERSION, .kind = kind };
}

static void take_fds(struct msghdr *msg, int *fds, unsigned int n_fds)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_fds; i++)
		fds[i] = -1;
	if (cm && cm->cmsg_type == SCM_RIGHTS)
		n = (unsigned int)((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (unsigned int i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
		if (i < n_fds)
			fds[i] = fd;
		else
			close(fd);
	}
}

/* A fuzzer's alarm clock may ring meanwhile. */
static int wait_readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int n;

	do
		n = poll(&p, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n;
}

int dx_recv(int fd, struct wire_welcome *w, int *fds, unsigned int n_fds)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { w, sizeof(*w) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	memset(w, 0, sizeof(*w));
	if (wait_readable(fd) <= 0)
		return -ETIMEDOUT;
	n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	take_fds(&msg, fds, n_fds);
	if (n <= 0)
		return -ECONNRESET;
	assert_int_equal(n, sizeof(*w));
	assert_int_equal(w->magic, WIRE_MAGIC);
	return w->status;
}

int dx_say(int fd, const void *msg, size_t len, struct wire_welcome *w)
{
	/* Turned away before it has said anything. */
	if (send(fd, msg, len, MSG_NOSIGNAL) < 0)
		return -ECONNRESET;
	return dx_recv(fd, w, NULL, 0);
}

bool dx_closed(int fd)
{
	char buf[512];

	while (wait_readable(fd) > 0)
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) <= 0)
			return true;
	return false;
}

void dx_send(int fd, uint32_t op, uint32_t slot, uint32_t seq)
{
	struct wire_msg m = { .op = op, .slot = slot, .seq = seq };

	assert_int_equal(send(fd, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
}

/* ------------------------------------------------ sessions */

static void *map_region(struct dx_session *s, enum wire_region i)
{
	void *p = mmap(NULL, s->w.region_bytes[i], PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, s->fds[i], 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* In the child: connect, give the connection away, and live on with nothing. */
static void connect_and_stay(const struct dx_daemon *d, int to)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct wire_welcome w = { .magic = WIRE_MAGIC };
	struct iovec iov = { &w, sizeof(w) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);
	int fd = connect_to(d->sock);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	if (sendmsg(to, &msg, MSG_NOSIGNAL) < 0)
		_exit(1);
	syscall(SYS_close_range, 0, ~0u, 0);
	for (;;)
		pause();
}

pid_t dx_connect_process(const struct dx_daemon *d, int *ret_fd)
{
	struct wire_welcome w;
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		connect_and_stay(d, pair[1]);
	close(pair[1]);
	assert_int_equal(dx_recv(pair[0], &w, ret_fd, 1), 0);
	close(pair[0]);
	assert_true(*ret_fd >= 0);
	return pid;
}

void dx_end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) != pid)
		assert_int_equal(errno, EINTR);
}

void dx_session_open(struct dx_daemon *d, struct dx_session *s, const char *comm)
{
	struct wire_hello h = dx_hello(WIRE_SESSION);

	*s = (struct dx_session){ .d = d };
	s->pid = dx_connect_process(d, &s->fd);
	snprintf(h.name, sizeof(h.name), "%s", comm);
	assert_int_equal(send(s->fd, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	assert_int_equal(dx_recv(s->fd, &s->w, s->fds, WIRE_N_REGIONS), 0);
	s->slots = map_region(s, WIRE_REGION_SLOTS);
	s->ctrl = map_region(s, WIRE_REGION_CTRL);
}

void dx_session_close(struct dx_session *s)
{
	munmap(s->slots, s->w.region_bytes[WIRE_REGION_SLOTS]);
	munmap(s->ctrl, s->w.region_bytes[WIRE_REGION_CTRL]);
	for (int i = 0; i < WIRE_N_REGIONS; i++)
		close(s->fds[i]);
	if (s->fd >= 0)
		close(s->fd);
	if (s->pid)
		dx_end_process(s->pid);
}

static int open_kind(struct dx_session *s, enum wire_kind kind, unsigned int major,
		     unsigned int minor, uint64_t *ret_file)
{
	struct wire_hello h = dx_hello(kind);
	struct wire_welcome w;
	int fd = dx_connect(s->d), r;

	h.session = s->w.session;
	h.token = s->w.token;
	h.major = major;
	h.minor = minor;
	r = dx_say(fd, &h, sizeof(h), &w);
	if (r) {
		assert_true(dx_closed(fd));
		close(fd);
		return r;
	}
	*ret_file = w.file;
	return fd;
}

int dx_open(struct dx_session *s, unsigned int major, unsigned int minor, uint64_t *ret_file)
{
	return open_kind(s, WIRE_FILE, major, minor, ret_file);
}

int dx_open_kfd(struct dx_session *s, uint64_t *ret_file)
{
	return dx_open(s, DX_KFD_MAJOR, 0, ret_file);
}

int dx_open_engine(struct dx_session *s)
{
	uint64_t none;

	return open_kind(s, WIRE_ENGINE, 0, 0, &none);
}

char *dx_query(struct dx_daemon *d, const char *name, int *ret_err)
{
	struct wire_hello h = dx_hello(WIRE_QUERY);
	int fd = dx_connect(d), memfd = -1;
	struct wire_welcome w;
	struct stat st;
	char *text;

	snprintf(h.name, sizeof(h.name), "%s", name);
	/* Turned away before it has said anything. */
	if (send(fd, &h, sizeof(h), MSG_NOSIGNAL) < 0)
		*ret_err = -ECONNRESET;
	else
		*ret_err = dx_recv(fd, &w, &memfd, 1);
	assert_true(dx_closed(fd));
	close(fd);
	if (*ret_err)
		return NULL;
	assert_int_equal(fstat(memfd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_int_equal(read(memfd, text, (size_t)st.st_size), st.st_size);
	close(memfd);
	return text;
}

json_t *dx_status(struct dx_daemon *d)
{
	json_error_t e;
	json_t *root;
	int err;
	char *text = dx_query(d, "status", &err);

	if (err)
		fail_msg("status: %s", strerror(-err));
	root = json_loads(text, 0, &e);
	if (!root)
		fail_msg("status is not JSON: %s: %s", e.text, text);
	free(text);
	return root;
}

unsigned int dx_n_clients(struct dx_daemon *d)
{
	json_t *root = dx_status(d);
	unsigned int n = (unsigned int)json_array_size(json_object_get(root, "clients"));

	json_decref(root);
	return n;
}

void dx_wait_clients(struct dx_daemon *d, unsigned int n)
{
	uint64_t until = dx_now_ms() + PATIENCE_MS;

	while (dx_n_clients(d) != n) {
		if (dx_now_ms() > until)
			fail_msg("%u clients, not %u", dx_n_clients(d), n);
		dx_nap(2);
	}
}

/* ------------------------------------------------ slots */

void dx_slot(struct dx_session *s, unsigned int slot)
{
	dx_send(s->fd, WIRE_SLOT_OPEN, slot, 0);
}

struct wire_slot_head *dx_head(struct dx_session *s, unsigned int slot)
{
	return &s->slots->slot[slot].head;
}

static void wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void dx_submit(struct dx_session *s, unsigned int slot)
{
	struct wire_slot_head *h = dx_head(s, slot);

	h->seq++;
	atomic_store(&h->state, WIRE_SUBMITTED);
	wake(&h->state);
}

int dx_answer(struct dx_session *s, unsigned int slot, unsigned int ms)
{
	struct wire_slot_head *h = dx_head(s, slot);
	uint64_t until = dx_now_ms() + ms;

	while (atomic_load(&h->state) == WIRE_SUBMITTED) {
		struct timespec ts = { 0, 50000000 };

		if (dx_now_ms() > until)
			return -ETIMEDOUT;
		syscall(SYS_futex, &h->state, FUTEX_WAIT, WIRE_SUBMITTED, &ts, NULL, 0);
	}
	assert_int_equal(atomic_load(&h->state), WIRE_DONE);
	atomic_store(&h->state, WIRE_FREE);
	return h->result;
}

void dx_ioctl_begin(struct dx_session *s, unsigned int slot, uint64_t file, uint32_t cmd,
		    const void *block, uint32_t len)
{
	struct wire_slot_head *h = dx_head(s, slot);

	h->call = WIRE_CALL_IOCTL;
	h->file = file;
	h->cmd = cmd;
	h->arg = (uintptr_t)block;
	h->n_fds = 0;
	h->n_segs = 1;
	h->seg[0] = (struct wire_seg){ .uptr = h->arg, .len = len, .off = 0, .in = 1 };
	memcpy(s->slots->slot[slot].data, block, len);
	dx_submit(s, slot);
}

int dx_ioctl(struct dx_session *s, unsigned int slot, uint64_t file, uint32_t cmd, void *block,
	     uint32_t len)
{
	int r;

	dx_ioctl_begin(s, slot, file, cmd, block, len);
	r = dx_answer(s, slot, PATIENCE_MS);
	if (r != -ETIMEDOUT)
		memcpy(block, s->slots->slot[slot].data, dx_head(s, slot)->seg[0].written);
	return r;
}

int dx_nop(struct dx_session *s, unsigned int slot)
{
	dx_head(s, slot)->call = WIRE_CALL_NOP;
	dx_submit(s, slot);
	return dx_answer(s, slot, PATIENCE_MS);
}

/* The block at address 0x1000 of a program that need not exist, the events at 0x2000. */
#define BLOCK_UPTR  0x1000
#define EVENTS_UPTR 0x2000
#define EVENTS_OFF  1024

void dx_wait_begin(struct dx_session *s, unsigned int slot, uint64_t file, uint32_t event,
		   uint32_t ms)
{
	struct kfd_ioctl_wait_events_args args = { .events_ptr = EVENTS_UPTR,
						   .num_events = 1,
						   .timeout = ms };
	struct kfd_event_data data = { .event_id = event };
	struct wire_slot_head *h = dx_head(s, slot);

	memcpy(s->slots->slot[slot].data, &args, sizeof(args));
	memcpy(s->slots->slot[slot].data + EVENTS_OFF, &data, sizeof(data));
	h->call = WIRE_CALL_IOCTL;
	h->file = file;
	h->cmd = AMDKFD_IOC_WAIT_EVENTS;
	h->arg = BLOCK_UPTR;
	h->n_fds = 0;
	h->n_segs = 2;
	h->seg[0] = (struct wire_seg){ BLOCK_UPTR, sizeof(args), 0, 1, 0 };
	h->seg[1] = (struct wire_seg){ EVENTS_UPTR, sizeof(data), EVENTS_OFF, 1, 0 };
	dx_submit(s, slot);
}

uint32_t dx_create_event(struct dx_session *s, unsigned int slot, uint64_t file)
{
	struct kfd_ioctl_create_event_args args = { .event_type = KFD_IOC_EVENT_SIGNAL };

	assert_int_equal(dx_ioctl(s, slot, file, AMDKFD_IOC_CREATE_EVENT, &args, sizeof(args)), 0);
	return args.event_id;
}

uint32_t dx_gpu_id(struct dx_daemon *d, unsigned int gpu)
{
	json_t *root = dx_status(d);
	json_t *g = json_array_get(json_object_get(root, "gpus"), gpu);
	uint32_t id = (uint32_t)json_integer_value(json_object_get(g, "gpu_id"));

	json_decref(root);
	return id;
}

void dx_acquire_begin(struct dx_session *s, unsigned int slot, uint64_t file, uint64_t render,
		      uint32_t gpu_id)
{
	struct kfd_ioctl_acquire_vm_args args = { .drm_fd = 5, .gpu_id = gpu_id };
	struct wire_slot_head *h = dx_head(s, slot);

	memcpy(s->slots->slot[slot].data, &args, sizeof(args));
	h->call = WIRE_CALL_IOCTL;
	h->file = file;
	h->cmd = AMDKFD_IOC_ACQUIRE_VM;
	h->arg = BLOCK_UPTR;
	h->n_segs = 1;
	h->seg[0] = (struct wire_seg){ BLOCK_UPTR, sizeof(args), 0, 1, 0 };
	h->n_fds = 1;
	h->fd[0] = (struct wire_slot_fd){ .fd = 5, .file = render };
	dx_submit(s, slot);
}

void dx_hang_engine(struct dx_session *s)
{
	atomic_store(&s->ctrl->worker[0].seq, 1);
	atomic_store(&s->ctrl->engine, GPU_ENGINE_RUNNING);
}
