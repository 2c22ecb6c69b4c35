/* SPDX-License-Identifier: MIT */
/* The descriptor of a dma-buf: seek, map, synchronize, close */
#include <errno.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "kfd_calls.h"

#define RW (PROT_READ | PROT_WRITE)
#define SIZE (2 * MIB)

/* A dma-buf of @size bytes; @mem, when not NULL, is the render node's view of it. */
static int make(struct prog *p, uint64_t size, uint32_t flags, uint64_t *handle, void *mem)
{
	uint64_t offset = 0;
	int fd;

	prog_start(p);
	assert_int_equal(alloc_mem(p, 0, VA(1), size, flags, handle, &offset), 0);
	if (mem)
		assert_int_equal(uapi_mmap(NULL, size, RW, MAP_SHARED, p->render[0], offset,
					   (void **)mem), 0);
	fd = export_mem(p, *handle);
	assert_true(fd >= 0);
	return fd;
}

static void its_size_is_where_it_ends(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd = make(&p, SIZE + PAGE, F_VRAM, &handle, NULL);

	assert_int_equal(uapi_lseek(fd, 0, SEEK_END), SIZE + PAGE);
	assert_int_equal(uapi_lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(uapi_lseek(fd, 1, SEEK_SET), -EINVAL);
	assert_int_equal(uapi_lseek(fd, -4096, SEEK_END), -EINVAL);
	assert_int_equal(uapi_lseek(fd, 0, SEEK_CUR), -EINVAL);
	assert_int_equal(uapi_lseek(fd, 0, 77), -EINVAL);
	assert_int_equal(uapi_lseek(p.kfd, 0, SEEK_END), -ESPIPE);
	uapi_close(fd);
	assert_int_equal(uapi_lseek(fd, 0, SEEK_END), -EBADF);
}

static void its_mapping_shows_the_buffer(void **state)
{
	struct prog p;
	uint64_t handle;
	volatile char *node, *whole, *part;
	int fd = make(&p, SIZE, F_VRAM | F_WRITE, &handle, &node);

	assert_int_equal(uapi_mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0, (void **)&whole), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, fd, SIZE - PAGE, (void **)&part), 0);
	node[0] = 1;
	node[SIZE - 1] = 2;
	assert_int_equal(whole[0], 1);
	assert_int_equal(part[PAGE - 1], 2);
	part[5] = 3;
	assert_int_equal(node[SIZE - PAGE + 5], 3);
	/* The handle is not what it shows. */
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(uapi_mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0, (void **)&whole), 0);
	assert_int_equal(whole[SIZE - PAGE + 5], 3);
}

static void beyond_its_end_nothing_is_mapped(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd = make(&p, SIZE, F_VRAM | F_WRITE, &handle, NULL);
	void *m;

	assert_int_equal(uapi_mmap(NULL, SIZE + PAGE, RW, MAP_SHARED, fd, 0, &m), -EINVAL);
	assert_int_equal(uapi_mmap(NULL, SIZE, RW, MAP_SHARED, fd, PAGE, &m), -EINVAL);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, fd, SIZE, &m), -EINVAL);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, fd, 1ull << 62, &m), -EINVAL);
}

static void a_private_mapping_could_not_be_written(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd = make(&p, SIZE, F_VRAM | F_WRITE, &handle, NULL);
	void *m;

	assert_int_equal(uapi_mmap(NULL, SIZE, RW, MAP_PRIVATE, fd, 0, &m), -EINVAL);
	assert_int_equal(uapi_mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0, &m), -EINVAL);
	assert_int_equal(uapi_mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE, fd, 0, &m), 0);
}

static void what_gpus_only_read_programs_only_read(void **state)
{
	struct prog p;
	uint64_t handle, import = 0;
	int fd = make(&p, SIZE, F_VRAM, &handle, NULL), again;
	void *m;

	assert_int_equal(uapi_mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0, &m), -EACCES);
	/* Before its size is looked at. */
	assert_int_equal(uapi_mmap(NULL, 2 * SIZE, RW, MAP_SHARED, fd, 0, &m), -EACCES);
	assert_int_equal(uapi_mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0, &m), 0);
	assert_int_equal(*(volatile char *)m, 0);
	/* Exported again by one who may write, it is the same dma-buf. */
	assert_int_equal(import_mem(&p, 0, fd, VA(2), &import), 0);
	again = export_mem(&p, import);
	assert_int_equal(uapi_mmap(NULL, SIZE, RW, MAP_SHARED, again, 0, &m), -EACCES);
}

static void doorbells_are_not_mapped_through_it(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd = make(&p, 2 * PAGE, F_DOORBELL | F_WRITE, &handle, NULL);
	void *m;

	assert_int_equal(uapi_mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0, &m), -EPERM);
}

static int map_in_child(int fd)
{
	struct prog p;
	void *m;

	prog_open(&p);
	return uapi_mmap(NULL, SIZE, RW, MAP_SHARED, fd, 0, &m);
}

static void another_process_does_not_have_the_bytes(void **state)
{
	struct prog p;
	uint64_t handle;

	assert_int_equal(uapi_in_child(map_in_child, make(&p, SIZE, F_VRAM | F_WRITE, &handle, NULL)),
			 -EACCES);
}

static int sync_fd(int fd, uint64_t flags)
{
	struct dma_buf_sync args = { flags };

	return uapi_ioctl(fd, DMA_BUF_IOCTL_SYNC, &args);
}

