/* SPDX-License-Identifier: MIT */
/* CREATE, UPDATE, DESTROY */
#include <errno.h>
#include <unistd.h>
#include "kfd_calls.h"

#define AQL KFD_IOC_QUEUE_TYPE_COMPUTE_AQL
#define PM4 KFD_IOC_QUEUE_TYPE_COMPUTE
#define SDMA KFD_IOC_QUEUE_TYPE_SDMA
#define XGMI KFD_IOC_QUEUE_TYPE_SDMA_XGMI
#define BY_ENGINE 4u
#define ENOTSUPP 524

static int create_with(struct prog *p, struct create_queue args)
{
	return uapi_ioctl(p->kfd, K_CREATE_QUEUE, &args);
}

static int update(struct prog *p, uint32_t id, uint64_t ring, uint32_t size, uint32_t percent)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = ring,
		.queue_id = id,
		.ring_size = size,
		.queue_percentage = percent,
		.queue_priority = 7,
	};

	return uapi_ioctl(p->kfd, K_UPDATE_QUEUE, &args);
}

static void ids_count_from_0_across_gpus(void **state)
{
	struct user_queue q[3];
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < 3; i++) {
		queue_prepare(&p, i % 2, i ? SDMA : AQL, 10 + i, &q[i]);
		assert_int_equal(queue_create(&p, &q[i]), 0);
		assert_int_equal(q[i].args.queue_id, i);
	}
	assert_int_equal(queue_destroy(&p, 1), 0);
	assert_int_equal(queue_create(&p, &q[1]), 0);
	assert_int_equal(q[1].args.queue_id, 1);
}

static void doorbells_follow_the_engines(void **state)
{
	struct user_queue q[5];
	struct prog p;
	uint64_t base;
	static const struct {
		uint32_t type;
		uint64_t number; /* of 8 bytes, in the slice */
	} want[] = {
		{ AQL, 0 }, { PM4, 1 }, { SDMA, 0x100 }, { SDMA, 0x10a }, { SDMA, 0x300 },
	};

	prog_start(&p);
	base = 3ull << 62 | (uint64_t)p.gpu[0] << 46;
	for (unsigned int i = 0; i < 5; i++) {
		queue_prepare(&p, 0, want[i].type, 10 + i, &q[i]);
		assert_int_equal(queue_create(&p, &q[i]), 0);
		assert_int_equal(q[i].args.doorbell_offset, base | want[i].number * 8);
	}
}

static void on_gfx8_the_offset_names_only_the_gpu(void **state)
{
	struct user_queue q;
	struct prog p;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(q.args.doorbell_offset, 3ull << 62 | (uint64_t)p.gpu[0] << 46);
}

static void numbers_are_checked_in_this_order(void **state)
{
	struct user_queue q;
	struct create_queue a;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, AQL, 10, &q);
	a = q.args;
	a.queue_percentage = 101;
	a.ring_base_address = UINT64_MAX;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.queue_percentage = 100;
	a.queue_priority = 16;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.queue_priority = 15;
	a.ring_size = 3000;
	assert_int_equal(create_with(&p, a), -EFAULT);
	a.ring_base_address = q.args.ring_base_address;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ring_size = RING_BYTES;
	a.read_pointer_address = 1ull << 63;
	assert_int_equal(create_with(&p, a), -EFAULT);
	a.read_pointer_address = q.args.read_pointer_address;
	a.write_pointer_address = 1ull << 63;
	assert_int_equal(create_with(&p, a), -EFAULT);
	a.write_pointer_address = q.args.write_pointer_address;
	a.eop_buffer_address = 1ull << 63;
	assert_int_equal(create_with(&p, a), -EFAULT);
	a.eop_buffer_address = q.args.eop_buffer_address;
	a.ctx_save_restore_address = 1ull << 63;
	assert_int_equal(create_with(&p, a), -EFAULT);
	a.ctx_save_restore_address = q.args.ctx_save_restore_address;
	a.gpu_id = 1;
	a.queue_type = 9;
	assert_int_equal(create_with(&p, a), -ENOTSUPP);
	a.queue_type = AQL;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.gpu_id = p.gpu[0];
	assert_int_equal(create_with(&p, a), 0);
}

