/* SPDX-License-Identifier: MIT */
/* EXPORT_DMABUF: refusals in their order, and the descriptor */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "kfd_calls.h"

#define SIZE (2 * MIB)

static uint64_t alloc(struct prog *p, uint64_t size, uint32_t flags)
{
	uint64_t handle;

	assert_int_equal(alloc_mem(p, 0, VA(1), size, flags, &handle, NULL), 0);
	return handle;
}

static void a_handle_of_no_gpu_is_invalid(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	handle = alloc(&p, SIZE, F_VRAM | F_WRITE);
	assert_int_equal(export_mem(&p, (uint32_t)handle), -EINVAL);
	assert_int_equal(export_mem(&p, 0x12345ull << 32 | (uint32_t)handle), -EINVAL);
}

static void a_handle_that_is_not_there_is_invalid(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	handle = alloc(&p, SIZE, F_VRAM | F_WRITE);
	assert_int_equal(export_mem(&p, handle + 1), -EINVAL);
	/* Of another GPU. */
	assert_int_equal(export_mem(&p, (uint64_t)p.gpu[1] << 32 | (uint32_t)handle), -EINVAL);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(export_mem(&p, handle), -EINVAL);
}

/* Where others say ENODEV: nothing is done on the GPU. */
static void without_a_vm_there_are_just_no_handles(void **state)
{
	struct prog p;

	prog_open(&p);
	assert_int_equal(export_mem(&p, (uint64_t)p.gpu[0] << 32), -EINVAL);
}

static void user_memory_is_not_exported(void **state)
{
	static char pages[2 * PAGE] __attribute__((aligned(4096)));
	uint64_t handle, offset = (uintptr_t)pages;
	struct prog p;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), sizeof(pages), F_USERPTR | F_WRITE, &handle,
				   &offset), 0);
	assert_int_equal(export_mem(&p, handle), -EPERM);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void every_other_kind_is(void **state)
{
	static const struct {
		uint32_t flags;
		uint64_t size;
	} kinds[] = {
		{ F_VRAM, SIZE }, { F_GTT, SIZE }, { F_DOORBELL, 2 * PAGE }, { F_MMIO, PAGE },
		{ F_VRAM | F_GTT, SIZE }, { F_GTT | F_AQL, SIZE },
	};
	struct prog p;

	prog_start(&p);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t handle = alloc(&p, kinds[i].size, kinds[i].flags | F_WRITE);
		int fd = export_mem(&p, handle);

		assert_true(fd >= 0);
		assert_int_equal(free_mem(&p, handle), 0);
		assert_int_equal(uapi_close(fd), 0);
	}
}

/* Neither in, nor what the file may do: that follows from the buffer. */
static void flags_mean_nothing_but_close_on_exec(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	handle = alloc(&p, SIZE, F_VRAM | F_WRITE);
	for (uint32_t cloexec = 0; cloexec < 2; cloexec++) {
		struct export_dmabuf args = {
			.handle = handle,
			.flags = cloexec ? ~0u : ~(uint32_t)O_CLOEXEC,
		};
		int fd;

		assert_int_equal(uapi_ioctl(p.kfd, K_EXPORT_DMABUF, &args), 0);
		assert_int_equal(args.handle, handle);
		fd = (int)args.dmabuf_fd;
		if (uapi_through_shim())
			assert_int_equal(fcntl(fd, F_GETFD), cloexec ? FD_CLOEXEC : 0);
		assert_int_equal(uapi_close(fd), 0);
	}
}

static void all_exports_of_a_buffer_are_one_dma_buf(void **state)
{
	struct stat a, b, c;
	struct prog p;
	uint64_t handle, import = 0, other;
	int fd[4];

	prog_start(&p);
	handle = alloc(&p, SIZE, F_VRAM | F_WRITE);
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_VRAM, &other, NULL), 0);
	fd[0] = export_mem(&p, handle);
	fd[1] = export_mem(&p, handle);
	assert_int_equal(import_mem(&p, 0, fd[1], VA(3), &import), 0);
	fd[2] = export_mem(&p, import);
	fd[3] = export_mem(&p, other);
	for (int i = 0; i < 4; i++)
		assert_true(fd[i] >= 0 && (!i || fd[i] != fd[i - 1]));
	assert_int_equal(uapi_lseek(fd[2], 0, SEEK_END), SIZE);
	assert_int_equal(uapi_lseek(fd[3], 0, SEEK_END), PAGE);
	if (!uapi_through_shim())
		return;
	assert_int_equal(fstat(fd[0], &a), 0);
	assert_int_equal(fstat(fd[1], &b), 0);
	assert_int_equal(fstat(fd[2], &c), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_ino, c.st_ino);
	assert_int_equal(a.st_size, SIZE);
	assert_int_equal(a.st_blocks, SIZE / 512);
	assert_int_equal(a.st_mode, 0600);
	assert_int_equal(fstat(fd[3], &b), 0);
	assert_int_not_equal(a.st_ino, b.st_ino);
}

/* The very last check, and nothing of the export is left then. */
static void without_a_free_descriptor_nothing_was_exported(void **state)
{
	static int fd[2048];
	struct prog p;
	uint64_t handle, before;
	int n = 0, r;

	prog_start(&p);
	uapi_few_descriptors();
	before = available(&p, 0);
	handle = alloc(&p, SIZE, F_VRAM | F_WRITE);
	while ((r = export_mem(&p, handle)) >= 0 && n < 2048)
		fd[n++] = r;
	assert_int_equal(r, -EMFILE);
	assert_in_range(n, 50, 2000);
	/* What is wrong with the handle is said first. */
	assert_int_equal(export_mem(&p, handle + 1), -EINVAL);
	assert_int_equal(export_mem(&p, handle), -EMFILE);
	/* One is free again, and is what the next one gets. */
	assert_int_equal(uapi_close(fd[7]), 0);
	assert_int_equal(export_mem(&p, handle), fd[7]);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(available(&p, 0), before - SIZE);
	for (int i = 0; i < n; i++)
		assert_int_equal(uapi_close(fd[i]), 0);
	wait_available(&p, 0, before);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_handle_of_no_gpu_is_invalid),
	cmocka_unit_test(a_handle_that_is_not_there_is_invalid),
	cmocka_unit_test(without_a_vm_there_are_just_no_handles),
	cmocka_unit_test(user_memory_is_not_exported),
	cmocka_unit_test(every_other_kind_is),
	cmocka_unit_test(flags_mean_nothing_but_close_on_exec),
	cmocka_unit_test(all_exports_of_a_buffer_are_one_dma_buf),
	cmocka_unit_test(without_a_free_descriptor_nothing_was_exported),
};

UAPI_MAIN(tests)
