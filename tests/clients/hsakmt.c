/* SPDX-License-Identifier: MIT */
/*
 * The distribution's libhsakmt, called as a runtime calls it: on a machine with two GPUs or more.
 * Every call with what it answers when it succeeds, and when the driver or the library refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of C++'s ways in C: the header knows no bool. */
#include <hsakmt.h>

#define PAGE      4096ull
#define MIB       (1ull << 20)
#define GIB       (1ull << 30)
#define MAX_NODES 16
#define CHUNK     (4 * GIB)
#define SYS_CHUNK (128 * MIB)
#define RING      65536
#define PATIENCE  10000 /* ms */

#define OK(call) assert_int_equal(call, HSAKMT_STATUS_SUCCESS)

/* The machine as the library tells it. */
static struct {
	HsaSystemProperties system;
	unsigned int n_gpus;
	HSAuint32 gpu[MAX_NODES]; /* node numbers */
	HsaNodeProperties node[MAX_NODES];
} the;

static int open_library(void **state)
{
	(void)state;
	memset(&the, 0, sizeof(the));
	if (hsaKmtOpenKFD() || hsaKmtAcquireSystemProperties(&the.system))
		return -1;
	for (HSAuint32 i = 0; i < the.system.NumNodes && i < MAX_NODES; i++) {
		if (hsaKmtGetNodeProperties(i, &the.node[i]))
			return -1;
		if (the.node[i].NumFComputeCores)
			the.gpu[the.n_gpus++] = i;
	}
	return the.n_gpus < 2;
}

static int close_library(void **state)
{
	(void)state;
	return hsaKmtReleaseSystemProperties() || hsaKmtCloseKFD();
}

static HsaMemFlags vram_flags(void)
{
	HsaMemFlags f = { .Value = 0 };

	f.ui32.NonPaged = 1;
	f.ui32.HostAccess = 1;
	f.ui32.CoarseGrain = 1;
	f.ui32.NoSubstitute = 1;
	f.ui32.PageSize = HSA_PAGE_SIZE_4KB;
	return f;
}

static HsaMemFlags system_flags(void)
{
	HsaMemFlags f = { .Value = 0 };

	f.ui32.HostAccess = 1;
	f.ui32.NonPaged = 1; /* GTT: pageable memory is the program's own */
	f.ui32.PageSize = HSA_PAGE_SIZE_4KB;
	return f;
}

static void *alloc(HSAuint32 node, uint64_t size, HsaMemFlags flags)
{
	void *p = NULL;

	OK(hsaKmtAllocMemory(node, size, flags, &p));
	assert_non_null(p);
	return p;
}

/* ------------------------------------------------ open, version, topology */

static void opening_is_counted_and_closing_ends_it(void **state)
{
	HsaVersionInfo v;

	OK(hsaKmtGetVersion(&v));
	assert_int_equal(v.KernelInterfaceMajorVersion, 1);
	assert_int_equal(v.KernelInterfaceMinorVersion, 17);
	assert_int_equal(hsaKmtOpenKFD(), HSAKMT_STATUS_KERNEL_ALREADY_OPENED);
	OK(hsaKmtGetVersion(&v));
	OK(hsaKmtCloseKFD());
	OK(hsaKmtGetVersion(&v));
}

static void the_topology_has_a_node_for_each_device(void **state)
{
	HsaNodeProperties none;

	assert_in_range(the.system.NumNodes, 3, MAX_NODES);
	assert_int_equal(the.node[0].NumFComputeCores, 0);
	assert_in_range(the.node[0].NumCPUCores, 1, 1024);
	for (unsigned int i = 0; i < the.n_gpus; i++) {
		const HsaNodeProperties *n = &the.node[the.gpu[i]];

		assert_int_equal(n->NumCPUCores, 0);
		assert_int_equal(n->EngineId.ui32.Major, 9);
		assert_int_equal(n->VendorId, 0x1002);
		assert_in_range(n->DrmRenderMinor, 128, 255);
		assert_int_equal(n->NumSdmaEngines, 2);
	}
	assert_int_equal(hsaKmtGetNodeProperties(the.system.NumNodes, &none),
			 HSAKMT_STATUS_INVALID_NODE_UNIT);
}