static void only_the_low_byte_is_the_percentage(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	q.args.queue_percentage = 0x300 | 100;
	assert_int_equal(queue_create(&p, &q), 0);
	q.args.queue_percentage = 0x300 | 101;
	assert_int_equal(queue_create(&p, &q), -EINVAL);
}

static void a_small_ring_is_made_1024_and_told_so(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	q.args.ring_size = 0;
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(q.args.ring_size, 1024);
	q.args.ring_size = 64;
	q.args.gpu_id = 0;
	assert_int_equal(queue_create(&p, &q), -EINVAL);
	assert_int_equal(q.args.ring_size, 1024);
}

static void types_above_4_are_not_known(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, PM4, 10, &q);
	q.args.queue_type = 5;
	assert_int_equal(queue_create(&p, &q), -ENOTSUPP);
	q.args.queue_type = PM4;
	assert_int_equal(queue_create(&p, &q), 0);
}

static void pointers_are_pages_of_their_own(void **state)
{
	struct user_queue q;
	struct create_queue a;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	a = q.args;
	a.write_pointer_address += 0x38; /* inside of the page is fine */
	a.read_pointer_address = a.write_pointer_address + 8;
	assert_int_equal(create_with(&p, a), 0);
	a.write_pointer_address = VA(500);
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.write_pointer_address = q.args.ring_base_address;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a = q.args;
	a.read_pointer_address = q.args.ring_base_address + PAGE;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.read_pointer_address = 0;
	assert_int_equal(create_with(&p, a), -EINVAL);
}

static void the_ring_is_one_whole_mapping(void **state)
{
	struct user_queue q;
	struct create_queue a;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	a = q.args;
	a.ring_base_address = 0;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ring_base_address = q.args.ring_base_address + PAGE;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ring_base_address = q.args.ring_base_address;
	a.ring_size = RING_BYTES / 2;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ring_size = RING_BYTES * 2;
	assert_int_equal(create_with(&p, a), -EINVAL);
	/* It is this GPU's mappings that count. */
	a = q.args;
	a.gpu_id = p.gpu[1];
	assert_int_equal(create_with(&p, a), -EINVAL);
	assert_int_equal(create_with(&p, q.args), 0);
}

static void need_save_area(uint32_t type)
{
	struct user_queue q;
	struct create_queue a;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, type, 10, &q);
	a = q.args;
	a.ctl_stack_size += PAGE;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ctl_stack_size = q.args.ctl_stack_size;
	a.ctx_save_restore_size -= PAGE;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ctx_save_restore_size = q.args.ctx_save_restore_size + PAGE;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a = q.args;
	a.ctx_save_restore_address += PAGE;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.ctx_save_restore_address = 0;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a = q.args;
	a.eop_buffer_size = PAGE - 1;
	assert_int_equal(create_with(&p, a), -EINVAL);
	a.eop_buffer_size = PAGE + 1;
	assert_int_equal(create_with(&p, a), -EINVAL);
	/* None of the refused ones has kept anything. */
	assert_int_equal(unmap_one(&p, q.eop, 0), 0);
	/* Without an end-of-pipe buffer, if one likes. */
	a = q.args;
	a.eop_buffer_address = 0;
	assert_int_equal(create_with(&p, a), 0);
}

static void aql_queues_need_their_save_area(void **state)
{
	need_save_area(AQL);
}

static void pm4_queues_need_their_save_area(void **state)
{
	need_save_area(PM4);
}

static void sdma_queues_are_as_many_as_the_engines_have(void **state)
{
	struct user_queue q, x;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	for (unsigned int i = 0; i < 2 * 8; i++)
		assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(queue_create(&p, &q), -ENOMEM);
	queue_prepare(&p, 0, XGMI, 11, &x);
	for (unsigned int i = 0; i < 3 * 8; i++)
		assert_int_equal(queue_create(&p, &x), 0);
	assert_int_equal(queue_create(&p, &x), -ENOMEM);
	assert_int_equal(queue_destroy(&p, 5), 0);
	assert_int_equal(queue_create(&p, &x), -ENOMEM);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(q.args.queue_id, 5);
}

