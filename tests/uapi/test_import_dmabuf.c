/* SPDX-License-Identifier: MIT */
/* IMPORT_DMABUF: refusals in their order, and what the handle is good for */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "kfd_calls.h"

#define RW (PROT_READ | PROT_WRITE)
#define SIZE (2 * MIB)
#define NONE 0x5a5a5a5a5a5a5a5aull

static uint64_t alloc(struct prog *p, unsigned int gpu, uint64_t va, uint64_t size, uint32_t flags)
{
	uint64_t handle;

	assert_int_equal(alloc_mem(p, gpu, va, size, flags, &handle, NULL), 0);
	return handle;
}

/* A buffer of GPU 0 at VA(1), and its dma-buf. */
static int exported(struct prog *p, uint32_t flags, uint64_t *handle)
{
	int fd;

	*handle = alloc(p, 0, VA(1), SIZE, flags);
	fd = export_mem(p, *handle);
	assert_true(fd >= 0);
	return fd;
}

static uint64_t imported(struct prog *p, int fd, uint64_t va)
{
	uint64_t handle = NONE;

	assert_int_equal(import_mem(p, 0, fd, va, &handle), 0);
	return handle;
}

/* Refused with @err, and the handle as it was. */
static void expect(struct prog *p, unsigned int gpu, int fd, int err)
{
	uint64_t handle = NONE;

	assert_int_equal(import_mem(p, gpu, fd, VA(2), &handle), err);
	assert_int_equal(handle, NONE);
}

static void an_unknown_gpu_is_invalid_whatever_the_descriptor(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd;

	prog_start(&p);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	p.gpu[5] = 0;
	p.gpu[6] = 0x12345;
	expect(&p, 5, fd, -EINVAL);
	expect(&p, 6, fd, -EINVAL);
	expect(&p, 6, -1, -EINVAL);
}

static void without_a_vm_there_is_no_device_whatever_the_descriptor(void **state)
{
	struct prog p;

	prog_open(&p);
	expect(&p, 0, -1, -ENODEV);
	expect(&p, 0, p.kfd, -ENODEV);
}

static void a_descriptor_must_be_open(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd;

	prog_start(&p);
	expect(&p, 0, -1, -EBADF);
	expect(&p, 0, 1000000, -EBADF);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	assert_int_equal(uapi_close(fd), 0);
	expect(&p, 0, fd, -EBADF);
}

