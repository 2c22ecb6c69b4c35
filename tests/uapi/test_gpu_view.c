/* SPDX-License-Identifier: MIT */
/* What a GPU sees of what was mapped to it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "kfd_calls.h"

#define SDMA     KFD_IOC_QUEUE_TYPE_SDMA
#define OP_COPY  1u
#define OP_WRITE 2u
#define OP_FENCE 5u
#define OP_TRAP  6u
#define RW       (PROT_READ | PROT_WRITE)
#define PATIENCE 5000u /* ms */

/* struct gpu - a GPU of the program with a queue, and an event for when that is done */
struct gpu {
	struct prog *p;
	struct user_queue q;
	uint32_t dw; /* written so far */
	uint32_t done, fault;
	uint64_t handle; /* of what was probed */
};

static void put(struct gpu *g, uint32_t v)
{
	g->q.ring_cpu[g->dw++ % (RING_BYTES / 4)] = v;
}

static void put_address(struct gpu *g, uint64_t va)
{
	put(g, (uint32_t)va);
	put(g, (uint32_t)(va >> 32));
}

static void put_fence(struct gpu *g, uint64_t va, uint32_t v)
{
	put(g, OP_FENCE);
	put_address(g, va);
	put(g, v);
}

static void put_copy(struct gpu *g, uint64_t dst, uint64_t src, uint32_t bytes)
{
	put(g, OP_COPY);
	put(g, bytes - 1);
	put(g, 0);
	put_address(g, src);
	put_address(g, dst);
}

static void put_u64(struct gpu *g, uint64_t va, uint64_t v)
{
	put(g, OP_WRITE);
	put_address(g, va);
	put(g, 1);
	put_address(g, v);
}

static void gpu_start(struct prog *p, struct gpu *g, unsigned int gpu)
{
	prog_start(p);
	memset(g, 0, sizeof(*g));
	g->p = p;
	event_page(p);
	g->done = event(p, KFD_IOC_EVENT_SIGNAL, true);
	g->fault = event(p, KFD_IOC_EVENT_MEMORY, true);
	queue_start(p, gpu, SDMA, 1, &g->q);
	uapi_run_engine();
}

static void submit(struct gpu *g)
{
	/* The slot is written first: an unwritten one is no signal. */
	put_fence(g, VA(900) + 8 * g->done, g->done);
	put(g, OP_TRAP);
	put(g, g->done);
	__atomic_store_n((uint64_t *)g->q.wptr, g->dw * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)g->q.doorbell, g->dw * 4ull, __ATOMIC_RELEASE);
}

