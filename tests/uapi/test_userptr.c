/* SPDX-License-Identifier: MIT */
/* User pages that change under a running queue. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kfd_calls.h"

#define SDMA     KFD_IOC_QUEUE_TYPE_SDMA
#define OP_FENCE 5u
#define PATIENCE 5000 /* ms */
#define PAGES    16

/* struct user - a user buffer, mapped on GPU 0 at its own address, and a queue that writes to it */
struct user {
	struct prog p;
	struct user_queue q;
	uint32_t dw;
	volatile uint32_t *done; /* of a buffer that stays */
	uint32_t n_done, memory_event;
	unsigned char *mem;
	int smi;
};

static void put(struct user *u, uint32_t v)
{
	u->q.ring_cpu[u->dw++ % (RING_BYTES / 4)] = v;
}

static void put_fence(struct user *u, uint64_t va, uint32_t v)
{
	put(u, OP_FENCE);
	put(u, (uint32_t)va);
	put(u, (uint32_t)(va >> 32));
	put(u, v);
}

static void ring(struct user *u)
{
	__atomic_store_n((uint64_t *)u->q.wptr, u->dw * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)u->q.doorbell, u->dw * 4ull, __ATOMIC_RELEASE);
}

static void begin(struct user *u)
{
	struct kfd_ioctl_smi_events_args smi = { 0 };
	struct kfd_ioctl_alloc_memory_of_gpu_args a = { .size = PAGES * PAGE,
							.flags = F_USERPTR | F_WRITE };
	uint64_t all = ~0ull;

#ifdef __SANITIZE_THREAD__
	/* The sanitizer takes new pages at an old place for a store that nothing orders. */
	skip();
#endif
	memset(u, 0, sizeof(*u));
	prog_start(&u->p);
	event_page(&u->p);
	u->memory_event = event(&u->p, KFD_IOC_EVENT_MEMORY, false);
	gtt(&u->p, 0, VA(5), PAGE, &u->done);
	u->mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	assert_ptr_not_equal(u->mem, MAP_FAILED);
	memset(u->mem, 0x11, PAGES * PAGE);
	a.gpu_id = u->p.gpu[0];
	a.va_addr = a.mmap_offset = (uintptr_t)u->mem;
	assert_int_equal(uapi_ioctl(u->p.kfd, K_ALLOC, &a), 0);
	assert_int_equal(map_one(&u->p, a.handle, 0), 0);
	smi.gpuid = u->p.gpu[0];
	assert_int_equal(uapi_ioctl(u->p.kfd, K_SMI_EVENTS, &smi), 0);
	u->smi = (int)smi.anon_fd;
	assert_int_equal(write(u->smi, &all, sizeof(all)), 8);
	queue_start(&u->p, 0, SDMA, 1, &u->q);
	uapi_run_engine();
}

/* Write @v to the page @n by the GPU. */
static void gpu_write(struct user *u, unsigned int n, uint32_t v)
{
	put_fence(u, (uintptr_t)u->mem + n * PAGE, v);
	put_fence(u, VA(5), ++u->n_done);
	ring(u);
}

static void wait_done(struct user *u)
{
	for (unsigned int ms = 0; *u->done != u->n_done; ms++) {
		assert_true(ms < PATIENCE);
		usleep(1000);
	}
}

static uint32_t word(const struct user *u, unsigned int n)
{
	return *(volatile uint32_t *)(u->mem + n * PAGE);
}

static void next_line(struct user *u, char *line, size_t len)
{
	struct pollfd p = { u->smi, POLLIN, 0 };
	size_t n = 0;

	do {
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		assert_int_equal(read(u->smi, line + n, 1), 1);
	} while (line[n++] != '\n' && n < len - 1);
	line[n] = '\0';
}

