/* SPDX-License-Identifier: MIT */
/*
 * The life of a program with the n-th allocation of memory refused, for each n: the call that needed
 * it says so, changes nothing, and succeeds when it is made again; nothing is left at the end.
 */
#include <drm/drm.h>
#include <errno.h>
#include <linux/kfd_ioctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/env.h"
#include "vkfd/vkfd.h"

#include <cmocka.h>

#define NEVER (~0ul)
#define PAGE 4096ull
#define VA 0x2000000000ull
#define QUEUE_BYTES 88 /* of 1.11: any later field is zero */

static unsigned long until_refusal = NEVER; /* allocations that still succeed */
static unsigned long refused;

static void *counting_zalloc(size_t size)
{
	if (until_refusal == 0) {
		refused++;
		until_refusal = NEVER;
		return NULL;
	}
	if (until_refusal != NEVER)
		until_refusal--;
	return calloc(1, size);
}

static int no_fault(const char *point, uint64_t arg)
{
	(void)point;
	(void)arg;
	return 0;
}

static const struct vkf_env_ops env = { counting_zalloc, free, no_fault };

/* struct life - one run */
struct life {
	bool transactional; /* MAP is all or nothing */
	struct vkfd_machine *machine;
	struct vkfd_client *client;
	int kfd, render[2];
	uint32_t gpu[2];
};

static int no_memory(int r)
{
	/* A handle table that cannot grow is a fault in the kernel, too. */
	return r == -ENOMEM || r == -EFAULT;
}

static void call(struct life *l, unsigned long cmd, void *arg, size_t size)
{
	uint8_t copy[512];
	int r;

	memcpy(copy, arg, size);
	r = vkfd_ioctl(l->client, l->kfd, cmd, arg);
	if (!r)
		return;
	if (!no_memory(r))
		fail_msg("ioctl 0x%02lx: %d", _IOC_NR(cmd), r);
	memcpy(arg, copy, size);
	assert_int_equal(vkfd_ioctl(l->client, l->kfd, cmd, arg), 0);
}

#define CALL(l, cmd, arg) call(l, cmd, &(arg), sizeof(arg))

static void start(struct life *l)
{
	struct kfd_process_device_apertures a[2];
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a, .num_of_nodes = 2
	};

	while (vkfd_client_open(l->machine, 1, "oom", &l->client))
		assert_int_equal(until_refusal, NEVER);
	while ((l->kfd = vkfd_open(l->client, "/dev/kfd")) < 0)
		assert_int_equal(l->kfd, -ENOMEM);
	while ((l->render[0] = vkfd_open(l->client, "/dev/dri/renderD128")) < 0)
		assert_int_equal(l->render[0], -ENOMEM);
	while ((l->render[1] = vkfd_open(l->client, "/dev/dri/renderD129")) < 0)
		assert_int_equal(l->render[1], -ENOMEM);
	CALL(l, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, args);
	for (unsigned int i = 0; i < 2; i++) {
		struct kfd_ioctl_acquire_vm_args acquire = {
			.drm_fd = (uint32_t)l->render[i], .gpu_id = a[i].gpu_id
		};

		l->gpu[i] = a[i].gpu_id;
		CALL(l, AMDKFD_IOC_ACQUIRE_VM, acquire);
	}
}

/* A MAP was refused: how far it came is told, and where nothing may be half done, nothing is. */
static void check_refused_map(struct life *l, uint64_t handle, uint32_t n_success)
{
	if (!l->transactional)
		return;
	assert_int_equal(n_success, 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct kfd_ioctl_unmap_memory_from_gpu_args u = {
			.handle = handle,
			.device_ids_array_ptr = (uintptr_t)&l->gpu[i],
			.n_devices = 1,
		};

		assert_int_equal(vkfd_ioctl(l->client, l->kfd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU,
					    &u), -EINVAL);
	}
}

static uint64_t alloc_mapped(struct life *l, uint64_t va, uint64_t size, uint32_t flags)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args a = {
		.va_addr = va, .size = size, .gpu_id = l->gpu[0], .flags = flags
	};
	struct kfd_ioctl_map_memory_to_gpu_args m = {
		.device_ids_array_ptr = (uintptr_t)l->gpu, .n_devices = 2
	};

	CALL(l, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, a);
	m.handle = a.handle;
	if (vkfd_ioctl(l->client, l->kfd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &m)) {
		check_refused_map(l, a.handle, m.n_success);
		/* The same block goes on from where it stopped. */
		assert_int_equal(vkfd_ioctl(l->client, l->kfd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &m),
				 0);
	}
	assert_int_equal(m.n_success, 2);
	return a.handle;
}

static void unmap_and_free(struct life *l, uint64_t handle)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args u = {
		.handle = handle, .device_ids_array_ptr = (uintptr_t)l->gpu, .n_devices = 2
	};
	struct kfd_ioctl_free_memory_of_gpu_args f = { .handle = handle };
	int r = vkfd_ioctl(l->client, l->kfd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &u);

	/* Resumed where it stopped, not repeated. */
	if (r) {
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(vkfd_ioctl(l->client, l->kfd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU,
					    &u), 0);
	}
	CALL(l, AMDKFD_IOC_FREE_MEMORY_OF_GPU, f);
}

