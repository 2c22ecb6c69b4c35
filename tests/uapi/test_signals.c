/* SPDX-License-Identifier: MIT */
/*
 * Real signals during calls: nothing is lost, nothing happens twice, and what a handler without
 * SA_RESTART lets the program see is what the kernel would: EINTR, and an argument block that says
 * how far the call came.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "kfd_calls.h"
#include "storm.h"
#include "uapi_shim.h"

#define MACHINE    "mi100x4"
#define N_GPUS     4
#define SDMA       KFD_IOC_QUEUE_TYPE_SDMA
#define COPY_BYTES (2 * MIB)
#define TIMEOUT_MS 30u
#define PATIENCE   20000u /* ms */

/* ------------------------------------------------ hardware that is busy */

/* struct load - a queue that copies without end, so that UNMAP has to wait for the engine */
struct load {
	struct prog *p;
	struct user_queue q;
	pthread_t thread;
	atomic_bool stop;
	uint64_t dw;
};

static void put_copy(struct load *l)
{
	const uint32_t words[] = { 1, COPY_BYTES - 1, 0, (uint32_t)VA(60), VA(60) >> 32,
				   (uint32_t)VA(61), VA(61) >> 32 };

	for (unsigned int i = 0; i < 7; i++)
		l->q.ring_cpu[l->dw++ % (RING_BYTES / 4)] = words[i];
}

static void *keep_busy(void *arg)
{
	struct load *l = arg;

	while (!atomic_load(&l->stop)) {
		while (l->dw * 4 - *l->q.rptr < 16 * 28)
			put_copy(l);
		__atomic_store_n((uint64_t *)l->q.wptr, l->dw * 4, __ATOMIC_RELEASE);
		__atomic_store_n((uint64_t *)l->q.doorbell, l->dw * 4, __ATOMIC_RELEASE);
		usleep(500);
	}
	return NULL;
}

static void load_start(struct prog *p, struct load *l)
{
	memset(l, 0, sizeof(*l));
	l->p = p;
	gtt(p, 0, VA(60), COPY_BYTES, NULL);
	gtt(p, 0, VA(61), COPY_BYTES, NULL);
	queue_start(p, 0, SDMA, 50, &l->q);
	assert_int_equal(pthread_create(&l->thread, NULL, keep_busy, l), 0);
}

static void load_stop(struct load *l)
{
	atomic_store(&l->stop, true);
	pthread_join(l->thread, NULL);
	assert_int_equal(queue_destroy(l->p, l->q.args.queue_id), 0);
}

/* ------------------------------------------------ calls as a runtime makes them */

/* struct tries - how often one kind of call was ended by a signal, and where it then stood */
struct tries {
	unsigned int n_calls, n_eintr, n_all_done;
};

/* As libhsakmt: the same block again and again until it is not EINTR. */
static int map_until_done(struct prog *p, unsigned long cmd, uint64_t handle,
			  const uint32_t *ids, struct tries *t)
{
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.handle = handle,
		.device_ids_array_ptr = (uintptr_t)ids,
		.n_devices = N_GPUS,
	};
	int r;

	t->n_calls++;
	for (;;) {
		uint32_t before = args.n_success;

		r = uapi_ioctl(p->kfd, cmd, &args);
		assert_in_range(args.n_success, before, N_GPUS);
		assert_int_equal(args.handle, handle);
		assert_int_equal(args.n_devices, N_GPUS);
		if (r != -EINTR)
			break;
		t->n_eintr++;
		t->n_all_done += args.n_success == N_GPUS;
	}
	if (!r)
		assert_int_equal(args.n_success, N_GPUS);
	return r;
}

static int alloc_until_done(struct prog *p, uint64_t va, void *mem, uint64_t size,
			    uint64_t *ret_handle, struct tries *t)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = va,
		.size = size,
		.gpu_id = p->gpu[1],
		.flags = F_USERPTR | F_WRITE,
		.mmap_offset = (uintptr_t)mem,
		.handle = 4711,
	};
	int r;

	t->n_calls++;
	while ((r = uapi_ioctl(p->kfd, K_ALLOC, &args)) == -EINTR) {
		t->n_eintr++;
		assert_int_equal(args.handle, 4711);
		assert_int_equal(args.mmap_offset, (uintptr_t)mem);
	}
	*ret_handle = args.handle;
	return r;
}

static void report(const char *what, bool restart, const struct tries *t)
{
	print_message("%s, %s SA_RESTART: %d signals, %u calls, %u times EINTR\n", what,
		      restart ? "with" : "without", (int)storm_n_signals, t->n_calls, t->n_eintr);
}

/* ------------------------------------------------ map and unmap */

