/* SPDX-License-Identifier: MIT */
/* ALLOC, FREE, AVAILABLE_MEMORY */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "kfd_calls.h"

static void the_first_handle_is_number_0_of_its_gpu(void **state)
{
	struct prog p;
	uint64_t a, b;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 1, VA(1), PAGE, F_VRAM, &a, NULL), 0);
	assert_int_equal(a, (uint64_t)p.gpu[1] << 32);
	assert_int_equal(alloc_mem(&p, 1, VA(2), PAGE, F_GTT, &b, NULL), 0);
	assert_int_equal(b, a + 1);
	assert_int_equal(alloc_mem(&p, 0, VA(3), PAGE, F_GTT, &b, NULL), 0);
	assert_int_equal(b, (uint64_t)p.gpu[0] << 32);
}

static void the_lowest_free_number_is_used_again(void **state)
{
	struct prog p;
	uint64_t h[3], again;

	prog_start(&p);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(alloc_mem(&p, 0, VA(i), PAGE, F_VRAM, &h[i], NULL), 0);
	assert_int_equal(free_mem(&p, h[1]), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &again, NULL), 0);
	assert_int_equal(again, h[1]);
}

static void size_0_is_invalid_before_the_gpu_is_looked_at(void **state)
{
	struct prog p;
	struct kfd_ioctl_alloc_memory_of_gpu_args args = { .flags = F_VRAM };

	prog_open(&p);
	args.gpu_id = p.gpu[0];
	assert_int_equal(uapi_ioctl(p.kfd, K_ALLOC, &args), -EINVAL);
	args.size = PAGE;
	assert_int_equal(uapi_ioctl(p.kfd, K_ALLOC, &args), -ENODEV);
	args.gpu_id = 0;
	assert_int_equal(uapi_ioctl(p.kfd, K_ALLOC, &args), -EINVAL);
}

static void a_buffer_must_be_of_some_kind(void **state)
{
	struct prog p;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, 0, NULL, NULL), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_WRITE | F_EXEC, NULL, NULL), -EINVAL);
}

static void address_and_unknown_flags_are_not_looked_at(void **state)
{
	struct prog p;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, 0, PAGE, F_VRAM, NULL, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, 0, PAGE, F_GTT, NULL, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, 12345, 777, F_VRAM, NULL, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, UINT64_MAX - PAGE, PAGE, F_GTT, NULL, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM | 1u << 20 | 1u << 10, NULL, NULL),
			 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, NULL, NULL), 0);
}

static void a_user_buffer_needs_an_address(void **state)
{
	static char memory[PAGE] __attribute__((aligned(PAGE)));
	struct prog p;
	uint64_t offset = 0;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_USERPTR, NULL, &offset), -EINVAL);
	offset = (uintptr_t)memory;
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_USERPTR | F_WRITE, NULL, &offset), 0);
	offset = (uintptr_t)memory + 100;
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_USERPTR | F_WRITE, NULL, &offset), 0);
}

static void a_user_buffer_outside_of_user_space_is_a_fault(void **state)
{
	struct prog p;
	uint64_t offset = UINT64_MAX - 4095;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_USERPTR, NULL, &offset), -EFAULT);
	offset = 0x7ffffffff000;
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_USERPTR, NULL, &offset), -EFAULT);
	offset = 0x7fffffffe000;
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * PAGE, F_USERPTR, NULL, &offset), -EFAULT);
}

/* Far below all else. The system fills the highest gap there is, so a hole in it stays one while other
 * threads map memory. */
