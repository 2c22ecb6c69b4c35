/* SPDX-License-Identifier: MIT */
/* GET_DMABUF_INFO */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "kfd_calls.h"

#define RW (PROT_READ | PROT_WRITE)
#define SIZE (2 * MIB)

typedef struct kfd_ioctl_get_dmabuf_info_args info_args;

static uint64_t alloc(struct prog *p, unsigned int gpu, uint64_t size, uint32_t flags,
		      uint64_t *offset)
{
	uint64_t handle;

	assert_int_equal(alloc_mem(p, gpu, VA(1), size, flags, &handle, offset), 0);
	return handle;
}

static int info(struct prog *p, int fd, info_args *args)
{
	args->dmabuf_fd = (uint32_t)fd;
	return uapi_ioctl(p->kfd, K_GET_DMABUF_INFO, args);
}

static uint32_t flags_of(struct prog *p, int fd)
{
	info_args args = { 0 };

	assert_int_equal(info(p, fd, &args), 0);
	return args.flags;
}

/* Refused with @err, and nothing is written back. */
static void expect(struct prog *p, int fd, int err)
{
	info_args args, before;

	memset(&args, 0x5a, sizeof(args));
	args.metadata_ptr = 0;
	before = args;
	before.dmabuf_fd = (uint32_t)fd;
	assert_int_equal(info(p, fd, &args), err);
	assert_memory_equal(&args, &before, sizeof(args));
}

static void too_much_metadata_is_no_memory_whatever_the_descriptor(void **state)
{
	char place[16];
	info_args args = { .metadata_ptr = (uintptr_t)place, .metadata_size = (4u << 20) + 1 };
	struct prog p;

	prog_start(&p);
	assert_int_equal(info(&p, -1, &args), -ENOMEM);
	args.metadata_size = UINT32_MAX;
	assert_int_equal(info(&p, -1, &args), -ENOMEM);
	args.metadata_size = 4u << 20;
	assert_int_equal(info(&p, -1, &args), -EBADF);
	/* Without a place it may be any size. */
	args.metadata_ptr = 0;
	args.metadata_size = UINT32_MAX;
	assert_int_equal(info(&p, -1, &args), -EBADF);
}

static void a_descriptor_must_be_open(void **state)
{
	struct prog p;
	int fd;

	prog_start(&p);
	expect(&p, -1, -EBADF);
	expect(&p, 1000000, -EBADF);
	fd = export_mem(&p, alloc(&p, 0, SIZE, F_VRAM, NULL));
	assert_int_equal(uapi_close(fd), 0);
	expect(&p, fd, -EBADF);
}

static void a_descriptor_must_be_a_dma_buf(void **state)
{
	struct prog p;
	int pipe_fd[2];

	prog_start(&p);
	expect(&p, p.kfd, -EINVAL);
	expect(&p, p.render[1], -EINVAL);
	if (!uapi_through_shim())
		return;
	assert_int_equal(pipe(pipe_fd), 0);
	expect(&p, pipe_fd[0], -EINVAL);
}

static void tells_size_and_gpu(void **state)
{
	struct prog p;
	info_args args = { 0 };

	prog_start(&p);
	for (unsigned int gpu = 0; gpu < 2; gpu++) {
		uint64_t handle = alloc(&p, gpu, SIZE + 5, F_VRAM | F_WRITE, NULL);
		int fd = export_mem(&p, handle);

		assert_int_equal(info(&p, fd, &args), 0);
		assert_int_equal(args.size, SIZE + PAGE);
		assert_int_equal(args.gpu_id, p.gpu[gpu]);
		assert_int_equal(args.dmabuf_fd, fd);
		/* Whether the buffer has a handle makes no difference. */
		memset(&args, 0, sizeof(args));
		assert_int_equal(free_mem(&p, handle), 0);
		assert_int_equal(info(&p, fd, &args), 0);
		assert_int_equal(args.size, SIZE + PAGE);
	}
}

static void tells_where_it_belongs(void **state)
{
	static const struct {
		uint32_t flags, want;
		uint64_t size;
	} kinds[] = {
		{ F_VRAM, F_VRAM, SIZE },
		{ F_VRAM | F_WRITE | F_EXEC | F_COHERENT, F_VRAM, SIZE },
		{ F_VRAM | F_GTT, F_VRAM, SIZE },
		{ F_GTT | F_WRITE, F_GTT, SIZE },
		{ F_DOORBELL, F_GTT, 2 * PAGE },
		{ F_MMIO, F_GTT, PAGE },
		/* A hint for the first place only. */
		{ F_VRAM | F_PUBLIC, F_VRAM, SIZE },
		{ F_GTT | F_PUBLIC, F_GTT, SIZE },
	};
	struct prog p;

	prog_start(&p);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t handle = alloc(&p, 0, kinds[i].size, kinds[i].flags, NULL);

		assert_int_equal(flags_of(&p, export_mem(&p, handle)), kinds[i].want);
		assert_int_equal(free_mem(&p, handle), 0);
	}
}