static void map_and_unmap(bool restart)
{
	struct tries maps = { 0 }, unmaps = { 0 };
	struct uapi_usage usage;
	uint64_t handle[2];
	struct storm s;
	struct load l;
	struct prog p;

	UAPI_NEED_MACHINE(MACHINE);
	prog_start(&p);
	load_start(&p, &l);
	assert_int_equal(alloc_mem(&p, 0, VA(1), 4 * MIB, F_VRAM | F_WRITE, &handle[0], NULL), 0);
	assert_int_equal(alloc_mem(&p, 0, VA(2), MIB, F_GTT | F_AQL | F_WRITE, &handle[1], NULL),
			 0);
	storm_start(&s, restart, NULL);
	for (unsigned int i = 0; !storm_is_over(&s); i++) {
		uint64_t h = handle[i % 2];

		assert_int_equal(map_until_done(&p, K_MAP, h, p.gpu, &maps), 0);
		/* Nothing was mapped in part: each GPU can be unmapped, once. */
		assert_int_equal(map_until_done(&p, K_UNMAP, h, p.gpu, &unmaps), 0);
		if (i % 8 == 0)
			assert_int_equal(map_until_done(&p, K_UNMAP, h, p.gpu, &unmaps), -EINVAL);
	}
	storm_stop(&s);
	report("MAP", restart, &maps);
	report("UNMAP", restart, &unmaps);
	if (restart)
		assert_int_equal(maps.n_eintr + unmaps.n_eintr, 0);
	load_stop(&l);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(unmap_one(&p, handle[i], 0), -EINVAL);
		assert_int_equal(free_mem(&p, handle[i]), 0);
	}
	/* And what the queue lives on is all that is left. */
	assert_true(uapi_usage(&usage));
	assert_int_equal(usage.own_buffers, 5);
}

static void map_and_unmap_are_resumed(void **state)
{
	map_and_unmap(false);
}

static void map_and_unmap_are_restarted(void **state)
{
	map_and_unmap(true);
}

/* ------------------------------------------------ alloc */

static void alloc_and_free(bool restart)
{
	char *mem = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
	struct tries allocs = { 0 };
	struct uapi_usage usage;
	struct storm s;
	struct prog p;

	UAPI_NEED_MACHINE(MACHINE);
	prog_start(&p);
	storm_start(&s, restart, NULL);
	while (!storm_is_over(&s)) {
		uint64_t handle;

		assert_int_equal(alloc_until_done(&p, VA(1), mem, 64 * PAGE, &handle, &allocs), 0);
		/* Nothing is left of the attempts: the lowest number is free each time. */
		assert_int_equal(handle, (uint64_t)p.gpu[1] << 32);
		assert_int_equal(free_mem(&p, handle), 0);
		assert_int_equal(alloc_until_done(&p, VA(1), (void *)PAGE, PAGE, &handle, &allocs),
				 -EFAULT);
	}
	storm_stop(&s);
	report("ALLOC", restart, &allocs);
	if (restart)
		assert_int_equal(allocs.n_eintr, 0);
	assert_true(uapi_usage(&usage));
	assert_int_equal(usage.own_buffers, 0);
	munmap(mem, 64 * PAGE);
}

static void alloc_of_user_memory_leaves_nothing_behind(void **state)
{
	alloc_and_free(false);
}

static void alloc_of_user_memory_is_restarted(void **state)
{
	alloc_and_free(true);
}

/* ------------------------------------------------ wait */

/* The time that is left only shrinks, and when it is up, that is no error. */
static void wait_for_nothing(bool restart)
{
	struct tries waits = { 0 };
	struct storm s;
	struct prog p;
	uint32_t id;

	UAPI_NEED_MACHINE(MACHINE);
	prog_open(&p);
	id = event(&p, KFD_IOC_EVENT_SIGNAL, true);
	storm_start(&s, restart, NULL);
	while (!storm_is_over(&s)) {
		struct kfd_event_data data = { .event_id = id };
		struct kfd_ioctl_wait_events_args args = {
			.events_ptr = (uintptr_t)&data,
			.num_events = 1,
			.timeout = TIMEOUT_MS,
		};
		struct timespec begin, end;
		int r;

		waits.n_calls++;
		clock_gettime(CLOCK_MONOTONIC, &begin);
		for (;;) {
			uint32_t before = args.timeout;

			r = uapi_ioctl(p.kfd, K_WAIT_EVENTS, &args);
			assert_in_range(args.timeout, 0, before);
			if (r != -EINTR)
				break;
			waits.n_eintr++;
			assert_int_equal(args.wait_result, KFD_IOC_WAIT_RESULT_FAIL);
		}
		clock_gettime(CLOCK_MONOTONIC, &end);
		assert_int_equal(r, 0);
		assert_int_equal(args.wait_result, KFD_IOC_WAIT_RESULT_TIMEOUT);
		/* However often it was interrupted, it waited as long as it was to: to the tick. */
		assert_in_range((end.tv_sec - begin.tv_sec) * 1000 +
					(end.tv_nsec - begin.tv_nsec) / 1000000,
				TIMEOUT_MS - 1, PATIENCE);
	}
	storm_stop(&s);
	report("WAIT", restart, &waits);
	if (restart)
		assert_int_equal(waits.n_eintr, 0);
	else
		assert_int_not_equal(waits.n_eintr, 0);
}

