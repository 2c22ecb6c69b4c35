/* SPDX-License-Identifier: MIT */
/* MAP and UNMAP */
#include <errno.h>
#include <string.h>
#include "kfd_calls.h"

static uint64_t vram(struct prog *p, unsigned int gpu, uint64_t va, uint64_t size)
{
	uint64_t handle;

	assert_int_equal(alloc_mem(p, gpu, va, size, F_VRAM | F_WRITE, &handle, NULL), 0);
	return handle;
}

static void maps_to_every_gpu_of_the_array(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	prog_start(&p);
	handle = vram(&p, 0, VA(1), 4 * MIB);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 2, &done), 0);
	assert_int_equal(done, 2);
	done = 0;
	assert_int_equal(unmap_gpus(&p, handle, p.gpu, 2, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void an_empty_array_is_invalid(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 0, &done), -EINVAL);
	assert_int_equal(unmap_gpus(&p, handle, p.gpu, 0, &done), -EINVAL);
}

static void more_done_than_asked_for_is_invalid(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 3;

	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 2, &done), -EINVAL);
	assert_int_equal(done, 3);
	assert_int_equal(unmap_gpus(&p, handle, p.gpu, 2, &done), -EINVAL);
}

static void an_array_nobody_can_read_is_a_fault(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, NULL, 1, &done), -EFAULT);
	assert_int_equal(unmap_gpus(&p, handle, (void *)16, 1, &done), -EFAULT);
	/* Before the handle is looked at. */
	assert_int_equal(map_gpus(&p, 12345, NULL, 1, &done), -EFAULT);
}

static void an_array_beyond_all_reason_is_no_memory(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, UINT32_MAX, &done), -ENOMEM);
}

static void an_unknown_handle_is_no_memory(void **state)
{
	struct prog p;
	uint32_t done = 0;
	uint64_t none;

	prog_start(&p);
	none = (uint64_t)p.gpu[0] << 32 | 77;
	assert_int_equal(map_gpus(&p, none, p.gpu, 1, &done), -ENOMEM);
	assert_int_equal(unmap_gpus(&p, none, p.gpu, 1, &done), -ENOMEM);
	assert_int_equal(map_gpus(&p, 77, p.gpu, 1, &done), -EINVAL);
	assert_int_equal(unmap_gpus(&p, 77, p.gpu, 1, &done), -EINVAL);
}

static void mapping_twice_changes_nothing(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t ids[3], done = 0;

	prog_start(&p);
	ids[0] = ids[1] = ids[2] = p.gpu[0];
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, ids, 3, &done), 0);
	assert_int_equal(done, 3);
	assert_int_equal(map_one(&p, handle, 0), 0);
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void unmapping_twice_is_invalid(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t ids[2], done = 0;

	prog_start(&p);
	ids[0] = ids[1] = p.gpu[0];
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(unmap_one(&p, handle, 0), -EINVAL);
	assert_int_equal(map_one(&p, handle, 0), 0);
	assert_int_equal(unmap_gpus(&p, handle, ids, 2, &done), -EINVAL);
	assert_int_equal(done, 1);
	/* Told how far it got, the same call succeeds. */
	done = 2;
	assert_int_equal(unmap_gpus(&p, handle, ids, 2, &done), 0);
	assert_int_equal(unmap_one(&p, handle, 1), -EINVAL);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void a_refused_gpu_leaves_the_earlier_ones_mapped(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t ids[3], done = 0;

	prog_start(&p);
	ids[0] = p.gpu[1];
	ids[1] = 0;
	ids[2] = p.gpu[0];
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, ids, 3, &done), -EINVAL);
	assert_int_equal(done, 1);
	ids[1] = p.gpu[0];
	assert_int_equal(map_gpus(&p, handle, ids, 2, &done), 0);
	assert_int_equal(done, 2);
	done = 0;
	assert_int_equal(unmap_gpus(&p, handle, ids, 2, &done), 0);
}

static void n_success_skips_what_is_done(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 1;

	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 2, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(unmap_one(&p, handle, 0), -EINVAL);
	assert_int_equal(unmap_one(&p, handle, 1), 0);
	/* All done: nothing is looked at but the buffer. */
	done = 2;
	assert_int_equal(map_gpus(&p, handle, (uint32_t[]){ 7, 8 }, 2, &done), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void a_peer_without_a_vm_is_no_device(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	prog_open(&p);
	p.render[0] = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, p.render[0]), 0);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 2, &done), -ENODEV);
	assert_int_equal(done, 1);
}

/* UNMAP does not ask for a VM: what is not there is just not there. */
static void without_a_vm_only_map_finds_no_device(void **state)
{
	struct prog p;
	uint64_t none;
	uint32_t done = 0;

	prog_open(&p);
	none = (uint64_t)p.gpu[0] << 32;
	assert_int_equal(map_gpus(&p, none, p.gpu, 1, &done), -ENODEV);
	assert_int_equal(unmap_gpus(&p, none, p.gpu, 1, &done), -ENOMEM);
	assert_int_equal(free_mem(&p, none), -EINVAL);
	p.render[0] = uapi_open_render(0);
	assert_int_equal(acquire_vm(&p, 0, p.render[0]), 0);
	none = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(unmap_gpus(&p, none, p.gpu + 1, 1, &done), -EINVAL);
}

