/* SPDX-License-Identifier: MIT */
/* A file that a call has made: who gets it, what it says of itself, and when it ends. */
#include "daemon_fixture.h"

#include <errno.h>
#include <linux/kfd_ioctl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPORT_DMABUF _IOWR('K', 0x24, struct export_args)
#define SIZE          (UINT64_C(4) << 20)
#define FLAG_VRAM     1u
#define FLAG_WRITE    (1u << 31)

struct export_args {
	uint64_t handle;
	uint32_t flags, fd;
};

/* struct prog - a session with a VM on GPU 0 and a buffer there */
struct prog {
	struct dx_session s;
	int kfd_fd, render_fd;
	uint64_t kfd, handle;
	uint32_t gpu_id;
};

static void prog_open(struct prog *p, const char *comm)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args alloc = { .va_addr = 0x2000000000,
							    .size = SIZE,
							    .flags = FLAG_VRAM | FLAG_WRITE };
	uint64_t render;

	dx_session_open(&dx, &p->s, comm);
	p->gpu_id = alloc.gpu_id = dx_gpu_id(&dx, 0);
	dx_slot(&p->s, 0);
	dx_slot(&p->s, 1);
	p->kfd_fd = dx_open_kfd(&p->s, &p->kfd);
	p->render_fd = dx_open(&p->s, DX_DRM_MAJOR, 128, &render);
	dx_acquire_begin(&p->s, 0, p->kfd, render, p->gpu_id);
	assert_int_equal(dx_answer(&p->s, 0, 20000), 0);
	assert_int_equal(
		dx_ioctl(&p->s, 0, p->kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &alloc, sizeof(alloc)),
		0);
	p->handle = alloc.handle;
}

static void prog_close(struct prog *p)
{
	close(p->kfd_fd);
	close(p->render_fd);
	dx_session_close(&p->s);
}

/* The number of the file that slot @slot's call has made. */
static uint64_t export(struct prog *p, unsigned int slot)
{
	struct export_args args = { p->handle, 0, 77 };
	uint64_t made;

	assert_int_equal(dx_ioctl(&p->s, slot, p->kfd, EXPORT_DMABUF, &args, sizeof(args)), 0);
	/* The descriptor is the program's to make. */
	assert_int_equal(args.fd, 77);
	made = dx_head(&p->s, slot)->made_file;
	assert_true(made != 0);
	return made;
}

/* Return: the descriptor, or the errno of a refusal, after which the connection is closed. */
static int claim(const struct dx_session *s, unsigned int slot, uint64_t file,
		 struct wire_welcome *w)
{
	struct wire_hello h = dx_hello(WIRE_FILE);
	int fd = dx_connect(&dx), r;