static void a_gpu_has_its_vram_as_a_bank_and_a_link_to_its_cpu(void **state)
{
	const HsaNodeProperties *n = &the.node[the.gpu[0]];
	HsaMemoryProperties bank[16];
	HsaIoLinkProperties link[MAX_NODES];
	uint64_t vram = 0;
	bool to_cpu = false;

	assert_in_range(n->NumMemoryBanks, 1, 16);
	OK(hsaKmtGetNodeMemoryProperties(the.gpu[0], n->NumMemoryBanks, bank));
	for (unsigned int i = 0; i < n->NumMemoryBanks; i++) {
		if (bank[i].HeapType == HSA_HEAPTYPE_FRAME_BUFFER_PUBLIC)
			vram += bank[i].SizeInBytes;
	}
	assert_in_range(vram, 16 * GIB, 256 * GIB);
	assert_in_range(n->NumIOLinks, 1, MAX_NODES);
	OK(hsaKmtGetNodeIoLinkProperties(the.gpu[0], n->NumIOLinks, link));
	for (unsigned int i = 0; i < n->NumIOLinks; i++) {
		assert_int_equal(link[i].NodeFrom, the.gpu[0]);
		to_cpu |= link[i].NodeTo == 0;
	}
	assert_true(to_cpu);
}

static void clocks_advance(void **state)
{
	HsaClockCounters a, b;

	OK(hsaKmtGetClockCounters(the.gpu[0], &a));
	usleep(1000);
	OK(hsaKmtGetClockCounters(the.gpu[0], &b));
	assert_true(b.GPUClockCounter > a.GPUClockCounter);
	assert_true(b.CPUClockCounter > a.CPUClockCounter);
	assert_true(b.SystemClockCounter > a.SystemClockCounter);
	assert_int_equal(b.SystemClockFrequencyHz, 1000000000);
	assert_int_equal(hsaKmtGetClockCounters(99, &a), HSAKMT_STATUS_INVALID_NODE_UNIT);
}

/* ------------------------------------------------ memory */

static void use(void *p, uint64_t size, HSAuint32 *nodes, unsigned int n)
{
	HsaMemMapFlags map = { .Value = 0 };
	HSAuint64 va = 0;

	OK(hsaKmtMapMemoryToGPUNodes(p, size, &va, map, n, nodes));
	memset(p, 0x5a, PAGE);
	((volatile char *)p)[size - 1] = 1;
	OK(hsaKmtUnmapMemoryToGPU(p));
	OK(hsaKmtFreeMemory(p, size));
}

static void vram_is_mapped_to_all_and_written(void **state)
{
	use(alloc(the.gpu[0], 4 * MIB, vram_flags()), 4 * MIB, the.gpu, the.n_gpus);
	use(alloc(the.gpu[1], PAGE, vram_flags()), PAGE, the.gpu, 1);
}

static void system_memory_is_mapped_to_all_and_written(void **state)
{
	HsaMemFlags pageable = system_flags();

	use(alloc(0, 4 * MIB, system_flags()), 4 * MIB, the.gpu, the.n_gpus);
	pageable.ui32.NonPaged = 0;
	use(alloc(0, 4 * MIB, pageable), 4 * MIB, the.gpu, the.n_gpus);
}

static void bad_requests_get_no_memory(void **state)
{
	void *p = NULL;

	assert_int_equal(hsaKmtAllocMemory(the.gpu[0], 0, vram_flags(), &p),
			 HSAKMT_STATUS_INVALID_PARAMETER);
	assert_int_equal(hsaKmtAllocMemory(the.gpu[0], PAGE + 1, vram_flags(), &p),
			 HSAKMT_STATUS_INVALID_PARAMETER);
	assert_int_equal(hsaKmtAllocMemory(99, PAGE, vram_flags(), &p),
			 HSAKMT_STATUS_INVALID_NODE_UNIT);
	assert_int_equal(hsaKmtAllocMemory(the.gpu[0], 512 * GIB, vram_flags(), &p),
			 HSAKMT_STATUS_NO_MEMORY);
	assert_int_not_equal(hsaKmtFreeMemory((void *)&p, PAGE), HSAKMT_STATUS_SUCCESS);
}

