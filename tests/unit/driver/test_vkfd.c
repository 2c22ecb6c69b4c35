/* SPDX-License-Identifier: MIT */
/*
 * libvkfd as others use it: machines, clients, descriptors, pointers, mappings, the engine by hand
 * and as a thread. What each ioctl does is tests/uapi's business; its helpers are used here.
 */
#include "../../uapi/kfd_calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/support.h"
#include "capture.h"
#include "vkfd/vkfd.h"

void vkfd_cpp_close(struct vkfd_machine *m);

static char *json;
static size_t json_len;
static struct vkfd_machine *m;
/* Who calls through uapi.h: each thread for itself. */
static _Thread_local struct vkfd_client *me;
static struct vkfd_client *first;

int uapi_open_kfd(void)
{
	return vkfd_open(me, "/dev/kfd");
}

int uapi_open_render(unsigned int gpu)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", 128 + gpu);
	return vkfd_open(me, path);
}

int uapi_ioctl(int fd, unsigned long cmd, void *arg)
{
	return vkfd_ioctl(me, fd, cmd, arg);
}

int uapi_mmap(void *addr, size_t len, int prot, int flags, int fd, uint64_t offset, void **ret)
{
	return vkfd_mmap(me, addr, len, prot, flags, fd, (off_t)offset, ret);
}

static int open_machine(struct vkfd_machine **ret)
{
	static const char *const sets[] = { "gpu.vram=1GiB" };
	char err[256] = "";

	return vkfd_machine_open(json, json_len, sets, 1, ret, err, sizeof(err));
}

static int read_json(void **state)
{
	json = capture_read_file(MACHINES_DIR "/mi210x2.json", &json_len);
	return json ? 0 : -1;
}

static int free_json(void **state)
{
	free(json);
	return 0;
}

static int setup(void **state)
{
	assert_int_equal(open_machine(&m), 0);
	assert_int_equal(vkfd_client_open(m, 1000, "test", &first), 0);
	me = first;
	return 0;
}

static void check(void)
{
	char why[256] = "";

	if (vkfd_check(m, why, sizeof(why)))
		fail_msg("%s", why);
}

static int teardown(void **state)
{
	check();
	vkfd_client_close(first);
	check();
	vkfd_machine_close(m);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void nap(unsigned int ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000l };

	nanosleep(&ts, NULL);
}

/* ------------------------------------------------ machines */

static void expect_bad_machine(const char *text, const char *set, const char *complaint)
{
	struct vkfd_machine *none = NULL;
	char err[256] = "";

	assert_int_equal(
		vkfd_machine_open(text, strlen(text), &set, set ? 1 : 0, &none, err, sizeof(err)),
		-EINVAL);
	assert_null(none);
	if (!strstr(err, complaint))
		fail_msg("'%s' does not say '%s'", err, complaint);
	assert_null(strchr(err, '\n'));
}

static void a_machine_file_that_is_wrong_is_refused_in_a_line(void **state)
{
	char *text = strndup(json, json_len);

	expect_bad_machine("", NULL, "line 1");
	expect_bad_machine("{ \"name\": ", NULL, "line 1");
	expect_bad_machine(text, "gpu.vrma=1GiB", "gpu.vram");
	expect_bad_machine(text, "gpu.vram=lots", "gpu.vram");
	free(text);
}

static void nothing_closes_as_nothing(void **state)
{
	struct vkfd_machine *other;

	vkfd_machine_close(NULL);
	vkfd_client_close(NULL);
	assert_int_equal(open_machine(&other), 0);
	/* From C++, too. */
	vkfd_cpp_close(other);
	vkfd_cpp_close(NULL);
}

