/* SPDX-License-Identifier: MIT */
/* What the SYNC ioctl waits for; tests/uapi has its flags. */
#include "mm_fixture.h"

#include <linux/dma-buf.h>
#include "base/call.h"
#include "base/sched.h"
#include "dmabuf/ioctl.h"
#include "machine/priv.h"

static struct mm_fixture f;
static struct machine machine; /* counts dma-bufs, no more */
static struct mm_bo *bo;
static struct machine_dmabuf *d;

static int from_user(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	memcpy(dst, (const void *)(uintptr_t)uptr, len);
	return 0;
}

static const struct vkf_call_ops call_ops = { .copy_from_user = from_user };

static int sync_for(uint64_t flags)
{
	struct vkf_call call = { &call_ops };
	struct dma_buf_sync args = { flags };

	return dmabuf_ioctl(d, &call, DMA_BUF_IOCTL_SYNC, (uintptr_t)&args);
}

/* ------------------------------------------------ fences that know when somebody waits */

static struct mm_fence fences[32]; /* never freed, and each used once */
static unsigned int n_fences;
static struct mm_fence *fence; /* the last one */
static atomic_bool somebody_waits;

static bool note_waiter(struct mm_fence *unused)
{
	atomic_store(&somebody_waits, true);
	return true;
}

static void no_release(struct mm_fence *unused)
{
}

static const struct mm_fence_ops fence_ops = { note_waiter, no_release };

static void add_fence(enum mm_resv_usage usage)
{
	struct mm_resv *r = mm_bo_resv(bo);

	atomic_store(&somebody_waits, false);
	assert_true(n_fences < VKF_ARRAY_SIZE(fences));
	fence = &fences[n_fences++];
	mm_fence_init(fence, &fence_ops, 4711 + n_fences, 1);
	assert_int_equal(mm_resv_lock(r, false), 0);
	assert_int_equal(mm_resv_reserve_locked(r, 1), 0);
	mm_resv_add_locked(r, fence, usage);
	mm_resv_unlock(r);
}

static int setup(void **state)
{
	struct machine_dmabuf_config config = { .writable = true };

	mm_fixture_init(&f, NULL);
	bo = mm_fixture_bo(&f, MM_BO_VRAM, VKF_MIB(1));
	config.bo = bo;
	assert_int_equal(machine_dmabuf_create(&machine, &config, &d), 0);
	return 0;
}

static int teardown(void **state)
{
	machine_dmabuf_put(d);
	mm_bo_put(bo);
	mm_fixture_fini(&f);
	return 0;
}

struct waiter {
	uint64_t flags;
	atomic_bool interrupt, signalled;
	int result;
};

static void wait_main(void *arg)
{
	struct waiter *w = arg;

	w->result = sync_for(w->flags);
	/* It did not come back before. */
	if (w->result == 0 && !atomic_load(&w->signalled))
		w->result = -ETIME;
}

static struct vkf_task *start_waiter(struct waiter *w)
{
	struct vkf_task *task;

	assert_int_equal(vkf_spawn("waiter", wait_main, w, &task), 0);
	while (!atomic_load(&somebody_waits))
		vkf_sleep_ns(20000, false);
	return task;
}

static void expect_wait(enum mm_resv_usage usage, uint64_t flags)
{
	struct waiter w = { .flags = flags };
	struct vkf_task *task;

	add_fence(usage);
	task = start_waiter(&w);
	atomic_store(&w.signalled, true);
	mm_fence_signal(fence, 0);
	vkf_join(task);
	assert_int_equal(w.result, 0);
}

static void expect_no_wait(enum mm_resv_usage usage, uint64_t flags)
{
	add_fence(usage);
	assert_int_equal(sync_for(flags), 0);
	assert_false(atomic_load(&somebody_waits));
	mm_fence_signal(fence, 0);
}

static void to_read_it_waits_for_who_writes(void **state)
{
	expect_wait(MM_RESV_WRITE, DMA_BUF_SYNC_READ);
	expect_wait(MM_RESV_KERNEL, DMA_BUF_SYNC_READ);
	expect_no_wait(MM_RESV_READ, DMA_BUF_SYNC_READ);
}

static void to_write_it_waits_for_who_reads_too(void **state)
{
	expect_wait(MM_RESV_READ, DMA_BUF_SYNC_WRITE);
	expect_wait(MM_RESV_WRITE, DMA_BUF_SYNC_WRITE);
	expect_wait(MM_RESV_READ, DMA_BUF_SYNC_RW);
	expect_wait(MM_RESV_KERNEL, DMA_BUF_SYNC_RW);
}

static void page_tables_and_evictions_are_not_its_business(void **state)
{
	for (uint64_t rw = DMA_BUF_SYNC_READ; rw <= DMA_BUF_SYNC_RW; rw++)
		expect_no_wait(MM_RESV_BOOKKEEP, rw);
}

static void at_the_end_there_is_nothing_to_wait_for(void **state)
{
	for (uint64_t rw = DMA_BUF_SYNC_READ; rw <= DMA_BUF_SYNC_RW; rw++)
		expect_no_wait(MM_RESV_WRITE, rw | DMA_BUF_SYNC_END);
}

static void a_signal_ends_the_wait(void **state)
{
	struct waiter w = { .flags = DMA_BUF_SYNC_READ };
	struct vkf_task *task;

	add_fence(MM_RESV_WRITE);
	task = start_waiter(&w);
	vkf_task_interrupt(task);
	vkf_join(task);
	assert_int_equal(w.result, -VKF_ERESTARTSYS);
	mm_fence_signal(fence, 0);
}

static void what_is_refused_says_why(void **state)
{
	const struct dmabuf_feature *feature;
	unsigned int i = 0;

	for (; (feature = dmabuf_feature(i)); i++) {
		assert_int_equal(feature->nr, i);
		assert_int_equal(feature->note[0] == '\0', feature->level == 0);
	}
	assert_int_equal(i, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(to_read_it_waits_for_who_writes),
		TEST(to_write_it_waits_for_who_reads_too),
		TEST(page_tables_and_evictions_are_not_its_business),
		TEST(at_the_end_there_is_nothing_to_wait_for),
		TEST(a_signal_ends_the_wait),
		cmocka_unit_test(what_is_refused_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
