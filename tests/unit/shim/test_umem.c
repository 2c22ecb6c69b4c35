/* SPDX-License-Identifier: MIT */
/* umem.c and vma.c as they are, in this process: nothing is preloaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "shim/umem.h"
#include "shim/vma.h"

#define PAGE  4096ul
#define PAGES 16
#define RW    (PROT_READ | PROT_WRITE)

static const struct umem_device no_device;
static unsigned char *pages;

static int setup(void **state)
{
	pages = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return pages == MAP_FAILED;
}

static int teardown(void **state)
{
	return munmap(pages, PAGES * PAGE);
}

static int ask(unsigned int first, unsigned int n, uint64_t *ret_good)
{
	uint64_t at = (uintptr_t)pages + first * PAGE;

	return umem_pages(at, at + n * PAGE, &no_device, ret_good);
}

static void a_range_is_good_as_a_whole_and_not_touched(void **state)
{
	unsigned char resident[PAGES];
	uint64_t good = 1;

	assert_int_equal(ask(0, PAGES, &good), 0);
	assert_int_equal(good, PAGES * PAGE);
	/* Of many areas, too. */
	for (unsigned int i = 0; i < PAGES; i += 2)
		mprotect(pages + i * PAGE, PAGE, RW | PROT_EXEC);
	assert_int_equal(ask(1, PAGES - 2, &good), 0);
	assert_int_equal(good, (PAGES - 2) * PAGE);
	assert_int_equal(mincore(pages, PAGES * PAGE, resident), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_int_equal(resident[i] & 1, 0);
}

static void the_first_bad_page_decides(void **state)
{
	static const struct {
		int prot, error;
	} bad[] = { { PROT_READ, -EPERM },
		    { PROT_READ | PROT_EXEC, -EPERM },
		    { PROT_NONE, -EFAULT },
		    { PROT_EXEC, -EFAULT } };
	uint64_t good;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mprotect(pages + 7 * PAGE, PAGE, bad[i].prot);
		assert_int_equal(ask(0, PAGES, &good), bad[i].error);
		assert_int_equal(good, 7 * PAGE);
		assert_int_equal(ask(7, 1, &good), bad[i].error);
		assert_int_equal(good, 0);
		assert_int_equal(ask(0, 7, &good), 0);
		assert_int_equal(ask(8, PAGES - 8, &good), 0);
	}
	mprotect(pages + 7 * PAGE, PAGE, PROT_READ);
	munmap(pages + 3 * PAGE, PAGE);
	assert_int_equal(ask(0, PAGES, &good), -EFAULT);
	assert_int_equal(good, 3 * PAGE);
	assert_int_equal(ask(4, PAGES - 4, &good), -EPERM);
	assert_int_equal(good, 3 * PAGE);
}

static void beyond_the_last_area_there_is_nothing(void **state)
{
	uint64_t good;

	assert_int_equal(umem_pages(0x7fffffffe000, 0x7ffffffff000, &no_device, &good), -EFAULT);
	assert_int_equal(good, 0);
	assert_int_equal(
		umem_pages(UINT64_C(1) << 60, (UINT64_C(1) << 60) + PAGE, &no_device, &good),
		-EFAULT);
}

static void what_maps_a_device_is_not_memory(void **state)
{
	int fd = memfd_create("device", 0);
	struct umem_device dev;
	uint64_t good, first = (uintptr_t)pages;
	struct stat st;

	assert_int_equal(ftruncate(fd, 4 * PAGE), 0);
	assert_int_equal(fstat(fd, &st), 0);
	dev = (struct umem_device){ major(st.st_dev), minor(st.st_dev), st.st_ino };
	assert_ptr_equal(mmap(pages + 4 * PAGE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0),
			 pages + 4 * PAGE);
	assert_int_equal(umem_pages(first, first + PAGES * PAGE, &dev, &good), -EFAULT);
	assert_int_equal(good, 4 * PAGE);
	dev.inode++;
	assert_int_equal(umem_pages(first, first + PAGES * PAGE, &dev, &good), 0);
	close(fd);
}

/* No descriptor is to be had, as where there is no /proc. */
static void without_proc_holes_and_ends_are_found(void **state)
{
	struct rlimit old, none;
	uint64_t good;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ 0, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(ask(0, PAGES, &good), 0);
	assert_int_equal(good, PAGES * PAGE);
	mprotect(pages + 15 * PAGE, PAGE, PROT_READ);
	assert_int_equal(ask(0, PAGES, &good), -EPERM);
	assert_int_equal(good, 15 * PAGE);
	mprotect(pages, PAGE, PROT_NONE);
	assert_int_equal(ask(0, PAGES, &good), -EFAULT);
	assert_int_equal(good, 0);
	for (unsigned int hole = 14; hole > 1; hole--) {
		munmap(pages + hole * PAGE, PAGE);
		assert_int_equal(ask(1, PAGES - 1, &good), -EFAULT);
		assert_int_equal(good, (hole - 1) * PAGE);
		assert_int_equal(ask(1, hole - 1, &good), 0);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* Every area of this process, read in both ways. */
static void the_text_says_what_the_query_says(void **state)
{
	struct vma_reader by_query, by_text;
	struct vma q, t;
	uint64_t at = 0;
	unsigned int n = 0;
	int r;

	mprotect(pages + PAGE, PAGE, PROT_READ);
	mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
	assert_int_equal(vma_open(&by_query, false), 0);
	assert_int_equal(vma_open(&by_text, true), 0);
	do {
		r = vma_find(&by_query, at, &q);
		assert_int_equal(vma_find(&by_text, at, &t), r);
		if (r)
			break;
		assert_int_equal(q.start, t.start);
		assert_int_equal(q.end, t.end);
		assert_int_equal(q.readable, t.readable);
		assert_int_equal(q.writable, t.writable);
		assert_int_equal(q.major, t.major);
		assert_int_equal(q.minor, t.minor);
		assert_int_equal(q.inode, t.inode);
		at = t.end;
		n++;
	} while (at < UINT64_C(0x7ffffffff000));
	assert_in_range(n, 10, 10000);
	vma_close(&by_query);
	vma_close(&by_text);
}

static void an_area_is_found_from_any_address_below_its_end(void **state)
{
	for (int as_text = 0; as_text < 2; as_text++) {
		uint64_t first = (uintptr_t)pages;
		struct vma_reader r;
		struct vma v;

		munmap(pages + 3 * PAGE, PAGE);
		assert_int_equal(vma_open(&r, as_text), 0);
		assert_int_equal(vma_find(&r, first + PAGE, &v), 0);
		assert_in_range(v.start, 1, first + PAGE);
		assert_int_equal(v.end, first + 3 * PAGE);
		assert_int_equal(vma_find(&r, first + 2 * PAGE, &v), 0);
		assert_int_equal(v.end, first + 3 * PAGE);
		assert_int_equal(vma_find(&r, first + 3 * PAGE, &v), 0);
		assert_int_equal(v.start, first + 4 * PAGE);
		vma_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_range_is_good_as_a_whole_and_not_touched),
		T(the_first_bad_page_decides),
		T(beyond_the_last_area_there_is_nothing),
		T(what_maps_a_device_is_not_memory),
		T(without_proc_holes_and_ends_are_found),
		T(the_text_says_what_the_query_says),
		T(an_area_is_found_from_any_address_below_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
