/* SPDX-License-Identifier: MIT */
#include "engine_program.h"

#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "shim_test.h"

int create_queue(int kfd)
{
	struct kfd_ioctl_create_queue_args args = { 0 };

	return ioctl(kfd, AMDKFD_IOC_CREATE_QUEUE, &args);
}

int program_start(struct program *p)
{
	p->kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	if (p->kfd < 0 || create_queue(p->kfd) < 0)
		return -1;
	p->ctrl = mmap(NULL, sizeof(*p->ctrl), PROT_READ | PROT_WRITE, MAP_SHARED, p->kfd,
		       (off_t)(2ULL << 62));
	p->bell =
		mmap(NULL, BELLS, PROT_READ | PROT_WRITE, MAP_SHARED, p->kfd, (off_t)(3ULL << 62));
	return p->ctrl == MAP_FAILED || (void *)p->bell == MAP_FAILED ? -1 : 0;
}

bool ring(struct program *p, unsigned int i, uint64_t v)
{
	atomic_store(&p->bell[i], v);
	for (unsigned int n = 0; n < 5000000; n++) {
		if (atomic_load(&p->ctrl->queue[i].rptr) == v)
			return true;
		if (n > 100)
			sched_yield();
		if (n > 100000)
			shim_sleep_ms(1);
		if (n > 105000)
			return false;
	}
	return false;
}

uint64_t load_result(struct program *p, unsigned int i, const volatile void *addr)
{
	atomic_store(&p->ctrl->queue[i].packets, 0);
	if (!ring(p, i, 0) || !ring(p, i, (uintptr_t)addr))
		return 0;
	return atomic_load(&p->ctrl->queue[i].packets);
}

uint32_t state_becomes(struct program *p, uint32_t state)
{
	for (int i = 0; i < 500 && atomic_load(&p->ctrl->engine) != state; i++)
		shim_sleep_ms(10);
	return atomic_load(&p->ctrl->engine);
}
