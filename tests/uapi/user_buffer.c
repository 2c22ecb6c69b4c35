/* SPDX-License-Identifier: MIT */
#include "user_buffer.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SDMA     KFD_IOC_QUEUE_TYPE_SDMA
#define OP_COPY  1u
#define OP_FENCE 5u
#define OP_FILL  11u
#define DWORDS   16 /* of one thing to be done, with what says that it is */

unsigned char *ub_memory(size_t bytes)
{
	unsigned char *mem =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(mem, MAP_FAILED);
	memset(mem, 0x11, bytes);
	return mem;
}

void ub_begin(struct user_buffer *u, unsigned char *mem, size_t bytes)
{
	struct kfd_ioctl_smi_events_args smi = { 0 };
	struct kfd_ioctl_alloc_memory_of_gpu_args a = { .size = bytes,
							.flags = F_USERPTR | F_WRITE };
	uint64_t all = ~0ull;

#ifdef __SANITIZE_THREAD__
	/* The sanitizer takes new pages at an old place for a store that nothing orders. */
	skip();
#endif
	memset(u, 0, sizeof(*u));
	prog_start(&u->p);
	event_page(&u->p);
	u->memory_event = event(&u->p, KFD_IOC_EVENT_MEMORY, false);
	gtt(&u->p, 0, UB_DONE, PAGE, &u->done);
	u->mem = mem;
	u->bytes = bytes;
	a.gpu_id = u->p.gpu[0];
	a.va_addr = a.mmap_offset = (uintptr_t)u->mem;
	assert_int_equal(uapi_ioctl(u->p.kfd, K_ALLOC, &a), 0);
	u->handle = a.handle;
	assert_int_equal(map_one(&u->p, a.handle, 0), 0);
	smi.gpuid = u->p.gpu[0];
	assert_int_equal(uapi_ioctl(u->p.kfd, K_SMI_EVENTS, &smi), 0);
	u->smi = (int)smi.anon_fd;
	assert_int_equal(write(u->smi, &all, sizeof(all)), 8);
	queue_start(&u->p, 0, SDMA, 1, &u->q);
	uapi_run_engine();
}

/* ------------------------------------------------ what the GPU does */

static void put(struct user_buffer *u, uint32_t v)
{
	u->q.ring_cpu[u->dw++ % (RING_BYTES / 4)] = v;
}

static void put_address(struct user_buffer *u, uint64_t va)
{
	put(u, (uint32_t)va);
	put(u, (uint32_t)(va >> 32));
}

static void put_fence(struct user_buffer *u, uint64_t va, uint32_t v)
{
	put(u, OP_FENCE);
	put_address(u, va);
	put(u, v);
}

/* The end of what began at @from. */
static void ring(struct user_buffer *u, uint32_t from)
{
	put_fence(u, UB_DONE, ++u->n_done);
	while (u->dw < from + DWORDS)
		put(u, 0);
	__atomic_store_n((uint64_t *)u->q.wptr, u->dw * 4ull, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)u->q.doorbell, u->dw * 4ull, __ATOMIC_RELEASE);
}

void ub_store(struct user_buffer *u, uint64_t va, uint32_t v)
{
	uint32_t from = u->dw;

	put_fence(u, va, v);
	ring(u, from);
}

void ub_fill(struct user_buffer *u, uint64_t va, uint32_t v, uint32_t bytes)
{
	uint32_t from = u->dw;

	put(u, OP_FILL | 2u << 30);
	put_address(u, va);
	put(u, v);
	put(u, bytes - 1);
	ring(u, from);
}

void ub_copy(struct user_buffer *u, uint64_t to, uint64_t src, uint32_t bytes)
{
	uint32_t from = u->dw;

	put(u, OP_COPY);
	put(u, bytes - 1);
	put(u, 0);
	put_address(u, src);
	put_address(u, to);
	ring(u, from);
}

void ub_wait(struct user_buffer *u)
{
	for (unsigned int ms = 0; *u->done != u->n_done; ms++) {
		assert_true(ms < UB_PATIENCE);
		usleep(1000);
	}
}

/* ------------------------------------------------ faults */

void ub_expect_no_fault(struct user_buffer *u)
{
	uint32_t result;

	assert_int_equal(wait_event(&u->p, u->memory_event, 0, &result), 0);
	assert_int_equal(result, KFD_IOC_WAIT_RESULT_TIMEOUT);
}

static void next_line(struct user_buffer *u, char *line, size_t len)
{
	struct pollfd p = { u->smi, POLLIN, 0 };
	size_t n = 0;

	do {
		assert_int_equal(poll(&p, 1, UB_PATIENCE), 1);
		assert_int_equal(read(u->smi, line + n, 1), 1);
	} while (line[n++] != '\n' && n < len - 1);
	line[n] = '\0';
}

void ub_expect_fault(struct user_buffer *u, uint64_t va)
{
	struct kfd_event_data data = { .event_id = u->memory_event };
	struct kfd_ioctl_wait_events_args args = { .events_ptr = (uintptr_t)&data,
						   .num_events = 1,
						   .timeout = UB_PATIENCE };
	char line[128], tail[32];

	assert_int_equal(uapi_ioctl(u->p.kfd, K_WAIT_EVENTS, &args), 0);
	assert_int_equal(args.wait_result, KFD_IOC_WAIT_RESULT_COMPLETE);
	assert_int_equal(data.memory_exception_data.va, va);
	assert_int_equal(data.memory_exception_data.failure.NotPresent, 1);
	assert_int_equal(data.memory_exception_data.failure.ReadOnly, 0);
	/* KFD_QUEUE_EVICTION_TRIGGER_USERPTR */
	snprintf(tail, sizeof(tail), " %x 1\n", u->p.gpu[0]);
	next_line(u, line, sizeof(line));
	assert_memory_equal(line, "9 ", 2);
	assert_non_null(strstr(line, tail));
	next_line(u, line, sizeof(line));
	assert_memory_equal(line, "a ", 2);
	next_line(u, line, sizeof(line));
	assert_memory_equal(line, "1 ", 2);
	assert_int_not_equal(*u->done, u->n_done);
}