static void a_mapping_names_its_nodes(void **state)
{
	void *p = alloc(the.gpu[0], MIB, vram_flags());
	HSAuint32 bad[2] = { the.gpu[0], 99 };
	HsaMemMapFlags map = { .Value = 0 };
	HsaPointerInfo info;
	HSAuint64 va = 0;

	assert_int_not_equal(hsaKmtMapMemoryToGPUNodes(p, MIB, &va, map, 2, bad),
			     HSAKMT_STATUS_SUCCESS);
	OK(hsaKmtMapMemoryToGPUNodes(p, MIB, &va, map, 1, the.gpu));
	assert_int_equal(va, 0); /* no other than the one it has */
	OK(hsaKmtQueryPointerInfo(p, &info));
	assert_int_equal(info.NMappedNodes, 1);
	assert_int_equal(info.MappedNodes[0], the.gpu[0]);
	/* Mapped again, to more: the library maps those that are missing. */
	OK(hsaKmtMapMemoryToGPUNodes(p, MIB, &va, map, 2, the.gpu));
	OK(hsaKmtQueryPointerInfo(p, &info));
	assert_int_equal(info.NMappedNodes, 2);
	/* And to fewer: it takes away those that are too many. */
	OK(hsaKmtMapMemoryToGPUNodes(p, MIB, &va, map, 1, the.gpu + 1));
	OK(hsaKmtQueryPointerInfo(p, &info));
	assert_int_equal(info.NMappedNodes, 1);
	assert_int_equal(info.MappedNodes[0], the.gpu[1]);
	OK(hsaKmtUnmapMemoryToGPU(p));
	OK(hsaKmtFreeMemory(p, MIB));
}

static void a_pointer_tells_what_it_is(void **state)
{
	char *v = alloc(the.gpu[0], MIB, vram_flags()), *u;
	HsaPointerInfo info;

	OK(hsaKmtQueryPointerInfo(v + 100, &info));
	assert_int_equal(info.Type, HSA_POINTER_ALLOCATED);
	assert_int_equal(info.Node, the.gpu[0]);
	assert_int_equal(info.GPUAddress, (uintptr_t)v);
	assert_int_equal(info.SizeInBytes, MIB);
	assert_int_equal(info.NMappedNodes, 0);
	OK(hsaKmtSetMemoryUserData(v, &info));
	OK(hsaKmtQueryPointerInfo(v, &info));
	assert_ptr_equal(info.UserData, &info);
	OK(hsaKmtFreeMemory(v, MIB));
	u = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(hsaKmtRegisterMemory(u, MIB));
	OK(hsaKmtQueryPointerInfo(u + 5, &info));
	assert_int_equal(info.Type, HSA_POINTER_REGISTERED_USER);
	assert_ptr_equal(info.CPUAddress, u);
	OK(hsaKmtDeregisterMemory(u));
	assert_int_not_equal(hsaKmtQueryPointerInfo(u, &info), HSAKMT_STATUS_SUCCESS);
	assert_int_equal(info.Type, HSA_POINTER_UNKNOWN);
	munmap(u, MIB);
}

/* ------------------------------------------------ user memory */

static void user_memory_is_registered_and_mapped(void **state)
{
	char *u = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HsaPointerInfo info;
	HSAuint64 va = 0;

	OK(hsaKmtRegisterMemory(u, MIB));
	OK(hsaKmtMapMemoryToGPU(u, MIB, &va));
	assert_int_not_equal(va, 0);
	OK(hsaKmtQueryPointerInfo(u, &info));
	assert_int_equal(info.NMappedNodes, the.n_gpus);
	OK(hsaKmtUnmapMemoryToGPU(u));
	OK(hsaKmtDeregisterMemory(u));
	/* For one of them only. */
	OK(hsaKmtRegisterMemoryToNodes(u + PAGE, PAGE, 1, the.gpu + 1));
	OK(hsaKmtMapMemoryToGPU(u + PAGE, PAGE, &va));
	OK(hsaKmtQueryPointerInfo(u + PAGE, &info));
	assert_int_equal(info.NRegisteredNodes, 1);
	assert_int_equal(info.RegisteredNodes[0], the.gpu[1]);
	OK(hsaKmtUnmapMemoryToGPU(u + PAGE));
	OK(hsaKmtDeregisterMemory(u + PAGE));
	assert_int_not_equal(hsaKmtDeregisterMemory(u + PAGE), HSAKMT_STATUS_SUCCESS);
	munmap(u, MIB);
}

