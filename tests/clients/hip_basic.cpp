/* SPDX-License-Identifier: MIT */
/*
 * What a HIP program asks before it computes: devices, their properties, memory. It prints one line
 * "name value" a fact, and the test knows what they must be. With "hold MIB" it then keeps MIB of
 * device 0 until its standard input ends. With "free" it frees what it allocated, in HIP 5.2 the
 * first call that has the GPU compute: the runtime uploads its own copy kernels by a kernel.
 */
#include <hip/hip_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef WITH_KERNEL
/* Never launched: it makes hipcc compile for the GPUs, and the runtime upload what it compiled. */
__global__ void store(int *p)
{
	p[threadIdx.x] = 1;
}
#endif

static void check(hipError_t e, const char *what)
{
	if (e == hipSuccess)
		return;
	fprintf(stderr, "hip_basic: %s: %s\n", what, hipGetErrorString(e));
	exit(1);
}

static size_t free_bytes(const char *when)
{
	size_t free_now, total;

	check(hipMemGetInfo(&free_now, &total), "hipMemGetInfo");
	printf("free.%s %zu\ntotal.%s %zu\n", when, free_now, when, total);
	return free_now;
}

static void show_device(int i, int n)
{
	hipDeviceProp_t p;
	int peer = -1;

	check(hipGetDeviceProperties(&p, i), "hipGetDeviceProperties");
	printf("dev%d.name %s\n", i, p.name);
	printf("dev%d.arch %s\n", i, p.gcnArchName);
	printf("dev%d.memory %zu\n", i, p.totalGlobalMem);
	printf("dev%d.cus %d\n", i, p.multiProcessorCount);
	printf("dev%d.warp %d\n", i, p.warpSize);
	printf("dev%d.lds %zu\n", i, p.sharedMemPerBlock);
	printf("dev%d.l2 %d\n", i, p.l2CacheSize);
	printf("dev%d.clock_khz %d\n", i, p.clockRate);
	printf("dev%d.bus_bits %d\n", i, p.memoryBusWidth);
	printf("dev%d.pci %d:%d:%d\n", i, p.pciDomainID, p.pciBusID, p.pciDeviceID);
	if (n < 2)
		return;
	check(hipDeviceCanAccessPeer(&peer, i, !i), "hipDeviceCanAccessPeer");
	printf("dev%d.peer %d\n", i, peer);
}

static void allocate(int device, bool with_free)
{
	char name[32];
	void *p, *q;

	check(hipSetDevice(device), "hipSetDevice");
	snprintf(name, sizeof(name), "before%d", device);
	free_bytes(name);
	check(hipMalloc(&p, 96 << 20), "hipMalloc");
	check(hipMalloc(&q, 32 << 20), "hipMalloc");
	printf("distinct%d %d\n", device, (char *)q >= (char *)p + (96 << 20) ||
						  (char *)p >= (char *)q + (32 << 20));
	snprintf(name, sizeof(name), "during%d", device);
	free_bytes(name);
	if (!with_free)
		return;
	check(hipFree(p), "hipFree");
	check(hipFree(q), "hipFree");
	snprintf(name, sizeof(name), "after%d", device);
	free_bytes(name);
}

int main(int argc, char **argv)
{
	int n = 0;
	void *p;
	bool with_free = argc == 2 && !strcmp(argv[1], "free");

	check(hipGetDeviceCount(&n), "hipGetDeviceCount");
	printf("devices %d\n", n);
	for (int i = 0; i < n; i++)
		show_device(i, n);
	for (int i = 0; i < n && argc < 3; i++)
		allocate(i, with_free);
	check(hipSetDevice(0), "hipSetDevice");
	printf("too_much %s\n", hipGetErrorName(hipMalloc(&p, (size_t)1 << 46)));
	if (argc == 3 && !strcmp(argv[1], "hold")) {
		check(hipMalloc(&p, (size_t)atol(argv[2]) << 20), "hipMalloc");
		printf("holding %s\n", argv[2]);
		fflush(stdout);
		while (getchar() != EOF)
			;
	}
	printf("done 1\n");
	return 0;
}
