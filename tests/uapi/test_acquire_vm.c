/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include "kfd_calls.h"

static void a_bad_descriptor_is_invalid(void **state)
{
	struct prog p;

	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, -1), -EINVAL);
	assert_int_equal(acquire_vm(&p, 0, 999), -EINVAL);
}

static void a_descriptor_of_something_else_is_invalid(void **state)
{
	struct prog p;

	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, p.kfd), -EINVAL);
}

static void an_unknown_gpu_is_invalid(void **state)
{
	struct prog p;
	struct kfd_ioctl_acquire_vm_args args = { 0 };

	prog_open(&p);
	args.drm_fd = (uint32_t)uapi_open_render(0);
	assert_int_equal(uapi_ioctl(p.kfd, K_ACQUIRE_VM, &args), -EINVAL);
	args.gpu_id = 0x10000 | p.gpu[0];
	assert_int_equal(uapi_ioctl(p.kfd, K_ACQUIRE_VM, &args), -EINVAL);
}

static void the_same_file_again_is_fine(void **state)
{
	struct prog p;
	int fd, copy;

	prog_open(&p);
	fd = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
	copy = uapi_dup(fd);
	assert_true(copy >= 0);
	assert_int_equal(uapi_close(fd), 0);
	assert_int_equal(acquire_vm(&p, 0, copy), 0);
}

static void another_open_of_the_node_is_busy(void **state)
{
	struct prog p;

	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, uapi_open_render(0)), 0);
	assert_int_equal(acquire_vm(&p, 0, uapi_open_render(0)), -EBUSY);
}

static void any_other_file_is_busy_once_there_is_one(void **state)
{
	struct prog p;

	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, p.kfd), -EINVAL);
	assert_int_equal(acquire_vm(&p, 0, uapi_open_render(0)), 0);
	assert_int_equal(acquire_vm(&p, 0, p.kfd), -EBUSY);
	assert_int_equal(acquire_vm(&p, 0, uapi_open_card(0)), -EBUSY);
	/* But a file it must be. */
	assert_int_equal(acquire_vm(&p, 0, -1), -EINVAL);
	assert_int_equal(acquire_vm(&p, 0, 999), -EINVAL);
}

static void the_card_will_do_as_well(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, uapi_open_card(0)), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
}

static int take_inherited(int fd)
{
	struct prog p;

	prog_open(&p);
	return acquire_vm(&p, 0, fd);
}

static void a_file_that_another_process_took_is_invalid(void **state)
{
	struct prog p;
	int fd;

	prog_open(&p);
	fd = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
	assert_int_equal(uapi_in_child(take_inherited, fd), -EINVAL);
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
}

static void one_file_serves_one_gpu_only(void **state)
{
	struct prog p;
	int fd;

	prog_open(&p);
	fd = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
	assert_int_equal(acquire_vm(&p, 1, fd), -EINVAL);
	assert_int_equal(acquire_vm(&p, 1, uapi_open_render(1)), 0);
}

/* Nobody checks that the node belongs to the GPU that is named. */
static void the_node_of_another_gpu_is_taken(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_open(&p);
	assert_int_equal(acquire_vm(&p, 0, uapi_open_render(1)), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
}

static void the_vm_outlives_every_descriptor(void **state)
{
	struct prog p;
	uint64_t handle;
	int fd, kfd;

	prog_open(&p);
	fd = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(uapi_close(fd), 0);
	kfd = uapi_open_kfd();
	assert_int_equal(uapi_close(p.kfd), 0);
	p.kfd = kfd;
	assert_int_equal(map_one(&p, handle, 0), 0);
}

static void without_a_vm_nothing_can_be_bound(void **state)
{
	struct prog p;
	struct kfd_ioctl_set_memory_policy_args policy = { 0 };
	struct kfd_ioctl_set_trap_handler_args trap = { 0 };
	struct kfd_ioctl_set_scratch_backing_va_args scratch = { 0 };
	struct kfd_ioctl_create_event_args ev = { .event_type = 0 };
	struct create_queue q = { .ring_size = 4096, .queue_type = 1 };
	uint32_t done = 0;

	prog_open(&p);
	policy.gpu_id = trap.gpu_id = scratch.gpu_id = q.gpu_id = p.gpu[0];
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, NULL, NULL), -ENODEV);
	assert_int_equal(map_gpus(&p, (uint64_t)p.gpu[0] << 32, p.gpu, 1, &done), -ENODEV);
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_MEMORY_POLICY, &policy), -ESRCH);
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_TRAP_HANDLER, &trap), -ESRCH);
	assert_int_equal(uapi_ioctl(p.kfd, K_SET_SCRATCH, &scratch), -ENODEV);
	assert_int_equal(uapi_ioctl(p.kfd, K_CREATE_QUEUE, &q), -ESRCH);
	ev.event_page_offset = (uint64_t)p.gpu[0] << 32 | 1;
	assert_int_equal(uapi_ioctl(p.kfd, K_CREATE_EVENT, &ev), -ENODEV);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_bad_descriptor_is_invalid),
	cmocka_unit_test(a_descriptor_of_something_else_is_invalid),
	cmocka_unit_test(an_unknown_gpu_is_invalid),
	cmocka_unit_test(the_same_file_again_is_fine),
	cmocka_unit_test(another_open_of_the_node_is_busy),
	cmocka_unit_test(any_other_file_is_busy_once_there_is_one),
	cmocka_unit_test(the_card_will_do_as_well),
	cmocka_unit_test(a_file_that_another_process_took_is_invalid),
	cmocka_unit_test(one_file_serves_one_gpu_only),
	cmocka_unit_test(the_node_of_another_gpu_is_taken),
	cmocka_unit_test(the_vm_outlives_every_descriptor),
	cmocka_unit_test(without_a_vm_nothing_can_be_bound),
};

UAPI_MAIN(tests)
