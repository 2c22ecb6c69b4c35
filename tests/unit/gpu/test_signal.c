/* SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "gpu/signal.h"

#define SIGNAL FX_VA(FX_SIGNALS)

static struct gpu_queue q;

static struct gpu_worker *enter(struct fixture *fx)
{
	memset(&q, 0, sizeof(q));
	*fx_u64(fx, FX_SIGNALS + 0x08) = 3;
	gpu_worker_enter(&fx->engine->worker[0]);
	return &fx->engine->worker[0];
}

static void test_completing_counts_down_and_writes_the_times_asked_for(void **state)
{
	const struct gpu_signal_times times = { 11, 22 };
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);
	uint64_t value;

	assert_int_equal(gpu_signal_complete(w, &q, SIGNAL, NULL), 0);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 0x20), 0);
	assert_int_equal(gpu_signal_complete(w, &q, SIGNAL, &times), 0);
	assert_int_equal(gpu_signal_value(w, 0, SIGNAL, &value), 0);
	gpu_worker_leave(w);
	assert_int_equal(value, 1);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 0x20), 11);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 0x28), 22);
	assert_int_equal(q.n_irqs, 0);
}

static void test_a_mailbox_is_written_and_told(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	*fx_u64(fx, FX_SIGNALS + 0x10) = FX_VA(FX_DATA);
	*fx_words(fx, FX_SIGNALS + 0x18) = 9;
	assert_int_equal(gpu_signal_set(w, &q, SIGNAL, UINT64_C(0x140000000)), 0);
	gpu_worker_leave(w);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 0x08), UINT64_C(0x140000000));
	assert_int_equal(*fx_u64(fx, FX_DATA), 9);
	assert_int_equal(q.n_irqs, 1);
	assert_int_equal(q.irq[0].type, GPU_IRQ_EVENT);
	assert_int_equal(q.irq[0].ctx, 9);
}

static void test_a_wild_mailbox_faults_and_tells_nothing(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	*fx_u64(fx, FX_SIGNALS + 0x10) = 0x1000;
	assert_int_equal(gpu_signal_complete(w, &q, SIGNAL, NULL), -EFAULT);
	assert_int_equal(w->fault.va, 0x1000);
	gpu_worker_leave(w);
	assert_int_equal(q.n_irqs, 0);
}

static void test_a_read_only_signal_faults_unchanged(void **state)
{
	struct fixture *fx = *state;
	struct gpu_worker *w = enter(fx);

	fx_map(fx, 0, SIGNAL, FX_SIGNALS | GPU_BACKING_ARENA, FX_RO);
	assert_int_equal(gpu_signal_complete(w, &q, SIGNAL, NULL), -EFAULT);
	assert_int_equal(w->fault.status, GPU_FAULT_WRITE | GPU_FAULT_READ_ONLY);
	gpu_worker_leave(w);
	assert_int_equal(*fx_u64(fx, FX_SIGNALS + 0x08), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_completing_counts_down_and_writes_the_times_asked_for),
		FX_TEST(test_a_mailbox_is_written_and_told),
		FX_TEST(test_a_wild_mailbox_faults_and_tells_nothing),
		FX_TEST(test_a_read_only_signal_faults_unchanged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