static void without_memory_there_is_no_machine_and_no_client(void **state)
{
	struct vkfd_machine *other = NULL;
	struct vkfd_client *c = NULL;
	unsigned int n;
	int r;

	for (n = 1;; n++) {
		fail_alloc(n);
		n_live_allocs = 0;
		r = open_machine(&other);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(other);
		assert_int_equal(n_live_allocs, 0);
	}
	assert_true(n > 3);
	for (n = 1;; n++) {
		int live = n_live_allocs;

		fail_alloc(n);
		n_live_allocs = live;
		r = vkfd_client_open(other, 1, "c", &c);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(c);
		assert_int_equal(n_live_allocs, live);
	}
	assert_true(n > 2);
	vkfd_client_close(c);
	vkfd_machine_close(other);
	assert_int_equal(n_live_allocs, 0);
	vkf_env_set(NULL);
}

/* ------------------------------------------------ descriptors */

static int version(struct vkfd_client *c, int fd)
{
	struct kfd_ioctl_get_version_args args = { 0 };
	int r = vkfd_ioctl(c, fd, K_GET_VERSION, &args);

	if (!r)
		assert_int_equal(args.minor_version, 17);
	return r;
}

static void every_node_opens_and_nothing_else(void **state)
{
	static const char *const good[] = { "/dev/kfd", "/dev/dri/renderD128",
					    "/dev/dri/renderD129", "/dev/dri/card0",
					    "/dev/dri/card1" };
	static const char *const bad[] = {
		"",
		"/dev/kfd/",
		"/dev/kfd0",
		"dev/kfd",
		"/dev/dri/",
		"/dev/dri/renderD",
		"/dev/dri/renderD0",
		"/dev/dri/renderD1",
		"/dev/dri/renderD0128",
		"/dev/dri/renderD128 ",
		"/dev/dri/renderD128x",
		"/dev/dri/renderD+128",
		"/dev/dri/renderD-1",
		"/dev/dri/renderD 128",
		"/dev/dri/renderD4294967424",
		"/dev/dri/card128",
		"/dev/dri/card",
		"/dev/dri/cardx",
		"/dev/dri/card00",
		"/dev/null",
	};

	for (size_t i = 0; i < VKF_ARRAY_SIZE(good); i++)
		assert_int_equal(vkfd_open(me, good[i]), i);
	for (size_t i = 0; i < VKF_ARRAY_SIZE(bad); i++)
		if (vkfd_open(me, bad[i]) != -ENOENT)
			fail_msg("'%s' is not ENOENT", bad[i]);
	assert_int_equal(vkfd_open(me, "/dev/dri/renderD130"), -ENODEV);
	assert_int_equal(vkfd_open(me, "/dev/dri/card2"), -ENODEV);
}

static void the_lowest_free_number_is_given(void **state)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(vkfd_open(me, "/dev/kfd"), i);
	assert_int_equal(vkfd_close(me, 1), 0);
	assert_int_equal(vkfd_close(me, 2), 0);
	assert_int_equal(vkfd_open(me, "/dev/kfd"), 1);
	assert_int_equal(vkfd_dup(me, 0, me), 2);
	assert_int_equal(vkfd_dup(me, 0, me), 4);
}

static void numbers_run_out(void **state)
{
	for (int i = 0; i < 1024; i++)
		assert_int_equal(vkfd_open(me, "/dev/kfd"), i);
	assert_int_equal(vkfd_open(me, "/dev/kfd"), -EMFILE);
	assert_int_equal(vkfd_dup(me, 3, me), -EMFILE);
	assert_int_equal(vkfd_close(me, 1023), 0);
	assert_int_equal(vkfd_dup(me, 3, me), 1023);
	assert_int_equal(version(me, 1023), 0);
}

static void numbers_that_are_not_open_are_ebadf(void **state)
{
	static const int bad[] = { -1, 0, 1, 1023, 1024, INT32_MAX, INT32_MIN };
	int fd = vkfd_open(me, "/dev/kfd");
	void *p = NULL;

	assert_int_equal(vkfd_close(me, fd), 0);
	for (size_t i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		assert_int_equal(version(me, bad[i]), -EBADF);
		assert_int_equal(vkfd_close(me, bad[i]), -EBADF);
		assert_int_equal(vkfd_dup(me, bad[i], me), -EBADF);
		assert_int_equal(vkfd_mmap(me, NULL, 4096, PROT_READ, MAP_SHARED, bad[i], 0, &p),
				 -EBADF);
	}
	assert_null(p);
}