static void addresses_are_checked_here(void **state)
{
	static const struct {
		uint64_t va, size;
	} bad[] = {
		{ 0, PAGE },
		{ VA(1) + 1, PAGE },
		{ VA(1) + 2048, PAGE },
		{ UINT64_MAX - PAGE + 1, PAGE },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE },
		{ 1ull << 48, PAGE },
		{ (1ull << 48) - PAGE, 2 * PAGE },
	};
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t handle = vram(&p, 0, bad[i].va, bad[i].size);

		assert_int_equal(map_one(&p, handle, 0), -EINVAL);
		assert_int_equal(free_mem(&p, handle), 0);
	}
}

/* Neither the aperture's bounds nor the hole in the middle are looked at. */
static void any_page_of_48_bits_will_do(void **state)
{
	static const uint64_t good[] = { 0x4000, 0x8000, 0x7ffffffff000, 0x800000000000,
					 0xf00000000000, (1ull << 48) - PAGE };
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(map_one(&p, vram(&p, 0, good[i], PAGE), 0), 0);
}

static void the_drivers_own_pages_are_taken(void **state)
{
	uint64_t top = (1ull << 48) - 4 * MIB - 65536;
	const uint64_t taken[] = { 0x1000, top, top + PAGE };
	struct prog p;

	prog_start(&p);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(map_one(&p, vram(&p, 0, taken[i], PAGE), 0), -EINVAL);
	assert_int_equal(map_one(&p, vram(&p, 0, top - PAGE, PAGE), 0), 0);
	assert_int_equal(map_one(&p, vram(&p, 0, top + 2 * PAGE, PAGE), 0), 0);
}

static void on_gfx8_the_trap_handler_is_low(void **state)
{
	struct prog p;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	assert_int_equal(map_one(&p, vram(&p, 0, 0x2000, PAGE), 0), -EINVAL);
	assert_int_equal(map_one(&p, vram(&p, 0, 0x3000, PAGE), 0), -EINVAL);
	assert_int_equal(map_one(&p, vram(&p, 0, 0x4000, PAGE), 0), 0);
	assert_int_equal(map_one(&p, vram(&p, 0, (1ull << 40) - PAGE, PAGE), 0), 0);
	assert_int_equal(map_one(&p, vram(&p, 0, 1ull << 40, PAGE), 0), -EINVAL);
}

static void mappings_of_one_vm_never_overlap(void **state)
{
	struct prog p;
	uint64_t a, b, c;

	prog_start(&p);
	a = vram(&p, 0, VA(1), 4 * PAGE);
	b = vram(&p, 0, VA(1) + 3 * PAGE, 4 * PAGE);
	c = vram(&p, 1, VA(1) + 3 * PAGE, PAGE);
	assert_int_equal(map_one(&p, a, 0), 0);
	assert_int_equal(map_one(&p, b, 0), -EINVAL);
	/* Another GPU's VM is another space. */
	assert_int_equal(map_one(&p, b, 1), 0);
	assert_int_equal(map_one(&p, c, 1), -EINVAL);
	assert_int_equal(unmap_one(&p, a, 0), 0);
	assert_int_equal(map_one(&p, b, 0), 0);
}

static void an_aql_buffer_is_mapped_twice_in_a_row(void **state)
{
	struct prog p;
	uint64_t ring, inside, after;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 8 * PAGE, F_GTT | F_AQL, &ring, NULL), 0);
	inside = vram(&p, 0, VA(1) + 4 * PAGE, PAGE);
	after = vram(&p, 0, VA(1) + 8 * PAGE, PAGE);
	assert_int_equal(map_one(&p, ring, 0), 0);
	assert_int_equal(map_one(&p, inside, 0), -EINVAL);
	assert_int_equal(map_one(&p, after, 0), 0);
	assert_int_equal(unmap_one(&p, ring, 0), 0);
	assert_int_equal(map_one(&p, inside, 0), 0);
	/* The second half has no room now; the first stays, and the buffer with it. */
	assert_int_equal(map_one(&p, ring, 0), -EINVAL);
	assert_int_equal(free_mem(&p, ring), -EBUSY);
	assert_int_equal(unmap_one(&p, inside, 0), 0);
	assert_int_equal(map_one(&p, ring, 0), 0);
	assert_int_equal(unmap_one(&p, ring, 0), 0);
	assert_int_equal(free_mem(&p, ring), 0);
}

static void vram_without_peer_access_stays_at_home(void **state)
{
	static const char *const sets[] = { "gpu.p2p=false" };
	struct prog p;
	uint64_t handle, offset = 0;
	uint32_t done = 0;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 2, &done), -EINVAL);
	assert_int_equal(done, 1);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 2 * PAGE, F_DOORBELL, &handle, &offset), 0);
	assert_int_equal(map_one(&p, handle, 1), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(3), PAGE, F_GTT, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 1), 0);
}