/* The queue stops for the page, is let at it again, and then it is a fault. */
static void expect_fault(struct user *u, unsigned int page)
{
	struct kfd_event_data data = { .event_id = u->memory_event };
	struct kfd_ioctl_wait_events_args args = { .events_ptr = (uintptr_t)&data,
						   .num_events = 1,
						   .timeout = PATIENCE };
	char line[128], tail[32];

	assert_int_equal(uapi_ioctl(u->p.kfd, K_WAIT_EVENTS, &args), 0);
	assert_int_equal(args.wait_result, KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.memory_exception_data.va, (uintptr_t)u->mem + page * PAGE);
	assert_int_equal(data.memory_exception_data.failure.NotPresent, 1);
	assert_int_equal(data.memory_exception_data.failure.ReadOnly, 0);
	next_line(u, line, sizeof(line));
	snprintf(tail, sizeof(tail), " %x 1\n", u->p.gpu[0]);
	assert_memory_equal(line, "9 ", 2);
	assert_non_null(strstr(line, tail));
	next_line(u, line, sizeof(line));
	assert_memory_equal(line, "a ", 2);
	next_line(u, line, sizeof(line));
	assert_memory_equal(line, "1 ", 2);
	assert_int_not_equal(*u->done, u->n_done);
}

static void a_page_that_stays_away_is_a_fault_after_one_retry(void **state)
{
	struct user u;

	/* In libvkfd the hardware cannot survive it. */
	if (!uapi_through_shim())
		skip();
	begin(&u);
	gpu_write(&u, 3, 1);
	wait_done(&u);
	assert_int_equal(munmap(u.mem + 4 * PAGE, PAGE), 0);
	gpu_write(&u, 4, 2);
	expect_fault(&u, 4);
}

static void a_page_that_must_not_be_written_any_more_is_none(void **state)
{
	struct user u;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	assert_int_equal(mprotect(u.mem + 4 * PAGE, PAGE, PROT_READ), 0);
	gpu_write(&u, 4, 2);
	expect_fault(&u, 4);
	assert_int_equal(word(&u, 4), 0x11111111);
}

static void what_is_moved_away_is_not_followed(void **state)
{
	unsigned char *to;
	struct user u;

	if (!uapi_through_shim())
		skip();
	begin(&u);
	to = mremap(u.mem + 8 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	assert_ptr_not_equal(to, MAP_FAILED);
	gpu_write(&u, 8, 2);
	expect_fault(&u, 8);
	assert_int_equal(*(uint32_t *)to, 0x11111111);
}

static void new_pages_at_the_old_place_are_used(void **state)
{
	struct user u;

	begin(&u);
	gpu_write(&u, 3, 1);
	wait_done(&u);
	assert_ptr_equal(mmap(u.mem + 2 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 u.mem + 2 * PAGE);
	assert_int_equal(word(&u, 3), 0);
	gpu_write(&u, 3, 7);
	wait_done(&u);
	assert_int_equal(word(&u, 3), 7);
	assert_int_equal(word(&u, 4), 0);
}

static void pages_that_are_given_back_come_as_zeros(void **state)
{
	struct user u;

	begin(&u);
	assert_int_equal(madvise(u.mem + 2 * PAGE, 4 * PAGE, MADV_DONTNEED), 0);
	put_fence(&u, (uintptr_t)u.mem + 3 * PAGE + 8, 9);
	gpu_write(&u, 6, 1);
	wait_done(&u);
	assert_int_equal(word(&u, 3), 0);
	assert_int_equal(*(uint32_t *)(u.mem + 3 * PAGE + 8), 9);
	assert_int_equal(word(&u, 6), 1);
}

/* Whoever writes first gets the copy: the GPU's page stays the parent's. */
static void a_fork_leaves_the_parent_its_pages(void **state)
{
	struct user u;
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
	wait_done(&u);
	assert_int_equal(word(&u, 3), 5);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* And what the parent writes after that, the GPU's writes do not undo. */
	*(volatile uint32_t *)(u.mem + 5 * PAGE) = 77;
	gpu_write(&u, 6, 6);
	wait_done(&u);
	assert_int_equal(word(&u, 5), 77);
	assert_int_equal(word(&u, 6), 6);
	close(go[0]);
	close(go[1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_page_that_stays_away_is_a_fault_after_one_retry),
	cmocka_unit_test(a_page_that_must_not_be_written_any_more_is_none),
	cmocka_unit_test(what_is_moved_away_is_not_followed),
	cmocka_unit_test(new_pages_at_the_old_place_are_used),
	cmocka_unit_test(pages_that_are_given_back_come_as_zeros),
	cmocka_unit_test(a_fork_leaves_the_parent_its_pages),
};

UAPI_MAIN(tests)