static char *map_apart(size_t bytes)
{
	char *top = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(top, MAP_FAILED);
	munmap(top, bytes);
	for (unsigned int i = 34; i < 46; i++) {
		char *at = mmap(top - (UINT64_C(1) << i), bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (at != MAP_FAILED)
			return at;
	}
	fail_msg("there is no room for a mapping apart");
	return NULL;
}

static void a_user_buffer_needs_memory_that_can_be_written(void **state)
{
	struct prog p;
	char *mem = map_apart(4 * PAGE);
	uint64_t at = (uintptr_t)mem;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * PAGE, F_USERPTR, NULL, &at), 0);
	/* A hole in the middle, and then behind the end. */
	assert_int_equal(munmap(mem + PAGE, PAGE), 0);
	at = (uintptr_t)mem;
	assert_int_equal(alloc_mem(&p, 0, VA(2), 4 * PAGE, F_USERPTR, NULL, &at), -EFAULT);
	at = (uintptr_t)mem;
	assert_int_equal(alloc_mem(&p, 0, VA(2), 2 * PAGE, F_USERPTR, NULL, &at), -EFAULT);
	/* Asked for read-only or not: the kernel always wants to write. */
	assert_int_equal(mprotect(mem + 3 * PAGE, PAGE, PROT_READ), 0);
	at = (uintptr_t)mem + 3 * PAGE;
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_USERPTR, NULL, &at), -EPERM);
	assert_int_equal(mprotect(mem + 3 * PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_USERPTR, NULL, &at), -EFAULT);
	at = (uintptr_t)mem + 2 * PAGE;
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_USERPTR, NULL, &at), 0);
	/* Not the hole: another thread may have been given it. */
	munmap(mem, PAGE);
	munmap(mem + 2 * PAGE, 2 * PAGE);
}

/* Whatever is wrong, and wherever: the first page that is not good decides. */
static void every_page_of_a_user_buffer_counts(void **state)
{
	char *mem = map_apart(64 * PAGE);
	const uint64_t start = (uintptr_t)mem;
	uint64_t at = start;
	struct prog p;

	prog_start(&p);
	assert_int_equal(mprotect(mem + 40 * PAGE, PAGE, PROT_READ), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 64 * PAGE, F_USERPTR, NULL, &at), -EPERM);
	assert_int_equal(mprotect(mem + 30 * PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 64 * PAGE, F_USERPTR, NULL, &at), -EFAULT);
	assert_int_equal(munmap(mem + 50 * PAGE, PAGE), 0);
	at = start + 31 * PAGE;
	assert_int_equal(alloc_mem(&p, 0, VA(1), 33 * PAGE, F_USERPTR, NULL, &at), -EPERM);
	at = start + 41 * PAGE;
	assert_int_equal(alloc_mem(&p, 0, VA(1), 23 * PAGE, F_USERPTR, NULL, &at), -EFAULT);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 9 * PAGE, F_USERPTR, NULL, &at), 0);
	/* Of an AQL buffer only half is asked for. */
	at = start + 41 * PAGE;
	assert_int_equal(alloc_mem(&p, 0, VA(1), 18 * PAGE, F_USERPTR | F_AQL, NULL, &at), 0);
	/* As many pages as the size fills, wherever in the first one the address is. */
	at = start + 49 * PAGE + 4000;
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_USERPTR, NULL, &at), 0);
	at = start + 49 * PAGE + 4000;
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE + 1, F_USERPTR, NULL, &at), -EFAULT);
	munmap(mem, 50 * PAGE);
	munmap(mem + 51 * PAGE, 13 * PAGE);
}

/* The CPU's view of a buffer is a device's mapping, and not memory of the program. */
static void a_buffer_is_no_user_memory(void **state)
{
	uint64_t handle, offset = 0;
	struct prog p;
	void *m;

	if (!uapi_through_shim())
		skip();
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM | F_PUBLIC, &handle, &offset), 0);
	assert_int_equal(uapi_mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, p.render[0],
				   offset, &m), 0);
	offset = (uintptr_t)m;
	assert_int_equal(alloc_mem(&p, 0, VA(2), PAGE, F_USERPTR, NULL, &offset), -EFAULT);
}

static void doorbells_are_one_slice(void **state)
{
	struct prog p;
	uint64_t offset = 0;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_DOORBELL, NULL, NULL), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * PAGE, F_DOORBELL, NULL, NULL), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * PAGE, F_DOORBELL, NULL, &offset), 0);
	assert_int_not_equal(offset, 0);
}

/* The size is looked at for whatever else is asked for; and then it is VRAM all the same. */
static void doorbells_in_vram_are_vram_of_their_size(void **state)
{
	struct prog p;
	uint64_t before, offset = 0;

	prog_start(&p);
	before = available(&p, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM | F_DOORBELL, NULL, &offset),
			 -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * PAGE, F_VRAM | F_MMIO, NULL, &offset),
			 -EINVAL);
	assert_int_equal(available(&p, 0), before);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * PAGE, F_VRAM | F_DOORBELL, NULL, &offset), 0);
	assert_int_equal(before - available(&p, 0), 2 * MIB);
}

