/* SPDX-License-Identifier: MIT */
/* User pages that change while a queue writes and reads them. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user_buffer.h"

#define HUGE_PAGE (2 * MIB)
#define BYTES     (2 * HUGE_PAGE)
#define ROUNDS    40
#define RESULT    VA(64)

/* struct churn - what a second thread does to the buffer, again and again, until it shall end */
struct churn {
	unsigned char *mem;
	int (*change)(unsigned char *mem, unsigned int n); /* 0, or a line number */
	bool zeros;    /* pages may be lost, and come back as zeros */
	bool gpu_only_reads;
	atomic_bool end;
	unsigned int n;
	int failed;
};

static unsigned char *huge_memory(void)
{
	unsigned char *mem = mmap(NULL, BYTES + HUGE_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(mem, MAP_FAILED);
	mem = (unsigned char *)(((uintptr_t)mem + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	memset(mem, 0, BYTES);
	return mem;
}

static void *churn_main(void *arg)
{
	struct churn *c = arg;

	while (!atomic_load(&c->end) && !c->failed)
		c->failed = c->change(c->mem, c->n++);
	return NULL;
}

static bool is_allowed(const struct churn *c, uint32_t word, uint32_t want)
{
	return word == want || (c->zeros && !word);
}

/* A value, and every word of the buffer as the GPU read it. */
static void round_of(struct user_buffer *u, const struct churn *c, const volatile uint32_t *result,
		     uint32_t v)
{
	if (!c->gpu_only_reads)
		ub_fill(u, (uintptr_t)u->mem, v, BYTES);
	ub_copy(u, RESULT, (uintptr_t)u->mem, BYTES);
	ub_wait(u);
	for (size_t i = 0; i < BYTES / 4; i++) {
		if (!is_allowed(c, result[i], c->gpu_only_reads ? 0x11111111 : v))
			fail_msg("word 0x%zx is 0x%x in round %u", i, result[i], v);
	}
}

static void run(struct churn *c)
{
	volatile uint32_t *result;
	struct user_buffer u;
	pthread_t thread;

	c->mem = huge_memory();
	if (c->gpu_only_reads)
		memset(c->mem, 0x11, BYTES);
	ub_begin(&u, c->mem, BYTES);
	gtt(&u.p, 0, RESULT, BYTES, &result);
	assert_int_equal(pthread_create(&thread, NULL, churn_main, c), 0);
	for (uint32_t v = 1; v <= ROUNDS; v++)
		round_of(&u, c, result, v);
	atomic_store(&c->end, true);
	pthread_join(thread, NULL);
	assert_int_equal(c->failed, 0);
	assert_true(c->n > 0);
	/* Now that nothing changes any more, nothing is lost. */
	c->zeros = false;
	round_of(&u, c, result, ROUNDS + 1);
	if (!c->gpu_only_reads)
		assert_memory_equal(c->mem, (const void *)result, BYTES);
	ub_expect_no_fault(&u);
}

/* ------------------------------------------------ what is done to it */

/* Somewhere, some pages. */
static unsigned char *part(unsigned char *mem, unsigned int n)
{
	return mem + n * 7919u % (BYTES / PAGE - 16) * PAGE;
}

static int give_back(unsigned char *mem, unsigned int n)
{
	return madvise(part(mem, n), 16 * PAGE, MADV_DONTNEED) ? __LINE__ : 0;
}

static int replace(unsigned char *mem, unsigned int n)
{
	unsigned char *at = part(mem, n);

	return mmap(at, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) == at ?
		       0 :
		       __LINE__;
}

static int may_take(unsigned char *mem, unsigned int n)
{
	return madvise(part(mem, n), 16 * PAGE, MADV_FREE) ? __LINE__ : 0;
}

/* Into huge pages and apart again: by a part of one that differs, and by one that is not there. */
static int collapse_and_split(unsigned char *mem, unsigned int n)
{
#ifdef MADV_COLLAPSE
	const int advice = MADV_COLLAPSE;
#else
	const int advice = 25;
#endif
	unsigned char *at = part(mem, n);

	/* A kernel that cannot, or is out of huge pages now, has done nothing. */
	(void)madvise(mem, BYTES, advice);
	if (mprotect(at, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    mprotect(at, PAGE, PROT_READ | PROT_WRITE))
		return __LINE__;
	return n % 4 ? 0 : give_back(mem, n);
}

static int toggle_writing(unsigned char *mem, unsigned int n)
{
	unsigned char *at = part(mem, n);

	return mprotect(at, 16 * PAGE, PROT_READ) || mprotect(at, 16 * PAGE, PROT_READ | PROT_WRITE) ?
		       __LINE__ :
		       0;
}

/* A child has all pages as they were at one moment, and none of them changes. */
static int fork_and_look(unsigned char *mem, unsigned int n)
{
	const volatile uint32_t *words = (const volatile uint32_t *)mem;
	unsigned int step = PAGE / 4;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return __LINE__;
	if (pid == 0) {
		uint32_t sum[2] = { 0 };

		for (unsigned int look = 0; look < 2; look++) {
			for (size_t i = n % step; i < BYTES / 4; i += step)
				sum[look] = sum[look] * 31 + words[i];
			usleep(1000);
		}
		_exit(sum[0] != sum[1]);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return __LINE__;
	return 0;
}

/* ------------------------------------------------ tests */

static void pages_are_given_back(void **state)
{
	run(&(struct churn){ .change = give_back, .zeros = true });
}

static void pages_are_replaced(void **state)
{
	run(&(struct churn){ .change = replace, .zeros = true });
}

static void pages_may_be_taken(void **state)
{
	run(&(struct churn){ .change = may_take, .zeros = true });
}

static void pages_become_huge_and_small(void **state)
{
	run(&(struct churn){ .change = collapse_and_split, .zeros = true });
}

static void pages_that_are_read_may_be_written_or_not(void **state)
{
	run(&(struct churn){ .change = toggle_writing, .gpu_only_reads = true });
}

static void children_come_and_go(void **state)
{
	run(&(struct churn){ .change = fork_and_look });
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pages_are_given_back),
	cmocka_unit_test(pages_are_replaced),
	cmocka_unit_test(pages_may_be_taken),
	cmocka_unit_test(pages_become_huge_and_small),
	cmocka_unit_test(pages_that_are_read_may_be_written_or_not),
	cmocka_unit_test(children_come_and_go),
};

UAPI_MAIN(tests)
