/* SPDX-License-Identifier: MIT */
#include "sdma.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include "bench.h"

#define RING_BYTES     UINT64_C(65536)
#define PAGE           UINT64_C(4096)
#define DOORBELL_BYTES UINT64_C(8192)
#define QUEUE_SDMA     1
#define QUEUE_XGMI     3
#define F_COHERENT     (1u << 26)

#define OP_COPY      1u
#define OP_FENCE     5u
#define OP_TRAP      6u
#define OP_POLL      8u
#define OP_TIMESTAMP 13u
#define SUB_GLOBAL   2u
#define POLL_MEMORY  (1u << 31)
#define POLL_EQUAL   (3u << 28)
#define POLL_FOREVER (0xfffu << 16)
/* What ROCr puts into one packet: the older engines count 22 bits. */
#define COPY_MAX UINT64_C(0x3fffe0)

void shared_create(struct gpus *g, unsigned int gpu, uint64_t va, uint64_t bytes,
		   struct shared *ret)
{
	uint64_t offset, handle = gpus_alloc(g, gpu, va, bytes,
					     F_GTT | F_WRITE | F_EXEC | F_COHERENT, &offset);

	gpus_map(g, handle, gpu, 1);
	ret->cpu = gpus_view(g, gpu, bytes, offset);
	ret->va = va;
}

static void call(struct gpus *g, unsigned long cmd, void *arg, const char *what)
{
	int r = bench_os->ioctl(g->kfd, cmd, arg);

	if (r < 0)
		bench_fail("%s: %s", what, strerror(-r));
}

static void map_doorbell(struct sdma *q, uint64_t offset)
{
	void **page = &q->g->doorbells[q->gpu];
	int r = *page ? 0
		      : bench_os->mmap(DOORBELL_BYTES, PROT_READ | PROT_WRITE, q->g->kfd,
				       offset & ~(DOORBELL_BYTES - 1), page);

	if (r < 0)
		bench_fail("mmap of doorbells: %s", strerror(-r));
	q->doorbell = (volatile uint64_t *)((char *)*page + (offset & (DOORBELL_BYTES - 1)));
}

void sdma_create(struct gpus *g, unsigned int gpu, unsigned int slot, struct sdma *ret)
{
	struct kfd_ioctl_create_queue_args args = {
		.ring_base_address = VA(slot),
		.ring_size = RING_BYTES,
		.write_pointer_address = VA(slot) + MIB,
		.read_pointer_address = VA(slot) + MIB + 64,
		.gpu_id = g->id[gpu],
		.queue_type = QUEUE_SDMA,
		.queue_percentage = 100,
		.queue_priority = 7,
	};

	*ret = (struct sdma){ .g = g, .gpu = gpu, .base = VA(slot) };
	shared_create(g, gpu, VA(slot), RING_BYTES, &ret->ring);
	shared_create(g, gpu, VA(slot) + MIB, PAGE, &ret->pointers);
	if (bench_os->ioctl(g->kfd, AMDKFD_IOC_CREATE_QUEUE, &args) == -ENOMEM) {
		args.queue_type = QUEUE_XGMI;
		call(g, AMDKFD_IOC_CREATE_QUEUE, &args, "create a queue");
	}
	ret->id = args.queue_id;
	map_doorbell(ret, args.doorbell_offset);
}

void sdma_destroy(struct sdma *q)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = q->id };

	call(q->g, AMDKFD_IOC_DESTROY_QUEUE, &args, "destroy a queue");
}

void sdma_update(struct sdma *q, unsigned int percentage)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = q->ring.va,
		.queue_id = q->id,
		.ring_size = RING_BYTES,
		.queue_percentage = percentage,
		.queue_priority = 7,
	};

	call(q->g, AMDKFD_IOC_UPDATE_QUEUE, &args, "update a queue");
}

/* ------------------------------------------------ packets */

/* A packet may not wrap: what is left of the ring is NOPs, which are zeros. */
static void put(struct sdma *q, const uint32_t *words, uint64_t n)
{
	uint64_t at = q->wptr % RING_BYTES;

	if (at + 4 * n > RING_BYTES) {
		memset((char *)q->ring.cpu + at, 0, RING_BYTES - at);
		q->wptr += RING_BYTES - at;
		at = 0;
	}
	memcpy((char *)q->ring.cpu + at, words, 4 * n);
	q->wptr += 4 * n;
}

void sdma_nop(struct sdma *q)
{
	const uint32_t packet = 0;

	put(q, &packet, 1);
}

void sdma_copy(struct sdma *q, uint64_t dst, uint64_t src, uint64_t bytes)
{
	while (bytes) {
		uint64_t n = bytes < COPY_MAX ? bytes : COPY_MAX;
		uint32_t packet[] = { OP_COPY,
				      (uint32_t)(n - 1),
				      0,
				      (uint32_t)src,
				      (uint32_t)(src >> 32),
				      (uint32_t)dst,
				      (uint32_t)(dst >> 32) };

		put(q, packet, 7);
		src += n;
		dst += n;
		bytes -= n;
	}
}

void sdma_fence(struct sdma *q, uint64_t va, uint32_t value)
{
	uint32_t packet[] = { OP_FENCE, (uint32_t)va, (uint32_t)(va >> 32), value };

	put(q, packet, 4);
}

void sdma_timestamp(struct sdma *q, uint64_t va)
{
	uint32_t packet[] = { OP_TIMESTAMP | SUB_GLOBAL << 8, (uint32_t)va, (uint32_t)(va >> 32) };

	put(q, packet, 3);
}

void sdma_trap(struct sdma *q, uint32_t ctx)
{
	uint32_t packet[] = { OP_TRAP, ctx };

	put(q, packet, 2);
}

void sdma_poll(struct sdma *q, uint64_t va, uint32_t value)
{
	uint32_t packet[] = { OP_POLL | POLL_MEMORY | POLL_EQUAL,
			      (uint32_t)va,
			      (uint32_t)(va >> 32),
			      value,
			      UINT32_MAX,
			      POLL_FOREVER };

	put(q, packet, 6);
}

void sdma_ring(struct sdma *q)
{
	atomic_thread_fence(memory_order_release);
	*(volatile uint64_t *)q->pointers.cpu = q->wptr;
	atomic_thread_fence(memory_order_release);
	*q->doorbell = q->wptr;
}
