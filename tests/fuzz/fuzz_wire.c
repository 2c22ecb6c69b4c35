/* SPDX-License-Identifier: MIT */
/*
 * A program that keeps to nothing: any hello, message, slot and scribbling, in any order, from
 * several connections. The daemon never crashes and never hangs; another program beside it is
 * served as before; and when the connections have gone, nothing of them is left: no client, no
 * memory, no descriptor.
 *
 * Input bytes choose what is done; without libFuzzer a fixed generator writes them, and the daemon
 * is a process of its own. With it, the daemon is a thread, so that its code is seen.
 */
#include "daemon_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "capture.h"
#include "daemon/daemon.h"
#include "host/env_host.h"
#include "host/sched_host.h"

#define N_SESSIONS 3
#define N_CONNS    8
#define N_SLOTS    4
#define MAX_OPS    200
#define MAX_BYTES  4096

/* struct input - bytes that decide; zeros once it has run out */
struct input {
	const uint8_t *at, *end;
};

struct program {
	struct dx_session session[N_SESSIONS];
	bool open[N_SESSIONS];
	int conn[N_CONNS]; /* or -1 */
	uint64_t files[4]; /* numbers that were given */
	unsigned int n_files;
};

/* Who must not notice anything. */
static struct dx_session witness;
static uint64_t witness_kfd;

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | (in->at < in->end ? *in->at++ : 0);
	return v;
}

static unsigned int below(struct input *in, unsigned int n)
{
	return (unsigned int)take(in, 1) % n;
}

/* A number that is often near one that means something. */
static uint64_t number(struct input *in)
{
	static const uint64_t edges[] = { 0,          1,          8,
					  WIRE_SLOTS, 4096,       WIRE_SLOT_DATA_BYTES,
					  INT32_MAX,  UINT32_MAX, UINT64_MAX,
					  0x1000 };
	unsigned int how = below(in, 4);

	if (how == 0)
		return take(in, 8);
	if (how == 1)
		return take(in, 1);
	return edges[below(in, sizeof(edges) / sizeof(edges[0]))] + (how == 3 ? take(in, 1) : 0);
}

static void scribble(struct input *in, void *what, size_t len)
{
	for (unsigned int n = below(in, 4); n; n--) {
		uint64_t v = number(in), at = take(in, 2);

		memcpy((char *)what + at % (len - 7), &v, 1u << below(in, 4));
	}
}

/* ------------------------------------------------ what it does */

static struct dx_session *some_session(struct program *p, struct input *in)
{
	unsigned int i = below(in, N_SESSIONS);

	return p->open[i] ? &p->session[i] : NULL;
}

static uint64_t some_file(struct program *p, struct input *in)
{
	unsigned int i = below(in, 8);

	return i < p->n_files ? p->files[i] : i == 7 ? witness_kfd : number(in);
}

static void open_session(struct program *p, struct input *in)
{
	unsigned int i = below(in, N_SESSIONS);

	if (p->open[i])
		dx_session_close(&p->session[i]);
	dx_session_open(&dx, &p->session[i], "fuzz");
	p->open[i] = true;
	dx_slot(&p->session[i], 0);
}

static int *some_place(struct program *p, struct input *in)
{
	int *conn = &p->conn[below(in, N_CONNS)];

	if (*conn >= 0)
		close(*conn);
	*conn = -1;
	return conn;
}

static void open_file(struct program *p, struct input *in)
{
	static const unsigned int minors[] = { 0, 1, 128, 129 };
	struct dx_session *s = some_session(p, in);
	int *conn = some_place(p, in);
	unsigned int which = below(in, 5);
	uint64_t file = 0;

	if (!s)
		return;
	*conn = which == 4 ? dx_open_kfd(s, &file) : dx_open(s, DX_DRM_MAJOR, minors[which], &file);
	if (*conn >= 0)
		p->files[p->n_files++ % 4] = file;
	p->n_files = p->n_files > 4 ? 4 : p->n_files;
}

static void open_engine(struct program *p, struct input *in)
{
	struct dx_session *s = some_session(p, in);
	int *conn = some_place(p, in);

	if (s)
		*conn = dx_open_engine(s);
}

