/* SPDX-License-Identifier: MIT */
#include "host/probe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/support.h"

/* Four pages: readable and writable, read-only, not accessible, not there. */
static unsigned char *pages;
static size_t page;

static int setup(void **state)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	pages = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return -1;
	memset(pages, 0x5a, 4 * page);
	return mprotect(pages + page, page, PROT_READ) |
	       mprotect(pages + 2 * page, page, PROT_NONE) | munmap(pages + 3 * page, page);
}

static int teardown(void **state)
{
	return munmap(pages, 3 * page);
}

static void rights_decide(void **state)
{
	assert_true(host_readable(pages, page));
	assert_true(host_writable(pages, page));
	assert_true(host_readable(pages + page, page));
	assert_false(host_writable(pages + page, page));
	assert_false(host_readable(pages + 2 * page, page));
	assert_false(host_writable(pages + 2 * page, page));
	assert_false(host_readable(pages + 3 * page, page));
	assert_false(host_writable(pages + 3 * page, page));
}

static void every_page_of_a_range_counts(void **state)
{
	assert_true(host_readable(pages, 2 * page));
	assert_false(host_readable(pages, 2 * page + 1));
	assert_false(host_writable(pages, page + 1));
	assert_true(host_readable(pages + page - 1, 2));
	assert_false(host_writable(pages + page - 1, 2));
	assert_true(host_writable(pages + page - 1, 1));
	assert_false(host_readable(pages + 2 * page - 1, 2));
	assert_true(host_readable(pages + 2 * page - 1, 1));
}

static void nothing_is_always_there(void **state)
{
	assert_true(host_readable(NULL, 0));
	assert_true(host_writable(NULL, 0));
	assert_true(host_readable(pages + 3 * page, 0));
}

static void addresses_that_no_program_has_are_not(void **state)
{
	static const uintptr_t bad[] = { 0,
					 8,
					 4096,
					 UINTPTR_MAX,
					 UINTPTR_MAX - 7,
					 (uintptr_t)1 << 47,
					 (uintptr_t)0xffff800000000000 };

	for (size_t i = 0; i < VKF_ARRAY_SIZE(bad); i++) {
		assert_false(host_readable((void *)bad[i], 1));
		assert_false(host_writable((void *)bad[i], 1));
		assert_int_equal(host_user_pages((void *)bad[i], 1), -EFAULT);
		/* Nor ranges that go round. */
		assert_false(host_readable((void *)bad[i], SIZE_MAX));
		assert_false(host_writable((void *)bad[i], SIZE_MAX));
		assert_int_equal(host_user_pages((void *)bad[i], SIZE_MAX), -EFAULT);
	}
	assert_false(host_readable(pages, SIZE_MAX));
	assert_int_equal(host_user_pages(pages, SIZE_MAX), -EFAULT);
}

static void looking_changes_nothing(void **state)
{
	errno = 77;
	for (size_t at = 0; at < page; at += 64) {
		host_readable(pages + at, 8);
		host_writable(pages + at, 8);
		host_user_pages(pages + at, 8);
	}
	host_writable(pages + page, 8);
	host_readable(pages + 3 * page, 8);
	for (size_t i = 0; i < 2 * page; i++)
		assert_int_equal(pages[i], 0x5a);
	assert_int_equal(errno, 77);
}

static atomic_bool stop;

static void *count(void *word)
{
	uint32_t n = 0;

	while (!atomic_load(&stop)) {
		atomic_fetch_add((_Atomic uint32_t *)word, 1);
		n++;
	}
	return (void *)(uintptr_t)n;
}

/* It is rewritten unchanged by one atomic instruction, whoever writes there meanwhile. */
static void no_store_of_others_is_lost(void **state)
{
	_Atomic uint32_t *word = (_Atomic uint32_t *)(void *)pages;
	pthread_t thread;
	void *n;

	atomic_store(word, 0);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, count, word), 0);
	for (int i = 0; i < 20000; i++)
		assert_true(host_writable(pages, 4));
	atomic_store(&stop, true);
	pthread_join(thread, &n);
	assert_int_equal(atomic_load(word), (uint32_t)(uintptr_t)n);
}

static void no_signal_is_blocked_or_sent_by_looking(void **state)
{
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	memset(pages, 0xff, page); /* as a set: every signal */
	assert_true(host_readable(pages, page));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < 32; s++)
		assert_int_equal(sigismember(&before, s), sigismember(&after, s));
	memset(pages, 0x5a, page);
}

static void user_pages_are_all_looked_at_and_none_is_touched(void **state)
{
	unsigned char *p =
		mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char resident[8];

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(host_user_pages(p, 8 * page), 0);
	assert_int_equal(host_user_pages(p + 1, 8 * page - 1), 0);
	assert_int_equal(mincore(p, 8 * page, resident), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(resident[i] & 1, 0);
	/* The first that is not good decides. */
	mprotect(p + 5 * page, page, PROT_READ);
	assert_int_equal(host_user_pages(p, 8 * page), -EPERM);
	assert_int_equal(host_user_pages(p, 5 * page), 0);
	mprotect(p + 3 * page, page, PROT_NONE);
	assert_int_equal(host_user_pages(p, 8 * page), -EFAULT);
	assert_int_equal(host_user_pages(p + 4 * page, 4 * page), -EPERM);
	munmap(p + 4 * page, page);
	assert_int_equal(host_user_pages(p + 4 * page, 4 * page), -EFAULT);
	assert_int_equal(host_user_pages(p + 5 * page, 3 * page), -EPERM);
	assert_int_equal(host_user_pages(p + 6 * page, 2 * page), 0);
	assert_int_equal(host_user_pages(p + 2 * page, page + 1), -EFAULT);
	munmap(p, 8 * page);
	assert_int_equal(host_user_pages(p, page), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(rights_decide),
		T(every_page_of_a_range_counts),
		T(nothing_is_always_there),
		T(addresses_that_no_program_has_are_not),
		T(looking_changes_nothing),
		T(no_store_of_others_is_lost),
		T(no_signal_is_blocked_or_sent_by_looking),
		cmocka_unit_test(user_pages_are_all_looked_at_and_none_is_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