static int one_sdma_queue(int fd)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	return queue_create(&p, &q);
}

static void processes_share_the_sdma_queues(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	for (unsigned int i = 0; i < 2 * 8; i++)
		assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(uapi_in_child(one_sdma_queue, -1), -ENOMEM);
	assert_int_equal(queue_destroy(&p, 0), 0);
	assert_int_equal(uapi_in_child(one_sdma_queue, -1), 0);
	q.args.queue_id = 99;
	/* The child has gone, and its queue with it; that takes a moment. */
	for (unsigned int i = 0; i < 5000 && queue_create(&p, &q) == -ENOMEM; i++)
		usleep(1000);
	assert_int_equal(q.args.queue_id, 0);
}

static void an_engine_can_be_named(void **state)
{
	struct user_queue q;
	struct prog p;
	uint64_t base;

	prog_start(&p);
	base = 3ull << 62 | (uint64_t)p.gpu[0] << 46;
	queue_prepare(&p, 0, BY_ENGINE, 10, &q);
	q.args.sdma_engine_id = 5;
	assert_int_equal(queue_create(&p, &q), -EINVAL);
	q.args.sdma_engine_id = 1;
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(queue_create(&p, &q), 0);
		assert_int_equal(q.args.doorbell_offset,
				 base | 8 * (0x10a + i / 2 + i % 2 * 512));
	}
	assert_int_equal(queue_create(&p, &q), -ENOMEM);
	q.args.sdma_engine_id = 0;
	assert_int_equal(queue_create(&p, &q), 0);
	q.args.sdma_engine_id = 4;
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(q.args.doorbell_offset, base | 8 * 0x128);
}

static void a_short_block_of_1_11_still_works(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	q.args.sdma_engine_id = 0xffff;
	assert_int_equal(uapi_ioctl(p.kfd, _IOC(_IOC_READ | _IOC_WRITE, 'K', 0x02, 88), &q.args),
			 0);
}

static void a_process_has_127_queues_on_a_gpu(void **state)
{
	struct user_queue q, other;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, AQL, 10, &q);
	for (unsigned int i = 0; i < 127; i++)
		assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(queue_create(&p, &q), -ENOSPC);
	queue_prepare(&p, 1, AQL, 11, &other);
	assert_int_equal(queue_create(&p, &other), 0);
	assert_int_equal(queue_destroy(&p, 3), 0);
	assert_int_equal(queue_create(&p, &q), 0);
}

static void a_device_has_a_limit_too(void **state)
{
	static const char *const sets[] = { "kfd.max_queues=3" };
	struct user_queue q;
	struct prog p;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(queue_create(&p, &q), -EPERM);
	assert_int_equal(queue_destroy(&p, 0), 0);
	assert_int_equal(queue_create(&p, &q), 0);
}

static void a_refused_queue_leaves_nothing(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	if (!uapi_fault("kfd.queue_create:arg=0,errno=EIO,count=1"))
		skip();
	assert_int_equal(queue_create(&p, &q), -EIO);
	assert_int_equal(unmap_one(&p, q.ring, 0), 0);
	assert_int_equal(map_one(&p, q.ring, 0), 0);
	for (unsigned int i = 0; i < 2 * 8; i++)
		assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(q.args.queue_id, 15);
}

