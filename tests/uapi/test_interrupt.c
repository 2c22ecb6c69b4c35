/* SPDX-License-Identifier: MIT */
/* What the hardware tells: events, faults, packets that cannot be executed. */
#include <errno.h>
#include <string.h>
#include "kfd_calls.h"

#define SDMA KFD_IOC_QUEUE_TYPE_SDMA
#define OP_FENCE 5u
#define OP_TRAP 6u
#define PATIENCE 5000u /* ms */

/* struct feeder - writes packets into an SDMA ring */
struct feeder {
	struct user_queue q;
	uint32_t dw; /* written so far */
};

static void put(struct feeder *f, uint32_t v)
{
	f->q.ring_cpu[f->dw++ % (RING_BYTES / 4)] = v;
}

static void put_fence(struct feeder *f, uint64_t va, uint32_t v)
{
	put(f, OP_FENCE);
	put(f, (uint32_t)va);
	put(f, (uint32_t)(va >> 32));
	put(f, v);
}

static void put_trap(struct feeder *f, uint32_t ctx)
{
	put(f, OP_TRAP);
	put(f, ctx);
}

/* As firmware and runtimes do: the slot is written first, for an unwritten one is no signal. */
static void put_signal(struct feeder *f, uint32_t id)
{
	put_fence(f, VA(900) + 8 * id, id);
	put_trap(f, id);
}

static void ring(struct feeder *f)
{
	__atomic_store_n((uint64_t *)f->q.wptr, f->dw * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)f->q.doorbell, f->dw * 4ull, __ATOMIC_RELEASE);
}

static void start(struct prog *p, struct feeder *f, unsigned int gpu, unsigned int slot)
{
	memset(f, 0, sizeof(*f));
	queue_start(p, gpu, SDMA, slot, &f->q);
}

/* An array of one, so that what the event has to tell can be read. */
static int wait_for(struct prog *p, uint32_t id, uint32_t timeout, struct kfd_event_data *data)
{
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)data, .num_events = 1, .timeout = timeout
	};

	*data = (struct kfd_event_data){ .event_id = id };
	assert_int_equal(uapi_ioctl(p->kfd, K_WAIT_EVENTS, &args), 0);
	return (int)args.wait_result;
}

static void a_trap_sets_its_event(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	volatile uint32_t *m;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	gtt(&p, 0, VA(5), PAGE, &m);
	start(&p, &f, 0, 1);
	uapi_run_engine();
	put_fence(&f, VA(5) + 8, 4711);
	put_signal(&f, id);
	ring(&f);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(m[2], 4711);
}

static void a_trap_for_no_event_is_ignored(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	uint32_t id, other;

	prog_start(&p);
	event_page(&p);
	other = event(&p, KFD_IOC_EVENT_HW_EXCEPTION, true);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start(&p, &f, 0, 1);
	uapi_run_engine();
	put_trap(&f, 0);
	put_trap(&f, 4000);
	put_trap(&f, other);
	put_signal(&f, id);
	ring(&f);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(wait_for(&p, other, 0, &data), KFD_IOC_WAIT_RESULT_TIMEOUT);
}

static void a_fault_tells_where_and_what(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_MEMORY, false);
	start(&p, &f, 1, 1);
	uapi_run_engine();
	put_fence(&f, VA(77) + 0x1238, 1);
	ring(&f);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.memory_exception_data.va, VA(77) + 0x1000);
	assert_int_equal(data.memory_exception_data.gpu_id, p.gpu[1]);
	assert_int_equal(data.memory_exception_data.failure.NotPresent, 1);
	assert_int_equal(data.memory_exception_data.failure.ReadOnly, 0);
	assert_int_equal(data.memory_exception_data.failure.imprecise, 0);
	assert_int_equal(data.memory_exception_data.ErrorType, KFD_MEM_ERR_NO_RAS);
}