static void use_events(struct life *l)
{
	struct kfd_ioctl_create_event_args create = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct kfd_event_data data = { 0 };
	struct kfd_ioctl_wait_events_args wait = {
		.events_ptr = (uintptr_t)&data, .num_events = 1, .timeout = 0
	};
	struct kfd_ioctl_set_event_args set;

	CALL(l, AMDKFD_IOC_CREATE_EVENT, create);
	set.event_id = data.event_id = create.event_id;
	CALL(l, AMDKFD_IOC_SET_EVENT, set);
	CALL(l, AMDKFD_IOC_WAIT_EVENTS, wait);
	assert_int_equal(wait.wait_result, KFD_IOC_WAIT_RESULT_COMPLETE);
}

static void use_queue(struct life *l)
{
	struct kfd_ioctl_create_queue_args q = {
		.ring_base_address = VA,
		.write_pointer_address = VA + PAGE,
		.read_pointer_address = VA + 2 * PAGE,
		.ring_size = PAGE,
		.gpu_id = l->gpu[0],
		.queue_type = KFD_IOC_QUEUE_TYPE_SDMA,
		.queue_percentage = 100,
	};
	struct kfd_ioctl_destroy_queue_args destroy = { 0 };

	for (unsigned int i = 0; i < 3; i++)
		alloc_mapped(l, VA + i * PAGE, PAGE, 0xc0000002);
	call(l, _IOC(_IOC_READ | _IOC_WRITE, 'K', 0x02, QUEUE_BYTES), &q, QUEUE_BYTES);
	destroy.queue_id = q.queue_id;
	CALL(l, AMDKFD_IOC_DESTROY_QUEUE, destroy);
}

struct export_args {
	uint64_t handle;
	uint32_t flags, fd;
};

/* Two dma-bufs and two imports; the last holder of each buffer is another one. */
static void use_dmabufs(struct life *l)
{
	for (unsigned int last = 0; last < 2; last++) {
		struct kfd_ioctl_alloc_memory_of_gpu_args a = {
			.va_addr = VA + (3ull << 30), .size = 2 << 20, .gpu_id = l->gpu[0],
			.flags = 0x80000001
		};
		struct export_args e = { 0 };
		struct kfd_ioctl_import_dmabuf_args i = {
			.va_addr = VA + (4ull << 30), .gpu_id = l->gpu[0]
		};
		struct kfd_ioctl_get_dmabuf_info_args info = { 0 };
		struct kfd_ioctl_map_memory_to_gpu_args m = {
			.device_ids_array_ptr = (uintptr_t)l->gpu, .n_devices = 2
		};
		struct kfd_ioctl_free_memory_of_gpu_args f;

		CALL(l, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, a);
		e.handle = a.handle;
		CALL(l, _IOWR('K', 0x24, struct export_args), e);
		i.dmabuf_fd = info.dmabuf_fd = e.fd;
		CALL(l, AMDKFD_IOC_IMPORT_DMABUF, i);
		CALL(l, AMDKFD_IOC_GET_DMABUF_INFO, info);
		assert_int_equal(info.size, 2 << 20);
		f.handle = a.handle;
		CALL(l, AMDKFD_IOC_FREE_MEMORY_OF_GPU, f);
		if (last)
			assert_int_equal(vkfd_close(l->client, (int)e.fd), 0);
		m.handle = i.handle;
		CALL(l, AMDKFD_IOC_MAP_MEMORY_TO_GPU, m);
		unmap_and_free(l, i.handle);
	}
}

static void live(unsigned long n, bool transactional)
{
	const char *const set[] = { transactional ? "kfd.map=transactional" : "kfd.map=kernel" };
	static char text[65536];
	FILE *file = fopen(MACHINES_DIR "/mi210x2.json", "r");
	size_t len = fread(text, 1, sizeof(text), file);
	struct life l = { .transactional = transactional };
	char why[256] = "";

	fclose(file);
	until_refusal = NEVER;
	assert_int_equal(vkfd_machine_open(text, len, set, 1, &l.machine, why, sizeof(why)), 0);
	until_refusal = n;
	start(&l);
	unmap_and_free(&l, alloc_mapped(&l, VA + (1 << 30), 4 << 20, 0xc0000001));
	unmap_and_free(&l, alloc_mapped(&l, VA + (2ull << 30), 8 * PAGE, 0x88000002));
	use_dmabufs(&l);
	use_events(&l);
	use_queue(&l);
	until_refusal = NEVER;
	vkfd_client_close(l.client);
	if (vkfd_check(l.machine, why, sizeof(why)))
		fail_msg("after refusing allocation %lu: %s", n, why);
	vkfd_machine_close(l.machine);
}

static void refuse_each(bool transactional)
{
	unsigned long n = 0;

	vkf_env_set(&env);
	do {
		refused = 0;
		live(n++, transactional);
	} while (refused);
	/* A life takes many: the loop must have reached them. */
	assert_in_range(n, 50, 100000);
	vkf_env_set(NULL);
}

static void each_allocation_may_be_refused(void **state)
{
	refuse_each(false);
}

static void each_allocation_may_be_refused_where_map_is_all_or_nothing(void **state)
{
	refuse_each(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_may_be_refused),
		cmocka_unit_test(each_allocation_may_be_refused_where_map_is_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