static void memory_from_the_middle_of_a_page_is_registered(void **state)
{
	char *u = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HSAuint64 va = 0;

	OK(hsaKmtRegisterMemory(u + 100, 2 * PAGE));
	OK(hsaKmtMapMemoryToGPU(u + 100, 2 * PAGE, &va));
	assert_int_equal(va % PAGE, 100);
	OK(hsaKmtUnmapMemoryToGPU(u + 100));
	OK(hsaKmtDeregisterMemory(u + 100));
	munmap(u, 4 * PAGE);
}

static void what_is_not_writable_throughout_is_refused(void **state)
{
	char *u = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(u + 7 * PAGE, PAGE, PROT_READ);
	assert_int_equal(hsaKmtRegisterMemory(u, 16 * PAGE), HSAKMT_STATUS_ERROR);
	munmap(u + 7 * PAGE, PAGE);
	assert_int_equal(hsaKmtRegisterMemory(u, 16 * PAGE), HSAKMT_STATUS_ERROR);
	OK(hsaKmtRegisterMemory(u, 7 * PAGE));
	OK(hsaKmtDeregisterMemory(u));
	munmap(u, 16 * PAGE);
}

static void *register_and_map(void *arg)
{
	HSAuint64 va = 0;

	for (unsigned int i = 0; i < 50; i++) {
		if (hsaKmtRegisterMemory(arg, MIB) || hsaKmtMapMemoryToGPU(arg, MIB, &va) ||
		    hsaKmtUnmapMemoryToGPU(arg) || hsaKmtDeregisterMemory(arg))
			return arg;
	}
	return NULL;
}

static void threads_register_memory_at_once(void **state)
{
	char *u = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread[8];

	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, register_and_map, u + i * MIB),
				 0);
	for (unsigned int i = 0; i < 8; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	munmap(u, 8 * MIB);
}

/* ------------------------------------------------ limits */

/* How many chunks there are, all of them given back. */
static unsigned int fill(HSAuint32 node, uint64_t chunk, HsaMemFlags flags, HSAKMT_STATUS full)
{
	void *p[256];
	unsigned int n = 0;
	HSAKMT_STATUS r = HSAKMT_STATUS_SUCCESS;

	while (n < 256 && !(r = hsaKmtAllocMemory(node, chunk, flags, &p[n])))
		n++;
	assert_int_equal(r, full);
	for (unsigned int i = 0; i < n; i++)
		OK(hsaKmtFreeMemory(p[i], chunk));
	return n;
}

static void vram_is_full_at_the_same_point_each_time(void **state)
{
	unsigned int n = fill(the.gpu[0], CHUNK, vram_flags(), HSAKMT_STATUS_NO_MEMORY);
	HsaMemoryProperties bank;

	OK(hsaKmtGetNodeMemoryProperties(the.gpu[0], 1, &bank));
	/* All but what page tables may need. */
	assert_int_equal(n, bank.SizeInBytes / CHUNK - 1);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(fill(the.gpu[0], CHUNK, vram_flags(), HSAKMT_STATUS_NO_MEMORY), n);
}

/* The machine of this test has little. */
static void system_memory_is_full_at_the_same_point_each_time(void **state)
{
	unsigned int n = fill(0, SYS_CHUNK, system_flags(), HSAKMT_STATUS_ERROR);

	assert_in_range(n, 1, 200);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(fill(0, SYS_CHUNK, system_flags(), HSAKMT_STATUS_ERROR), n);
}

/* ------------------------------------------------ events */

static HsaEvent *event(bool manual)
{
	HsaEventDescriptor d = { .EventType = HSA_EVENTTYPE_SIGNAL, .NodeId = the.gpu[0] };
	HsaEvent *e = NULL;

	OK(hsaKmtCreateEvent(&d, manual, false, &e));
	return e;
}