static void a_descriptor_must_be_a_dma_buf(void **state)
{
	struct prog p;
	int pipe_fd[2];

	prog_start(&p);
	expect(&p, 0, p.kfd, -EINVAL);
	expect(&p, 0, p.render[0], -EINVAL);
	if (!uapi_through_shim())
		return;
	assert_int_equal(pipe(pipe_fd), 0);
	expect(&p, 0, pipe_fd[0], -EINVAL);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static void another_gpu_cannot_have_it(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	expect(&p, 1, exported(&p, F_VRAM | F_WRITE, &handle), -EINVAL);
}

static int import_in_child(int fd)
{
	struct prog p;
	uint64_t handle = NONE;
	int r;

	prog_start(&p);
	r = import_mem(&p, 0, fd, VA(2), &handle);
	return handle == NONE ? r : 0;
}

static void another_process_cannot_have_it(void **state)
{
	struct prog p;
	uint64_t handle, before;
	int fd;

	prog_start(&p);
	before = available(&p, 0);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	assert_int_equal(uapi_in_child(import_in_child, fd), -EINVAL);
	/* Nothing of the attempt is left. */
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(uapi_close(fd), 0);
	wait_available(&p, 0, before);
}

static void an_import_is_one_more_handle_that_costs_nothing(void **state)
{
	struct prog p;
	uint64_t handle, a, b, before;
	int fd;

	prog_start(&p);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	before = available(&p, 0);
	a = imported(&p, fd, VA(2));
	b = imported(&p, fd, VA(3));
	assert_int_equal(a >> 32, p.gpu[0]);
	assert_int_equal(b >> 32, p.gpu[0]);
	assert_true(a != b && a != handle && b != handle);
	assert_int_equal(available(&p, 0), before);
	assert_int_equal(free_mem(&p, a), 0);
	assert_int_equal(free_mem(&p, a), -EINVAL);
	assert_int_equal(free_mem(&p, b), 0);
	assert_int_equal(available(&p, 0), before);
	assert_int_equal(map_one(&p, handle, 0), 0);
}

/* Each at its own address, at the same time, on each GPU. */
static void an_import_is_mapped_and_unmapped_as_any_buffer(void **state)
{
	struct prog p;
	uint64_t handle, import;
	uint32_t done = 0;
	int fd;

	prog_start(&p);
	fd = exported(&p, F_GTT | F_WRITE, &handle);
	import = imported(&p, fd, VA(2));
	assert_int_equal(map_one(&p, handle, 0), 0);
	assert_int_equal(map_gpus(&p, import, p.gpu, 2, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(free_mem(&p, import), -EBUSY);
	assert_int_equal(unmap_one(&p, import, 1), 0);
	assert_int_equal(unmap_one(&p, import, 1), -EINVAL);
	assert_int_equal(unmap_one(&p, import, 0), 0);
	assert_int_equal(free_mem(&p, import), 0);
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void its_address_is_looked_at_when_it_is_mapped(void **state)
{
	static const uint64_t bad[] = { 0, VA(2) + 1, VA(2) + 2048, 1ull << 62 };
	struct prog p;
	uint64_t handle, import;
	int fd;

	prog_start(&p);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		import = imported(&p, fd, bad[i]);
		assert_int_equal(map_one(&p, import, 0), -EINVAL);
		assert_int_equal(free_mem(&p, import), 0);
	}
	/* Where the buffer itself is. */
	assert_int_equal(map_one(&p, handle, 0), 0);
	import = imported(&p, fd, VA(1));
	assert_int_equal(map_one(&p, import, 0), -EINVAL);
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	assert_int_equal(map_one(&p, import, 0), 0);
}

/* Charge and contents stay until the last of handles, imports and descriptors is gone, whichever
 * that is. */
static void lives_with(unsigned int last)
{
	struct prog p;
	uint64_t handle, import, before;
	int fd;

	prog_start(&p);
	before = available(&p, 0);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	import = imported(&p, fd, VA(2));
	/* Whichever is to be the last is spared the first time. */
	for (unsigned int time = 0; time < 2; time++) {
		if ((last == 0) == time)
			assert_int_equal(free_mem(&p, handle), 0);
		if ((last == 1) == time)
			assert_int_equal(free_mem(&p, import), 0);
		if ((last == 2) == time)
			assert_int_equal(uapi_close(fd), 0);
		if (!time)
			assert_int_equal(available(&p, 0), before - SIZE);
	}
	wait_available(&p, 0, before);
}

static void the_last_handle_gives_the_buffer_back(void **state)
{
	lives_with(0);
}

static void the_last_import_gives_the_buffer_back(void **state)
{
	lives_with(1);
}

static void the_last_descriptor_gives_the_buffer_back(void **state)
{
	lives_with(2);
}

static void an_import_outlives_the_original_and_its_dma_buf(void **state)
{
	struct prog p;
	uint64_t handle, import, again, before;
	int fd;

	prog_start(&p);
	before = available(&p, 0);
	fd = exported(&p, F_VRAM | F_WRITE, &handle);
	import = imported(&p, fd, VA(2));
	assert_int_equal(uapi_close(fd), 0);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(available(&p, 0), before - SIZE);
	assert_int_equal(map_one(&p, import, 0), 0);
	/* And is as good as the original for all that comes. */
	fd = export_mem(&p, import);
	assert_true(fd >= 0);
	assert_int_equal(unmap_one(&p, import, 0), 0);
	assert_int_equal(free_mem(&p, import), 0);
	again = imported(&p, fd, VA(3));
	assert_int_equal(uapi_close(fd), 0);
	assert_int_equal(map_one(&p, again, 0), 0);
	assert_int_equal(available(&p, 0), before - SIZE);
	assert_int_equal(unmap_one(&p, again, 0), 0);
	assert_int_equal(free_mem(&p, again), 0);
	wait_available(&p, 0, before);
}

/* What the exporter's ring needed is no business of an importer's. */
static void a_ring_that_is_there_twice_is_imported_once(void **state)
{
	struct prog p;
	uint64_t ring, import, after;
	int fd;

	prog_start(&p);
	ring = alloc(&p, 0, VA(1), SIZE, F_GTT | F_WRITE | F_AQL);
	fd = export_mem(&p, ring);
	assert_int_equal(uapi_lseek(fd, 0, SEEK_END), SIZE / 2);
	import = imported(&p, fd, VA(2));
	after = alloc(&p, 0, VA(2) + SIZE / 2, PAGE, F_GTT);
	assert_int_equal(map_one(&p, import, 0), 0);
	assert_int_equal(map_one(&p, after, 0), 0);
}

static void doorbells_are_imported_too(void **state)
{
	struct prog p;
	uint64_t handle = 0, import;
	int fd;

	UAPI_NEED_MACHINE("mi210x2");
	prog_start(&p);
	handle = alloc(&p, 0, VA(1), 2 * PAGE, F_DOORBELL | F_WRITE);
	fd = export_mem(&p, handle);
	import = imported(&p, fd, VA(2));
	assert_int_equal(map_one(&p, import, 0), 0);
	assert_int_equal(unmap_one(&p, import, 0), 0);
	assert_int_equal(free_mem(&p, import), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void a_hive_does_not_help_another_gpu(void **state)
{
	struct prog p;
	uint64_t handle;

	UAPI_NEED_MACHINE("mi210x8");
	prog_start(&p);
	expect(&p, 1, exported(&p, F_VRAM | F_WRITE, &handle), -EINVAL);
}

static void an_older_gpu_imports_as_well(void **state)
{
	struct prog p;
	uint64_t handle, import;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	import = imported(&p, exported(&p, F_VRAM | F_WRITE, &handle), VA(2));
	assert_int_equal(map_one(&p, import, 0), 0);
}

/* ------------------------------------------------ the bytes */

static void copy(struct user_queue *q, uint32_t *at, uint64_t from, uint64_t to, uint32_t len)
{
	const uint32_t words[] = { 1, len - 1, 0, (uint32_t)from, (uint32_t)(from >> 32),
				   (uint32_t)to, (uint32_t)(to >> 32) };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		q->ring_cpu[(*at)++] = words[i];
}

/* The GPU reads through one handle's address what it wrote through the other's; and writes through
 * the import, though the exporter may only read. */
static void both_handles_show_the_same_bytes_and_the_import_may_write(void **state)
{
	struct prog p;
	struct user_queue q;
	uint64_t handle, import;
	volatile uint32_t *from, *to;
	uint32_t at = 0;

	UAPI_NEED_MACHINE("mi210x2");
	prog_start(&p);
	import = imported(&p, exported(&p, F_VRAM, &handle), VA(2));
	assert_int_equal(map_one(&p, handle, 0), 0);
	assert_int_equal(map_one(&p, import, 0), 0);
	gtt(&p, 0, VA(5), PAGE, &from);
	gtt(&p, 0, VA(6), PAGE, &to);
	for (uint32_t i = 0; i < 64; i++)
		from[i] = 0xabc00000 + i;
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_SDMA, 8, &q);
	uapi_run_engine();
	copy(&q, &at, VA(5), VA(2) + SIZE - PAGE, 256);
	copy(&q, &at, VA(1) + SIZE - PAGE, VA(6), 256);
	__atomic_store_n((uint64_t *)q.wptr, at * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)q.doorbell, at * 4ull, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 5000 && to[63] != 0xabc0003f; i++)
		usleep(2000);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(to[i], 0xabc00000 + i);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_unknown_gpu_is_invalid_whatever_the_descriptor),
	cmocka_unit_test(without_a_vm_there_is_no_device_whatever_the_descriptor),
	cmocka_unit_test(a_descriptor_must_be_open),
	cmocka_unit_test(a_descriptor_must_be_a_dma_buf),
	cmocka_unit_test(another_gpu_cannot_have_it),
	cmocka_unit_test(another_process_cannot_have_it),
	cmocka_unit_test(an_import_is_one_more_handle_that_costs_nothing),
	cmocka_unit_test(an_import_is_mapped_and_unmapped_as_any_buffer),
	cmocka_unit_test(its_address_is_looked_at_when_it_is_mapped),
	cmocka_unit_test(the_last_handle_gives_the_buffer_back),
	cmocka_unit_test(the_last_import_gives_the_buffer_back),
	cmocka_unit_test(the_last_descriptor_gives_the_buffer_back),
	cmocka_unit_test(an_import_outlives_the_original_and_its_dma_buf),
	cmocka_unit_test(a_ring_that_is_there_twice_is_imported_once),
	cmocka_unit_test(doorbells_are_imported_too),
	cmocka_unit_test(a_hive_does_not_help_another_gpu),
	cmocka_unit_test(an_older_gpu_imports_as_well),
	cmocka_unit_test(both_handles_show_the_same_bytes_and_the_import_may_write),
};

UAPI_MAIN(tests)
