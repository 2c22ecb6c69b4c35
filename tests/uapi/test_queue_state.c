/* SPDX-License-Identifier: MIT */
/* SET_CU_MASK, GET_QUEUE_WAVE_STATE, ALLOC_QUEUE_GWS */
#include <errno.h>
#include <string.h>
#include "kfd_calls.h"

#define AQL KFD_IOC_QUEUE_TYPE_COMPUTE_AQL
#define SDMA KFD_IOC_QUEUE_TYPE_SDMA

static int cu_mask(struct prog *p, uint32_t id, uint32_t bits, const void *mask)
{
	struct kfd_ioctl_set_cu_mask_args args = {
		.queue_id = id, .num_cu_mask = bits, .cu_mask_ptr = (uintptr_t)mask
	};

	return uapi_ioctl(p->kfd, K_SET_CU_MASK, &args);
}

static void masks_are_words(void **state)
{
	static const uint32_t mask[64] = { 0xff };
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	assert_int_equal(cu_mask(&p, 0, 33, mask), -EINVAL);
	assert_int_equal(cu_mask(&p, 0, 0, mask), -EINVAL);
	assert_int_equal(cu_mask(&p, 0, 32, NULL), -EFAULT);
	assert_int_equal(cu_mask(&p, 0, 32, mask), -EFAULT);
	queue_prepare(&p, 0, AQL, 1, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(cu_mask(&p, 0, 32, mask), 0);
	/* On gfx9 units are alone. */
	assert_int_equal(cu_mask(&p, 0, 64, (uint32_t[]){ 1, 2 }), 0);
	assert_int_equal(cu_mask(&p, 0, 1024, mask), 0);
	assert_int_equal(cu_mask(&p, 0, 2048, mask), 0);
	assert_int_equal(cu_mask(&p, 1, 32, mask), -EFAULT);
}

static int wave_state(struct prog *p, uint32_t id, void *to,
		      struct kfd_ioctl_get_queue_wave_state_args *args)
{
	*args = (struct kfd_ioctl_get_queue_wave_state_args){
		.ctl_stack_address = (uintptr_t)to,
		.queue_id = id,
		.ctl_stack_used_size = 7,
		.save_area_used_size = 7,
	};
	return uapi_ioctl(p->kfd, K_GET_WAVE_STATE, args);
}

static int stop(struct prog *p, const struct user_queue *q, uint32_t percent)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = q->args.ring_base_address,
		.queue_id = q->args.queue_id,
		.ring_size = RING_BYTES,
		.queue_percentage = percent,
	};

	return uapi_ioctl(p->kfd, K_UPDATE_QUEUE, &args);
}

static void tell_waves(uint32_t type)
{
	struct kfd_ioctl_get_queue_wave_state_args args;
	struct user_queue q, sdma;
	struct prog p;
	uint32_t header[16];

	memset(header, 0xaa, sizeof(header));
	prog_start(&p);
	assert_int_equal(wave_state(&p, 0, header, &args), -EFAULT);
	queue_prepare(&p, 0, type, 1, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(wave_state(&p, 0, header, &args), -EINVAL);
	assert_int_equal(stop(&p, &q, 0), 0);
	assert_int_equal(wave_state(&p, 0, header, &args), 0);
	assert_int_equal(args.ctl_stack_used_size, 0);
	assert_int_equal(args.save_area_used_size, 0);
	assert_int_equal(header[1], 0);
	assert_int_equal(header[3], 0);
	assert_int_equal(header[4], 0xaaaaaaaa);
	assert_int_equal(wave_state(&p, 0, NULL, &args), -EFAULT);
	assert_int_equal(stop(&p, &q, 100), 0);
	assert_int_equal(wave_state(&p, 0, header, &args), -EINVAL);
	queue_prepare(&p, 0, SDMA, 2, &sdma);
	assert_int_equal(queue_create(&p, &sdma), 0);
	assert_int_equal(stop(&p, &sdma, 0), 0);
	assert_int_equal(wave_state(&p, sdma.args.queue_id, header, &args), -EINVAL);
}

static void waves_are_told_of_stopped_aql_queues(void **state)
{
	tell_waves(AQL);
}

static void waves_are_told_of_stopped_pm4_queues(void **state)
{
	tell_waves(KFD_IOC_QUEUE_TYPE_COMPUTE);
}

/* There it stays where the queue has it. */
static void on_gfx8_nothing_of_waves_is_copied(void **state)
{
	struct kfd_ioctl_get_queue_wave_state_args args;
	struct user_queue q;
	struct prog p;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	queue_prepare(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 1, &q);
	/* What 64 CUs of gfx8 ask for, and the debugger's area. */
	gtt(&p, 0, VA(2), 0x1545000 + 0x10000, NULL);
	q.args.ctx_save_restore_address = VA(2);
	q.args.ctx_save_restore_size = 0x1545000;
	q.args.ctl_stack_size = 0x5000;
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(stop(&p, &q, 0), 0);
	assert_int_equal(wave_state(&p, q.args.queue_id, NULL, &args), 0);
	assert_int_equal(args.ctl_stack_used_size, 0);
	assert_int_equal(args.save_area_used_size, 0);
}

static int gws(struct prog *p, uint32_t id, uint32_t n, uint32_t *first)
{
	struct kfd_ioctl_alloc_queue_gws_args args = {
		.queue_id = id, .num_gws = n, .first_gws = 99
	};
	int r = uapi_ioctl(p->kfd, K_ALLOC_GWS, &args);

	*first = args.first_gws;
	return r;
}

static void one_queue_of_a_process_has_gws(void **state)
{
	struct user_queue a, b;
	struct prog p;
	uint32_t first;

	prog_start(&p);
	assert_int_equal(gws(&p, 0, 1, &first), -EINVAL);
	queue_prepare(&p, 0, AQL, 1, &a);
	assert_int_equal(queue_create(&p, &a), 0);
	queue_prepare(&p, 0, AQL, 2, &b);
	assert_int_equal(queue_create(&p, &b), 0);
	assert_int_equal(gws(&p, 0, 0, &first), -EINVAL);
	assert_int_equal(gws(&p, 0, 64, &first), 0);
	assert_int_equal(first, 0);
	assert_int_equal(gws(&p, 0, 1, &first), -EBUSY);
	assert_int_equal(gws(&p, 1, 1, &first), -EBUSY);
	assert_int_equal(gws(&p, 0, 0, &first), 0);
	assert_int_equal(gws(&p, 1, 1, &first), 0);
	/* A queue that goes gives it back. */
	assert_int_equal(queue_destroy(&p, 1), 0);
	assert_int_equal(gws(&p, 0, 1, &first), 0);
}

static void without_gws_there_is_no_device(void **state)
{
	struct user_queue q;
	struct prog p;
	uint32_t first;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 1, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(gws(&p, 0, 1, &first), -ENODEV);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(masks_are_words),
	cmocka_unit_test(waves_are_told_of_stopped_aql_queues),
	cmocka_unit_test(waves_are_told_of_stopped_pm4_queues),
	cmocka_unit_test(on_gfx8_nothing_of_waves_is_copied),
	cmocka_unit_test(one_queue_of_a_process_has_gws),
	cmocka_unit_test(without_gws_there_is_no_device),
};

UAPI_MAIN(tests)