static void destroying_an_unknown_queue_is_invalid(void **state)
{
	struct user_queue q;
	struct prog p;

	prog_start(&p);
	assert_int_equal(queue_destroy(&p, 0), -EINVAL);
	assert_int_equal(queue_destroy(&p, UINT32_MAX), -EINVAL);
	queue_prepare(&p, 0, SDMA, 10, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(queue_destroy(&p, 0), 0);
	assert_int_equal(queue_destroy(&p, 0), -EINVAL);
}

static void updates_are_checked_alike(void **state)
{
	struct user_queue q;
	struct prog p;
	uint64_t ring;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	ring = q.args.ring_base_address;
	/* What is wrong with the numbers is found before the queue is looked for. */
	assert_int_equal(update(&p, 0, ring, RING_BYTES, 101), -EINVAL);
	assert_int_equal(update(&p, 0, ring, RING_BYTES, 50), -EFAULT);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(update(&p, 0, ring, RING_BYTES, 50), 0);
	assert_int_equal(update(&p, 0, ring, RING_BYTES - 1, 50), -EINVAL);
	assert_int_equal(update(&p, 0, 1ull << 63, RING_BYTES, 50), -EFAULT);
	assert_int_equal(update(&p, 0, VA(500), RING_BYTES, 50), -EFAULT);
	assert_int_equal(update(&p, 0, ring, RING_BYTES * 2, 50), -EFAULT);
	assert_int_equal(update(&p, 1, ring, RING_BYTES, 50), -EFAULT);
	assert_int_equal(update(&p, 0, ring, RING_BYTES, 0), 0);
}

static void a_new_ring_is_held_and_the_old_one_let_go(void **state)
{
	struct user_queue q;
	struct prog p;
	uint64_t second;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	second = gtt(&p, 0, VA(20), RING_BYTES, NULL);
	assert_int_equal(update(&p, 0, VA(20), RING_BYTES, 100), 0);
	assert_int_equal(unmap_one(&p, q.ring, 0), 0);
	assert_int_equal(unmap_one(&p, second, 0), -EBUSY);
	/* No ring stops the queue and keeps what it holds. */
	assert_int_equal(update(&p, 0, 0, 0, 100), 0);
	assert_int_equal(unmap_one(&p, second, 0), -EBUSY);
	assert_int_equal(queue_destroy(&p, 0), 0);
	assert_int_equal(unmap_one(&p, second, 0), 0);
}

static void a_ring_in_one_half_of_a_buffer_keeps_the_other(void **state)
{
	struct user_queue q;
	struct prog p;
	uint64_t twice;

	prog_start(&p);
	queue_prepare(&p, 0, SDMA, 10, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(20), 2 * RING_BYTES, F_GTT | F_WRITE | F_AQL, &twice,
				   NULL), 0);
	assert_int_equal(map_one(&p, twice, 0), 0);
	assert_int_equal(update(&p, 0, VA(20) + RING_BYTES, RING_BYTES, 100), 0);
	assert_int_equal(unmap_one(&p, twice, 0), -EBUSY);
	assert_int_equal(update(&p, 0, VA(20), RING_BYTES, 100), 0);
	assert_int_equal(unmap_one(&p, twice, 0), -EBUSY);
	assert_int_equal(queue_destroy(&p, 0), 0);
	assert_int_equal(unmap_one(&p, twice, 0), 0);
	assert_int_equal(free_mem(&p, twice), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ids_count_from_0_across_gpus),
	cmocka_unit_test(doorbells_follow_the_engines),
	cmocka_unit_test(on_gfx8_the_offset_names_only_the_gpu),
	cmocka_unit_test(numbers_are_checked_in_this_order),
	cmocka_unit_test(only_the_low_byte_is_the_percentage),
	cmocka_unit_test(a_small_ring_is_made_1024_and_told_so),
	cmocka_unit_test(types_above_4_are_not_known),
	cmocka_unit_test(pointers_are_pages_of_their_own),
	cmocka_unit_test(the_ring_is_one_whole_mapping),
	cmocka_unit_test(aql_queues_need_their_save_area),
	cmocka_unit_test(pm4_queues_need_their_save_area),
	cmocka_unit_test(sdma_queues_are_as_many_as_the_engines_have),
	cmocka_unit_test(processes_share_the_sdma_queues),
	cmocka_unit_test(an_engine_can_be_named),
	cmocka_unit_test(a_short_block_of_1_11_still_works),
	cmocka_unit_test(a_process_has_127_queues_on_a_gpu),
	cmocka_unit_test(a_device_has_a_limit_too),
	cmocka_unit_test(a_refused_queue_leaves_nothing),
	cmocka_unit_test(destroying_an_unknown_queue_is_invalid),
	cmocka_unit_test(updates_are_checked_alike),
	cmocka_unit_test(a_new_ring_is_held_and_the_old_one_let_go),
	cmocka_unit_test(a_ring_in_one_half_of_a_buffer_keeps_the_other),
};

UAPI_MAIN(tests)