static void a_write_to_read_only_memory_says_so(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	uint64_t handle;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_MEMORY, false);
	assert_int_equal(alloc_mem(&p, 0, VA(5), PAGE, F_VRAM, &handle, NULL), 0);
	assert_int_equal(map_one(&p, handle, 0), 0);
	start(&p, &f, 0, 1);
	uapi_run_engine();
	put_fence(&f, VA(5), 1);
	ring(&f);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.memory_exception_data.failure.ReadOnly, 1);
	assert_int_equal(data.memory_exception_data.va, VA(5));
}

/* An interrupt that names no signal makes the driver look which slots were written: none was. */
static void a_trap_for_nobody_sets_nobody(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	uint32_t id, others[3];

	prog_start(&p);
	event_page(&p);
	for (unsigned int i = 0; i < 3; i++)
		others[i] = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	start(&p, &f, 0, 1);
	uapi_run_engine();
	put_trap(&f, 3000);
	put_signal(&f, id);
	ring(&f);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(wait_for(&p, others[i], 0, &data), KFD_IOC_WAIT_RESULT_TIMEOUT);
}

/* A fault costs the process its queues on that GPU, those to come included, and on no other. */
static void a_fault_stops_the_process_on_that_gpu_for_good(void **state)
{
	struct kfd_event_data data;
	struct feeder bad, same, other, later;
	struct prog p;
	volatile uint32_t *m;
	uint32_t fault, done;
	uint64_t handle;

	prog_start(&p);
	event_page(&p);
	fault = event(&p, KFD_IOC_EVENT_MEMORY, true);
	done = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	handle = gtt(&p, 0, VA(5), PAGE, &m);
	assert_int_equal(map_one(&p, handle, 1), 0);
	start(&p, &bad, 0, 1);
	start(&p, &same, 0, 2);
	start(&p, &other, 1, 3);
	uapi_run_engine();
	put_fence(&bad, VA(77), 1);
	ring(&bad);
	assert_int_equal(wait_for(&p, fault, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	put_fence(&same, VA(5), 1);
	ring(&same);
	start(&p, &later, 0, 4);
	put_fence(&later, VA(5) + 4, 1);
	ring(&later);
	put_fence(&other, VA(5) + 8, 1);
	put_signal(&other, done);
	ring(&other);
	assert_int_equal(wait_for(&p, done, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(wait_for(&p, fault, 50, &data), KFD_IOC_WAIT_RESULT_TIMEOUT);
	assert_int_equal(m[0], 0);
	assert_int_equal(m[1], 0);
	assert_int_equal(m[2], 1);
	assert_int_equal(queue_destroy(&p, bad.q.args.queue_id), 0);
	assert_int_equal(queue_destroy(&p, same.q.args.queue_id), 0);
}

static void an_illegal_packet_is_a_hardware_exception(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_HW_EXCEPTION, false);
	start(&p, &f, 1, 1);
	uapi_run_engine();
	put(&f, 0x3f);
	ring(&f);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.hw_exception_data.gpu_id, p.gpu[1]);
	assert_int_equal(data.hw_exception_data.reset_type, KFD_HW_EXCEPTION_PER_ENGINE_RESET);
	assert_int_equal(data.hw_exception_data.reset_cause, KFD_HW_EXCEPTION_GPU_HANG);
	assert_int_equal(data.hw_exception_data.memory_lost, 0);
}

static void submit(const struct user_queue *q, const uint32_t *words, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		q->ring_cpu[i] = words[i];
	__atomic_store_n((uint64_t *)q->wptr, n, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)q->doorbell, n, __ATOMIC_RELEASE);
}

static void a_release_of_a_pm4_queue_sets_its_event(void **state)
{
	uint32_t ring[] = { /* WRITE_DATA, RELEASE_MEM with data and an interrupt */
		0xc0033700, 5u << 8, (uint32_t)VA(5), (uint32_t)(VA(5) >> 32), 4711,
		0xc0064900, 0x514, 2u << 29 | 2u << 24, (uint32_t)VA(900),
		(uint32_t)(VA(900) >> 32), 0, 0, 0,
	};
	struct kfd_event_data data;
	struct user_queue q;
	struct prog p;
	volatile uint32_t *m;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	gtt(&p, 0, VA(5), PAGE, &m);
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 1, &q);
	uapi_run_engine();
	ring[8] += 8 * id;
	ring[10] = ring[12] = id;
	submit(&q, ring, 13);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(m[0], 4711);
	assert_int_equal(*q.rptr, 13);
}