static void registers_are_one_page_and_mapped_through_kfd(void **state)
{
	struct prog p;
	uint64_t offset = 0;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 1, VA(1), 2 * PAGE, F_MMIO, NULL, NULL), -EINVAL);
	assert_int_equal(alloc_mem(&p, 1, VA(1), PAGE, F_MMIO, NULL, &offset), 0);
	assert_int_equal(offset, (uint64_t)p.gpu[1] << 46);
}

static void gfx8_has_no_remapped_registers(void **state)
{
	struct prog p;
	uint64_t offset = 0;

	UAPI_NEED_MACHINE("fiji");
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 2 * PAGE, F_MMIO, NULL, &offset), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_MMIO, NULL, &offset), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_DOORBELL, NULL, &offset), 0);
}

static void vram_wins_over_gtt_over_user(void **state)
{
	struct prog p;
	uint64_t before, offset = 0, handle;

	prog_start(&p);
	before = available(&p, 0);
	/* No address: a user buffer of these flags would be refused. */
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_GTT | F_USERPTR, &handle, &offset), 0);
	assert_int_equal(available(&p, 0), before);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * MIB, F_VRAM | F_USERPTR, &handle, NULL), 0);
	assert_int_equal(before - available(&p, 0), 4 * MIB);
}

static void an_aql_buffer_takes_half(void **state)
{
	struct prog p;
	uint64_t before, handle;

	prog_start(&p);
	before = available(&p, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 1, F_VRAM | F_AQL, NULL, NULL), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 8 * MIB, F_VRAM | F_AQL, &handle, NULL), 0);
	assert_int_equal(before - available(&p, 0), 4 * MIB);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(available(&p, 0), before);
}

static void public_vram_needs_a_large_bar(void **state)
{
	struct prog p;

	UAPI_NEED_MACHINE("vega10-smallbar");
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM | F_PUBLIC, NULL, NULL), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_GTT | F_PUBLIC, NULL, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, NULL, NULL), 0);
}

static void public_is_checked_before_the_vm_is(void **state)
{
	struct prog p;

	UAPI_NEED_MACHINE("vega10-smallbar");
	prog_open(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM | F_PUBLIC, NULL, NULL), -EINVAL);
}

static void beyond_vram_there_is_no_memory(void **state)
{
	struct prog p;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 65 * GIB, F_VRAM, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 1ull << 60, F_VRAM, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), UINT64_MAX, F_VRAM, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), UINT64_MAX, F_GTT, NULL, NULL), -ENOMEM);
}

/* What is available can be had to the last byte, and then nothing more. */
static void the_limit_is_exact(void **state)
{
	struct prog p;
	uint64_t all, handle;

	prog_start(&p);
	all = available(&p, 0);
	assert_in_range(all, 63 * GIB, 64 * GIB);
	assert_int_equal(alloc_mem(&p, 0, VA(1), all, F_VRAM, &handle, NULL), 0);
	assert_int_equal(available(&p, 0), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 4 * MIB, F_VRAM, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 1, VA(2), 2 * MIB, F_VRAM, NULL, NULL), 0);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(available(&p, 0), all);
}

/* The charge is exact to the page; what is told is rounded for each buffer. */
static void small_buffers_count_2_mib_in_what_is_told(void **state)
{
	struct prog p;
	uint64_t before;

	prog_start(&p);
	before = available(&p, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 1, F_VRAM, NULL, NULL), 0);
	assert_int_equal(before - available(&p, 0), 2 * MIB);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 2 * MIB + 1, F_VRAM, NULL, NULL), 0);
	assert_int_equal(before - available(&p, 0), 6 * MIB);
}

static int hog(int fd)
{
	struct prog p;

	prog_start(&p);
	return alloc_mem(&p, 0, VA(1), 40 * GIB, F_VRAM, NULL, NULL);
}

static void processes_share_one_gpu(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 40 * GIB, F_VRAM, &handle, NULL), 0);
	assert_int_equal(uapi_in_child(hog, -1), -ENOMEM);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(uapi_in_child(hog, -1), 0);
}

static void system_memory_has_a_limit(void **state)
{
	static const char *const sets[] = { "limit.system=64MiB" };
	struct prog p;
	uint64_t handle;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 65 * MIB, F_GTT, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 60 * MIB, F_GTT, &handle, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 5 * MIB, F_GTT, NULL, NULL), -ENOMEM);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 60 * MIB, F_GTT, NULL, NULL), 0);
}