static void events_are_set_waited_for_and_reset(void **state)
{
	HsaEvent *e[2] = { event(true), event(false) };

	assert_int_not_equal(e[0]->EventId, 0);
	assert_int_not_equal(e[0]->EventData.HWData2, 0);
	assert_int_equal(hsaKmtWaitOnEvent(e[0], 0), HSAKMT_STATUS_WAIT_TIMEOUT);
	assert_int_equal(hsaKmtWaitOnEvent(e[0], 10), HSAKMT_STATUS_WAIT_TIMEOUT);
	OK(hsaKmtSetEvent(e[0]));
	OK(hsaKmtWaitOnEvent(e[0], PATIENCE));
	OK(hsaKmtWaitOnEvent(e[0], PATIENCE));
	OK(hsaKmtResetEvent(e[0]));
	assert_int_equal(hsaKmtWaitOnEvent(e[0], 0), HSAKMT_STATUS_WAIT_TIMEOUT);
	OK(hsaKmtSetEvent(e[1]));
	OK(hsaKmtWaitOnMultipleEvents(e, 2, false, PATIENCE));
	assert_int_equal(hsaKmtWaitOnMultipleEvents(e, 2, true, 10), HSAKMT_STATUS_WAIT_TIMEOUT);
	OK(hsaKmtDestroyEvent(e[0]));
	OK(hsaKmtDestroyEvent(e[1]));
	assert_int_not_equal(hsaKmtSetEvent(NULL), HSAKMT_STATUS_SUCCESS);
	assert_int_not_equal(hsaKmtWaitOnEvent(NULL, 0), HSAKMT_STATUS_SUCCESS);
}

static void there_are_4095_signals_and_no_more(void **state)
{
	static HsaEvent *e[4097];
	HsaEventDescriptor d = { .EventType = HSA_EVENTTYPE_SIGNAL, .NodeId = the.gpu[0] };
	unsigned int n = 0;

	while (n < 4097 && !hsaKmtCreateEvent(&d, false, false, &e[n]))
		n++;
	assert_int_equal(n, 4095);
	for (unsigned int i = 0; i < n; i++)
		OK(hsaKmtDestroyEvent(e[i]));
}

/* ------------------------------------------------ queues */

static HSAKMT_STATUS create(HSAuint32 node, HSA_QUEUE_TYPE type, void *ring, uint64_t bytes,
			    HsaQueueResource *res)
{
	memset(res, 0, sizeof(*res));
	return hsaKmtCreateQueue(node, type, 100, HSA_QUEUE_PRIORITY_NORMAL, ring, bytes, NULL,
				 res);
}

/* What all GPUs execute from and write to. */
static void *shared(uint64_t size)
{
	HsaMemFlags f = system_flags();
	HSAuint64 va;
	void *p;

	f.ui32.ExecuteAccess = 1;
	p = alloc(0, size, f);
	OK(hsaKmtMapMemoryToGPU(p, size, &va));
	return p;
}

static void drop(void *p, uint64_t size)
{
	OK(hsaKmtUnmapMemoryToGPU(p));
	OK(hsaKmtFreeMemory(p, size));
}

static void an_sdma_queue_writes_and_signals(void **state)
{
	for (unsigned int i = 0; i < the.n_gpus; i++) {
		uint32_t *ring = shared(RING);
		volatile uint32_t *m = shared(PAGE);
		HsaQueueResource res;
		HsaEvent *e = event(false);
		uint64_t va = (uintptr_t)m, slot = e->EventData.HWData2;
		const uint32_t packets[] = {
			5, (uint32_t)va,   (uint32_t)(va >> 32),   4711,       /* fence */
			5, (uint32_t)slot, (uint32_t)(slot >> 32), e->EventId, /* the slot */
			6, e->EventId,                                         /* trap */
		};

		OK(create(the.gpu[i], HSA_QUEUE_SDMA, ring, RING, &res));
		memcpy(ring, packets, sizeof(packets));
		__atomic_store_n(res.Queue_write_ptr_aql, sizeof(packets), __ATOMIC_RELEASE);
		__atomic_store_n(res.Queue_DoorBell_aql, sizeof(packets), __ATOMIC_RELEASE);
		OK(hsaKmtWaitOnEvent(e, PATIENCE));
		assert_int_equal(m[0], 4711);
		OK(hsaKmtDestroyQueue(res.QueueId));
		OK(hsaKmtDestroyEvent(e));
		drop((void *)m, PAGE);
		drop(ring, RING);
	}
}

/* struct alloc_args, struct export_args - of KFD, which this library cannot export with */
struct alloc_args {
	uint64_t va, size, handle, mmap_offset;
	uint32_t gpu_id, flags;
};

