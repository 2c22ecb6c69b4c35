/* SPDX-License-Identifier: MIT */
/* User pages that have changed when a queue comes to them. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user_buffer.h"

#define PAGES 16

static void begin(struct user_buffer *u)
{
	ub_begin(u, ub_memory(PAGES * PAGE), PAGES * PAGE);
}

static uint64_t page_va(const struct user_buffer *u, unsigned int n)
{
	return (uintptr_t)u->mem + n * PAGE;
}

/* Write @v to the page @n by the GPU. */
static void gpu_write(struct user_buffer *u, unsigned int n, uint32_t v)
{
	ub_store(u, page_va(u, n), v);
}

static uint32_t word(const struct user_buffer *u, unsigned int n)
{
	return *(volatile uint32_t *)(u->mem + n * PAGE);
}

/* ------------------------------------------------ pages that are gone */

static void a_page_that_stays_away_is_a_fault_after_one_retry(void **state)
{
	struct user_buffer u;

	/* In libvkfd the hardware cannot survive it. */
	if (!uapi_through_shim())
		skip();
	begin(&u);
	gpu_write(&u, 3, 1);
	ub_wait(&u);
	assert_int_equal(munmap(u.mem + 4 * PAGE, PAGE), 0);
	gpu_write(&u, 4, 2);
	ub_expect_fault(&u, page_va(&u, 4));
}

static void a_page_that_is_gone_cannot_be_read(void **state)
{
	struct user_buffer u;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	assert_int_equal(munmap(u.mem + 4 * PAGE, PAGE), 0);
	ub_copy(&u, page_va(&u, 8), page_va(&u, 2), 4 * PAGE);
	ub_expect_fault(&u, page_va(&u, 4));
	assert_int_equal(word(&u, 12), 0x11111111);
}

/* The buffer outlives its memory, and ends as any other. */
static void a_buffer_without_any_memory_can_be_freed(void **state)
{
	struct user_buffer u;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	assert_int_equal(munmap(u.mem, PAGES * PAGE), 0);
	gpu_write(&u, 0, 2);
	ub_expect_fault(&u, page_va(&u, 0));
	assert_int_equal(free_mem(&u.p, u.handle), -EBUSY);
	assert_int_equal(unmap_one(&u.p, u.handle, 0), 0);
	assert_int_equal(free_mem(&u.p, u.handle), 0);
}

static void a_page_that_must_not_be_written_any_more_is_none(void **state)
{
	struct user_buffer u;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	assert_int_equal(mprotect(u.mem + 4 * PAGE, PAGE, PROT_READ), 0);
	gpu_write(&u, 4, 2);
	ub_expect_fault(&u, page_va(&u, 4));
	assert_int_equal(word(&u, 4), 0x11111111);
}

static void a_page_without_any_access_is_none(void **state)
{
	struct user_buffer u;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	assert_int_equal(mprotect(u.mem + 4 * PAGE, PAGE, PROT_NONE), 0);
	ub_copy(&u, page_va(&u, 8), page_va(&u, 4), 4);
	ub_expect_fault(&u, page_va(&u, 4));
	assert_int_equal(word(&u, 8), 0x11111111);
}

static void what_is_moved_away_is_not_followed(void **state)
{
	struct user_buffer u;
	unsigned char *to;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	to = mremap(u.mem + 8 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	assert_ptr_not_equal(to, MAP_FAILED);
	gpu_write(&u, 8, 2);
	ub_expect_fault(&u, page_va(&u, 8));
	assert_int_equal(*(uint32_t *)to, 0x11111111);
}

static void what_a_file_has_no_more_is_gone(void **state)
{
	int fd = memfd_create("user", MFD_CLOEXEC);
	struct user_buffer u;
	unsigned char *mem;

	if (!uapi_through_shim())
		skip();
	assert_int_equal(ftruncate(fd, PAGES * PAGE), 0);
	mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mem, MAP_FAILED);
	ub_begin(&u, mem, PAGES * PAGE);
	gpu_write(&u, 9, 1);
	ub_wait(&u);
	assert_int_equal(ftruncate(fd, 8 * PAGE), 0);
	gpu_write(&u, 9, 2);
	ub_expect_fault(&u, page_va(&u, 9));
}