static void user_memory_counts_as_system_memory(void **state)
{
	static const char *const sets[] = { "limit.system=64MiB" };
	char *mem = mmap(NULL, 80 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct prog p;
	uint64_t handle, offset = (uintptr_t)mem;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 80 * MIB, F_USERPTR, NULL, &offset), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 40 * MIB, F_USERPTR, &handle, &offset), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 30 * MIB, F_GTT, NULL, NULL), -ENOMEM);
	/* The limit is looked at before the pages are. */
	offset = PAGE;
	assert_int_equal(alloc_mem(&p, 1, VA(2), 30 * MIB, F_USERPTR, NULL, &offset), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 1, VA(2), MIB, F_USERPTR, NULL, &offset), -EFAULT);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(alloc_mem(&p, 1, VA(2), 60 * MIB, F_GTT, NULL, NULL), 0);
	/* What was refused above is not charged; and a buffer of doorbells never is. */
	assert_int_equal(alloc_mem(&p, 0, VA(3), 2 * PAGE, F_DOORBELL, NULL, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(4), 3 * MIB, F_GTT, NULL, NULL), 0);
	munmap(mem, 80 * MIB);
}

static void gtt_has_a_limit_of_its_own(void **state)
{
	static const char *const sets[] = { "limit.ttm=32MiB" };
	char *mem = mmap(NULL, 40 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct prog p;
	uint64_t offset = (uintptr_t)mem, before;

	UAPI_NEED_SETS("mi210x2", sets);
	prog_start(&p);
	before = available(&p, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 33 * MIB, F_GTT, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 33 * MIB, F_USERPTR, NULL, &offset), 0);
	/* Asked for as both it lies in VRAM and is charged as GTT. */
	assert_int_equal(alloc_mem(&p, 0, VA(2), 33 * MIB, F_GTT | F_VRAM, NULL, NULL), -ENOMEM);
	assert_int_equal(alloc_mem(&p, 0, VA(2), 24 * MIB, F_GTT | F_VRAM, NULL, NULL), 0);
	assert_int_equal(available(&p, 0), before);
	assert_int_equal(alloc_mem(&p, 0, VA(3), 10 * MIB, F_GTT, NULL, NULL), -ENOMEM);
	munmap(mem, 40 * MIB);
}

static void what_is_available_is_told_before_there_is_a_vm(void **state)
{
	struct prog p;
	uint64_t before;

	prog_open(&p);
	before = available(&p, 0);
	assert_in_range(before, 63 * GIB, 64 * GIB);
	/* Whoever else uses the GPU counts as well; page tables do not. */
	assert_int_equal(acquire_vm(&p, 0, uapi_open_render(0)), 0);
	assert_int_equal(available(&p, 0), before);
}

static void contiguous_vram_is_a_wish(void **state)
{
	struct prog p;
	uint64_t handle, all;

	prog_start(&p);
	all = available(&p, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 3 * MIB, F_VRAM | F_CONTIGUOUS, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), all, F_VRAM | F_CONTIGUOUS, &handle, NULL), 0);
}

static void an_unknown_gpu_has_no_memory(void **state)
{
	struct kfd_ioctl_get_available_memory_args args = { .gpu_id = 0 };
	int kfd = uapi_open_kfd();

	assert_int_equal(uapi_ioctl(kfd, K_AVAILABLE, &args), -EINVAL);
	args.gpu_id = 1;
	assert_int_equal(uapi_ioctl(kfd, K_AVAILABLE, &args), -EINVAL);
}

static void free_wants_a_handle(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	assert_int_equal(free_mem(&p, (uint64_t)p.gpu[0] << 32), -EINVAL);
	assert_int_equal(free_mem(&p, 5), -EINVAL);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(free_mem(&p, handle | 1ull << 31), -EINVAL);
	assert_int_equal(free_mem(&p, handle), 0);
	assert_int_equal(free_mem(&p, handle), -EINVAL);
}