static void a_small_bar_cannot_be_reached_either(void **state)
{
	static const char *const sets[] = { "gpu.0.visible_vram=256MiB" };
	struct prog p;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	assert_int_equal(map_one(&p, vram(&p, 0, VA(1), PAGE), 1), -EINVAL);
	assert_int_equal(map_one(&p, vram(&p, 1, VA(2), PAGE), 0), 0);
}

static void a_hive_needs_no_peer_access(void **state)
{
	struct prog p;
	uint32_t done = 0;

	UAPI_NEED_MACHINE("mi250x");
	prog_start(&p);
	assert_int_equal(map_gpus(&p, vram(&p, 0, VA(1), PAGE), p.gpu, p.n_gpus, &done), 0);
}

static void a_refused_gpu_in_the_middle_tells_how_far_it_got(void **state)
{
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	UAPI_NEED_MACHINE("mi210x8");
	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	if (!uapi_fault("kfd.map:arg=2,errno=ENOMEM,count=1"))
		skip();
	assert_int_equal(map_gpus(&p, handle, p.gpu, 4, &done), -ENOMEM);
	assert_int_equal(done, 2);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 4, &done), 0);
	assert_int_equal(done, 4);
}

static void transactional_is_all_or_nothing(void **state)
{
	static const char *const sets[] = { "kfd.map=transactional" };
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	UAPI_NEED_SETS("mi210x8", sets);
	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_one(&p, handle, 1), 0);
	uapi_fault("kfd.map:arg=3,errno=ENOMEM,count=1");
	assert_int_equal(map_gpus(&p, handle, p.gpu, 4, &done), -ENOMEM);
	assert_int_equal(done, 0);
	assert_int_equal(unmap_one(&p, handle, 0), -EINVAL);
	assert_int_equal(unmap_one(&p, handle, 2), -EINVAL);
	/* What was mapped before the call still is. */
	assert_int_equal(unmap_one(&p, handle, 1), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void transactional_success_is_the_same(void **state)
{
	static const char *const sets[] = { "kfd.map=transactional" };
	struct prog p;
	uint64_t handle;
	uint32_t done = 0;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	handle = vram(&p, 0, VA(1), PAGE);
	assert_int_equal(map_gpus(&p, handle, p.gpu, 2, &done), 0);
	assert_int_equal(done, 2);
	assert_int_equal(unmap_one(&p, handle, 1), 0);
}

static void a_queues_buffers_stay_mapped(void **state)
{
	struct prog p;
	struct user_queue q;
	const uint64_t *used[] = { &q.ring, &q.pointers, &q.rptr_page, &q.eop, &q.cwsr };

	prog_start(&p);
	queue_prepare(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 1, &q);
	assert_int_equal(queue_create(&p, &q), 0);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(unmap_one(&p, *used[i], 0), -EBUSY);
		assert_int_equal(free_mem(&p, *used[i]), -EBUSY);
	}
	assert_int_equal(queue_destroy(&p, q.args.queue_id), 0);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(unmap_one(&p, *used[i], 0), 0);
		assert_int_equal(free_mem(&p, *used[i]), 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(maps_to_every_gpu_of_the_array),
	cmocka_unit_test(an_empty_array_is_invalid),
	cmocka_unit_test(more_done_than_asked_for_is_invalid),
	cmocka_unit_test(an_array_nobody_can_read_is_a_fault),
	cmocka_unit_test(an_array_beyond_all_reason_is_no_memory),
	cmocka_unit_test(an_unknown_handle_is_no_memory),
	cmocka_unit_test(mapping_twice_changes_nothing),
	cmocka_unit_test(unmapping_twice_is_invalid),
	cmocka_unit_test(a_refused_gpu_leaves_the_earlier_ones_mapped),
	cmocka_unit_test(n_success_skips_what_is_done),
	cmocka_unit_test(a_peer_without_a_vm_is_no_device),
	cmocka_unit_test(without_a_vm_only_map_finds_no_device),
	cmocka_unit_test(addresses_are_checked_here),
	cmocka_unit_test(any_page_of_48_bits_will_do),
	cmocka_unit_test(the_drivers_own_pages_are_taken),
	cmocka_unit_test(on_gfx8_the_trap_handler_is_low),
	cmocka_unit_test(mappings_of_one_vm_never_overlap),
	cmocka_unit_test(an_aql_buffer_is_mapped_twice_in_a_row),
	cmocka_unit_test(vram_without_peer_access_stays_at_home),
	cmocka_unit_test(a_small_bar_cannot_be_reached_either),
	cmocka_unit_test(a_hive_needs_no_peer_access),
	cmocka_unit_test(a_refused_gpu_in_the_middle_tells_how_far_it_got),
	cmocka_unit_test(transactional_is_all_or_nothing),
	cmocka_unit_test(transactional_success_is_the_same),
	cmocka_unit_test(a_queues_buffers_stay_mapped),
};

UAPI_MAIN(tests)
