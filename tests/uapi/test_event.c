/* SPDX-License-Identifier: MIT */
/* CREATE, DESTROY, SET, RESET */
#include <errno.h>
#include "kfd_calls.h"

static int create(struct prog *p, uint64_t page, uint32_t type,
		  struct kfd_ioctl_create_event_args *ret)
{
	*ret = (struct kfd_ioctl_create_event_args){
		.event_page_offset = page, .event_type = type, .auto_reset = 1
	};
	return uapi_ioctl(p->kfd, K_CREATE_EVENT, ret);
}

static void signals_count_from_1_and_are_slots(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;

	prog_start(&p);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(create(&p, 0, KFD_IOC_EVENT_SIGNAL, &a), 0);
		assert_int_equal(a.event_id, i);
		assert_int_equal(a.event_slot_index, i);
		assert_int_equal(a.event_trigger_data, i);
		assert_int_equal(a.event_page_offset, 2ull << 62);
	}
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_DEBUG_EVENT, &a), 0);
	assert_int_equal(a.event_id, 4);
}

static void others_count_from_0x40000000_and_have_no_page(void **state)
{
	static const uint32_t types[] = { 1, 2, 3, 4, 6, 7, 8, 99 };
	struct kfd_ioctl_create_event_args a;
	struct prog p;

	prog_start(&p);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(create(&p, 0, types[i], &a), 0);
		assert_int_equal(a.event_id, 0x40000000 + i);
		assert_int_equal(a.event_page_offset, 0);
	}
}

static void no_program_has_more_than_65536_others(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;

	prog_start(&p);
	for (uint32_t i = 0; i < 65536; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_MEMORY, true), 0x40000000 + i);
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_HW_EXCEPTION, &a), -ENOSPC);
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_SIGNAL, &a), 0);
}

static void the_lowest_free_id_is_used_again(void **state)
{
	struct kfd_ioctl_destroy_event_args destroy = { .event_id = 2 };
	struct prog p;

	prog_start(&p);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), i);
	assert_int_equal(uapi_ioctl(p.kfd, K_DESTROY_EVENT, &destroy), 0);
	assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), 2);
}

static void without_a_page_there_are_255(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;

	prog_start(&p);
	for (uint32_t i = 1; i <= 255; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), i);
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_SIGNAL, &a), -ENOSPC);
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_MEMORY, &a), 0);
}

static void with_a_page_there_are_4095(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;

	prog_start(&p);
	event_page(&p);
	for (uint32_t i = 1; i <= 4095; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), i);
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_SIGNAL, &a), -ENOSPC);
}

static void a_larger_page_has_more(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 1, VA(1), 65536, F_GTT, &handle, NULL), 0);
	assert_int_equal(create(&p, handle, KFD_IOC_EVENT_SIGNAL, &a), 0);
	for (uint32_t i = 2; i <= 8191; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), i);
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_SIGNAL, &a), -ENOSPC);
}

static void a_page_must_be_a_buffer_of_32_kib(void **state)
{
	static char memory[32768] __attribute__((aligned(PAGE)));
	struct kfd_ioctl_create_event_args a;
	struct prog p;
	uint64_t small, user, offset = (uintptr_t)memory;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 32768 - PAGE, F_GTT, &small, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 32768, F_USERPTR, &user, &offset), 0);
	assert_int_equal(create(&p, small, KFD_IOC_EVENT_MEMORY, &a), -EINVAL);
	assert_int_equal(create(&p, user, KFD_IOC_EVENT_MEMORY, &a), -EINVAL);
	assert_int_equal(create(&p, 4711, KFD_IOC_EVENT_MEMORY, &a), -EINVAL);
	assert_int_equal(create(&p, user + 7, KFD_IOC_EVENT_MEMORY, &a), -EINVAL);
	event_page(&p);
}

static void a_page_is_given_once(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	handle = event_page(&p);
	assert_int_equal(create(&p, handle, KFD_IOC_EVENT_MEMORY, &a), -EINVAL);
	assert_int_equal(create(&p, 4711, KFD_IOC_EVENT_MEMORY, &a), -EINVAL);
}

static void a_page_comes_too_late_after_the_first_signal(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), 1);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 32768, F_GTT, &handle, NULL), 0);
	assert_int_equal(create(&p, handle, KFD_IOC_EVENT_SIGNAL, &a), -EINVAL);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void unknown_events_are_invalid(void **state)
{
	static const uint32_t ids[] = { 0, 1, 4096, 0x3fffffff, 0x40000000, UINT32_MAX };
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < 6; i++) {
		struct kfd_ioctl_destroy_event_args args = { .event_id = ids[i] };

		assert_int_equal(uapi_ioctl(p.kfd, K_DESTROY_EVENT, &args), -EINVAL);
		assert_int_equal(uapi_ioctl(p.kfd, K_SET_EVENT, &args), -EINVAL);
		assert_int_equal(uapi_ioctl(p.kfd, K_RESET_EVENT, &args), -EINVAL);
	}
}

static void only_signals_can_be_set_and_reset(void **state)
{
	static const uint32_t types[] = { 1, 3, 5, 8 };
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < 4; i++) {
		struct kfd_ioctl_reset_event_args reset = { .event_id = event(&p, types[i], true) };

		assert_int_equal(set_event(&p, reset.event_id), -EINVAL);
		assert_int_equal(uapi_ioctl(p.kfd, K_RESET_EVENT, &reset), -EINVAL);
	}
}

static void a_reset_event_is_not_signalled(void **state)
{
	struct kfd_ioctl_reset_event_args reset;
	struct prog p;
	uint32_t result;

	prog_start(&p);
	reset.event_id = event(&p, KFD_IOC_EVENT_SIGNAL, false);
	assert_int_equal(set_event(&p, reset.event_id), 0);
	assert_int_equal(wait_event(&p, reset.event_id, 0, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(uapi_ioctl(p.kfd, K_RESET_EVENT, &reset), 0);
	assert_int_equal(wait_event(&p, reset.event_id, 0, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_TIMEOUT);
}

static void a_refused_event_takes_no_id(void **state)
{
	struct kfd_ioctl_create_event_args a;
	struct prog p;

	prog_start(&p);
	if (!uapi_fault("kfd.event_create:errno=ENOMEM,count=1"))
		skip();
	assert_int_equal(create(&p, 0, KFD_IOC_EVENT_SIGNAL, &a), -ENOMEM);
	assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(signals_count_from_1_and_are_slots),
	cmocka_unit_test(others_count_from_0x40000000_and_have_no_page),
	cmocka_unit_test(no_program_has_more_than_65536_others),
	cmocka_unit_test(the_lowest_free_id_is_used_again),
	cmocka_unit_test(without_a_page_there_are_255),
	cmocka_unit_test(with_a_page_there_are_4095),
	cmocka_unit_test(a_larger_page_has_more),
	cmocka_unit_test(a_page_must_be_a_buffer_of_32_kib),
	cmocka_unit_test(a_page_is_given_once),
	cmocka_unit_test(a_page_comes_too_late_after_the_first_signal),
	cmocka_unit_test(unknown_events_are_invalid),
	cmocka_unit_test(only_signals_can_be_set_and_reset),
	cmocka_unit_test(a_reset_event_is_not_signalled),
	cmocka_unit_test(a_refused_event_takes_no_id),
};

UAPI_MAIN(tests)