static void a_dispatch_of_a_pm4_queue_is_refused_loudly(void **state)
{
	static const uint32_t dispatch[] = { 0xc0031500, 1, 1, 1, 0x21 };
	struct kfd_event_data data;
	struct user_queue q;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_HW_EXCEPTION, false);
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 1, &q);
	uapi_run_engine();
	submit(&q, dispatch, 5);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.hw_exception_data.gpu_id, p.gpu[0]);
	assert_int_equal(*q.rptr, 0);
}

static void a_kernel_dispatch_is_refused_loudly(void **state)
{
	struct kfd_event_data data;
	struct user_queue q;
	struct prog p;
	uint32_t id;

	prog_start(&p);
	event_page(&p);
	id = event(&p, KFD_IOC_EVENT_HW_EXCEPTION, false);
	queue_start(&p, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 1, &q);
	for (unsigned int i = 0; i < RING_BYTES / 64; i++)
		q.ring_cpu[i * 16] = 1; /* invalid until written */
	*q.doorbell = ~0ull;
	uapi_run_engine();
	q.ring_cpu[0] = 2; /* dispatch */
	__atomic_store_n((uint64_t *)q.wptr, 1, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)q.doorbell, 0, __ATOMIC_RELEASE);
	assert_int_equal(wait_for(&p, id, PATIENCE, &data), KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.hw_exception_data.gpu_id, p.gpu[0]);
}

/* What is unmapped is out of reach when the call returns. */
static void after_unmap_nothing_is_written_any_more(void **state)
{
	struct kfd_event_data data;
	struct feeder f;
	struct prog p;
	uint64_t handle;
	uint32_t fault;
	volatile uint32_t *m;

	prog_start(&p);
	event_page(&p);
	fault = event(&p, KFD_IOC_EVENT_MEMORY, true);
	handle = gtt(&p, 0, VA(5), PAGE, &m);
	start(&p, &f, 0, 1);
	uapi_run_engine();
	for (unsigned int i = 0; i < 2000; i++)
		put_fence(&f, VA(5), i + 1);
	ring(&f);
	while (!m[0])
		;
	assert_int_equal(unmap_one(&p, handle, 0), 0);
	m[0] = 0;
	/* A fault, unless all was written before; none of it after. */
	if (wait_for(&p, fault, 200, &data) == KFD_IOC_WAIT_RESULT_COMPLETE)
		assert_int_equal(data.memory_exception_data.va, VA(5));
	assert_int_equal(m[0], 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_trap_sets_its_event),
	cmocka_unit_test(a_trap_for_no_event_is_ignored),
	cmocka_unit_test(a_trap_for_nobody_sets_nobody),
	cmocka_unit_test(a_fault_tells_where_and_what),
	cmocka_unit_test(a_write_to_read_only_memory_says_so),
	cmocka_unit_test(a_fault_stops_the_process_on_that_gpu_for_good),
	cmocka_unit_test(an_illegal_packet_is_a_hardware_exception),
	cmocka_unit_test(a_release_of_a_pm4_queue_sets_its_event),
	cmocka_unit_test(a_dispatch_of_a_pm4_queue_is_refused_loudly),
	cmocka_unit_test(a_kernel_dispatch_is_refused_loudly),
	cmocka_unit_test(after_unmap_nothing_is_written_any_more),
};

UAPI_MAIN(tests)
