/* SPDX-License-Identifier: MIT */
#include "gpu/semaphore.h"
#include "gpu/vmem.h"

#define WORD(va) VKF_ALIGN_DOWN(va, (uint64_t)8)

int gpu_semaphore_signal(struct gpu_worker *w, unsigned int gpu, uint64_t va, bool one)
{
	return one ? gpu_vmem_store64(w, gpu, WORD(va), 1) : gpu_vmem_add64(w, gpu, WORD(va), 1);
}

/* One that others take at the same time is taken at the next look. */
int gpu_semaphore_wait(struct gpu_worker *w, unsigned int gpu, uint64_t va)
{
	uint64_t count, found;
	int e = gpu_vmem_load64(w, gpu, WORD(va), &count);

	if (e)
		return e;
	if (!count)
		return -EAGAIN;
	found = count;
	e = gpu_vmem_cas64(w, gpu, WORD(va), &found, count - 1);
	return e ? e : found == count ? 0 : -EAGAIN;
}
