/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sched.h>
#include "packets.h"

#define PAGE_A VKF_MIB(4)
#define PAGE_B VKF_MIB(5)
#define TARGET UINT64_C(0x600000000)
#define MOVES  3000
#define FREE   0xaa

/* struct driver - the other side of ctrl.h: it moves one page to and fro under a running engine */
struct driver {
	struct fixture *fx;
	struct gpu_pt_table *table;
	unsigned int written_after; /* moves after which the old page was still written to */
	unsigned int stuck;
	atomic_bool done;
};

/* Until no worker can hold a pointer from before. Return: false after far too long. */
static bool wait_quiescent(struct gpu_ctrl *ctrl)
{
	uint64_t seq = ctrl->worker[0].seq, tries = 0;

	while ((seq & 1) && ctrl->worker[0].seq == seq) {
		if (++tries > 50000000)
			return false;
		sched_yield();
	}
	return true;
}

static bool still_free(const unsigned char *page)
{
	unsigned int i;

	for (i = 0; i < 4096; i++) {
		if (__atomic_load_n(&page[i], __ATOMIC_RELAXED) != FREE)
			return false;
	}
	return true;
}

static void *move_pages(void *arg)
{
	struct driver *driver = arg;
	struct fixture *fx = driver->fx;
	unsigned int i;

	for (i = 0; i < MOVES; i++) {
		uint64_t from = i & 1 ? PAGE_B : PAGE_A, to = i & 1 ? PAGE_A : PAGE_B;

		driver->table->link[0] = to | GPU_BACKING_ARENA;
		driver->table->pte[0] = FX_RW;
		fx->ctrl->vm[0].generation++;
		driver->stuck += !wait_quiescent(fx->ctrl);
		/* The old page is free: someone else's bytes are in it from now on. */
		memset(fx->arena + from, FREE, 4096);
		sched_yield();
		driver->written_after += !still_free(fx->arena + from);
	}
	driver->done = true;
	return NULL;
}

static void test_no_page_is_written_after_the_driver_has_waited(void **state)
{
	struct fixture *fx = *state;
	struct driver driver = { .fx = fx };
	uint64_t packets;
	pthread_t thread;

	fx_map(fx, 0, TARGET, PAGE_A | GPU_BACKING_ARENA, FX_RW);
	/* The table that fx_map() made last holds the page's entry. */
	driver.table = &fx->pt[fx->tables_used];
	assert_int_equal(driver.table->link[0], PAGE_A | GPU_BACKING_ARENA);
	fx_queue(fx, GPU_QUEUE_SDMA);
	assert_int_equal(pthread_create(&thread, NULL, move_pages, &driver), 0);
	while (!driver.done) {
		FX_SDMA(fx, S_FILL(2, TARGET, 0x12345678, 4096), S_FILL(0, TARGET, 0x55, 4096));
		fx_run(fx);
	}
	packets = fx->ctrl->queue[0].packets;
	pthread_join(thread, NULL);
	assert_int_equal(driver.stuck, 0);
	assert_int_equal(driver.written_after, 0);
	assert_true(packets > 0);
	fx_expect_no_irq(fx);
	/* The last move went to A, and the engine followed it. */
	FX_SDMA(fx, S_FILL(0, TARGET, 0x66, 4096));
	fx_run(fx);
	assert_int_equal(fx->arena[PAGE_A], 0x66);
	assert_int_equal(fx->arena[PAGE_B], FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_no_page_is_written_after_the_driver_has_waited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