static void sync_takes_a_direction_and_a_time(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd = make(&p, SIZE, F_VRAM | F_WRITE, &handle, NULL);

	assert_int_equal(uapi_ioctl(fd, DMA_BUF_IOCTL_SYNC, NULL), -EFAULT);
	assert_int_equal(sync_fd(fd, 0), -EINVAL);
	assert_int_equal(sync_fd(fd, DMA_BUF_SYNC_END), -EINVAL);
	for (uint64_t flags = 8; flags; flags <<= 1)
		assert_int_equal(sync_fd(fd, DMA_BUF_SYNC_RW | flags), -EINVAL);
	for (uint64_t rw = DMA_BUF_SYNC_READ; rw <= DMA_BUF_SYNC_RW; rw++) {
		assert_int_equal(sync_fd(fd, rw | DMA_BUF_SYNC_START), 0);
		assert_int_equal(sync_fd(fd, rw | DMA_BUF_SYNC_END), 0);
	}
}

static void other_requests_are_not_for_it(void **state)
{
	struct prog p;
	uint64_t handle, block[64] = { 0 };
	int fd = make(&p, SIZE, F_VRAM | F_WRITE, &handle, NULL);

	for (unsigned int nr = 1; nr < 8; nr++)
		assert_int_equal(uapi_ioctl(fd, _IOWR('b', nr, uint64_t), block), -ENOTTY);
	/* The whole word counts. */
	assert_int_equal(uapi_ioctl(fd, _IOWR('b', 0, uint64_t), block), -ENOTTY);
	assert_int_equal(uapi_ioctl(fd, _IOW('b', 0, uint32_t), block), -ENOTTY);
	assert_int_equal(uapi_ioctl(fd, K_GET_VERSION, block), -ENOTTY);
	assert_int_equal(uapi_ioctl(fd, DRM_IOCTL_VERSION, block), -ENOTTY);
}

static void it_is_no_render_node(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd;

	prog_open(&p);
	p.render[0] = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, p.render[0]), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), SIZE, F_VRAM, &handle, NULL), 0);
	fd = export_mem(&p, handle);
	assert_true(fd >= 0);
	assert_int_equal(acquire_vm(&p, 1, fd), -EINVAL);
}

static void copies_of_the_descriptor_keep_it(void **state)
{
	struct prog p;
	uint64_t handle, before, import = 0;
	int fd, copy;

	prog_start(&p);
	before = available(&p, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), SIZE, F_VRAM, &handle, NULL), 0);
	fd = export_mem(&p, handle);
	copy = uapi_dup(fd);
	assert_true(copy >= 0);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(uapi_close(fd), 0);
	assert_int_equal(available(&p, 0), before - SIZE);
	assert_int_equal(uapi_lseek(copy, 0, SEEK_END), SIZE);
	assert_int_equal(import_mem(&p, 0, copy, VA(2), &import), 0);
	assert_int_equal(uapi_close(copy), 0);
	assert_int_equal(available(&p, 0), before - SIZE);
	assert_int_equal(free_mem(&p, import), 0);
	wait_available(&p, 0, before);
}

/* Nobody writes to it or reads it but GPUs that poll() does not wait for. A program that reads or
 * writes it all the same, which the kernel refuses, is not stopped, and does it no harm. */
static void it_polls_as_idle_and_survives_what_it_is_not_for(void **state)
{
	struct pollfd poll_fd = { .events = POLLIN | POLLOUT };
	struct prog p;
	uint64_t handle, import = 0;
	char some[8192] = { 0 };
	int fd;

	if (!uapi_through_shim())
		skip();
	fd = make(&p, SIZE, F_VRAM | F_WRITE, &handle, NULL);
	poll_fd.fd = fd;
	assert_int_equal(poll(&poll_fd, 1, -1), 1);
	assert_int_equal(poll_fd.revents, POLLIN | POLLOUT);
	for (unsigned int i = 0; i < 100; i++)
		assert_true(write(fd, some, i * 80 + 1) > 0);
	assert_true(read(fd, some, sizeof(some)) >= 0);
	assert_int_equal(read(fd, some, sizeof(some)), 0);
	assert_int_equal(uapi_lseek(fd, 0, SEEK_END), SIZE);
	assert_int_equal(import_mem(&p, 0, fd, VA(2), &import), 0);
	/* What was written is dropped in time. */
	poll_fd.events = POLLOUT;
	assert_int_equal(poll(&poll_fd, 1, -1), 1);
	poll_fd.events = POLLIN | POLLOUT;
	assert_int_equal(poll(&poll_fd, 1, -1), 1);
	assert_int_equal(poll_fd.revents, POLLIN | POLLOUT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(its_size_is_where_it_ends),
	cmocka_unit_test(its_mapping_shows_the_buffer),
	cmocka_unit_test(beyond_its_end_nothing_is_mapped),
	cmocka_unit_test(a_private_mapping_could_not_be_written),
	cmocka_unit_test(what_gpus_only_read_programs_only_read),
	cmocka_unit_test(doorbells_are_not_mapped_through_it),
	cmocka_unit_test(another_process_does_not_have_the_bytes),
	cmocka_unit_test(sync_takes_a_direction_and_a_time),
	cmocka_unit_test(other_requests_are_not_for_it),
	cmocka_unit_test(it_is_no_render_node),
	cmocka_unit_test(copies_of_the_descriptor_keep_it),
	cmocka_unit_test(it_polls_as_idle_and_survives_what_it_is_not_for),
};

UAPI_MAIN(tests)
