/* SPDX-License-Identifier: MIT */
/* /sys/class/kfd/kfd/proc: what each process has. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kfd_calls.h"

#define PROC "/sys/class/kfd/kfd/proc"

/* Return: the length, or -errno. */
static int get(int pid, const char *name, char *buf, size_t len)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), PROC "/%d/%s", pid, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	close(fd);
	assert_true(n >= 0);
	buf[n] = '\0';
	return (int)n;
}

static void expect(int pid, const char *name, const char *text)
{
	char buf[64];

	assert_true(get(pid, name, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, text);
}

static void expect_of_gpu(const char *format, uint32_t gpu_id, const char *text)
{
	char name[64];

	snprintf(name, sizeof(name), format, gpu_id);
	expect(getpid(), name, text);
}

static unsigned int n_entries(const char *path)
{
	struct dirent *e;
	unsigned int n = 0;
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void vram_is_what_was_allocated(void **state)
{
	uint64_t handle;
	struct prog p;

	prog_start(&p);
	expect_of_gpu("vram_%u", p.gpu[0], "0\n");
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * MIB, F_VRAM | F_WRITE, &handle, NULL), 0);
	expect_of_gpu("vram_%u", p.gpu[0], "2097152\n");
	expect_of_gpu("vram_%u", p.gpu[1], "0\n");
	assert_int_equal(free_mem(&p, handle), 0);
	expect_of_gpu("vram_%u", p.gpu[0], "0\n");
}

