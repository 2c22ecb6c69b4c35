/* SPDX-License-Identifier: MIT */
/* Rules that hold for every number, and what is not served. */
#include <errno.h>
#include <string.h>
#include "kfd_calls.h"

#define SIZED(nr, size) _IOC(_IOC_READ | _IOC_WRITE, 'K', nr, size)

static void version_is_1_17(void **state)
{
	struct kfd_ioctl_get_version_args v = { 0 };
	int kfd = uapi_open_kfd();

	assert_true(kfd >= 0);
	assert_int_equal(uapi_ioctl(kfd, K_GET_VERSION, &v), 0);
	assert_int_equal(v.major_version, 1);
	assert_int_equal(v.minor_version, 17);
}

static void number_0_and_numbers_beyond_the_table_are_unknown(void **state)
{
	static const unsigned int numbers[] = { 0x00, 0x27, 0x28, 0x80, 0x81, 0x82, 0x85, 0xff };
	char block[64] = { 0 };
	int kfd = uapi_open_kfd();

	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(uapi_ioctl(kfd, SIZED(numbers[i], 16), block), -ENOTTY);
}

static void only_the_number_selects(void **state)
{
	struct kfd_ioctl_get_version_args v = { 0 };
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, _IOC(_IOC_WRITE, 'x', 0x01, sizeof(v)), &v), 0);
	assert_int_equal(v.minor_version, 17);
}

static void a_short_block_is_extended_and_only_its_bytes_are_written(void **state)
{
	uint32_t v[4] = { 0xaaaaaaaa, 0xbbbbbbbb, 0xcccccccc, 0xdddddddd };
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, SIZED(0x01, 4), v), 0);
	assert_int_equal(v[0], 1);
	assert_int_equal(v[1], 0xbbbbbbbb);
}

static void a_long_block_is_taken_and_its_rest_comes_back(void **state)
{
	struct {
		struct kfd_ioctl_get_clock_counters_args a;
		uint64_t more[4];
	} block = { .more = { 1, 2, 3, 4 } };
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, SIZED(0x05, sizeof(block)), &block), 0);
	assert_int_equal(block.a.system_clock_freq, 1000000000);
	assert_int_equal(block.more[3], 4);
	/* GET_VERSION copies nothing in: what is beyond its own struct reads as zero. */
	assert_int_equal(uapi_ioctl(kfd, SIZED(0x01, sizeof(block)), &block), 0);
	assert_int_equal(block.more[3], 0);
}

static void the_longest_block_is_taken(void **state)
{
	static char block[16384];
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, SIZED(0x05, 16383), block), 0);
	assert_true(((struct kfd_ioctl_get_clock_counters_args *)block)->cpu_clock_counter);
}

static void a_block_nobody_can_read_is_a_fault(void **state)
{
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, K_GET_VERSION, NULL), -EFAULT);
	assert_int_equal(uapi_ioctl(kfd, K_ALLOC, (void *)8), -EFAULT);
	assert_int_equal(uapi_ioctl(kfd, K_GET_CLOCK_COUNTERS, (void *)0x7ffffffff000), -EFAULT);
}

static void the_block_is_written_back_on_failure_too(void **state)
{
	struct prog p;
	struct create_queue args = { .ring_size = 0, .queue_type = 9 };

	prog_open(&p);
	assert_int_not_equal(uapi_ioctl(p.kfd, K_CREATE_QUEUE, &args), 0);
	assert_int_equal(args.ring_size, 1024);
}

/* The handler runs before anybody finds out that it cannot be told. */
static void what_was_done_stays_when_nobody_can_be_told(void **state)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args *args =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t handle;
	struct prog p;

	prog_start(&p);
	*args = (struct kfd_ioctl_alloc_memory_of_gpu_args){
		.va_addr = VA(1), .size = PAGE, .gpu_id = p.gpu[0], .flags = F_VRAM
	};
	mprotect(args, PAGE, PROT_READ);
	assert_int_equal(uapi_ioctl(p.kfd, K_ALLOC, args), -EFAULT);
	assert_int_equal(args->handle, 0);
	/* Number 0 is taken. */
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(handle, (uint64_t)p.gpu[0] << 32 | 1);
	assert_int_equal(free_mem(&p, (uint64_t)p.gpu[0] << 32), 0);
	munmap(args, PAGE);
}

static int version_in_child(int fd)
{
	struct kfd_ioctl_get_version_args v;

	return uapi_ioctl(fd, K_GET_VERSION, &v);
}

static int unknown_in_child(int fd)
{
	char block[64];

	return uapi_ioctl(fd, SIZED(0x80, 16), block);
}

