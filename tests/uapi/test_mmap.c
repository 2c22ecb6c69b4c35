/* SPDX-License-Identifier: MIT */
/* mmap() of /dev/kfd and of render nodes */
#include <errno.h>
#include "kfd_calls.h"

#define RW (PROT_READ | PROT_WRITE)

static uint64_t kfd_offset(unsigned int type, uint32_t gpu_id)
{
	return (uint64_t)type << 62 | (uint64_t)gpu_id << 46;
}

static int map_kfd(struct prog *p, uint64_t len, uint64_t offset, void **ret)
{
	return uapi_mmap(NULL, len, RW, MAP_SHARED, p->kfd, offset, ret);
}

static void offset_0_is_registers_of_no_gpu(void **state)
{
	struct prog p;
	void *m;

	prog_open(&p);
	assert_int_equal(map_kfd(&p, PAGE, 0, &m), -ENODEV);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(3, 0), &m), -ENODEV);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(3, 1), &m), -ENODEV);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(1, 1), &m), -ENODEV);
}

static void doorbells_are_mapped_whole(void **state)
{
	struct prog p;
	void *m;

	prog_start(&p);
	assert_int_equal(map_kfd(&p, PAGE, kfd_offset(3, p.gpu[0]), &m), -EINVAL);
	assert_int_equal(map_kfd(&p, 4 * PAGE, kfd_offset(3, p.gpu[0]), &m), -EINVAL);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(3, p.gpu[0]), &m), 0);
	((volatile uint64_t *)m)[0x100] = 0;
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(3, p.gpu[1]), &m), 0);
}

static void on_gfx8_doorbells_are_one_page(void **state)
{
	struct prog p;
	void *m;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(3, p.gpu[0]), &m), -EINVAL);
	assert_int_equal(map_kfd(&p, PAGE, kfd_offset(3, p.gpu[0]), &m), 0);
}

static void registers_are_one_page(void **state)
{
	struct prog p;
	void *m;

	prog_start(&p);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(0, p.gpu[1]), &m), -EINVAL);
	assert_int_equal(map_kfd(&p, PAGE, kfd_offset(0, p.gpu[1]), &m), 0);
	*(volatile uint32_t *)m = 1; /* a flush: taken, and no more */
}

static void the_trap_handlers_pages_are_not_to_be_had(void **state)
{
	struct prog p;
	void *m;

	prog_start(&p);
	assert_int_equal(map_kfd(&p, PAGE, kfd_offset(1, p.gpu[0]), &m), -EINVAL);
	assert_int_equal(map_kfd(&p, 2 * PAGE, kfd_offset(1, p.gpu[0]), &m), -ENOMEM);
}

static void an_event_page_must_be_there(void **state)
{
	struct prog p;
	void *m;

	prog_start(&p);
	assert_int_equal(map_kfd(&p, 32768, kfd_offset(2, 0), &m), -EINVAL);
	event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(map_kfd(&p, 65536, kfd_offset(2, 0), &m), -EINVAL);
	assert_int_equal(map_kfd(&p, 32768, kfd_offset(2, 0), &m), 0);
	/* The whole page is there now, and all its slots. */
	for (uint32_t i = 2; i <= 4095; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), i);
}

/* Who maps less of it than he has events gets no more, but for ids that are free down there. */
static void fewer_slots_than_events_leave_the_free_ones_below(void **state)
{
	struct kfd_ioctl_create_event_args a = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct kfd_ioctl_destroy_event_args destroy = { .event_id = 7 };
	struct prog p;
	void *m;

	prog_start(&p);
	event(&p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(map_kfd(&p, 32768, kfd_offset(2, 0), &m), 0);
	for (uint32_t i = 2; i <= 600; i++)
		assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), i);
	assert_int_equal(map_kfd(&p, PAGE, kfd_offset(2, 0), &m), 0);
	assert_int_equal(uapi_ioctl(p.kfd, K_CREATE_EVENT, &a), -ENOSPC);
	assert_int_equal(uapi_ioctl(p.kfd, K_DESTROY_EVENT, &destroy), 0);
	assert_int_equal(event(&p, KFD_IOC_EVENT_SIGNAL, true), 7);
	assert_int_equal(uapi_ioctl(p.kfd, K_CREATE_EVENT, &a), -ENOSPC);
}

static int map_in_child(int fd)
{
	struct prog p = { .kfd = fd };
	void *m;

	return map_kfd(&p, 2 * PAGE, kfd_offset(3, 1), &m);
}

static void a_child_without_a_process_cannot_map(void **state)
{
	struct prog p;

	UAPI_SHIM_DIFFERS();
	prog_start(&p);
	assert_int_equal(uapi_in_child(map_in_child, p.kfd), -EINVAL);
}