static void a_copy_lives_on_when_the_original_is_closed(void **state)
{
	int fd = vkfd_open(me, "/dev/kfd"), copy = vkfd_dup(me, fd, me);

	assert_int_equal(vkfd_close(me, fd), 0);
	assert_int_equal(version(me, copy), 0);
	assert_int_equal(version(me, fd), -EBADF);
	assert_int_equal(vkfd_close(me, copy), 0);
}

static void an_inherited_kfd_is_ebadf_and_opening_it_again_works(void **state)
{
	struct vkfd_client *child;
	int fd = vkfd_open(me, "/dev/kfd"), inherited, own;

	assert_int_equal(vkfd_client_open(m, 1001, "child", &child), 0);
	inherited = vkfd_dup(me, fd, child);
	assert_int_equal(inherited, 0);
	assert_int_equal(version(child, inherited), -EBADF);
	own = vkfd_open(child, "/dev/kfd");
	assert_int_equal(version(child, own), 0);
	assert_int_equal(version(child, inherited), -EBADF);
	/* The parent's own is not touched by what the child does with its copy. */
	assert_int_equal(vkfd_close(child, inherited), 0);
	assert_int_equal(version(me, fd), 0);
	vkfd_client_close(child);
	assert_int_equal(version(me, fd), 0);
}

static void a_descriptor_outlives_the_client_that_opened_it(void **state)
{
	struct vkfd_client *child;
	int fd, kept_kfd, kept_render;
	struct prog p;

	assert_int_equal(vkfd_client_open(m, 1001, "child", &child), 0);
	fd = vkfd_open(child, "/dev/kfd");
	kept_kfd = vkfd_dup(child, fd, me);
	kept_render = vkfd_dup(child, vkfd_open(child, "/dev/dri/renderD128"), me);
	vkfd_client_close(child);
	assert_int_equal(version(me, kept_kfd), -EBADF);
	/* A render node is nobody's in particular: its VM can still be taken. */
	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, kept_render), 0);
	assert_int_equal(vkfd_close(me, kept_kfd), 0);
	assert_int_equal(vkfd_close(me, kept_render), 0);
}

/* ------------------------------------------------ pointers */

static void bad_pointers_are_efault_and_not_a_crash(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, (size_t)(4 * page), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kfd_ioctl_get_process_apertures_new_args args = { .num_of_nodes = 2 };
	int fd = vkfd_open(me, "/dev/kfd");
	struct kfd_ioctl_get_version_args *v;

	assert_ptr_not_equal(map, MAP_FAILED);
	munmap(map + page, (size_t)page);
	mprotect(map + 2 * page, (size_t)page, PROT_READ);
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, NULL), -EFAULT);
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, (void *)-8), -EFAULT);
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, (void *)(1ull << 47)), -EFAULT);
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, map + page), -EFAULT);
	/* Half of it is there. */
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, map + page - 4), -EFAULT);
	/* Readable, but the answer cannot be written. */
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, map + 2 * page), -EFAULT);
	v = (void *)(map + page - sizeof(*v));
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_VERSION, v), 0);
	assert_int_equal(v->major_version, 1);
	/* An array that an argument points to. */
	args.kfd_process_device_apertures_ptr = (uintptr_t)map + (uint64_t)page;
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_APERTURES_NEW, &args), -EFAULT);
	args.kfd_process_device_apertures_ptr = 8;
	args.num_of_nodes = 2;
	assert_int_equal(vkfd_ioctl(me, fd, K_GET_APERTURES_NEW, &args), -EFAULT);
	munmap(map, (size_t)page);
	munmap(map + 2 * page, (size_t)(2 * page));
}

/* ------------------------------------------------ mappings */