struct export_args {
	uint64_t handle;
	uint32_t flags, fd;
};

#define KFD_ALLOC  _IOWR('K', 0x16, struct alloc_args)
#define KFD_FREE   _IOW('K', 0x17, uint64_t)
#define KFD_EXPORT _IOWR('K', 0x24, struct export_args)
#define GTT_WRITE  (1u << 31 | 1u << 1)

static uint32_t gpu_id_of(HSAuint32 node)
{
	char path[96];
	unsigned int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/kfd/kfd/topology/nodes/%u/gpu_id", node);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &id), 1);
	fclose(f);
	return id;
}

/* A dma-buf of @size bytes on the GPU of @node, of which nothing else is left. */
static int dmabuf_alone(HSAuint32 node, uint64_t size)
{
	struct alloc_args a = { .size = size, .gpu_id = gpu_id_of(node), .flags = GTT_WRITE };
	struct export_args e = { .flags = O_CLOEXEC };
	int kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	assert_true(kfd >= 0);
	assert_int_equal(ioctl(kfd, KFD_ALLOC, &a), 0);
	e.handle = a.handle;
	assert_int_equal(ioctl(kfd, KFD_EXPORT, &e), 0);
	assert_int_equal(ioctl(kfd, KFD_FREE, &a.handle), 0);
	close(kfd);
	return (int)e.fd;
}

/* As a graphics buffer is registered; the GPU then reads what the CPU wrote through the descriptor. */
static void a_dma_buf_is_registered_and_read(void **state)
{
	for (unsigned int i = 0; i < the.n_gpus; i++) {
		int fd = dmabuf_alone(the.gpu[i], MIB);
		uint32_t *bytes = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		uint32_t *ring = shared(RING);
		volatile uint32_t *to = shared(PAGE);
		HsaGraphicsResourceInfo info = { 0 };
		HsaMemMapFlags f = { .Value = 0 };
		HsaQueueResource res;
		HSAuint64 va;
		uint64_t from;

		assert_ptr_not_equal(bytes, MAP_FAILED);
		bytes[77] = 4711;
		OK(hsaKmtRegisterGraphicsHandleToNodes((HSAuint64)fd, &info, 1, &the.gpu[i]));
		close(fd);
		assert_int_equal(info.SizeInBytes, MIB);
		assert_int_equal(info.MetadataSizeInBytes, 0);
		OK(hsaKmtMapMemoryToGPUNodes((void *)info.MemoryAddress, MIB, &va, f, 1,
					     &the.gpu[i]));
		OK(create(the.gpu[i], HSA_QUEUE_SDMA, ring, RING, &res));
		from = (uintptr_t)info.MemoryAddress + 77 * 4;
		{
			const uint32_t copy[] = { 1, 3, 0, (uint32_t)from, (uint32_t)(from >> 32),
						  (uint32_t)(uintptr_t)to,
						  (uint32_t)((uintptr_t)to >> 32) };

			memcpy(ring, copy, sizeof(copy));
			__atomic_store_n(res.Queue_write_ptr_aql, sizeof(copy), __ATOMIC_RELEASE);
			__atomic_store_n(res.Queue_DoorBell_aql, sizeof(copy), __ATOMIC_RELEASE);
		}
		for (unsigned int n = 0; n < PATIENCE && to[0] != 4711; n++)
			usleep(1000);
		assert_int_equal(to[0], 4711);
		OK(hsaKmtDestroyQueue(res.QueueId));
		OK(hsaKmtUnmapMemoryToGPU((void *)info.MemoryAddress));
		OK(hsaKmtDeregisterMemory((void *)info.MemoryAddress));
		munmap(bytes, MIB);
		drop((void *)to, PAGE);
		drop(ring, RING);
	}
}

static void what_is_no_dma_buf_is_not_registered(void **state)
{
	HsaGraphicsResourceInfo info;
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	assert_int_not_equal(hsaKmtRegisterGraphicsHandleToNodes((HSAuint64)fd, &info, 1, the.gpu),
			     HSAKMT_STATUS_SUCCESS);
	close(fd);
	assert_int_not_equal(hsaKmtRegisterGraphicsHandleToNodes((HSAuint64)fd, &info, 1, the.gpu),
			     HSAKMT_STATUS_SUCCESS);
}

