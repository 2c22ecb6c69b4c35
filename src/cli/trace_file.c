/* SPDX-License-Identifier: MIT */
#include "cli/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "cli/cli.h"
#include "drm/node.h"
#include "host/write.h"
#include "kfd/kfd.h"
#include "trace/chrome.h"
#include "trace/ring.h"
#include "wire/proto.h"

#define PERIOD_MS 10
/* How long the driver may take to tell the rest. */
#define REST_TIMEOUT_MS 10000

struct trace_file {
	const char *path;
	int fd;
	bool regular, ours; /* ours: it was not there before */
	bool begun;         /* a driver tells: what was in the file is gone */
	off_t at; /* REGULAR: where the array's end stands */
	struct trace_chrome *chrome;
	int conn; /* -1: not connected */
	void *map;
	size_t map_bytes;
	struct trace_ring ring;
	uint64_t lost, last_ns;
	pthread_t thread;
	bool has_thread;
	atomic_bool stop, over;
	atomic_uint n_clients;
};

/* ------------------------------------------------ writing */

/* The new events go over the old end, with a new end behind them. */
static int write_regular(struct trace_file *f, const char *text, size_t len)
{
	const char end[] = TRACE_CHROME_END;
	struct iovec iov[2] = { { (void *)text, len }, { (void *)end, sizeof(end) - 1 } };
	size_t left = len + sizeof(end) - 1;
	off_t at = f->at;
	int i = 0;

	while (left) {
		ssize_t n = pwritev(f->fd, &iov[i], 2 - i, at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		at += n;
		left -= (size_t)n;
		for (; i < 2 && (size_t)n >= iov[i].iov_len; i++)
			n -= (ssize_t)iov[i].iov_len;
		if (i < 2) {
			iov[i].iov_base = (char *)iov[i].iov_base + n;
			iov[i].iov_len -= (size_t)n;
		}
	}
	f->at += (off_t)len;
	return 0;
}

static int write_events(void *cookie, const char *text, size_t len)
{
	struct trace_file *f = cookie;

	return f->regular ? write_regular(f, text, len) : host_write_all(f->fd, text, len);
}

static const char *ioctl_name(uint32_t call)
{
	unsigned int nr = call & 0xff, i;

	if (call >> 8) {
		const struct drm_feature *d;

		for (i = 0; (d = drm_feature(i)); i++)
			if (d->nr == nr)
				return d->name;
	} else {
		const struct kfd_feature *k;

		for (i = 0; (k = kfd_feature(i)); i++)
			if (k->nr == nr)
				return k->name;
	}
	return NULL;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* ------------------------------------------------ reading */

static void take_records(struct trace_file *f)
{
	uint64_t lost = trace_ring_lost(&f->ring);
	struct vkf_trace_record rec;
	/* As many as it holds at once, so that the file is written in between. */
	uint64_t most = f->ring.n;

	while (most-- && trace_ring_get(&f->ring, &rec)) {
		trace_chrome_record(f->chrome, &rec);
		f->last_ns = rec.ns;
	}
	if (lost != f->lost)
		trace_chrome_lost(f->chrome, f->last_ns, lost - f->lost);
	f->lost = lost;
	atomic_store(&f->n_clients, trace_chrome_n_clients(f->chrome));
	if (trace_chrome_flush(f->chrome))
		atomic_store(&f->over, true);
}

static void *read_ring(void *arg)
{
	struct trace_file *f = arg;
	struct pollfd p = { .fd = f->conn, .events = POLLIN };

	while (!atomic_load(&f->stop)) {
		take_records(f);
		/* Nothing is ever said there but that the driver is gone. */
		if (poll(&p, 1, PERIOD_MS) > 0) {
			atomic_store(&f->over, true);
			break;
		}
	}
	return NULL;
}

static int start_thread(struct trace_file *f)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&f->thread, NULL, read_ring, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	f->has_thread = !r;
	return -r;
}

static int map_ring(struct trace_file *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	f->map_bytes = (size_t)st.st_size;
	f->map = mmap(NULL, f->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (f->map == MAP_FAILED) {
		f->map = NULL;
		return -errno;
	}
	trace_ring_init(&f->ring, f->map, f->map_bytes);
	return 0;
}

static int begin(struct trace_file *f)
{
	if (f->regular && ftruncate(f->fd, 0) < 0)
		return -errno;
	f->begun = true;
	return 0;
}

int trace_file_connect(struct trace_file *f, const char *socket)
{
	int fd = cli_ask(socket, WIRE_TRACE, "", &f->conn);
	int r = fd < 0 ? fd : map_ring(f, fd);

	if (fd >= 0)
		close(fd);
	if (!r)
		r = begin(f);
	if (!r)
		r = start_thread(f);
	if (!r)
		return CLI_OK;
	if (r == -EBUSY)
		cli_error("somebody traces the driver at '%s' already", socket);
	else
		cli_error("cannot trace the driver at '%s': %s", socket, strerror(-r));
	return CLI_FAILED;
}

/* ------------------------------------------------ begin and end */

int trace_file_open(const char *path, struct trace_file **ret_file)
{
	struct trace_file *f = calloc(1, sizeof(*f));
	struct trace_chrome_config config = { .write = write_events,
					      .ioctl_name = ioctl_name,
					      .cookie = f,
					      .begin_ns = now_ns() };
	struct stat st;

	if (!f)
		return CLI_FAILED;
	f->path = path;
	f->conn = -1;
	f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	f->ours = f->fd >= 0;
	if (!f->ours)
		f->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		cli_error("cannot write '%s': %s", path, strerror(errno));
		free(f);
		return CLI_FAILED;
	}
	f->regular = S_ISREG(st.st_mode);
	if (trace_chrome_open(&config, &f->chrome)) {
		cli_error("no memory for a trace");
		close(f->fd);
		free(f);
		return CLI_FAILED;
	}
	*ret_file = f;
	return CLI_OK;
}

bool trace_file_is_over(const struct trace_file *f)
{
	return atomic_load(&f->over);
}

unsigned int trace_file_n_clients(const struct trace_file *f)
{
	return atomic_load(&f->n_clients);
}

/* Ask the driver for the rest and wait until it is in the ring, or the driver is gone. */
static void fetch_rest(struct trace_file *f)
{
	struct wire_msg m = { .op = WIRE_TRACE_END };
	struct pollfd p = { .fd = f->conn, .events = POLLIN };
	uint64_t until = now_ns() + REST_TIMEOUT_MS * UINT64_C(1000000);

	if (send(f->conn, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m))
		while (poll(&p, 1, PERIOD_MS) == 0 && now_ns() < until)
			take_records(f);
	take_records(f);
}

/* Nothing was traced: there is what was there before. */
static void leave_no_trace(struct trace_file *f)
{
	if (f->ours)
		unlink(f->path);
	trace_chrome_drop(f->chrome);
	close(f->fd);
}

static int finish(struct trace_file *f)
{
	const char end[] = TRACE_CHROME_END;
	int r = trace_chrome_close(f->chrome);

	if (!r && !f->regular)
		r = host_write_all(f->fd, end, sizeof(end) - 1);
	if (close(f->fd) < 0 && !r)
		r = -errno;
	return r;
}

int trace_file_close(struct trace_file *f)
{
	int r = 0;

	if (!f)
		return CLI_OK;
	atomic_store(&f->stop, true);
	if (f->has_thread) {
		pthread_join(f->thread, NULL);
		fetch_rest(f);
	}
	if (f->conn >= 0)
		close(f->conn);
	if (f->begun)
		r = finish(f);
	else
		leave_no_trace(f);
	if (r)
		cli_error("cannot write '%s': %s", f->path, strerror(-r));
	if (f->lost)
		cli_error("%llu records were lost: more happened than could be written",
			  (unsigned long long)f->lost);
	if (f->map)
		munmap(f->map, f->map_bytes);
	free(f);
	return r ? CLI_FAILED : CLI_OK;
}