/* ------------------------------------------------ other pages at the same place */

static void new_pages_at_the_old_place_are_used(void **state)
{
	struct user_buffer u;

	begin(&u);
	gpu_write(&u, 3, 1);
	ub_wait(&u);
	assert_ptr_equal(mmap(u.mem + 2 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 u.mem + 2 * PAGE);
	assert_int_equal(word(&u, 3), 0);
	gpu_write(&u, 3, 7);
	ub_wait(&u);
	assert_int_equal(word(&u, 3), 7);
	assert_int_equal(word(&u, 4), 0);
}

static void what_is_moved_there_is_used(void **state)
{
	struct user_buffer u;
	unsigned char *other = ub_memory(PAGE);

	begin(&u);
	*(uint32_t *)(other + 8) = 0x77;
	assert_ptr_equal(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, u.mem + 3 * PAGE),
			 u.mem + 3 * PAGE);
	ub_copy(&u, page_va(&u, 6), page_va(&u, 3) + 8, 4);
	gpu_write(&u, 3, 5);
	ub_wait(&u);
	assert_int_equal(word(&u, 6), 0x77);
	assert_int_equal(word(&u, 3), 5);
}

static void pages_that_are_given_back_come_as_zeros(void **state)
{
	struct user_buffer u;

	begin(&u);
	assert_int_equal(madvise(u.mem + 2 * PAGE, 4 * PAGE, MADV_DONTNEED), 0);
	ub_store(&u, page_va(&u, 3) + 8, 9);
	gpu_write(&u, 6, 1);
	ub_wait(&u);
	assert_int_equal(word(&u, 3), 0);
	assert_int_equal(*(uint32_t *)(u.mem + 3 * PAGE + 8), 9);
	assert_int_equal(word(&u, 6), 1);
}

/* The kernel may take them while nobody has written; the GPU's write is one. */
static void a_page_that_may_be_taken_is_kept_when_the_gpu_writes(void **state)
{
	struct user_buffer u;

	begin(&u);
	assert_int_equal(madvise(u.mem + 2 * PAGE, 4 * PAGE, MADV_FREE), 0);
	gpu_write(&u, 3, 9);
	ub_wait(&u);
#ifdef MADV_PAGEOUT
	/* Take them now; those that were written go to swap, or stay. */
	(void)madvise(u.mem + 2 * PAGE, 4 * PAGE, MADV_PAGEOUT);
#endif
	assert_int_equal(word(&u, 3), 9);
	assert_true(word(&u, 2) == 0x11111111 || word(&u, 2) == 0);
}

static void a_hole_in_a_shared_file_comes_as_zeros(void **state)
{
	int fd = memfd_create("user", MFD_CLOEXEC);
	struct user_buffer u;
	unsigned char *mem;

	assert_int_equal(ftruncate(fd, PAGES * PAGE), 0);
	mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mem, MAP_FAILED);
	memset(mem, 0x11, PAGES * PAGE);
	ub_begin(&u, mem, PAGES * PAGE);
	gpu_write(&u, 3, 1);
	ub_wait(&u);
	assert_int_equal(madvise(u.mem + 2 * PAGE, 4 * PAGE, MADV_REMOVE), 0);
	ub_copy(&u, page_va(&u, 8), page_va(&u, 3), 4);
	ub_store(&u, page_va(&u, 4) + 8, 6);
	ub_wait(&u);
	assert_int_equal(word(&u, 8), 0);
	assert_int_equal(*(uint32_t *)(u.mem + 4 * PAGE + 8), 6);
	/* It is the file's page that was written, not another one. */
	assert_int_equal(munmap(u.mem + 4 * PAGE, PAGE), 0);
	assert_ptr_equal(mmap(u.mem + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, 4 * PAGE),
			 u.mem + 4 * PAGE);
	assert_int_equal(*(uint32_t *)(u.mem + 4 * PAGE + 8), 6);
	close(fd);
}