static void run(struct gpu *g)
{
	uint32_t result;

	submit(g);
	assert_int_equal(wait_event(g->p, g->done, PATIENCE, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
}

/* ------------------------------------------------ AQL buffers */

static void both_halves_alias(struct gpu *g, uint32_t flags, unsigned int n_gpus)
{
	uint64_t handle, offset = 0, half = 4 * PAGE;
	volatile uint32_t *ring, *result;
	uint32_t done = 0;

	gtt(g->p, 0, VA(6), PAGE, &result);
	assert_int_equal(
		alloc_mem(g->p, 0, VA(5), 2 * half, flags | F_AQL | F_WRITE, &handle, &offset), 0);
	assert_int_equal(
		uapi_mmap(NULL, half, RW, MAP_SHARED, g->p->render[0], offset, (void **)&ring), 0);
	assert_int_equal(map_gpus(g->p, handle, g->p->gpu, n_gpus, &done), 0);
	/* Through one, seen through the other, both ways, and by the CPU. */
	put_fence(g, VA(5) + 8, 111);
	put_copy(g, VA(6), VA(5) + half + 8, 4);
	put_fence(g, VA(5) + half + PAGE + 16, 222);
	put_copy(g, VA(6) + 4, VA(5) + PAGE + 16, 4);
	/* And across the seam: the last word, and the first again. */
	put_u64(g, VA(5) + half - 4, 0x4444444433333333);
	put_copy(g, VA(6) + 8, VA(5), 4);
	run(g);
	assert_int_equal(ring[2], 111);
	assert_int_equal(result[0], 111);
	assert_int_equal(ring[(PAGE + 16) / 4], 222);
	assert_int_equal(result[1], 222);
	assert_int_equal(ring[half / 4 - 1], 0x33333333);
	assert_int_equal(ring[0], 0x44444444);
	assert_int_equal(result[2], 0x44444444);
	/* What the CPU writes, both show. */
	ring[40] = 555;
	put_copy(g, VA(6), VA(5) + 160, 4);
	put_copy(g, VA(6) + 4, VA(5) + half + 160, 4);
	run(g);
	assert_int_equal(result[0], 555);
	assert_int_equal(result[1], 555);
}

static void the_halves_of_an_aql_buffer_are_the_same_bytes(void **state)
{
	struct prog p;
	struct gpu g;

	gpu_start(&p, &g, 0);
	both_halves_alias(&g, F_GTT, 1);
}

static void the_halves_of_aql_vram_are_the_same_bytes(void **state)
{
	struct prog p;
	struct gpu g;

	gpu_start(&p, &g, 0);
	both_halves_alias(&g, F_VRAM | F_PUBLIC, 2);
}

/* ------------------------------------------------ doorbells and registers */

static void a_gpu_rings_a_doorbell_that_is_mapped_to_it(void **state)
{
	uint64_t handle, offset = 0;
	struct user_queue other;
	volatile uint32_t *m;
	struct prog p;
	struct gpu g;
	uint32_t result;

	gpu_start(&p, &g, 0);
	gtt(&p, 0, VA(5), PAGE, &m);
	queue_start(&p, 0, SDMA, 2, &other);
	assert_int_equal(alloc_mem(&p, 0, VA(6), 2 * PAGE, F_DOORBELL | F_WRITE, &handle, &offset),
			 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
	/* The other queue's packets are there, and nobody has rung. */
	other.ring_cpu[0] = OP_FENCE;
	other.ring_cpu[1] = (uint32_t)VA(5);
	other.ring_cpu[2] = (uint32_t)(VA(5) >> 32);
	other.ring_cpu[3] = 4711;
	other.ring_cpu[4] = OP_FENCE;
	other.ring_cpu[5] = (uint32_t)(VA(900) + 8 * g.done);
	other.ring_cpu[6] = (uint32_t)((VA(900) + 8 * g.done) >> 32);
	other.ring_cpu[7] = g.done;
	other.ring_cpu[8] = OP_TRAP;
	other.ring_cpu[9] = g.done;
	__atomic_store_n((uint64_t *)other.wptr, 40, __ATOMIC_RELEASE);
	put_u64(&g, VA(6) + (other.args.doorbell_offset & 8191), 40);
	__atomic_store_n((uint64_t *)g.q.wptr, g.dw * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)g.q.doorbell, g.dw * 4ull, __ATOMIC_RELEASE);
	assert_int_equal(wait_event(&p, g.done, PATIENCE, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(m[0], 4711);
}

static void a_gpu_may_write_the_registers_that_are_mapped_to_it(void **state)
{
	uint64_t handle, offset = 0;
	struct prog p;
	struct gpu g;
	uint32_t result;

	gpu_start(&p, &g, 0);
	assert_int_equal(alloc_mem(&p, 0, VA(6), PAGE, F_MMIO | F_WRITE, &handle, &offset), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
	put_fence(&g, VA(6), 1);
	run(&g);
	assert_int_equal(wait_event(&p, g.fault, 0, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_TIMEOUT);
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

/* ------------------------------------------------ user memory */

static uint64_t register_user(struct gpu *g, uint64_t at, uint64_t size)
{
	uint64_t handle;

	assert_int_equal(alloc_mem(g->p, 0, VA(5), size, F_USERPTR | F_WRITE, &handle, &at), 0);
	assert_int_equal(map_one(g->p, handle, 0), 0);
	return handle;
}

static void user_pages_are_used_whole(void **state)
{
	volatile uint32_t *m = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct prog p;
	struct gpu g;

	gpu_start(&p, &g, 0);
	/* From the middle of page 1: as many pages as the size fills, from where that page begins.
	 */
	register_user(&g, (uintptr_t)m + PAGE + 100, 2 * PAGE);
	put_fence(&g, VA(5), 1);
	put_fence(&g, VA(5) + PAGE + 100, 2);
	put_fence(&g, VA(5) + 2 * PAGE - 4, 3);
	run(&g);
	assert_int_equal(m[PAGE / 4], 1);
	assert_int_equal(m[(2 * PAGE + 100) / 4], 2);
	assert_int_equal(m[3 * PAGE / 4 - 1], 3);
	assert_int_equal(m[3 * PAGE / 4], 0);
}

/* ThreadSanitizer takes the new pages for a write, and does not see that the doorbell, which engine
 * and program have at different addresses, puts the two in order. */
static void other_pages_at_the_same_address_are_seen(void **state)
{
	volatile uint32_t *m = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct prog p;
	struct gpu g;

#ifdef __SANITIZE_THREAD__
	skip();
#endif
	gpu_start(&p, &g, 0);
	register_user(&g, (uintptr_t)m, 2 * PAGE);
	put_fence(&g, VA(5) + 8, 1);
	run(&g);
	assert_int_equal(m[2], 1);
	assert_ptr_equal(mmap((void *)(uintptr_t)m, 2 * PAGE, RW,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 m);
	assert_int_equal(m[2], 0);
	put_fence(&g, VA(5) + 12, 2);
	run(&g);
	assert_int_equal(m[2], 0);
	assert_int_equal(m[3], 2);
}

static void user_memory_that_is_gone_is_a_fault_and_no_crash(void **state)
{
	char *m = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct prog p;
	struct gpu g;
	uint32_t result;

	/* The library's hardware loads and stores as the program does, with its signals. */
	if (!uapi_through_shim())
		skip();
	gpu_start(&p, &g, 0);
	g.handle = register_user(&g, (uintptr_t)m, 2 * PAGE);
	assert_int_equal(munmap(m + PAGE, PAGE), 0);
	put_fence(&g, VA(5) + 4, 1);
	put_fence(&g, VA(5) + PAGE + 4, 2);
	submit(&g);
	assert_int_equal(wait_event(&p, g.fault, PATIENCE, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(((uint32_t *)m)[1], 1);
	assert_int_equal(unmap_one(&p, g.handle, 0), 0);
	assert_int_equal(free_mem(&p, g.handle), 0);
	munmap(m, PAGE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_halves_of_an_aql_buffer_are_the_same_bytes),
	cmocka_unit_test(the_halves_of_aql_vram_are_the_same_bytes),
	cmocka_unit_test(a_gpu_rings_a_doorbell_that_is_mapped_to_it),
	cmocka_unit_test(a_gpu_may_write_the_registers_that_are_mapped_to_it),
	cmocka_unit_test(user_pages_are_used_whole),
	cmocka_unit_test(other_pages_at_the_same_address_are_seen),
	cmocka_unit_test(user_memory_that_is_gone_is_a_fault_and_no_crash),
};

UAPI_MAIN(tests)