static void a_buffer_shows_the_same_bytes_everywhere(void **state)
{
	uint64_t handle, offset = 0;
	void *where, *one = NULL, *two = NULL;
	struct prog p;

	prog_start(&p);
	assert_int_equal(
		alloc_mem(&p, 0, VA(0), 8 * PAGE, F_VRAM | F_WRITE | F_PUBLIC, &handle, &offset),
		0);
	assert_int_equal(uapi_mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, p.render[0],
				   offset, &one),
			 0);
	where = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(uapi_mmap((char *)where + PAGE, 8 * PAGE, PROT_READ,
				   MAP_SHARED | MAP_FIXED, p.render[0], offset, &two),
			 0);
	assert_ptr_equal(two, (char *)where + PAGE);
	strcpy(one, "written here");
	assert_string_equal(two, "written here");
	/* The freed buffer's memory reads as zeros for the next. */
	munmap(one, 8 * PAGE);
	munmap(where, 16 * PAGE);
	assert_int_equal(free_mem(&p, handle), 0);
	offset = 0;
	assert_int_equal(
		alloc_mem(&p, 0, VA(0), 8 * PAGE, F_VRAM | F_WRITE | F_PUBLIC, &handle, &offset),
		0);
	assert_int_equal(
		uapi_mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, p.render[0], offset, &one), 0);
	assert_int_equal(*(char *)one, 0);
	munmap(one, 8 * PAGE);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void a_private_mapping_without_rights_is_only_a_place(void **state)
{
	uint64_t handle, offset = 0;
	struct prog p;
	void *at = NULL;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(0), PAGE, F_VRAM | F_WRITE, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE, p.render[0], offset, &at),
			 0);
	assert_non_null(at);
	munmap(at, PAGE);
	at = NULL;
	assert_int_equal(uapi_mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p.render[0], offset, &at),
			 -EINVAL);
	assert_int_equal(
		uapi_mmap(NULL, PAGE, PROT_READ, MAP_SHARED, p.render[0], offset + PAGE, &at),
		-EINVAL);
	assert_int_equal(uapi_mmap(NULL, PAGE, PROT_READ, MAP_SHARED, p.render[1], offset, &at),
			 -EINVAL);
	assert_null(at);
}

static void a_parents_buffer_is_not_the_childs_to_map(void **state)
{
	uint64_t handle, offset = 0;
	struct vkfd_client *child;
	struct prog p;
	void *at = NULL;
	int inherited;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(0), PAGE, F_VRAM | F_WRITE, &handle, &offset), 0);
	assert_int_equal(vkfd_client_open(m, 1001, "child", &child), 0);
	inherited = vkfd_dup(me, p.render[0], child);
	assert_int_equal(
		vkfd_mmap(child, NULL, PAGE, PROT_READ, MAP_SHARED, inherited, (off_t)offset, &at),
		-EACCES);
	assert_null(at);
	vkfd_client_close(child);
	assert_int_equal(uapi_mmap(NULL, PAGE, PROT_READ, MAP_SHARED, p.render[0], offset, &at), 0);
	munmap(at, PAGE);
}

/* ------------------------------------------------ copies */

#define COPY(src, dst, n)                                                                          \
	1, (uint32_t)(n)-1, 0, (uint32_t)(src), (uint32_t)((src) >> 32), (uint32_t)(dst),          \
		(uint32_t)((dst) >> 32)
#define FENCE(va, v) 5, (uint32_t)(va), (uint32_t)((va) >> 32), (v)
#define TRAP(ctx)    6, (ctx)

struct copier {
	struct prog p;
	struct user_queue q;
	uint64_t src, dst; /* handles; at VA(10) and VA(11) */
	unsigned char *from, *to;
	uint32_t done; /* event that the copy's end raises */
	uint64_t written;
};

#define COPY_BYTES (4 * MIB)

static void map_cpu(struct copier *x, unsigned int gpu, uint64_t offset, unsigned char **ret)
{
	void *p;

	assert_int_equal(uapi_mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
				   x->p.render[gpu], offset, &p),
			 0);
	*ret = p;
}

