/* SPDX-License-Identifier: MIT */
#include "kfd_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

unsigned int uapi_gpus(int kfd, uint32_t ids[UAPI_MAX_GPUS])
{
	struct kfd_process_device_apertures a[UAPI_MAX_GPUS] = { 0 };
	struct kfd_ioctl_get_process_apertures_new_args args = { 0 };

	assert_int_equal(uapi_ioctl(kfd, K_GET_APERTURES_NEW, &args), 0);
	assert_in_range(args.num_of_nodes, 1, UAPI_MAX_GPUS);
	args.kfd_process_device_apertures_ptr = (uintptr_t)a;
	assert_int_equal(uapi_ioctl(kfd, K_GET_APERTURES_NEW, &args), 0);
	for (unsigned int i = 0; i < args.num_of_nodes; i++)
		ids[i] = a[i].gpu_id;
	return args.num_of_nodes;
}

void prog_open(struct prog *p)
{
	memset(p, 0, sizeof(*p));
	p->kfd = uapi_open_kfd();
	assert_true(p->kfd >= 0);
	p->n_gpus = uapi_gpus(p->kfd, p->gpu);
}

int acquire_vm(struct prog *p, unsigned int gpu, int fd)
{
	struct kfd_ioctl_acquire_vm_args args = { .drm_fd = (uint32_t)fd, .gpu_id = p->gpu[gpu] };

	return uapi_ioctl(p->kfd, K_ACQUIRE_VM, &args);
}

void prog_start(struct prog *p)
{
	prog_open(p);
	for (unsigned int i = 0; i < p->n_gpus; i++) {
		p->render[i] = uapi_open_render(i);
		assert_true(p->render[i] >= 0);
		assert_int_equal(acquire_vm(p, i, p->render[i]), 0);
	}
}

int alloc_mem(struct prog *p, unsigned int gpu, uint64_t va, uint64_t size, uint32_t flags,
	      uint64_t *handle, uint64_t *offset)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = va,
		.size = size,
		.mmap_offset = offset ? *offset : 0,
		.gpu_id = p->gpu[gpu],
		.flags = flags,
	};
	int r = uapi_ioctl(p->kfd, K_ALLOC, &args);

	if (handle)
		*handle = args.handle;
	if (offset)
		*offset = args.mmap_offset;
	return r;
}

int free_mem(struct prog *p, uint64_t handle)
{
	struct kfd_ioctl_free_memory_of_gpu_args args = { .handle = handle };

	return uapi_ioctl(p->kfd, K_FREE, &args);
}

static int map_call(struct prog *p, unsigned long cmd, uint64_t handle, const uint32_t *ids,
		    uint32_t n, uint32_t *n_success)
{
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.handle = handle,
		.device_ids_array_ptr = (uintptr_t)ids,
		.n_devices = n,
		.n_success = *n_success,
	};
	int r = uapi_ioctl(p->kfd, cmd, &args);

	*n_success = args.n_success;
	return r;
}

int map_gpus(struct prog *p, uint64_t handle, const uint32_t *ids, uint32_t n, uint32_t *n_success)
{
	return map_call(p, K_MAP, handle, ids, n, n_success);
}

int unmap_gpus(struct prog *p, uint64_t handle, const uint32_t *ids, uint32_t n,
	       uint32_t *n_success)
{
	return map_call(p, K_UNMAP, handle, ids, n, n_success);
}

int map_one(struct prog *p, uint64_t handle, unsigned int gpu)
{
	uint32_t done = 0;

	return map_gpus(p, handle, &p->gpu[gpu], 1, &done);
}

int unmap_one(struct prog *p, uint64_t handle, unsigned int gpu)
{
	uint32_t done = 0;

	return unmap_gpus(p, handle, &p->gpu[gpu], 1, &done);
}

uint64_t gtt(struct prog *p, unsigned int gpu, uint64_t va, uint64_t size, void *cpu)
{
	uint64_t handle, offset = 0;

	assert_int_equal(alloc_mem(p, gpu, va, size, F_GTT | F_WRITE | F_EXEC, &handle, &offset),
			 0);
	assert_int_equal(map_one(p, handle, gpu), 0);
	if (cpu)
		assert_int_equal(uapi_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
					   p->render[gpu], offset, (void **)cpu), 0);
	return handle;
}

uint64_t available(struct prog *p, unsigned int gpu)
{
	struct kfd_ioctl_get_available_memory_args args = { .gpu_id = p->gpu[gpu] };

	assert_int_equal(uapi_ioctl(p->kfd, K_AVAILABLE, &args), 0);
	return args.available;
}

void wait_available(struct prog *p, unsigned int gpu, uint64_t bytes)
{
	for (unsigned int i = 0; i < 5000 && available(p, gpu) != bytes; i++)
		usleep(2000);
	assert_int_equal(available(p, gpu), bytes);
}

/* ------------------------------------------------ dma-bufs */

int export_mem(struct prog *p, uint64_t handle)
{
	struct export_dmabuf args = { .handle = handle, .flags = O_CLOEXEC, .dmabuf_fd = ~0u };
	int r = uapi_ioctl(p->kfd, K_EXPORT_DMABUF, &args);

	if (r)
		assert_int_equal(args.dmabuf_fd, ~0u);
	return r ? r : (int)args.dmabuf_fd;
}