/* ------------------------------------------------ what may be done with them */

static void a_page_that_may_be_written_again_is_one(void **state)
{
	struct user_buffer u;

	begin(&u);
	assert_int_equal(mprotect(u.mem, PAGES * PAGE, PROT_NONE), 0);
	assert_int_equal(mprotect(u.mem, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
	gpu_write(&u, 4, 2);
	ub_wait(&u);
	assert_int_equal(word(&u, 4), 2);
	assert_int_equal(word(&u, 5), 0x11111111);
}

static void pages_that_may_only_be_read_are_read(void **state)
{
	struct user_buffer u;

	begin(&u);
	assert_int_equal(mprotect(u.mem + 4 * PAGE, 4 * PAGE, PROT_READ), 0);
	*(uint32_t *)(u.mem + 9 * PAGE) = 0;
	ub_copy(&u, page_va(&u, 8), page_va(&u, 4), 4 * PAGE);
	ub_wait(&u);
	assert_int_equal(word(&u, 9), 0x11111111);
	ub_expect_no_fault(&u);
}

/* ------------------------------------------------ fork */

/* Whoever writes first gets the copy: the GPU's page stays the parent's. */
static void a_fork_leaves_the_parent_its_pages(void **state)
{
	struct user_buffer u;
	int go[2], status;
	char c = 0;
	pid_t pid;

	begin(&u);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		(void)!read(go[0], &c, 1);
		_exit(word(&u, 3) == 0x11111111 ? 0 : 1);
	}
	gpu_write(&u, 3, 5);
	ub_wait(&u);
	assert_int_equal(word(&u, 3), 5);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* And what the parent writes after that, the GPU's writes do not undo. */
	*(volatile uint32_t *)(u.mem + 5 * PAGE) = 77;
	gpu_write(&u, 6, 6);
	ub_wait(&u);
	assert_int_equal(word(&u, 5), 77);
	assert_int_equal(word(&u, 6), 6);
	close(go[0]);
	close(go[1]);
}

static void what_a_child_writes_the_gpu_does_not_see(void **state)
{
	struct user_buffer u;
	int status;
	pid_t pid;

	begin(&u);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		memset(u.mem, 0x33, PAGES * PAGE);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ub_copy(&u, page_va(&u, 8), page_va(&u, 3), PAGE);
	ub_store(&u, page_va(&u, 4) + 8, 6);
	ub_wait(&u);
	assert_int_equal(word(&u, 8), 0x11111111);
	assert_int_equal(word(&u, 4), 0x11111111);
	assert_int_equal(*(uint32_t *)(u.mem + 4 * PAGE + 8), 6);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_page_that_stays_away_is_a_fault_after_one_retry),
	cmocka_unit_test(a_page_that_is_gone_cannot_be_read),
	cmocka_unit_test(a_buffer_without_any_memory_can_be_freed),
	cmocka_unit_test(a_page_that_must_not_be_written_any_more_is_none),
	cmocka_unit_test(a_page_without_any_access_is_none),
	cmocka_unit_test(what_is_moved_away_is_not_followed),
	cmocka_unit_test(what_a_file_has_no_more_is_gone),
	cmocka_unit_test(new_pages_at_the_old_place_are_used),
	cmocka_unit_test(what_is_moved_there_is_used),
	cmocka_unit_test(pages_that_are_given_back_come_as_zeros),
	cmocka_unit_test(a_page_that_may_be_taken_is_kept_when_the_gpu_writes),
	cmocka_unit_test(a_hole_in_a_shared_file_comes_as_zeros),
	cmocka_unit_test(a_page_that_may_be_written_again_is_one),
	cmocka_unit_test(pages_that_may_only_be_read_are_read),
	cmocka_unit_test(a_fork_leaves_the_parent_its_pages),
	cmocka_unit_test(what_a_child_writes_the_gpu_does_not_see),
};

UAPI_MAIN(tests)
