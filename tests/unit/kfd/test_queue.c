/* SPDX-License-Identifier: MIT */
/* Queues whose hardware does not answer, and what of a queue reaches the hardware. */
#include "kfd_fixture.h"

#include <string.h>

#include "base/call.h"

static int no_copy(struct vkf_call *call, void *dst, uint64_t uptr, size_t len)
{
	memset(dst, 0xff, len);
	return 0;
}

static const struct vkf_call_ops call_ops = { .copy_from_user = no_copy };

static int set_mask(struct kf *kf, unsigned int process, uint32_t id)
{
	struct vkf_call call = { .ops = &call_ops };
	struct kfd_ioctl_set_cu_mask_args args = { .queue_id = id, .num_cu_mask = 32 };

	return kfd_set_cu_mask(kf->processes[process].p, &call, &args);
}

static int set_gws(struct kf *kf, unsigned int process, uint32_t id, uint32_t n)
{
	struct kfd_ioctl_alloc_queue_gws_args args = { .queue_id = id, .num_gws = n };

	return kfd_alloc_gws(kf->processes[process].p, NULL, &args);
}

static uint32_t hw_event(struct kf *kf, unsigned int process)
{
	struct kfd_ioctl_create_event_args args = { .event_type = KFD_IOC_EVENT_HW_EXCEPTION };

	assert_int_equal(kfd_create_event(kf->processes[process].p, NULL, &args), 0);
	return args.event_id;
}

/* How often it was set, and what it says. */
static uint64_t times_set(struct kf *kf, unsigned int process, uint32_t id,
			  struct kfd_hsa_hw_exception_data *data)
{
	struct kfd_events *ev = &kf->processes[process].p->events;
	struct kfd_event *e;
	uint64_t n;

	vkf_mutex_lock(&ev->lock);
	e = kfd_event_find(ev, id);
	assert_non_null(e);
	n = e->age - 1;
	*data = e->hw;
	vkf_mutex_unlock(&ev->lock);
	return n;
}

static void an_engine_that_does_not_stop_is_a_reset_of_its_queues(void **state)
{
	struct kf *kf = *state;
	struct kfd_process *p = kf->processes[0].p;
	struct kfd_queue *q = kf_queue(kf, 0, 1, GPU_QUEUE_AQL);
	struct kfd_queue *other = kf_queue(kf, 1, 1, GPU_QUEUE_AQL);
	struct kfd_hsa_hw_exception_data data;
	uint32_t mine = hw_event(kf, 0), theirs = hw_event(kf, 1);

	kf_engine(kf, 1, GPU_ENGINE_ASLEEP);
	assert_int_equal(set_gws(kf, 0, q->id, 1), 0);
	atomic_store(&kf_ctrl(kf, 0)->engine, GPU_ENGINE_RUNNING);
	assert_int_equal(kf_update(kf, 0, q, 0, 0), -EACCES);
	/* What was asked for is what the kernel remembers, too. */
	assert_int_equal(q->percent, 0);
	/* Once, of the GPU that had queues. */
	assert_int_equal(times_set(kf, 0, mine, &data), 1);
	assert_int_equal(data.gpu_id, p->pdds[1].gpu_id);
	assert_int_equal(data.reset_type, KFD_HW_EXCEPTION_WHOLE_GPU_RESET);
	assert_int_equal(data.reset_cause, KFD_HW_EXCEPTION_GPU_HANG);
	assert_int_equal(data.memory_lost, 1);
	assert_int_equal(times_set(kf, 1, theirs, &data), 0);
	/* Nothing of that GPU's queues can be changed any more. */
	assert_int_equal(kf_update(kf, 0, q, 100, 0), -EACCES);
	assert_int_equal(set_mask(kf, 0, q->id), -EACCES);
	assert_int_equal(set_gws(kf, 0, q->id, 0), -EACCES);
	assert_null(p->pdds[1].gws_queue);
	/* Others' can; and of its own on another GPU, which do not run. */
	assert_int_equal(kf_update(kf, 1, other, 100, 3), 0);
	assert_int_equal(kf_update(kf, 0, kf_queue(kf, 0, 0, GPU_QUEUE_AQL), 100, 3), 0);
	assert_int_equal(kf_destroy(kf, 0, q->id), 0);
	assert_int_equal(times_set(kf, 0, mine, &data), 1);
}

/* The compute queue was reset, so it has stopped. */
static void destroying_tells_of_sdma_engines_that_do_not_stop(void **state)
{
	static const enum gpu_queue_type types[] = { GPU_QUEUE_AQL, GPU_QUEUE_PM4, GPU_QUEUE_SDMA,
						     GPU_QUEUE_SDMA_XGMI };
	struct kf *kf = *state;

	for (unsigned int i = 0; i < 4; i++) {
		struct kfd_queue *q = kf_queue(kf, i, 0, types[i]);

		atomic_store(&kf_ctrl(kf, i)->engine, GPU_ENGINE_RUNNING);
		assert_int_equal(kf_destroy(kf, i, q->id), i < 2 ? 0 : -ETIME);
		assert_true(kf->processes[i].p->lost);
		assert_int_equal(kf->processes[i].p->pdds[0].n_queues, 0);
	}
}

static void sdma_queues_have_no_priority(void **state)
{
	struct kf *kf = *state;
	struct kfd_queue *sdma = kf_queue(kf, 0, 0, GPU_QUEUE_SDMA);
	struct kfd_queue *aql = kf_queue(kf, 0, 0, GPU_QUEUE_AQL);

	assert_int_equal(kf_update(kf, 0, sdma, 0, 15), 0);
	assert_int_equal(kf_update(kf, 0, aql, 0, 15), 0);
	assert_int_equal(kf_ctrl(kf, 0)->queue[sdma->slot].priority, 7);
	assert_int_equal(kf_ctrl(kf, 0)->queue[aql->slot].priority, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KF_TEST(an_engine_that_does_not_stop_is_a_reset_of_its_queues),
		KF_TEST(destroying_tells_of_sdma_engines_that_do_not_stop),
		KF_TEST(sdma_queues_have_no_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