static void a_compute_queue_is_made_changed_and_destroyed(void **state)
{
	HsaMemFlags f = system_flags();
	HsaQueueResource res;
	HSAuint64 va;
	void *ring;
	volatile uint64_t *pointers = shared(PAGE);

	f.ui32.ExecuteAccess = 1;
	f.ui32.AQLQueueMemory = 1;
	ring = alloc(0, RING, f);
	OK(hsaKmtMapMemoryToGPU(ring, RING, &va));
	memset(&res, 0, sizeof(res));
	res.Queue_write_ptr_aql = (HSAuint64 *)&pointers[0];
	res.Queue_read_ptr_aql = (HSAuint64 *)&pointers[16];
	OK(hsaKmtCreateQueue(the.gpu[0], HSA_QUEUE_COMPUTE_AQL, 100, HSA_QUEUE_PRIORITY_NORMAL,
			     ring, RING, NULL, &res));
	assert_non_null(res.Queue_DoorBell_aql);
	OK(hsaKmtUpdateQueue(res.QueueId, 0, HSA_QUEUE_PRIORITY_NORMAL, ring, RING, NULL));
	OK(hsaKmtUpdateQueue(res.QueueId, 100, HSA_QUEUE_PRIORITY_HIGH, ring, RING, NULL));
	OK(hsaKmtDestroyQueue(res.QueueId));
	drop(ring, RING);
	drop((void *)pointers, PAGE);
}

static void bad_queues_are_refused(void **state)
{
	void *ring = shared(RING);
	HsaQueueResource res;

	assert_int_equal(create(99, HSA_QUEUE_SDMA, ring, RING, &res),
			 HSAKMT_STATUS_INVALID_NODE_UNIT);
	assert_int_not_equal(create(the.gpu[0], HSA_QUEUE_SDMA, ring, 1000, &res),
			     HSAKMT_STATUS_SUCCESS);
	assert_int_not_equal(create(the.gpu[0], HSA_QUEUE_SDMA, (char *)ring + PAGE, RING, &res),
			     HSAKMT_STATUS_SUCCESS);
	assert_int_not_equal(hsaKmtDestroyQueue(0), HSAKMT_STATUS_SUCCESS);
	drop(ring, RING);
}

static void the_sdma_queues_run_out(void **state)
{
	HsaQueueResource res[64];
	const HsaNodeProperties *p = &the.node[the.gpu[0]];
	void *ring[64];
	unsigned int n = 0, want = p->NumSdmaEngines * p->NumSdmaQueuesPerEngine;

	assert_in_range(want, 2, 63);
	do
		ring[n] = shared(RING);
	while (!create(the.gpu[0], HSA_QUEUE_SDMA, ring[n], RING, &res[n]) && ++n < 64);
	assert_int_equal(n, want);
	for (unsigned int i = 0; i < n; i++)
		OK(hsaKmtDestroyQueue(res[i].QueueId));
	for (unsigned int i = 0; i <= n; i++)
		drop(ring[i], RING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_library, close_library)
		T(opening_is_counted_and_closing_ends_it),
		T(the_topology_has_a_node_for_each_device),
		T(a_gpu_has_its_vram_as_a_bank_and_a_link_to_its_cpu),
		T(clocks_advance),
		T(vram_is_mapped_to_all_and_written),
		T(system_memory_is_mapped_to_all_and_written),
		T(bad_requests_get_no_memory),
		T(a_mapping_names_its_nodes),
		T(a_pointer_tells_what_it_is),
		T(user_memory_is_registered_and_mapped),
		T(memory_from_the_middle_of_a_page_is_registered),
		T(what_is_not_writable_throughout_is_refused),
		T(threads_register_memory_at_once),
		T(vram_is_full_at_the_same_point_each_time),
		T(system_memory_is_full_at_the_same_point_each_time),
		T(events_are_set_waited_for_and_reset),
		T(there_are_4095_signals_and_no_more),
		T(an_sdma_queue_writes_and_signals),
		T(a_dma_buf_is_registered_and_read),
		T(what_is_no_dma_buf_is_not_registered),
		T(a_compute_queue_is_made_changed_and_destroyed),
		T(bad_queues_are_refused),
		T(the_sdma_queues_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