static void a_mapped_buffer_is_busy(void **state)
{
	struct prog p;
	uint64_t handle;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
	assert_int_equal(map_one(&p, handle, 1), 0);
	assert_int_equal(free_mem(&p, handle), -EBUSY);
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	assert_int_equal(free_mem(&p, handle), -EBUSY);
	assert_int_equal(unmap_one(&p, handle, 1), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static void the_event_page_stays(void **state)
{
	struct prog p;
	uint64_t handle, other;

	prog_start(&p);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_GTT, &other, NULL), 0);
	handle = event_page(&p);
	assert_int_equal(free_mem(&p, handle), -EPERM);
	assert_int_equal(free_mem(&p, other), 0);
}

static void a_refused_allocation_leaves_nothing(void **state)
{
	struct prog p;
	uint64_t before, handle;

	prog_start(&p);
	before = available(&p, 0);
	if (!uapi_fault("kfd.alloc:arg=0,errno=ENOMEM,count=1"))
		skip();
	assert_int_equal(alloc_mem(&p, 1, VA(1), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * MIB, F_VRAM, &handle, NULL), -ENOMEM);
	assert_int_equal(available(&p, 0), before);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * MIB, F_VRAM, &handle, NULL), 0);
	assert_int_equal(handle, (uint64_t)p.gpu[0] << 32);
}

/* ACQUIRE_VM maps two buffers of the driver's own: it succeeds as a whole or changes nothing. */
static void acquiring_without_memory_can_be_tried_again(void **state)
{
	static const char *const specs[] = {
		"kfd.alloc:arg=0,errno=ENOMEM,count=1",
		"kfd.alloc:arg=0,errno=ENOMEM,after=1,count=1",
	};
	struct prog p;
	int fd;

	prog_open(&p);
	fd = uapi_open_render(0);
	for (unsigned int i = 0; i < 2; i++) {
		if (!uapi_fault(specs[i]))
			skip();
		assert_int_equal(acquire_vm(&p, 0, fd), -ENOMEM);
		assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, NULL, NULL), -ENODEV);
	}
	assert_int_equal(acquire_vm(&p, 0, fd), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(1), PAGE, F_VRAM, NULL, NULL), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_first_handle_is_number_0_of_its_gpu),
	cmocka_unit_test(the_lowest_free_number_is_used_again),
	cmocka_unit_test(size_0_is_invalid_before_the_gpu_is_looked_at),
	cmocka_unit_test(a_buffer_must_be_of_some_kind),
	cmocka_unit_test(address_and_unknown_flags_are_not_looked_at),
	cmocka_unit_test(a_user_buffer_needs_an_address),
	cmocka_unit_test(a_user_buffer_outside_of_user_space_is_a_fault),
	cmocka_unit_test(a_user_buffer_needs_memory_that_can_be_written),
	cmocka_unit_test(every_page_of_a_user_buffer_counts),
	cmocka_unit_test(a_buffer_is_no_user_memory),
	cmocka_unit_test(doorbells_are_one_slice),
	cmocka_unit_test(doorbells_in_vram_are_vram_of_their_size),
	cmocka_unit_test(registers_are_one_page_and_mapped_through_kfd),
	cmocka_unit_test(gfx8_has_no_remapped_registers),
	cmocka_unit_test(vram_wins_over_gtt_over_user),
	cmocka_unit_test(an_aql_buffer_takes_half),
	cmocka_unit_test(public_vram_needs_a_large_bar),
	cmocka_unit_test(public_is_checked_before_the_vm_is),
	cmocka_unit_test(beyond_vram_there_is_no_memory),
	cmocka_unit_test(the_limit_is_exact),
	cmocka_unit_test(small_buffers_count_2_mib_in_what_is_told),
	cmocka_unit_test(processes_share_one_gpu),
	cmocka_unit_test(system_memory_has_a_limit),
	cmocka_unit_test(user_memory_counts_as_system_memory),
	cmocka_unit_test(gtt_has_a_limit_of_its_own),
	cmocka_unit_test(what_is_available_is_told_before_there_is_a_vm),
	cmocka_unit_test(contiguous_vram_is_a_wish),
	cmocka_unit_test(an_unknown_gpu_has_no_memory),
	cmocka_unit_test(free_wants_a_handle),
	cmocka_unit_test(a_mapped_buffer_is_busy),
	cmocka_unit_test(the_event_page_stays),
	cmocka_unit_test(a_refused_allocation_leaves_nothing),
	cmocka_unit_test(acquiring_without_memory_can_be_tried_again),
};

UAPI_MAIN(tests)