	h.session = s->w.session;
	h.token = s->w.token;
	h.minor = slot;
	h.file = file;
	assert_int_equal(send(fd, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	assert_int_equal(recv(fd, w, sizeof(*w), MSG_PEEK), sizeof(*w));
	r = w->status;
	if (!r)
		return fd;
	assert_true(dx_closed(fd));
	close(fd);
	return r;
}

static int claimed(struct prog *p)
{
	struct wire_welcome w;
	int fd = claim(&p->s, 0, export(p, 0), &w);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t charged(void)
{
	json_t *root = dx_status(&dx);
	uint64_t n = (uint64_t)json_integer_value(
		json_object_get(json_array_get(json_object_get(root, "gpus"), 0), "vram_charged"));

	json_decref(root);
	return n;
}

static int n_dmabufs(void)
{
	json_t *root = dx_status(&dx);
	int n = (int)json_integer_value(
		json_object_get(json_array_get(json_object_get(root, "clients"), 0), "dmabufs"));

	json_decref(root);
	return n;
}

static void wait_charged(uint64_t bytes)
{
	for (unsigned int i = 0; i < 5000 && charged() != bytes; i++)
		dx_nap(2);
	assert_int_equal(charged(), bytes);
}

static void free_buffer(struct prog *p)
{
	struct kfd_ioctl_free_memory_of_gpu_args args = { p->handle };

	assert_int_equal(
		dx_ioctl(&p->s, 1, p->kfd, AMDKFD_IOC_FREE_MEMORY_OF_GPU, &args, sizeof(args)), 0);
}

static void what_is_claimed_says_what_it_is_for_ever(void **state)
{
	struct prog p;
	struct wire_welcome w, peek;
	uint64_t made;
	int fd;

	prog_open(&p, "prog");
	made = export(&p, 0);
	fd = claim(&p.s, 0, made, &w);
	assert_true(fd >= 0);
	assert_int_equal(w.file, made);
	assert_int_equal(w.session, p.s.w.session);
	assert_int_equal(w.token, 0);
	assert_int_equal(w.dmabuf_bytes, SIZE);
	assert_int_equal(w.dmabuf_writable, 1);
	assert_true(w.dmabuf_inode != 0);
	for (int i = 0; i < 3; i++) {
		struct pollfd pf = { fd, POLLIN | POLLOUT, 0 };

		assert_int_equal(poll(&pf, 1, 20000), 1);
		assert_int_equal(pf.revents, POLLIN | POLLOUT);
		memset(&peek, 0, sizeof(peek));
		assert_int_equal(recv(fd, &peek, sizeof(peek), MSG_PEEK), sizeof(peek));
		assert_memory_equal(&peek, &w, sizeof(w));
	}
	/* And no more ever comes. */
	assert_int_equal(recv(fd, &peek, sizeof(peek), 0), sizeof(peek));
	assert_int_equal(recv(fd, &peek, sizeof(peek), 0), 0);
	close(fd);
	prog_close(&p);
}

static void a_call_that_fails_makes_nothing(void **state)
{
	struct export_args args = { 0 };
	struct prog p;

	prog_open(&p, "prog");
	args.handle = p.handle + 1;
	dx_head(&p.s, 0)->made_file = 4711;
	assert_int_equal(dx_ioctl(&p.s, 0, p.kfd, EXPORT_DMABUF, &args, sizeof(args)), -EINVAL);
	assert_int_equal(dx_head(&p.s, 0)->made_file, 0);
	prog_close(&p);
}

/* What could not be told the program was not made either. */
static void a_call_whose_block_cannot_be_written_back_makes_nothing(void **state)
{
	struct prog p;
	struct wire_slot_head *h;

	prog_open(&p, "prog");
	h = dx_head(&p.s, 0);
	h->call = WIRE_CALL_IOCTL;
	h->file = p.kfd;
	h->cmd = (uint32_t)EXPORT_DMABUF;
	h->arg = 0x1000;
	h->n_fds = h->n_probes = 0;
	h->n_segs = 1;
	h->made_file = 4711;
	/* Readable as far as the call reads, but its word says that more comes back. */
	h->seg[0] = (struct wire_seg){ 0x1000, sizeof(struct export_args) - 1, 0, 1, 0 };
	memcpy(p.s.slots->slot[0].data, &p.handle, sizeof(p.handle));
	dx_submit(&p.s, 0);
	assert_int_equal(dx_answer(&p.s, 0, 20000), -EFAULT);
	assert_int_equal(h->made_file, 0);
	prog_close(&p);
}

static void only_the_right_words_claim_it(void **state)
{
	struct prog p, other;
	struct wire_welcome w;
	uint64_t made;
	int fd;

	prog_open(&p, "prog");
	prog_open(&other, "other");
	made = export(&p, 0);
	assert_int_equal(claim(&p.s, 1, made, &w), -ENOENT);
	assert_int_equal(claim(&p.s, WIRE_SLOTS, made, &w), -ENOENT);
	assert_int_equal(claim(&p.s, UINT32_MAX, made, &w), -ENOENT);
	assert_int_equal(claim(&p.s, 0, made + 1, &w), -ENOENT);
	assert_int_equal(claim(&p.s, 0, p.kfd, &w), -ENOENT);
	assert_int_equal(claim(&other.s, 0, made, &w), -ENOENT);
	p.s.w.token++;
	assert_int_equal(claim(&p.s, 0, made, &w), -EACCES);
	p.s.w.token--;
	fd = claim(&p.s, 0, made, &w);
	assert_true(fd >= 0);
	/* Once. */
	assert_int_equal(claim(&p.s, 0, made, &w), -ENOENT);
	close(fd);
	prog_close(&other);
	prog_close(&p);
}

static void the_slots_next_call_drops_what_nobody_claimed(void **state)
{
	struct prog p;
	struct wire_welcome w;
	uint64_t before, made;

	prog_open(&p, "prog");
	before = charged();
	made = export(&p, 0);
	free_buffer(&p);
	assert_int_equal(charged(), before);
	assert_int_equal(n_dmabufs(), 1);
	assert_int_equal(dx_nop(&p.s, 0), 0);
	wait_charged(before - SIZE);
	assert_int_equal(n_dmabufs(), 0);
	assert_int_equal(claim(&p.s, 0, made, &w), -ENOENT);
	prog_close(&p);
}

static void the_end_of_the_session_drops_it_too(void **state)
{
	struct prog p;

	assert_int_equal(charged(), 0);
	prog_open(&p, "prog");
	export(&p, 0);
	export(&p, 1);
	prog_close(&p);
	dx_wait_clients(&dx, 0);
	wait_charged(0);
}

static void a_claimed_one_outlives_handle_and_session(void **state)
{
	struct prog p;
	int fd, copy;

	prog_open(&p, "prog");
	fd = claimed(&p);
	assert_int_equal(n_dmabufs(), 1);
	free_buffer(&p);
	prog_close(&p);
	dx_wait_clients(&dx, 0);
	assert_int_equal(charged(), SIZE);
	copy = dup(fd);
	close(fd);
	dx_nap(50);
	assert_int_equal(charged(), SIZE);
	close(copy);
	wait_charged(0);
}

static void whatever_is_written_to_it_is_dropped(void **state)
{
	static const size_t sizes[] = {
		1, 3, sizeof(struct wire_msg), sizeof(struct wire_hello), 512, 513, 60000
	};
	struct wire_hello h = dx_hello(WIRE_SESSION);
	struct wire_msg m = { .op = WIRE_IDENT };
	static char bytes[60000];
	struct wire_welcome w;
	struct prog p;
	int fd;

	prog_open(&p, "prog");
	fd = claimed(&p);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_int_equal(send(fd, bytes, sizes[i], MSG_NOSIGNAL), sizes[i]);
	assert_int_equal(send(fd, &h, sizeof(h), MSG_NOSIGNAL), sizeof(h));
	assert_int_equal(send(fd, &m, sizeof(m), MSG_NOSIGNAL), sizeof(m));
	free_buffer(&p);
	/* Whatever it was, the driver has read it by now. */
	for (int i = 0; i < 3; i++)
		close(dx_open_kfd(&p.s, &p.kfd));
	assert_int_equal(charged(), SIZE);
	assert_int_equal(recv(fd, &w, sizeof(w), MSG_PEEK), sizeof(w));
	assert_int_equal(recv(fd, &w, sizeof(w), 0), sizeof(w));
	assert_int_equal(recv(fd, &w, sizeof(w), 0), 0);
	close(fd);
	wait_charged(0);
	prog_close(&p);
}

/* The main loop does not wait for the memory of one to be given back before it closes the next. */
static void many_are_closed_at_once(void **state)
{
	enum { N = 200 };
	int fd[N];
	struct prog p;

	prog_open(&p, "prog");
	for (int i = 0; i < N; i++)
		fd[i] = claimed(&p);
	assert_int_equal(n_dmabufs(), N);
	free_buffer(&p);
	for (int i = 0; i < N; i++)
		close(fd[i]);
	wait_charged(0);
	prog_close(&p);
}

static void the_driver_ends_with_some_still_open(void **state)
{
	struct prog p;
	struct wire_welcome w;
	int fd;

	prog_open(&p, "prog");
	fd = claimed(&p);
	export(&p, 0);
	prog_close(&p);
	dx_stop(&dx);
	/* What it was is still there to read; what it is for is gone. */
	assert_int_equal(recv(fd, &w, sizeof(w), 0), sizeof(w));
	assert_int_equal(recv(fd, &w, sizeof(w), 0), 0);
	close(fd);
	dx_start(&dx, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		DX_TEST(what_is_claimed_says_what_it_is_for_ever),
		DX_TEST(a_call_that_fails_makes_nothing),
		DX_TEST(a_call_whose_block_cannot_be_written_back_makes_nothing),
		DX_TEST(only_the_right_words_claim_it),
		DX_TEST(the_slots_next_call_drops_what_nobody_claimed),
		DX_TEST(the_end_of_the_session_drops_it_too),
		DX_TEST(a_claimed_one_outlives_handle_and_session),
		DX_TEST(whatever_is_written_to_it_is_dropped),
		DX_TEST(many_are_closed_at_once),
		DX_TEST(the_driver_ends_with_some_still_open),
	};

	dx_main(argc, argv);
	return cmocka_run_group_tests(tests, dx_group_setup, dx_group_teardown);
}