/* From GPU 0's memory to GPU 1's, by GPU 0. */
static void copier_open(struct copier *x)
{
	uint64_t src_off = 0, dst_off = 0;

	prog_start(&x->p);
	event_page(&x->p);
	x->done = event(&x->p, KFD_IOC_EVENT_SIGNAL, true);
	queue_start(&x->p, 0, KFD_IOC_QUEUE_TYPE_SDMA, 1, &x->q);
	assert_int_equal(alloc_mem(&x->p, 0, VA(10), COPY_BYTES, F_VRAM | F_WRITE | F_PUBLIC,
				   &x->src, &src_off),
			 0);
	assert_int_equal(alloc_mem(&x->p, 1, VA(11), COPY_BYTES, F_VRAM | F_WRITE | F_PUBLIC,
				   &x->dst, &dst_off),
			 0);
	map_cpu(x, 0, src_off, &x->from);
	map_cpu(x, 1, dst_off, &x->to);
	assert_int_equal(map_one(&x->p, x->src, 0), 0);
	assert_int_equal(map_one(&x->p, x->dst, 0), 0);
	x->written = 0;
}

static void copier_submit(struct copier *x, unsigned char byte)
{
	uint64_t slot = VA(900) + x->done * 8; /* in the page of event_page() */
	const uint32_t words[] = { COPY(VA(10), VA(11), COPY_BYTES), FENCE(slot, x->done),
				   TRAP(x->done) };

	memset(x->from, byte, COPY_BYTES);
	memset(x->to, 0, COPY_BYTES);
	memcpy((char *)x->q.ring_cpu + x->written, words, sizeof(words));
	x->written += sizeof(words);
	__atomic_store_n(x->q.wptr, x->written, __ATOMIC_RELEASE);
	__atomic_store_n(x->q.doorbell, x->written, __ATOMIC_RELEASE);
}

static void copier_check(struct copier *x, unsigned char byte)
{
	for (size_t i = 0; i < COPY_BYTES; i += 511)
		if (x->to[i] != byte)
			fail_msg("byte %zu is %d, not %d", i, x->to[i], byte);
	assert_int_equal(x->to[COPY_BYTES - 1], byte);
}

static void copier_close(struct copier *x)
{
	munmap(x->from, COPY_BYTES);
	munmap(x->to, COPY_BYTES);
	/* Its slice begins at any page, so it is not where the low bits are 0. */
	munmap((char *)x->q.doorbell - (x->q.args.doorbell_offset & 8191), 8192);
	munmap((void *)x->q.ring_cpu, RING_BYTES);
	munmap((void *)x->q.wptr, PAGE);
	munmap((void *)x->q.rptr, PAGE);
}

static void run_by_hand(void)
{
	int n = 0;

	while (vkfd_engine_step(me) == 1)
		assert_true(++n < 10000);
}

static void a_copy_between_gpus_step_by_step(void **state)
{
	struct copier x;
	uint32_t result = 77;

	copier_open(&x);
	assert_int_equal(vkfd_engine_step(me), 0);
	for (unsigned char i = 1; i < 4; i++) {
		copier_submit(&x, i);
		assert_int_equal(wait_event(&x.p, x.done, 0, &result), 0);
		assert_int_equal(result, KFD_IOC_WAIT_RESULT_TIMEOUT);
		assert_int_equal(x.to[0], 0);
		run_by_hand();
		copier_check(&x, i);
		/* Its interrupt was delivered before the step returned. */
		assert_int_equal(wait_event(&x.p, x.done, 0, &result), 0);
		assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
	}
	assert_int_equal(queue_destroy(&x.p, x.q.args.queue_id), 0);
	copier_close(&x);
}

static void the_engine_as_a_thread_does_it_by_itself(void **state)
{
	struct copier x;
	uint32_t result;

	copier_open(&x);
	assert_int_equal(vkfd_engine_start(me), 0);
	assert_int_equal(vkfd_engine_start(me), -EBUSY);
	for (unsigned char i = 1; i < 20; i++) {
		copier_submit(&x, i);
		assert_int_equal(wait_event(&x.p, x.done, 20000, &result), 0);
		assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
		copier_check(&x, i);
	}
	/* And is stopped with its queue, in between and for good. */
	assert_int_equal(queue_destroy(&x.p, x.q.args.queue_id), 0);
	vkfd_engine_stop(me);
	vkfd_engine_stop(me);
	copier_close(&x);
}