static void every_file_is_there_and_read_only(void **state)
{
	char path[128], buf[64];
	struct prog p;
	struct stat st;

	prog_start(&p);
	assert_true(get(getpid(), "pasid", buf, sizeof(buf)) > 0);
	assert_in_range(atoi(buf), 0x8000, 0xffff);
	for (unsigned int i = 0; i < 2; i++) {
		expect_of_gpu("sdma_%u", p.gpu[i], "0\n");
		expect_of_gpu("stats_%u/evicted_ms", p.gpu[i], "0\n");
		expect_of_gpu("stats_%u/cu_occupancy", p.gpu[i], "0\n");
	}
	snprintf(path, sizeof(path), PROC "/%d", getpid());
	/* pasid and queues, and of each GPU three. */
	assert_int_equal(n_entries(path), 2 + 3 * 2);
	snprintf(path, sizeof(path), PROC "/%d/pasid", getpid());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0222, 0);
	assert_int_equal(open(path, O_RDWR), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(get(getpid(), "vram_1", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(get(getpid(), "queues/0/size", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(get(1, "pasid", buf, sizeof(buf)), -ENOENT);
}

static void before_gfx9_nothing_is_said_of_compute_units(void **state)
{
	char name[64], buf[64];
	struct prog p;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	expect_of_gpu("sdma_%u", p.gpu[0], "0\n");
	expect_of_gpu("stats_%u/evicted_ms", p.gpu[0], "0\n");
	snprintf(name, sizeof(name), "stats_%u/cu_occupancy", p.gpu[0]);
	assert_int_equal(get(getpid(), name, buf, sizeof(buf)), -ENOENT);
}

static unsigned long long sdma_us(uint32_t gpu_id)
{
	char name[64], buf[64];

	snprintf(name, sizeof(name), "sdma_%u", gpu_id);
	assert_true(get(getpid(), name, buf, sizeof(buf)) > 0);
	return strtoull(buf, NULL, 10);
}

/* Fill @bytes at VA(10) of GPU @gpu, and wait for the end. */
static void fill(struct prog *p, unsigned int gpu, uint32_t bytes, struct user_queue *q)
{
	/* CONSTANT_FILL of words, then FENCE. */
	const uint32_t packets[] = { 11 | 2u << 30,
				     (uint32_t)VA(10),
				     (uint32_t)(VA(10) >> 32),
				     0,
				     bytes - 1,
				     5,
				     (uint32_t)VA(5),
				     (uint32_t)(VA(5) >> 32),
				     1 };
	volatile uint32_t *done;
	uint64_t handle;

	gtt(p, gpu, VA(5), PAGE, &done);
	assert_int_equal(alloc_mem(p, gpu, VA(10), bytes, F_VRAM | F_WRITE, &handle, NULL), 0);
	assert_int_equal(map_one(p, handle, gpu), 0);
	queue_start(p, gpu, KFD_IOC_QUEUE_TYPE_SDMA, 1, q);
	memcpy((void *)q->ring_cpu, packets, sizeof(packets));
	__atomic_store_n((uint64_t *)q->wptr, sizeof(packets), __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)q->doorbell, sizeof(packets), __ATOMIC_RELEASE);
	for (unsigned int ms = 0; *done != 1; ms++) {
		assert_true(ms < 5000);
		usleep(1000);
	}
}

static void sdma_is_the_time_that_its_engines_were_at_work(void **state)
{
	struct user_queue q = { 0 };
	unsigned long long us;
	struct prog p;

	prog_start(&p);
	fill(&p, 1, 16 * MIB, &q);
	/* More than 100 GB/s it cannot be. */
	us = sdma_us(p.gpu[1]);
	assert_in_range(us, 160, 5000000);
	assert_int_equal(sdma_us(p.gpu[0]), 0);
	assert_int_equal(queue_destroy(&p, q.args.queue_id), 0);
	assert_in_range(sdma_us(p.gpu[1]), us, us + 1000000);
}

static void a_queue_has_a_directory_while_it_is_there(void **state)
{
	struct user_queue a = { 0 }, b = { 0 };
	char path[128], name[64], text[32];
	struct prog p;

	prog_start(&p);
	snprintf(path, sizeof(path), PROC "/%d/queues", getpid());
	assert_int_equal(n_entries(path), 0);
	queue_start(&p, 1, KFD_IOC_QUEUE_TYPE_SDMA, 1, &a);
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 2, &b);
	assert_int_equal(n_entries(path), 2);
	/* No newline, as in the kernel. */
	snprintf(text, sizeof(text), "%u", RING_BYTES);
	snprintf(name, sizeof(name), "queues/%u/size", a.args.queue_id);
	expect(getpid(), name, text);
	snprintf(name, sizeof(name), "queues/%u/type", a.args.queue_id);
	expect(getpid(), name, "1");
	snprintf(text, sizeof(text), "%u", p.gpu[1]);
	snprintf(name, sizeof(name), "queues/%u/gpuid", a.args.queue_id);
	expect(getpid(), name, text);
	snprintf(name, sizeof(name), "queues/%u/type", b.args.queue_id);
	expect(getpid(), name, "0");
	assert_int_equal(queue_destroy(&p, a.args.queue_id), 0);
	assert_int_equal(n_entries(path), 1);
	assert_int_equal(queue_destroy(&p, b.args.queue_id), 0);
	assert_int_equal(n_entries(path), 0);
}

static int child_pid;

static int be_there(int fd)
{
	struct user_queue q = { 0 };
	struct prog p;
	char buf[64];

	prog_start(&p);
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_SDMA, 1, &q);
	/* Anybody's are anybody's to read. */
	if (get(getppid(), "pasid", buf, sizeof(buf)) <= 0)
		return -ENOENT;
	return write(fd, &(int){ getpid() }, sizeof(int)) == sizeof(int) ? 0 : -EIO;
}

static void a_process_that_ends_takes_its_files_along(void **state)
{
	char path[128];
	struct prog p;
	int ends[2];

	prog_start(&p);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(uapi_in_child(be_there, ends[1]), 0);
	assert_int_equal(read(ends[0], &child_pid, sizeof(child_pid)), sizeof(child_pid));
	snprintf(path, sizeof(path), PROC "/%d", child_pid);
	for (unsigned int ms = 0; access(path, F_OK) == 0; ms++) {
		assert_true(ms < 5000);
		usleep(1000);
	}
	snprintf(path, sizeof(path), PROC "/%d", getpid());
	assert_int_equal(access(path, F_OK), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(vram_is_what_was_allocated),
	cmocka_unit_test(every_file_is_there_and_read_only),
	cmocka_unit_test(before_gfx9_nothing_is_said_of_compute_units),
	cmocka_unit_test(sdma_is_the_time_that_its_engines_were_at_work),
	cmocka_unit_test(a_queue_has_a_directory_while_it_is_there),
	cmocka_unit_test(a_process_that_ends_takes_its_files_along),
};

UAPI_MAIN(tests)
