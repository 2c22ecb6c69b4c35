/* SPDX-License-Identifier: MIT */
#include "host/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/support.h"

static struct host_region make(uint64_t size, unsigned int flags, bool map_it)
{
	struct host_region r;

	assert_int_equal(host_region_create("test", size, flags, map_it, &r), 0);
	return r;
}

static uint64_t bytes_used(const struct host_region *r)
{
	struct stat st;

	assert_int_equal(fstat(r->fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void a_huge_region_costs_nothing_until_it_is_touched(void **state)
{
	struct host_region r = make(VKF_GIB(256), 0, true);
	char *p = r.base;

	assert_int_equal(bytes_used(&r), 0);
	assert_int_equal(p[VKF_GIB(100)], 0);
	p[VKF_GIB(200)] = 1;
	assert_true(bytes_used(&r) > 0 && bytes_used(&r) <= VKF_MIB(4));
	assert_true(VKF_IS_ALIGNED((uintptr_t)r.base, VKF_HUGE_SIZE));
	host_region_destroy(&r);
	assert_int_equal(r.fd, -1);
	assert_null(r.base);
	host_region_destroy(&r);
}

static void size_is_rounded_up_and_fd_is_close_on_exec(void **state)
{
	struct host_region r = make(1, 0, false);

	assert_int_equal(r.size, VKF_PAGE_SIZE);
	assert_null(r.base);
	assert_true(fcntl(r.fd, F_GETFD) & FD_CLOEXEC);
	host_region_destroy(&r);
}

static void senseless_requests_are_refused(void **state)
{
	struct host_region r = { .fd = 4711 };

	assert_int_equal(host_region_create("t", 0, 0, true, &r), -EINVAL);
	assert_int_equal(host_region_create("t", UINT64_MAX, 0, true, &r), -EINVAL);
	assert_int_equal(host_region_create("t", 4096, 0x80, true, &r), -EINVAL);
	assert_int_equal(r.fd, 4711);
}

static void what_the_kernel_refuses_leaks_no_fd(void **state)
{
	struct host_region r = { .fd = 4711 };
	struct rlimit was, tight;
	int before = dup(0), after;

	close(before);
	/* More address space than there is. */
	assert_int_equal(host_region_create("t", INT64_MAX - VKF_MIB(4), 0, true, &r), -ENOMEM);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	tight = was;
	tight.rlim_cur = before;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(host_region_create("t", 4096, 0, true, &r), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	after = dup(0);
	assert_int_equal(after, before);
	close(after);
	assert_int_equal(r.fd, 4711);
}

static void nobody_can_resize_it_or_add_seals(void **state)
{
	struct host_region r = make(8192, 0, true);

	assert_int_equal(ftruncate(r.fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(r.fd, 16384), -1);
	assert_int_equal(fcntl(r.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(host_region_seal_future_write(&r), -EPERM);
	host_region_destroy(&r);
}

static void a_punched_hole_reads_zero_and_frees_memory(void **state)
{
	struct host_region r = make(VKF_MIB(4), 0, true);
	char *p = r.base;
	uint64_t full;

	memset(p, 0x5a, r.size);
	full = bytes_used(&r);
	assert_int_equal(host_region_punch(&r, 4096, 8192), 0);
	assert_int_equal(p[4095], 0x5a);
	assert_int_equal(p[4096], 0);
	assert_int_equal(p[4096 + 8191], 0);
	assert_int_equal(p[4096 + 8192], 0x5a);
	/* Less than a huge page may stay for now, where the host uses such. */
	assert_int_equal(host_region_punch(&r, VKF_MIB(2), VKF_MIB(2)), 0);
	assert_true(bytes_used(&r) < full);
	assert_int_equal(p[VKF_MIB(2)], 0);
	assert_int_equal(host_region_punch(&r, 0, r.size), 0);
	assert_int_equal(bytes_used(&r), 0);
	host_region_destroy(&r);
}

static void a_hole_takes_the_only_page_of_its_range_wherever_it_lies(void **state)
{
	struct host_region r = make(VKF_MIB(6), 0, true);
	char *p = r.base;

	(void)state;
	for (unsigned int page = 0; page < 512; page += 73) {
		p[VKF_MIB(2) - 1] = p[VKF_MIB(4)] = 1;
		p[VKF_MIB(2) + page * 4096] = 2;
		assert_int_equal(host_region_punch(&r, VKF_MIB(2), VKF_MIB(2)), 0);
		assert_int_equal(p[VKF_MIB(2) + page * 4096], 0);
		assert_int_equal(p[VKF_MIB(2) - 1], 1);
		assert_int_equal(p[VKF_MIB(4)], 1);
	}
	/* Nothing there, with something behind, and with nothing. */
	assert_int_equal(host_region_punch(&r, VKF_MIB(2), VKF_MIB(2)), 0);
	assert_int_equal(p[VKF_MIB(4)], 1);
	assert_int_equal(host_region_punch(&r, VKF_MIB(4), VKF_MIB(2)), 0);
	assert_int_equal(host_region_punch(&r, VKF_MIB(4), VKF_MIB(2)), 0);
	assert_int_equal(p[VKF_MIB(4)], 0);
	host_region_destroy(&r);
}

static void holes_must_be_whole_pages_inside(void **state)
{
	struct host_region r = make(16384, 0, true);

	assert_int_equal(host_region_punch(&r, 1, 4096), -EINVAL);
	assert_int_equal(host_region_punch(&r, 0, 100), -EINVAL);
	assert_int_equal(host_region_punch(&r, 0, 20480), -EINVAL);
	assert_int_equal(host_region_punch(&r, 20480, 0), -EINVAL);
	assert_int_equal(host_region_punch(&r, 8192, UINT64_MAX - 4095), -EINVAL);
	assert_int_equal(host_region_punch(&r, 16384, 0), 0);
	host_region_destroy(&r);
}

static void after_the_seal_only_old_mappings_write(void **state)
{
	struct host_region r = make(8192, HOST_REGION_OPEN_SEALS, true);
	char *p = r.base, *client;

	assert_int_equal(host_region_seal_future_write(&r), 0);
	assert_true(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0) == MAP_FAILED);
	assert_int_equal(errno, EPERM);
	client = mmap(NULL, 8192, PROT_READ, MAP_SHARED, r.fd, 0);
	assert_true(client != MAP_FAILED);
	p[5000] = 42;
	assert_int_equal(client[5000], 42);
	assert_int_equal(mprotect(client, 8192, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(pwrite(r.fd, "x", 1, 0), -1);
	assert_int_equal(host_region_seal_future_write(&r), -EPERM);

	/* A hole is refused by the kernel, so the owner's bytes are cleared instead. */
	p[100] = 7;
	assert_int_equal(host_region_punch(&r, 4096, 4096), 0);
	assert_int_equal(client[5000], 0);
	assert_int_equal(client[100], 7);
	munmap(client, 8192);
	host_region_destroy(&r);
}

static void a_sealed_region_that_is_not_mapped_cannot_be_punched(void **state)
{
	struct host_region r = make(8192, HOST_REGION_OPEN_SEALS, false);

	assert_int_equal(pwrite(r.fd, "x", 1, 0), 1);
	assert_int_equal(host_region_seal_future_write(&r), 0);
	assert_int_equal(host_region_punch(&r, 0, 4096), -EPERM);
	/* Where there is nothing, there is nothing to refuse. */
	assert_int_equal(host_region_punch(&r, 4096, 4096), 0);
	host_region_destroy(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_huge_region_costs_nothing_until_it_is_touched),
		cmocka_unit_test(size_is_rounded_up_and_fd_is_close_on_exec),
		cmocka_unit_test(senseless_requests_are_refused),
		cmocka_unit_test(what_the_kernel_refuses_leaks_no_fd),
		cmocka_unit_test(nobody_can_resize_it_or_add_seals),
		cmocka_unit_test(a_punched_hole_reads_zero_and_frees_memory),
		cmocka_unit_test(a_hole_takes_the_only_page_of_its_range_wherever_it_lies),
		cmocka_unit_test(holes_must_be_whole_pages_inside),
		cmocka_unit_test(after_the_seal_only_old_mappings_write),
		cmocka_unit_test(a_sealed_region_that_is_not_mapped_cannot_be_punched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