static void an_engine_may_be_stopped_and_started_in_the_middle(void **state)
{
	struct copier x;
	uint32_t result;

	copier_open(&x);
	for (unsigned char i = 1; i < 10; i++) {
		assert_int_equal(vkfd_engine_start(me), 0);
		copier_submit(&x, i);
		vkfd_engine_stop(me);
		/* Where it was stopped it goes on, by hand. */
		run_by_hand();
		copier_check(&x, i);
		assert_int_equal(wait_event(&x.p, x.done, 0, &result), 0);
		assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
	}
	copier_close(&x);
}

static void a_client_closed_in_the_middle_of_a_copy_leaves_nothing(void **state)
{
	for (int i = 0; i < 5; i++) {
		struct copier x;

		assert_int_equal(vkfd_client_open(m, 2000 + i, "victim", &me), 0);
		copier_open(&x);
		assert_int_equal(vkfd_engine_start(me), 0);
		copier_submit(&x, 1);
		copier_close(&x);
		vkfd_client_close(me);
		check();
	}
	me = first;
	/* All of the VRAM is there again. */
	{
		struct prog p;

		prog_start(&p);
		assert_true(available(&p, 0) > GIB - 64 * MIB);
		assert_true(available(&p, 1) > GIB - 64 * MIB);
	}
}

/* ------------------------------------------------ interruption */

struct waiter {
	struct vkfd_client *client;
	struct prog *p;
	uint32_t event;
	atomic_bool inside;
	int result;
	pthread_t thread;
};

static void *wait_long(void *arg)
{
	struct waiter *w = arg;
	struct kfd_event_data data = { .event_id = w->event };
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)&data,
		.num_events = 1,
		.timeout = 20000,
	};

	atomic_store(&w->inside, true);
	w->result = vkfd_ioctl(w->client, w->p->kfd, K_WAIT_EVENTS, &args);
	return NULL;
}

static void start_waiter(struct waiter *w, struct vkfd_client *c, struct prog *p, uint32_t id)
{
	*w = (struct waiter){ .client = c, .p = p, .event = id };
	assert_int_equal(pthread_create(&w->thread, NULL, wait_long, w), 0);
	while (!atomic_load(&w->inside))
		nap(1);
}

static void a_signal_ends_every_call_of_its_client_only(void **state)
{
	struct vkfd_client *other;
	struct waiter w[3], spared;
	uint64_t begin = now_ms();
	struct prog p, q;
	uint32_t id;

	prog_open(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, false);
	for (int i = 0; i < 3; i++)
		start_waiter(&w[i], first, &p, id);
	assert_int_equal(vkfd_client_open(m, 1001, "other", &other), 0);
	me = other;
	prog_open(&q);
	id = event(&q, KFD_IOC_EVENT_SIGNAL, false);
	start_waiter(&spared, other, &q, id);
	nap(50);
	vkfd_interrupt(first);
	for (int i = 0; i < 3; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].result, -EINTR);
	}
	nap(20);
	assert_int_equal(set_event(&q, id), 0);
	pthread_join(spared.thread, NULL);
	assert_int_equal(spared.result, 0);
	assert_true(now_ms() - begin < 15000);
	me = first;
	vkfd_client_close(other);
}