static void a_buffer_has_bytes_and_keeps_them(void **state)
{
	struct prog p;
	uint64_t handle, offset = 0;
	volatile char *a, *b;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * PAGE, F_VRAM | F_WRITE | F_PUBLIC, &handle,
				   &offset), 0);
	assert_int_equal(uapi_mmap(NULL, 2 * PAGE, RW, MAP_SHARED, p.render[0], offset,
				   (void **)&a), 0);
	assert_int_equal(uapi_mmap(NULL, 2 * PAGE, RW, MAP_SHARED, p.render[0], offset,
				   (void **)&b), 0);
	assert_int_equal(a[PAGE], 0);
	a[PAGE + 5] = 42;
	assert_int_equal(b[PAGE + 5], 42);
}

/* Memory that was freed comes back as zeros, whoever had it. */
static void a_new_buffer_reads_as_zeros(void **state)
{
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t handle, offset = 0;
		volatile uint64_t *m;

		assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * MIB, F_VRAM | F_WRITE, &handle,
					   &offset), 0);
		assert_int_equal(uapi_mmap(NULL, 4 * MIB, RW, MAP_SHARED, p.render[0], offset,
					   (void **)&m), 0);
		for (unsigned int w = 0; w < 4 * MIB / 8; w += 512) {
			assert_int_equal(m[w], 0);
			m[w] = ~0ull;
		}
		assert_int_equal(munmap((void *)(uintptr_t)m, 4 * MIB), 0);
		assert_int_equal(free_mem(&p, handle), 0);
	}
}

static void only_its_own_file_can_map_a_buffer(void **state)
{
	struct prog p;
	uint64_t handle, offset = 0;
	int other;
	void *m;

	prog_start(&p);
	other = uapi_open_render(0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, other, offset, &m), -EACCES);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, uapi_dup(p.render[0]), offset, &m),
			 0);
}

static void user_memory_and_doorbells_have_no_mapping_there(void **state)
{
	static char memory[PAGE] __attribute__((aligned(PAGE)));
	struct prog p;
	uint64_t handle, offset = (uintptr_t)memory;
	void *m;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_USERPTR, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, p.render[0], offset, &m), -EPERM);
	offset = 0;
	assert_int_equal(alloc_mem(&p, 0, VA(2), 2 * PAGE, F_DOORBELL, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, 2 * PAGE, RW, MAP_SHARED, p.render[0], offset, &m),
			 -EPERM);
}

static void an_offset_is_good_while_its_buffer_is(void **state)
{
	struct prog p;
	uint64_t handle, offset = 0;
	void *m;

	prog_start(&p);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, p.render[0], 1ull << 32, &m),
			 -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, 2 * PAGE, RW, MAP_SHARED, p.render[0], offset, &m),
			 -EINVAL);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, p.render[0], offset, &m), -EINVAL);
}

static void a_part_can_be_mapped_from_its_start_only(void **state)
{
	uint64_t handle, offset = 0;
	struct prog p;
	void *m;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * PAGE, F_VRAM, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, 2 * PAGE, RW, MAP_SHARED, p.render[0], offset, &m), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_SHARED, p.render[0], offset + PAGE, &m),
			 -EINVAL);
}

/* The thunk reserves addresses for invisible VRAM so. */
static void private_mappings_must_be_unusable(void **state)
{
	struct prog p;
	uint64_t handle, offset = 0;
	void *m;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, RW, MAP_PRIVATE, p.render[0], offset, &m), -EINVAL);
	assert_int_equal(uapi_mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE, p.render[0], offset, &m), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(offset_0_is_registers_of_no_gpu),
	cmocka_unit_test(doorbells_are_mapped_whole),
	cmocka_unit_test(on_gfx8_doorbells_are_one_page),
	cmocka_unit_test(registers_are_one_page),
	cmocka_unit_test(the_trap_handlers_pages_are_not_to_be_had),
	cmocka_unit_test(an_event_page_must_be_there),
	cmocka_unit_test(fewer_slots_than_events_leave_the_free_ones_below),
	cmocka_unit_test(a_child_without_a_process_cannot_map),
	cmocka_unit_test(a_buffer_has_bytes_and_keeps_them),
	cmocka_unit_test(a_new_buffer_reads_as_zeros),
	cmocka_unit_test(only_its_own_file_can_map_a_buffer),
	cmocka_unit_test(user_memory_and_doorbells_have_no_mapping_there),
	cmocka_unit_test(an_offset_is_good_while_its_buffer_is),
	cmocka_unit_test(a_part_can_be_mapped_from_its_start_only),
	cmocka_unit_test(private_mappings_must_be_unusable),
};

UAPI_MAIN(tests)