/* Almost a hello, or nothing like one. */
static void odd_hello(struct program *p, struct input *in)
{
	struct wire_hello h[3] = { dx_hello((enum wire_kind)below(in, 6)) };
	struct dx_session *s = some_session(p, in);
	int *conn = some_place(p, in);
	size_t len = sizeof(h[0]);

	if (s) {
		h[0].session = s->w.session;
		h[0].token = s->w.token;
	}
	h[0].major = below(in, 2) ? DX_KFD_MAJOR : DX_DRM_MAJOR;
	h[0].minor = below(in, 130);
	h[0].file = below(in, 2) ? 0 : some_file(p, in);
	snprintf(h[0].name, sizeof(h[0].name), "%s",
		 (const char *[]){ "status", "runtime", "file:/x", "" }[below(in, 4)]);
	scribble(in, h, sizeof(h[0]));
	if (below(in, 4) == 0)
		len = take(in, 2) % sizeof(h);
	*conn = dx_connect(&dx);
	send(*conn, h, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void odd_message(struct program *p, struct input *in)
{
	struct wire_msg m[2] = {
		{ .op = below(in, 5), .slot = below(in, N_SLOTS + 1), .seq = below(in, 8) }
	};
	struct dx_session *s = some_session(p, in);
	int fd = below(in, 2) && s ? s->fd : p->conn[below(in, N_CONNS)];
	size_t len = sizeof(m[0]);

	if (below(in, 3) == 0)
		scribble(in, m, sizeof(m[0]));
	if (below(in, 6) == 0)
		len = take(in, 1) % sizeof(m);
	if (fd >= 0)
		send(fd, m, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A call, with a head and segments that may say anything. */
static void submit(struct program *p, struct input *in)
{
	struct dx_session *s = some_session(p, in);
	unsigned int slot = below(in, N_SLOTS);
	struct wire_slot_head *h;

	if (!s)
		return;
	h = dx_head(s, slot);
	h->call = 1 + below(in, 3);
	h->file = some_file(p, in);
	h->cmd = (uint32_t)_IOC(3u, below(in, 8) ? 'K' : 'd', below(in, 0x28), take(in, 1) % 129);
	h->arg = 0x1000;
	h->len = below(in, 2) ? 4096 : number(in);
	h->prot = (int)below(in, 8);
	h->flags = (int)below(in, 4);
	h->n_segs = 1 + below(in, 2);
	h->n_fds = below(in, 3);
	h->seg[0] = (struct wire_seg){ 0x1000, 512, 0, 1, 0 };
	h->seg[1] = (struct wire_seg){ 0x2000, 512, 512, 1, 0 };
	for (unsigned int i = 0; i < WIRE_SLOT_FDS; i++)
		h->fd[i] =
			(struct wire_slot_fd){ (int)below(in, 4), below(in, 4) != 0, some_file(p, in) };
	for (unsigned int i = 0; i < 12; i++) {
		uint64_t v = below(in, 3) ? 0x2000 * below(in, 2) + below(in, 8) : number(in);

		memcpy(s->slots->slot[slot].data + 8 * i, &v, 8);
	}
	if (below(in, 2) == 0)
		scribble(in, h, sizeof(*h));
	dx_submit(s, slot);
}

static void scribble_shared(struct program *p, struct input *in)
{
	struct dx_session *s = some_session(p, in);

	if (!s)
		return;
	if (below(in, 2))
		scribble(in, dx_head(s, below(in, N_SLOTS)), sizeof(struct wire_slot_head));
	else
		scribble(in, s->ctrl, sizeof(*s->ctrl));
	atomic_store(&s->ctrl->irq_wptr, (uint32_t)number(in));
	atomic_store(&s->ctrl->engine, below(in, 4));
}

static void close_something(struct program *p, struct input *in)
{
	unsigned int i = below(in, N_SESSIONS);

	if (below(in, 2)) {
		some_place(p, in);
	} else if (p->open[i]) {
		dx_session_close(&p->session[i]);
		p->open[i] = false;
	}
}

static void let_it_run(struct program *p, struct input *in)
{
	usleep(below(in, 200));
}

static void (*const ops[])(struct program *, struct input *) = {
	open_session, open_file,       open_file,       open_engine, odd_hello,
	odd_message,  odd_message,     submit,          submit,      submit,
	submit,       scribble_shared, close_something, let_it_run,
};

/* ------------------------------------------------ what must hold */

static uint64_t memory_in_use(void)
{
	json_t *root = dx_status(&dx), *gpus = json_object_get(root, "gpus"), *g;
	uint64_t sum = (uint64_t)json_integer_value(
		json_object_get(json_object_get(root, "system"), "used"));
	size_t i;

	json_array_foreach(gpus, i, g) sum +=
		(uint64_t)json_integer_value(json_object_get(g, "vram_used"));
	json_decref(root);
	return sum;
}

static void check(void)
{
	struct kfd_ioctl_get_version_args v = { 0 };

	dx_wait_clients(&dx, 1);
	assert_int_equal(memory_in_use(), 0);
	assert_int_equal(dx_nop(&witness, 0), 0);
	assert_int_equal(dx_ioctl(&witness, 0, witness_kfd, AMDKFD_IOC_GET_VERSION, &v, sizeof(v)),
			 0);
	assert_int_equal(v.major_version, 1);
}

static void run(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct program p = { .n_files = 0 };

	for (int i = 0; i < N_CONNS; i++)
		p.conn[i] = -1;
	open_session(&p, &in);
	for (int n = 0; n < MAX_OPS && in.at < in.end; n++)
		ops[below(&in, sizeof(ops) / sizeof(ops[0]))](&p, &in);
	for (int i = 0; i < N_CONNS; i++)
		if (p.conn[i] >= 0)
			close(p.conn[i]);
	for (int i = 0; i < N_SESSIONS; i++)
		if (p.open[i])
			dx_session_close(&p.session[i]);
	check();
}

static void meet_witness(void)
{
	dx_session_open(&dx, &witness, "witness");
	dx_slot(&witness, 0);
	if (dx_open_kfd(&witness, &witness_kfd) < 0)
		abort();
}

#ifdef VKFD_LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void *be_daemon(void *config)
{
	exit(daemon_run(config) ? 1 : 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct machine_profile profile;
	static struct daemon_config config = {
		.profile = &profile, .runtime = dx.runtime, .extra_listen_fd = -1, .lifetime_fd = -1
	};
	pthread_t thread;
	int ready[2];
	char byte;

	host_env_install();
	host_sched_install();
	capture_load("mi210x2", NULL, 0, &profile);
	if (daemon_runtime_make(dx.runtime, sizeof(dx.runtime)) || pipe(ready))
		abort();
	snprintf(dx.sock, sizeof(dx.sock), "%s/sock", dx.runtime);
	config.ready_fd = ready[1];
	if (pthread_create(&thread, NULL, be_daemon, &config) || read(ready[0], &byte, 1) != 1)
		abort();
	meet_witness();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= MAX_BYTES)
		run(data, size);
	return 0;
}

#else

static uint64_t state;

static uint64_t next(void)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	return vkf_hash_u64(state);
}

/* PROGRAM [FIRST [LAST]]: seeds. */
int main(int argc, char **argv)
{
	static uint8_t data[MAX_BYTES];
	uint64_t first, last, seed;
	unsigned int fds;

	dx_main(argc, argv);
	first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	last = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? first : 400;
	dx_group_setup(NULL);
	dx_start(&dx, NULL);
	meet_witness();
	fds = dx_n_fds(&dx);
	for (seed = first; seed <= last; seed++) {
		size_t size;

		state = seed;
		size = 64 + next() % (MAX_BYTES - 64);
		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)next();
		alarm(60);
		run(data, size);
	}
	alarm(0);
	/* All that the inputs opened is closed again. */
	if (dx_n_fds(&dx) > fds) {
		printf("%u descriptors, not %u\n", dx_n_fds(&dx), fds);
		return 1;
	}
	dx_session_close(&witness);
	dx_stop(&dx);
	dx_group_teardown(NULL);
	printf("%llu inputs\n", (unsigned long long)(last - first + 1));
	return 0;
}

#endif