static void public_is_what_the_cpu_has_seen(void **state)
{
	static const uint32_t kinds[] = { F_VRAM, F_GTT };
	struct prog p;
	void *m;

	prog_start(&p);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t offset = 0, handle = alloc(&p, 0, SIZE, kinds[i] | F_WRITE, &offset);
		int fd = export_mem(&p, handle);

		assert_int_equal(uapi_mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE, p.render[0], offset,
					   &m), 0);
		assert_int_equal(flags_of(&p, fd), kinds[i]);
		assert_int_equal(uapi_mmap(NULL, SIZE, RW, MAP_SHARED, p.render[0], offset, &m), 0);
		*(volatile char *)m = 1;
		assert_int_equal(flags_of(&p, fd), kinds[i] | F_PUBLIC);
	}
}

static void public_is_what_a_peer_reaches_through_the_bar(void **state)
{
	struct prog p;
	uint64_t vram, gtt;
	int fd;

	prog_start(&p);
	vram = alloc(&p, 0, SIZE, F_VRAM | F_WRITE, NULL);
	fd = export_mem(&p, vram);
	assert_int_equal(map_one(&p, vram, 0), 0);
	assert_int_equal(flags_of(&p, fd), F_VRAM);
	assert_int_equal(map_one(&p, vram, 1), 0);
	assert_int_equal(flags_of(&p, fd), F_VRAM | F_PUBLIC);
	assert_int_equal(alloc_mem(&p, 0, VA(3), SIZE, F_GTT, &gtt, NULL), 0);
	fd = export_mem(&p, gtt);
	assert_int_equal(map_one(&p, gtt, 1), 0);
	assert_int_equal(flags_of(&p, fd), F_GTT);
}

static void a_peer_of_the_hive_does_not(void **state)
{
	struct prog p;
	uint64_t vram;
	int fd;

	UAPI_NEED_MACHINE("mi250x");
	prog_start(&p);
	vram = alloc(&p, 0, SIZE, F_VRAM | F_WRITE, NULL);
	fd = export_mem(&p, vram);
	assert_int_equal(map_one(&p, vram, 1), 0);
	assert_int_equal(flags_of(&p, fd), F_VRAM);
}

static void there_is_never_metadata(void **state)
{
	char place[64];
	info_args args = { .metadata_size = 64 };
	struct prog p;
	int fd;

	prog_start(&p);
	memset(place, 0x77, sizeof(place));
	fd = export_mem(&p, alloc(&p, 0, SIZE, F_VRAM, NULL));
	/* Its size is said only to who has a place for it. */
	assert_int_equal(info(&p, fd, &args), 0);
	assert_int_equal(args.metadata_size, 64);
	args.metadata_ptr = (uintptr_t)place;
	assert_int_equal(info(&p, fd, &args), 0);
	assert_int_equal(args.metadata_size, 0);
	assert_int_equal(place[0], 0x77);
	/* No byte is written, so no place is a bad one. */
	args.metadata_size = 64;
	args.metadata_ptr = 16;
	assert_int_equal(info(&p, fd, &args), 0);
	assert_int_equal(args.metadata_size, 0);
}

static int info_in_child(int fd)
{
	struct prog p;
	info_args args = { 0 };
	int r;

	prog_open(&p);
	r = info(&p, fd, &args);
	if (r)
		return r;
	return args.size == SIZE && args.gpu_id == p.gpu[1] && args.flags == F_VRAM ? 0 : -EXDEV;
}

static void another_process_may_ask_too(void **state)
{
	struct prog p;
	int fd;

	prog_start(&p);
	fd = export_mem(&p, alloc(&p, 1, SIZE, F_VRAM, NULL));
	assert_int_equal(uapi_in_child(info_in_child, fd), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(too_much_metadata_is_no_memory_whatever_the_descriptor),
	cmocka_unit_test(a_descriptor_must_be_open),
	cmocka_unit_test(a_descriptor_must_be_a_dma_buf),
	cmocka_unit_test(tells_size_and_gpu),
	cmocka_unit_test(tells_where_it_belongs),
	cmocka_unit_test(public_is_what_the_cpu_has_seen),
	cmocka_unit_test(public_is_what_a_peer_reaches_through_the_bar),
	cmocka_unit_test(a_peer_of_the_hive_does_not),
	cmocka_unit_test(there_is_never_metadata),
	cmocka_unit_test(another_process_may_ask_too),
};

UAPI_MAIN(tests)