static void a_signal_before_a_call_is_not_the_calls(void **state)
{
	uint32_t result, id;
	struct prog p;

	prog_open(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, false);
	vkfd_interrupt(me);
	assert_int_equal(wait_event(&p, id, 10, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_TIMEOUT);
}

/* ------------------------------------------------ many at once */

#define N_THREADS 4
#define ROUNDS    6

struct worker {
	pthread_t thread;
	int failed;
};

/* A program's life, without cmocka's assertions: those belong to its own thread. */
static int live(unsigned int n)
{
	struct kfd_ioctl_create_event_args ev = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct vkfd_client *c;
	int kfd, render, copy;

	if (vkfd_client_open(m, (pid_t)(3000 + n), "worker", &c))
		return 1;
	kfd = vkfd_open(c, "/dev/kfd");
	render = vkfd_open(c, n & 1 ? "/dev/dri/renderD128" : "/dev/dri/renderD129");
	copy = vkfd_dup(c, kfd, c);
	if (kfd < 0 || render < 0 || copy < 0 || vkfd_close(c, kfd))
		return 2;
	if (vkfd_ioctl(c, copy, K_CREATE_EVENT, &ev) || vkfd_engine_start(c))
		return 3;
	vkfd_interrupt(c);
	vkfd_client_close(c);
	return 0;
}

static void *worker(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < ROUNDS && !w->failed; i++)
		w->failed = live((unsigned int)(uintptr_t)w % 1000 + i);
	return NULL;
}

static void many_clients_in_many_threads(void **state)
{
	struct worker w[N_THREADS] = { 0 };

	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL, worker, &w[i]), 0);
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].failed, 0);
	}
}

static atomic_bool stop_closing;

static void *open_and_close(void *arg)
{
	struct vkfd_client *c = arg;

	while (!atomic_load(&stop_closing)) {
		int fd = vkfd_open(c, "/dev/dri/renderD128");
		int copy = vkfd_dup(c, fd, c);

		vkfd_close(c, fd);
		vkfd_close(c, copy);
	}
	return NULL;
}

static void descriptors_may_be_closed_under_calls_that_use_them(void **state)
{
	unsigned int n_busy = 0, n_bad = 0;
	uint64_t begin = now_ms();
	pthread_t thread;
	struct prog p;
	int fd;

	prog_start(&p);
	fd = p.render[1] + 1; /* the next free number: open or not just now */
	atomic_store(&stop_closing, false);
	assert_int_equal(pthread_create(&thread, NULL, open_and_close, me), 0);
	while ((n_busy < 200 || n_bad < 200) && now_ms() - begin < 10000) {
		int r = acquire_vm(&p, 1, fd), copy;

		assert_true(r == -EBUSY || r == -EINVAL);
		n_busy += r == -EBUSY;
		n_bad += r == -EINVAL;
		copy = vkfd_dup(me, fd, me);
		if (copy >= 0)
			assert_int_equal(vkfd_close(me, copy), 0);
		else
			assert_int_equal(copy, -EBADF);
	}
	atomic_store(&stop_closing, true);
	pthread_join(thread, NULL);
	assert_true(n_busy > 0 && n_bad > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		cmocka_unit_test(a_machine_file_that_is_wrong_is_refused_in_a_line),
		cmocka_unit_test(nothing_closes_as_nothing),
		cmocka_unit_test(without_memory_there_is_no_machine_and_no_client),
		T(every_node_opens_and_nothing_else),
		T(the_lowest_free_number_is_given),
		T(numbers_run_out),
		T(numbers_that_are_not_open_are_ebadf),
		T(a_copy_lives_on_when_the_original_is_closed),
		T(an_inherited_kfd_is_ebadf_and_opening_it_again_works),
		T(a_descriptor_outlives_the_client_that_opened_it),
		T(bad_pointers_are_efault_and_not_a_crash),
		T(a_buffer_shows_the_same_bytes_everywhere),
		T(a_private_mapping_without_rights_is_only_a_place),
		T(a_parents_buffer_is_not_the_childs_to_map),
		T(a_copy_between_gpus_step_by_step),
		T(the_engine_as_a_thread_does_it_by_itself),
		T(an_engine_may_be_stopped_and_started_in_the_middle),
		T(a_client_closed_in_the_middle_of_a_copy_leaves_nothing),
		T(a_signal_ends_every_call_of_its_client_only),
		T(a_signal_before_a_call_is_not_the_calls),
		T(many_clients_in_many_threads),
		T(descriptors_may_be_closed_under_calls_that_use_them),
	};

	return cmocka_run_group_tests(tests, read_json, free_json);
}