int import_mem(struct prog *p, unsigned int gpu, int fd, uint64_t va, uint64_t *handle)
{
	struct kfd_ioctl_import_dmabuf_args args = {
		.va_addr = va,
		.handle = *handle,
		.gpu_id = p->gpu[gpu],
		.dmabuf_fd = (uint32_t)fd,
	};
	int r = uapi_ioctl(p->kfd, K_IMPORT_DMABUF, &args);

	*handle = args.handle;
	return r;
}

/* ------------------------------------------------ events */

uint32_t event(struct prog *p, uint32_t type, bool auto_reset)
{
	struct kfd_ioctl_create_event_args args = { .event_type = type, .auto_reset = auto_reset };

	assert_int_equal(uapi_ioctl(p->kfd, K_CREATE_EVENT, &args), 0);
	assert_int_equal(args.event_trigger_data, args.event_id);
	return args.event_id;
}

int set_event(struct prog *p, uint32_t id)
{
	struct kfd_ioctl_set_event_args args = { .event_id = id };

	return uapi_ioctl(p->kfd, K_SET_EVENT, &args);
}

int wait_event(struct prog *p, uint32_t id, uint32_t timeout, uint32_t *result)
{
	struct kfd_event_data data = { .event_id = id };
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)&data,
		.num_events = 1,
		.timeout = timeout,
		.wait_result = ~0u,
	};
	int r = uapi_ioctl(p->kfd, K_WAIT_EVENTS, &args);

	*result = args.wait_result;
	return r;
}

uint64_t event_page(struct prog *p)
{
	struct kfd_ioctl_create_event_args args = { .event_type = KFD_IOC_EVENT_MEMORY };
	uint64_t handle;
	uint32_t done = 0;

	assert_int_equal(alloc_mem(p, 0, VA(900), 32768, F_GTT | F_WRITE | F_COHERENT, &handle,
				   NULL), 0);
	/* 0 is no handle here: the very first buffer of a GPU has one all the same. */
	assert_int_not_equal(handle, 0);
	assert_int_equal(map_gpus(p, handle, p->gpu, p->n_gpus, &done), 0);
	args.event_page_offset = handle;
	assert_int_equal(uapi_ioctl(p->kfd, K_CREATE_EVENT, &args), 0);
	return handle;
}

/* ------------------------------------------------ queues */

/* What gfx90a with 104 CUs asks for; the debugger's area comes on top. */
#define CTL_STACK 0x9000u
#define CWSR 0x3c91000u
#define CWSR_DEBUG 0x20000u
#define EOP 4096u

void queue_prepare(struct prog *p, unsigned int gpu, uint32_t type, unsigned int slot,
		   struct user_queue *q)
{
	uint64_t va = VA(slot);
	void *ring, *wptr, *rptr;

	memset(q, 0, sizeof(*q));
	q->ring = gtt(p, gpu, va, RING_BYTES, &ring);
	q->pointers = gtt(p, gpu, va + MIB, PAGE, &wptr);
	q->rptr_page = gtt(p, gpu, va + 2 * MIB, PAGE, &rptr);
	q->ring_cpu = ring;
	q->wptr = wptr;
	q->rptr = rptr;
	q->args = (struct create_queue){
		.ring_base_address = va,
		.ring_size = RING_BYTES,
		.write_pointer_address = va + MIB,
		.read_pointer_address = va + 2 * MIB,
		.gpu_id = p->gpu[gpu],
		.queue_type = type,
		.queue_percentage = 100,
		.queue_priority = 7,
	};
	if (type != KFD_IOC_QUEUE_TYPE_COMPUTE_AQL && type != KFD_IOC_QUEUE_TYPE_COMPUTE)
		return;
	q->eop = gtt(p, gpu, va + 3 * MIB, EOP, NULL);
	q->cwsr = gtt(p, gpu, va + 4 * MIB, CWSR + CWSR_DEBUG, NULL);
	q->args.eop_buffer_address = va + 3 * MIB;
	q->args.eop_buffer_size = EOP;
	q->args.ctx_save_restore_address = va + 4 * MIB;
	q->args.ctx_save_restore_size = CWSR;
	q->args.ctl_stack_size = CTL_STACK;
}

int queue_create(struct prog *p, struct user_queue *q)
{
	return uapi_ioctl(p->kfd, K_CREATE_QUEUE, &q->args);
}

void queue_start(struct prog *p, unsigned int gpu, uint32_t type, unsigned int slot,
		 struct user_queue *q)
{
	uint64_t offset;
	void *page;

	queue_prepare(p, gpu, type, slot, q);
	assert_int_equal(queue_create(p, q), 0);
	offset = q->args.doorbell_offset;
	assert_int_equal(uapi_mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, p->kfd,
				   offset & ~8191ull, &page), 0);
	q->doorbell = (volatile uint64_t *)((char *)page + (offset & 8191));
}

int queue_destroy(struct prog *p, uint32_t id)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = id };

	return uapi_ioctl(p->kfd, K_DESTROY_QUEUE, &args);
}