static int reopen_in_child(int fd)
{
	struct kfd_ioctl_get_version_args v;

	return uapi_ioctl(uapi_open_kfd(), K_GET_VERSION, &v);
}

static int inherited_after_own_open(int fd)
{
	struct kfd_ioctl_get_version_args v;

	if (uapi_open_kfd() < 0)
		return -EIO;
	return uapi_ioctl(fd, K_GET_VERSION, &v);
}

static void a_forked_child_must_open_for_itself(void **state)
{
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_in_child(version_in_child, kfd), -EBADF);
	assert_int_equal(uapi_in_child(inherited_after_own_open, kfd), -EBADF);
	assert_int_equal(uapi_in_child(reopen_in_child, kfd), 0);
	assert_int_equal(version_in_child(kfd), 0);
}

static void the_number_is_looked_at_before_the_caller(void **state)
{
	UAPI_SHIM_DIFFERS();
	assert_int_equal(uapi_in_child(unknown_in_child, uapi_open_kfd()), -ENOTTY);
}

static void all_opens_of_a_process_are_one(void **state)
{
	struct prog p;
	int again;
	struct kfd_ioctl_set_event_args args;

	prog_start(&p);
	args.event_id = event(&p, KFD_IOC_EVENT_SIGNAL, false);
	again = uapi_open_kfd();
	assert_true(again >= 0);
	assert_int_equal(uapi_close(p.kfd), 0);
	assert_int_equal(uapi_ioctl(again, K_SET_EVENT, &args), 0);
}

static void the_old_debugger_is_not_permitted(void **state)
{
	char block[64] = { 0 };
	int kfd = uapi_open_kfd();

	for (unsigned int nr = 0x0d; nr <= 0x10; nr++)
		assert_int_equal(uapi_ioctl(kfd, _IOC(_IOC_WRITE, 'K', nr, 16), block), -EPERM);
}

static void checkpointing_needs_rights(void **state)
{
	struct kfd_ioctl_criu_args args = { .op = KFD_CRIU_OP_PROCESS_INFO };
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, K_CRIU, &args), -EACCES);
	/* Before the block is looked at. */
	assert_int_equal(uapi_ioctl(kfd, K_CRIU, NULL), -EACCES);
}

static void svm_checks_its_own_size_and_is_not_there(void **state)
{
	uint64_t block[8] = { 0 }; /* the header, and room for two attributes and more */
	struct kfd_ioctl_svm_args *a = (void *)block;
	unsigned int size = sizeof(*a) + 2 * sizeof(a->attrs[0]);
	int kfd = uapi_open_kfd();

	a->start_addr = 0x10000;
	a->size = 0x1000;
	a->nattr = 2;
	assert_int_equal(uapi_ioctl(kfd, SIZED(0x20, size), block), -EPERM);
	a->nattr = 3;
	assert_int_equal(uapi_ioctl(kfd, SIZED(0x20, size), block), -EINVAL);
	a->nattr = UINT32_MAX;
	assert_int_equal(uapi_ioctl(kfd, SIZED(0x20, size), block), -EINVAL);
	a->nattr = 0;
	assert_int_equal(uapi_ioctl(kfd, K_SVM, block), -EPERM);
}

static void what_is_not_there_answers_as_an_older_kernel(void **state)
{
	char block[64] = { 0 };
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, SIZED(0x25, 16), block), -ENOTTY);
	assert_int_equal(uapi_ioctl(kfd, SIZED(0x26, 32), block), -ENOTTY);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(version_is_1_17),
	cmocka_unit_test(number_0_and_numbers_beyond_the_table_are_unknown),
	cmocka_unit_test(only_the_number_selects),
	cmocka_unit_test(a_short_block_is_extended_and_only_its_bytes_are_written),
	cmocka_unit_test(a_long_block_is_taken_and_its_rest_comes_back),
	cmocka_unit_test(the_longest_block_is_taken),
	cmocka_unit_test(a_block_nobody_can_read_is_a_fault),
	cmocka_unit_test(the_block_is_written_back_on_failure_too),
	cmocka_unit_test(what_was_done_stays_when_nobody_can_be_told),
	cmocka_unit_test(a_forked_child_must_open_for_itself),
	cmocka_unit_test(the_number_is_looked_at_before_the_caller),
	cmocka_unit_test(all_opens_of_a_process_are_one),
	cmocka_unit_test(the_old_debugger_is_not_permitted),
	cmocka_unit_test(checkpointing_needs_rights),
	cmocka_unit_test(svm_checks_its_own_size_and_is_not_there),
	cmocka_unit_test(what_is_not_there_answers_as_an_older_kernel),
};

UAPI_MAIN(tests)