static void an_interrupted_wait_has_the_rest_of_its_time(void **state)
{
	wait_for_nothing(false);
}

static void a_restarted_wait_ends_in_time(void **state)
{
	wait_for_nothing(true);
}

/* struct pair - who sets an event, and who counts that it was set */
struct pair {
	struct prog p;
	uint32_t there, back;
	atomic_bool stop;
	unsigned int n_set;
};

static int wait_until_done(struct prog *p, uint32_t id, struct tries *t)
{
	uint32_t result;
	int r;

	t->n_calls++;
	while ((r = wait_event(p, id, PATIENCE, &result)) == -EINTR)
		t->n_eintr++;
	return r ? r : (int)result;
}

static void *answer(void *arg)
{
	struct pair *pair = arg;
	struct tries none = { 0 };

	while (wait_until_done(&pair->p, pair->there, &none) == KFD_IOC_WAIT_RESULT_COMPLETE &&
	       !atomic_load(&pair->stop)) {
		pair->n_set++;
		if (set_event(&pair->p, pair->back))
			break;
	}
	return NULL;
}

/* Each side sets once for each time that the other was woken: one that is lost stops both. */
static void ping_pong(bool restart)
{
	struct pair pair = { 0 };
	struct tries waits = { 0 };
	pthread_t thread;
	struct storm s;

	UAPI_NEED_MACHINE(MACHINE);
	prog_open(&pair.p);
	pair.there = event(&pair.p, KFD_IOC_EVENT_SIGNAL, true);
	pair.back = event(&pair.p, KFD_IOC_EVENT_SIGNAL, true);
	assert_int_equal(pthread_create(&thread, NULL, answer, &pair), 0);
	storm_start(&s, restart, NULL);
	while (!storm_is_over(&s)) {
		assert_int_equal(set_event(&pair.p, pair.there), 0);
		assert_int_equal(wait_until_done(&pair.p, pair.back, &waits),
				 KFD_IOC_WAIT_RESULT_COMPLETE);
	}
	storm_stop(&s);
	report("WAIT for another thread", restart, &waits);
	if (restart)
		assert_int_equal(waits.n_eintr, 0);
	atomic_store(&pair.stop, true);
	assert_int_equal(set_event(&pair.p, pair.there), 0);
	pthread_join(thread, NULL);
	assert_int_equal(pair.n_set, waits.n_calls);
}

static void no_event_is_lost_to_an_interrupted_wait(void **state)
{
	ping_pong(false);
}

static void no_event_is_lost_to_a_restarted_wait(void **state)
{
	ping_pong(true);
}

/* ------------------------------------------------ a handler that calls, too */

static int handlers_kfd;
static volatile sig_atomic_t handlers_errors, handlers_calls;

static void call_in_handler(void)
{
	struct kfd_ioctl_get_clock_counters_args clock = { 0 };

	handlers_calls++;
	if (uapi_ioctl(handlers_kfd, K_GET_CLOCK_COUNTERS, &clock) ||
	    clock.system_clock_freq != 1000000000)
		handlers_errors++;
}

static void a_handler_makes_calls_in_the_midst_of_calls(void **state)
{
	struct tries maps = { 0 }, unmaps = { 0 };
	uint64_t handle;
	struct storm s;
	struct prog p;

	UAPI_NEED_MACHINE(MACHINE);
	prog_start(&p);
	handlers_kfd = p.kfd;
	assert_int_equal(alloc_mem(&p, 0, VA(1), MIB, F_GTT | F_WRITE, &handle, NULL), 0);
	storm_start(&s, true, call_in_handler);
	while (!storm_is_over(&s)) {
		assert_int_equal(map_until_done(&p, K_MAP, handle, p.gpu, &maps), 0);
		assert_int_equal(map_until_done(&p, K_UNMAP, handle, p.gpu, &unmaps), 0);
	}
	storm_stop(&s);
	assert_int_not_equal(handlers_calls, 0);
	assert_int_equal(handlers_errors, 0);
	assert_int_equal(free_mem(&p, handle), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(map_and_unmap_are_resumed),
	cmocka_unit_test(map_and_unmap_are_restarted),
	cmocka_unit_test(alloc_of_user_memory_leaves_nothing_behind),
	cmocka_unit_test(alloc_of_user_memory_is_restarted),
	cmocka_unit_test(an_interrupted_wait_has_the_rest_of_its_time),
	cmocka_unit_test(a_restarted_wait_ends_in_time),
	cmocka_unit_test(no_event_is_lost_to_an_interrupted_wait),
	cmocka_unit_test(no_event_is_lost_to_a_restarted_wait),
	cmocka_unit_test(a_handler_makes_calls_in_the_midst_of_calls),
};

UAPI_MAIN(tests)
